/* The judge's parts on their own: what an answer says, when the API may be called, which traces are wanted, what a
 * question holds. The whole of it, against a server: tests/e2e/test_judge.py. */
#include "receiver/running.h"

#include "judge/answer.h"
#include "judge/pace.h"
#include "judge/prompt.h"
#include "judge/settings.h"

#define SECOND 1000000000ull

/* ---- answers ---- */

struct parsers {
    inf_json *outer;
    inf_json *inner;
};

static inf_judge_answer read_answer(struct parsers *p, const char *body)
{
    inf_judge_answer a;
    inf_judge_answer_read(&a, p->outer, p->inner, body, strlen(body));
    return a;
}

static void answers(void **state)
{
    (void)state;
    struct parsers p = {inf_json_new(), inf_json_new()};
    inf_judge_answer a = read_answer(
        &p,
        "{\"model\":\"m\",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_"
        "tokens\":2}},\"choices\":[{\"message\":{\"content\":\"{\\\"verdict\\\":\\\"fail\\\",\\\"score\\\":0.5,"
        "\\\"reason\\\":\\\"a\\\\u0000b\\\"}\"}},{\"message\":{\"content\":\"other\"}}]}");
    assert_string_equal(a.error, "");
    assert_int_equal(a.verdict, INF_VERDICT_FAIL);
    assert_true(a.score == 0.5);
    assert_string_equal(a.reason, "a b");
    assert_string_equal(a.model, "m");
    assert_int_equal(a.prompt_tokens, 7);
    assert_int_equal(a.completion_tokens, 3);
    assert_int_equal(a.cached_tokens, 2);
    a = read_answer(&p, "{\"usage\":{\"prompt_tokens\":-7,\"completion_tokens\":\"3\"},\"choices\":[]}");
    assert_string_equal(a.error, "the API's answer has no choices[0].message");
    assert_int_equal(a.prompt_tokens, -1);
    assert_int_equal(a.completion_tokens, -1);
    static const char *const none[] = {"",
                                       "null",
                                       "[]",
                                       "{\"choices\":{}}",
                                       "{\"choices\":[7]}",
                                       "{\"choices\":[{\"message\":7}]}",
                                       "{\"choices\":[{\"message\":{\"content\":[]}}]}",
                                       "{\"choices\":[{\"message\":{\"content\":\"```\"}}]}",
                                       "{\"choices\":[{\"message\":{\"content\":\"``````\"}}]}",
                                       "{\"choices\":[{\"message\":{\"content\":\"```\\n```\"}}]}",
                                       "{\"choices\":[{\"message\":{\"content\":\"verdict: pass\"}}]}"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_string_not_equal(read_answer(&p, none[i]).error, "");
    inf_json_free(p.outer);
    inf_json_free(p.inner);
}

static void errors_of_an_api(void **state)
{
    (void)state;
    inf_json *parser = inf_json_new();
    char out[40];
#define READ(status, body) inf_judge_error_read(out, sizeof out, parser, status, body, strlen(body))
    READ(500, "");
    assert_string_equal(out, "HTTP 500");
    READ(429, "{\"error\":{\"message\":\"slow\"}}");
    assert_string_equal(out, "HTTP 429: slow");
    READ(404, "{\"error\":\"none\"}");
    assert_string_equal(out, "HTTP 404: none");
    READ(502, "<html>");
    assert_string_equal(out, "HTTP 502");
    READ(400, "{\"error\":{\"message\":\"0123456789012345678901234\xc3\xa4\xc3\xa4\xc3\xa4\"}}");
    assert_true(strlen(out) < sizeof out);
    inf_json_free(parser);
}

/* ---- pace ---- */

static void so_many_a_minute(void **state)
{
    (void)state;
    inf_judge_pace p = {.per_minute = 30};
    assert_true(inf_judge_pace_may(&p, 100 * SECOND, 3));
    inf_judge_pace_began(&p, 100 * SECOND);
    assert_false(inf_judge_pace_may(&p, 101 * SECOND, 0));
    assert_true(inf_judge_pace_may(&p, 102 * SECOND, 0));
}

static void trouble_grows_and_ends(void **state)
{
    (void)state;
    inf_judge_pace p = {.per_minute = 6000};
    uint64_t now = 1000 * SECOND;
    assert_false(inf_judge_pace_failed(&p, now, INF_JUDGE_NO_ANSWER, 0));
    assert_false(inf_judge_pace_failed(&p, now, INF_JUDGE_NO_ANSWER, 0));
    assert_true(inf_judge_pace_may(&p, now, 3));
    assert_true(inf_judge_pace_failed(&p, now, INF_JUDGE_NO_ANSWER, 0));
    assert_false(inf_judge_pace_failed(&p, now, INF_JUDGE_NO_ANSWER, 0)); /* one that was under way */
    uint64_t pause = 5;
    for (int i = 0; i < 10; i++) {
        assert_false(inf_judge_pace_may(&p, now + pause * SECOND - 1, 0));
        now += pause * SECOND;
        assert_true(inf_judge_pace_may(&p, now, 0));
        assert_false(inf_judge_pace_may(&p, now, 1)); /* one tries for all */
        assert_false(inf_judge_pace_failed(&p, now, INF_JUDGE_NO_ANSWER, 0));
        pause = pause * 2 < 600 ? pause * 2 : 600;
    }
    inf_judge_pace_well(&p);
    assert_true(inf_judge_pace_may(&p, now + 600 * SECOND, 3));
    assert_false(p.trouble);
}

static void what_it_asks_for_is_kept(void **state)
{
    (void)state;
    inf_judge_pace p = {.per_minute = 6000};
    assert_false(inf_judge_pace_failed(&p, SECOND, INF_JUDGE_BUSY, 30 * SECOND));
    assert_false(inf_judge_pace_may(&p, 30 * SECOND, 0));
    assert_true(inf_judge_pace_may(&p, 31 * SECOND, 0));
    inf_judge_pace_well(&p);
    assert_false(inf_judge_pace_failed(&p, 40 * SECOND, INF_JUDGE_BUSY, 100000 * SECOND)); /* within bounds */
    assert_true(inf_judge_pace_may(&p, 640 * SECOND, 0));
    inf_judge_pace_well(&p);
    assert_true(inf_judge_pace_failed(&p, 700 * SECOND, INF_JUDGE_UNWANTED, 0));
    assert_true(p.refused);
}

/* ---- settings ---- */

static int read_settings(inf_judge_settings *s, const inf_serve_options *o, char message[300])
{
    message[0] = 0;
    return inf_judge_settings_read(s, o, message, 300);
}

static void endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *url; /* NULL: refused */
    } rows[] = {
        {"https://h/v1", "https://h/v1/chat/completions"},
        {"https://h/v1///", "https://h/v1/chat/completions"},
        {"https://h/v1/chat/completions", "https://h/v1/chat/completions"},
        {"https://h", "https://h/chat/completions"},
        {"http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/chat/completions"},
        {"http://localhost:1/v1", "http://localhost:1/v1/chat/completions"},
        {"http://[::1]:1/v1", "http://[::1]:1/v1/chat/completions"},
        {"http://h/v1", NULL},
        {"http://localhost.example.com/v1", NULL},
        {"ftp://h/v1", NULL},
        {"https://", NULL},
        {"https://h/v1?key=1", NULL},
        {"https://h/v 1", NULL},
    };
    inf_serve_options o = INF_SERVE_OPTIONS_INIT;
    inf_judge_settings s;
    char message[300];
    assert_int_equal(read_settings(&s, &o, message), 0);
    o.judge_model = "m";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        o.judge_endpoint = rows[i].endpoint;
        int rc = read_settings(&s, &o, message);
        assert_int_equal(rc, rows[i].url ? 1 : INF_EINVAL);
        if (rows[i].url)
            assert_string_equal(s.url, rows[i].url);
        else
            assert_non_null(strstr(message, "judge-endpoint"));
    }
}

static void shares_and_names(void **state)
{
    (void)state;
    inf_serve_options o = INF_SERVE_OPTIONS_INIT;
    inf_judge_settings s;
    char message[300];
    o.judge_endpoint = "https://h/v1";
    o.judge_model = "m";
    o.judge_names = " one ,two words, three";
    o.judge_agents = AGENT ", " OTHER_AGENT;
    assert_int_equal(read_settings(&s, &o, message), 1);
    assert_int_equal(s.agent_count, 2);
    inf_summary m = {.name = "two words", .status = INF_STATUS_OK};
    memcpy(m.agent_id, s.agents[1], 16);
    assert_true(inf_judge_wants(&s, &m));
    m.status = INF_STATUS_RUNNING;
    assert_false(inf_judge_wants(&s, &m));
    m.status = INF_STATUS_ERROR;
    static const char *const others[] = {"", "two", "words", "one,two words", "three ", "onetwo"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        m.name = others[i];
        assert_false(inf_judge_wants(&s, &m));
    }
    m.name = "three";
    m.agent_id[0] ^= 1;
    assert_false(inf_judge_wants(&s, &m));
    o = (inf_serve_options)INF_SERVE_OPTIONS_INIT;
    o.judge_endpoint = "https://h/v1";
    o.judge_model = "m";
    o.judge_percent = 20;
    assert_int_equal(read_settings(&s, &o, message), 1);
    int wanted = 0;
    for (int i = 0; i < 10000; i++) {
        memcpy(m.trace_id, &i, sizeof i);
        wanted += inf_judge_wants(&s, &m);
    }
    assert_in_range(wanted, 1800, 2200);
}

static void the_key_is_hidden(void **state)
{
    (void)state;
    inf_judge_settings s = {.key = "abc"};
    char text[] = "xabcabc ab abcx";
    inf_judge_hide_key(&s, text);
    assert_string_equal(text, "x****** ab ***x");
    s.key[0] = 0;
    inf_judge_hide_key(&s, text);
    assert_string_equal(text, "x****** ab ***x");
    s = (inf_judge_settings){.key = "sk-123456789"};
    static const char *const cut[][2] = {{"it was sk-12345678", "it was ***********"},
                                         {"sk-1", "****"},
                                         {"sk-123456789sk-12345", "********************"},
                                         {"sk-12345678 it was", "sk-12345678 it was"}, /* another key */
                                         {"a sk-", "a sk-"},
                                         {"", ""}};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        char ends[40];
        snprintf(ends, sizeof ends, "%s", cut[i][0]);
        inf_judge_hide_key(&s, ends);
        assert_string_equal(ends, cut[i][1]);
    }
}

/* ---- questions ---- */

/* Bodies that are not what they should be: the record holds what it can. */
static void odd_bodies(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{}", "[]", "7", "{\"steps\":7,\"expected_outcome\":[],\"input_summary\":{}}",
                                         "{\"steps\":[7,[],{\"tool_call\":7,\"error\":\"x\"}],\"expected_outcome\":{"
                                         "\"constraints\":[7,null,\"c\"]}}"};
    inf_json *parser = inf_json_new();
    inf_buf out;
    inf_buf_init(&out, INF_JUDGE_PROMPT_MAX);
    inf_summary m = {.name = NULL, .status = INF_STATUS_OK, .cost_nano_usd = -1};
    inf_judge_question q = {.model = "m", .texts = true, .word = "w"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        inf_json_value root;
        assert_int_equal(inf_json_parse(parser, bodies[i], strlen(bodies[i]), 0, &root), 0);
        inf_buf_reset(&out);
        assert_int_equal(inf_judge_prompt_write(&out, &q, &m, root), 0);
        assert_int_equal(inf_json_parse(parser, out.data, out.length, 0, &root), 0);
    }
    inf_buf_free(&out);
    inf_json_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(errors_of_an_api),
        cmocka_unit_test(so_many_a_minute),
        cmocka_unit_test(trouble_grows_and_ends),
        cmocka_unit_test(what_it_asks_for_is_kept),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(shares_and_names),
        cmocka_unit_test(the_key_is_hidden),
        cmocka_unit_test(odd_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

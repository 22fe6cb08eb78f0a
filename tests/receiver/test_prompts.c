/* Prompts, scores and the published calls over HTTP: what is answered, to whom, and what is kept. */
#include "receiver/running.h"

#include "base/clock.h"
#include "store/scores.h"

#define TRACE "00000000000000000000000000000001"
#define TRACE_UUID "00000000-0000-0000-0000-000000000001"

/* Asks once, then checks. */
#define expect(call, status, text)                                                                                     \
    do {                                                                                                               \
        answer got_ = (call);                                                                                          \
        check_answer(got_, status, text);                                                                              \
    } while (0)

static char admin[128];

static int set_up_admin(void **state)
{
    char token[INF_TOKEN_SIZE];
    set_up(state);
    struct running *r = *state;
    assert_int_equal(inf_admin_token(r->dir, token), 0);
    snprintf(admin, sizeof admin, "Authorization: Bearer %s\r\n", token);
    return 0;
}

static answer ask(struct running *r, const char *method, const char *path, const char *headers, const char *body)
{
    return http_ask(&r->c, method, path, headers, body, body ? strlen(body) : 0);
}

/* The text of a member, which is copied. */
static void member(const answer *a, const char *key, char *out, size_t size)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":\"", key);
    const char *at = strstr(a->body, wanted);
    if (!at)
        fail_msg("no %s in %s", key, a->body);
    at += strlen(wanted);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void prompt_headers(char *out, size_t size, const char *id, const char *key)
{
    snprintf(out, size, "x-prompt-id: %s\r\nx-prompt-key: %s\r\n", id, key);
}

static void prompts(void **state)
{
    struct running *r = *state;
    char id[64], key[128], second[128], path[200], headers[300], other[64];
    answer a = ask(r, "POST", "/api/v1/prompts", admin, "{\"name\":\"Greeting\",\"content\":\"Hello {{who}}\"}");
    expect(a, 201, "\"version\":1");
    member(&a, "prompt_id", id, sizeof id);
    member(&a, "key", key, sizeof key);
    a = ask(r, "POST", "/api/v1/prompts", admin, "{\"name\":\"Other\",\"content\":\"x\"}");
    member(&a, "prompt_id", other, sizeof other);

    /* the published call: with the key, with a wrong one, with none, with another prompt's, for a prompt there is not
     */
    snprintf(path, sizeof path, "/api/v1/prompts/%s/v/latest", id);
    prompt_headers(headers, sizeof headers, id, key);
    a = ask(r, "GET", path, headers, NULL);
    expect(a, 200, "\"content\":\"Hello {{who}}\"");
    expect(a, 200, "\"name\":\"Greeting\"");
    expect(a, 200, "\"createdAt\":\"20");
    expect(a, 200, id);
    prompt_headers(headers, sizeof headers, id,
                   "inf_p_0000000000000000000000000000000000000000000000000000000000000000");
    expect(ask(r, "GET", path, headers, NULL), 401, "do not fit together");
    expect(ask(r, "GET", path, "", NULL), 401, "are needed");
    prompt_headers(headers, sizeof headers, other, key);
    expect(ask(r, "GET", path, headers, NULL), 401, NULL);
    prompt_headers(headers, sizeof headers, OTHER_AGENT, key);
    expect(ask(r, "GET", "/api/v1/prompts/" OTHER_AGENT "/v/latest", headers, NULL), 401, NULL);
    expect(ask(r, "GET", path, r->bearer, NULL), 200, "Hello");

    /* versions */
    snprintf(path, sizeof path, "/api/v1/prompts/%s/versions", id);
    expect(ask(r, "POST", path, admin, "{\"content\":\"Good day {{who}}\"}"), 201, "\"version\":2");
    prompt_headers(headers, sizeof headers, id, key);
    static const struct {
        const char *version;
        int status;
        const char *text;
    } rows[] = {{"latest", 200, "Good day"},   {"1", 200, "Hello"}, {"2", 200, "Good day"},
                {"3", 404, "no such version"}, {"0", 404, NULL},    {"-1", 404, NULL},
                {"True", 404, NULL},           {"1x", 404, NULL},   {"99999999999999999999", 404, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(path, sizeof path, "/api/v1/prompts/%s/v/%s", id, rows[i].version);
        expect(ask(r, "GET", path, headers, NULL), rows[i].status, rows[i].text);
    }
    snprintf(path, sizeof path, "/api/v1/prompts/%s?limit=1", id);
    a = ask(r, "GET", path, r->bearer, NULL);
    expect(a, 200, "\"next_before\":2");
    assert_null(strstr(a.body, "Hello"));
    snprintf(path, sizeof path, "/api/v1/prompts/%s?before=2", id);
    expect(ask(r, "GET", path, r->bearer, NULL), 200, "\"content\":\"Hello {{who}}\"}],\"next_before\":null");
    expect(ask(r, "GET", "/api/v1/prompts", r->bearer, NULL), 200, "\"name\":\"Greeting\",\"version\":2");

    /* rotation: both keys for a while, or the new one alone */
    snprintf(path, sizeof path, "/api/v1/prompts/%s/keys", id);
    a = ask(r, "POST", path, admin, "");
    expect(a, 201, NULL);
    member(&a, "key", second, sizeof second);
    assert_string_not_equal(key, second);
    char fetch[200];
    snprintf(fetch, sizeof fetch, "/api/v1/prompts/%s/v/latest", id);
    expect(ask(r, "GET", fetch, headers, NULL), 200, NULL);
    prompt_headers(headers, sizeof headers, id, second);
    expect(ask(r, "GET", fetch, headers, NULL), 200, NULL);
    a = ask(r, "POST", path, admin, "{\"overlap_s\":0}");
    expect(a, 201, NULL);
    expect(ask(r, "GET", fetch, headers, NULL), 401, NULL);

    /* no key is anywhere in the store, and each change is in the audit log */
    a = ask(r, "GET", "/api/v1/audit", admin, NULL);
    expect(a, 200, "\"action\":\"prompt.create\"");
    expect(a, 200, "\"action\":\"prompt.publish\"");
    expect(a, 200, "\"action\":\"prompt.rotate\"");
    assert_null(strstr(a.body, second));

    /* deleted: its keys read nothing more, readers are told, the other one stays */
    snprintf(path, sizeof path, "/api/v1/prompts/%s/keys", id);
    a = ask(r, "POST", path, admin, "");
    member(&a, "key", second, sizeof second);
    prompt_headers(headers, sizeof headers, id, second);
    expect(ask(r, "GET", fetch, headers, NULL), 200, NULL);
    snprintf(path, sizeof path, "/api/v1/prompts/%s", id);
    expect(ask(r, "DELETE", path, r->bearer, NULL), 403, NULL);
    expect(ask(r, "DELETE", path, admin, NULL), 204, NULL);
    expect(ask(r, "GET", fetch, headers, NULL), 401, "do not fit together");
    expect(ask(r, "GET", fetch, r->bearer, NULL), 404, NULL);
    expect(ask(r, "GET", path, r->bearer, NULL), 404, NULL);
    expect(ask(r, "DELETE", path, admin, NULL), 404, "no such prompt");
    snprintf(path, sizeof path, "/api/v1/prompts/%s/versions", id);
    expect(ask(r, "POST", path, admin, "{\"content\":\"back\"}"), 404, NULL);
    a = ask(r, "GET", "/api/v1/prompts", r->bearer, NULL);
    expect(a, 200, other);
    assert_null(strstr(a.body, id));
    expect(ask(r, "GET", "/api/v1/audit", admin, NULL), 200, "\"action\":\"prompt.delete\"");
    expect(ask(r, "GET", "/api/v1/audit", admin, NULL), 200, "\"detail\":\"Greeting\"");

    static const char *const bad[] = {"{\"name\":\"\",\"content\":\"x\"}",
                                      "{\"name\":\"n\",\"content\":\"\"}",
                                      "{\"name\":\"n\"}",
                                      "{\"name\":\"n\",\"content\":7}",
                                      "{\"name\":\"n\",\"content\":\"a\\u0000b\"}",
                                      "[]",
                                      "x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(ask(r, "POST", "/api/v1/prompts", admin, bad[i]), 400, "\"error\"");
    expect(ask(r, "GET", "/api/v1/prompts/nonsense", r->bearer, NULL), 404, NULL);
}

static void keys_are_kept_as_hashes_only(void **state)
{
    struct running *r = *state;
    char key[128], path[200];
    answer a = ask(r, "POST", "/api/v1/prompts", admin, "{\"name\":\"n\",\"content\":\"c\"}");
    member(&a, "key", key, sizeof key);
    static const char *const files[] = {"infinium.db", "infinium.db-wal"};
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", r->dir, files[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        static char content[4 << 20];
        size_t n = fread(content, 1, sizeof content, file);
        fclose(file);
        assert_null(memmem(content, n, key + 6, 64)); /* without its "inf_p_" */
        seen += memmem(content, n, "prompt_keys", 11) != NULL;
    }
    assert_true(seen > 0);
}

static void scores(void **state)
{
    struct running *r = *state;
    answer a;
    /* before its trace has come */
    expect(ask(r, "POST", "/api/v1/agents/" AGENT "/traces/" TRACE_UUID "/scores", JSON,
               "{\"name\":\"early\",\"value\":0.5,\"comment\":\"so-so\"}"),
           201, "\"success\":true");
    expect(post(r, JSON,
                "{\"name\":\"n\",\"trace_id\":\"" TRACE "\",\"scores\":[{\"name\":\"own\",\"value\":1},{\"name\":"
                "\"twice\",\"value\":1,\"comment\":\"first\"},{\"name\":7},3,{\"value\":2}]}"),
           201, NULL);
    a = get(r, "/api/v1/traces/" TRACE);
    expect(a, 200, "\"scores\":[{\"name\":\"own\",\"comment\":null,\"source\":\"trace\"");
    expect(a, 200, "{\"name\":\"early\",\"comment\":\"so-so\",\"source\":\"agent\"");
    /* the later of two with one name counts; one list, no name twice */
    expect(ask(r, "POST", "/api/v1/traces/" TRACE "/scores", admin, "{\"name\":\"twice\",\"value\":-2.5}"), 201, NULL);
    a = get(r, "/api/v1/traces/" TRACE);
    expect(a, 200, "{\"name\":\"twice\",\"comment\":null,\"source\":\"admin\"");
    assert_null(strstr(a.body, "first"));
    assert_null(strstr(strstr(a.body, "\"scores\"") + 1, "\"scores\""));
    expect(a, 200, "\"value\":-2.5");
    /* taken away, and not back by another delivery of the same trace */
    expect(ask(r, "DELETE", "/api/v1/traces/" TRACE "/scores/own", admin, NULL), 204, NULL);
    a = get(r, "/api/v1/traces/" TRACE);
    assert_null(strstr(a.body, "\"own\""));
    /* another agent's trace is none of an agent's business, and what it said before does not count */
    add_agent(r, "Other", OTHER_AGENT);
    pause_ms(400);
    static const char other[] = "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n";
    expect(ask(r, "POST", "/api/v1/agents/" OTHER_AGENT "/traces/" TRACE "/scores", other,
               "{\"name\":\"theirs\",\"value\":1}"),
           404, NULL);
    expect(ask(r, "POST", "/api/v1/agents/" OTHER_AGENT "/traces/00000000000000000000000000000002/scores", other,
               "{\"name\":\"theirs\",\"value\":1}"),
           201, NULL);
    expect(post(r, JSON, "{\"name\":\"n\",\"trace_id\":\"00000000000000000000000000000002\"}"), 201, NULL);
    expect(get(r, "/api/v1/traces/00000000000000000000000000000002"), 200, "\"scores\":[]");

    static const char *const bad[] = {"{}",
                                      "{\"name\":\"a\"}",
                                      "{\"name\":\"\",\"value\":1}",
                                      "{\"name\":\"a\",\"value\":\"1\"}",
                                      "{\"name\":\"a\",\"value\":null}",
                                      "{\"name\":\"a\",\"value\":1,\"comment\":7}",
                                      "{\"name\":\"a\\u0000\",\"value\":1}",
                                      "{\"name\":\"a\",\"value\":1,\"more\":1}",
                                      "[]",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(ask(r, "POST", "/api/v1/traces/" TRACE "/scores", admin, bad[i]), 400, "\"error\"");
    expect(ask(r, "POST", "/api/v1/traces/xyz/scores", admin, "{\"name\":\"a\",\"value\":1}"), 404, NULL);
    char body[64];
    int given = 0;
    for (int i = 0; i < INF_SCORES_MAX + 1; i++) {
        snprintf(body, sizeof body, "{\"name\":\"n%d\",\"value\":1}", i);
        given += ask(r, "POST", "/api/v1/traces/00000000000000000000000000000003/scores", admin, body).status == 201;
    }
    assert_int_equal(given, INF_SCORES_MAX);
}

/* Scores whose trace is gone, or never came, go too; the others stay. */
static void sweeping(void **state)
{
    struct running *r = *state;
    expect(post(r, JSON, "{\"name\":\"n\",\"trace_id\":\"" TRACE "\"}"), 201, NULL);
    assert_int_equal(stored(r), 1);
    inf_store *store = open_store(r);
    uint8_t id[16] = {0};
    for (uint8_t i = 1; i <= 5; i++) {
        inf_trace_score score = {.name = "s", .value = i, .created_ns = 1000};
        id[15] = i; /* the first is TRACE */
        assert_int_equal(inf_store_score_set(store, id, NULL, &score), 0);
    }
    int64_t place = 0;
    assert_int_equal(inf_store_scores_sweep(store, 999, 100, &place), 0);
    assert_int_equal(inf_store_scores_sweep(store, 999, 100, &place), 0);
    assert_int_equal(place, 0);
    int removed = 0;
    do
        removed += inf_store_scores_sweep(store, 2000, 2, &place);
    while (place != 0);
    assert_int_equal(removed, 4);
    inf_store_close(store);
    expect(ask(r, "GET", "/api/v1/traces/" TRACE, r->bearer, NULL), 200, "{\"name\":\"s\"");
}

static void interpretation(void **state)
{
    struct running *r = *state;
    static const char path[] = "/api/v1/agents/" AGENT "/interpreted-result/" TRACE_UUID;
    expect(ask(r, "GET", path, KEYS, NULL), 404, "no such trace");
    expect(post(r, JSON, "{\"name\":\"n\",\"trace_id\":\"" TRACE "\",\"status\":\"running\"}"), 201, NULL);
    expect(ask(r, "GET", path, KEYS, NULL), 200,
           "{\"traceId\":\"" TRACE_UUID "\",\"status\":\"pending\",\"interpretedTraceResult\":null}");
    expect(post(r, JSON,
                "{\"name\":\"n\",\"trace_id\":\"" TRACE "\",\"duration\":1.5,\"output_summary\":\"no\","
                "\"expected_outcome\":{\"constraints\":[\"within 1 second\"]}}"),
           201, NULL);
    answer a = ask(r, "GET", path, KEYS, NULL);
    expect(a, 200, "\"status\":\"completed\",\"interpretedTraceResult\":{\"checks\":[{\"id\":\"errors\"");
    expect(a, 200, "Checked: the duration, at most 1 s. It was 1.5 s.");
    expect(a, 200, "\"verdict\":\"fail\"");
    expect(get(r, "/api/v1/traces/" TRACE "/checks"), 200, "\"trace_id\":\"" TRACE "\",\"status\":\"completed\"");
    /* under another agent's path it is not there */
    add_agent(r, "Other", OTHER_AGENT);
    expect(ask(r, "GET", "/api/v1/agents/" OTHER_AGENT "/interpreted-result/" TRACE, admin, NULL), 404, NULL);
}

/* The cost comes with the trace, and each call's beside it; prices from a file of the data directory, once it is there.
 */
static void costs(void **state)
{
    struct running *r = *state;
    static const char body[] =
        "{\"name\":\"n\",\"trace_id\":\"0000000000000000000000000000000%d\",\"steps\":[{\"llm_call\":{"
        "\"provider\":\"acme\",\"model\":\"a\",\"prompt_tokens\":1000000,\"cached_tokens\":500000}},"
        "{\"llm_call\":{\"provider\":\"acme\",\"model\":\"b\",\"prompt_tokens\":1}}]}";
    char text[500], path[200];
    snprintf(text, sizeof text, body, 1);
    expect(post(r, JSON, text), 201, NULL);
    expect(get(r, "/api/v1/traces/" TRACE), 200, "\"cost_usd\":null");
    snprintf(path, sizeof path, "%s/prices.json", r->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"format\":1,\"providers\":[{\"id\":\"acme\",\"models\":[{\"names\":[\"a\"],\"prices\":[{\"in\":3,"
          "\"cached\":1}]}]}]}",
          file);
    fclose(file);
    for (int i = 2; i < 9; i++) {
        snprintf(text, sizeof text, body, i);
        expect(post(r, JSON, text), 201, NULL);
        snprintf(path, sizeof path, "/api/v1/traces/0000000000000000000000000000000%d", i);
        answer a = get(r, path);
        if (strstr(a.body, "\"cost_usd\":2.0,")) {
            expect(a, 200,
                   "\"call_costs\":[{\"step\":0,\"call\":null,\"model\":\"a\",\"cost_usd\":2.0},"
                   "{\"step\":1,\"call\":null,\"model\":\"b\",\"cost_usd\":null}]");
            return;
        }
        pause_ms(1000);
    }
    fail_msg("the new prices were not taken: %s", get(r, path).body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prompts, set_up_admin, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_kept_as_hashes_only, set_up_admin, tear_down),
        cmocka_unit_test_setup_teardown(scores, set_up_admin, tear_down),
        cmocka_unit_test_setup_teardown(sweeping, set_up_admin, tear_down),
        cmocka_unit_test_setup_teardown(interpretation, set_up_admin, tear_down),
        cmocka_unit_test_setup_teardown(costs, set_up_admin, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

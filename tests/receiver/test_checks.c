/* Checks of a trace: what its program expects, the history of its name, repeated calls, errors. */
#include "receiver/running.h"

#include "base/buf.h"
#include "checks/checks.h"

struct checked {
    inf_buf out;
    inf_json *parser;
    unsigned counts[INF_CHECK_STATUSES];
};

static inf_summary trace_of(uint64_t started_s, double seconds)
{
    inf_summary m = {.name = "Agent",
                     .status = INF_STATUS_OK,
                     .started_ns = started_s * 1000000000u,
                     .duration_ns = (uint64_t)(seconds * 1e9),
                     .cost_nano_usd = -1};
    memset(m.agent_id, 7, 16);
    memset(m.trace_id, 0xee, 16);
    return m;
}

/* The checks of a body, as text. */
static const char *check(struct checked *c, inf_store *store, const inf_summary *trace, const char *body)
{
    inf_json_value root;
    inf_buf_reset(&c->out);
    assert_int_equal(inf_json_parse(c->parser, body, strlen(body), 0, &root), 0);
    inf_json_writer w = inf_json_writer_on(&c->out);
    inf_check_report report = {.w = &w};
    assert_int_equal(inf_checks_write(&report, store, trace, root), 0);
    memcpy(c->counts, report.counts, sizeof c->counts);
    return inf_buf_text(&c->out);
}

struct fixture {
    struct running r;
    struct checked c;
    inf_store *store;
};

static int make(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    make_dir(&f->r);
    f->store = open_store(&f->r);
    inf_buf_init(&f->c.out, 1 << 20);
    f->c.parser = inf_json_new();
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *f = *state;
    inf_store_close(f->store);
    inf_buf_free(&f->c.out);
    inf_json_free(f->c.parser);
    remove_tree(f->r.dir);
    free(f);
    return 0;
}

static void holds(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("no \"%s\" in %s", wanted, text);
}

static void wishes(void **state)
{
    struct fixture *f = *state;
    inf_summary m = trace_of(1000, 12.5);
    m.prompt_tokens = 900;
    m.completion_tokens = 100;
    m.llm_calls = 2;
    static const struct {
        const char *criterion;
        enum inf_check_status status;
    } rows[] = {
        {"Answer within 30 seconds", INF_CHECK_PASS},
        {"must finish in less than 12.5 s", INF_CHECK_FAIL},
        {"at most 12.5 seconds", INF_CHECK_PASS},
        {"Takes no longer than 0.2 minutes", INF_CHECK_FAIL},
        {"under 12000 ms", INF_CHECK_FAIL},
        {"Uses at most 1,000 tokens", INF_CHECK_PASS},
        {"fewer than 1000 tokens", INF_CHECK_FAIL},
        {"No more than 2 LLM calls", INF_CHECK_PASS},
        {"at least 1 tool call", INF_CHECK_PASS},
        {"at most 1 step", INF_CHECK_FAIL},
        {"Cost under $0.05", INF_CHECK_NOT_CHECKED}, /* the cost is not known */
        {"Summary of at most 8 words", INF_CHECK_PASS},
        {"at most 5 words", INF_CHECK_FAIL},
        {"at least 10 characters", INF_CHECK_PASS},
        {"Output must be valid JSON", INF_CHECK_FAIL},
        {"mentions \"the Risk report\"", INF_CHECK_PASS},
        {"must not mention 'price'", INF_CHECK_PASS},
        {"Never use the word \"risk\"", INF_CHECK_FAIL},
        {"Includes 'a table'", INF_CHECK_FAIL},
        {"without errors", INF_CHECK_PASS},
        {"Is polite and doesn't ramble", INF_CHECK_NOT_CHECKED},
        {"Cites at most 3 sources", INF_CHECK_NOT_CHECKED},
        {"maximal clarity", INF_CHECK_NOT_CHECKED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[1000], escaped[200];
        size_t n = 0;
        for (const char *c = rows[i].criterion; *c; c++) {
            if (*c == '"')
                escaped[n++] = '\\';
            escaped[n++] = *c;
        }
        escaped[n] = 0;
        snprintf(
            body, sizeof body,
            "{\"output_summary\":\"Here is the risk report: all is well\",\"steps\":[{\"tool_call\":{\"tool_name\":"
            "\"t\"}},{}],\"expected_outcome\":{\"acceptance_criteria\":[\"%s\"]}}",
            escaped);
        const char *text = check(&f->c, f->store, &m, body);
        char wanted[120];
        snprintf(wanted, sizeof wanted, "\"title\":\"Acceptance criterion\",\"status\":\"%s\"",
                 inf_check_status_name(rows[i].status));
        if (!strstr(text, wanted))
            fail_msg("%s: not %s: %s", rows[i].criterion, inf_check_status_name(rows[i].status), text);
    }
    m.cost_nano_usd = 60000000;
    holds(check(&f->c, f->store, &m, "{\"expected_outcome\":{\"constraints\":[\"Cost under $0.05\"]}}"),
          "Checked: the cost, less than $0.05. It was $0.06.");
    static const char *const json[] = {"{\\\"a\\\":1}", "'{\\\"a\\\": [1, 2]}'", "[1]"};
    for (size_t i = 0; i < 3; i++) {
        char body[300];
        snprintf(body, sizeof body,
                 "{\"output_summary\":\"%s\",\"expected_outcome\":{\"constraints\":[\"valid JSON\"]}}", json[i]);
        holds(check(&f->c, f->store, &m, body), "The output is a JSON object or array.");
    }
}

static void deliverables(void **state)
{
    struct fixture *f = *state;
    inf_summary m = trace_of(1000, 1);
    static const char body[] =
        "{\"output_summary\":\"Summary: three RISKS were found. A table of costs follows.\",\"expected_outcome\":{"
        "\"task_objective\":\"Find risks\",\"required_deliverables\":[\"table of costs\",\"a risk, found\",\"risk "
        "matrix "
        "and mitigation plan\",\"...\"]}}";
    const char *text = check(&f->c, f->store, &m, body);
    holds(text, "\"status\":\"pass\",\"subject\":\"table of costs\",\"detail\":\"The output has these words.\"");
    holds(text, "\"status\":\"pass\",\"subject\":\"a risk, found\",\"detail\":\"The output has all 2 words of it");
    holds(text,
          "\"status\":\"fail\",\"subject\":\"risk matrix and mitigation plan\",\"detail\":\"The output has 1 of 4 "
          "words; missing: matrix, mitigation, plan.\"");
    holds(text, "\"status\":\"not_checked\",\"subject\":\"...\"");
    holds(text, "\"id\":\"objective\",\"title\":\"Task objective\",\"status\":\"not_checked\"");
    holds(check(&f->c, f->store, &m, "{\"expected_outcome\":{\"required_deliverables\":[\"x\"]}}"),
          "The trace has no output.");
    /* the output was cut: what is missing may have been there */
    holds(check(&f->c, f->store, &m,
                "{\"output_summary\":\"one two...\",\"expected_outcome\":{\"required_deliverables\":[\"three\"]}}"),
          "\"status\":\"warn\",\"subject\":\"three\"");
    /* nonsense in the place of an outcome is none */
    static const char *const odd[] = {"{\"expected_outcome\":7}", "{\"expected_outcome\":{\"constraints\":\"x\"}}",
                                      "{\"expected_outcome\":{\"constraints\":[1,null,{}]}}", "{}", "[]"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_null(strstr(check(&f->c, f->store, &m, odd[i]), "Constraint"));
}

static void repeats_and_errors(void **state)
{
    struct fixture *f = *state;
    inf_summary m = trace_of(1000, 1);
    char body[4000] = "{\"steps\":[";
    size_t n = strlen(body);
    for (int i = 0; i < 5; i++)
        n += (size_t)snprintf(body + n, sizeof body - n,
                              "{\"tool_call\":{\"tool_name\":\"search\",\"input_summary\":\"cats\"}},"
                              "{\"tool_call\":{\"tool_name\":\"search\",\"input_summary\":\"dogs %d\"}},"
                              "{\"llm_call\":{\"model\":\"m\"},\"input_preview\":\"%s\"},",
                              i, i < 2 ? "same" : "other");
    snprintf(body + n, sizeof body - n, "{\"error\":{\"error_type\":\"E\"}}]}");
    const char *text = check(&f->c, f->store, &m, body);
    holds(text, "The tool search was called 5 times with the same input.");
    holds(text, "The model m was called 3 times with the same input.");
    assert_null(strstr(text, "dogs"));
    holds(text, "1 step had an error; the trace went on and ended well.");
    m.status = INF_STATUS_ERROR;
    m.error_type = "ValueError";
    m.error_message = "no";
    holds(check(&f->c, f->store, &m, "{}"), "The trace ended with an error: ValueError: no");
    assert_int_equal(f->c.counts[INF_CHECK_FAIL], 1);
    m.status = INF_STATUS_INTERRUPTED;
    holds(check(&f->c, f->store, &m, "{}"), "The program ended before the trace did.");
}

static void put(inf_store *store, int n, uint8_t agent, double seconds, uint8_t status, int64_t tokens, int64_t cost)
{
    inf_store_put p = {.summary = trace_of(100 + (uint64_t)n, seconds), .body = "{}", .body_length = 2};
    memset(p.summary.trace_id, n, 16);
    p.summary.trace_id[1] = agent;
    memset(p.summary.agent_id, agent, 16);
    p.summary.status = status;
    p.summary.prompt_tokens = tokens;
    p.summary.cost_nano_usd = cost;
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
}

static void history(void **state)
{
    struct fixture *f = *state;
    inf_summary m = trace_of(1000, 3.4);
    m.prompt_tokens = 100;
    m.cost_nano_usd = 1000000000;
    for (int i = 1; i <= 19; i++)
        put(f->store, i, 7, 1, INF_STATUS_OK, 100, 1000000);
    for (int i = 1; i <= 30; i++)
        put(f->store, i, 8, 99, INF_STATUS_ERROR, 100000, -1); /* somebody else's of the same name */
    const char *text = check(&f->c, f->store, &m, "{}");
    holds(text, "Only 19 earlier traces say; 20 are needed");
    for (int i = 20; i <= 100; i++)
        put(f->store, i, 7, 1 + i / 1000.0, i > 80 ? INF_STATUS_ERROR : INF_STATUS_OK, 100, 1000000);
    text = check(&f->c, f->store, &m, "{}");
    holds(text,
          "\"id\":\"duration\",\"title\":\"Duration\",\"status\":\"warn\",\"subject\":null,\"detail\":\"3.4 s: 3.2x "
          "this name's usual (median 1.05 s, 95 in 100 at most 1.09 s).\"");
    holds(text,
          "\"compared_with\":\"the 100 finished traces of this name and agent before it, since 1970-01-01T00:01:41Z\"");
    holds(text,
          "\"id\":\"tokens\",\"title\":\"Tokens\",\"status\":\"pass\",\"subject\":null,\"detail\":\"100 tokens: 1.0x");
    holds(text, "\"id\":\"cost\",\"title\":\"Cost\",\"status\":\"warn\",\"subject\":null,\"detail\":\"$1: 1000x");
    holds(text, "20 of the 50 traces before this one did not end well (40 %); of the 50 before those, 0 (0 %).");
    /* what started later is no history */
    m.started_ns = 100 * UINT64_C(1000000000);
    holds(check(&f->c, f->store, &m, "{}"), "there are none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wishes, make, unmake),
        cmocka_unit_test_setup_teardown(deliverables, make, unmake),
        cmocka_unit_test_setup_teardown(repeats_and_errors, make, unmake),
        cmocka_unit_test_setup_teardown(history, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Importing over HTTP: lines that stand or fall on their own, bodies of any size, and who may. */
#include "receiver/running.h"

#define IMPORT "/api/v1/import"
#define LINE_MAX_BYTES (4 * 1024 * 1024)

static char admin[160];

static int set_up_admin(void **state)
{
    set_up(state);
    struct running *r = *state;
    char path[128];
    char token[200] = "";
    snprintf(path, sizeof path, "%s/admin.token", r->dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    token[strcspn(token, "\n")] = 0;
    snprintf(admin, sizeof admin, "Authorization: Bearer %.100s\r\n", token);
    return 0;
}

static answer import_text(struct running *r, const char *text)
{
    return http_ask(&r->c, "POST", IMPORT, admin, text, strlen(text));
}

static int line(char *out, size_t size, int number, const char *agent, const char *body)
{
    return snprintf(out, size,
                    "{\"trace_id\":\"%032x\",\"agent_id\":\"%s\",\"agent_name\":\"From afar\","
                    "\"received_at\":\"2026-11-23T10:00:00.5Z\",\"body\":%s}\n",
                    number, agent, body);
}

static void lines_are_stored_once(void **state)
{
    struct running *r = *state;
    char text[2000];
    char *at = text;
    at += line(at, 400, 1, AGENT, "{\"name\":\"one\",\"duration\":1.50,\"x\":1e2}");
    at += line(at, 400, 2, OTHER_AGENT, "{\"name\":\"two\",\"body\":{\"a\":[1,\"}\\\"\"]}}");
    snprintf(at, 10, "\n  \n");
    answer a = import_text(r, text);
    check_answer(a, 200, "\"accepted\":2,\"duplicates\":0,\"rejected\":[],\"rejected_count\":0,\"agents_added\":1");
    check_answer(import_text(r, text), 200, "\"accepted\":0,\"duplicates\":2");
    a = get(r, "/api/v1/traces/00000000000000000000000000000001");
    check_answer(a, 200, "\"received_at\":\"2026-11-23T10:00:00.500000000Z\"");
    assert_non_null(strstr(a.body, "\"duration_s\":1.5,"));
    a = get(r, "/api/v1/traces/00000000000000000000000000000002");
    check_answer(a, 200, "\"agent_name\":\"From afar\"");
    check_answer(get(r, "/api/v1/agents"), 200, OTHER_AGENT);
    /* Nobody can send as the agent that was added. */
    static const char *const secrets[] = {"", "x", "imported", "From afar"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        char headers[200];
        snprintf(headers, sizeof headers, "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: %s\r\n", secrets[i]);
        a = http_ask(&r->c, "POST", "/api/v1/agents/" OTHER_AGENT "/trace", headers, "{\"name\":\"n\"}", 12);
        check_answer(a, 401, NULL);
    }
}

/* Thousands of scores come with their traces, and each import is in the audit log. */
static void scores_and_the_audit_log(void **state)
{
    struct running *r = *state;
    enum { LINES = 700, LINE = 500 };
    char *text = malloc((size_t)LINES * LINE);
    assert_non_null(text);
    size_t used = 0;
    for (int i = 1; i <= LINES; i++)
        used += (size_t)snprintf(text + used, LINE,
                                 "{\"trace_id\":\"%032x\",\"agent_id\":\"" AGENT "\",\"scores\":["
                                 "{\"name\":\"a\",\"value\":%d,\"comment\":\"c%d\",\"source\":\"agent\"},"
                                 "{\"name\":\"b\",\"value\":0.5},{\"name\":7}],\"body\":{\"name\":\"n\"}}\n",
                                 i, i, i);
    answer a = import_text(r, text);
    check_answer(a, 200, "\"accepted\":700,");
    free(text);
    for (int i = 1; i <= LINES; i += 233) {
        char path[100], wanted[100];
        snprintf(path, sizeof path, "/api/v1/traces/%032x", i);
        snprintf(wanted, sizeof wanted, "{\"name\":\"a\",\"comment\":\"c%d\",\"source\":\"agent\"", i);
        a = get(r, path);
        check_answer(a, 200, wanted);
        check_answer(a, 200, "{\"name\":\"b\",\"comment\":null,\"source\":\"admin\"");
    }
    a = http_ask(&r->c, "GET", "/api/v1/audit", admin, NULL, 0);
    check_answer(a, 200, "\"who\":\"admin.token\"");
    check_answer(a, 200,
                 "\"action\":\"import\",\"subject\":\"\",\"detail\":\"700 traces stored, 0 already there, 0 refused\"");
}

static void a_bad_line_does_not_spoil_the_others(void **state)
{
    struct running *r = *state;
    static const struct {
        const char *line;
        const char *reason;
    } bad[] = {
        {"[1]", "not a JSON object"},
        {"{\"name\":", "\"error\":\""},
        {"{}", "no trace_id"},
        {"{\"trace_id\":5,\"agent_id\":\"" AGENT "\",\"body\":{\"name\":\"n\"}}", "no trace_id"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"body\":{\"name\":\"n\"}}", "no agent_id"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"agent_id\":\"" AGENT "\"}", "no body"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"agent_id\":\"" AGENT "\",\"body\":\"{}\"}", "no body"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"agent_id\":\"" AGENT "\",\"body\":{}}", "no name"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"agent_id\":\"" AGENT
         "\",\"body\":{\"name\":\"n\",\"trace_id\":\"00000000000000000000000000000002\"}}",
         "another one"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"agent_id\":\"" AGENT
         "\",\"received_at\":\"soon\",\"body\":{\"name\":\"n\"}}",
         "received_at"},
        {"{\"trace_id\":\"00000000000000000000000000000001\",\"agent_id\":\"" AGENT "\",\"body\":{\"name\":\"\xff\"}}",
         "\"error\":\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[2000];
        char *at = text;
        at += line(at, 400, 100 + 2 * (int)i, AGENT, "{\"name\":\"before\"}");
        at += snprintf(at, 600, "%s\n", bad[i].line);
        line(at, 400, 101 + 2 * (int)i, AGENT, "{\"name\":\"after\"}");
        answer a = import_text(r, text);
        check_answer(a, 200, "\"accepted\":2,\"duplicates\":0,\"rejected\":[{\"index\":1,\"error\":");
        check_answer(a, 200, bad[i].reason);
    }
    assert_int_equal(stored(r), 2 * sizeof bad / sizeof bad[0]);
    check_answer(import_text(r, " \n\n"), 400, "no trace");
    check_answer(http_ask(&r->c, "POST", IMPORT, admin, "", 0), 400, "no trace");
    check_answer(import_text(r, "{}\n[]\n"), 400, "no trace_id");
    check_answer(http_ask(&r->c, "POST", IMPORT "?x=1", admin, "{}", 2), 400, "no parameter 'x'");
    check_answer(http_ask(&r->c, "GET", IMPORT, admin, NULL, 0), 405, NULL);
}

/* Several parts, cut anywhere; a line that no part holds. */
static void bodies_of_any_size(void **state)
{
    struct running *r = *state;
    enum { BIG = 1000 * 1000, COUNT = 24 };
    char *body = malloc(BIG + 100);
    char *text = malloc((COUNT + 1) * (BIG + 400) + LINE_MAX_BYTES * 3);
    size_t at = 0;
    assert_non_null(body);
    assert_non_null(text);
    int head = snprintf(body, 100, "{\"name\":\"big\",\"input_summary\":\"");
    for (int i = 0; i < BIG; i++)
        body[head + i] = (char)('a' + (i * 7 + i / 1000) % 26);
    snprintf(body + head + BIG, 50, "\"}");
    for (int i = 1; i <= COUNT; i++) {
        at += (size_t)line(text + at, BIG + 400, i, AGENT, body);
        if (i == COUNT / 2) {
            memset(text + at, 'x', LINE_MAX_BYTES * 2 + 12345);
            at += LINE_MAX_BYTES * 2 + 12345;
            text[at++] = '\n';
        }
    }
    answer a = http_ask(&r->c, "POST", IMPORT, admin, text, at);
    check_answer(a, 200, "\"accepted\":24,\"duplicates\":0,\"rejected\":[{\"index\":12,\"error\":\"the line is longer");
    assert_int_equal(stored(r), COUNT);
    check_answer(get(r, "/api/v1/traces?limit=1"), 200, NULL); /* the connection is good for more */
    free(body);
    free(text);
}

static void only_an_administrator_imports(void **state)
{
    struct running *r = *state;
    char text[500];
    int n = line(text, sizeof text, 1, AGENT, "{\"name\":\"no\"}");
    check_answer(http_ask(&r->c, "POST", IMPORT, r->bearer, text, (size_t)n), 403, "\"error\"");
    check_answer(http_ask(&r->c, "POST", IMPORT, NULL, text, (size_t)n), 401, "\"error\"");
    check_answer(http_ask(&r->c, "POST", IMPORT, KEYS, text, (size_t)n), 401, "\"error\"");
    size_t size = 12 * 1024 * 1024;
    char *large = malloc(size);
    assert_non_null(large);
    memset(large, '\n', size);
    memcpy(large, text, (size_t)n);
    check_answer(http_ask(&r->c, "POST", IMPORT, r->bearer, large, size), 403, "\"error\"");
    check_answer(http_ask(&r->c, "GET", "/api/v1/session", r->bearer, NULL, 0), 200, NULL);
    free(large);
    assert_int_equal(stored(r), 0);
}

/* What a broken connection has brought is stored; to import the file again is no harm. */
static void an_import_that_breaks_off(void **state)
{
    struct running *r = *state;
    enum { LINES = 15000 };
    char *text = malloc(LINES * 300);
    size_t at = 0;
    assert_non_null(text);
    for (int i = 1; i <= LINES; i++)
        at += (size_t)line(text + at, 300, i, AGENT, "{\"name\":\"many\"}");
    char head[300];
    int n = snprintf(head, sizeof head, "POST " IMPORT " HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
                     admin, at);
    connection c = http_open(r->port);
    assert_int_equal(http_send(&c, head, (size_t)n), 0);
    assert_int_equal(http_send(&c, text, at * 9 / 10), 0);
    http_close(&c);
    answer a = http_ask(&r->c, "POST", IMPORT, admin, text, at);
    check_answer(a, 200, "\"rejected\":[],");
    assert_int_equal(stored(r), LINES);
    free(text);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_admin, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines_are_stored_once), TEST(scores_and_the_audit_log),      TEST(a_bad_line_does_not_spoil_the_others),
        TEST(bodies_of_any_size),    TEST(only_an_administrator_imports), TEST(an_import_that_breaks_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The platform wire over a real socket: what is accepted, what is refused and how, and that a refusal leaves nothing
 * behind and the connection usable. */
#include <sqlite3.h>

#include "receiver/running.h"

#define BODY                                                                                                           \
    "{\"name\":\"Email Classifier\",\"description\":\"d\",\"current_datetime\":\"2026-11-23T02:56:20.972348Z\","       \
    "\"duration\":0.5,\"input_summary\":\"in\",\"output_summary\":\"out\"}"

static void accepts_and_shows(void **state)
{
    struct running *r = *state;
    answer a = post(r, JSON "Idempotency-Key: 0123456789abcdef0123456789abcdef\r\n", BODY);
    check_answer(a, 201, "\"traceId\":\"01234567-89ab-cdef-0123-456789abcdef\"");
    assert_non_null(strstr(a.body, "\"success\":true"));
    assert_string_equal(http_header(&a, "Infinium-Batch"),
                        "max_traces=32768; max_bytes=4194304; encodings=zstd; extra=1; rate=100");
    a = get(r, "/api/v1/traces/0123456789abcdef0123456789abcdef");
    check_answer(a, 200, "\"name\":\"Email Classifier\"");
    assert_non_null(strstr(a.body, "\"started_at\":\"2026-11-23T02:56:20.472348000Z\""));
    assert_non_null(strstr(a.body, "\"duration_s\":0.5"));
    assert_non_null(strstr(a.body, "\"status\":\"ok\""));
    assert_non_null(strstr(a.body, "\"agent_name\":\"Tester\""));
    assert_non_null(strstr(a.body, "\"received_at\":\""));
    assert_non_null(strstr(a.body, "\"input_preview\":\"in\""));
    check_answer(get(r, "/api/v1/traces/01234567-89ab-cdef-0123-456789abcdef"), 200, "Email Classifier");
}

/* The answer is one object, used again; its text is not. */
static void each_answer_has_its_own_id(void **state)
{
    struct running *r = *state;
    connection other = http_open(r->port);
    for (int i = 1; i < 40; i++) {
        char body[100], said[100];
        snprintf(body, sizeof body, "{\"name\":\"n\",\"trace_id\":\"%032x\"}", (unsigned)i);
        snprintf(said, sizeof said,
                 "{\"success\":true,\"message\":\"Trace accepted\",\"traceId\":\"00000000-0000-0000-0000-%012x\"}",
                 (unsigned)i);
        answer a = http_ask(i % 3 ? &r->c : &other, "POST", POST_PATH, JSON, body, strlen(body));
        assert_int_equal(a.status, 201);
        assert_string_equal(a.body, said);
        assert_string_equal(http_header(&a, "Content-Type"), "application/json");
        assert_string_equal(http_header(&a, "Cache-Control"), "no-store");
        assert_null(http_header(&a, "Retry-After"));
        if (i % 5 == 0) /* another kind of answer on the same object */
            assert_int_equal(http_ask(&r->c, "POST", POST_PATH, JSON, "{", 1).status, 400);
    }
    http_close(&other);
}

static void published_body(void **state)
{
    struct running *r = *state;
    static const char body[] =
        "{\"name\":\"Risky\",\"description\":\"\",\"current_datetime\":\"2026-11-23T02:56:20.972348Z\",\"duration\":0."
        "012,"
        "\"steps\":[{\"step_number\":1,\"action\":\"execution\",\"description\":\"Execute risky\",\"duration_ms\":11,"
        "\"error\":{\"error_type\":\"ValueError\",\"message\":\"boom\",\"recoverable\":false,\"retry_count\":0}},"
        "{\"step_number\":2,\"action\":\"llm_call\",\"description\":\"openai/"
        "gpt-4o\",\"llm_call\":{\"model\":\"gpt-4o\","
        "\"provider\":\"openai\",\"prompt_tokens\":11,\"completion_tokens\":7}}],"
        "\"errors\":[{\"error_type\":\"ValueError\",\"message\":\"boom\"}],"
        "\"llm_usage\":{\"model\":\"gpt-4o\",\"prompt_tokens\":11,\"completion_tokens\":7,\"api_calls_count\":1},"
        "\"environment\":{\"python_version\":\"3.11.7\"}}";
    check_answer(post(r, JSON, body), 201, "traceId");
    answer a = get(r, "/api/v1/traces");
    check_answer(a, 200, "\"status\":\"error\"");
    assert_non_null(strstr(a.body, "\"error_type\":\"ValueError\",\"error_message\":\"boom\""));
    assert_non_null(
        strstr(a.body, "\"llm_calls\":1,\"prompt_tokens\":11,\"completion_tokens\":7,\"model\":\"gpt-4o\""));
}

static void flat_body_of_the_first_version(void **state)
{
    struct running *r = *state;
    check_answer(
        post(r, JSON "Idempotency-Key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
             "{\"name\":\"Old\",\"description\":\"d\",\"current_datetime\":\"2026-11-23T02:56:20\",\"duration\":1.0,"
             "\"agent_type\":\"DATA_ANALYST\",\"customer_name\":\"Acme\"}"),
        201, "traceId");
    answer a = get(r, "/api/v1/traces/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    check_answer(a, 200, "\"agent_type\":\"DATA_ANALYST\"");
    assert_non_null(strstr(a.body, "\"customer_name\":\"Acme\""));
    assert_non_null(strstr(a.body, "\"started_at\":\"2026-11-23T02:56:19.000000000Z\""));
}

/* What a trace says that its calls took together is bounded as one call's tokens are: sums of many traces stay whole
 * numbers. */
static void tokens_of_many_calls(void **state)
{
    struct running *r = *state;
    enum { CALLS = 2000 };
    static const char call[] = "{\"llm_call\":{\"model\":\"m\",\"prompt_tokens\":9000000000000000000,"
                               "\"completion_tokens\":1}}";
    const size_t size = CALLS * sizeof call + 100;
    char *body = malloc(size);
    assert_non_null(body);
    size_t n = (size_t)snprintf(body, size, "{\"name\":\"Many\",\"steps\":[");
    for (int i = 0; i < CALLS; i++)
        n += (size_t)snprintf(body + n, size - n, "%s%s", i ? "," : "", call);
    snprintf(body + n, size - n, "]}");
    check_answer(post(r, JSON, body), 201, "traceId");
    free(body);
    check_answer(get(r, "/api/v1/traces"), 200,
                 "\"llm_calls\":2000,\"prompt_tokens\":2147483647000,\"completion_tokens\":2000,");
}

/* Python's integers have no end, and simdjson's do: the trace is taken, and shows such numbers as text. */
static void numbers_without_end(void **state)
{
    struct running *r = *state;
    check_answer(post(r, JSON "Idempotency-Key: cccccccccccccccccccccccccccccccc\r\n",
                      "{\"name\":\"Large\",\"duration\":1e400,\"llm_usage\":{\"prompt_tokens\":"
                      "123456789012345678901234567890},\"metadata\":{\"n\":-99999999999999999999,\"x\":1e999}}"),
                 201, "traceId");
    answer a = get(r, "/api/v1/traces/cccccccccccccccccccccccccccccccc");
    check_answer(a, 200, "\"metadata\":{\"n\":\"-99999999999999999999\",\"x\":\"1e999\"}");
    check_answer(post(r, JSON, "{\"name\":\"Bad\",\"n\":1e999,\"m\":01}"), 400, "error");
}

static void extra_header_is_merged(void **state)
{
    struct running *r = *state;
    check_answer(post(r,
                      JSON
                      "Idempotency-Key: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
                      "Infinium-Extra: {\"parent_id\":\"0123456789abcdef0123456789abcdef\",\"status\":\"interrupted\","
                      "\"started_at\":\"2026-11-23T02:56:20.000000001Z\",\"duration_ns\":1500,\"tags\":[\"a\"],"
                      "\"name\":\"not this\"}\r\n",
                      BODY),
                 201, NULL);
    answer a = get(r, "/api/v1/traces/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    check_answer(a, 200, "\"parent_id\":\"0123456789abcdef0123456789abcdef\"");
    assert_non_null(strstr(a.body, "\"status\":\"interrupted\""));
    assert_non_null(strstr(a.body, "\"started_at\":\"2026-11-23T02:56:20.000000001Z\""));
    assert_non_null(strstr(a.body, "\"tags\":[\"a\"]"));
    assert_non_null(strstr(a.body, "\"name\":\"Email Classifier\""));
    assert_null(strstr(a.body, "not this"));
}

struct bad {
    const char *what;
    const char *method;
    const char *path;
    const char *headers;
    const char *body;
    int status;
    const char *reason;
};

static void types_that_clients_send_unasked(void **state)
{
    struct running *r = *state;
    check_answer(post(r, KEYS "Content-Type: application/x-www-form-urlencoded\r\n", BODY), 201, NULL);
    check_answer(post(r, KEYS "Content-Type: application/json; charset=utf-8\r\n", BODY), 201, NULL);
    check_answer(post(r, KEYS, BODY), 201, NULL);
    assert_int_equal(stored(r), 3);
}

static void extra_header_on_an_empty_body(void **state)
{
    struct running *r = *state;
    static const char id[] = "0123456789abcdef0123456789abcdef";
    char path[128];
    check_answer(post(r,
                      JSON "Infinium-Extra: {\"name\":\"x\",\"tags\":[\"a\"]}\r\nIdempotency-Key: "
                           "0123456789abcdef0123456789abcdef\r\n",
                      "{}"),
                 201, NULL);
    snprintf(path, sizeof path, "/api/v1/traces/%s", id);
    check_answer(http_ask(&r->c, "GET", path, r->bearer, NULL, 0), 200, "\"tags\":[\"a\"]");
}

static void refusals_leave_the_connection_usable(void **state)
{
    struct running *r = *state;
    static const struct bad cases[] = {
        {"no JSON", "POST", POST_PATH, JSON, "{\"name\":", 400, "\"error\""},
        {"not UTF-8", "POST", POST_PATH, JSON, "{\"name\":\"\xff\"}", 400, "UTF-8"},
        {"empty", "POST", POST_PATH, JSON, "", 400, "empty"},
        {"array", "POST", POST_PATH, JSON, "[1]", 422, "not a JSON object"},
        {"no name", "POST", POST_PATH, JSON, "{\"description\":\"d\"}", 422, "no name"},
        {"blank name", "POST", POST_PATH, JSON, "{\"name\":\"  \"}", 422, "no name"},
        {"name is a number", "POST", POST_PATH, JSON, "{\"name\":7}", 422, "no name"},
        {"bad trace id", "POST", POST_PATH, JSON, "{\"name\":\"x\",\"trace_id\":\"zz\"}", 422, "trace_id"},
        {"bad extra", "POST", POST_PATH, JSON "Infinium-Extra: nonsense\r\n", BODY, 400, "Infinium-Extra"},
        {"no key", "POST", POST_PATH, "x-agent-id: " AGENT "\r\n", BODY, 401, "x-agent-key"},
        {"wrong key", "POST", POST_PATH, "x-agent-id: " AGENT "\r\nx-agent-key: wrong-secret\r\n", BODY, 401,
         "\"error\""},
        {"other agent's path", "POST", "/api/v1/agents/" OTHER_AGENT "/trace", JSON, BODY, 401, "x-agent-id"},
        {"unknown agent", "POST", "/api/v1/agents/" OTHER_AGENT "/trace",
         "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n", BODY, 401, "\"error\""},
        {"unknown path", "POST", "/api/v1/nothing", JSON, BODY, 404, "\"error\""},
        {"unknown path, not even the API's", "POST", "/agents/" AGENT "/trace", JSON, BODY, 404, "\"error\""},
        {"the page takes no traces", "POST", "/", JSON, BODY, 405, "GET"},
        {"wrong method", "PUT", POST_PATH, JSON, BODY, 405, "POST"},
        {"wrong type", "POST", POST_PATH, KEYS "Content-Type: multipart/form-data\r\n", BODY, 415, "application/json"},
        {"wrong encoding", "POST", POST_PATH, JSON "Content-Encoding: gzip\r\n", BODY, 415, "zstd"},
        {"no zstd", "POST", POST_PATH, JSON "Content-Encoding: zstd\r\n", BODY, 400, "zstd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct bad *b = &cases[i];
        answer a = http_ask(&r->c, b->method, b->path, b->headers, b->body, strlen(b->body));
        if (a.status != b->status || !strstr(a.body, b->reason) || strncmp(a.body, "{\"error\":\"", 10) != 0)
            fail_msg("%s: expected %d with %s, got %d: %s", b->what, b->status, b->reason, a.status, a.body);
    }
    assert_int_equal(stored(r), 0);
    check_answer(post(r, JSON, BODY), 201, NULL); /* still the same connection */
    assert_int_equal(stored(r), 1);
}

/* What a proxy in front might take for another request: refused, and the connection ends, since nobody knows where the
 * next one begins. */
static void what_may_mean_two_things(void **state)
{
    struct running *r = *state;
    static const struct bad cases[] = {
        {"two lengths", "POST", POST_PATH, JSON "Content-Length: 3\r\n", BODY, 400, "twice"},
        {"two keys", "POST", POST_PATH, JSON "x-agent-key: wrong-secret\r\n", BODY, 400, "twice"},
        {"two hosts", "POST", POST_PATH, JSON "Host: localhost\r\n", BODY, 400, "twice"},
        {"two tokens", "GET", "/api/v1/traces", "Authorization: Bearer a\r\nauthorization: Bearer b\r\n", NULL, 400,
         "twice"},
        {"length and chunks", "POST", POST_PATH, JSON "Transfer-Encoding: chunked\r\n", BODY, 400, "both"},
        {"unknown coding", "POST", POST_PATH, JSON "Transfer-Encoding: gzip, chunked\r\n", NULL, 400, "chunked"},
        {"blank in a name", "POST", POST_PATH, JSON "Content-Length : 3\r\n", BODY, 400, "blank"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct bad *b = &cases[i];
        connection c = http_open(r->port);
        answer a = http_ask(&c, b->method, b->path, b->headers, b->body, b->body ? strlen(b->body) : 0);
        if (a.status != b->status || !strstr(a.body, b->reason) || strncmp(a.body, "{\"error\":\"", 10) != 0)
            fail_msg("%s: expected %d with %s, got %d: %s", b->what, b->status, b->reason, a.status, a.body);
        assert_int_equal(http_more(&c), 0); /* closed */
        http_close(&c);
    }
    assert_int_equal(stored(r), 0);
}

static void whole_urls_and_paths_with_a_nul(void **state)
{
    struct running *r = *state;
    check_answer(http_ask(&r->c, "GET", "http://127.0.0.1/healthz", NULL, NULL, 0), 200, "ok");
    check_answer(http_ask(&r->c, "POST", "HTTP://127.0.0.1" POST_PATH, JSON, BODY, strlen(BODY)), 201, NULL);
    check_answer(http_ask(&r->c, "POST", POST_PATH "%00", JSON, BODY, strlen(BODY)), 404, "nothing");
    check_answer(http_ask(&r->c, "GET", "/healthz%00/x", NULL, NULL, 0), 404, "nothing");
    check_answer(http_ask(&r->c, "GET", "http://127.0.0.1/healthz%00", NULL, NULL, 0), 404, "nothing");
    check_answer(http_ask(&r->c, "GET", "/%68ealthz", NULL, NULL, 0), 200, "ok");
    assert_int_equal(stored(r), 1);
}

static void too_deep(void **state)
{
    struct running *r = *state;
    char body[400] = "{\"name\":\"x\",\"a\":";
    size_t n = strlen(body);
    memset(body + n, '[', 100);
    memset(body + n + 100, ']', 100);
    memcpy(body + n + 200, "}", 2);
    check_answer(post(r, JSON, body), 422, "deep");
    check_answer(post(r, JSON, BODY), 201, NULL);
}

static char *large(size_t size)
{
    char *body = malloc(size + 1);
    assert_non_null(body);
    int n = snprintf(body, size, "{\"name\":\"large\",\"input_summary\":\"");
    memset(body + n, 'x', size - (size_t)n);
    memcpy(body + size - 2, "\"}", 3);
    return body;
}

static void size_limit(void **state)
{
    struct running *r = *state;
    char *body = large(1024 * 1024);
    check_answer(post(r, JSON, body), 201, NULL);
    free(body);
    static const size_t sizes[] = {3 * 1024 * 1024, 80 * 1024 * 1024}; /* read over, so that the answer arrives */
    for (int i = 0; i < 2; i++) {
        body = large(sizes[i]);
        check_answer(post(r, JSON, body), 413, "larger than");
        free(body);
    }
    check_answer(post(r, JSON, BODY), 201, NULL);
    assert_int_equal(stored(r), 2);
}

static void chunked_size_limit(void **state)
{
    struct running *r = *state;
    static const char head[] =
        "POST " POST_PATH " HTTP/1.1\r\nHost: 127.0.0.1\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n";
    static char chunk[65536];
    memset(chunk, 'x', sizeof chunk);
    assert_int_equal(http_send(&r->c, head, sizeof head - 1), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(http_send(&r->c, "10000\r\n", 7), 0);
        assert_int_equal(http_send(&r->c, chunk, sizeof chunk), 0);
        assert_int_equal(http_send(&r->c, "\r\n", 2), 0);
    }
    assert_int_equal(http_send(&r->c, "0\r\n\r\n", 5), 0);
    answer a = http_answer(&r->c);
    check_answer(a, 413, "larger than");
    check_answer(post(r, JSON, BODY), 201, NULL);
}

static void length_required(void **state)
{
    struct running *r = *state;
    check_answer(http_ask(&r->c, "POST", POST_PATH, JSON, NULL, 0), 411, "Content-Length");
    check_answer(post(r, JSON, BODY), 201, NULL);
}

static void wrong_key_is_said_before_the_body(void **state)
{
    struct running *r = *state;
    answer a = http_ask(&r->c, "POST", POST_PATH,
                        "x-agent-id: " AGENT "\r\nx-agent-key: wrong-secret\r\nExpect: 100-continue\r\n"
                        "Content-Length: 1000\r\n",
                        NULL, 0);
    check_answer(a, 401, "\"error\"");
    http_close(&r->c);
    r->c = http_open(r->port);
    a = http_ask(&r->c, "POST", POST_PATH, JSON "Expect: 100-continue\r\nContent-Length: 12\r\n", NULL, 0);
    assert_int_equal(a.status, 100);
    assert_int_equal(http_send(&r->c, "{\"name\":\"x\"}", 12), 0);
    a = http_answer(&r->c);
    check_answer(a, 201, "traceId");
}

static void a_trace_is_stored_once(void **state)
{
    struct running *r = *state;
    static const char first[] = "{\"name\":\"first\",\"trace_id\":\"0123456789abcdef0123456789abcdef\"}";
    static const char second[] = "{\"name\":\"second\",\"trace_id\":\"0123456789ABCDEF0123456789abcdef\"}";
    check_answer(post(r, JSON, first), 201, "01234567-89ab-cdef-0123-456789abcdef");
    check_answer(post(r, JSON, second), 201, "01234567-89ab-cdef-0123-456789abcdef");
    assert_int_equal(stored(r), 1);
    check_answer(get(r, "/api/v1/traces/0123456789abcdef0123456789abcdef"), 200, "\"name\":\"first\"");
    /* any other idempotency key names one trace as well */
    for (int i = 0; i < 3; i++)
        check_answer(post(r, JSON "Idempotency-Key: order-17\r\n", BODY), 201, NULL);
    assert_int_equal(stored(r), 2);
}

static void forms_of_a_trace(void **state)
{
    struct running *r = *state;
    static const char *const order[][3] = {
        {"running", "running", "running"},
        {"running", "ok", "ok"},
        {"ok", "running", "ok"},
        {"running", "interrupted", "interrupted"},
        {"interrupted", "running", "interrupted"},
        {"interrupted", "error", "error"},
        {"error", "interrupted", "error"},
        {"ok", "error", "ok"},
    };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        char body[200], path[100], expected[40];
        for (int k = 0; k < 2; k++) {
            snprintf(body, sizeof body, "{\"name\":\"n%d\",\"trace_id\":\"%032zx\",\"status\":\"%s\"}", k, i + 1,
                     order[i][k]);
            check_answer(post(r, JSON, body), 201, NULL);
            if (i % 2)
                stored(r); /* in one batch of the store, and in two */
        }
        snprintf(path, sizeof path, "/api/v1/traces/%032zx", i + 1);
        snprintf(expected, sizeof expected, "\"status\":\"%s\"", order[i][2]);
        check_answer(get(r, path), 200, expected);
    }
    check_answer(get(r, "/api/v1/traces/00000000000000000000000000000001"), 200, "\"name\":\"n1\"");
}

static void another_agent_cannot_replace(void **state)
{
    struct running *r = *state;
    add_agent(r, "Other", OTHER_AGENT);
    static const char running[] =
        "{\"name\":\"mine\",\"trace_id\":\"0123456789abcdef0123456789abcdef\",\"status\":\"running\"}";
    static const char theirs[] = "{\"name\":\"theirs\",\"trace_id\":\"0123456789abcdef0123456789abcdef\"}";
    check_answer(post(r, JSON, running), 201, NULL);
    check_answer(http_ask(&r->c, "POST", "/api/v1/agents/" OTHER_AGENT "/trace",
                          "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n", theirs, sizeof theirs - 1),
                 201, NULL);
    check_answer(get(r, "/api/v1/traces/0123456789abcdef0123456789abcdef"), 200, "\"name\":\"mine\"");
}

static void health(void **state)
{
    struct running *r = *state;
    answer a = http_ask(&r->c, "GET", "/api/v1/agents/" AGENT "/health", KEYS, NULL, 0);
    check_answer(a, 200, "\"status\":\"healthy\",\"agentName\":\"Tester\",\"timestamp\":\"20");
    check_answer(http_ask(&r->c, "GET", "/api/v1/agents/" AGENT "/health", NULL, NULL, 0), 401, "\"error\"");
}

static void options_and_head(void **state)
{
    struct running *r = *state;
    answer a = http_ask(&r->c, "OPTIONS", POST_PATH, NULL, NULL, 0);
    assert_int_equal(a.status, 204);
    assert_string_equal(http_header(&a, "Allow"), "POST, OPTIONS");
    assert_null(http_header(&a, "Access-Control-Allow-Origin"));
    static const char head[] = "HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    assert_int_equal(http_send(&r->c, head, sizeof head - 1), 0);
    while (!strstr(r->c.data, "\r\n\r\n"))
        assert_true(http_more(&r->c));
    assert_memory_equal(r->c.data, "HTTP/1.1 200", 12);
    r->c.length = 0;
    check_answer(post(r, JSON, BODY), 201, NULL);
}

static void journal_bound(void **state)
{
    struct running *r = *state;
    stop(r);
    inf_serve_options small = INF_SERVE_OPTIONS_INIT;
    small.journal_max_bytes = 48 * 1024 * 1024;
    start_with(r, &small);
    char path[128];
    sqlite3 *blocker; /* somebody holds the store: nothing drains */
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &blocker), SQLITE_OK);
    assert_int_equal(sqlite3_exec(blocker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    char *body = large(1000 * 1000);
    int refused = 0;
    for (int i = 0; i < 80 && !refused; i++) {
        answer a = post(r, JSON, body);
        if (a.status == 429) {
            refused = 1;
            assert_non_null(http_header(&a, "Retry-After"));
        } else {
            assert_int_equal(a.status, 201);
        }
    }
    free(body);
    assert_true(refused);
    assert_int_equal(sqlite3_close(blocker), SQLITE_OK);
    stored(r);
    for (int i = 0; i < 100; i++) { /* room again, once it has drained */
        answer a = post(r, JSON, BODY);
        if (a.status == 201)
            return;
        pause_ms(50);
    }
    fail_msg("still refused after the journal was drained");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(accepts_and_shows),
        TEST(each_answer_has_its_own_id),
        TEST(published_body),
        TEST(flat_body_of_the_first_version),
        TEST(tokens_of_many_calls),
        TEST(numbers_without_end),
        TEST(extra_header_is_merged),
        TEST(extra_header_on_an_empty_body),
        TEST(types_that_clients_send_unasked),
        TEST(refusals_leave_the_connection_usable),
        TEST(what_may_mean_two_things),
        TEST(whole_urls_and_paths_with_a_nul),
        TEST(too_deep),
        TEST(size_limit),
        TEST(chunked_size_limit),
        TEST(length_required),
        TEST(wrong_key_is_said_before_the_body),
        TEST(a_trace_is_stored_once),
        TEST(forms_of_a_trace),
        TEST(another_agent_cannot_replace),
        TEST(health),
        TEST(options_and_head),
        TEST(journal_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

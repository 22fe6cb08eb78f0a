/* Reading: lists, filters, paging, events, and who may. */
#include "receiver/running.h"

static void put(struct running *r, int number, const char *name, const char *status, int second)
{
    char body[300];
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"trace_id\":\"%032x\",\"status\":\"%s\",\"started_at\":\"2026-11-23T10:00:%02dZ\"}",
             name, number, status, second);
    check_answer(post(r, JSON, body), 201, NULL);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void a_read_sees_what_was_just_acknowledged(void **state)
{
    struct running *r = *state;
    for (int i = 1; i <= 50; i++) {
        char path[100];
        put(r, i, "n", "ok", 1);
        snprintf(path, sizeof path, "/api/v1/traces/%032x", i);
        check_answer(get(r, path), 200, NULL);
    }
    check_answer(get(r, "/api/v1/traces/00000000000000000000000000000099"), 404, "\"error\"");
    check_answer(get(r, "/api/v1/traces/xyz"), 404, "\"error\"");
}

static void filters(void **state)
{
    struct running *r = *state;
    put(r, 1, "one", "ok", 1);
    put(r, 2, "two", "error", 2);
    put(r, 3, "t%20o \\u00e9", "running", 3);
    put(r, 4, "one", "interrupted", 4);
    static const struct {
        const char *query;
        int rows;
    } cases[] = {
        {"", 4},
        {"?name=one", 2},
        {"?name=t%2520o+%C3%A9", 1},
        {"?status=ok", 1},
        {"?status=error", 1},
        {"?status=running", 1},
        {"?status=interrupted&name=one", 1},
        {"?agent=" AGENT, 4},
        {"?agent=" OTHER_AGENT, 0},
        {"?from=2026-11-23T10:00:02Z", 3},
        {"?from=2026-11-23T10:00:02Z&to=2026-11-23T10:00:04Z", 2},
        {"?to=2026-11-23T12:00:02%2B02:00", 1},
        {"?limit=3", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/traces%s", cases[i].query);
        answer a = get(r, path);
        if (a.status != 200 || count(a.body, "\"trace_id\"") != cases[i].rows)
            fail_msg("%s: expected %d rows, got %d: %s", cases[i].query, cases[i].rows, a.status, a.body);
    }
    static const char *const bad[] = {"?limit=0",        "?limit=501", "?limit=x",   "?status=nice",
                                      "?from=yesterday", "?agent=me",  "?cursor=zzz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/traces%s", bad[i]);
        check_answer(get(r, path), 400, "\"error\"");
    }
}

/* Pages of a list that grows at its head meanwhile hold each old trace once, newest first. */
static void paging_is_stable(void **state)
{
    struct running *r = *state;
    char cursor[100] = "";
    char last[64] = "~";
    int seen = 0;
    for (int i = 1; i <= 25; i++)
        put(r, i, "n", "ok", i / 3); /* several start at the same instant */
    for (int page = 0; page < 10; page++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/traces?limit=7%s%s", *cursor ? "&cursor=" : "", cursor);
        answer a = get(r, path);
        check_answer(a, 200, NULL);
        for (const char *at = a.body; (at = strstr(at, "\"trace_id\":\"")); at++) {
            char id[33];
            snprintf(id, sizeof id, "%.32s", at + 12);
            assert_true(strcmp(id, last) < 0);
            snprintf(last, sizeof last, "%s", id);
            seen++;
        }
        const char *next = strstr(a.body, "\"next_cursor\":\"");
        if (!next)
            break;
        snprintf(cursor, sizeof cursor, "%.48s", next + 15);
        put(r, 100 + page, "new", "ok", 50);
    }
    assert_int_equal(seen, 25);
}

/* A page that has a next one says how far back it looked, the last one that there is no more. */
static void how_far_back_a_page_looked(void **state)
{
    struct running *r = *state;
    static const char body[] = "{\"name\":\"n\",\"trace_id\":\"%032x\",\"started_at\":\"2026-11-23T10:00:%02dZ\","
                               "\"status\":\"ok\",\"input_summary\":\"%s\"}";
    for (int i = 1; i <= 3; i++) {
        char text[300];
        snprintf(text, sizeof text, body, i, i, i == 2 ? "the fox is brown" : "the brown fox");
        check_answer(post(r, JSON, text), 201, NULL);
    }
    check_answer(get(r, "/api/v1/traces?limit=2"), 200, "\"looked_back_to\":\"2026-11-23T10:00:02.000000Z\"");
    check_answer(get(r, "/api/v1/traces?limit=3"), 200, "\"next_cursor\":null,\"looked_back_to\":null");
    check_answer(get(r, "/api/v1/traces?q=fox&limit=1"), 200, "\"looked_back_to\":\"2026-11-23T10:00:03.000000Z\"");
    check_answer(get(r, "/api/v1/traces?q=fox&limit=3"), 200, "\"next_cursor\":null,\"looked_back_to\":null");
    static const struct {
        const char *query;
        int rows;
    } cases[] = {
        {"brown+fox", 3}, {"%22brown+fox%22", 2}, {"%22BROWN,+f*", 2}, {"%22fox+brown%22", 0}, {"%22n+the%22", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/traces?q=%s", cases[i].query);
        answer a = get(r, path);
        assert_int_equal(a.status, 200);
        assert_int_equal(count(a.body, "\"trace_id\""), cases[i].rows);
    }
}

static void only_readers_read(void **state)
{
    struct running *r = *state;
    put(r, 1, "secret thing", "ok", 1);
    static const char *const paths[] = {"/api/v1/traces", "/api/v1/traces/00000000000000000000000000000001",
                                        "/api/v1/agents", "/api/v1/events", "/api/v1/session"};
    static const char *const headers[] = {
        NULL,
        KEYS,
        "Authorization: Bearer " SECRET "\r\n",
        "Authorization: Bearer 0000000000000000000000000000000000000000000000000000000000000000\r\n",
        "Authorization: Basic YTpi\r\n",
        "Cookie: infinium_session=0000000000000000000000000000000000000000000000000000000000000000\r\n",
        "Cookie: infinium_session=\r\n",
    };
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
        for (size_t h = 0; h < sizeof headers / sizeof headers[0]; h++) {
            answer a = http_ask(&r->c, "GET", paths[p], headers[h], NULL, 0);
            check_answer(a, 401, "\"error\"");
            assert_null(strstr(a.body, "secret thing"));
        }
    }
    check_answer(get(r, "/api/v1/session"), 200, "\"user\":\"local\"");
    struct stat st;
    char path[128];
    snprintf(path, sizeof path, "%s/read.token", r->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void agents_are_listed_without_secrets(void **state)
{
    struct running *r = *state;
    answer a = get(r, "/api/v1/agents");
    check_answer(a, 200, "{\"agent_id\":\"" AGENT "\",\"name\":\"Tester\",\"created_at\":\"20");
    assert_non_null(strstr(a.body, "\"revoked\":false"));
    assert_null(strstr(a.body, "hash"));
    assert_null(strstr(a.body, SECRET));
}

static void host_names_of_others(void **state)
{
    struct running *r = *state;
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"127.0.0.1", 200},       {"localhost:1234", 200},         {"[::1]:80", 200},       {"evil.example", 421},
        {"evil.example:80", 421}, {"127.0.0.1.evil.example", 421}, {"localhost.evil", 421}, {"", 421}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[512];
        int n =
            snprintf(head, sizeof head, "GET /api/v1/traces HTTP/1.1\r\nHost: %s\r\n%s\r\n", cases[i].host, r->bearer);
        assert_int_equal(http_send(&r->c, head, (size_t)n), 0);
        answer a = http_answer(&r->c);
        if (a.status != cases[i].status)
            fail_msg("Host %s: expected %d, got %d", cases[i].host, cases[i].status, a.status);
    }
}

/* As load balancers ask whether we are well. */
static void without_a_host_name(void **state)
{
    struct running *r = *state;
    static const struct {
        const char *line;
        int status;
    } cases[] = {{"GET /healthz HTTP/1.0\r\n\r\n", 200},
                 {"GET /api/v1/traces HTTP/1.0\r\n\r\n", 401},
                 {"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        connection c = http_open(r->port);
        assert_int_equal(http_send(&c, cases[i].line, strlen(cases[i].line)), 0);
        assert_int_equal(http_answer(&c).status, cases[i].status);
        http_close(&c);
    }
    connection c = http_open(r->port);
    static const char nameless[] = "GET /healthz HTTP/1.1\r\n\r\n";
    assert_int_equal(http_send(&c, nameless, sizeof nameless - 1), 0);
    assert_in_range(http_answer(&c).status, 400, 499);
    http_close(&c);
}

/* ---- events ---- */

static connection view(struct running *r, const char *last)
{
    char head[512];
    connection c = http_open(r->port);
    int n = snprintf(head, sizeof head, "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s%s\r\n", r->bearer,
                     last ? "Last-Event-ID: " : "", last ? last : "", last ? "\r\n" : "");
    assert_int_equal(http_send(&c, head, (size_t)n), 0);
    while (!c.length || !strstr(c.data, ": hello"))
        assert_true(http_more(&c));
    return c;
}

static void wait_for(connection *c, const char *text)
{
    while (!strstr(c->data, text))
        if (!http_more(c))
            fail_msg("no \"%s\" among the events: %s", text, c->data);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void events_within_a_second(void **state)
{
    struct running *r = *state;
    put(r, 1, "before", "ok", 1);
    stored(r);
    connection c = view(r, NULL);
    assert_non_null(strstr(c.data, "text/event-stream"));
    for (int i = 2; i < 6; i++) {
        char name[20], expected[40];
        snprintf(name, sizeof name, "event%d", i);
        snprintf(expected, sizeof expected, "\"name\":\"%s\"", name);
        uint64_t start = now_ms();
        put(r, i, name, "ok", 2);
        wait_for(&c, expected);
        assert_in_range(now_ms() - start, 0, 1000);
    }
    assert_null(strstr(c.data, "\"name\":\"before\""));
    put(r, 7, "run", "running", 3);
    wait_for(&c, "\"status\":\"running\"");
    put(r, 7, "run", "error", 3);
    wait_for(&c, "\"status\":\"error\"");
    http_close(&c);
}

static void events_resume(void **state)
{
    struct running *r = *state;
    for (int i = 1; i <= 5; i++) {
        char name[20];
        snprintf(name, sizeof name, "event%d", i);
        put(r, i, name, "ok", i);
        stored(r);
    }
    connection c = view(r, "3");
    wait_for(&c, "\"name\":\"event5\"");
    assert_non_null(strstr(c.data, "\"name\":\"event4\""));
    assert_null(strstr(c.data, "\"name\":\"event3\""));
    http_close(&c);
    c = view(r, "99999");
    wait_for(&c, "event: resync");
    http_close(&c);
}

static void many_viewers_and_some_that_do_not_read(void **state)
{
    struct running *r = *state;
    enum { VIEWERS = 100 };
    connection viewers[VIEWERS];
    for (int i = 0; i < VIEWERS; i++)
        viewers[i] = view(r, NULL);
    for (int i = 1; i <= 300; i++)
        put(r, i, "flood", "ok", 1);
    put(r, 1000, "the last", "ok", 2);
    for (int i = 0; i < VIEWERS; i += 2)
        wait_for(&viewers[i], "\"name\":\"the last\"");
    for (int i = 0; i < VIEWERS; i++)
        http_close(&viewers[i]);
    put(r, 1001, "after", "ok", 3);
    connection c = view(r, NULL);
    put(r, 1002, "still alive", "ok", 3);
    wait_for(&c, "\"name\":\"still alive\"");
    stop(r); /* with a viewer there */
    start_with(r, NULL);
    http_close(&c);
}

/* ---- the page and its log-in ---- */

static void log_in_link_works_once(void **state)
{
    struct running *r = *state;
    char token[INF_TOKEN_SIZE], path[200], cookie[300];
    inf_store *store = open_store(r);
    assert_int_equal(inf_login_create(store, token), 0);
    inf_store_close(store);
    snprintf(path, sizeof path, "/login?token=%s", token);
    answer a = http_ask(&r->c, "GET", path, NULL, NULL, 0);
    check_answer(a, 303, NULL);
    assert_string_equal(http_header(&a, "Location"), "/");
    const char *set = http_header(&a, "Set-Cookie");
    assert_non_null(set);
    assert_non_null(strstr(set, "; HttpOnly"));
    assert_non_null(strstr(set, "; SameSite=Strict"));
    assert_non_null(strstr(set, "; Path=/;"));
    snprintf(cookie, sizeof cookie, "Cookie: other=1; %.*s\r\n", (int)strcspn(set, ";"), set);
    check_answer(http_ask(&r->c, "GET", "/api/v1/session", cookie, NULL, 0), 200, "\"user\":\"local\"");
    check_answer(http_ask(&r->c, "GET", "/api/v1/traces", cookie, NULL, 0), 200, "\"traces\":[]");
    a = http_ask(&r->c, "GET", path, NULL, NULL, 0);
    check_answer(a, 403, "works once");
    assert_null(http_header(&a, "Set-Cookie"));
    check_answer(http_ask(&r->c, "GET", "/login?token=abc", NULL, NULL, 0), 403, NULL);
    check_answer(http_ask(&r->c, "GET", "/login", NULL, NULL, 0), 403, NULL);
    stop(r);
    start_with(r, NULL); /* sessions outlive the receiver */
    check_answer(http_ask(&r->c, "GET", "/api/v1/session", cookie, NULL, 0), 200, NULL);
}

static void page_headers(void **state)
{
    struct running *r = *state;
    answer a = http_ask(&r->c, "GET", "/", NULL, NULL, 0);
    check_answer(a, 200, "<");
    const char *policy = http_header(&a, "Content-Security-Policy");
    assert_non_null(policy);
    assert_non_null(strstr(policy, "default-src 'none'"));
    assert_null(strstr(policy, "unsafe"));
    assert_string_equal(http_header(&a, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(http_header(&a, "Referrer-Policy"), "no-referrer");
    assert_string_equal(http_header(&a, "Cache-Control"), "no-cache");
    char known[200];
    snprintf(known, sizeof known, "If-None-Match: %s\r\n", http_header(&a, "ETag"));
    check_answer(http_ask(&r->c, "GET", "/", known, NULL, 0), 304, NULL);
    check_answer(http_ask(&r->c, "GET", "/traces/0123", NULL, NULL, 0), 200, NULL);
    check_answer(http_ask(&r->c, "GET", "/assets/../../etc/passwd", NULL, NULL, 0), 404, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_read_sees_what_was_just_acknowledged),
        TEST(filters),
        TEST(paging_is_stable),
        TEST(how_far_back_a_page_looked),
        TEST(only_readers_read),
        TEST(agents_are_listed_without_secrets),
        TEST(host_names_of_others),
        TEST(without_a_host_name),
        TEST(events_within_a_second),
        TEST(events_resume),
        TEST(many_viewers_and_some_that_do_not_read),
        TEST(log_in_link_works_once),
        TEST(page_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Those who come too often, too slowly, in too great numbers, or guess: what they get, and that others do not notice.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "receiver/running.h"

static int bare(void **state)
{
    struct running *r = calloc(1, sizeof *r);
    assert_non_null(r);
    make_dir(r);
    add_agent(r, "Tester", AGENT);
    add_agent(r, "Other", OTHER_AGENT);
    *state = r;
    return 0;
}

static inf_serve_options limited(void)
{
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.limit_loopback = true;
    options.address_requests = 0;
    options.address_bytes = 0;
    return options;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int count_status(struct running *r, const char *headers, int times, int status, answer *last)
{
    int n = 0;
    for (int i = 0; i < times; i++) {
        answer a = post(r, headers, "{\"name\":\"n\"}");
        n += a.status == status;
        if (a.status == status)
            *last = a;
    }
    return n;
}

/* ---- how often, and how much ---- */

static void requests_of_an_address(void **state)
{
    struct running *r = *state;
    inf_serve_options options = limited();
    answer refused = {0};
    options.address_requests = 4;
    start_with(r, &options);
    uint64_t start = now_ms();
    int over = count_status(r, JSON, 40, 429, &refused);
    int most = 20 + 4 * (int)((now_ms() - start) / 1000 + 1); /* five seconds' worth, and what came in meanwhile */
    assert_in_range(40 - over, 20, most);
    assert_non_null(strstr(refused.head, "Retry-After: "));
    int pages = 0;
    for (int i = 0; i < 10; i++)
        pages += http_ask(&r->c, "GET", "/", NULL, NULL, 0).status == 429;
    assert_in_range(pages, 5, 10);
    options.address_requests = 0;
    inf_receiver_reload(r->receiver, &options, ignore_line, NULL);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    options.address_requests = 4; /* but this machine itself has no limit by default */
    options.limit_loopback = false;
    inf_receiver_reload(r->receiver, &options, ignore_line, NULL);
    assert_int_equal(count_status(r, JSON, 40, 201, &refused), 40);
}

static void requests_and_bytes_of_an_agent(void **state)
{
    struct running *r = *state;
    inf_serve_options options = limited();
    answer refused = {0};
    options.agent_requests = 4;
    start_with(r, &options);
    /* Who has not its key cannot use up what it may. */
    assert_int_equal(count_status(r, "x-agent-id: " AGENT "\r\nx-agent-key: wrong-wrong\r\n", 40, 401, &refused), 40);
    int over = count_status(r, JSON, 40, 429, &refused);
    assert_in_range(40 - over, 20, 39);
    answer a = http_ask(&r->c, "POST", "/api/v1/agents/" OTHER_AGENT "/trace",
                        "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n", "{\"name\":\"n\"}", 12);
    check_answer(a, 201, NULL);
    options.agent_requests = 0;
    options.agent_bytes = 10000;
    inf_receiver_reload(r->receiver, &options, ignore_line, NULL);
    static char body[60000];
    snprintf(body, sizeof body, "{\"name\":\"n\",\"input_summary\":\"%0*d\"}", 59000, 0);
    check_answer(post(r, JSON, body), 201, NULL); /* 50,000 were there: in debt from now on */
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 429, "\"error\"");
}

static void connections_of_an_address(void **state)
{
    struct running *r = *state;
    inf_serve_options options = limited();
    options.address_connections = 8;
    start_with(r, &options);
    connection more[20];
    int served = 0;
    check_answer(http_ask(&r->c, "GET", "/", NULL, NULL, 0), 200, NULL);
    for (int i = 0; i < 20; i++) {
        more[i] = http_open(r->port);
        served += http_ask(&more[i], "GET", "/", NULL, NULL, 0).status == 200;
    }
    assert_int_equal(served, 7);
    for (int i = 0; i < 20; i++)
        http_close(&more[i]);
    pause_ms(200);
    connection again = http_open(r->port);
    check_answer(http_ask(&again, "GET", "/", NULL, NULL, 0), 200, NULL);
    http_close(&again);
}

/* ---- slowly ---- */

/* Sends a byte every 50 ms until the connection is closed; how long that took. */
static uint64_t drip(int port, const char *begin, const char *byte)
{
    connection c = http_open(port);
    uint64_t start = now_ms();
    char buffer[512];
    assert_int_equal(http_send(&c, begin, strlen(begin)), 0);
    while (now_ms() - start < 20000) {
        pause_ms(50);
        ssize_t n = recv(c.fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0 || http_send(&c, byte, strlen(byte)) < 0)
            break;
    }
    http_close(&c);
    return now_ms() - start;
}

static void dripping_requests_are_closed(void **state)
{
    struct running *r = *state;
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.request_s = 2;
    start_with(r, &options);
    assert_in_range(drip(r->port, "GET / HTTP/1.1\r\n", "X"), 1900, 10000);
    assert_in_range(drip(r->port, "", "G"), 1900, 10000);
    char body[600];
    snprintf(body, sizeof body,
             "POST " POST_PATH " HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 100000\r\n\r\n{");
    assert_in_range(drip(r->port, body, " "), 1900, 10000);
    /* An idle connection that was used is no slow one, and a large body that flows is none either. */
    http_close(&r->c);
    r->c = http_open(r->port);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    pause_ms(2500);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    int n = snprintf(body, sizeof body,
                     "POST " POST_PATH " HTTP/1.1\r\nHost: localhost\r\n" JSON
                     "Content-Length: 200014\r\n\r\n{\"name\":\"n\"");
    assert_int_equal(http_send(&r->c, body, (size_t)n), 0);
    static char blanks[20000];
    memset(blanks, ' ', sizeof blanks);
    for (int i = 0; i < 10; i++) {
        pause_ms(300); /* 66 KiB a second, for three seconds */
        assert_int_equal(http_send(&r->c, blanks, sizeof blanks), 0);
    }
    assert_int_equal(http_send(&r->c, "  }", 3), 0);
    check_answer(http_answer(&r->c), 201, NULL);
}

static long resident_kib(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

enum { SLOW = 1000 };

static void a_thousand_slow_connections(void **state)
{
    struct running *r = *state;
    static connection slow[SLOW];
    start_with(r, NULL);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    long before = resident_kib();
    for (int i = 0; i < SLOW; i++) {
        const char *part = i % 2 ? "GET / HTTP/1.1\r\nX-Slow: "
                                 : "POST " POST_PATH " HTTP/1.1\r\nHost: localhost\r\n" JSON
                                   "Content-Length: 1000000\r\n\r\n{\"name\":";
        slow[i] = http_open(r->port);
        assert_int_equal(http_send(&slow[i], part, strlen(part)), 0);
    }
    uint64_t worst = 0;
    for (int i = 0; i < 50; i++) {
        uint64_t start = now_ms();
        for (int j = i; j < SLOW; j += 50)
            (void)http_send(&slow[j], "x", 1);
        connection c = http_open(r->port);
        check_answer(http_ask(&c, "GET", "/api/v1/traces", r->bearer, NULL, 0), 200, NULL);
        http_close(&c);
        check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
        uint64_t took = now_ms() - start;
        worst = took > worst ? took : worst;
    }
    assert_in_range(worst, 0, 3000);
    assert_in_range(resident_kib() - before, 0, 128 * 1024);
    for (int i = 0; i < SLOW; i++)
        http_close(&slow[i]);
}

/* All connections that there may be are taken by those who send nothing: they make room. */
static void slow_connections_make_room(void **state)
{
    struct running *r = *state;
    connection slow[64];
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.connections = 40;
    options.request_s = 30;
    start_with(r, &options);
    http_close(&r->c);
    for (int i = 0; i < 64; i++) {
        slow[i] = http_open(r->port);
        assert_int_equal(http_send(&slow[i], "G", 1), 0);
    }
    uint64_t start = now_ms();
    answer a = {0};
    while (a.status != 200 && now_ms() - start < 25000) {
        r->c = http_open(r->port);
        a = http_ask(&r->c, "GET", "/", NULL, NULL, 0);
        if (a.status != 200)
            http_close(&r->c);
    }
    assert_int_equal(a.status, 200);
    assert_in_range(now_ms() - start, 0, 25000); /* and not only after request_s */
    for (int i = 0; i < 64; i++)
        http_close(&slow[i]);
}

/* ---- guessing ---- */

struct flood {
    int port;
    atomic_bool stop;
    atomic_int tried, refused, too_often, others;
};

static void *guess(void *context)
{
    struct flood *f = context;
    connection c = http_open(f->port);
    for (unsigned i = 0; !atomic_load(&f->stop); i++) {
        char headers[300];
        snprintf(headers, sizeof headers, "x-agent-id: " AGENT "\r\nx-agent-key: guess-%p-%u\r\n", (void *)&headers, i);
        answer a = http_ask(&c, "POST", POST_PATH, headers, "{}", 2);
        atomic_fetch_add(&f->tried, 1);
        atomic_fetch_add(a.status == 401 ? &f->refused : a.status == 429 ? &f->too_often : &f->others, 1);
    }
    http_close(&c);
    return NULL;
}

static void a_flood_of_wrong_keys_slows_nobody(void **state)
{
    struct running *r = *state;
    struct flood flood = {0};
    pthread_t threads[4];
    start_with(r, NULL);
    flood.port = r->port;
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &flood), 0);
    pause_ms(500);
    uint64_t worst = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t start = now_ms();
        check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
        if (i % 10 == 0)
            check_answer(get(r, "/api/v1/traces?limit=1"), 200, NULL);
        uint64_t took = now_ms() - start;
        worst = took > worst ? took : worst;
    }
    assert_in_range(worst, 0, 1500);
    /* A right key that was never seen before is found right meanwhile. */
    answer a = http_ask(&r->c, "POST", "/api/v1/agents/" OTHER_AGENT "/trace",
                        "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n", "{\"name\":\"n\"}", 12);
    check_answer(a, 201, NULL);
    atomic_store(&flood.stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&flood.others), 0);
    assert_true(atomic_load(&flood.too_often) > 100);
    assert_in_range(atomic_load(&flood.refused), 5, 60); /* of those, each cost a hash */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, bare, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(requests_of_an_address),
        TEST(requests_and_bytes_of_an_agent),
        TEST(connections_of_an_address),
        TEST(dripping_requests_are_closed),
        TEST(a_thousand_slow_connections),
        TEST(slow_connections_make_room),
        TEST(a_flood_of_wrong_keys_slows_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

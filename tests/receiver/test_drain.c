/* Storing gives way to taking where processors are scarce, and to nobody else: not to readers, not to viewers, not at
 * the end, and not when nothing comes. How scarce they are the kernel says; here a table in its place. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/os.h"
#include "receiver/running.h"

static struct inf_os real;
static atomic_int schedule_fd = -1;
static atomic_bool scarce;
static _Atomic uint64_t waited;

static int open_seen(const char *path, int flags, mode_t mode)
{
    int fd = real.open(path, flags, mode);
    if (strcmp(path, "/proc/thread-self/schedstat") == 0)
        atomic_store(&schedule_fd, fd);
    return fd;
}

/* Whenever the drain looks, it has waited for a processor another ten seconds. */
static ssize_t pread_scarce(int fd, void *data, size_t length, off_t at)
{
    if (fd < 0 || fd != atomic_load(&schedule_fd))
        return real.pread(fd, data, length, at);
    uint64_t now = atomic_load(&scarce) ? atomic_fetch_add(&waited, 10000000000u) : atomic_load(&waited);
    int n = snprintf(data, length, "1 %llu 1\n", (unsigned long long)now);
    return n < (int)length ? n : -1;
}

static int begin(void **state)
{
    real = inf_os;
    inf_os.open = open_seen;
    inf_os.pread = pread_scarce;
    atomic_store(&scarce, true);
    return set_up(state);
}

static int finish(void **state)
{
    int rc = tear_down(state);
    inf_os = real;
    atomic_store(&schedule_fd, -1);
    return rc;
}

/* A trace that takes some milliseconds to store. To be freed. */
static char *large_trace(void)
{
    enum { SIZE = 500 * 1000 };
    char *body = malloc(SIZE + 1);
    assert_non_null(body);
    int n = snprintf(body, SIZE, "{\"name\":\"n\",\"input_summary\":\"");
    for (int i = n; i < SIZE - 2; i++)
        body[i] = i % 7 == 6 ? ' ' : (char)('a' + (i * 31 + i / 7) % 26);
    memcpy(body + SIZE - 2, "\"}", 3);
    return body;
}

static double transactions(struct running *r)
{
    static const char name[] = "infinium_store_transaction_seconds_count ";
    answer a = get(r, "/metrics");
    const char *at = strstr(a.body, name);
    assert_non_null(at);
    return strtod(at + sizeof name - 1, NULL);
}

/* For some seconds; how many transactions there were. */
static double transactions_under_load(struct running *r, const char *body, int ms)
{
    double before = transactions(r);
    for (uint64_t until = inf_mono_ns() + (uint64_t)ms * 1000000; inf_mono_ns() < until; pause_ms(10))
        check_answer(post(r, JSON, body), 201, NULL);
    return transactions(r) - before;
}

static void rests_where_processors_are_scarce(void **state)
{
    struct running *r = *state;
    char *body = large_trace();
    double rested = transactions_under_load(r, body, 3000);
    assert_in_range((long)rested, 1, 15);
    check_answer(get(r, "/api/v1/traces?limit=1"), 200, "\"name\":\"n\""); /* a reader ends the rest */
    atomic_store(&scarce, false);
    (void)transactions_under_load(r, body, 200);
    double busy = transactions_under_load(r, body, 3000);
    if (busy < 2 * rested)
        fail_msg("%g transactions in 3 s while processors are scarce, %g otherwise", rested, busy);
    free(body);
}

/* Who has the page open sees traces as they come, not after one rest each. */
static void a_page_that_is_open_ends_the_rests(void **state)
{
    struct running *r = *state;
    char *body = large_trace(), head[512];
    double rested = transactions_under_load(r, body, 3000);
    assert_in_range((long)rested, 1, 15);
    connection c = http_open(r->port);
    int n = snprintf(head, sizeof head, "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", r->bearer);
    assert_int_equal(http_send(&c, head, (size_t)n), 0);
    while (!c.length || !strstr(c.data, ": hello"))
        assert_true(http_more(&c));
    (void)transactions_under_load(r, body, 200);
    double viewed = transactions_under_load(r, body, 3000);
    if (viewed < 2 * rested)
        fail_msg("%g transactions in 3 s while somebody looks, %g otherwise", viewed, rested);
    http_close(&c);
    free(body);
}

/* In a short journal much can come during one rest: it ends when half of the journal is in use. */
static void a_rest_ends_before_the_journal_is_full(void **state)
{
    struct running *r = *state;
    char *body = large_trace();
    int refused = 0, taken = 0;
    stop(r);
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.journal_max_bytes = 32 << 20;
    start_with(r, &options);
    for (uint64_t until = inf_mono_ns() + 4000000000u; inf_mono_ns() < until; pause_ms(15)) {
        int status = post(r, JSON, body).status;
        assert_true(status == 201 || status == 429);
        taken += status == 201;
        refused += status == 429;
    }
    if (refused > taken / 20) /* a few, where storing itself is that slow */
        fail_msg("%d taken, %d refused", taken, refused);
    free(body);
}

/* A reader gets everything that was acknowledged before its question, however long a rest would be. */
static void readers_do_not_wait_for_a_rest(void **state)
{
    struct running *r = *state;
    char *body = large_trace();
    for (int i = 0; i < 5; i++) {
        (void)transactions_under_load(r, body, 300);
        answer a = post(r, JSON, body);
        check_answer(a, 201, NULL);
        char path[100] = "/api/v1/traces/";
        const char *id = strstr(a.body, "\"traceId\":\"");
        assert_non_null(id);
        snprintf(path + strlen(path), 37, "%s", id + 11);
        check_answer(get(r, path), 200, NULL);
    }
    free(body);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(rests_where_processors_are_scarce),
        TEST(a_page_that_is_open_ends_the_rests),
        TEST(a_rest_ends_before_the_journal_is_full),
        TEST(readers_do_not_wait_for_a_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

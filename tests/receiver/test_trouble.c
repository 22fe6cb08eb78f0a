/* Disks that fail: what cannot be made durable is not acknowledged, and all is well once they are well. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

#include "base/os.h"
#include "receiver/running.h"

static atomic_bool sync_fails;
static atomic_bool sync_hangs;
static atomic_bool space_is_out;
static struct inf_os real;

static int failing_fdatasync(int fd)
{
    while (atomic_load(&sync_hangs))
        pause_ms(1);
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return real.fdatasync(fd);
}

static int failing_fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (atomic_load(&space_is_out)) {
        errno = ENOSPC;
        return -1;
    }
    return real.fallocate(fd, mode, offset, length);
}

static int begin(void **state)
{
    real = inf_os;
    inf_os.fdatasync = failing_fdatasync;
    inf_os.fallocate = failing_fallocate;
    return set_up(state);
}

static int finish(void **state)
{
    atomic_store(&sync_fails, false);
    atomic_store(&sync_hangs, false);
    atomic_store(&space_is_out, false);
    int rc = tear_down(state);
    inf_os = real;
    return rc;
}

static void nothing_is_acknowledged_that_was_not_synced(void **state)
{
    struct running *r = *state;
    static const char body[] = "{\"name\":\"n\",\"trace_id\":\"0123456789abcdef0123456789abcdef\"}";
    atomic_store(&sync_fails, true);
    for (int i = 0; i < 3; i++) {
        answer a = post(r, JSON, body);
        check_answer(a, 503, "{\"error\":\"the journal cannot be written");
        assert_non_null(http_header(&a, "Retry-After"));
    }
    atomic_store(&sync_fails, false);
    check_answer(post(r, JSON, body), 201, NULL);
    assert_int_equal(stored(r), 1);
}

/* One trace with this id, sent on a connection of its own; the answer is not waited for. */
static connection send_trace(const struct running *r, int id)
{
    char text[1024], body[128];
    connection c = http_open(r->port);
    int length = snprintf(body, sizeof body, "{\"name\":\"n\",\"trace_id\":\"%032x\"}", (unsigned)id);
    int n = snprintf(text, sizeof text,
                     "POST " POST_PATH " HTTP/1.1\r\nHost: 127.0.0.1\r\n" JSON "Content-Length: %d\r\n\r\n%s", length,
                     body);
    assert_int_equal(http_send(&c, text, (size_t)n), 0);
    return c;
}

static bool has_answer(const connection *c, int ms)
{
    return poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, ms) > 0;
}

/* While traces wait for the disk nobody is told that they are safe, others are served, and they are not served again
 * and again: waiting costs no processor. */
static void who_waits_for_the_disk_waits_quietly(void **state)
{
    struct running *r = *state;
    enum { MANY = 40 };
    connection c[MANY];
    struct timespec before, after;
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    atomic_store(&sync_hangs, true);
    for (int i = 0; i < MANY; i++)
        c[i] = send_trace(r, i + 1);
    assert_false(has_answer(&c[0], 200));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    check_answer(get(r, "/api/v1/agents"), 200, AGENT);
    pause_ms(500);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 300);
    for (int i = 0; i < MANY; i++)
        assert_false(has_answer(&c[i], 0));
    atomic_store(&sync_hangs, false);
    for (int i = 0; i < MANY; i++) {
        check_answer(http_answer(&c[i]), 201, NULL);
        http_close(&c[i]);
    }
    assert_int_equal(stored(r), MANY + 1);
}

/* A client that goes away in the middle of a commit takes nobody with it, and its trace is kept once. */
static void a_connection_that_ends_while_its_trace_is_committed(void **state)
{
    struct running *r = *state;
    enum { MANY = 40 };
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    atomic_store(&sync_hangs, true);
    for (int i = 0; i < MANY; i++) {
        connection c = send_trace(r, i + 1);
        assert_false(has_answer(&c, 20));
        if (i % 2) /* reset, not closed in order */
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        http_close(&c);
    }
    connection last = send_trace(r, MANY + 1);
    assert_false(has_answer(&last, 100));
    atomic_store(&sync_hangs, false);
    check_answer(http_answer(&last), 201, NULL);
    http_close(&last);
    long kept = stored(r); /* what was reset before it had been read is lost, and was never acknowledged */
    assert_in_range(kept, MANY / 2 + 2, MANY + 2);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
}

/* To be freed. */
static char *large_trace(void)
{
    enum { SIZE = 1000 * 1000 };
    char *body = malloc(SIZE + 1);
    assert_non_null(body);
    int n = snprintf(body, SIZE, "{\"name\":\"large\",\"input_summary\":\"");
    memset(body + n, 'x', (size_t)(SIZE - n));
    memcpy(body + SIZE - 2, "\"}", 3);
    return body;
}

/* What cannot be synced stays in memory, some segments of it and no more. Nobody has to be let in for it to be tried
 * again. */
static void what_cannot_be_synced_is_bounded(void **state)
{
    struct running *r = *state;
    enum { MANY = 120, SEGMENT = 16, MOST = 6 * SEGMENT };
    char *body = large_trace();
    int status = 0;
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    atomic_store(&sync_fails, true);
    for (int i = 0; i < MANY; i++)
        check_answer(post(r, JSON, body), 503, "{\"error\":\"the journal cannot be written");
    check_answer(get(r, "/api/v1/traces?limit=1"), 200, "large"); /* waits for what was appended */
    assert_in_range(stored(r), 1 + 4 * SEGMENT, 1 + MOST); /* stored from memory: it does no harm */
    atomic_store(&sync_fails, false);
    for (int i = 0; i < 100 && status != 201; i++) {
        pause_ms(20);
        status = post(r, JSON, body).status;
    }
    assert_int_equal(status, 201);
    free(body);
}

static void a_full_disk_is_said_and_over_when_it_is_over(void **state)
{
    struct running *r = *state;
    char *body = large_trace();
    atomic_store(&space_is_out, true);
    int taken = 0;
    int status = 0;
    for (int i = 0; i < 100; i++) {
        answer a = post(r, JSON, body);
        status = a.status;
        if (status != 201)
            break;
        taken++;
    }
    assert_int_equal(status, 503);
    check_answer(get(r, "/api/v1/traces?limit=1"), 200, "large"); /* reading goes on */
    atomic_store(&space_is_out, false);
    for (int i = 0; i < 100 && status != 201; i++) {
        status = post(r, JSON, body).status;
        pause_ms(20);
    }
    assert_int_equal(status, 201);
    assert_int_equal(stored(r), taken + 1);
    free(body);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_acknowledged_that_was_not_synced),         TEST(who_waits_for_the_disk_waits_quietly),
        TEST(a_connection_that_ends_while_its_trace_is_committed), TEST(what_cannot_be_synced_is_bounded),
        TEST(a_full_disk_is_said_and_over_when_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

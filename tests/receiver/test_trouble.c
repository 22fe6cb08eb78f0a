/* Disks that fail: what cannot be made durable is not acknowledged, and all is well once they are well. */
#include <errno.h>
#include <stdatomic.h>

#include "base/os.h"
#include "receiver/running.h"

static atomic_bool sync_fails;
static atomic_bool space_is_out;
static struct inf_os real;

static int failing_fdatasync(int fd)
{
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

static void a_full_disk_is_said_and_over_when_it_is_over(void **state)
{
    struct running *r = *state;
    enum { SIZE = 1000 * 1000 };
    char *body = malloc(SIZE + 1);
    assert_non_null(body);
    int n = snprintf(body, SIZE, "{\"name\":\"large\",\"input_summary\":\"");
    memset(body + n, 'x', (size_t)(SIZE - n));
    memcpy(body + SIZE - 2, "\"}", 3);
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
        TEST(nothing_is_acknowledged_that_was_not_synced),
        TEST(a_full_disk_is_said_and_over_when_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

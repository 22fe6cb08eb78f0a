/* Backoff, Retry-After and the token bucket, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "send/bucket.h"
#include "send/retry.h"

#define SECOND 1000000000u

static void test_backoff_doubles_to_a_minute(void **state)
{
    (void)state;
    static const uint32_t ceilings[] = {500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    for (unsigned i = 0; i < sizeof(ceilings) / sizeof(*ceilings); i++) {
        uint32_t least = UINT32_MAX, most = 0;
        for (uint64_t r = 0; r < 200000; r++) {
            uint32_t ms = inf_retry_delay_ms(i + 1, r * 0x9e3779b97f4a7c15u);
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        assert_in_range(most, ceilings[i] * 9 / 10, ceilings[i]);
        assert_in_range(least, 1, ceilings[i] / 10);
    }
    assert_in_range(inf_retry_delay_ms(4000000000u, UINT64_MAX), 1, 60000);
    assert_int_equal(inf_retry_delay_ms(1, 499), 500);
    assert_int_equal(inf_retry_delay_ms(1, 500), 1);
}

static void test_retry_after(void **state)
{
    (void)state;
    uint64_t now = (uint64_t)784111777 * SECOND; /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"7", 7000},
        {" 12 ", 12000},
        {"3600", 3600000},
        {"99999999999999999999", 3600000},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sunday, 06-Nov-94 08:49:40 GMT", 3000},
        {"Sun Nov  6 08:50:37 1994", 60000},
        {"Sun, 06 Nov 1994 08:49:00 GMT", 0},
        {"Mon, 07 Nov 2050 08:49:00 GMT", 3600000},
        {"", -1},
        {"-1", -1},
        {"1.5", -1},
        {"5 apples", -1},
        {"soon", -1},
        {"Sun, 06 Foo 1994 08:49:47 GMT", -1},
        {"Sun, 06 Nov 1994 25:49:47 GMT", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(inf_retry_after_ms(cases[i].value, now), cases[i].ms);
}

static void test_bucket_never_gives_more_than_it_may(void **state)
{
    (void)state;
    inf_bucket b;
    uint64_t start = 5 * (uint64_t)SECOND, now = start, taken = 0;
    inf_bucket_init(&b, 10, now);
    /* A caller that always comes exactly when it is told to. */
    while (now < start + 10 * (uint64_t)SECOND) {
        uint64_t wait = inf_bucket_take(&b, now);
        if (wait == 0)
            taken++;
        now += wait;
        assert_true((double)taken <= 20 + 10 * (double)(now - start) / SECOND + 1e-6);
    }
    assert_in_range(taken, 119, 120);
    /* Idle time refills it to the burst and no further. */
    now += 1000 * (uint64_t)SECOND;
    for (int i = 0; i < 20; i++)
        assert_int_equal(inf_bucket_take(&b, now), 0);
    assert_in_range(inf_bucket_take(&b, now), SECOND / 10 - 10, SECOND / 10 + 10);
    /* A clock that stands still or goes back gives nothing. */
    assert_true(inf_bucket_take(&b, now - SECOND) > 0);
}

static void test_bucket_without_limit(void **state)
{
    (void)state;
    inf_bucket b;
    inf_bucket_init(&b, -1, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(inf_bucket_take(&b, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_doubles_to_a_minute),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_bucket_never_gives_more_than_it_may),
        cmocka_unit_test(test_bucket_without_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Misprints are recognised, other words are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static void guesses_misprints_only(void **state)
{
    (void)state;
    const char *const words[] = {"serve", "agent", "ls", "show", "tail"};
    assert_string_equal(inf_nearest("sevre", words, 5), "serve");
    assert_string_equal(inf_nearest("agents", words, 5), "agent");
    assert_string_equal(inf_nearest("shwo", words, 5), "show");
    assert_null(inf_nearest("frobnicate", words, 5));
    assert_null(inf_nearest("", words, 5));
    assert_null(inf_nearest("a-word-that-is-longer-than-any-command", words, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guesses_misprints_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

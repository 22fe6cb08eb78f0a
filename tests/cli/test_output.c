/* What people read: durations, and text that cannot do anything to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"
#include "output.h"

static void durations_have_a_fitting_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 us"},
        {1500, "2 us"},
        {12345678, "12.3 ms"},
        {123456789, "123 ms"},
        {1240000000, "1.24 s"},
        {UINT64_C(123000000000), "2 m 03 s"},
        {UINT64_C(3840000000000), "1 h 04 m"},
    };
    for (size_t i = 0; i < CLI_COUNT(cases); i++) {
        char text[CLI_DURATION_SIZE];
        cli_duration(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void check_text(const char *text, size_t width, bool one_line, const char *wanted)
{
    char *written = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&written, &length);
    assert_non_null(file);
    cli_text(file, text, width, one_line);
    fclose(file);
    assert_string_equal(written, wanted);
    free(written);
}

static void control_characters_do_not_pass(void **state)
{
    (void)state;
    check_text("a\033[31mb", 0, true, "a.[31mb");
    check_text("bell\a del\x7f c1\xc2\x9b"
               "31m",
               0, true, "bell. del. c1.31m");
    check_text("not\xff"
               "utf8",
               0, true, "not.utf8");
    check_text("two\nlines\tand a tab\r", 0, true, "two lines and a tab.");
    check_text("two\nlines", 0, false, "two\nlines");
    check_text("gr\xc3\xbc\xc3\x9f", 0, true, "gr\xc3\xbc\xc3\x9f");
}

static void long_text_is_cut_between_code_points(void **state)
{
    (void)state;
    check_text("abcdef", 6, true, "abcdef");
    check_text("abcdefg", 6, true, "abcde\xe2\x80\xa6");
    check_text("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", 3, true, "\xc3\xbc\xc3\xbc\xe2\x80\xa6");
}

static void colour_is_for_terminals(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_false(cli_colour(file));
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_a_fitting_unit),
        cmocka_unit_test(control_characters_do_not_pass),
        cmocka_unit_test(long_text_is_cut_between_code_points),
        cmocka_unit_test(colour_is_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The demo's list of expected traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "expected.h"
#include "model/record.h"

static int read_text(cli_expected *e, const char *text)
{
    char path[] = "/tmp/infinium-expected-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int code = cli_expected_read(e, path);
    unlink(path);
    return code;
}

static void ticks_off_name_status_and_count(void **state)
{
    (void)state;
    cli_expected e;
    assert_int_equal(read_text(&e, "# a comment\n\n2 ok    Email Classifier\n1 error Risky Operation\r\n"), -1);
    assert_int_equal(e.count, 2);
    cli_expected_see(&e, INF_STATUS_OK, "Email Classifier");
    cli_expected_see(&e, INF_STATUS_ERROR, "Email Classifier"); /* another status does not count */
    cli_expected_see(&e, INF_STATUS_ERROR, "Risky Operation");
    assert_false(cli_expected_complete(&e));
    assert_int_equal(cli_expected_report(&e), 1);
    cli_expected_see(&e, INF_STATUS_OK, "Email Classifier");
    assert_true(cli_expected_complete(&e));
    assert_int_equal(cli_expected_report(&e), 0);
}

static void refuses_lines_it_does_not_understand(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ok 1 Name\n",  "1 fine Name\n", "1 ok\n",     "0 ok Name\n",
                                        "-1 ok Name\n", "1x ok Name\n",  "1 ok     \n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cli_expected e;
        assert_int_equal(read_text(&e, wrong[i]), 1);
    }
    cli_expected e;
    assert_int_equal(cli_expected_read(&e, "/nonexistent/expected.txt"), 1);
}

static void has_a_bound(void **state)
{
    (void)state;
    cli_expected e = {.count = 0};
    for (int i = 0; i < CLI_EXPECTED_MAX; i++)
        assert_true(cli_expected_add(&e, 1, INF_STATUS_OK, "x"));
    assert_false(cli_expected_add(&e, 1, INF_STATUS_OK, "x"));
    char name[CLI_EXPECTED_NAME + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    e.count = 0;
    assert_false(cli_expected_add(&e, 1, INF_STATUS_OK, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_off_name_status_and_count),
        cmocka_unit_test(refuses_lines_it_does_not_understand),
        cmocka_unit_test(has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

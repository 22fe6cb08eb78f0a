/* The command line's options: what is taken, what is refused, what is guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "options.h"

typedef struct values {
    const char *data;
    int64_t limit;
    bool json;
} values;

#define MAX_WORDS 12

/* Parses `words` (NULL-terminated, without the command's name) as the options of a made-up command. */
static int parse(values *v, cli_arguments *arguments, bool takes_rest, const char *const *words)
{
    const cli_option options[] = {
        {"--data", CLI_TEXT, &v->data, "DIR", "where", "INFINIUM_TEST_DATA"},
        {"--limit", CLI_INT, &v->limit, "N", "how many", NULL},
        {"--json", CLI_FLAG, &v->json, NULL, "for scripts", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium test",
        .arguments = "ID",
        .about = "A test.",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = takes_rest ? 0 : 1,
        .most = 1,
        .takes_rest = takes_rest,
    };
    static char *argv[MAX_WORDS + 2];
    int argc = 0;
    argv[argc++] = "test";
    for (; *words && argc <= MAX_WORDS; words++)
        argv[argc++] = (char *)*words;
    argv[argc] = NULL;
    return cli_parse(&syntax, argc, argv, arguments);
}

#define WORDS(...)                                                                                                     \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

static void takes_options_in_both_forms_and_any_order(void **state)
{
    (void)state;
    values v = {0};
    cli_arguments a;
    assert_int_equal(parse(&v, &a, false, WORDS("--limit=5", "abc", "--data", "d", "--json")), -1);
    assert_int_equal(v.limit, 5);
    assert_string_equal(v.data, "d");
    assert_true(v.json);
    assert_int_equal(a.count, 1);
    assert_string_equal(a.values[0], "abc");
}

static void leaves_what_is_not_given(void **state)
{
    (void)state;
    values v = {.limit = 7};
    cli_arguments a;
    assert_int_equal(parse(&v, &a, false, WORDS("x")), -1);
    assert_int_equal(v.limit, 7);
    assert_null(v.data);
    assert_false(v.json);
    assert_null(a.rest);
}

static void environment_yields_to_an_option(void **state)
{
    (void)state;
    values v = {0};
    cli_arguments a;
    setenv("INFINIUM_TEST_DATA", "from-environment", 1);
    assert_int_equal(parse(&v, &a, false, WORDS("x")), -1);
    assert_string_equal(v.data, "from-environment");
    assert_int_equal(parse(&v, &a, false, WORDS("x", "--data", "from-option")), -1);
    assert_string_equal(v.data, "from-option");
    setenv("INFINIUM_TEST_DATA", "", 1);
    v.data = NULL;
    assert_int_equal(parse(&v, &a, false, WORDS("x")), -1);
    assert_null(v.data);
    unsetenv("INFINIUM_TEST_DATA");
}

static void refuses_wrong_usage(void **state)
{
    (void)state;
    values v;
    cli_arguments a;
    const char *const *const wrong[] = {
        WORDS("--jsno", "x"),      WORDS("x", "y"),
        WORDS("--data"),           WORDS("--limit", "many", "x"),
        WORDS("--limit=-1", "x"),  WORDS("--json=yes", "x"),
        WORDS("--limit=", "x"),    WORDS("-j", "x"),
        WORDS("--limit=1e3", "x"), WORDS("--limit=99999999999999999999", "x"),
        WORDS("--json"), /* ID is missing */
    };
    for (size_t i = 0; i < CLI_COUNT(wrong); i++) {
        v = (values){0};
        assert_int_equal(parse(&v, &a, false, wrong[i]), CLI_WRONG_USAGE);
    }
}

static void help_wins_over_everything(void **state)
{
    (void)state;
    values v = {0};
    cli_arguments a;
    assert_int_equal(parse(&v, &a, false, WORDS("--nonsense", "--help")), CLI_DONE);
    /* but not what belongs to another command */
    assert_int_equal(parse(&v, &a, true, WORDS("--", "python", "--help")), -1);
    assert_string_equal(a.rest[1], "--help");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    values v = {0};
    cli_arguments a;
    assert_int_equal(parse(&v, &a, false, WORDS("--", "--json")), -1);
    assert_string_equal(a.values[0], "--json");
    assert_false(v.json);
    assert_int_equal(parse(&v, &a, true, WORDS("--json", "--", "ls", "-l")), -1);
    assert_true(v.json);
    assert_string_equal(a.rest[0], "ls");
    assert_string_equal(a.rest[1], "-l");
    assert_null(a.rest[2]);
    assert_int_equal(parse(&v, &a, true, WORDS("--")), -1);
    assert_null(a.rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_options_in_both_forms_and_any_order),
        cmocka_unit_test(leaves_what_is_not_given),
        cmocka_unit_test(environment_yields_to_an_option),
        cmocka_unit_test(refuses_wrong_usage),
        cmocka_unit_test(help_wins_over_everything),
        cmocka_unit_test(two_dashes_end_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

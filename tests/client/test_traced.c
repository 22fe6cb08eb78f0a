/* INF_TRACED: what a decorated C function records, seen from inside its own trace. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/trace.h"
#include "infinium.h"
#include "model/fields.h"

static inf_client *client;
static char seen[16384];

/* The text of the current trace's field `tag`, or "(none)". */
static const char *field(const inf_trace *t, uint8_t tag)
{
    inf_field_iterator r = inf_fields(t->fields, t->head.fields_length);
    inf_field f;
    while (inf_field_next(&r, &f)) {
        if (f.tag == tag) {
            assert_true(f.length < sizeof(seen));
            memcpy(seen, f.data, f.length);
            seen[f.length] = '\0';
            return seen;
        }
    }
    return "(none)";
}

typedef struct pair {
    int a, b;
} pair;

INF_TRACED(client, "Email Classifier", const char *, classify_email, (const char *, body), (int, limit))
{
    assert_string_equal(field(inf_current(), INF_TAG_NAME), "Email Classifier");
    assert_string_equal(field(inf_current(), INF_TAG_FUNCTION), "classify_email");
    assert_string_equal(field(inf_current(), INF_TAG_INPUT),
                        "{\"body\": \"I was \\\"charged\\\"\\n twice\", \"limit\": -3}");
    return limit < 0 ? body : NULL;
}

static INF_TRACED(client, "eight", double, eight, (char, a), (double, b), (pair, c), (void *, d), (unsigned long, e),
                  (const int, f), (_Bool, g), (const char *, h))
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    assert_string_equal(
        field(inf_current(), INF_TAG_INPUT),
        "{\"a\": \"c\", \"b\": 0.5, \"c\": \"<8 bytes>\", \"d\": \"0x10\", \"e\": 18446744073709551615, "
        "\"f\": 7, \"g\": true, \"h\": null}");
    return b * 3;
}

INF_TRACED(client, "none", int, no_parameters)
{
    assert_string_equal(field(inf_current(), INF_TAG_INPUT), "{}");
    return 3;
}

INF_TRACED_VOID(client, "void", no_result, (const char *, text))
{
    const char *input = field(inf_current(), INF_TAG_INPUT);
    size_t length = strlen(input);
    assert_true(length <= 3000);
    assert_true(strlen(text) < 3000 || strcmp(input + length - 3, "...") == 0);
    inf_error("ValueError", "bad %s", "text");
}

INF_TRACED(NULL, "untraced", int, untraced, (int, x))
{
    assert_null(inf_current());
    return x + 1;
}

typedef int four[4];

INF_TRACED(client, "array", float, first_of, (four, numbers), (float, tenth))
{
    assert_non_null(strstr(field(inf_current(), INF_TAG_INPUT), "\"tenth\": 0.1}"));
    assert_non_null(strstr(field(inf_current(), INF_TAG_INPUT), "{\"numbers\": \"0x"));
    return (float)numbers[0] + tenth;
}

static void values_pass_through(void **state)
{
    (void)state;
    const char *body = "I was \"charged\"\n twice";
    assert_ptr_equal(classify_email(body, -3), body);
    assert_true(eight('c', 0.5, (pair){1, 2}, (void *)16, UINT64_MAX, 7, true, NULL) == 1.5);
    assert_int_equal(no_parameters(), 3);
    assert_int_equal(untraced(1), 2);
    assert_true(first_of((four){3}, 0.1f) == 3 + 0.1f);
    assert_null(inf_current());
}

static void long_and_invalid_text_is_cut_and_replaced(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof(text) - 1);
    no_result(text);
    memset(text, 0xff, sizeof(text) - 1);
    no_result(text);
    no_result("\xc3\xa9\xff ok");
    inf_counts counts;
    inf_stats(client, &counts);
    assert_int_equal(counts.open, 0);
}

static void results_are_json(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{1.5, "1.5"}, {-0.0, "-0"}, {1e300 * 1e300, "\"inf\""},
                 {100, "100"}, {0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct inf_traced_ call;
        inf_traced_begin_(&call, client, "n", "f");
        inf_traced_run_(&call);
        inf_traced_result_(&call, INF_KIND_FLOATING_, &cases[i].value, sizeof(double));
        assert_string_equal(field(inf_current(), INF_TAG_OUTPUT), cases[i].text);
        inf_traced_end_(&call);
    }
    struct inf_traced_ call;
    inf_traced_begin_(&call, client, "n", "f");
    inf_traced_run_(&call);
    const long double large = LDBL_MAX; /* beyond what a double holds */
    inf_traced_result_(&call, INF_KIND_FLOATING_, &large, sizeof(large));
    assert_true(strtold(field(inf_current(), INF_TAG_OUTPUT), NULL) == large);
    inf_traced_end_(&call);
    inf_traced_begin_(&call, client, "n", "f");
    inf_traced_run_(&call);
    const char *text = "na\xc3\xafve \x01 \xff";
    inf_traced_result_(&call, INF_KIND_STRING_, &text, sizeof(text));
    assert_string_equal(field(inf_current(), INF_TAG_OUTPUT), "\"na\xc3\xafve \\u0001 \xef\xbf\xbd\"");
    inf_traced_end_(&call);
}

int main(void)
{
    inf_options options = INF_OPTIONS_INIT;
    options.agent_id = "00000000-0000-4000-8000-000000000001";
    options.agent_secret = "secret-of-the-test";
    options.base_url = "http://127.0.0.1:9/api/v1";
    options.journal_memory = 1;
    if (inf_open(&client, &options) != INF_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_pass_through),
        cmocka_unit_test(long_and_invalid_text_is_cut_and_replaced),
        cmocka_unit_test(results_are_json),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inf_close(client, 0);
    return failed;
}

#include "check.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_number.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "infinium.h"

static void test_write_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"plain text of more than eight bytes", "\"plain text of more than eight bytes\""},
        {"say \"hi\" \\ there", "\"say \\\"hi\\\" \\\\ there\""},
        {"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80", "\"h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"bad \xff byte", "\"bad \xef\xbf\xbd byte\""},
        {"cut \xe2\x82", "\"cut \xef\xbf\xbd\""},
        {"surrogate \xed\xa0\x80.", "\"surrogate \xef\xbf\xbd.\""},
        {"</script>!#[]^", "\"</script>!#[]^\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        inf_buf b;
        inf_buf_init(&b, 1000);
        inf_json_writer w = inf_json_writer_on(&b);
        inf_json_put_text(&w, cases[i].text);
        assert_string_equal(inf_buf_text(&b), cases[i].json);
        inf_buf_free(&b);
    }
}

static void test_write_every_byte_reads_back(void **state)
{
    (void)state;
    char text[600];
    inf_json *parser = inf_json_new();
    assert_non_null(parser);
    for (int c = 0; c < 0x80; c++) {
        for (size_t length = 1; length < 20; length++) {
            memset(text, 'x', length);
            text[length / 2] = (char)c;
            inf_buf b;
            inf_buf_init(&b, 1000);
            inf_json_writer w = inf_json_writer_on(&b);
            inf_json_put_string(&w, text, length);
            inf_json_value v;
            assert_int_equal(inf_json_parse(parser, b.data, b.length, 0, &v), 0);
            const char *back;
            size_t n;
            assert_true(inf_json_as_string(v, &back, &n));
            assert_int_equal(n, length);
            assert_memory_equal(back, text, n);
            inf_buf_free(&b);
        }
    }
    inf_json_free(parser);
}

static void test_write_structure(void **state)
{
    (void)state;
    inf_buf b;
    inf_buf_init(&b, 1000);
    inf_json_writer w = inf_json_writer_on(&b);
    inf_json_begin_object(&w);
    inf_json_key(&w, "empty");
    inf_json_begin_array(&w);
    inf_json_end_array(&w);
    inf_json_key(&w, "list");
    inf_json_begin_array(&w);
    inf_json_put_i64(&w, INT64_MIN);
    inf_json_put_u64(&w, UINT64_MAX);
    inf_json_put_bool(&w, true);
    inf_json_put_bool(&w, false);
    inf_json_put_null(&w);
    inf_json_put_text(&w, NULL);
    inf_json_begin_object(&w);
    inf_json_end_object(&w);
    inf_json_put_raw(&w, "[1]", 3);
    inf_json_end_array(&w);
    inf_json_key_n(&w, "k\"", 2);
    inf_json_put_fixed(&w, 1.23456, 3);
    inf_json_end_object(&w);
    assert_int_equal(b.error, 0);
    assert_string_equal(inf_buf_text(&b),
                        "{\"empty\":[],\"list\":[-9223372036854775808,18446744073709551615,true,false,"
                        "null,null,{},[1]],\"k\\\"\":1.235}");
    inf_buf_free(&b);
}

static void check_doubles(void)
{
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {1e300, "1e+300"},
        {5e-324, "4.94065645841247e-324"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {-2.5, "-2.5"},
        {123456789012.5, "123456789012.5"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        inf_buf b;
        inf_buf_init(&b, 100);
        inf_json_writer w = inf_json_writer_on(&b);
        inf_json_put_double(&w, cases[i].value);
        assert_string_equal(inf_buf_text(&b), cases[i].json);
        inf_buf_free(&b);
    }
}

static void test_thousandths_as_doubles(void **state)
{
    static const uint64_t cases[] = {0,
                                     1,
                                     10,
                                     12,
                                     100,
                                     120,
                                     999,
                                     1000,
                                     1001,
                                     1500,
                                     123456,
                                     1700000000123,
                                     999999999999999,
                                     1000000000000000,
                                     18446744073709551615u};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        inf_buf a, b;
        inf_buf_init(&a, 100);
        inf_buf_init(&b, 100);
        inf_json_writer w = inf_json_writer_on(&a);
        inf_json_put_thousandths(&w, cases[i]);
        w = inf_json_writer_on(&b);
        inf_json_put_double(&w, (double)cases[i] / 1000.0);
        assert_string_equal(inf_buf_text(&a), inf_buf_text(&b));
        inf_buf_free(&a);
        inf_buf_free(&b);
    }
}

static void test_numbers_that_are_too_large(void **state)
{
    static const struct {
        const char *text;
        bool fits;
    } cases[] = {
        {"0", true},
        {"18446744073709551615", true},
        {"18446744073709551616", false},
        {"-9223372036854775808", true},
        {"-9223372036854775809", false},
        {"100000000000000000000000", false},
        {"1.7976931348623157e308", true},
        {"1.7976931348623159e+308", false},
        {"-17976931348623157e292", true},
        {"0.0001e312", true},
        {"1e309", false},
        {"-1E999999999999999", false},
        {"1e-999999999999999", true},
        {"0.0e999", true},
        {"100000000000000000000000.0", true},
    };
    (void)state;
    inf_json *parser = inf_json_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[128];
        inf_json_value root, value;
        assert_int_equal(inf_json_number_fits(cases[i].text, strlen(cases[i].text)), cases[i].fits);
        snprintf(text, sizeof(text), "{\"a 1e999 \\\"\":[%s , 1],\"b\":%s}", cases[i].text, cases[i].text);
        assert_int_equal(inf_json_parse(parser, text, strlen(text), 0, &root), 0);
        assert_true(inf_json_get(root, "b", &value));
        const char *read;
        size_t length;
        assert_int_equal(inf_json_as_string(value, &read, &length), !cases[i].fits);
        if (!cases[i].fits)
            assert_string_equal(read, cases[i].text);
    }
    inf_json_value root;
    assert_int_equal(inf_json_parse(parser, "[1e999, 01]", 11, 0, &root), INF_EBADMSG);
    assert_int_equal(inf_json_parse(parser, "[1e99", 5, 0, &root), INF_EBADMSG);
    inf_json_free(parser);
}

static void test_write_doubles(void **state)
{
    (void)state;
    check_doubles();
    /* A locale with a decimal comma must not show; not every machine has one. */
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") || setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
        check_doubles();
    setlocale(LC_NUMERIC, "C");
}

static void test_write_into_a_full_buffer(void **state)
{
    (void)state;
    inf_buf b;
    inf_buf_init(&b, 10);
    inf_json_writer w = inf_json_writer_on(&b);
    inf_json_begin_array(&w);
    inf_json_put_text(&w, "a rather long text");
    inf_json_end_array(&w);
    assert_int_equal(b.error, INF_E2BIG);
    assert_true(b.length <= 10);
    inf_buf_free(&b);
}

static void test_read(void **state)
{
    (void)state;
    static const char text[] = "{\"s\":\"a\\u0000\\u00e9\",\"i\":-5,\"u\":18446744073709551615,\"d\":2.5,\"whole\":3.0,"
                               "\"t\":true,\"n\":null,\"list\":[1,\"x\",[]],\"o\":{\"k\":\"v\",\"k\":\"w\"}}";
    inf_json *parser = inf_json_new();
    assert_non_null(parser);
    inf_json_value root, v;
    assert_int_equal(inf_json_parse(parser, text, sizeof(text) - 1, 0, &root), 0);
    assert_int_equal(inf_json_type(root), INF_JSON_OBJECT);
    assert_int_equal(inf_json_size(root), 9);
    const char *s;
    size_t n;
    assert_true(inf_json_get_string(root, "s", &s, &n));
    assert_int_equal(n, 4);
    assert_memory_equal(s, "a\0\xc3\xa9", 5);
    int64_t i = 0;
    assert_true(inf_json_get_i64(root, "i", &i));
    assert_int_equal(i, -5);
    assert_true(inf_json_get_i64(root, "whole", &i));
    assert_int_equal(i, 3);
    assert_false(inf_json_get_i64(root, "u", &i));
    assert_false(inf_json_get_i64(root, "d", &i));
    assert_false(inf_json_get_i64(root, "s", &i));
    assert_false(inf_json_get_i64(root, "missing", &i));
    double d = 0;
    assert_true(inf_json_get_double(root, "d", &d));
    assert_true(d == 2.5);
    assert_true(inf_json_get_double(root, "i", &d));
    assert_true(d == -5);
    bool t = false;
    assert_true(inf_json_get_bool(root, "t", &t));
    assert_true(t);
    assert_true(inf_json_get(root, "n", &v));
    assert_int_equal(inf_json_type(v), INF_JSON_NULL);
    assert_true(inf_json_get(root, "u", &v));
    assert_int_equal(inf_json_type(v), INF_JSON_UINT);
    assert_true(inf_json_get(root, "o", &v));
    assert_true(inf_json_get_string(v, "k", &s, &n));
    assert_string_equal(s, "v");
    assert_false(inf_json_get(v, "x", &v));
    assert_true(inf_json_get(root, "list", &v));
    assert_int_equal(inf_json_size(v), 3);
    assert_false(inf_json_get(v, "k", &v));
    inf_json_free(parser);
}

static void test_iterate(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,2,3],\"b\":{},\"c\":7}";
    inf_json *parser = inf_json_new();
    inf_json_value root;
    assert_int_equal(inf_json_parse(parser, text, sizeof(text) - 1, 0, &root), 0);
    inf_json_iterator i = inf_json_iterate(root);
    char keys[8] = "";
    int64_t sum = 0;
    while (inf_json_next(&i)) {
        strncat(keys, i.key, i.key_length);
        inf_json_iterator k = inf_json_iterate(i.value);
        while (inf_json_next(&k)) {
            int64_t n;
            assert_true(inf_json_as_i64(k.value, &n));
            sum += n;
        }
        assert_false(inf_json_next(&k));
    }
    assert_string_equal(keys, "abc");
    assert_int_equal(sum, 6);
    inf_json_free(parser);
}

static void test_rewrite(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {" { \"a\" : [ 1 , 2.50 , true , null , \"x\\u00e9\\n\" ] } ", "{\"a\":[1,2.5,true,null,\"x\xc3\xa9\\n\"]}"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"1.0", "1.0"},
        {"[[],[{}],{\"\":{}}]", "[[],[{}],{\"\":{}}]"},
    };
    inf_json *parser = inf_json_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        inf_json_value v;
        assert_int_equal(inf_json_parse(parser, cases[i].in, strlen(cases[i].in), 0, &v), 0);
        inf_buf b;
        inf_buf_init(&b, 1000);
        inf_json_write(v, &b);
        assert_string_equal(inf_buf_text(&b), cases[i].out);
        inf_buf_free(&b);
    }
    inf_json_free(parser);
}

static void test_refuse(void **state)
{
    (void)state;
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    static const struct {
        const char *text;
        int error;
        const char *reason;
    } cases[] = {
        {"", INF_EBADMSG, "empty"},         {"   ", INF_EBADMSG, "empty"}, {"{", INF_EBADMSG, ""},
        {"{\"a\":1,}", INF_EBADMSG, ""},    {"[1 2]", INF_EBADMSG, ""},    {"nul", INF_EBADMSG, "null"},
        {"\"\xff\"", INF_EBADMSG, "UTF-8"}, {"\"\x01\"", INF_EBADMSG, ""}, {"\"open", INF_EBADMSG, ""},
        {"01", INF_EBADMSG, "number"},      {"1 1", INF_EBADMSG, ""},
    };
    inf_json *parser = inf_json_new();
    inf_json_value v;
    assert_non_null(inf_json_error(parser));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(inf_json_parse(parser, cases[i].text, strlen(cases[i].text), 0, &v), cases[i].error);
        assert_non_null(strstr(inf_json_error(parser), cases[i].reason));
    }
    assert_int_equal(inf_json_parse(parser, deep + 36, 128, 0, &v), 0);
    assert_int_equal(inf_json_parse(parser, deep + 34, 132, 0, &v), INF_E2BIG);
    assert_non_null(strstr(inf_json_error(parser), "deep"));
    assert_int_equal(inf_json_parse(parser, deep, 200, 100, &v), 0);
    assert_int_equal(inf_json_parse(parser, "[1]", 3, 1, &v), 0);
    assert_int_equal(inf_json_parse(parser, "[[1]]", 5, 1, &v), INF_E2BIG);
    inf_json_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_strings),
        cmocka_unit_test(test_write_every_byte_reads_back),
        cmocka_unit_test(test_write_structure),
        cmocka_unit_test(test_write_doubles),
        cmocka_unit_test(test_thousandths_as_doubles),
        cmocka_unit_test(test_numbers_that_are_too_large),
        cmocka_unit_test(test_write_into_a_full_buffer),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_iterate),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

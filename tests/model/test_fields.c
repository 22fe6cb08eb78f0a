#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "infinium.h"
#include "model/fields.h"

static void build(inf_buf *b)
{
    inf_buf_init(b, 10000);
    inf_fields_add_text(b, INF_TAG_NAME, "Email Classifier");
    inf_fields_add_text(b, INF_TAG_DESCRIPTION, NULL);
    size_t step = inf_fields_begin_group(b, INF_TAG_STEP);
    inf_fields_add_text(b, INF_TAG_ACTION, "search");
    inf_fields_add_i64(b, INF_TAG_DURATION, -5);
    size_t call = inf_fields_begin_group(b, INF_TAG_LLM_CALL);
    inf_fields_add_double(b, INF_TAG_TEMPERATURE, 0.25);
    inf_fields_end_group(b, call);
    inf_fields_end_group(b, step);
    inf_fields_add(b, 250, "from the future", 15);
    inf_fields_add_text(b, INF_TAG_OUTPUT, "");
    assert_int_equal(b->error, 0);
}

static void test_round_trip(void **state)
{
    (void)state;
    inf_buf fields, record;
    build(&fields);
    inf_buf_init(&record, 10000);
    inf_record_head in = {
        .trace_id = {1, 2, 3}, .started_ns = 77, .status = INF_STATUS_OK, .version = INF_RECORD_VERSION};
    inf_record_encode(&record, &in, fields.data, fields.length);
    inf_record_head head;
    const uint8_t *p;
    assert_int_equal(inf_record_decode(record.data, record.length, &head, &p), 0);
    assert_memory_equal(head.trace_id, in.trace_id, 16);
    assert_int_equal(head.started_ns, 77);
    assert_int_equal(head.fields_length, fields.length);

    inf_field_iterator i = inf_fields(p, head.fields_length);
    inf_field f, g;
    assert_true(inf_field_next(&i, &f));
    assert_int_equal(f.tag, INF_TAG_NAME);
    assert_int_equal(f.length, 16);
    assert_memory_equal(f.data, "Email Classifier", 16);
    assert_true(inf_field_next(&i, &f));
    assert_int_equal(f.tag, INF_TAG_STEP);
    int64_t n = 0;
    double d = 0;
    assert_true(inf_field_find_i64(inf_field_group(&f), INF_TAG_DURATION, &n));
    assert_int_equal(n, -5);
    assert_false(inf_field_find_i64(inf_field_group(&f), INF_TAG_ACTION, &n));
    assert_true(inf_field_find(inf_field_group(&f), INF_TAG_LLM_CALL, &g));
    assert_true(inf_field_find(inf_field_group(&g), INF_TAG_TEMPERATURE, &g));
    assert_true(inf_field_double(&g, &d));
    assert_true(d == 0.25);
    assert_true(inf_field_next(&i, &f));
    assert_int_equal(f.tag, 250);
    assert_true(inf_field_next(&i, &f));
    assert_int_equal(f.tag, INF_TAG_OUTPUT);
    assert_int_equal(f.length, 0);
    assert_false(inf_field_next(&i, &f));
    assert_false(i.malformed);
    assert_false(inf_field_find(inf_fields(p, head.fields_length), INF_TAG_ACTION, &f));
    inf_buf_free(&fields);
    inf_buf_free(&record);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        uint8_t tag;
        char kind;
        const char *name;
    } cases[] = {
        {0, 0, "UNKNOWN"},           {INF_TAG_NAME, 'T', "NAME"},   {INF_TAG_METADATA, 'J', "METADATA"},
        {INF_TAG_STEP, 'G', "STEP"}, {INF_TAG_VALUE, 'F', "VALUE"}, {INF_TAG_START, 'I', "START"},
        {255, 0, "UNKNOWN"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(inf_field_kind(cases[i].tag), cases[i].kind);
        assert_string_equal(inf_field_name(cases[i].tag), cases[i].name);
    }
}

/* Every cut of a good record is refused; the copy is exactly as long as the cut, so that ASan sees each byte too far.
 */
static void test_every_cut_is_refused(void **state)
{
    (void)state;
    inf_buf fields, record;
    build(&fields);
    inf_buf_init(&record, 10000);
    inf_record_head head = {.version = INF_RECORD_VERSION}, out;
    const uint8_t *p;
    inf_record_encode(&record, &head, fields.data, fields.length);
    for (size_t length = 0; length < record.length; length++) {
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, record.data, length);
        assert_int_equal(inf_record_decode(copy, length, &out, &p), INF_EBADMSG);
        if (length >= sizeof(head)) { /* even when the head is made to agree, unless the cut is between two fields */
            out = head;
            out.fields_length = (uint32_t)(length - sizeof(head));
            memcpy(copy, &out, sizeof(out));
            int error = inf_record_decode(copy, length, &out, &p);
            assert_true(error == 0 || error == INF_EBADMSG);
        }
        free(copy);
    }
    inf_buf_free(&fields);
    inf_buf_free(&record);
}

static void test_any_byte_may_be_wrong(void **state)
{
    (void)state;
    inf_buf fields;
    build(&fields);
    uint8_t *copy = malloc(fields.length);
    assert_non_null(copy);
    int refused = 0;
    for (size_t at = 0; at < fields.length; at++) {
        for (int value = 0; value < 256; value++) {
            memcpy(copy, fields.data, fields.length);
            copy[at] = (uint8_t)value;
            int error = inf_fields_check(copy, fields.length);
            assert_true(error == 0 || error == INF_EBADMSG);
            refused += error != 0;
        }
    }
    assert_true(refused > 1000);
    free(copy);
    inf_buf_free(&fields);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\x01", 1},
        {"\x01\x01\x00\x00\x00", 5}, /* one byte is missing */
        {"\x01\xff\xff\xff\xff", 5}, /* a length that wraps */
        {"\x16\x04\x00\x00\x00"
         "abcd",
         9}, /* a number of 4 bytes */
        {"\x06\x06\x00\x00\x00\x01\x02\x00\x00\x00"
         "a",
         11}, /* inside a group */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(inf_fields_check(cases[i].bytes, cases[i].length), INF_EBADMSG);
    assert_int_equal(inf_fields_check("", 0), 0);
}

static void test_depth(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth < 100; depth++) {
        inf_buf b;
        inf_buf_init(&b, 10000);
        size_t marks[100];
        for (unsigned i = 0; i < depth; i++)
            marks[i] = inf_fields_begin_group(&b, INF_TAG_STEP);
        for (unsigned i = depth; i-- > 0;)
            inf_fields_end_group(&b, marks[i]);
        assert_int_equal(inf_fields_check(b.data, b.length), depth <= INF_LIMIT_DEPTH ? 0 : INF_EBADMSG);
        inf_buf_free(&b);
    }
}

static void test_full_buffer(void **state)
{
    (void)state;
    inf_buf b;
    inf_buf_init(&b, 12);
    size_t group = inf_fields_begin_group(&b, INF_TAG_STEP);
    inf_fields_add_text(&b, INF_TAG_ACTION, "does not fit");
    inf_fields_end_group(&b, group);
    assert_int_equal(b.error, INF_E2BIG);
    assert_int_equal(b.length, INF_FIELD_HEADER);
    inf_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_any_byte_may_be_wrong),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A trace that the sender has carried to its journal's tail, and whose process has died then. Here, because it is about
 * places in a log whose first segments are gone: the writer's count of them is not the heir's. */
#include "journal_dir.h"

#include "infinium.h"
#include "journal/journal.h"
#include "model/fields.h"
#include "model/record.h"
#include "send/open.h"

static const uint8_t ID[16] = "0123456789abcdef";

static void append_text(inf_journal *j, uint8_t type, uint8_t tag, const char *text)
{
    uint8_t fields[256];
    uint32_t length = (uint32_t)strlen(text);
    inf_record_head head = {.version = INF_RECORD_VERSION, .fields_length = INF_FIELD_HEADER + length};
    memcpy(head.trace_id, ID, sizeof(ID));
    fields[0] = tag;
    memcpy(fields + 1, &length, 4);
    memcpy(fields + INF_FIELD_HEADER, text, length);
    assert_int_equal(inf_journal_append(j, type, &head, sizeof(head), fields, head.fields_length, NULL), 0);
}

static inf_position read_all(inf_journal *j, inf_open_table *o)
{
    inf_record record;
    inf_position before = inf_journal_acked(j);
    while (inf_journal_next(j, &record) == 1) {
        if (record.type == INF_RECORD_BEGIN)
            inf_open_begin(o, &record, before, 0);
        else if (record.type == INF_RECORD_EVENT)
            inf_open_event(o, &record, before, 0);
        before = record.position;
    }
    return before;
}

static void test_what_came_after_the_copy_is_kept(void **state)
{
    (void)state;
    struct test_dir dir;
    test_dir_make(&dir);
    inf_journal *j = NULL;
    inf_record record;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = 8192};
    uint8_t filler[1000] = {0};
    assert_int_equal(inf_journal_open(&j, &options), 0);
    for (int i = 0; i < 20; i++) /* the first segments go */
        assert_int_equal(inf_journal_append(j, 99, filler, sizeof(filler), NULL, 0, NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(inf_journal_next(j, &record), 1);
    assert_int_equal(inf_journal_ack(j, record.position), 0);

    inf_open_table o;
    inf_open_init(&o);
    append_text(j, INF_RECORD_BEGIN, INF_TAG_NAME, "the name");
    append_text(j, INF_RECORD_EVENT, INF_TAG_INPUT, "before the copy");
    inf_position read = read_all(j, &o);
    append_text(j, INF_RECORD_EVENT, INF_TAG_OUTPUT, "not read when the copy was made");
    assert_int_equal(inf_open_carry(&o, o.oldest, j, read), 0);
    append_text(j, INF_RECORD_EVENT, INF_TAG_SESSION_ID, "behind the copy");
    inf_open_free(&o);
    inf_journal_close(j);

    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    inf_open_init(&o);
    read_all(j, &o);
    assert_int_equal(o.count, 1);
    uint32_t length;
    uint8_t *merged = inf_open_merge(o.oldest, INF_STATUS_INTERRUPTED, &length);
    assert_non_null(merged);
    static const char *const texts[] = {"the name", "before the copy", "not read when the copy was made",
                                        "behind the copy"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        unsigned times = 0;
        for (uint8_t *p = merged; (p = memmem(p, (size_t)(merged + length - p), texts[i], strlen(texts[i]))); p++)
            times++;
        if (times != 1)
            print_message("%s: %u times\n", texts[i], times);
        assert_int_equal(times, 1);
    }
    free(merged);
    inf_open_free(&o);
    inf_journal_close(j);
    test_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_came_after_the_copy_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

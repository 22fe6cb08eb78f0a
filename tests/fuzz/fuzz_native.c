/* The encoder of the native wire over arbitrary records, and the table of open traces over arbitrary sequences of them.
 * What is made of fields without raw JSON is JSON. */
#include "base/json_read.h"
#include "fuzz/fuzz.h"
#include "send/native.h"
#include "send/open.h"

#define MOST_RECORDS 256

static bool has_raw(inf_fields fields, unsigned depth)
{
    for (inf_field field; inf_fields_next(&fields, &field);) {
        if (field.tag == INF_TAG_METADATA || field.tag == INF_TAG_JSON)
            return true;
        if (depth < 8 && has_raw(inf_fields_in(&field), depth + 1))
            return true;
    }
    return false;
}

static void encode(const void *payload, size_t length)
{
    inf_record_head head;
    inf_fields fields;
    if (!inf_record_split(payload, length, &head, &fields))
        return;
    for (int extras = 0; extras < 3; extras++) {
        inf_buf out;
        inf_buf_init(&out, 64u << 20);
        if (extras == 2)
            inf_native_extra(&out, &head, fields);
        else
            inf_native_body(&out, &head, fields, extras == 1);
        MUST(out.error == 0);
        MUST(extras != 2 || out.length <= INF_EXTRA_HEADER_BYTES);
        MUST(!memchr(out.data, '\n', out.length) || has_raw(fields, 0));
        if (!has_raw(fields, 0)) {
            inf_json *parser = inf_json_new();
            inf_json_value root;
            MUST(parser && inf_json_parse(parser, out.data, out.length, 0, &root) == 0);
            inf_json_free(parser);
        }
        inf_buf_free(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = text_of(data, size);
    inf_open_table open;
    inf_open_init(&open);
    encode(copy, size);
    /* Records of up to 64 bytes of head and what follows, cut out of the input: kind and length first. */
    uint64_t place = 8;
    uint8_t *kept[MOST_RECORDS];
    size_t kept_count = 0;
    for (size_t at = 0; at + 2 <= size && kept_count < MOST_RECORDS;) {
        uint8_t kind = (uint8_t)copy[at];
        size_t length = sizeof(inf_record_head) + (uint8_t)copy[at + 1];
        at += 2;
        if (length > size - at)
            length = size - at;
        inf_record record = {.length = (uint32_t)length, .payload = (uint8_t *)copy + at};
        uint8_t *aligned = malloc(length + 1); /* as in a journal: the bytes outlive the table */
        MUST(aligned);
        memcpy(aligned, copy + at, length);
        if (length >= sizeof(inf_record_head)) { /* few traces, so that records meet */
            inf_record_head head;
            memcpy(&head, aligned, sizeof(head));
            memset(head.trace_id, kind >> 6, sizeof(head.trace_id));
            head.version = INF_RECORD_VERSION;
            head.fields_length = (uint32_t)(length - sizeof(head));
            memcpy(aligned, &head, sizeof(head));
        }
        record.payload = aligned;
        uint64_t before = place;
        record.position = record.origin = place += 80 + length;
        if (kind % 4 == 0) {
            inf_open_begin(&open, &record, before, 0);
        } else if (kind % 4 == 1) {
            inf_open_event(&open, &record, before, 0);
        } else {
            uint8_t id[16];
            memset(id, kind >> 6, sizeof(id));
            for (inf_open_trace *t = open.oldest; t; t = t->after) {
                uint32_t merged_length;
                uint8_t *merged = inf_open_merge(t, INF_STATUS_INTERRUPTED, &merged_length);
                if (merged)
                    encode(merged, merged_length);
                free(merged);
            }
            inf_open_end(&open, id);
        }
        kept[kept_count++] = aligned;
        at += length;
    }
    inf_open_free(&open);
    while (kept_count > 0)
        free(kept[--kept_count]);
    free(copy);
    return 0;
}

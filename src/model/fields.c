/* See fields.h. */
#include "model/fields.h"

#include "infinium.h"

bool inf_field_find(inf_field_iterator fields, uint8_t tag, inf_field *out)
{
    inf_field field;
    while (inf_field_next(&fields, &field)) {
        if (field.tag == tag) {
            *out = field;
            return true;
        }
    }
    return false;
}

bool inf_field_find_i64(inf_field_iterator fields, uint8_t tag, int64_t *out)
{
    inf_field field;
    return inf_field_find(fields, tag, &field) && inf_field_i64(&field, out);
}

enum { KIND_T = 'T', KIND_J = 'J', KIND_I = 'I', KIND_F = 'F', KIND_G = 'G' };

static const struct {
    const char *name;
    char kind;
} known[256] = {
#define X(number, name, kind) [number] = {#name, KIND_##kind},
    INF_FIELDS(X)
#undef X
};

char inf_field_kind(uint8_t tag)
{
    return known[tag].kind;
}

const char *inf_field_name(uint8_t tag)
{
    return known[tag].name ? known[tag].name : "UNKNOWN";
}

static int check(inf_field_iterator fields, unsigned depth)
{
    inf_field field;
    while (inf_field_next(&fields, &field)) {
        char kind = inf_field_kind(field.tag);
        if ((kind == KIND_I || kind == KIND_F) && field.length != 8)
            return INF_EBADMSG;
        if (kind != KIND_G)
            continue;
        if (depth == 0)
            return INF_EBADMSG;
        int error = check(inf_field_group(&field), depth - 1);
        if (error)
            return error;
    }
    return fields.malformed ? INF_EBADMSG : INF_OK;
}

int inf_fields_check(const void *fields, size_t length)
{
    return check(inf_fields(fields, length), INF_LIMIT_DEPTH);
}

int inf_record_decode(const void *payload, size_t length, inf_record_head *head, const uint8_t **fields)
{
    inf_record_head read;
    if (length < sizeof(read))
        return INF_EBADMSG;
    memcpy(&read, payload, sizeof(read));
    if (read.version != INF_RECORD_VERSION || read.fields_length != length - sizeof(read))
        return INF_EBADMSG;
    const uint8_t *bytes = (const uint8_t *)payload + sizeof(read);
    int error = inf_fields_check(bytes, read.fields_length);
    if (error)
        return error;
    *head = read;
    *fields = bytes;
    return INF_OK;
}

void inf_fields_add(inf_buf *out, uint8_t tag, const void *data, size_t length)
{
    if (length > UINT32_MAX - INF_FIELD_HEADER) {
        if (!out->error)
            out->error = INF_E2BIG;
        return;
    }
    if (inf_buf_reserve(out, INF_FIELD_HEADER + length))
        return;
    inf_field_put(out->data + out->length, tag, data, (uint32_t)length);
    out->length += INF_FIELD_HEADER + length;
}

void inf_fields_add_text(inf_buf *out, uint8_t tag, const char *text)
{
    if (text)
        inf_fields_add(out, tag, text, strlen(text));
}

void inf_fields_add_i64(inf_buf *out, uint8_t tag, int64_t value)
{
    inf_fields_add(out, tag, &value, sizeof(value));
}

void inf_fields_add_double(inf_buf *out, uint8_t tag, double value)
{
    inf_fields_add(out, tag, &value, sizeof(value));
}

size_t inf_fields_begin_group(inf_buf *out, uint8_t tag)
{
    inf_fields_add(out, tag, NULL, 0);
    return out->length;
}

void inf_fields_end_group(inf_buf *out, size_t mark)
{
    if (out->error)
        return;
    if (out->length - mark > UINT32_MAX) {
        out->error = INF_E2BIG;
        return;
    }
    uint32_t length = (uint32_t)(out->length - mark);
    memcpy(out->data + mark - 4, &length, 4);
}

void inf_record_encode(inf_buf *out, const inf_record_head *head, const void *fields, size_t length)
{
    inf_record_head copy = *head;
    copy.fields_length = (uint32_t)length;
    if (length > UINT32_MAX - sizeof(copy)) {
        if (!out->error)
            out->error = INF_E2BIG;
        return;
    }
    if (inf_buf_reserve(out, sizeof(copy) + length))
        return;
    inf_buf_put(out, &copy, sizeof(copy));
    inf_buf_put(out, fields, length);
}

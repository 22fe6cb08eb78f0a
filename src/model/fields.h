/* The fields of a record, read and written. Readers get untrusted bytes (a damaged file, a foreign writer): every
 * length is checked against what is left, and nesting is bounded. No allocation in reading. Knows no meaning of any
 * field. */
#ifndef INF_MODEL_FIELDS_H
#define INF_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "model/limits.h"
#include "model/record.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats here are little-endian and are read and written in place"
#endif

_Static_assert(sizeof(inf_record_head) == 64, "the head is 64 bytes without padding");

/* ---- reading ---- */

typedef struct inf_field {
    uint8_t tag;
    uint32_t length;
    const uint8_t *data; /* in the bytes that are walked; not aligned, not NUL-terminated */
} inf_field;

typedef struct inf_field_iterator {
    const uint8_t *here;
    const uint8_t *end;
    bool malformed; /* set when the walk ended because a field ran past the end */
} inf_field_iterator;

static inline inf_field_iterator inf_fields(const void *data, size_t length)
{
    const uint8_t *p = data;
    inf_field_iterator i = {p, p + length, false};
    return i;
}

/* The fields of a group. */
static inline inf_field_iterator inf_field_group(const inf_field *group)
{
    return inf_fields(group->data, group->length);
}

/* The next field, or false at the end. Unknown tags are returned like any other; skip them. */
static inline bool inf_field_next(inf_field_iterator *i, inf_field *out)
{
    size_t left = (size_t)(i->end - i->here);
    if (left == 0)
        return false;
    uint32_t length = 0;
    if (left >= INF_FIELD_HEADER)
        memcpy(&length, i->here + 1, 4);
    if (left < INF_FIELD_HEADER || length > left - INF_FIELD_HEADER) {
        i->malformed = true;
        i->here = i->end;
        return false;
    }
    out->tag = i->here[0];
    out->length = length;
    out->data = i->here + INF_FIELD_HEADER;
    i->here = out->data + length;
    return true;
}

/* A number field's value; false when it has another length than 8. */
static inline bool inf_field_i64(const inf_field *field, int64_t *out)
{
    if (field->length != 8)
        return false;
    memcpy(out, field->data, 8);
    return true;
}

static inline bool inf_field_double(const inf_field *field, double *out)
{
    if (field->length != 8)
        return false;
    memcpy(out, field->data, 8);
    return true;
}

/* The first field with this tag among these fields (not inside groups). */
bool inf_field_find(inf_field_iterator fields, uint8_t tag, inf_field *out);
bool inf_field_find_i64(inf_field_iterator fields, uint8_t tag, int64_t *out);

/* 'T', 'J', 'I', 'F' or 'G' (record.h); 0 for an unknown tag. */
char inf_field_kind(uint8_t tag);
/* "NAME", or "UNKNOWN". Static. */
const char *inf_field_name(uint8_t tag);

/* Walks everything, groups included: 0, or INF_EBADMSG when a field runs past its end, a number has not 8 bytes, or
 * groups nest deeper than INF_LIMIT_DEPTH. */
int inf_fields_check(const void *fields, size_t length);

/* Takes a journal record's payload apart: copies the head, and points `fields` at head->fields_length bytes behind it.
 * 0, or INF_EBADMSG: too short, another version, lengths that disagree, or fields that inf_fields_check() refuses. */
int inf_record_decode(const void *payload, size_t length, inf_record_head *head, const uint8_t **fields);

/* ---- writing, into memory that the caller has made room in ---- */

/* Writes a field's tag and length; returns where its bytes go. */
static inline uint8_t *inf_field_put_header(uint8_t *to, uint8_t tag, uint32_t length)
{
    to[0] = tag;
    memcpy(to + 1, &length, 4);
    return to + INF_FIELD_HEADER;
}

/* Writes a whole field, INF_FIELD_HEADER + length bytes; returns just past it. */
static inline uint8_t *inf_field_put(uint8_t *to, uint8_t tag, const void *data, uint32_t length)
{
    to = inf_field_put_header(to, tag, length);
    if (length > 0)
        memcpy(to, data, length);
    return to + length;
}

/* ---- writing, into a growing buffer (its error tells of failure) ---- */

void inf_fields_add(inf_buf *out, uint8_t tag, const void *data, size_t length);
/* NUL-terminated; NULL adds nothing. */
void inf_fields_add_text(inf_buf *out, uint8_t tag, const char *text);
void inf_fields_add_i64(inf_buf *out, uint8_t tag, int64_t value);
void inf_fields_add_double(inf_buf *out, uint8_t tag, double value);

/* Opens a group; give the result to inf_fields_end_group(), innermost first. */
size_t inf_fields_begin_group(inf_buf *out, uint8_t tag);
void inf_fields_end_group(inf_buf *out, size_t mark);

/* Appends head and fields as one payload, with head->fields_length set. */
void inf_record_encode(inf_buf *out, const inf_record_head *head, const void *fields, size_t length);

#endif

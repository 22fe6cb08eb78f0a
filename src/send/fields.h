/* Reads the fields of a trace record (src/model/record.h). Nothing is trusted: a field that claims more than there is
 * ends the walk. The values point into the record. */
#ifndef INF_SEND_FIELDS_H
#define INF_SEND_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/record.h"

typedef struct inf_fields {
    const uint8_t *p;
    const uint8_t *end;
} inf_fields;

typedef struct inf_field {
    uint8_t tag;
    uint32_t length;
    const uint8_t *data;
} inf_field;

static inline uint32_t inf_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline inf_fields inf_fields_of(const void *data, size_t length)
{
    const uint8_t *p = data;
    return (inf_fields){p, p + length};
}

static inline inf_fields inf_fields_in(const inf_field *group)
{
    return inf_fields_of(group->data, group->length);
}

static inline bool inf_fields_next(inf_fields *f, inf_field *out)
{
    if (f->end - f->p < INF_FIELD_HEADER)
        return false;
    uint32_t length = inf_get_u32(f->p + 1);
    if (length > (size_t)(f->end - f->p) - INF_FIELD_HEADER)
        return false;
    *out = (inf_field){f->p[0], length, f->p + INF_FIELD_HEADER};
    f->p += INF_FIELD_HEADER + length;
    return true;
}

/* The first field with this tag; leaves *out alone when there is none. */
static inline bool inf_fields_find(inf_fields f, uint8_t tag, inf_field *out)
{
    for (inf_field field; inf_fields_next(&f, &field);) {
        if (field.tag == tag) {
            *out = field;
            return true;
        }
    }
    return false;
}

/* 0 for a field of another size. */
static inline uint64_t inf_field_u64(const inf_field *field)
{
    if (field->length != 8)
        return 0;
    return (uint64_t)inf_get_u32(field->data) | (uint64_t)inf_get_u32(field->data + 4) << 32;
}

static inline int64_t inf_field_int(const inf_field *field)
{
    return (int64_t)inf_field_u64(field);
}

static inline double inf_field_double(const inf_field *field)
{
    uint64_t bits = inf_field_u64(field);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Splits a record's payload. False when it is too short or of another version. */
static inline bool inf_record_split(const void *payload, size_t length, inf_record_head *head, inf_fields *fields)
{
    if (length < sizeof(*head))
        return false;
    memcpy(head, payload, sizeof(*head));
    if (head->version != INF_RECORD_VERSION || head->fields_length > length - sizeof(*head))
        return false;
    *fields = inf_fields_of((const uint8_t *)payload + sizeof(*head), head->fields_length);
    return true;
}

#endif

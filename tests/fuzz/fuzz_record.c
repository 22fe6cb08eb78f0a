/* A record's payload and its fields: taken apart, checked, walked into every group. */
#include "fuzz/fuzz.h"
#include "model/fields.h"

static unsigned walk(inf_field_iterator fields, unsigned depth)
{
    inf_field field;
    unsigned count = 0;
    int64_t number;
    double real;
    while (inf_field_next(&fields, &field)) {
        count++;
        MUST(inf_field_name(field.tag) != NULL);
        (void)inf_field_i64(&field, &number);
        (void)inf_field_double(&field, &real);
        if (inf_field_kind(field.tag) == 'G' && depth < 16)
            count += walk(inf_field_group(&field), depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inf_record_head head;
    const uint8_t *fields;
    char *copy = text_of(data, size); /* aligned, and its end is watched */
    int whole = inf_fields_check(copy, size);
    unsigned count = walk(inf_fields(copy, size), 0);
    MUST(count <= size);
    MUST(whole != 0 || size == 0 || count > 0);
    if (inf_record_decode(copy, size, &head, &fields) == 0) {
        MUST(head.fields_length <= size - sizeof(head));
        MUST(inf_fields_check(fields, head.fields_length) == 0);
        inf_buf again;
        inf_buf_init(&again, 1u << 24);
        inf_record_encode(&again, &head, fields, head.fields_length);
        MUST(again.error == 0 && again.length == sizeof(head) + head.fields_length);
        inf_buf_free(&again);
    }
    free(copy);
    return 0;
}

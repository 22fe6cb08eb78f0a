/* A trace as the JSON that would be sent. See trace.h. */
#include "base/buf.h"
#include "client/trace.h"
#include "send/native.h"

#define MAX_JSON (8u << 20)

char *inf_trace_json(const inf_trace *t, bool with_extras, size_t *length)
{
    inf_buf out;
    inf_buf_init(&out, MAX_JSON);
    inf_native_body(&out, &t->head, inf_fields_of(t->fields, t->head.fields_length), with_extras);
    char *text = inf_buf_take(&out, length);
    inf_buf_free(&out);
    return text;
}

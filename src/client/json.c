/* A trace as the JSON that would be sent. See infinium.h. */
#include "base/buf.h"
#include "client/context.h"
#include "client/trace.h"
#include "send/native.h"

#define MAX_JSON (8u << 20)

char *inf_trace_json(const inf_trace *trace, int extras, size_t *length)
{
    inf_buf out;
    if (length)
        *length = 0;
    if (!trace)
        return NULL;
    inf_context_lock(trace);
    inf_record_head head = trace->head;
    if (!trace->ended && head.duration_ns == 0 && !trace->sampled_out)
        head.duration_ns = inf_trace_elapsed_ns(trace);
    inf_buf_init(&out, MAX_JSON);
    inf_native_body(&out, &head, inf_fields_of(trace->fields, head.fields_length), extras != 0);
    inf_context_unlock(trace);
    char *text = inf_buf_take(&out, length);
    inf_buf_free(&out);
    return text;
}

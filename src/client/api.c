/* The public functions on traces: begin and end, and what is recorded on the thread's current trace.
 *
 * The text that a program gives is untrusted: invalid UTF-8 is replaced here, before it is stored, and long text is cut
 * to what the wire holds. A program's formats are expanded in place, in the trace's own buffer. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/os.h"
#include "base/utf8.h"
#include "client/context.h"
#include "client/trace.h"

#define NAME_LIMIT 500
#define INPUT_LIMIT 3000
#define OUTPUT_LIMIT 8000
#define MESSAGE_LIMIT 8000
#define PREVIEW_LIMIT 1500
#define SHORT_LIMIT 500

/* What inf_trace_begin() returns without memory: shared, never written to. */
static inf_trace nothing = {.sampled_out = true};

/* At most `max` code points of `text` are kept. */
static void add(inf_trace *t, uint8_t tag, const char *text, size_t length, size_t max)
{
    if (length > 4 * max)
        length = 4 * max;
    size_t ascii = inf_ascii_prefix(text, length);
    if (ascii == length) {
        inf_trace_add_text(t, tag, text, length > max ? max : length);
        return;
    }
    /* Each invalid byte becomes three. */
    size_t room = 3 * length;
    char *to = inf_trace_text(t, tag, room);
    if (!to)
        return;
    size_t clean = inf_utf8_sanitise(to, room, text, length);
    inf_trace_text_end(t, inf_utf8_cut(to, clean, max));
}

static void add_string(inf_trace *t, uint8_t tag, const char *text, size_t max)
{
    if (text)
        add(t, tag, text, strnlen(text, 4 * max + 4), max);
}

static void add_format(inf_trace *t, uint8_t tag, size_t max, const char *format, va_list args)
{
    /* Most calls pass one string: no need to interpret a format for it. */
    if (format[0] == '%' && format[1] == 's' && format[2] == '\0') {
        const char *text = va_arg(args, const char *);
        add_string(t, tag, text ? text : "(null)", max);
        return;
    }
    size_t room = 4 * max + 1;
    char *to = inf_trace_text(t, tag, room);
    if (!to)
        return;
    int n = vsnprintf(to, room, format, args);
    size_t length = n < 0 ? 0 : (size_t)n >= room ? room - 1 : (size_t)n;
    size_t ascii = inf_ascii_prefix(to, length);
    if (ascii == length) {
        inf_trace_text_end(t, length > max ? max : length);
        return;
    }
    if (inf_utf8_valid(to, length)) {
        inf_trace_text_end(t, inf_utf8_cut(to, length, max));
        return;
    }
    char *copy = inf_os.malloc(length);
    if (!copy) {
        inf_trace_text_end(t, ascii);
        return;
    }
    memcpy(copy, to, length);
    size_t clean = inf_utf8_sanitise(to, room - 1, copy, length);
    inf_os.free(copy);
    inf_trace_text_end(t, inf_utf8_cut(to, clean, max));
}

inf_trace *inf_trace_begin(inf_client *client, const char *name)
{
    inf_trace *t = client ? inf_context_take() : NULL;
    if (!t)
        return &nothing;
    inf_trace *parent = inf_current();
    inf_trace_start(t, client, parent ? parent->head.trace_id : NULL, NULL, 0);
    add_string(t, INF_TAG_NAME, name ? name : "", NAME_LIMIT);
    inf_trace_add_text(t, INF_TAG_SDK_VERSION, INF_VERSION, sizeof(INF_VERSION) - 1);
    inf_trace_publish(t);
    inf_context_push(t);
    return t;
}

void inf_trace_end(inf_trace *t)
{
    if (!t || t == &nothing)
        return;
    inf_context_pop(t);
    inf_trace_finish(t, t->head.status == INF_STATUS_ERROR ? INF_STATUS_ERROR : INF_STATUS_OK);
    inf_context_give(t);
}

void inf_trace_id(const inf_trace *trace, char out[33])
{
    inf_id_hex(trace ? trace->head.trace_id : nothing.head.trace_id, out);
}

void inf_input(const char *format, ...)
{
    inf_trace *t = inf_current();
    if (!t || !format)
        return;
    va_list args;
    va_start(args, format);
    add_format(t, INF_TAG_INPUT, INPUT_LIMIT, format, args);
    va_end(args);
    inf_trace_publish(t);
}

void inf_output(const char *format, ...)
{
    inf_trace *t = inf_current();
    if (!t || !format)
        return;
    va_list args;
    va_start(args, format);
    add_format(t, INF_TAG_OUTPUT, OUTPUT_LIMIT, format, args);
    va_end(args);
    /* Not published: the END record that nearly always follows has it. */
}

void inf_error(const char *type, const char *format, ...)
{
    inf_trace *t = inf_current();
    if (!t)
        return;
    t->head.status = INF_STATUS_ERROR;
    uint32_t group = inf_trace_group(t, INF_TAG_ERROR);
    add_string(t, INF_TAG_ERROR_TYPE, type ? type : "Error", SHORT_LIMIT);
    if (format) {
        va_list args;
        va_start(args, format);
        add_format(t, INF_TAG_MESSAGE, MESSAGE_LIMIT, format, args);
        va_end(args);
    }
    inf_trace_group_end(t, group);
    inf_trace_publish(t);
}

static void add_known(inf_trace *t, uint8_t tag, int64_t value)
{
    if (value > 0)
        inf_trace_add_int(t, tag, value);
}

void inf_record_llm_call(const inf_llm_call *call)
{
    inf_trace *t = inf_current();
    if (!t || !call)
        return;
    uint64_t elapsed = inf_trace_elapsed_ns(t);
    uint64_t latency = call->latency_ns > 0 ? (uint64_t)call->latency_ns : 0;
    uint32_t group = inf_trace_group(t, INF_TAG_LLM_CALL);
    inf_trace_add_int(t, INF_TAG_START, (int64_t)(elapsed > latency ? elapsed - latency : 0));
    add_string(t, INF_TAG_PROVIDER, call->provider, SHORT_LIMIT);
    add_string(t, INF_TAG_MODEL, call->model, SHORT_LIMIT);
    add_known(t, INF_TAG_PROMPT_TOKENS, call->prompt_tokens);
    add_known(t, INF_TAG_COMPLETION_TOKENS, call->completion_tokens);
    add_known(t, INF_TAG_DURATION, call->latency_ns);
    add_string(t, INF_TAG_INPUT, call->input_preview, SHORT_LIMIT);
    add_string(t, INF_TAG_OUTPUT, call->output_preview, PREVIEW_LIMIT);
    if (call->error_type || call->error_message) {
        uint32_t error = inf_trace_group(t, INF_TAG_ERROR);
        add_string(t, INF_TAG_ERROR_TYPE, call->error_type ? call->error_type : "Error", SHORT_LIMIT);
        add_string(t, INF_TAG_MESSAGE, call->error_message, MESSAGE_LIMIT);
        inf_trace_group_end(t, error);
    }
    inf_trace_group_end(t, group);
    inf_trace_publish(t);
}

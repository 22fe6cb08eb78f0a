/* What a program says about its current trace and step: input, output, errors, tags, numbers. See infinium.h. */
#include <stdarg.h>
#include <string.h>

#include "base/json_read.h"
#include "client/backtrace.h"
#include "client/context.h"
#include "client/text.h"
#include "model/limits.h"

#define SHORT_LIMIT 500
#define MAX_METADATA (64u << 10)
#define WITHOUT_BACKTRACE -1

/* The thread's innermost step, with its trace locked, or NULL. */
static inf_step *use_step(void)
{
    inf_step *step = inf_context_step();
    if (!step)
        return NULL;
    inf_context_lock(step->trace);
    if (!step->ended)
        return step;
    inf_context_unlock(step->trace);
    return NULL;
}

/* Writes an ERROR group into `to`; `skip` counts the frames between the program and this function. */
__attribute__((noinline)) static void add_error(inf_trace *to, const char *type, const char *format, va_list args,
                                                int skip)
{
    uint32_t group = inf_trace_group(to, INF_TAG_ERROR);
    inf_text_add_string(to, INF_TAG_ERROR_TYPE, type ? type : "Error", INF_LIMIT_ERROR_TYPE);
    if (format)
        inf_text_add_format(to, INF_TAG_MESSAGE, INF_LIMIT_ERROR_MESSAGE, format, args);
    inf_trace_group_end(to, group);
    if (skip != WITHOUT_BACKTRACE)
        inf_backtrace_take(to, group, (unsigned)skip + 1);
}

__attribute__((format(printf, 2, 0))) static inline void add_format(uint8_t tag, const char *format, va_list args,
                                                                    size_t max, bool publish)
{
    inf_trace *t = inf_context_use();
    if (!t)
        return;
    if (format[0] == '%' && format[1] == 's' && format[2] == '\0') {
        /* Most calls pass one string: no need to interpret a format for it. */
        const char *text = va_arg(args, const char *);
        inf_text_add_string(t, tag, text ? text : "(null)", max);
    } else {
        inf_text_add_format(t, tag, max, format, args);
    }
    if (publish)
        inf_trace_publish(t);
    inf_context_unlock(t);
}

static void add_bytes(uint8_t tag, const void *data, size_t length, size_t max, bool publish)
{
    inf_trace *t = data || length == 0 ? inf_context_use() : NULL;
    if (!t)
        return;
    inf_text_add(t, tag, length ? data : "", length, max);
    if (publish)
        inf_trace_publish(t);
    inf_context_unlock(t);
}

static void add_string(uint8_t tag, const char *text, size_t max)
{
    if (text)
        add_bytes(tag, text, strnlen(text, 4 * max + 4), max, true);
}

void inf_input(const char *format, ...)
{
    if (!format)
        return;
    va_list args;
    va_start(args, format);
    add_format(INF_TAG_INPUT, format, args, INF_LIMIT_INPUT, true);
    va_end(args);
}

void inf_input_bytes(const void *data, size_t length)
{
    add_bytes(INF_TAG_INPUT, data, length, INF_LIMIT_INPUT, true);
}

/* Output is not published: the END record that nearly always follows has it. */
void inf_output(const char *format, ...)
{
    if (!format)
        return;
    va_list args;
    va_start(args, format);
    add_format(INF_TAG_OUTPUT, format, args, INF_LIMIT_OUTPUT, false);
    va_end(args);
}

void inf_output_bytes(const void *data, size_t length)
{
    add_bytes(INF_TAG_OUTPUT, data, length, INF_LIMIT_OUTPUT, false);
}

__attribute__((noinline)) void inf_error(const char *type, const char *format, ...)
{
    va_list args;
    inf_trace *t = inf_context_use();
    if (!t)
        return;
    inf_step *step = inf_context_step();
    if (step && step->trace == t && !step->ended) {
        va_start(args, format);
        add_error(step->fields, type, format, args, WITHOUT_BACKTRACE);
        va_end(args);
    }
    t->head.status = INF_STATUS_ERROR;
    va_start(args, format);
    add_error(t, type, format, args, 1);
    va_end(args);
    inf_trace_publish(t);
    inf_context_unlock(t);
}

void inf_exception_(inf_trace *trace, inf_step *step, const char *type, const char *message)
{
    inf_trace *to = trace ? trace : step ? step->fields : NULL;
    inf_trace *t = step ? step->trace : trace;
    if (!to || !t || t->sampled_out)
        return;
    inf_context_lock(t);
    if (!t->ended && !(step && step->ended)) {
        uint32_t group = inf_trace_group(to, INF_TAG_ERROR);
        inf_text_add_string(to, INF_TAG_ERROR_TYPE, type, INF_LIMIT_ERROR_TYPE);
        inf_text_add_string(to, INF_TAG_MESSAGE, message, INF_LIMIT_ERROR_MESSAGE);
        inf_trace_group_end(to, group);
        to->head.status = INF_STATUS_ERROR;
    }
    inf_context_unlock(t);
}

void inf_description(const char *text)
{
    add_string(INF_TAG_DESCRIPTION, text, INF_LIMIT_DESCRIPTION);
}

void inf_tag(const char *tag)
{
    add_string(INF_TAG_TAG, tag, INF_LIMIT_TAG);
}

void inf_session_id(const char *id)
{
    add_string(INF_TAG_SESSION_ID, id, SHORT_LIMIT);
}

void inf_user_id(const char *id)
{
    add_string(INF_TAG_USER_ID, id, SHORT_LIMIT);
}

void inf_score(const char *name, double value, const char *comment)
{
    inf_trace *t = name ? inf_context_use() : NULL;
    if (!t)
        return;
    uint32_t group = inf_trace_group(t, INF_TAG_SCORE);
    inf_text_add_string(t, INF_TAG_NAME, name, SHORT_LIMIT);
    inf_trace_add_double(t, INF_TAG_VALUE, value);
    inf_text_add_string(t, INF_TAG_MESSAGE, comment, INF_LIMIT_STEP_PREVIEW);
    inf_trace_group_end(t, group);
    inf_trace_publish(t);
    inf_context_unlock(t);
}

int inf_metadata(const char *json)
{
    if (!json)
        return INF_EINVAL;
    size_t length = strnlen(json, MAX_METADATA + 1);
    if (length > MAX_METADATA)
        return INF_E2BIG;
    inf_json *parser = inf_json_new();
    inf_json_value root;
    if (!parser)
        return INF_ENOMEM;
    int error = inf_json_parse(parser, json, length, 0, &root);
    if (!error && inf_json_type(root) != INF_JSON_OBJECT)
        error = INF_EINVAL;
    inf_json_free(parser);
    inf_trace *t = error ? NULL : inf_context_use();
    if (t) {
        inf_trace_add_text(t, INF_TAG_METADATA, json, length);
        inf_trace_publish(t);
        inf_context_unlock(t);
    }
    return error;
}

void inf_step_input(const char *format, ...)
{
    inf_step *step = format ? use_step() : NULL;
    if (!step)
        return;
    va_list args;
    va_start(args, format);
    inf_text_add_format(step->fields, INF_TAG_INPUT, INF_LIMIT_STEP_PREVIEW, format, args);
    va_end(args);
    inf_context_unlock(step->trace);
}

void inf_step_output(const char *format, ...)
{
    inf_step *step = format ? use_step() : NULL;
    if (!step)
        return;
    va_list args;
    va_start(args, format);
    inf_text_add_format(step->fields, INF_TAG_OUTPUT, INF_LIMIT_STEP_PREVIEW, format, args);
    va_end(args);
    inf_context_unlock(step->trace);
}

__attribute__((noinline)) void inf_step_error(const char *type, const char *format, ...)
{
    inf_step *step = use_step();
    if (!step)
        return;
    va_list args;
    va_start(args, format);
    add_error(step->fields, type, format, args, 1);
    va_end(args);
    inf_context_unlock(step->trace);
}

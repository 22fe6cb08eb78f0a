/* The published body of a trace, in the published order of keys. See native.h.
 *
 * What a traced function leaves in a record is less than what the body says: the step "execution" (with the output once
 * more, the duration, the first error) and the sums of `llm_usage` are derived here. A RAW_MEMBER takes the place of
 * what would be derived for its key; those with keys that the published body does not have come after the published
 * ones. */
#include "send/native.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_number.h"
#include "base/json_write.h"
#include "base/os.h"
#include "base/utf8.h"
#include "infinium.h"

#define STEP_OUTPUT_CHARACTERS 1500
#define MAX_STEPS 20000
#define FEW_STEPS 32

struct step {
    int64_t start;
    uint32_t order;
    inf_field field;
};

/* The trace's own fields: the last of each kind, and which repeated ones there are. */
struct parts {
    const inf_record_head *head;
    inf_fields fields;
    inf_field name, description, input, output, function, session_id, user_id, metadata, python_version, sdk_version;
    inf_field first_error;
    uint32_t errors, steps, llm_calls, prompts, tags, scores, raw;
    bool extras;
};

/* A text or JSON field that is there, even if empty. */
static bool has(const inf_field *field)
{
    return field->tag != 0;
}

static void gather(struct parts *p)
{
    inf_fields fields = p->fields;
    for (inf_field f; inf_fields_next(&fields, &f);) {
        switch (f.tag) {
        case INF_TAG_NAME:
            p->name = f;
            break;
        case INF_TAG_DESCRIPTION:
            p->description = f;
            break;
        case INF_TAG_INPUT:
            p->input = f;
            break;
        case INF_TAG_OUTPUT:
            p->output = f;
            break;
        case INF_TAG_FUNCTION:
            p->function = f;
            break;
        case INF_TAG_SESSION_ID:
            p->session_id = f;
            break;
        case INF_TAG_USER_ID:
            p->user_id = f;
            break;
        case INF_TAG_METADATA:
            p->metadata = f;
            break;
        case INF_TAG_PYTHON_VERSION:
            p->python_version = f;
            break;
        case INF_TAG_SDK_VERSION:
            p->sdk_version = f;
            break;
        case INF_TAG_STEP:
            p->steps++;
            break;
        case INF_TAG_LLM_CALL:
            p->llm_calls++;
            break;
        case INF_TAG_PROMPT:
            p->prompts++;
            break;
        case INF_TAG_TAG:
            p->tags++;
            break;
        case INF_TAG_SCORE:
            p->scores++;
            break;
        case INF_TAG_RAW_MEMBER:
            p->raw++;
            break;
        case INF_TAG_ERROR:
            if (p->errors++ == 0)
                p->first_error = f;
            break;
        default:
            break;
        }
    }
}

static int64_t milliseconds(const inf_field *nanoseconds)
{
    return inf_field_int(nanoseconds) / 1000000;
}

static void text(inf_json_writer *w, const char *key, const inf_field *field)
{
    inf_json_key(w, key);
    inf_json_put_string(w, field->data, field->length);
}

static void integer(inf_json_writer *w, const char *key, int64_t value)
{
    inf_json_key(w, key);
    inf_json_put_i64(w, value);
}

/* JSON that a caller made. A line end in it can only be white space, and a body is one line. A number that not every
 * reader takes goes as a string: it must not cost the whole trace. */
static void raw(inf_json_writer *w, const inf_field *field)
{
    inf_json_separate(w);
    size_t start = w->out->length;
    inf_json_quote_numbers(w->out, field->data, field->length);
    if (w->out->error)
        return;
    for (size_t i = start; i < w->out->length; i++)
        if (w->out->data[i] == '\n' || w->out->data[i] == '\r')
            w->out->data[i] = ' ';
}

/* The text cut to `limit` characters, the last three of them "..." when it is longer. */
static void cut_text(inf_json_writer *w, const char *key, const inf_field *field, size_t limit)
{
    size_t length = inf_utf8_cut(field->data, field->length, limit);
    if (length == field->length) {
        text(w, key, field);
        return;
    }
    char cut[STEP_OUTPUT_CHARACTERS * 4 + 4];
    length = inf_utf8_cut(field->data, field->length, limit - 3);
    memcpy(cut, field->data, length);
    memcpy(cut + length, "...", 3);
    inf_json_key(w, key);
    inf_json_put_string(w, cut, length + 3);
}

static bool find_raw(const struct parts *p, const char *key, inf_field *json)
{
    bool found = false;
    if (p->raw == 0)
        return false;
    size_t length = strlen(key);
    inf_fields fields = p->fields;
    for (inf_field f; inf_fields_next(&fields, &f);) {
        inf_field name, value;
        if (f.tag == INF_TAG_RAW_MEMBER && inf_fields_find(inf_fields_in(&f), INF_TAG_KEY, &name) &&
            name.length == length && memcmp(name.data, key, length) == 0 &&
            inf_fields_find(inf_fields_in(&f), INF_TAG_JSON, &value)) {
            *json = value;
            found = true;
        }
    }
    return found;
}

/* Writes the caller's own member of this name, if there is one. */
static bool put_raw(inf_json_writer *w, const struct parts *p, const char *key)
{
    inf_field json;
    if (!find_raw(p, key, &json))
        return false;
    inf_json_key(w, key);
    raw(w, &json);
    return true;
}

static void put_error(inf_json_writer *w, inf_fields fields)
{
    inf_field f;
    inf_json_begin_object(w);
    inf_json_key(w, "error_type");
    if (inf_fields_find(fields, INF_TAG_ERROR_TYPE, &f))
        inf_json_put_string(w, f.data, f.length);
    else
        inf_json_put_text(w, "Error");
    inf_json_key(w, "message");
    if (inf_fields_find(fields, INF_TAG_MESSAGE, &f))
        inf_json_put_string(w, f.data, f.length);
    else
        inf_json_put_text(w, "");
    inf_json_key(w, "recoverable");
    inf_json_put_bool(w, inf_fields_find(fields, INF_TAG_RECOVERABLE, &f) && inf_field_int(&f) != 0);
    integer(w, "retry_count", inf_fields_find(fields, INF_TAG_RETRY_COUNT, &f) ? inf_field_int(&f) : 0);
    if (inf_fields_find(fields, INF_TAG_STACK_TRACE, &f))
        text(w, "stack_trace", &f);
    if (inf_fields_find(fields, INF_TAG_ERROR_CODE, &f))
        text(w, "error_code", &f);
    inf_json_end_object(w);
}

/* The error of a step, an LLM call or a tool call: a group, or its type and message directly. */
static void put_own_error(inf_json_writer *w, inf_fields fields)
{
    inf_field f;
    if (inf_fields_find(fields, INF_TAG_ERROR, &f)) {
        inf_json_key(w, "error");
        put_error(w, inf_fields_in(&f));
    } else if (inf_fields_find(fields, INF_TAG_ERROR_TYPE, &f)) {
        inf_json_key(w, "error");
        put_error(w, fields);
    }
}

static void put_text_if(inf_json_writer *w, inf_fields fields, uint8_t tag, const char *key)
{
    inf_field f;
    if (inf_fields_find(fields, tag, &f))
        text(w, key, &f);
}

static void put_int_if(inf_json_writer *w, inf_fields fields, uint8_t tag, const char *key)
{
    inf_field f;
    if (inf_fields_find(fields, tag, &f))
        integer(w, key, inf_field_int(&f));
}

static void put_ms_if(inf_json_writer *w, inf_fields fields, uint8_t tag, const char *key)
{
    inf_field f;
    if (inf_fields_find(fields, tag, &f))
        integer(w, key, milliseconds(&f));
}

static void put_llm_extras(inf_json_writer *w, inf_fields fields)
{
    inf_field f;
    put_text_if(w, fields, INF_TAG_REQUEST_MODEL, "request_model");
    put_text_if(w, fields, INF_TAG_RESPONSE_ID, "response_id");
    if (inf_fields_find(fields, INF_TAG_FINISH_REASON, &f)) {
        inf_json_key(w, "finish_reasons");
        inf_json_begin_array(w);
        for (inf_fields all = fields; inf_fields_next(&all, &f);)
            if (f.tag == INF_TAG_FINISH_REASON)
                inf_json_put_string(w, f.data, f.length);
        inf_json_end_array(w);
    }
    put_int_if(w, fields, INF_TAG_CACHED_TOKENS, "cached_tokens");
    put_int_if(w, fields, INF_TAG_CACHE_WRITE_TOKENS, "cache_write_tokens");
    put_int_if(w, fields, INF_TAG_REASONING_TOKENS, "reasoning_tokens");
    put_int_if(w, fields, INF_TAG_MAX_TOKENS, "max_tokens");
    if (inf_fields_find(fields, INF_TAG_TIME_TO_FIRST_CHUNK, &f)) {
        inf_json_key(w, "time_to_first_chunk_ms");
        inf_json_put_fixed(w, (double)inf_field_int(&f) / 1e6, 3);
    }
    if (inf_fields_find(fields, INF_TAG_STREAM, &f)) {
        inf_json_key(w, "stream");
        inf_json_put_bool(w, inf_field_int(&f) != 0);
    }
    put_text_if(w, fields, INF_TAG_OPERATION, "operation");
}

static void put_llm_call(inf_json_writer *w, inf_fields fields, bool extras)
{
    inf_field f;
    inf_json_begin_object(w);
    inf_json_key(w, "model");
    if (inf_fields_find(fields, INF_TAG_MODEL, &f) || inf_fields_find(fields, INF_TAG_REQUEST_MODEL, &f))
        inf_json_put_string(w, f.data, f.length);
    else
        inf_json_put_text(w, "unknown");
    put_text_if(w, fields, INF_TAG_PROVIDER, "provider");
    put_int_if(w, fields, INF_TAG_PROMPT_TOKENS, "prompt_tokens");
    put_int_if(w, fields, INF_TAG_COMPLETION_TOKENS, "completion_tokens");
    put_ms_if(w, fields, INF_TAG_DURATION, "latency_ms");
    if (inf_fields_find(fields, INF_TAG_TEMPERATURE, &f)) {
        inf_json_key(w, "temperature");
        inf_json_put_double(w, inf_field_double(&f));
    }
    put_text_if(w, fields, INF_TAG_PURPOSE, "purpose");
    if (extras)
        put_llm_extras(w, fields);
    inf_json_end_object(w);
}

static void put_tool_call(inf_json_writer *w, inf_fields fields)
{
    inf_field f;
    inf_json_begin_object(w);
    inf_json_key(w, "tool_name");
    if (inf_fields_find(fields, INF_TAG_NAME, &f))
        inf_json_put_string(w, f.data, f.length);
    else
        inf_json_put_text(w, "");
    put_ms_if(w, fields, INF_TAG_DURATION, "duration_ms");
    put_text_if(w, fields, INF_TAG_INPUT, "input_summary");
    put_text_if(w, fields, INF_TAG_OUTPUT, "output_summary");
    put_own_error(w, fields);
    put_int_if(w, fields, INF_TAG_HTTP_STATUS, "http_status");
    inf_json_end_object(w);
}

/* The step that the traced function itself is. */
static void put_execution(inf_json_writer *w, const struct parts *p)
{
    char description[600];
    size_t length = inf_utf8_floor(p->function.data, p->function.length, sizeof(description) - 8);
    memcpy(description, "Execute ", 8);
    memcpy(description + 8, p->function.data, length);
    inf_json_begin_object(w);
    integer(w, "step_number", 1);
    inf_json_key(w, "action");
    inf_json_put_text(w, "execution");
    inf_json_key(w, "description");
    inf_json_put_string(w, description, length + 8);
    integer(w, "duration_ms", (int64_t)(p->head->duration_ns / 1000000));
    if (has(&p->output)) {
        cut_text(w, "output_preview", &p->output, STEP_OUTPUT_CHARACTERS);
    } else if (p->head->status == INF_STATUS_OK && has(&p->python_version) && !(p->head->flags & INF_FLAG_NO_OUTPUT)) {
        inf_json_key(w, "output_preview"); /* a Python function without a result has returned None */
        inf_json_put_text(w, "None");
    }
    if (p->errors > 0) {
        inf_json_key(w, "error");
        put_error(w, inf_fields_in(&p->first_error));
    }
    if (p->extras)
        integer(w, "start_ns", 0);
    inf_json_end_object(w);
}

/* "<provider>/<model>", in place. */
static void put_llm_description(inf_json_writer *w, inf_fields fields)
{
    inf_field provider = {0}, model = {0};
    char description[1024];
    size_t length = 0;
    inf_fields_find(fields, INF_TAG_PROVIDER, &provider);
    if (!inf_fields_find(fields, INF_TAG_MODEL, &model))
        inf_fields_find(fields, INF_TAG_REQUEST_MODEL, &model);
    if (provider.data) {
        length = inf_utf8_floor(provider.data, provider.length, 500);
        memcpy(description, provider.data, length);
        description[length++] = '/';
    }
    if (model.data) {
        size_t n = inf_utf8_floor(model.data, model.length, 500);
        memcpy(description + length, model.data, n);
        length += n;
    }
    inf_json_key(w, "description");
    inf_json_put_string(w, description, length);
}

static void put_step(inf_json_writer *w, const struct step *step, int64_t number, bool extras)
{
    inf_fields fields = inf_fields_in(&step->field);
    bool llm = step->field.tag == INF_TAG_LLM_CALL;
    inf_field f;
    inf_json_begin_object(w);
    integer(w, "step_number", number);
    inf_json_key(w, "action");
    if (llm) {
        inf_json_put_text(w, "llm_call");
        put_llm_description(w, fields);
    } else {
        if (inf_fields_find(fields, INF_TAG_ACTION, &f))
            inf_json_put_string(w, f.data, f.length);
        else
            inf_json_put_text(w, "step");
        inf_json_key(w, "description");
        if (inf_fields_find(fields, INF_TAG_DESCRIPTION, &f))
            inf_json_put_string(w, f.data, f.length);
        else
            inf_json_put_text(w, "");
    }
    put_ms_if(w, fields, INF_TAG_DURATION, "duration_ms");
    put_text_if(w, fields, INF_TAG_INPUT, "input_preview");
    put_text_if(w, fields, INF_TAG_OUTPUT, "output_preview");
    put_own_error(w, fields);
    if (inf_fields_find(fields, INF_TAG_TOOL_CALL, &f)) {
        inf_json_key(w, "tool_call");
        put_tool_call(w, inf_fields_in(&f));
    }
    if (llm) {
        inf_json_key(w, "llm_call");
        put_llm_call(w, fields, extras);
    } else if (inf_fields_find(fields, INF_TAG_LLM_CALL, &f)) {
        inf_json_key(w, "llm_call");
        put_llm_call(w, inf_fields_in(&f), extras);
    }
    if (inf_fields_find(fields, INF_TAG_METADATA, &f)) {
        inf_json_key(w, "metadata");
        raw(w, &f);
    }
    if (extras && inf_fields_find(fields, INF_TAG_START, &f))
        integer(w, "start_ns", inf_field_int(&f));
    inf_json_end_object(w);
}

static int by_start(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void put_steps(inf_json_writer *w, const struct parts *p)
{
    if (put_raw(w, p, "steps"))
        return;
    struct step few[FEW_STEPS];
    struct step *steps = few;
    uint32_t count = p->steps + p->llm_calls;
    if (count == 0 && !has(&p->function))
        return;
    if (count > MAX_STEPS)
        count = MAX_STEPS;
    if (count > FEW_STEPS && !(steps = inf_os.malloc(count * sizeof(*steps)))) {
        w->out->error = w->out->error ? w->out->error : INF_ENOMEM;
        return;
    }
    uint32_t n = 0;
    int64_t previous = 0;
    inf_fields fields = p->fields;
    for (inf_field f; n < count && inf_fields_next(&fields, &f);) {
        if (f.tag != INF_TAG_STEP && f.tag != INF_TAG_LLM_CALL)
            continue;
        inf_field start;
        /* A step without a start stays behind the one that was recorded before it. */
        if (inf_fields_find(inf_fields_in(&f), INF_TAG_START, &start))
            previous = inf_field_int(&start);
        steps[n] = (struct step){previous, n, f};
        n++;
    }
    if (n > 1)
        qsort(steps, n, sizeof(*steps), by_start);
    inf_json_key(w, "steps");
    inf_json_begin_array(w);
    int64_t number = 1;
    if (has(&p->function)) {
        put_execution(w, p);
        number = 2;
    }
    for (uint32_t i = 0; i < n; i++)
        put_step(w, &steps[i], number++, p->extras);
    inf_json_end_array(w);
    if (steps != few)
        inf_os.free(steps);
}

static void put_errors(inf_json_writer *w, const struct parts *p)
{
    if (put_raw(w, p, "errors"))
        return;
    /* Only the batch wire has a status; elsewhere the reader must be told in a published member. */
    bool say_interrupted = p->head->status == INF_STATUS_INTERRUPTED && !p->extras;
    bool failed = p->errors > 0 && !(p->head->flags & INF_FLAG_STOPPED);
    if (!failed && !say_interrupted)
        return;
    inf_json_key(w, "errors");
    inf_json_begin_array(w);
    inf_fields fields = p->fields;
    for (inf_field f; failed && inf_fields_next(&fields, &f);)
        if (f.tag == INF_TAG_ERROR)
            put_error(w, inf_fields_in(&f));
    if (say_interrupted) {
        inf_json_begin_object(w);
        inf_json_key(w, "error_type");
        inf_json_put_text(w, "Interrupted");
        inf_json_key(w, "message");
        inf_json_put_text(w, "the process ended before the trace did");
        inf_json_key(w, "recoverable");
        inf_json_put_bool(w, false);
        integer(w, "retry_count", 0);
        inf_json_end_object(w);
    }
    inf_json_end_array(w);
}

static void put_sum(inf_json_writer *w, const char *key, int64_t value)
{
    if (value != 0)
        integer(w, key, value);
}

static int64_t int_in(const inf_field *group, uint8_t tag)
{
    inf_field f;
    return inf_fields_find(inf_fields_in(group), tag, &f) ? inf_field_int(&f) : 0;
}

static void put_usage(inf_json_writer *w, const struct parts *p)
{
    if (put_raw(w, p, "llm_usage") || p->llm_calls == 0)
        return;
    int64_t prompt = 0, completion = 0, latency = 0;
    inf_field f, only = {0}, value;
    for (inf_fields fields = p->fields; inf_fields_next(&fields, &f);) {
        if (f.tag != INF_TAG_LLM_CALL)
            continue;
        only = f;
        prompt = (int64_t)((uint64_t)prompt + (uint64_t)int_in(&f, INF_TAG_PROMPT_TOKENS));
        completion = (int64_t)((uint64_t)completion + (uint64_t)int_in(&f, INF_TAG_COMPLETION_TOKENS));
        latency = (int64_t)((uint64_t)latency + (uint64_t)(int_in(&f, INF_TAG_DURATION) / 1000000));
    }
    inf_json_key(w, "llm_usage");
    inf_json_begin_object(w);
    if (p->llm_calls > 1) {
        inf_json_key(w, "model");
        inf_json_put_text(w, "multiple");
        inf_json_key(w, "provider");
        inf_json_put_text(w, "multiple");
    } else {
        inf_fields in = inf_fields_in(&only);
        if (inf_fields_find(in, INF_TAG_MODEL, &value) || inf_fields_find(in, INF_TAG_REQUEST_MODEL, &value))
            text(w, "model", &value);
        put_text_if(w, in, INF_TAG_PROVIDER, "provider");
    }
    put_sum(w, "prompt_tokens", prompt);
    put_sum(w, "completion_tokens", completion);
    put_sum(w, "total_tokens", (int64_t)((uint64_t)prompt + (uint64_t)completion));
    integer(w, "api_calls_count", p->llm_calls);
    put_sum(w, "total_latency_ms", latency);
    inf_json_key(w, "calls");
    inf_json_begin_array(w);
    for (inf_fields fields = p->fields; inf_fields_next(&fields, &f);)
        if (f.tag == INF_TAG_LLM_CALL)
            put_llm_call(w, inf_fields_in(&f), false);
    inf_json_end_array(w);
    inf_json_end_object(w);
}

static void put_environment(inf_json_writer *w, const struct parts *p)
{
    if (put_raw(w, p, "environment") || (!has(&p->python_version) && !has(&p->sdk_version)))
        return;
    inf_json_key(w, "environment");
    inf_json_begin_object(w);
    if (has(&p->python_version))
        text(w, "python_version", &p->python_version);
    if (has(&p->sdk_version))
        text(w, "sdk_version", &p->sdk_version);
    inf_json_end_object(w);
}

static void put_prompts(inf_json_writer *w, const struct parts *p)
{
    if (put_raw(w, p, "prompt_studio") || p->prompts == 0)
        return;
    inf_json_key(w, "prompt_studio");
    inf_json_begin_object(w);
    inf_json_key(w, "prompts_used");
    inf_json_begin_array(w);
    inf_field f;
    for (inf_fields fields = p->fields; inf_fields_next(&fields, &f);) {
        if (f.tag != INF_TAG_PROMPT)
            continue;
        inf_fields in = inf_fields_in(&f);
        inf_field variable;
        inf_json_begin_object(w);
        put_text_if(w, in, INF_TAG_PROMPT_ID, "prompt_id");
        put_text_if(w, in, INF_TAG_NAME, "prompt_name");
        put_int_if(w, in, INF_TAG_VERSION, "version");
        inf_json_key(w, "source");
        inf_json_put_text(w, "prompt_studio");
        inf_json_key(w, "variables_used");
        if (inf_fields_find(in, INF_TAG_VARIABLE, &variable)) {
            inf_json_begin_array(w);
            for (inf_fields all = in; inf_fields_next(&all, &variable);)
                if (variable.tag == INF_TAG_VARIABLE)
                    inf_json_put_string(w, variable.data, variable.length);
            inf_json_end_array(w);
        } else {
            inf_json_put_null(w);
        }
        put_text_if(w, in, INF_TAG_FETCHED_AT, "fetched_at");
        inf_json_end_object(w);
    }
    inf_json_end_array(w);
    inf_json_end_object(w);
}

/* The published default where a trace came without a description of its own. */
static void put_description(inf_json_writer *w, const struct parts *p)
{
    if (has(&p->description)) {
        text(w, "description", &p->description);
        return;
    }
    const inf_field *of = has(&p->function) ? &p->function : &p->name;
    char description[600];
    static const char prefix[] = "Auto-traced call to ";
    size_t length = of->data ? inf_utf8_floor(of->data, of->length, sizeof(description) - sizeof(prefix)) : 0;
    memcpy(description, prefix, sizeof(prefix) - 1);
    if (length > 0)
        memcpy(description + sizeof(prefix) - 1, of->data, length);
    inf_json_key(w, "description");
    inf_json_put_string(w, description, sizeof(prefix) - 1 + length);
}

static bool blank(const inf_field *field)
{
    for (size_t i = 0; has(field) && i < field->length; i++)
        if (!strchr(" \t\r\n", field->data[i])) /* a NUL counts as blank, too */
            return false;
    return true;
}

/* Servers refuse a trace without a name; it goes by its function's, then. */
static void put_name(inf_json_writer *w, const struct parts *p)
{
    static const inf_field unnamed = {INF_TAG_NAME, 7, (const uint8_t *)"unnamed"};
    text(w, "name", !blank(&p->name) ? &p->name : !blank(&p->function) ? &p->function : &unnamed);
}

/* The published members that are texts, dates and numbers, up to output_summary. */
static void put_summary(inf_json_writer *w, const struct parts *p)
{
    char date[INF_RFC3339_SIZE];
    if (!put_raw(w, p, "name"))
        put_name(w, p);
    if (!put_raw(w, p, "description"))
        put_description(w, p);
    if (!put_raw(w, p, "current_datetime")) {
        inf_rfc3339(p->head->started_ns + p->head->duration_ns, 6, date);
        inf_json_key(w, "current_datetime");
        inf_json_put_text(w, date);
    }
    if (!put_raw(w, p, "duration")) {
        uint64_t ms = (p->head->duration_ns + 500000) / 1000000;
        inf_json_key(w, "duration");
        inf_json_put_thousandths(w, ms);
    }
    if (!put_raw(w, p, "input_summary") && has(&p->input))
        text(w, "input_summary", &p->input);
    /* A function that returned None has no output_summary, but says so in its step. The text None without quotes is
     * what only None itself looks like. */
    bool none = has(&p->function) && p->output.length == 4 && memcmp(p->output.data, "None", 4) == 0;
    if (!put_raw(w, p, "output_summary") && has(&p->output) && !none)
        text(w, "output_summary", &p->output);
}

static const char *const published_keys[] = {
    "name",  "description", "current_datetime", "duration", "input_summary", "output_summary", "expected_outcome",
    "steps", "errors",      "llm_usage",        "sections", "environment",   "prompt_studio",
};

static const char *const extra_keys[] = {
    "trace_id", "parent_id", "status",     "started_at", "duration_ns",
    "tags",     "metadata",  "session_id", "user_id",    "scores",
};

static bool listed(const inf_field *key, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(keys[i]) == key->length && memcmp(keys[i], key->data, key->length) == 0)
            return true;
    return false;
}

/* The caller's own members that have no place above. The last of two with one key counts. */
static void put_other_raw(inf_json_writer *w, const struct parts *p)
{
    if (p->raw == 0)
        return;
    inf_field f, key, json, later;
    for (inf_fields fields = p->fields; inf_fields_next(&fields, &f);) {
        if (f.tag != INF_TAG_RAW_MEMBER || !inf_fields_find(inf_fields_in(&f), INF_TAG_KEY, &key) ||
            !inf_fields_find(inf_fields_in(&f), INF_TAG_JSON, &json) ||
            listed(&key, published_keys, sizeof(published_keys) / sizeof(*published_keys)) ||
            (p->extras && listed(&key, extra_keys, sizeof(extra_keys) / sizeof(*extra_keys))))
            continue;
        bool again = false;
        for (inf_fields rest = fields; !again && inf_fields_next(&rest, &f);)
            again = f.tag == INF_TAG_RAW_MEMBER && inf_fields_find(inf_fields_in(&f), INF_TAG_KEY, &later) &&
                    later.length == key.length && memcmp(later.data, key.data, key.length) == 0;
        if (again)
            continue;
        inf_json_key_n(w, key.data, key.length);
        raw(w, &json);
    }
}

static void put_scores(inf_json_writer *w, const struct parts *p)
{
    inf_field f, value;
    inf_json_key(w, "scores");
    inf_json_begin_array(w);
    for (inf_fields fields = p->fields; inf_fields_next(&fields, &f);) {
        if (f.tag != INF_TAG_SCORE)
            continue;
        inf_fields in = inf_fields_in(&f);
        inf_json_begin_object(w);
        put_text_if(w, in, INF_TAG_NAME, "name");
        if (inf_fields_find(in, INF_TAG_VALUE, &value)) {
            inf_json_key(w, "value");
            inf_json_put_double(w, inf_field_double(&value));
        }
        put_text_if(w, in, INF_TAG_MESSAGE, "comment");
        inf_json_end_object(w);
    }
    inf_json_end_array(w);
}

const char *inf_native_status(uint8_t status)
{
    switch (status) {
    case INF_STATUS_RUNNING:
        return "running";
    case INF_STATUS_ERROR:
        return "error";
    case INF_STATUS_INTERRUPTED:
        return "interrupted";
    default:
        return "ok";
    }
}

/* The batch wire's members. The widest ones come last, so that a header may end before them. */
static void put_identity(inf_json_writer *w, const struct parts *p)
{
    char hex[33];
    char date[INF_RFC3339_SIZE];
    inf_id_hex(p->head->trace_id, hex);
    inf_json_key(w, "trace_id");
    inf_json_put_text(w, hex);
    if (!inf_id_is_zero(p->head->parent_id)) {
        inf_id_hex(p->head->parent_id, hex);
        inf_json_key(w, "parent_id");
        inf_json_put_text(w, hex);
    }
    inf_json_key(w, "status");
    inf_json_put_text(w, inf_native_status(p->head->status));
    inf_rfc3339(p->head->started_ns, 9, date);
    inf_json_key(w, "started_at");
    inf_json_put_text(w, date);
    inf_json_key(w, "duration_ns");
    inf_json_put_u64(w, p->head->duration_ns);
}

static void put_session(inf_json_writer *w, const struct parts *p)
{
    if (!put_raw(w, p, "session_id") && has(&p->session_id))
        text(w, "session_id", &p->session_id);
    if (!put_raw(w, p, "user_id") && has(&p->user_id))
        text(w, "user_id", &p->user_id);
}

static void put_tags(inf_json_writer *w, const struct parts *p)
{
    if (put_raw(w, p, "tags") || p->tags == 0)
        return;
    inf_json_key(w, "tags");
    inf_json_begin_array(w);
    inf_field f;
    for (inf_fields fields = p->fields; inf_fields_next(&fields, &f);)
        if (f.tag == INF_TAG_TAG)
            inf_json_put_string(w, f.data, f.length);
    inf_json_end_array(w);
}

static void put_all_scores(inf_json_writer *w, const struct parts *p)
{
    if (!put_raw(w, p, "scores") && p->scores > 0)
        put_scores(w, p);
}

static void put_metadata(inf_json_writer *w, const struct parts *p)
{
    if (!put_raw(w, p, "metadata") && has(&p->metadata)) {
        inf_json_key(w, "metadata");
        raw(w, &p->metadata);
    }
}

void inf_native_body(inf_buf *out, const inf_record_head *head, inf_fields fields, bool with_extras)
{
    struct parts p = {.head = head, .fields = fields, .extras = with_extras};
    gather(&p);
    inf_json_writer writer = inf_json_writer_on(out);
    inf_json_writer *w = &writer;
    inf_json_begin_object(w);
    put_summary(w, &p);
    put_raw(w, &p, "expected_outcome");
    put_steps(w, &p);
    put_errors(w, &p);
    put_usage(w, &p);
    put_raw(w, &p, "sections");
    put_environment(w, &p);
    put_prompts(w, &p);
    if (with_extras) {
        put_identity(w, &p);
        put_tags(w, &p);
        put_session(w, &p);
        put_all_scores(w, &p);
        put_metadata(w, &p);
    }
    put_other_raw(w, &p);
    inf_json_end_object(w);
}

/* Escapes what is not ASCII (it can only be inside strings) and what a header cannot hold. */
static void put_ascii(inf_buf *out, const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint8_t c = text[i];
        if (c < 0x80) {
            inf_buf_put_byte(out, c < 0x20 || c == 0x7f ? ' ' : c);
            i++;
            continue;
        }
        size_t n = inf_utf8_sequence(text + i, length - i);
        if (n < 2) {
            inf_buf_put_text(out, "\\ufffd");
            i++;
            continue;
        }
        uint32_t point = c & (0xffu >> (n + 1));
        for (size_t k = 1; k < n; k++)
            point = point << 6 | (text[i + k] & 0x3fu);
        if (point >= 0x10000) {
            point -= 0x10000;
            inf_buf_printf(out, "\\u%04x\\u%04x", 0xd800u + (point >> 10), 0xdc00u + (point & 0x3ffu));
        } else {
            inf_buf_printf(out, "\\u%04x", point);
        }
        i += n;
    }
}

void inf_native_extra(inf_buf *out, const inf_record_head *head, inf_fields fields)
{
    typedef void (*part)(inf_json_writer *, const struct parts *);
    static const part optional[] = {put_session, put_tags, put_all_scores, put_metadata};
    struct parts p = {.head = head, .fields = fields, .extras = true};
    gather(&p);
    size_t start = out->length;
    inf_buf json;
    inf_buf_init(&json, 64 * 1024);
    inf_json_writer w = inf_json_writer_on(&json);
    inf_json_begin_object(&w);
    put_identity(&w, &p);
    put_ascii(out, json.data, json.length);
    for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++) {
        size_t before = out->length;
        inf_buf_reset(&json);
        w = inf_json_writer_on(&json);
        w.comma = true;
        optional[i](&w, &p);
        if (json.error)
            continue; /* far too long for a header */
        put_ascii(out, json.data, json.length);
        if (out->length + 1 - start > INF_EXTRA_HEADER_BYTES)
            out->length = before;
    }
    inf_buf_put_byte(out, '}');
    inf_buf_free(&json);
}

/* Calls of language models and tools, recorded by hand or by a watcher. See infinium.h. */
#include <string.h>

#include "client/calls.h"
#include "client/context.h"
#include "client/text.h"
#include "model/limits.h"

#define SHORT_LIMIT 500

static void add_known(inf_trace *t, uint8_t tag, int64_t value)
{
    if (value > 0)
        inf_trace_add_int(t, tag, value);
}

static void add_error(inf_trace *t, const char *type, const char *message)
{
    if (!type && !message)
        return;
    uint32_t error = inf_trace_group(t, INF_TAG_ERROR);
    inf_text_add_string(t, INF_TAG_ERROR_TYPE, type ? type : "Error", INF_LIMIT_ERROR_TYPE);
    inf_text_add_string(t, INF_TAG_MESSAGE, message, INF_LIMIT_ERROR_MESSAGE);
    inf_trace_group_end(t, error);
}

static uint64_t start_of(const inf_trace *t, int64_t duration_ns)
{
    uint64_t elapsed = inf_trace_elapsed_ns(t);
    uint64_t duration = duration_ns > 0 ? (uint64_t)duration_ns : 0;
    return elapsed > duration ? elapsed - duration : 0;
}

void inf_calls_add_llm(inf_trace *t, const inf_llm_call *call)
{
    uint32_t group = inf_trace_group(t, INF_TAG_LLM_CALL);
    inf_trace_add_int(t, INF_TAG_START, (int64_t)start_of(t, call->latency_ns));
    inf_text_add_string(t, INF_TAG_PROVIDER, call->provider, SHORT_LIMIT);
    inf_text_add_string(t, INF_TAG_MODEL, call->model, SHORT_LIMIT);
    inf_text_add_string(t, INF_TAG_REQUEST_MODEL, call->request_model, SHORT_LIMIT);
    inf_text_add_string(t, INF_TAG_OPERATION, call->operation, SHORT_LIMIT);
    inf_text_add_string(t, INF_TAG_RESPONSE_ID, call->response_id, SHORT_LIMIT);
    inf_text_add_string(t, INF_TAG_FINISH_REASON, call->finish_reason, SHORT_LIMIT);
    add_known(t, INF_TAG_PROMPT_TOKENS, call->prompt_tokens);
    add_known(t, INF_TAG_COMPLETION_TOKENS, call->completion_tokens);
    add_known(t, INF_TAG_CACHED_TOKENS, call->cached_tokens);
    add_known(t, INF_TAG_CACHE_WRITE_TOKENS, call->cache_write_tokens);
    add_known(t, INF_TAG_REASONING_TOKENS, call->reasoning_tokens);
    add_known(t, INF_TAG_MAX_TOKENS, call->max_tokens);
    add_known(t, INF_TAG_DURATION, call->latency_ns);
    add_known(t, INF_TAG_TIME_TO_FIRST_CHUNK, call->time_to_first_chunk_ns);
    add_known(t, INF_TAG_STREAM, call->stream != 0);
    if (call->has_temperature)
        inf_trace_add_double(t, INF_TAG_TEMPERATURE, call->temperature);
    inf_text_add_string(t, INF_TAG_PURPOSE, call->purpose, SHORT_LIMIT);
    inf_text_add_string(t, INF_TAG_INPUT, call->input_preview, INF_LIMIT_LLM_INPUT);
    inf_text_add_string(t, INF_TAG_OUTPUT, call->output_preview, INF_LIMIT_LLM_OUTPUT);
    add_error(t, call->error_type, call->error_message);
    inf_trace_group_end(t, group);
    inf_trace_publish(t);
}

static void add_tool_call(inf_trace *to, const inf_tool_call *call)
{
    uint32_t group = inf_trace_group(to, INF_TAG_TOOL_CALL);
    inf_text_add_string(to, INF_TAG_NAME, call->name, SHORT_LIMIT);
    add_known(to, INF_TAG_DURATION, call->duration_ns);
    inf_text_add_string(to, INF_TAG_INPUT, call->input, INF_LIMIT_STEP_PREVIEW);
    inf_text_add_string(to, INF_TAG_OUTPUT, call->output, INF_LIMIT_STEP_PREVIEW);
    add_error(to, call->error_type, call->error_message);
    add_known(to, INF_TAG_HTTP_STATUS, call->http_status);
    inf_trace_group_end(to, group);
}

void inf_record_llm_call_sized(const inf_llm_call *call, size_t size)
{
    inf_llm_call whole = {0};
    inf_trace *t = call ? inf_context_use() : NULL;
    if (!t)
        return;
    memcpy(&whole, call, size < sizeof(whole) ? size : sizeof(whole));
    inf_calls_add_llm(t, &whole);
    inf_context_unlock(t);
}

void inf_record_tool_call_sized(const inf_tool_call *call, size_t size)
{
    inf_tool_call whole = {0};
    inf_trace *t = call ? inf_context_use() : NULL;
    if (!t)
        return;
    memcpy(&whole, call, size < sizeof(whole) ? size : sizeof(whole));
    inf_step *step = inf_context_step();
    if (step && step->trace == t && !step->ended && !step->has_tool_call) {
        step->has_tool_call = true;
        add_tool_call(step->fields, &whole);
    } else {
        uint32_t group = inf_trace_group(t, INF_TAG_STEP);
        inf_trace_add_text(t, INF_TAG_ACTION, "tool_call", 9);
        inf_text_add_string(t, INF_TAG_DESCRIPTION, whole.name, SHORT_LIMIT);
        inf_trace_add_int(t, INF_TAG_START, (int64_t)start_of(t, whole.duration_ns));
        add_known(t, INF_TAG_DURATION, whole.duration_ns);
        add_tool_call(t, &whole);
        inf_trace_group_end(t, group);
        inf_trace_publish(t);
    }
    inf_context_unlock(t);
}

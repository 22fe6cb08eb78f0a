/* What an answer, or the events of a stream, say: who answered, how many tokens, why it ended, what went wrong. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "infinium.h"
#include "watch/call.h"
#include "watch/take.h"

void inf_take_name(char to[INF_CALL_NAME], const char *text, size_t length)
{
    if (length == 0)
        return;
    length = inf_utf8_floor(text, length, INF_CALL_NAME - 1);
    memcpy(to, text, length);
    to[length] = '\0';
}

void inf_take_member(char to[INF_CALL_NAME], inf_json_value object, const char *key)
{
    const char *text;
    size_t length;
    if (inf_json_get_string(object, key, &text, &length))
        inf_take_name(to, text, length);
}

void inf_take_text(inf_buf *out, const char *text, size_t length)
{
    size_t left = out->limit - out->length;
    inf_buf_put(out, text, length > left ? inf_utf8_floor(text, length, left) : length);
}

bool inf_take_count(int64_t *to, inf_json_value object, const char *key)
{
    int64_t count;
    if (!inf_json_get_i64(object, key, &count) || count < 0)
        return false;
    *to = count;
    return true;
}

static bool first_of(inf_json_value object, const char *key, inf_json_value *out)
{
    inf_json_value array;
    if (!inf_json_get(object, key, &array) || inf_json_type(array) != INF_JSON_ARRAY)
        return false;
    inf_json_iterator i = inf_json_iterate(array);
    if (!inf_json_next(&i))
        return false;
    *out = i.value;
    return true;
}

static void put_output(inf_call *call, inf_json_value object, const char *key)
{
    const char *text;
    size_t length;
    if (call->content && inf_json_get_string(object, key, &text, &length))
        inf_take_text(&call->output, text, length);
}

/* The texts of an array of parts. */
static void put_parts(inf_call *call, inf_json_value object, const char *key)
{
    inf_json_value parts;
    if (!call->content || !inf_json_get(object, key, &parts) || inf_json_type(parts) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(parts);
    while (inf_json_next(&i))
        put_output(call, i.value, "text");
}

/* {"error": {...}} as all three providers write it, or {"error": "text"}. */
static void take_error(inf_call *call, inf_json_value root)
{
    inf_json_value error;
    const char *text;
    size_t length;
    if (!inf_json_get(root, "error", &error) || inf_json_type(error) == INF_JSON_NULL)
        return;
    if (inf_json_type(error) == INF_JSON_OBJECT) {
        inf_take_member(call->error_type, error, "status"); /* Google's word for it */
        inf_take_member(call->error_type, error, "type");
        if (!inf_json_get_string(error, "message", &text, &length))
            length = 0;
    } else if (!inf_json_as_string(error, &text, &length)) {
        length = 0;
    }
    if (!call->error_type[0])
        inf_take_name(call->error_type, "error", 5);
    if (length > 0) {
        length = inf_utf8_floor(text, length, sizeof(call->error_message) - 1);
        memcpy(call->error_message, text, length);
        call->error_message[length] = '\0';
    }
}

static void take_openai_usage(inf_call *call, inf_json_value root)
{
    inf_json_value usage, details;
    if (!inf_json_get(root, "usage", &usage) || inf_json_type(usage) != INF_JSON_OBJECT)
        return;
    if (!inf_take_count(&call->prompt_tokens, usage, "prompt_tokens"))
        (void)inf_take_count(&call->prompt_tokens, usage, "input_tokens");
    if (!inf_take_count(&call->completion_tokens, usage, "completion_tokens"))
        (void)inf_take_count(&call->completion_tokens, usage, "output_tokens");
    if (inf_json_get(usage, "prompt_tokens_details", &details) || inf_json_get(usage, "input_tokens_details", &details))
        (void)inf_take_count(&call->cached_tokens, details, "cached_tokens");
    if (inf_json_get(usage, "completion_tokens_details", &details) ||
        inf_json_get(usage, "output_tokens_details", &details))
        (void)inf_take_count(&call->reasoning_tokens, details, "reasoning_tokens");
}

/* An answer of /chat/completions and its like, or one chunk of it. */
static void take_openai(inf_call *call, inf_json_value root)
{
    inf_json_value choice, message;
    inf_take_member(call->model, root, "model");
    inf_take_member(call->response_id, root, "id");
    take_openai_usage(call, root);
    if (!first_of(root, "choices", &choice))
        return;
    inf_take_member(call->finish_reason, choice, "finish_reason");
    if (inf_json_get(choice, "message", &message) || inf_json_get(choice, "delta", &message))
        put_output(call, message, "content");
    else
        put_output(call, choice, "text");
}

/* A whole object of /responses. */
static void take_response(inf_call *call, inf_json_value root, bool with_text)
{
    inf_json_value output;
    inf_take_member(call->model, root, "model");
    inf_take_member(call->response_id, root, "id");
    inf_take_member(call->finish_reason, root, "status");
    take_openai_usage(call, root);
    take_error(call, root);
    if (!with_text || !inf_json_get(root, "output", &output) || inf_json_type(output) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(output);
    while (inf_json_next(&i))
        put_parts(call, i.value, "content");
}

/* Anthropic's input tokens are without the cached ones; ours are with them. */
static void take_anthropic_usage(inf_call *call, inf_json_value object)
{
    inf_json_value usage, details;
    if (!inf_json_get(object, "usage", &usage) || inf_json_type(usage) != INF_JSON_OBJECT)
        return;
    (void)inf_take_count(&call->uncached_tokens, usage, "input_tokens");
    (void)inf_take_count(&call->cached_tokens, usage, "cache_read_input_tokens");
    (void)inf_take_count(&call->cache_write_tokens, usage, "cache_creation_input_tokens");
    (void)inf_take_count(&call->completion_tokens, usage, "output_tokens");
    if (inf_json_get(usage, "output_tokens_details", &details))
        (void)inf_take_count(&call->reasoning_tokens, details, "thinking_tokens");
    call->prompt_tokens =
        (int64_t)((uint64_t)call->uncached_tokens + (uint64_t)call->cached_tokens + (uint64_t)call->cache_write_tokens);
}

static void take_message(inf_call *call, inf_json_value message)
{
    inf_take_member(call->model, message, "model");
    inf_take_member(call->response_id, message, "id");
    inf_take_member(call->finish_reason, message, "stop_reason");
    take_anthropic_usage(call, message);
    put_parts(call, message, "content");
}

/* Whole, or one chunk; the counts of a chunk are those so far. */
static void take_google(inf_call *call, inf_json_value root)
{
    inf_json_value usage, candidate, content;
    inf_take_member(call->model, root, "modelVersion");
    inf_take_member(call->response_id, root, "responseId");
    take_error(call, root);
    if (inf_json_get(root, "usageMetadata", &usage)) {
        int64_t tools = 0, answer = 0, thoughts = 0;
        if (inf_take_count(&call->prompt_tokens, usage, "promptTokenCount") &&
            inf_take_count(&tools, usage, "toolUsePromptTokenCount"))
            call->prompt_tokens = (int64_t)((uint64_t)call->prompt_tokens + (uint64_t)tools);
        bool counted = inf_take_count(&answer, usage, "candidatesTokenCount");
        counted |= inf_take_count(&thoughts, usage, "thoughtsTokenCount");
        if (counted)
            call->completion_tokens = (int64_t)((uint64_t)answer + (uint64_t)thoughts);
        if (thoughts > 0)
            call->reasoning_tokens = thoughts;
        (void)inf_take_count(&call->cached_tokens, usage, "cachedContentTokenCount");
    }
    if (!first_of(root, "candidates", &candidate))
        return;
    inf_take_member(call->finish_reason, candidate, "finishReason");
    if (inf_json_get(candidate, "content", &content))
        put_parts(call, content, "parts");
}

static void take_whole(inf_call *call, inf_json_value root)
{
    take_error(call, root);
    if (call->style == INF_STYLE_OPENAI)
        take_openai(call, root);
    else if (call->style == INF_STYLE_RESPONSES)
        take_response(call, root, true);
    else if (call->style == INF_STYLE_ANTHROPIC)
        take_message(call, root);
    else if (call->style == INF_STYLE_GOOGLE)
        take_google(call, root);
}

void inf_call_answer(inf_call *call, inf_json *parser, const void *body, size_t length)
{
    inf_json_value root;
    if (length == 0 || inf_json_parse(parser, body, length, 0, &root) != INF_OK)
        return;
    if (inf_json_type(root) == INF_JSON_ARRAY) { /* Google's stream without server-sent events */
        inf_json_iterator i = inf_json_iterate(root);
        while (inf_json_next(&i))
            take_whole(call, i.value);
        return;
    }
    take_whole(call, root);
}

static bool type_is(inf_json_value root, const char *expected)
{
    const char *type;
    size_t length;
    return inf_json_get_string(root, "type", &type, &length) && strcmp(type, expected) == 0;
}

static void take_response_event(inf_call *call, inf_json_value root)
{
    inf_json_value response;
    if (type_is(root, "response.output_text.delta")) {
        put_output(call, root, "delta");
    } else if (inf_json_get(root, "response", &response)) {
        take_response(call, response, false); /* the text has come in pieces */
        call->complete |= type_is(root, "response.completed") || type_is(root, "response.failed") ||
                          type_is(root, "response.incomplete");
    } else if (type_is(root, "error")) {
        const char *text;
        size_t length;
        inf_take_name(call->error_type, "error", 5);
        inf_take_member(call->error_type, root, "code");
        if (inf_json_get_string(root, "message", &text, &length))
            snprintf(call->error_message, sizeof(call->error_message), "%s", text);
    }
}

static void take_message_event(inf_call *call, inf_json_value root)
{
    inf_json_value inner;
    if (type_is(root, "message_start") && inf_json_get(root, "message", &inner)) {
        take_message(call, inner);
    } else if (type_is(root, "content_block_delta") && inf_json_get(root, "delta", &inner)) {
        put_output(call, inner, "text");
    } else if (type_is(root, "message_delta")) {
        take_anthropic_usage(call, root);
        if (inf_json_get(root, "delta", &inner))
            inf_take_member(call->finish_reason, inner, "stop_reason");
    } else if (type_is(root, "message_stop")) {
        call->complete = true;
    }
}

void inf_call_event(inf_call *call, inf_json *parser, const void *data, size_t length)
{
    inf_json_value root;
    if (length == 6 && memcmp(data, "[DONE]", 6) == 0) {
        call->complete = true;
        return;
    }
    if (inf_json_parse(parser, data, length, 0, &root) != INF_OK || inf_json_type(root) != INF_JSON_OBJECT)
        return;
    if (call->style != INF_STYLE_RESPONSES)
        take_error(call, root);
    if (call->style == INF_STYLE_OPENAI)
        take_openai(call, root);
    else if (call->style == INF_STYLE_RESPONSES)
        take_response_event(call, root);
    else if (call->style == INF_STYLE_ANTHROPIC)
        take_message_event(call, root);
    else if (call->style == INF_STYLE_GOOGLE)
        take_google(call, root);
}

void inf_call_init(inf_call *call)
{
    memset(call, 0, sizeof(*call));
    inf_buf_init(&call->input, INF_CALL_INPUT_BYTES);
    inf_buf_init(&call->output, INF_CALL_OUTPUT_BYTES);
}

void inf_call_free(inf_call *call)
{
    inf_buf_free(&call->input);
    inf_buf_free(&call->output);
}

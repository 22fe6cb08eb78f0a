/* What the body of a request says: model, limits, and, when it is wanted, the beginning of what was asked. */
#include <string.h>

#include "infinium.h"
#include "watch/call.h"
#include "watch/take.h"

/* Text, or the texts of an array of parts, appended to the preview. */
static void put_content(inf_buf *out, inf_json_value content)
{
    const char *text;
    size_t length;
    if (inf_json_as_string(content, &text, &length)) {
        inf_take_text(out, text, length);
        return;
    }
    bool first = true;
    inf_json_iterator i = inf_json_iterate(content);
    if (inf_json_type(content) != INF_JSON_ARRAY)
        return;
    while (inf_json_next(&i)) {
        if (!inf_json_get_string(i.value, "text", &text, &length))
            continue;
        if (!first)
            inf_take_text(out, " ", 1);
        first = false;
        inf_take_text(out, text, length);
    }
}

static void put_message(inf_buf *out, const char *role, size_t role_length, inf_json_value content)
{
    if (out->length > 0)
        inf_take_text(out, "\n", 1);
    inf_take_text(out, "[", 1);
    inf_take_text(out, role, role_length);
    inf_take_text(out, "] ", 2);
    put_content(out, content);
}

/* The last two messages; of OpenAI's, those of the system and the user. */
static void put_messages(inf_call *call, inf_json_value messages, bool all_roles)
{
    inf_json_value last[2];
    unsigned count = 0;
    inf_json_iterator i = inf_json_iterate(messages);
    if (inf_json_type(messages) != INF_JSON_ARRAY)
        return;
    while (inf_json_next(&i)) {
        const char *role;
        size_t length;
        if (!inf_json_get_string(i.value, "role", &role, &length))
            continue;
        if (!all_roles && strcmp(role, "system") != 0 && strcmp(role, "user") != 0)
            continue;
        if (count == 2)
            last[0] = last[1];
        last[count < 2 ? count++ : 1] = i.value;
    }
    for (unsigned n = 0; n < count; n++) {
        const char *role;
        size_t length;
        inf_json_value content;
        if (inf_json_get_string(last[n], "role", &role, &length) && inf_json_get(last[n], "content", &content))
            put_message(&call->input, role, length, content);
    }
}

static void preview(inf_call *call, inf_json_value root)
{
    inf_json_value v;
    if (call->style == INF_STYLE_GOOGLE) {
        if (!inf_json_get(root, "contents", &v))
            return;
        inf_json_iterator i = inf_json_iterate(v);
        while (inf_json_next(&i)) {
            inf_json_value parts;
            if (call->input.length > 0)
                inf_take_text(&call->input, "\n", 1);
            if (inf_json_get(i.value, "parts", &parts))
                put_content(&call->input, parts);
        }
        return;
    }
    if (call->style == INF_STYLE_ANTHROPIC && inf_json_get(root, "system", &v))
        put_message(&call->input, "system", 6, v);
    if (inf_json_get(root, "messages", &v))
        put_messages(call, v, call->style == INF_STYLE_ANTHROPIC);
    else if (inf_json_get(root, "input", &v) || inf_json_get(root, "prompt", &v))
        put_content(&call->input, v);
}

/* The model of a body that is no whole JSON: the first text after the key. */
static void find_model(inf_call *call, const char *body, size_t length)
{
    static const char key[] = "\"model\"";
    const char *end = body + length;
    const char *p = memmem(body, length, key, sizeof(key) - 1);
    if (!p)
        return;
    p += sizeof(key) - 1;
    while (p < end && (*p == ' ' || *p == ':' || *p == '\n' || *p == '\t'))
        p++;
    if (p == end || *p++ != '"')
        return;
    const char *quote = memchr(p, '"', (size_t)(end - p));
    if (quote && !memchr(p, '\\', (size_t)(quote - p)))
        inf_take_name(call->request_model, p, (size_t)(quote - p));
}

void inf_call_request(inf_call *call, inf_json *parser, const void *body, size_t length)
{
    inf_json_value root, config;
    if (length == 0)
        return;
    if (inf_json_parse(parser, body, length, 0, &root) != INF_OK || inf_json_type(root) != INF_JSON_OBJECT) {
        if (call->style != INF_STYLE_GOOGLE)
            find_model(call, body, length);
        return;
    }
    config = root;
    if (call->style == INF_STYLE_GOOGLE) {
        if (inf_json_get(root, "generationConfig", &config) || inf_json_get(root, "generation_config", &config)) {
            if (!inf_json_get_i64(config, "maxOutputTokens", &call->max_tokens))
                (void)inf_json_get_i64(config, "max_output_tokens", &call->max_tokens);
        }
    } else {
        inf_take_member(call->request_model, root, "model");
        (void)inf_json_get_bool(root, "stream", &call->stream);
        if (!inf_json_get_i64(root, "max_completion_tokens", &call->max_tokens) &&
            !inf_json_get_i64(root, "max_output_tokens", &call->max_tokens))
            (void)inf_json_get_i64(root, "max_tokens", &call->max_tokens);
    }
    call->has_temperature = inf_json_get_double(config, "temperature", &call->temperature);
    if (call->content)
        preview(call, root);
}

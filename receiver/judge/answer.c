/* See answer.h. */
#include "judge/answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define FENCE "```"

/* Copies as much as fits, without NULs, and ends it. */
static void copy(char *out, size_t size, const char *text, size_t length)
{
    size_t n = inf_utf8_floor(text, length, size - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = text[i] ? text[i] : ' ';
    out[n] = 0;
}

static int64_t count_of(inf_json_value object, const char *key)
{
    int64_t n;
    return inf_json_get_i64(object, key, &n) && n >= 0 ? n : -1;
}

static void read_usage(inf_judge_answer *out, inf_json_value root)
{
    inf_json_value usage, details;
    const char *model;
    size_t length;
    if (inf_json_get_string(root, "model", &model, &length))
        copy(out->model, sizeof out->model, model, length);
    if (!inf_json_get(root, "usage", &usage))
        return;
    out->prompt_tokens = count_of(usage, "prompt_tokens");
    out->completion_tokens = count_of(usage, "completion_tokens");
    if (inf_json_get(usage, "prompt_tokens_details", &details))
        out->cached_tokens = count_of(details, "cached_tokens");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && is_space((*text)[0])) {
        ++*text;
        --*length;
    }
    while (*length > 0 && is_space((*text)[*length - 1]))
        --*length;
}

/* Models like to put JSON between two lines of three back quotes, whatever they are told. */
static void unfence(const char **text, size_t *length)
{
    size_t fence = strlen(FENCE);
    trim(text, length);
    if (*length < 2 * fence + 1 || memcmp(*text, FENCE, fence) != 0 ||
        memcmp(*text + *length - fence, FENCE, fence) != 0)
        return;
    const char *line = memchr(*text, '\n', *length);
    if (!line || (size_t)(line - *text) + fence >= *length)
        return;
    *length -= (size_t)(line + 1 - *text) + fence;
    *text = line + 1;
    trim(text, length);
}

static bool read_verdict(inf_judge_answer *out, inf_json_value root)
{
    const char *text;
    size_t length;
    if (inf_json_get_string(root, "verdict", &text, &length))
        for (int i = 0; i < INF_VERDICTS; i++) {
            const char *name = inf_verdict_name((enum inf_verdict)i);
            if (strlen(name) == length && memcmp(name, text, length) == 0) {
                out->verdict = (enum inf_verdict)i;
                return true;
            }
        }
    return false;
}

static void fail(inf_judge_answer *out, const char *why, const char *said, size_t length)
{
    char quoted[160];
    copy(quoted, sizeof quoted, said, length);
    snprintf(out->error, sizeof out->error, *quoted ? "%s: %s" : "%s", why, quoted);
}

static void read_judgement(inf_judge_answer *out, inf_json *parser, const char *said, size_t said_length)
{
    inf_json_value root;
    const char *text = said;
    size_t length = said_length;
    unfence(&text, &length);
    if (inf_json_parse(parser, text, length, 0, &root) < 0)
        fail(out, "the model's answer is no JSON", said, said_length);
    else if (inf_json_type(root) != INF_JSON_OBJECT)
        fail(out, "the model's answer is no JSON object", said, said_length);
    else if (!read_verdict(out, root))
        fail(out, "the model's answer has no verdict that is pass, fail or unsure", said, said_length);
    else if (!inf_json_get_double(root, "score", &out->score) || !isfinite(out->score) || out->score < 0 ||
             out->score > 1)
        fail(out, "the model's answer has no score from 0 to 1", said, said_length);
    else if (!inf_json_get_string(root, "reason", &text, &length))
        fail(out, "the model's answer has no reason", said, said_length);
    else
        copy(out->reason, sizeof out->reason, text, length);
}

/* The first choice's message. */
static bool find_message(inf_json_value root, inf_json_value *choice, inf_json_value *message)
{
    inf_json_value choices;
    if (!inf_json_get(root, "choices", &choices) || inf_json_type(choices) != INF_JSON_ARRAY)
        return false;
    inf_json_iterator i = inf_json_iterate(choices);
    if (!inf_json_next(&i))
        return false;
    *choice = i.value;
    return inf_json_get(i.value, "message", message);
}

void inf_judge_answer_read(inf_judge_answer *out, inf_json *outer, inf_json *inner, const void *body, size_t length)
{
    inf_json_value root, choice, message;
    const char *text;
    size_t n;
    memset(out, 0, sizeof *out);
    out->prompt_tokens = out->completion_tokens = out->cached_tokens = -1;
    if (inf_json_parse(outer, body, length, 0, &root) < 0) {
        fail(out, "the API's answer is no JSON", "", 0);
        return;
    }
    read_usage(out, root);
    if (!find_message(root, &choice, &message))
        fail(out, "the API's answer has no choices[0].message", "", 0);
    else if (inf_json_get_string(message, "refusal", &text, &n) && n > 0)
        fail(out, "the model refused", text, n);
    else if (inf_json_get_string(choice, "finish_reason", &text, &n) && n == 6 && memcmp(text, "length", 6) == 0)
        fail(out, "the model's answer was cut: it came to the most tokens that it may have", "", 0);
    else if (!inf_json_get_string(message, "content", &text, &n) || n == 0)
        fail(out, "the model's answer is empty", "", 0);
    else
        read_judgement(out, inner, text, n);
}

void inf_judge_error_read(char *out, size_t size, inf_json *parser, long status, const void *body, size_t length)
{
    inf_json_value root, error;
    const char *text;
    size_t n;
    int used = snprintf(out, size, "HTTP %ld", status);
    if (length == 0 || inf_json_parse(parser, body, length, 0, &root) < 0 || !inf_json_get(root, "error", &error))
        return;
    if (!inf_json_get_string(error, "message", &text, &n) && !inf_json_as_string(error, &text, &n))
        return;
    if (used > 0 && (size_t)used + 3 < size && n > 0) {
        memcpy(out + used, ": ", 2);
        copy(out + used + 2, size - (size_t)used - 2 < 300 ? size - (size_t)used - 2 : 300, text, n);
    }
}

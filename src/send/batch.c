/* See batch.h. */
#include "send/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zstd.h>

#include "base/json_read.h"
#include "base/utf8.h"
#include "infinium.h"

#define LEVEL 1 /* the sender shares its processor with the program */
#define MAX_OFFER_BYTES (64u << 20)
#define MAX_OFFER_RATE 1000u

static uint32_t number(const char *text, size_t length)
{
    uint64_t value = 0;
    if (length == 0)
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (uint64_t)(text[i] - '0');
        if (value > UINT32_MAX)
            return UINT32_MAX;
    }
    return (uint32_t)value;
}

static bool contains(const char *list, size_t length, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= length; i++)
        if (strncasecmp(list + i, word, n) == 0 && (i == 0 || list[i - 1] == ',' || list[i - 1] == ' ') &&
            (i + n == length || list[i + n] == ',' || list[i + n] == ' '))
            return true;
    return false;
}

bool inf_batch_parse_offer(const char *value, inf_batch_offer *out)
{
    *out = (inf_batch_offer){0};
    while (*value) {
        value += strspn(value, "; \t");
        size_t length = strcspn(value, ";");
        const char *equals = memchr(value, '=', length);
        if (equals) {
            size_t key = (size_t)(equals - value);
            const char *right = equals + 1;
            size_t n = length - key - 1;
            while (n > 0 && (right[n - 1] == ' ' || right[n - 1] == '\t'))
                n--;
            if (key == 10 && strncasecmp(value, "max_traces", key) == 0)
                out->max_traces = number(right, n);
            else if (key == 9 && strncasecmp(value, "max_bytes", key) == 0)
                out->max_bytes = number(right, n);
            else if (key == 4 && strncasecmp(value, "rate", key) == 0)
                out->rate = number(right, n);
            else if (key == 9 && strncasecmp(value, "encodings", key) == 0)
                out->zstd = contains(right, n, "zstd");
            else if (key == 5 && strncasecmp(value, "extra", key) == 0)
                out->extra = number(right, n) == 1;
        }
        value += length;
    }
    if (out->max_bytes > MAX_OFFER_BYTES)
        out->max_bytes = MAX_OFFER_BYTES;
    if (out->rate > MAX_OFFER_RATE)
        out->rate = MAX_OFFER_RATE;
    return out->max_traces > 0 && out->max_bytes > 0;
}

int inf_batch_compress(void **context, inf_buf *out, const void *body, size_t length)
{
    if (!*context && !(*context = ZSTD_createCCtx()))
        return INF_ENOMEM;
    inf_buf_reset(out);
    size_t bound = ZSTD_compressBound(length);
    if (inf_buf_reserve(out, bound))
        return out->error;
    size_t n = ZSTD_compressCCtx(*context, out->data, bound, body, length, LEVEL);
    if (ZSTD_isError(n))
        return INF_ENOMEM;
    out->length = n;
    return INF_OK;
}

void inf_batch_free_context(void *context)
{
    ZSTD_freeCCtx(context);
}

static void copy_text(char *out, size_t size, const char *text, size_t length)
{
    length = inf_utf8_floor(text, length, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

int inf_batch_each_rejected(const void *answer, size_t length, size_t count,
                            void (*refused)(void *context, size_t index, const char *reason), void *context)
{
    inf_json *parser = inf_json_new();
    inf_json_value root, list;
    int error = parser ? inf_json_parse(parser, answer, length, 0, &root) : INF_ENOMEM;
    if (error == INF_OK && inf_json_get(root, "rejected", &list) && inf_json_type(list) == INF_JSON_ARRAY) {
        inf_json_iterator i = inf_json_iterate(list);
        while (inf_json_next(&i)) {
            int64_t index;
            const char *text;
            size_t n;
            char reason[512] = "refused";
            if (!inf_json_get_i64(i.value, "index", &index) || index < 0 || (uint64_t)index >= count)
                continue;
            if (inf_json_get_string(i.value, "error", &text, &n))
                copy_text(reason, sizeof(reason), text, n);
            refused(context, (size_t)index, reason);
        }
    }
    inf_json_free(parser);
    return error == INF_ENOMEM ? error : INF_OK;
}

void inf_answer_reason(const void *answer, size_t length, long status, char *out, size_t size)
{
    inf_json *parser = inf_json_new();
    inf_json_value root;
    const char *text;
    size_t n;
    if (parser && length > 0 && inf_json_parse(parser, answer, length, 0, &root) == 0 &&
        inf_json_get_string(root, "error", &text, &n) && n > 0)
        copy_text(out, size, text, n);
    else
        snprintf(out, size, "HTTP %ld", status);
    inf_json_free(parser);
}

/* What the examples share: one question to a chat model over libcurl. Nothing here knows of tracing: the handle that it
 * is given is watched or not.
 *
 * With OPENAI_BASE_URL (and OPENAI_API_KEY) the model is asked there; without it, there is none. */
#ifndef EXAMPLES_CHAT_H
#define EXAMPLES_CHAT_H

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAT_MODEL "gpt-4o"

struct chat_text {
    char bytes[65536];
    size_t length;
};

static inline size_t chat_take(char *data, size_t size, size_t count, void *context)
{
    struct chat_text *t = context;
    size_t length = size * count;
    if (length > sizeof(t->bytes) - 1 - t->length)
        return 0; /* too long: the transfer fails */
    memcpy(t->bytes + t->length, data, length);
    t->length += length;
    t->bytes[t->length] = '\0';
    return length;
}

/* Just enough JSON for these questions and answers. A program would use a JSON library. */
static inline void chat_put(char *to, size_t size, const char *text)
{
    size_t n = strlen(to);
    for (; *text && n + 7 < size; text++) {
        if (*text == '"' || *text == '\\')
            to[n++] = '\\';
        to[n++] = (unsigned char)*text < 0x20 ? ' ' : *text;
    }
    to[n] = '\0';
}

/* Appends {"role":"...","content":"..." and what follows it. */
static inline void chat_message(char *to, size_t size, const char *role, const char *text, const char *after)
{
    size_t n = strlen(to);
    snprintf(to + n, size - n, "{\"role\":\"%s\",\"content\":\"", role);
    chat_put(to, size - 16, text);
    n = strlen(to);
    snprintf(to + n, size - n, "\"%s", after);
}

static inline int chat_content(const char *json, char *out, size_t size)
{
    const char *p = strstr(json, "\"content\"");
    size_t n = 0;
    p = p ? strchr(p + 9, ':') : NULL;
    p = p ? strchr(p, '"') : NULL;
    if (!p)
        return -1;
    for (p++; *p && *p != '"' && n + 1 < size; p++) {
        if (*p == '\\' && p[1])
            p++;
        out[n++] = *p;
    }
    out[n] = '\0';
    return 0;
}

/* The number behind the first "key": in the text, or 0. */
static inline long chat_number(const char *json, const char *key)
{
    const char *p = strstr(json, key);
    p = p ? strchr(p, ':') : NULL;
    return p ? strtol(p + 1, NULL, 10) : 0;
}

/* What the answer says that it used. */
struct chat_usage {
    long prompt_tokens, completion_tokens;
};

/* Asks with `curl` and writes the answer's text to `out`. 0, or -1 with the reason in `out`. `system` and `usage` may
 * be NULL. */
static inline int chat_ask(CURL *curl, const char *system, const char *user, char *out, size_t size,
                           struct chat_usage *usage)
{
    static struct chat_text answer;
    char url[512], authorization[512], error[CURL_ERROR_SIZE] = "";
    char request[8192] = "{\"model\":\"" CHAT_MODEL "\",\"max_tokens\":256,\"messages\":[";
    const char *base = getenv("OPENAI_BASE_URL"), *key = getenv("OPENAI_API_KEY");
    long status = 0;
    snprintf(out, size, "no model: OPENAI_BASE_URL is not set");
    if (!base || !curl)
        return -1;
    if (system)
        chat_message(request, sizeof(request) / 2, "system", system, "},");
    chat_message(request, sizeof(request), "user", user, "}]}");
    snprintf(url, sizeof(url), "%s/chat/completions", base);
    snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", key ? key : "none");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, authorization);
    answer.length = 0;
    answer.bytes[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, chat_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (code == CURLE_OK && status == 200 && chat_content(answer.bytes, out, size) == 0) {
        if (usage)
            *usage = (struct chat_usage){chat_number(answer.bytes, "\"prompt_tokens\""),
                                         chat_number(answer.bytes, "\"completion_tokens\"")};
        return 0;
    }
    if (code != CURLE_OK)
        snprintf(out, size, "%s", error[0] ? error : curl_easy_strerror(code));
    else
        snprintf(out, size, "status %ld", status);
    return -1;
}

#endif

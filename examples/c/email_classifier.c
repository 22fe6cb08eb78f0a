/* The email classifier in C: a block under INF_TRACE is a trace, with its call of a language model recorded in it.
 *
 * Needs INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET and INFINIUM_BASE_URL. With OPENAI_BASE_URL (and OPENAI_API_KEY) the
 * model is asked over HTTP; without it, a line of this program stands in for the model. */
#include <curl/curl.h>
#include <infinium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MODEL "gpt-4o"

struct text {
    char bytes[65536];
    size_t length;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct text *t = context;
    size_t length = size * count;
    if (length > sizeof(t->bytes) - 1 - t->length)
        return 0; /* too long: the transfer fails */
    memcpy(t->bytes + t->length, data, length);
    t->length += length;
    t->bytes[t->length] = '\0';
    return length;
}

/* Just enough JSON for this answer: the text or the number behind a key. A program would use a JSON library. */
static void member_text(const char *json, const char *key, char *out, size_t size)
{
    const char *p = strstr(json, key);
    size_t n = 0;
    p = p ? strchr(p + strlen(key), ':') : NULL;
    p = p ? strchr(p, '"') : NULL;
    for (p = p ? p + 1 : ""; *p && *p != '"' && n + 1 < size; p++) {
        if (*p == '\\' && p[1])
            p++;
        out[n++] = *p;
    }
    out[n] = '\0';
}

static int64_t member_number(const char *json, const char *key)
{
    const char *p = strstr(json, key);
    p = p ? strchr(p + strlen(key), ':') : NULL;
    return p ? strtoll(p + 1, NULL, 10) : 0;
}

/* Asks the model and records the call. 0 and the label, or -1. */
static int ask_model(const char *email, char *label, size_t size)
{
    static struct text answer;
    char url[512], authorization[512], request[4096], error[CURL_ERROR_SIZE] = "";
    const char *base = getenv("OPENAI_BASE_URL"), *key = getenv("OPENAI_API_KEY");
    inf_llm_call call = {.provider = "openai", .model = MODEL, .input_preview = email};
    int64_t start = now_ns();
    int result = 0;
    if (!base) {
        snprintf(label, size, "{\"label\": \"%s\"}", strstr(email, "charged") ? "billing" : "other");
    } else {
        CURL *curl = curl_easy_init();
        struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
        long status = 0;
        answer.length = 0;
        answer.bytes[0] = '\0';
        snprintf(url, sizeof(url), "%s/chat/completions", base);
        snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", key ? key : "none");
        headers = curl_slist_append(headers, authorization);
        snprintf(request, sizeof(request),
                 "{\"model\":\"" MODEL
                 "\",\"messages\":[{\"role\":\"system\",\"content\":\"Classify this email. Return "
                 "JSON.\"},{\"role\":\"user\",\"content\":\"%s\"}],\"response_format\":{\"type\":\"json_object\"}}",
                 email);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
        if (curl_easy_perform(curl) != CURLE_OK) {
            call.error_type = "ConnectionError";
            call.error_message = error;
            result = -1;
        } else if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200) {
            call.error_type = "HttpError";
            call.error_message = answer.bytes;
            result = -1;
        } else {
            member_text(answer.bytes, "\"content\"", label, size);
            call.prompt_tokens = member_number(answer.bytes, "\"prompt_tokens\"");
            call.completion_tokens = member_number(answer.bytes, "\"completion_tokens\"");
        }
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
    }
    call.latency_ns = now_ns() - start;
    call.output_preview = result == 0 ? label : NULL;
    inf_record_llm_call(&call);
    return result;
}

static int classify_email(inf_client *client, const char *email)
{
    INF_TRACE(client, "Email Classifier (C)")
    {
        char label[512] = "";
        inf_input("%s", email);
        if (ask_model(email, label, sizeof(label)) != 0) {
            inf_error("ModelError", "the model did not answer");
            return -1; /* the trace ends here as well */
        }
        inf_output("%s", label);
        printf("%s\n", label);
    }
    return 0;
}

int main(void)
{
    static const char *const emails[] = {
        "I was charged twice this month, please refund one payment.",
        "The app crashes when I open the settings.",
        "Could we have a demo for twelve people next week?",
    };
    inf_client *client;
    int failed = 0;
    int error = inf_open(&client, NULL);
    if (error) {
        fprintf(stderr, "email_classifier: %s (INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET)\n", inf_strerror(error));
        return 1;
    }
    for (size_t i = 0; i < sizeof(emails) / sizeof(*emails); i++)
        failed |= classify_email(client, emails[i]) != 0;
    error = inf_close(client, 10000);
    if (error)
        fprintf(stderr, "email_classifier: %s; what is left stays in the journal\n", inf_strerror(error));
    return failed;
}

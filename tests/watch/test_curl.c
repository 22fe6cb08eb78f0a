/* inf_watch_curl(): what a program's calls of models leave in its traces, by every way of driving a transfer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "infinium_curl.h"
#include "watch/model_server.h"

#define CHAT "/v1/chat/completions"
#define SSE "text/event-stream; charset=utf-8"

static const char chat_request[] =
    "{\"model\":\"gpt-4o\",\"temperature\":0,\"max_tokens\":64,\"messages\":[{\"role\":\"system\",\"content\":\"Be "
    "brief.\"},{\"role\":\"assistant\",\"content\":\"never shown\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
    "\"text\":\"Hello \\u00e9\"}]}]}";
static const char stream_request[] = "{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[]}";
static const char claude_request[] = "{\"model\":\"claude-x\",\"max_tokens\":100,\"temperature\":0.5,\"system\":"
                                     "\"Sys\",\"messages\":[{\"role\":\"user\","
                                     "\"content\":\"Hi\"}]}";
static const char gemini_request[] =
    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}],\"generationConfig\":{\"temperature\":0.25,"
    "\"maxOutputTokens\":77}}";

#define CHAT_ANSWER                                                                                                    \
    "{\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2026\",\"choices\":[{\"message\":{\"content\":\"Hello!\"},"             \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":9,\"prompt_tokens_details\":{" \
    "\"cached_tokens\":16},\"completion_tokens_details\":{\"reasoning_tokens\":4}}}"
#define CHAT_STREAM                                                                                                    \
    ": a comment\n\ndata: {\"id\":\"chatcmpl-2\",\"model\":\"gpt-4o-2026\",\"choices\":[{\"delta\":{\"content\":"      \
    "\"Hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo!\"}}]}\r\n\r\ndata: {\"choices\":[{\"delta\":{}," \
    "\"finish_reason\":\"length\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}" \
    "}\n\ndata: [DONE]\n\n"
#define CLAUDE_ANSWER                                                                                                  \
    "{\"id\":\"msg_1\",\"model\":\"claude-x-1\",\"content\":[{\"type\":\"text\",\"text\":\"Good \"},{\"type\":"        \
    "\"text\",\"text\":\"day\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":10,"                         \
    "\"cache_read_input_tokens\":30,\"cache_creation_input_tokens\":2,\"output_tokens\":7}}"
#define CLAUDE_STREAM                                                                                                  \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_2\",\"model\":\"claude-x-1\","  \
    "\"content\":[],\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: "       \
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Good day\"}}\n\nevent: "          \
    "message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{"          \
    "\"output_tokens\":12}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define GEMINI_ANSWER                                                                                                  \
    "{\"responseId\":\"r1\",\"modelVersion\":\"gemini-2\",\"candidates\":[{\"content\":{\"parts\":[{\"text\":"         \
    "\"Hi there\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":8,"                           \
    "\"candidatesTokenCount\":3,\"thoughtsTokenCount\":5,\"cachedContentTokenCount\":4}}"
#define RESPONSES_STREAM                                                                                               \
    "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-5\",\"status\":"             \
    "\"in_progress\"}}\n\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hey\"}\n\ndata: {\"type\":"       \
    "\"response.completed\",\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-5\",\"status\":\"completed\",\"output\":[" \
    "{\"content\":[{\"text\":\"Hey\"}]}],\"usage\":{\"input_tokens\":6,\"output_tokens\":3,\"input_tokens_details\":{" \
    "\"cached_tokens\":2},\"output_tokens_details\":{\"reasoning_tokens\":1}}}}\n\n"

enum {
    CHAT_PLAIN,
    CHAT_CHUNKED,
    CHAT_GZIP,
    CHAT_ZSTD,
    CHAT_BROTLI,
    CHAT_DEFLATE,
    STREAM,
    STREAM_BYTES,
    STREAM_GZIP,
    STREAM_BROKEN,
    ANSWER_BROKEN,
    ERROR_429,
    ERROR_500,
    HANG,
    CLAUDE,
    CLAUDE_EVENTS,
    CLAUDE_ERROR,
    CLAUDE_OVERLOADED,
    GEMINI,
    GEMINI_EVENTS,
    GEMINI_ARRAY,
    RESPONSES,
    GARBAGE,
    NO_LENGTH,
    CASES
};

static const model_case cases[CASES] = {
    [CHAT_PLAIN] = {.body = CHAT_ANSWER},
    [CHAT_CHUNKED] = {.body = CHAT_ANSWER, .piece = 7},
    [CHAT_GZIP] = {.body = CHAT_ANSWER, .coding = MODEL_GZIP},
    [CHAT_ZSTD] = {.body = CHAT_ANSWER, .coding = MODEL_ZSTD, .piece = 16},
    [CHAT_BROTLI] = {.body = CHAT_ANSWER, .coding = MODEL_BROTLI},
    [CHAT_DEFLATE] = {.body = CHAT_ANSWER, .coding = MODEL_DEFLATE},
    [STREAM] = {.type = SSE, .body = CHAT_STREAM, .piece = 150, .first_ms = 30},
    [STREAM_BYTES] = {.type = SSE, .body = CHAT_STREAM, .piece = 1},
    [STREAM_GZIP] = {.type = SSE, .body = CHAT_STREAM, .piece = 10, .coding = MODEL_GZIP},
    [STREAM_BROKEN] = {.type = SSE, .body = CHAT_STREAM, .piece = 60, .break_at = 230},
    [ANSWER_BROKEN] = {.body = CHAT_ANSWER, .break_at = 100},
    [ERROR_429] = {.status = 429,
                   .body = "{\"error\":{\"message\":\"Slow down\",\"type\":\"rate_limit_error\",\"code\":\"x\"}}"},
    [ERROR_500] = {.status = 500, .type = "text/html", .body = "<html>"},
    [HANG] = {.body = "", .hang = 1},
    [CLAUDE] = {.body = CLAUDE_ANSWER, .coding = MODEL_GZIP, .piece = 50},
    [CLAUDE_EVENTS] = {.type = SSE, .body = CLAUDE_STREAM, .piece = 33},
    [CLAUDE_ERROR] = {.status = 400,
                      .body = "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"No\"}}"},
    [CLAUDE_OVERLOADED] = {.type = SSE,
                           .body = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                                   "\"message\":\"Overloaded\"}}\n\n",
                           .piece = 20},
    [GEMINI] = {.body = GEMINI_ANSWER},
    [GEMINI_EVENTS] = {.type = SSE, .body = "data: " GEMINI_ANSWER "\n\n", .piece = 40},
    [GEMINI_ARRAY] = {.body = "[" GEMINI_ANSWER ",\n" GEMINI_ANSWER "]", .piece = 64},
    [RESPONSES] = {.type = SSE, .body = RESPONSES_STREAM, .piece = 25},
    [GARBAGE] = {.body = "{\"usage\":{\"prompt_tokens\":-4,\"completion_tokens\":\"x\"},\"choices\":[7],\"id\":[],"
                         "\"model\":null}"},
    [NO_LENGTH] = {.body = CHAT_ANSWER, .no_length = 1},
};

static model_server *server;

struct received {
    char data[65536];
    size_t length;
};

static size_t keep(char *data, size_t size, size_t count, void *of)
{
    struct received *r = of;
    size_t n = size * count;
    assert_true(r->length + n < sizeof(r->data));
    memcpy(r->data + r->length, data, n);
    r->length += n;
    r->data[r->length] = '\0';
    return n;
}

enum way { EASY, EASY_WRAPPED, MULTI, MULTI_WRAPPED, WAYS };

static void url_of(char *out, size_t size, const char *path, int which)
{
    snprintf(out, size, "http://127.0.0.1:%d%s%ccase=%d", (int)model_server_port(server), path,
             strchr(path, '?') ? '&' : '?', which);
}

static CURLcode drive(CURL *curl, enum way way)
{
    CURLcode code = CURLE_OK;
    if (way == EASY)
        return curl_easy_perform(curl);
    if (way == EASY_WRAPPED)
        return inf_curl_easy_perform(curl);
    CURLM *multi = curl_multi_init();
    CURLMsg *message;
    int running = 1, left;
    curl_multi_add_handle(multi, curl);
    while (running) {
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    while ((message = way == MULTI ? curl_multi_info_read(multi, &left) : inf_curl_multi_info_read(multi, &left)))
        code = message->data.result;
    curl_multi_remove_handle(multi, curl);
    curl_multi_cleanup(multi);
    return code;
}

/* The JSON of a trace in which the call was made; the caller frees it. */
static char *call(const char *path, const char *request, int which, enum way way, unsigned flags, CURLcode *code)
{
    static struct received received;
    char url[256];
    url_of(url, sizeof(url), path, which);
    inf_trace *t = inf_trace_begin(NULL, "watched");
    CURL *curl = inf_watch_curl_with(curl_easy_init(), flags);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    received.length = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, which == HANG ? 200L : 10000L);
    *code = drive(curl, way);
    if (*code == CURLE_OK && which >= 0) /* the program got what it would have got anyway */
        assert_string_equal(received.data, cases[which].body);
    inf_unwatch_curl(curl);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return inf_trace_end_json(t, 1, NULL);
}

#define OPENAI_FACTS                                                                                                   \
    "\"model\":\"gpt-4o-2026\",\"provider\":\"openai\",\"prompt_tokens\":21,\"completion_tokens\":9",                  \
        "\"request_model\":\"gpt-4o\"", "\"response_id\":\"chatcmpl-1\"", "\"finish_reasons\":[\"stop\"]",             \
        "\"cached_tokens\":16", "\"reasoning_tokens\":4", "\"max_tokens\":64", "\"temperature\":0",                    \
        "\"status\":\"ok\""
#define STREAM_FACTS                                                                                                   \
    "\"model\":\"gpt-4o-2026\"", "\"prompt_tokens\":5,\"completion_tokens\":2", "\"finish_reasons\":[\"length\"]",     \
        "\"stream\":true", "\"time_to_first_chunk_ms\":", "\"response_id\":\"chatcmpl-2\""

static const struct expectation {
    int which;
    const char *path;
    const char *request;
    const char *facts[12];
    bool failed;
} expectations[] = {
    {CHAT_PLAIN, CHAT, chat_request, {OPENAI_FACTS}, false},
    {CHAT_CHUNKED, CHAT, chat_request, {OPENAI_FACTS}, false},
    {CHAT_GZIP, CHAT, chat_request, {OPENAI_FACTS}, false},
    {CHAT_ZSTD, CHAT, chat_request, {OPENAI_FACTS}, false},
    {CHAT_BROTLI, CHAT, chat_request, {OPENAI_FACTS}, false},
    {CHAT_DEFLATE, CHAT, chat_request, {OPENAI_FACTS}, false},
    {NO_LENGTH, CHAT, chat_request, {OPENAI_FACTS}, false},
    {STREAM, CHAT, stream_request, {STREAM_FACTS}, false},
    {STREAM_BYTES, CHAT, stream_request, {STREAM_FACTS}, false},
    {STREAM_GZIP, CHAT, stream_request, {STREAM_FACTS}, false},
    {STREAM_BROKEN, CHAT, stream_request, {"\"error_type\":\"CurlError\",\"message\":\"transfer closed"}, true},
    {ANSWER_BROKEN, CHAT, chat_request, {"\"error_type\":\"CurlError\"", "\"request_model\":\"gpt-4o\""}, true},
    {ERROR_429, CHAT, chat_request, {"\"error_type\":\"rate_limit_error\",\"message\":\"Slow down\""}, true},
    {ERROR_500, CHAT, chat_request, {"\"error_type\":\"HttpError\",\"message\":\"status 500\""}, true},
    {HANG, CHAT, chat_request, {"\"error_type\":\"CurlError\",\"message\":\"Operation timed out"}, true},
    {CLAUDE,
     "/v1/messages",
     claude_request,
     {"\"model\":\"claude-x-1\",\"provider\":\"anthropic\",\"prompt_tokens\":42,\"completion_tokens\":7",
      "\"cached_tokens\":30,\"cache_write_tokens\":2", "\"temperature\":0.5", "\"finish_reasons\":[\"end_turn\"]"},
     false},
    {CLAUDE_EVENTS,
     "/v1/messages?beta=true",
     claude_request,
     {"\"prompt_tokens\":10,\"completion_tokens\":12", "\"finish_reasons\":[\"max_tokens\"]",
      "\"response_id\":\"msg_2\""},
     false},
    {CLAUDE_ERROR,
     "/v1/messages",
     claude_request,
     {"\"error_type\":\"invalid_request_error\",\"message\":\"No\""},
     true},
    {CLAUDE_OVERLOADED,
     "/v1/messages",
     claude_request,
     {"\"error_type\":\"overloaded_error\",\"message\":\"Overloaded\""},
     true},
    {GEMINI,
     "/v1beta/models/gemini-x:generateContent",
     gemini_request,
     {"\"model\":\"gemini-2\",\"provider\":\"google\",\"prompt_tokens\":8,\"completion_tokens\":8", "\"max_tokens\":77",
      "\"temperature\":0.25", "\"reasoning_tokens\":5", "\"request_model\":\"gemini-x\"", "\"cached_tokens\":4"},
     false},
    {GEMINI_EVENTS,
     "/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
     gemini_request,
     {"\"prompt_tokens\":8,\"completion_tokens\":8", "\"stream\":true", "\"finish_reasons\":[\"STOP\"]"},
     false},
    {GEMINI_ARRAY,
     "/v1beta/models/gemini-x:streamGenerateContent",
     gemini_request,
     {"\"prompt_tokens\":8,\"completion_tokens\":8", "\"stream\":true"},
     false},
    {RESPONSES,
     "/v1/responses",
     "{\"model\":\"gpt-5\",\"stream\":true,\"input\":\"Hi\",\"max_output_tokens\":9}",
     {"\"model\":\"gpt-5\"", "\"prompt_tokens\":6,\"completion_tokens\":3", "\"finish_reasons\":[\"completed\"]",
      "\"cached_tokens\":2,\"reasoning_tokens\":1", "\"operation\":\"responses\""},
     false},
    {GARBAGE, CHAT, chat_request, {"\"model\":\"gpt-4o\"", "\"api_calls_count\":1"}, false},
};

static void check(const struct expectation *e, enum way way)
{
    CURLcode code;
    if (!model_server_has(cases[e->which].coding))
        return;
    char *json = call(e->path, e->request, e->which, way, 0, &code);
    assert_non_null(json);
    for (int i = 0; i < 12 && e->facts[i]; i++)
        if (!strstr(json, e->facts[i]))
            fail_msg("case %d, way %d: %s is not in %s", e->which, (int)way, e->facts[i], json);
    if ((strstr(json, "\"error_type\"") != NULL) != e->failed || !strstr(json, "\"api_calls_count\":1"))
        fail_msg("case %d, way %d: %s", e->which, (int)way, json);
    /* Without INF_WATCH_CONTENT nothing of what was said is kept. */
    assert_null(strstr(json, "_preview"));
    assert_null(strstr(json, "brief"));
    assert_null(inf_current());
    free(json);
}

static void test_every_answer_by_every_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expectations) / sizeof(*expectations); i++)
        for (enum way way = EASY; way < WAYS; way++)
            check(&expectations[i], way);
}

static void test_content_on_request(void **state)
{
    (void)state;
    static const struct {
        int which;
        const char *path, *request, *input, *output;
    } shown[] = {
        {CHAT_GZIP, CHAT, chat_request, "\"input_preview\":\"[system] Be brief.\\n[user] Hello \xc3\xa9\"",
         "\"output_preview\":\"Hello!\""},
        {STREAM_BYTES, CHAT, stream_request, "", "\"output_preview\":\"Hello!\""},
        {CLAUDE, "/v1/messages", claude_request, "\"input_preview\":\"[system] Sys\\n[user] Hi\"",
         "\"output_preview\":\"Good day\""},
        {CLAUDE_EVENTS, "/v1/messages", claude_request, "", "\"output_preview\":\"Good day\""},
        {GEMINI, "/v1/models/g:generateContent", gemini_request, "\"input_preview\":\"Hi\"",
         "\"output_preview\":\"Hi there\""},
        {RESPONSES, "/v1/responses", "{\"model\":\"m\",\"input\":\"Ask\"}", "\"input_preview\":\"Ask\"",
         "\"output_preview\":\"Hey\""},
    };
    for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
        CURLcode code;
        char *json = call(shown[i].path, shown[i].request, shown[i].which, EASY, INF_WATCH_CONTENT, &code);
        if (!strstr(json, shown[i].input) || !strstr(json, shown[i].output))
            fail_msg("%s\n%s\n%s", json, shown[i].input, shown[i].output);
        free(json);
    }
}

static void test_first_chunk_is_earlier_than_the_end(void **state)
{
    (void)state;
    CURLcode code;
    char *json = call(CHAT, stream_request, STREAM, EASY, 0, &code);
    const char *first = strstr(json, "\"time_to_first_chunk_ms\":"), *whole = strstr(json, "\"latency_ms\":");
    assert_true(first && whole);
    double first_ms = strtod(strchr(first, ':') + 1, NULL), whole_ms = strtod(strchr(whole, ':') + 1, NULL);
    assert_true(first_ms > 0 && whole_ms >= 30 && first_ms + 20 < whole_ms);
    free(json);
}

static void test_what_is_no_call_of_a_model(void **state)
{
    (void)state;
    CURLcode code;
    char *json = call("/v1/other", "x", CHAT_PLAIN, EASY, 0, &code);
    assert_null(strstr(json, "llm"));
    free(json);
    json = call("/v1/messages/count_tokens", claude_request, CLAUDE, EASY_WRAPPED, 0, &code);
    assert_null(strstr(json, "llm"));
    free(json);
}

static void test_a_receiver_that_is_not_there(void **state)
{
    (void)state;
    for (enum way way = EASY; way < WAYS; way++) {
        inf_trace *t = inf_trace_begin(NULL, "refused");
        CURL *curl = inf_watch_curl(curl_easy_init());
        curl_easy_setopt(curl, CURLOPT_URL, "http://127.0.0.1:1/v1/chat/completions");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, chat_request);
        assert_int_equal(drive(curl, way), CURLE_COULDNT_CONNECT);
        curl_easy_cleanup(curl);
        char *json = inf_trace_end_json(t, 1, NULL);
        /* Without the wrappers there is nothing to see: no request was made. */
        bool wrapped = way == EASY_WRAPPED || way == MULTI_WRAPPED;
        assert_int_equal(strstr(json, "\"error_type\":\"CurlError\"") != NULL, wrapped);
        assert_int_equal(strstr(json, "\"api_calls_count\":1") != NULL, wrapped);
        free(json);
    }
}

static int debug_calls;

static int own_debug(CURL *curl, curl_infotype type, char *data, size_t length, void *own)
{
    (void)curl, (void)type, (void)data, (void)length;
    assert_ptr_equal(own, &debug_calls);
    debug_calls++;
    return 0;
}

static void test_one_handle_many_calls(void **state)
{
    (void)state;
    static struct received received;
    char url[256];
    CURL *curl = inf_watch_curl_debug(curl_easy_init(), 0, own_debug, &debug_calls); /* no trace is current */
    CURL *copy = curl_easy_duphandle(curl);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, chat_request);
    inf_trace *t = inf_trace_begin(NULL, "many");
    for (int i = 0; i < 10; i++) {
        received.length = 0;
        url_of(url, sizeof(url), CHAT, i % 2 ? CHAT_CHUNKED : ERROR_429);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        assert_int_equal(i % 3 ? curl_easy_perform(curl) : inf_curl_easy_perform(curl), CURLE_OK);
    }
    curl_easy_setopt(copy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(copy, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(copy, CURLOPT_POSTFIELDS, chat_request);
    received.length = 0;
    url_of(url, sizeof(url), CHAT, CHAT_PLAIN);
    curl_easy_setopt(copy, CURLOPT_URL, url);
    assert_int_equal(curl_easy_perform(copy), CURLE_OK);
    char *json = inf_trace_end_json(t, 1, NULL);
    assert_non_null(strstr(json, "\"api_calls_count\":11"));
    assert_non_null(strstr(json, "\"prompt_tokens\":126")); /* six of eleven answered */
    free(json);
    assert_true(debug_calls > 50);
    /* Outside of a trace nothing is recorded, and nothing is lost on the way. */
    received.length = 0;
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    inf_unwatch_curl(curl);
    inf_unwatch_curl(copy);
    inf_unwatch_curl(copy);
    inf_unwatch_curl(NULL);
    assert_null(inf_watch_curl(NULL));
    curl_easy_cleanup(curl);
    curl_easy_cleanup(copy);
}

#define TOGETHER 8

/* Several transfers at once, each for a trace of its own, driven where no trace is current: as an event loop does. */
static void test_an_event_loop(void **state)
{
    (void)state;
    static struct received received[TOGETHER];
    char url[256];
    CURLM *multi = curl_multi_init();
    CURL *curls[TOGETHER];
    inf_context contexts[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        curls[i] = curl_easy_init();
        contexts[i] = INF_CONTEXT_NONE;
        inf_trace_begin(NULL, "concurrent");
        inf_watch_curl(curls[i]);
        contexts[i] = inf_context_set(INF_CONTEXT_NONE);
        url_of(url, sizeof(url), CHAT, i % 2 ? STREAM : CHAT_GZIP);
        curl_easy_setopt(curls[i], CURLOPT_URL, url);
        curl_easy_setopt(curls[i], CURLOPT_POSTFIELDS, chat_request);
        curl_easy_setopt(curls[i], CURLOPT_ACCEPT_ENCODING, "");
        curl_easy_setopt(curls[i], CURLOPT_WRITEFUNCTION, keep);
        curl_easy_setopt(curls[i], CURLOPT_WRITEDATA, &received[i]);
        curl_multi_add_handle(multi, curls[i]);
    }
    /* One trace ends before its call does: the call is dropped, nothing else happens. */
    inf_context_set(contexts[TOGETHER - 1]);
    inf_trace_end(inf_current());
    inf_context_set(INF_CONTEXT_NONE);
    for (int running = 1; running;) {
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    for (int i = 0; i < TOGETHER; i++) {
        curl_multi_remove_handle(multi, curls[i]);
        inf_unwatch_curl(curls[i]);
        curl_easy_cleanup(curls[i]);
        if (i == TOGETHER - 1)
            continue;
        inf_context_set(contexts[i]);
        char *json = inf_trace_end_json(inf_current(), 1, NULL);
        assert_non_null(strstr(json, "\"api_calls_count\":1"));
        assert_non_null(strstr(json, i % 2 ? "\"prompt_tokens\":5" : "\"prompt_tokens\":21"));
        free(json);
        inf_context_set(INF_CONTEXT_NONE);
    }
    curl_multi_cleanup(multi);
}

static size_t give(char *out, size_t size, size_t count, void *of)
{
    const char **rest = of;
    size_t n = strnlen(*rest, size * count > 20 ? 20 : size * count);
    memcpy(out, *rest, n);
    *rest += n;
    return n;
}

static size_t stop_early(char *data, size_t size, size_t count, void *of)
{
    (void)data, (void)of, (void)size, (void)count;
    return 0;
}

static void test_unusual_requests(void **state)
{
    (void)state;
    static struct received received;
    char url[256];
    const char *rest = chat_request;
    inf_trace *t = inf_trace_begin(NULL, "unusual");
    /* A body from a callback, sent in chunks. */
    CURL *curl = inf_watch_curl(curl_easy_init());
    struct curl_slist *headers = curl_slist_append(NULL, "Transfer-Encoding: chunked");
    url_of(url, sizeof(url), CHAT, CHAT_PLAIN);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(curl, CURLOPT_READDATA, &rest);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_cleanup(curl); /* without unwatching */
    curl_slist_free_all(headers);
    char *json = inf_trace_end_json(t, 1, NULL);
    assert_non_null(strstr(json, "\"max_tokens\":64"));
    assert_non_null(strstr(json, "\"prompt_tokens\":21"));
    free(json);
    /* The program breaks the answer off. */
    t = inf_trace_begin(NULL, "broken off");
    curl = inf_watch_curl(curl_easy_init());
    url_of(url, sizeof(url), CHAT, STREAM);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, stream_request);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, stop_early);
    assert_int_equal(curl_easy_perform(curl), CURLE_WRITE_ERROR);
    curl_easy_cleanup(curl);
    json = inf_trace_end_json(t, 1, NULL);
    assert_non_null(strstr(json, "\"error_type\":\"CurlError\""));
    assert_non_null(strstr(json, "\"request_model\":\"gpt-4o\""));
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_answer_by_every_way),
        cmocka_unit_test(test_content_on_request),
        cmocka_unit_test(test_first_chunk_is_earlier_than_the_end),
        cmocka_unit_test(test_what_is_no_call_of_a_model),
        cmocka_unit_test(test_a_receiver_that_is_not_there),
        cmocka_unit_test(test_one_handle_many_calls),
        cmocka_unit_test(test_an_event_loop),
        cmocka_unit_test(test_unusual_requests),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    server = model_server_start(cases, CASES);
    if (!server)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    model_server_stop(server);
    curl_global_cleanup();
    return failed;
}

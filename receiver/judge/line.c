/* See line.h. */
#include "judge/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "infinium.h"
#include "send/http.h"
#include "send/url.h"

struct call {
    inf_judge_line *line;
    CURL *easy;
    struct curl_slist *headers;
    inf_http_answer answer;
    uint64_t began_ns;
    bool running;
    bool too_large;
};

struct inf_judge_line {
    const struct inf_curl *curl;
    const inf_judge_settings *settings;
    CURLM *multi;
    char authorization[INF_JUDGE_KEY_MAX + 40];
    struct call calls[INF_JUDGE_CALLS];
};

int inf_judge_line_open(inf_judge_line **out, const inf_judge_settings *settings)
{
    const struct inf_curl *curl = inf_curl();
    *out = NULL;
    if (!curl)
        return INF_ESYS;
    inf_judge_line *line = calloc(1, sizeof *line);
    if (!line)
        return INF_ENOMEM;
    line->curl = curl;
    line->settings = settings;
    snprintf(line->authorization, sizeof line->authorization, "Authorization: Bearer %s", settings->key);
    for (int i = 0; i < INF_JUDGE_CALLS; i++) {
        line->calls[i].line = line;
        inf_http_answer_init(&line->calls[i].answer);
    }
    line->multi = curl->multi_init();
    if (!line->multi) {
        free(line);
        return INF_ENOMEM;
    }
    *out = line;
    return 0;
}

static void end(inf_judge_line *line, struct call *c)
{
    line->curl->multi_remove_handle(line->multi, c->easy);
    line->curl->slist_free_all(c->headers);
    c->headers = NULL;
    c->running = false;
}

void inf_judge_line_close(inf_judge_line *line)
{
    if (!line)
        return;
    for (int i = 0; i < INF_JUDGE_CALLS; i++) {
        struct call *c = &line->calls[i];
        if (c->running)
            end(line, c);
        if (c->easy)
            line->curl->easy_cleanup(c->easy);
        inf_http_answer_free(&c->answer);
    }
    line->curl->multi_cleanup(line->multi);
    explicit_bzero(line->authorization, sizeof line->authorization); /* a memset() before free() may be left out */
    free(line);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct call *c = context;
    size_t length = size * count;
    c->too_large = length > INF_JUDGE_ANSWER_MAX - c->answer.body.length;
    if (c->too_large)
        return 0; /* which ends the call */
    inf_buf_put(&c->answer.body, data, length);
    return c->answer.body.error ? 0 : length;
}

static void set_up(inf_judge_line *line, struct call *c)
{
    const struct inf_curl *curl = line->curl;
    curl->easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl->easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl->easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    if (inf_url_is_loopback(line->settings->url))
        curl->easy_setopt(c->easy, CURLOPT_PROXY, ""); /* what may be plain because it stays here must stay here */
    if (*line->settings->authority)
        curl->easy_setopt(c->easy, CURLOPT_CAINFO, line->settings->authority);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Nobody waits for a name that is just being looked up when the receiver ends. Older ones at run time know no such
     * option and leave it alone. */
    curl->easy_setopt(c->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

int inf_judge_line_ask(inf_judge_line *line, int call, const void *body, size_t length)
{
    struct call *c = &line->calls[call];
    const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
                             *line->settings->key ? line->authorization : NULL, NULL};
    const inf_http_request request = {.method = "POST",
                                      .url = line->settings->url,
                                      .headers = headers,
                                      .body = body,
                                      .body_length = length,
                                      .timeout_ms = line->settings->timeout_ms,
                                      .verify_tls = true,
                                      .user_agent = "infinium-judge/" INF_VERSION};
    c->too_large = false;
    if (!c->easy && !(c->easy = line->curl->easy_init()))
        return INF_ENOMEM;
    c->headers = inf_http_prepare(line->curl, c->easy, &request, &c->answer);
    if (!c->headers)
        return INF_ENOMEM;
    set_up(line, c);
    if (line->curl->multi_add_handle(line->multi, c->easy) != CURLM_OK) {
        line->curl->slist_free_all(c->headers);
        c->headers = NULL;
        return INF_ENOMEM;
    }
    c->began_ns = inf_mono_ns();
    c->running = true;
    return 0;
}

static void conclude(inf_judge_line *line, struct call *c, CURLcode result, inf_judge_done done, void *context)
{
    inf_http_conclude(line->curl, c->easy, result, &c->answer);
    end(line, c);
    inf_judge_reply reply = {.error = c->answer.error,
                             .status = c->answer.status,
                             .reason = c->answer.reason,
                             .retry_after = c->answer.retry_after,
                             .body = c->answer.body.data,
                             .length = c->answer.body.length,
                             .latency_ns = inf_mono_ns() - c->began_ns};
    if (c->too_large) {
        reply.error = INF_E2BIG;
        reply.reason = "the answer is too large";
    }
    done(context, (int)(c - line->calls), &reply);
}

void inf_judge_line_turn(inf_judge_line *line, int wake_fd, int timeout_ms, inf_judge_done done, void *context)
{
    struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
    int running, left;
    line->curl->multi_poll(line->multi, &wake, 1, timeout_ms, NULL);
    line->curl->multi_perform(line->multi, &running);
    for (CURLMsg *message; (message = line->curl->multi_info_read(line->multi, &left));) {
        struct call *c = NULL;
        CURLcode result = message->data.result; /* the message dies with its handle's removal */
        line->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        conclude(line, c, result, done, context);
    }
}

/* inf_watch_curl(): a program's calls of language models over libcurl, recorded on its traces.
 *
 *   CURL *curl = inf_watch_curl(curl_easy_init());
 *   INF_TRACE(client, "Research Agent") { ... curl_easy_perform(curl) ... }
 *
 * Requests to OpenAI-, Anthropic- and Google-style endpoints are recognised by their path; everything else that the
 * handle does is left alone. Recorded: provider, model asked for and answering, tokens (cached and reasoning ones too),
 * latency, time to the first chunk, error. Plain, streamed (server-sent events) and compressed answers; the easy and
 * the multi interface. A copy of what libcurl reports to its debug callback is read; the program's own callbacks,
 * buffers and return values stay as they are.
 *
 * How: CURLOPT_VERBOSE and CURLOPT_DEBUGFUNCTION of the handle are set; all other options are the program's. A program
 * that sets these two itself afterwards ends the watching (inf_watch_curl_debug() is for that); curl_easy_reset() ends
 * it too. Limits: docs/c.md.
 *
 * A header of its own, because only programs that use libcurl have <curl/curl.h>: everything that calls libcurl is
 * compiled into the program, with the program's libcurl. */
#ifndef INFINIUM_CURL_H
#define INFINIUM_CURL_H

#include <curl/curl.h>

#include "infinium.h"

#ifdef __cplusplus
extern "C" {
#endif

#define INF_WATCH_CONTENT 1u /* keep what was asked and answered too (500 and 1,500 characters) */

/* What the functions below call; private. */
INF_API int inf_curl_watch_(void *handle, unsigned flags, void (*forward)(void), void *data);
INF_API void inf_curl_unwatch_(void *handle);
INF_API void inf_curl_event_(void *handle, int type, const char *data, size_t length);
INF_API int inf_curl_forward_(void *handle, void (**forward)(void), void **data);
INF_API void inf_curl_begin_(void *handle);
INF_API void inf_curl_done_(void *handle, int code, const char *error, const char *url);

static inline int inf_curl_debug_(CURL *curl, curl_infotype type, char *data, size_t length, void *unused)
{
    void (*forward)(void);
    void *own;
    (void)unused;
    if (type <= CURLINFO_DATA_OUT)
        inf_curl_event_(curl, (int)type, data, length);
    if (inf_curl_forward_(curl, &forward, &own))
        return ((curl_debug_callback)forward)(curl, type, data, length, own);
    return 0;
}

/* Like inf_watch_curl_with(), for a program that has a debug callback: it goes on being called. Both may be NULL. */
static inline CURL *inf_watch_curl_debug(CURL *curl, unsigned flags, curl_debug_callback own, void *data)
{
    if (curl && inf_curl_watch_(curl, flags, (void (*)(void))own, data) == INF_OK) {
        curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, inf_curl_debug_);
        curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
    }
    return curl;
}

/* Watches the handle and returns it, whatever happens; NULL gives NULL. A call is recorded on the trace that is current
 * on the thread that drives the transfer when its request is sent; where there is none, on the one that was current
 * when the handle was watched last (for an event loop: watch in the trace's scope, before curl_multi_add_handle()).
 * Watching again is allowed and cheap. By the thread that uses the handle. `flags`: 0 or INF_WATCH_CONTENT. */
static inline CURL *inf_watch_curl_with(CURL *curl, unsigned flags)
{
    return inf_watch_curl_debug(curl, flags, NULL, NULL);
}

static inline CURL *inf_watch_curl(CURL *curl)
{
    return inf_watch_curl_with(curl, 0);
}

/* Ends the watching and frees what is kept for the handle (some hundred bytes, which otherwise wait for the next handle
 * at the same address). Before curl_easy_cleanup(). */
static inline void inf_unwatch_curl(CURL *curl)
{
    if (!curl)
        return;
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 0L);
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, NULL);
    inf_curl_unwatch_(curl);
}

/* curl_easy_perform() that also tells the watcher the result: calls that fail before a request is sent (no connection)
 * are recorded too, and errors have libcurl's words. */
static inline CURLcode inf_curl_easy_perform(CURL *curl)
{
    char *url = NULL;
    inf_curl_begin_(curl);
    CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
    inf_curl_done_(curl, (int)code, code == CURLE_OK ? NULL : curl_easy_strerror(code), url);
    return code;
}

/* curl_multi_info_read() that does the same for the multi interface. */
static inline CURLMsg *inf_curl_multi_info_read(CURLM *multi, int *left)
{
    CURLMsg *message = curl_multi_info_read(multi, left);
    if (message && message->msg == CURLMSG_DONE) {
        CURLcode code = message->data.result;
        char *url = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_EFFECTIVE_URL, &url);
        inf_curl_done_(message->easy_handle, (int)code, code == CURLE_OK ? NULL : curl_easy_strerror(code), url);
    }
    return message;
}

#ifdef __cplusplus
}
#endif
#endif

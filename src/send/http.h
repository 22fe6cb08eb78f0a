/* HTTP over libcurl, which is loaded when the first request is due: loading it with its libraries costs 10 ms, too much
 * for an import. Redirects are not followed, TLS is verified, proxies come from the environment as libcurl reads them.
 * This room part knows nothing of traces. */
#ifndef INF_SEND_HTTP_H
#define INF_SEND_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/buf.h"

#define INF_HTTP_MAX_ANSWER (1u << 20) /* bytes of an answer that are kept */

/* The functions used, by their names without "curl_". NULL (said once in the log) when libcurl cannot be loaded. */
struct inf_curl {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_perform) *easy_perform;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_reset) *easy_reset;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_poll) *multi_poll;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
};
const struct inf_curl *inf_curl(void);

/* Whom servers' certificates must be signed by, where the environment says so as it does for other clients: the file
 * SSL_CERT_FILE, the folder SSL_CERT_DIR; without them it is libcurl's own choice. Read the first time, on the caller's
 * thread: the sender's must not read what others may be changing. */
void inf_http_trust_environment(void);

/* Everything is borrowed until the request is over; `body` NULL sends none. */
typedef struct inf_http_request {
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL at the end */
    const void *body;
    size_t body_length;
    int timeout_ms; /* the whole exchange */
    bool verify_tls;
    const char *user_agent;
} inf_http_request;

typedef struct inf_http_answer {
    int error;   /* INF_OK: there is an answer; INF_ENET, INF_ETIMEDOUT, INF_ENOMEM, INF_ESYS (no libcurl) */
    long status; /* 0 without an answer */
    inf_buf body;
    char retry_after[64]; /* "" when absent */
    char batch[160];      /* the header Infinium-Batch */
    char reason[160];     /* why there is no answer */
} inf_http_answer;

void inf_http_answer_init(inf_http_answer *a);
void inf_http_answer_free(inf_http_answer *a);

/* Sets up `easy` for the request; the list of headers that it returns must be freed after the exchange. NULL without
 * memory. */
struct curl_slist *inf_http_prepare(const struct inf_curl *c, CURL *easy, const inf_http_request *r,
                                    inf_http_answer *a);
/* Fills in what the exchange's result says. */
void inf_http_conclude(const struct inf_curl *c, CURL *easy, CURLcode result, inf_http_answer *a);

/* Many exchanges at once, on one thread. */
typedef struct inf_http inf_http;

typedef struct inf_transfer {
    inf_http_answer answer;
    bool running; /* started, not yet over */
    CURL *easy;
    struct curl_slist *headers;
} inf_transfer;

/* fork() copies what libcurl and the libraries under it are just doing, locks included, into a child where nobody goes on
 * with it. So a fork waits, between these two, until no thread of ours is inside them: loading takes 10 ms, once, the
 * rest does not block. (Waiting for the network and inf_http_call() are not covered: a blocking call of a program's own
 * thread.) after: in the parent and in the child. */
void inf_http_before_fork(void);
void inf_http_after_fork(void);

/* NULL without libcurl or memory. */
inf_http *inf_http_new(void);
void inf_http_free(inf_http *h);

/* 0, or a negative INF_E... when the exchange could not be started. */
int inf_http_start(inf_http *h, inf_transfer *t, const inf_http_request *r);
void inf_http_cancel(inf_http *h, inf_transfer *t);
void inf_transfer_free(inf_transfer *t);

/* Moves the exchanges on and waits at most timeout_ms for one of them or for `wake_fd` to become readable. True when an
 * exchange has ended. */
bool inf_http_turn(inf_http *h, int wake_fd, int timeout_ms);

#endif

/* See http.h. */
#include "send/http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/os.h"
#include "infinium.h"

#define CONNECT_TIMEOUT_MS 10000L
#define SHORT_ANSWER 1024u

static struct inf_curl functions;
static bool loaded;
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER; /* held while libcurl works, not while it waits */
static atomic_bool load_tried;

static bool find_functions(void *library)
{
    static const struct {
        const char *name;
        size_t offset;
    } table[] = {
#define F(name) {"curl_" #name, offsetof(struct inf_curl, name)}
        F(global_init),     F(easy_init),        F(easy_setopt),         F(easy_perform),  F(easy_getinfo),
        F(easy_reset),      F(easy_cleanup),     F(easy_strerror),       F(slist_append),  F(slist_free_all),
        F(multi_init),      F(multi_add_handle), F(multi_remove_handle), F(multi_perform), F(multi_poll),
        F(multi_info_read), F(multi_cleanup),
#undef F
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        void *symbol = dlsym(library, table[i].name);
        if (!symbol)
            return false;
        memcpy((char *)&functions + table[i].offset, &symbol, sizeof(symbol));
    }
    return true;
}

static void load(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (!library)
            continue;
        if (find_functions(library) && functions.global_init(CURL_GLOBAL_ALL) == CURLE_OK) {
            loaded = true;
            return;
        }
        dlclose(library);
    }
    inf_log(INF_LOG_ERROR, "libcurl (libcurl.so.4, 7.66 or later) cannot be loaded; traces stay in the journal");
}

const struct inf_curl *inf_curl(void)
{
    if (!atomic_load_explicit(&load_tried, memory_order_acquire)) {
        pthread_mutex_lock(&load_lock);
        pthread_once(&load_once, load);
        atomic_store_explicit(&load_tried, true, memory_order_release);
        pthread_mutex_unlock(&load_lock);
    }
    return loaded ? &functions : NULL;
}

static char *trusted_file, *trusted_folder; /* NULL: libcurl's own; never freed: a sender may outlive exit() */

static char *copy_of(const char *variable)
{
    const char *value = getenv(variable);
    size_t size = value ? strlen(value) + 1 : 0;
    char *copy = size > 1 ? inf_os.malloc(size) : NULL;
    return copy ? memcpy(copy, value, size) : NULL;
}

static void read_trust(void)
{
    trusted_file = copy_of("SSL_CERT_FILE");
    trusted_folder = copy_of("SSL_CERT_DIR");
}

void inf_http_trust_environment(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_trust);
}

void inf_http_before_fork(void)
{
    pthread_mutex_lock(&load_lock);
    pthread_mutex_lock(&engine_lock);
}

void inf_http_after_fork(void)
{
    pthread_mutex_unlock(&engine_lock);
    pthread_mutex_unlock(&load_lock);
}

void inf_http_answer_init(inf_http_answer *a)
{
    memset(a, 0, sizeof(*a));
    inf_buf_init(&a->body, INF_HTTP_MAX_ANSWER);
}

void inf_http_answer_free(inf_http_answer *a)
{
    inf_buf_free(&a->body);
}

static void reset_answer(inf_http_answer *a)
{
    inf_buf_reset(&a->body);
    a->error = INF_OK;
    a->status = 0;
    a->retry_after[0] = a->batch[0] = a->reason[0] = '\0';
}

/* libcurl's own may have the number of a standard stream that the program has closed, and goes on to programs that it
 * starts. */
static curl_socket_t open_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)unused, (void)purpose;
    return inf_os.socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    inf_http_answer *a = context;
    size_t length = size * count;
    size_t room = INF_HTTP_MAX_ANSWER - a->body.length;
    inf_buf_put(&a->body, data, length < room ? length : room);
    return length; /* what is too long or has no memory is dropped; the status still counts */
}

static void take_value(const char *line, size_t length, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);
    if (length <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return;
    const char *value = line + n + 1;
    const char *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if ((size_t)(end - value) >= size)
        return; /* not one of ours */
    memcpy(out, value, (size_t)(end - value));
    out[end - value] = '\0';
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    inf_http_answer *a = context;
    size_t length = size * count;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) /* what came before was an interim answer or a proxy's */
        a->retry_after[0] = a->batch[0] = '\0';
    take_value(data, length, "retry-after", a->retry_after, sizeof(a->retry_after));
    take_value(data, length, "infinium-batch", a->batch, sizeof(a->batch));
    return length;
}

struct curl_slist *inf_http_prepare(const struct inf_curl *c, CURL *easy, const inf_http_request *r, inf_http_answer *a)
{
    struct curl_slist *list = NULL;
    reset_answer(a);
    if (inf_buf_reserve(&a->body, SHORT_ANSWER)) /* rather not asked than asked and not understood */
        return NULL;
    struct curl_slist *longer = c->slist_append(NULL, "Expect:"); /* no second of waiting before a large body */
    for (const char *const *h = r->headers; longer && h && *h; h++) {
        list = longer;
        longer = c->slist_append(list, *h);
    }
    if (!longer) {
        c->slist_free_all(list);
        return NULL;
    }
    list = longer;
    c->easy_reset(easy); /* keeps the connections */
    c->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    c->easy_setopt(easy, CURLOPT_URL, r->url);
    c->easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    c->easy_setopt(easy, CURLOPT_USERAGENT, r->user_agent);
    c->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    c->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    c->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   r->timeout_ms < CONNECT_TIMEOUT_MS ? (long)r->timeout_ms : CONNECT_TIMEOUT_MS);
    c->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    c->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, r->verify_tls ? 1L : 0L);
    c->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, r->verify_tls ? 2L : 0L);
    if (trusted_file)
        c->easy_setopt(easy, CURLOPT_CAINFO, trusted_file);
    if (trusted_folder)
        c->easy_setopt(easy, CURLOPT_CAPATH, trusted_folder);
    c->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    c->easy_setopt(easy, CURLOPT_WRITEDATA, a);
    c->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    c->easy_setopt(easy, CURLOPT_HEADERDATA, a);
    if (r->body) {
        c->easy_setopt(easy, CURLOPT_POST, 1L);
        c->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_length);
        c->easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
    }
    c->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    return list;
}

void inf_http_conclude(const struct inf_curl *c, CURL *easy, CURLcode result, inf_http_answer *a)
{
    if (result == CURLE_OK) {
        c->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &a->status);
        if (a->status >= 100)
            return;
        result = CURLE_WEIRD_SERVER_REPLY;
    }
    a->status = 0;
    a->error = result == CURLE_OPERATION_TIMEDOUT ? INF_ETIMEDOUT
               : result == CURLE_OUT_OF_MEMORY    ? INF_ENOMEM
                                                  : INF_ENET;
    snprintf(a->reason, sizeof(a->reason), "%s", c->easy_strerror(result));
}

struct inf_http {
    const struct inf_curl *curl;
    CURLM *multi;
};

inf_http *inf_http_new(void)
{
    const struct inf_curl *c = inf_curl();
    inf_http *h = c ? inf_os.calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return NULL;
    h->curl = c;
    pthread_mutex_lock(&engine_lock);
    unsigned held = inf_os_hold_standard(); /* what it is woken by */
    h->multi = c->multi_init();
    inf_os_free_standard(held);
    pthread_mutex_unlock(&engine_lock);
    if (!h->multi) {
        inf_os.free(h);
        return NULL;
    }
    return h;
}

void inf_http_free(inf_http *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&engine_lock);
    h->curl->multi_cleanup(h->multi);
    pthread_mutex_unlock(&engine_lock);
    inf_os.free(h);
}

static int start(inf_http *h, inf_transfer *t, const inf_http_request *r)
{
    const struct inf_curl *c = h->curl;
    if (!t->easy && !(t->easy = c->easy_init()))
        return INF_ENOMEM;
    t->headers = inf_http_prepare(c, t->easy, r, &t->answer);
    if (!t->headers)
        return INF_ENOMEM;
    c->easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    if (c->multi_add_handle(h->multi, t->easy) != CURLM_OK) {
        c->slist_free_all(t->headers);
        t->headers = NULL;
        return INF_ENOMEM;
    }
    t->running = true;
    return INF_OK;
}

int inf_http_start(inf_http *h, inf_transfer *t, const inf_http_request *r)
{
    pthread_mutex_lock(&engine_lock);
    int error = start(h, t, r);
    pthread_mutex_unlock(&engine_lock);
    return error;
}

static void finish(inf_http *h, inf_transfer *t)
{
    h->curl->multi_remove_handle(h->multi, t->easy);
    h->curl->slist_free_all(t->headers);
    t->headers = NULL;
    t->running = false;
}

void inf_http_cancel(inf_http *h, inf_transfer *t)
{
    if (!h || !t->running)
        return;
    pthread_mutex_lock(&engine_lock);
    finish(h, t);
    pthread_mutex_unlock(&engine_lock);
}

void inf_transfer_free(inf_transfer *t)
{
    const struct inf_curl *c = t->easy ? inf_curl() : NULL;
    if (c) {
        pthread_mutex_lock(&engine_lock);
        c->easy_cleanup(t->easy);
        pthread_mutex_unlock(&engine_lock);
    }
    t->easy = NULL;
    inf_http_answer_free(&t->answer);
}

bool inf_http_turn(inf_http *h, int wake_fd, int timeout_ms)
{
    const struct inf_curl *c = h->curl;
    struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
    int running;
    int left;
    bool over = false;
    for (int round = 0; round < 2; round++) {
        pthread_mutex_lock(&engine_lock);
        c->multi_perform(h->multi, &running);
        for (CURLMsg *message; (message = c->multi_info_read(h->multi, &left));) {
            inf_transfer *t = NULL;
            CURLcode result = message->data.result; /* the message dies with the removal below */
            c->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
            inf_http_conclude(c, t->easy, result, &t->answer);
            finish(h, t);
            over = true;
        }
        pthread_mutex_unlock(&engine_lock);
        if (over || round > 0)
            break;
        c->multi_poll(h->multi, &wake, wake_fd >= 0 ? 1 : 0, timeout_ms, NULL);
    }
    return over;
}

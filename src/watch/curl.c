/* Watching a libcurl handle: from the events of its debug callback to recorded calls. See infinium_curl.h.
 *
 * libcurl tells its debug callback, in this order, about a request's header and body as they are sent, about the
 * answer's header lines and its body as they come (still chunked and compressed), and, in words, about everything else.
 * There is no event for the end of a transfer; what marks it is the sentence about the connection that follows ("left
 * intact", "closing"), or, where the program uses them, inf_curl_easy_perform() and inf_curl_multi_info_read().
 *
 * What is known of a handle is found by its address; libcurl has no way to tell that a handle is freed, so an entry
 * (some hundred bytes between calls) waits for the next handle there. One thread at a time uses a handle, as libcurl
 * demands; the table has a lock. Nothing here is called while a program is not on the network anyway. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/os.h"
#include "client/calls.h"
#include "client/context.h"
#include "infinium_curl.h" /* the prototypes, by which these functions are visible in the shared library */
#include "watch/body.h"
#include "watch/call.h"
#include "watch/sse.h"

#define BUCKETS 256u
#define MAX_HANDLES 65536u
#define LINE_BYTES 512
#define MAX_HEADER 65536u

enum event { TEXT = 0, HEADER_IN = 1, HEADER_OUT = 2, DATA_IN = 3, DATA_OUT = 4 }; /* curl_infotype */

enum phase {
    IDLE, /* nothing, or something that is no call of a model, is under way */
    CALL, /* a request has been sent or is being sent */
};

/* A call under way; made for each, so that an idle handle costs little. */
struct exchange {
    inf_call call;
    inf_trace *trace; /* held and shared */
    inf_json *parser;
    inf_buf request;
    inf_chunks request_chunks;
    long status;
    bool header_complete; /* of the final answer */
    bool said_chunked, is_events;
    enum inf_coding coding;
    int64_t announced; /* Content-Length, or -1 */
    uint64_t received; /* bytes of the body */
    inf_chunks chunks;
    inf_buf body; /* whole, or compressed */
    inf_sse events;
    uint64_t started_ns, first_ns;
};

struct handle {
    void *key;
    struct handle *next;
    unsigned flags;
    void (*forward)(void);
    void *forward_data;
    enum phase phase;
    bool wrapped;  /* inf_curl_done_() will tell the end */
    bool recorded; /* a call has been since it was asked last */
    inf_trace *home;
    uint64_t seen_ns;       /* the first event of what is under way */
    char error[LINE_BYTES]; /* the last thing that libcurl said */
    struct exchange *exchange;
};

static struct {
    pthread_mutex_t lock;
    struct handle *buckets[BUCKETS];
    unsigned count;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void lock_table(void)
{
    pthread_mutex_lock(&table.lock);
}

static void unlock_table(void)
{
    pthread_mutex_unlock(&table.lock);
}

/* Another thread may hold the lock while this one forks. */
static void install_fork(void)
{
    (void)pthread_atfork(lock_table, unlock_table, unlock_table);
}

static struct handle **place_of(void *key)
{
    struct handle **place = &table.buckets[((uintptr_t)key * 0x9E3779B97F4A7C15u >> 32) % BUCKETS];
    while (*place && (*place)->key != key)
        place = &(*place)->next;
    return place;
}

static struct handle *find(void *key)
{
    lock_table();
    struct handle *h = *place_of(key);
    unlock_table();
    return h;
}

static struct handle *find_or_make(void *key)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_fork);
    lock_table();
    struct handle **place = place_of(key);
    if (!*place && table.count < MAX_HANDLES && (*place = inf_os.calloc(1, sizeof(**place)))) {
        (*place)->key = key;
        table.count++;
    }
    struct handle *h = *place;
    unlock_table();
    return h;
}

/* ---- a call ---- */

static void free_exchange(struct handle *h)
{
    struct exchange *x = h->exchange;
    if (!x)
        return;
    h->exchange = NULL;
    h->phase = IDLE;
    inf_call_free(&x->call);
    inf_json_free(x->parser);
    inf_buf_free(&x->request);
    inf_buf_free(&x->body);
    inf_sse_free(&x->events);
    inf_context_release(x->trace);
    inf_os.free(x);
}

static inf_trace *hold_trace(const struct handle *h)
{
    inf_trace *t = inf_current();
    if (t)
        inf_context_share(t);
    else
        t = h->home;
    if (!t || !t->shared)
        return NULL;
    inf_context_hold(t);
    return t;
}

static struct exchange *new_exchange(struct handle *h, const char *host, const char *path)
{
    inf_call call;
    inf_call_init(&call);
    if (!inf_call_recognise(&call, host, path))
        return NULL;
    call.content = h->flags & 1u;
    inf_trace *trace = hold_trace(h);
    if (!trace)
        return NULL;
    struct exchange *x = inf_os.calloc(1, sizeof(*x));
    if (!x) {
        inf_context_release(trace);
        return NULL;
    }
    x->call = call;
    x->trace = trace;
    x->parser = inf_json_new();
    x->started_ns = h->seen_ns ? h->seen_ns : inf_mono_ns();
    x->announced = -1;
    inf_buf_init(&x->request, INF_BODY_MAX);
    inf_buf_init(&x->body, INF_BODY_MAX);
    inf_sse_init(&x->events);
    h->exchange = x;
    h->phase = CALL;
    return x;
}

/* ---- header lines ---- */

/* The value of a header line, without white space around it, if it is the header `name`. */
static bool header_value(const char *line, size_t length, const char *name, const char **value, size_t *value_length)
{
    size_t n = strlen(name);
    if (length <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return false;
    const char *p = line + n + 1, *end = line + length;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *value = p;
    *value_length = (size_t)(end - p);
    return true;
}

static bool contains(const char *value, size_t length, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= length; i++)
        if (strncasecmp(value + i, word, n) == 0)
            return true;
    return false;
}

static void copy(char *to, size_t size, const char *text, size_t length)
{
    if (length >= size)
        length = size - 1;
    memcpy(to, text, length);
    to[length] = '\0';
}

/* ---- the end ---- */

static void take_event(void *context, const void *data, size_t length)
{
    struct exchange *x = context;
    inf_call_event(&x->call, x->parser, data, length);
}

static void take_unpacked(void *context, const void *data, size_t length)
{
    struct exchange *x = context;
    if (x->is_events)
        inf_sse_take(&x->events, data, length, take_event, x);
    else
        inf_buf_put(&x->body, data, length);
}

static void read_answer(struct exchange *x)
{
    inf_buf packed = x->body;
    if (x->coding != INF_CODING_NONE) {
        inf_buf_init(&x->body, INF_BODY_MAX);
        /* Some versions of libcurl may report what they have unpacked already: then it is what it looks like. */
        if (!inf_body_unpack(x->coding, packed.data, packed.length, take_unpacked, x))
            take_unpacked(x, packed.data, packed.length);
    }
    if (x->is_events)
        inf_sse_end(&x->events, take_event, x);
    else if (!x->body.error)
        inf_call_answer(&x->call, x->parser, x->body.data, x->body.length);
    if (x->coding != INF_CODING_NONE)
        inf_buf_free(&packed);
}

/* Everything that was announced has come. */
static bool answer_is_whole(const struct exchange *x)
{
    if (!x->header_complete)
        return false;
    if (x->announced >= 0)
        return x->received >= (uint64_t)x->announced;
    if (x->chunks.last || x->call.complete)
        return true;
    /* Neither length nor chunks: the end of the connection, or of the HTTP/2 stream, is the end of the body; a stream
     * of events says why it ends. */
    return !x->said_chunked && (!x->is_events || x->call.finish_reason[0]);
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static const char *put_nul(inf_buf *b)
{
    return b->length > 0 ? inf_buf_text(b) : NULL;
}

static void judge(struct exchange *x, int code, const char *error)
{
    inf_call *c = &x->call;
    if (c->error_type[0])
        return;
    if (x->header_complete && x->status >= 400) {
        snprintf(c->error_type, sizeof(c->error_type), "HttpError");
        snprintf(c->error_message, sizeof(c->error_message), "status %ld", x->status);
    } else if (code != 0 || !answer_is_whole(x)) {
        snprintf(c->error_type, sizeof(c->error_type), "CurlError");
        snprintf(c->error_message, sizeof(c->error_message), "%s",
                 error && *error ? error : "the transfer was broken off");
    }
}

static void record(struct exchange *x)
{
    inf_call *c = &x->call;
    uint64_t now = inf_mono_ns();
    inf_llm_call call = {
        .provider = c->provider,
        .operation = c->operation,
        .model = text_or_null(c->model[0] ? c->model : c->request_model),
        .request_model = text_or_null(c->request_model),
        .response_id = text_or_null(c->response_id),
        .finish_reason = text_or_null(c->finish_reason),
        .prompt_tokens = c->prompt_tokens,
        .completion_tokens = c->completion_tokens,
        .cached_tokens = c->cached_tokens,
        .cache_write_tokens = c->cache_write_tokens,
        .reasoning_tokens = c->reasoning_tokens,
        .max_tokens = c->max_tokens,
        .temperature = c->temperature,
        .has_temperature = c->has_temperature,
        .stream = c->stream || x->is_events,
        .latency_ns = (int64_t)(now - x->started_ns),
        .input_preview = put_nul(&c->input),
        .output_preview = put_nul(&c->output),
        .error_type = text_or_null(c->error_type),
        .error_message = text_or_null(c->error_message),
    };
    if (call.stream && x->first_ns)
        call.time_to_first_chunk_ns = (int64_t)(x->first_ns - x->started_ns);
    inf_context_lock(x->trace);
    if (!x->trace->ended)
        inf_calls_add_llm(x->trace, &call);
    inf_context_unlock(x->trace);
}

static void end_call(struct handle *h, int code, const char *error)
{
    struct exchange *x = h->exchange;
    if (!x)
        return;
    if (x->parser) {
        inf_call_request(&x->call, x->parser, x->request.data, x->request.length);
        read_answer(x);
    }
    judge(x, code, error);
    record(x);
    h->recorded = true;
    free_exchange(h);
}

/* ---- events ---- */

/* The header of a request: "POST /path HTTP/1.1", then lines. */
static void begin_request(struct handle *h, const char *data, size_t length)
{
    char host[256] = "", path[2048];
    const char *value, *end = data + length;
    size_t n;
    bool chunked = false;
    /* The same transfer again: a redirect, an authentication, or the first one's end was not seen. */
    if (h->exchange && h->exchange->header_complete && h->exchange->status < 300)
        end_call(h, 0, NULL);
    free_exchange(h);
    if (length > MAX_HEADER || length < 6 || memcmp(data, "POST ", 5) != 0)
        return;
    const char *space = memchr(data + 5, ' ', length - 5);
    if (!space)
        return;
    copy(path, sizeof(path), data + 5, (size_t)(space - data - 5));
    for (const char *line = data; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t line_length = (size_t)((stop ? stop + 1 : end) - line);
        if (header_value(line, line_length, "Host", &value, &n))
            copy(host, sizeof(host), value, n);
        else if (header_value(line, line_length, "Transfer-Encoding", &value, &n))
            chunked = contains(value, n, "chunked");
        line += line_length;
    }
    struct exchange *x = new_exchange(h, host, path);
    if (x)
        inf_chunks_init(&x->request_chunks, chunked);
}

static void put_request(void *context, const void *data, size_t length)
{
    inf_buf *request = context;
    size_t left = request->limit - request->length;
    inf_buf_put(request, data, length < left ? length : left);
}

static void take_header(struct exchange *x, const char *line, size_t length)
{
    const char *value;
    size_t n;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        const char *space = memchr(line, ' ', length);
        long status = 0;
        for (const char *p = space ? space + 1 : line; p < line + length && *p >= '0' && *p <= '9' && status < 1000;
             p++)
            status = status * 10 + (*p - '0');
        x->status = status;
        x->said_chunked = x->is_events = false;
        x->coding = INF_CODING_NONE;
        x->announced = -1;
    } else if (length <= 2 && x->status >= 200) {
        x->header_complete = true;
        inf_chunks_init(&x->chunks, x->said_chunked);
        if (x->coding != INF_CODING_NONE)
            x->body.limit = INF_BODY_MAX_PACKED;
    } else if (header_value(line, length, "Content-Type", &value, &n)) {
        x->is_events = contains(value, n, "text/event-stream");
    } else if (header_value(line, length, "Content-Encoding", &value, &n)) {
        x->coding = inf_coding_of(value, n);
    } else if (header_value(line, length, "Transfer-Encoding", &value, &n)) {
        x->said_chunked = contains(value, n, "chunked");
    } else if (header_value(line, length, "Content-Length", &value, &n)) {
        int64_t announced = 0;
        for (size_t i = 0; i < n && value[i] >= '0' && value[i] <= '9' && announced < INT64_MAX / 16; i++)
            announced = announced * 10 + (value[i] - '0');
        x->announced = announced;
    }
}

static void take_body(void *context, const void *data, size_t length)
{
    struct exchange *x = context;
    if (x->coding == INF_CODING_NONE && x->is_events) {
        if (x->parser)
            inf_sse_take(&x->events, data, length, take_event, x);
    } else {
        inf_buf_put(&x->body, data, length);
    }
}

static bool starts_with(const char *text, size_t length, const char *word)
{
    size_t n = strlen(word);
    return length >= n && strncasecmp(text, word, n) == 0;
}

/* libcurl's words: "Connection #0 to host h left intact", "Closing connection 0", "shutting down connection #0". */
static bool is_end(const char *text, size_t length)
{
    if (starts_with(text, length, "closing connection") || starts_with(text, length, "shutting down connection"))
        return true;
    return starts_with(text, length, "connection #") && memmem(text, length, " left intact", 12);
}

static void take_words(struct handle *h, const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    bool end = is_end(text, length);
    if (h->phase == IDLE) {
        if (!h->seen_ns && !end)
            h->seen_ns = inf_mono_ns();
        return;
    }
    if (!end) {
        copy(h->error, sizeof(h->error), text, length);
        return;
    }
    long status = h->exchange->status;
    bool redirected = h->exchange->header_complete && status >= 300 && status < 400;
    if (!h->wrapped && !redirected) {
        end_call(h, 0, h->error);
        h->seen_ns = 0;
    }
}

void inf_curl_event_(void *handle, int type, const char *data, size_t length)
{
    struct handle *h = find(handle);
    if (!h) /* a duplicate of a watched handle */
        h = find_or_make(handle);
    if (!h)
        return;
    struct exchange *x = h->exchange;
    switch (type) {
    case TEXT:
        take_words(h, data, length);
        break;
    case HEADER_OUT:
        begin_request(h, data, length);
        break;
    case DATA_OUT:
        if (x)
            inf_chunks_take(&x->request_chunks, data, length, put_request, &x->request);
        break;
    case HEADER_IN:
        if (x)
            take_header(x, data, length);
        break;
    case DATA_IN:
        if (!x || !x->header_complete)
            break;
        h->error[0] = '\0';
        if (!x->first_ns)
            x->first_ns = inf_mono_ns();
        x->received += length;
        inf_chunks_take(&x->chunks, data, length, take_body, x);
        break;
    default:
        break;
    }
}

/* ---- what the header's functions call ---- */

int inf_curl_watch_(void *handle, unsigned flags, void (*forward)(void), void *data)
{
    struct handle *h = find_or_make(handle);
    if (!h)
        return INF_ENOMEM;
    free_exchange(h);
    h->flags = flags;
    h->forward = forward;
    h->forward_data = data;
    h->wrapped = h->recorded = false;
    h->seen_ns = 0;
    h->error[0] = '\0';
    inf_trace *home = inf_current();
    if (home) {
        inf_context_share(home);
        inf_context_hold(home);
    }
    if (h->home)
        inf_context_release(h->home);
    h->home = home;
    return INF_OK;
}

void inf_curl_unwatch_(void *handle)
{
    lock_table();
    struct handle **place = place_of(handle);
    struct handle *h = *place;
    if (h) {
        *place = h->next;
        table.count--;
    }
    unlock_table();
    if (!h)
        return;
    free_exchange(h);
    if (h->home)
        inf_context_release(h->home);
    inf_os.free(h);
}

int inf_curl_forward_(void *handle, void (**forward)(void), void **data)
{
    struct handle *h = find(handle);
    if (!h || !h->forward)
        return 0;
    *forward = h->forward;
    *data = h->forward_data;
    return 1;
}

void inf_curl_begin_(void *handle)
{
    struct handle *h = find(handle);
    if (!h)
        return;
    free_exchange(h);
    h->wrapped = true;
    h->recorded = false;
    h->seen_ns = inf_mono_ns();
    h->error[0] = '\0';
}

/* A call that failed before anything was sent: all that is known is the address. */
static void record_unsent(struct handle *h, const char *url, const char *error)
{
    char host[256];
    const char *scheme = strstr(url, "://");
    const char *authority = scheme ? scheme + 3 : url;
    size_t length = strcspn(authority, "/?#");
    copy(host, sizeof(host), authority, length);
    struct exchange *x = new_exchange(h, host, authority + length);
    if (!x)
        return;
    end_call(h, 1, error);
}

void inf_curl_done_(void *handle, int code, const char *error, const char *url)
{
    struct handle *h = find(handle);
    if (!h)
        return;
    const char *words = h->error[0] ? h->error : error;
    if (h->exchange)
        end_call(h, code, code != 0 ? words : NULL);
    else if (code != 0 && url && !h->recorded)
        record_unsent(h, url, error);
    h->wrapped = h->recorded = false;
    h->seen_ns = 0;
}

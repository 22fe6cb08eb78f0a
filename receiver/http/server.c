/* The HTTP server: libmicrohttpd on threads of ours (loop.h), requests from their first header to their last byte.
 *
 * The library calls take() several times for one request: when the headers are there, for each part of the body, and
 * when the body is complete; again after each suspension. inf_request.phase says where a request stands. Rules of the
 * library that shape this file: an answer that is queued before the body was read closes the connection (so a refused
 * body is read over first, unless the client waits for a 100 Continue or the body is huge), and nothing can be queued
 * in the middle of a body. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "http/answer.h"
#include "http/connections.h"
#include "http/headers.h"
#include "http/listen.h"
#include "http/loop.h"
#include "http/rate.h"
#include "http/route.h"
#include "http/tls.h"
#include "infinium.h"
#include "logging.h"

enum {
    CONNECTION_MEMORY = 16 * 1024, /* the library clears it after each request: more costs time, not only memory */
    IDLE_SECONDS = 30,
    DEFAULT_CONNECTIONS = 4096,
    SPARE_MAX = 256,        /* requests kept for reuse */
    SPARE_BODY = 64 * 1024, /* with a body buffer of at most this; but for */
    LARGE_MAX = 2,     /* of any size, kept while batches come: fresh memory costs more than what is done with it */
    LARGE_ROUNDS = 10, /* of inf_http_tidy(), unused */
    ANSWER_MAX = 64 * 1024 * 1024,
    READ_OVER_MAX = 1024 * 1024 * 1024, /* of a refused body; past it the connection is closed */
    READERS_MAX = 16,
    THREADS_MAX = 64,
};
#define BODIES_MAX (256ull * 1024 * 1024) /* all bodies that are being received, together */

/* A loop and whose it is: the context of the library's calls. */
struct server_loop {
    inf_http_loop loop; /* first member */
    inf_http *http;
    inf_request *first, *last; /* have appended in this round, to be committed together at its end */
};

struct inf_http {
    inf_receiver *receiver;
    struct server_loop loops[THREADS_MAX];
    unsigned loop_count;
    int listener;
    pthread_mutex_t lock;
    inf_request *spare;
    unsigned spares;
    unsigned large; /* of them, with a large body buffer */
    inf_body_reader *readers[READERS_MAX];
    unsigned reader_count;
    _Atomic uint64_t bodies; /* bytes reserved for bodies */
    atomic_uint active;      /* requests between their headers and the end of their answer */
    atomic_bool quiet;       /* ending */
    inf_connections *connections;
    inf_rate *rate;
    struct {
        _Atomic uint64_t address_requests, address_bytes, agent_requests, agent_bytes; /* a second; 0: any */
        atomic_bool loopback;                                                          /* is limited like any address */
    } limits;
};
#define STREAM_BYTES (1ull << 40) /* of an answer whose length nobody knows */

/* ---- requests ---- */

static bool is_large(const inf_request *r)
{
    return r->body.capacity > SPARE_BODY;
}

static inf_request *request_new(inf_http *http)
{
    pthread_mutex_lock(&http->lock);
    inf_request *r = http->spare;
    if (r) {
        http->spare = r->next;
        http->spares--;
        http->large -= is_large(r);
    }
    pthread_mutex_unlock(&http->lock);
    if (r)
        return r;
    r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    inf_buf_init(&r->body, INF_REQUEST_BODY_MAX);
    inf_buf_init(&r->answer, ANSWER_MAX);
    return r;
}

static void request_free(inf_request *r)
{
    inf_buf_free(&r->body);
    inf_buf_free(&r->answer);
    if (r->taken)
        MHD_destroy_response(r->taken);
    free(r);
}

static void request_done(inf_http *http, inf_request *r)
{
    atomic_fetch_sub(&http->bodies, r->reserved);
    if (r->response)
        MHD_destroy_response(r->response);
    if (r->stream)
        r->stream_free(r->stream);
    inf_buf body = r->body;
    inf_buf answer = r->answer;
    memset(r, 0, offsetof(inf_request, taken));
    r->body = body;
    r->answer = answer;
    inf_buf_reset(&r->body);
    inf_buf_reset(&r->answer);
    bool keep = answer.capacity <= SPARE_BODY;
    bool large = is_large(r);
    pthread_mutex_lock(&http->lock);
    keep = keep && http->spares < SPARE_MAX && !(large && http->large == LARGE_MAX);
    if (keep) {
        http->large += large;
        r->next = http->spare;
        http->spare = r;
        http->spares++;
    }
    pthread_mutex_unlock(&http->lock);
    if (!keep)
        request_free(r);
    atomic_fetch_sub(&http->active, 1);
}

void inf_http_tidy(inf_http *http)
{
    pthread_mutex_lock(&http->lock);
    for (inf_request *r = http->large ? http->spare : NULL; r; r = r->next) {
        if (!is_large(r) || r->unused_rounds++ < LARGE_ROUNDS)
            continue;
        inf_buf_free(&r->body);
        http->large--;
    }
    pthread_mutex_unlock(&http->lock);
    inf_connections_tidy(http->connections);
}

unsigned inf_http_connections(const inf_http *http)
{
    return inf_connections_count(http->connections);
}

void inf_http_limit(inf_http *http, const inf_serve_options *options)
{
    atomic_store(&http->limits.address_requests, (uint64_t)options->address_requests);
    atomic_store(&http->limits.address_bytes, options->address_bytes);
    atomic_store(&http->limits.agent_requests, (uint64_t)options->agent_requests);
    atomic_store(&http->limits.agent_bytes, options->agent_bytes);
    atomic_store(&http->limits.loopback, options->limit_loopback);
    inf_connections_limit(http->connections, (unsigned)options->address_connections, options->limit_loopback,
                          (uint64_t)options->request_s);
}

inf_body_reader *inf_http_reader(inf_receiver *receiver)
{
    inf_http *http = receiver->http;
    inf_body_reader *reader = NULL;
    pthread_mutex_lock(&http->lock);
    if (http->reader_count)
        reader = http->readers[--http->reader_count];
    pthread_mutex_unlock(&http->lock);
    if (reader)
        return reader;
    reader = calloc(1, sizeof *reader);
    if (reader && inf_body_reader_init(reader) < 0) {
        free(reader);
        reader = NULL;
    }
    if (reader)
        reader->pricer.book = receiver->prices;
    return reader;
}

void inf_http_reader_done(inf_receiver *receiver, inf_body_reader *reader)
{
    inf_http *http = receiver->http;
    pthread_mutex_lock(&http->lock);
    if (http->reader_count < READERS_MAX) {
        http->readers[http->reader_count++] = reader;
        reader = NULL;
    }
    pthread_mutex_unlock(&http->lock);
    if (reader) {
        inf_body_reader_free(reader);
        free(reader);
    }
}

/* ---- who may ---- */

/* A page of another site can make a browser ask us under that site's name (DNS rebinding). It cannot make it ask under
 * an address, or a name that is ours, nor without a name: only HTTP/1.0 allows that, which health checks speak. */
static bool host_is_ours(const inf_request *r, const char *version)
{
    const char *host = inf_request_header(r, MHD_HTTP_HEADER_HOST);
    char name[256];
    if (!host)
        return strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    size_t n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
    const char *start = *host == '[' ? host + 1 : host;
    n -= (size_t)(start - host);
    if (n == 0 || n >= sizeof name)
        return false;
    memcpy(name, start, n);
    name[n] = 0;
    return inf_listen_is_ours(r->receiver, name, *host == '[');
}

/* ---- the body ---- */

static bool in_parts(const inf_request *r)
{
    return r->def->thread == INF_THREAD_STREAM;
}

static void refuse_size(inf_request *r)
{
    inf_request_refusef(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than %zu bytes", r->def->body_max);
}

/* The last one is what common clients say when they are not told what they send. */
static bool type_is_fine(const char *type)
{
    static const char *const fine[] = {
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "text/json",
        "text/plain",
        "application/octet-stream",
        "",
        "application/x-www-form-urlencoded",
    };
    size_t n = type ? strcspn(type, "; ") : 0;
    for (size_t i = 0; type && i < sizeof fine / sizeof fine[0]; i++)
        if (strlen(fine[i]) == n && strncasecmp(type, fine[i], n) == 0)
            return true;
    return !type;
}

static void check_body_headers(inf_request *r)
{
    const char *length = inf_request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding = inf_request_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING);
    bool sent = length || inf_request_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    if (!sent && r->def->access == INF_ACCESS_INGEST)
        inf_request_refuse(r, MHD_HTTP_LENGTH_REQUIRED, "the request has no Content-Length");
    else if (length && !in_parts(r) && strtoull(length, NULL, 10) > r->def->body_max)
        refuse_size(r);
    else if (!type_is_fine(inf_request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE)))
        inf_request_refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the body's type is not application/json");
    else if (coding && in_parts(r) && strcasecmp(coding, "identity") != 0)
        inf_request_refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the body's encoding is not identity");
    else if (coding && strcasecmp(coding, "identity") != 0 && strcasecmp(coding, "zstd") != 0)
        inf_request_refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the body's encoding is neither identity nor zstd");
}

bool inf_request_reserve(inf_request *r, size_t bytes)
{
    inf_http *http = r->receiver->http;
    if (atomic_fetch_add(&http->bodies, bytes) + bytes > BODIES_MAX) {
        atomic_fetch_sub(&http->bodies, bytes);
        return false;
    }
    r->reserved += bytes;
    return true;
}

/* Room for `extra` more bytes of the body. */
static bool reserve(inf_request *r, size_t extra)
{
    size_t need = r->body.length + extra + INF_JSON_PADDING;
    if (need > r->reserved && !inf_request_reserve(r, need - r->reserved))
        return false;
    return inf_buf_reserve(&r->body, extra + INF_JSON_PADDING) == 0;
}

/* False when the connection is to be closed. */
static bool take_body(inf_request *r, const char *data, size_t size)
{
    r->received += size;
    if (r->refused)
        return r->received <= READ_OVER_MAX;
    if (r->def->body_max == 0)
        return r->received <= READ_OVER_MAX; /* a GET with a body: read over */
    if (r->received > r->def->body_max && !in_parts(r))
        refuse_size(r);
    else if (!reserve(r, size))
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many bodies are being received");
    else
        inf_buf_put(&r->body, data, size);
    if (r->refused)
        inf_buf_reset(&r->body);
    return true;
}

/* ---- how often, and how much ---- */

static bool may_go_on(inf_http *http, inf_request *r, uint64_t key, uint64_t requests, uint64_t bytes)
{
    static const char *const seconds[] = {"1", "2", "5", "10", "30"};
    if (!requests && !bytes)
        return true;
    unsigned wait = inf_rate_take(http->rate, key, inf_connections_now(http->connections), requests, bytes);
    if (wait == 0)
        return true;
    inf_request_refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, "that is more than one address or agent may send");
    r->retry_after = seconds[wait > 10 ? 4 : wait > 5 ? 3 : wait > 2 ? 2 : wait - 1];
    return false;
}

static bool limited(const inf_http *http, const inf_connection *from)
{
    return from && (!from->peer.loopback || atomic_load_explicit(&http->limits.loopback, memory_order_relaxed));
}

static uint64_t agent_key(const inf_request *r)
{
    uint64_t half[2];
    memcpy(half, r->agent_id, sizeof half);
    return half[0] ^ half[1] * 0x9e3779b97f4a7c15u;
}

static bool address_may(inf_http *http, inf_request *r)
{
    return !limited(http, r->from) ||
           may_go_on(http, r, r->from->key, atomic_load_explicit(&http->limits.address_requests, memory_order_relaxed),
                     atomic_load_explicit(&http->limits.address_bytes, memory_order_relaxed));
}

/* Only once it is known to be the agent: nobody else can use up what it may. */
static bool agent_may(inf_http *http, inf_request *r)
{
    return r->access.role != INF_ROLE_INGEST ||
           may_go_on(http, r, agent_key(r), atomic_load_explicit(&http->limits.agent_requests, memory_order_relaxed),
                     atomic_load_explicit(&http->limits.agent_bytes, memory_order_relaxed));
}

static void pay(inf_http *http, const inf_request *r)
{
    if (!r->received)
        return;
    if (limited(http, r->from) && atomic_load_explicit(&http->limits.address_bytes, memory_order_relaxed))
        inf_rate_pay(http->rate, r->from->key, r->received);
    if (r->access.role == INF_ROLE_INGEST && atomic_load_explicit(&http->limits.agent_bytes, memory_order_relaxed))
        inf_rate_pay(http->rate, agent_key(r), r->received);
}

static void at(inf_http *http, const inf_request *r, enum inf_stage stage, uint64_t bytes)
{
    inf_connection_at(http->connections, r->from, stage, bytes);
}

/* A body that was refused as a whole, before anybody looked for traces in it. */
static void count_refusal(inf_http *http, const inf_request *r)
{
    bool whole = r->status == MHD_HTTP_BAD_REQUEST || r->status == MHD_HTTP_CONTENT_TOO_LARGE;
    bool traces = r->route == INF_ROUTE_TRACE || r->route == INF_ROUTE_BATCH;
    if (r->refused && whole && traces && !r->counted && r->access.role == INF_ROLE_INGEST)
        inf_metrics_refused_body(http->receiver->metrics, (int)r->status);
}

static enum MHD_Result send_answer(inf_http *http, inf_request *r)
{
    count_refusal(http, r);
    at(http, r, INF_STAGE_ANSWER, r->response ? STREAM_BYTES : r->answer.length);
    return inf_answer_queue(r);
}

/* ---- the life of a request ---- */

/* Headers are there. May suspend. */
static void begin(inf_http *http, inf_request *r, const char *url, const char *method, const char *version)
{
    r->url = inf_headers_path(url);
    r->method = method;
    r->began_ns = inf_logging_requests() ? inf_mono_ns() : 0;
    inf_route_find(r, r->url, method);
    const char *doubt = inf_headers_doubt(r->connection);
    if (doubt) {
        r->allow[0] = 0;
        r->doubtful = true;
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, doubt);
    }
    if (r->refused)
        return;
    if (atomic_load(&http->quiet)) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the receiver is ending");
        return;
    }
    if (!address_may(http, r))
        return;
    /* Only a browser can be misled, and it cannot be made to send an agent's key. */
    bool agent = r->def->access == INF_ACCESS_INGEST || r->def->access == INF_ACCESS_AGENT_OR_READ;
    if (!agent && !host_is_ours(r, version)) {
        inf_request_refuse(r, MHD_HTTP_MISDIRECTED_REQUEST, "this receiver does not answer to that host name");
        return;
    }
    inf_access_early(r);
}

static bool wants_continue(const inf_request *r)
{
    const char *expect = inf_request_header(r, MHD_HTTP_HEADER_EXPECT);
    return expect && strcasecmp(expect, "100-continue") == 0;
}

/* Must the refusal be sent before the body was read? */
static bool answer_early(const inf_request *r)
{
    const char *length = inf_request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return r->refused && (r->doubtful || wants_continue(r) || (length && strtoull(length, NULL, 10) > READ_OVER_MAX));
}

/* On the commit thread; the request is the loop's again, or gone, once `commit` has changed. */
static void durable(inf_waiter *waiter, int rc)
{
    inf_request *r = (inf_request *)waiter;
    inf_http_loop *loop = r->loop;
    inf_http *http = r->receiver->http;
    r->commit_rc = rc;
    if (atomic_exchange(&r->commit, INF_COMMIT_DONE) == INF_COMMIT_ABANDONED)
        request_done(http, r);
    else
        inf_http_loop_wake(loop);
}

void inf_request_commit(inf_request *r)
{
    struct server_loop *loop = (struct server_loop *)r->loop;
    r->waiter.done = durable;
    r->waiter.next = NULL;
    atomic_store(&r->commit, INF_COMMIT_RUNNING);
    r->phase = INF_PHASE_COMMITTING;
    if (loop->first)
        loop->last->waiter.next = &r->waiter;
    else
        loop->first = r;
    loop->last = r;
}

/* One group of all that have come in this round: fewer wake-ups, larger groups. */
static void commit_round(inf_http_loop *context)
{
    struct server_loop *loop = (struct server_loop *)context;
    inf_request *first = loop->first;
    if (!first)
        return;
    loop->first = NULL;
    int rc = inf_intake_commit(first->receiver->intake, &first->waiter, &loop->last->waiter);
    for (inf_waiter *w = rc < 0 ? &first->waiter : NULL, *next; w; w = next) {
        next = w->next;
        w->done(w, rc);
    }
}

/* Whether a parked request can be answered now. */
static bool is_committed(inf_request *r)
{
    if (atomic_load(&r->commit) != INF_COMMIT_DONE)
        return false;
    r->loop->parked--;
    r->phase = INF_PHASE_ANSWERED;
    if (r->commit_rc < 0) {
        inf_metrics_refused(r->receiver->metrics, INF_REFUSAL_JOURNAL_ERROR);
        inf_request_refusef(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the journal cannot be written: %s",
                            inf_strerror(r->commit_rc));
    }
    return true;
}

static enum MHD_Result take(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *data, size_t *size, void **state)
{
    struct server_loop *loop = context;
    inf_http *http = loop->http;
    inf_request *r = *state;
    if (r && r->phase == INF_PHASE_COMMITTING && !is_committed(r))
        return MHD_YES;
    loop->loop.moved = true;
    if (!r) {
        r = request_new(http);
        if (!r)
            return MHD_NO;
        *state = r;
        atomic_fetch_add(&http->active, 1);
        r->receiver = http->receiver;
        r->connection = connection;
        r->loop = &loop->loop;
        r->phase = INF_PHASE_HEADERS;
        r->from = inf_connection_of(connection);
        at(http, r, INF_STAGE_WORK, 0);
        begin(http, r, url, method, version);
        if (r->suspended)
            return MHD_YES; /* called again when it is decided */
        r->phase = INF_PHASE_DECIDED;
    }
    r->suspended = false;
    if (r->phase == INF_PHASE_DECIDED) {
        if (!r->refused && agent_may(http, r) && r->def->body_max > 0)
            check_body_headers(r);
        r->phase = INF_PHASE_BODY;
        at(http, r, INF_STAGE_BODY, 0);
        return answer_early(r) ? send_answer(http, r) : MHD_YES;
    }
    if (r->phase == INF_PHASE_BODY && *size > 0) {
        if (in_parts(r) && !r->refused && r->body.length >= r->def->body_max) {
            at(http, r, INF_STAGE_WORK, 0);
            inf_route_run_part(r); /* and then this call again */
            return MHD_YES;
        }
        size_t n = *size;
        *size = 0;
        if (r->from)
            inf_connection_more(http->connections, r->from, n);
        return take_body(r, data, n) ? MHD_YES : MHD_NO;
    }
    if (r->phase == INF_PHASE_BODY) {
        r->phase = INF_PHASE_ANSWERED;
        at(http, r, INF_STAGE_WORK, 0);
        if (!r->refused)
            inf_route_run(r);
        if (r->suspended)
            return MHD_YES;
        loop->loop.parked += r->phase == INF_PHASE_COMMITTING;
    }
    return r->phase == INF_PHASE_ANSWERED ? send_answer(http, r) : MHD_YES;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct server_loop *loop = context;
    inf_request *r = *state;
    *state = NULL;
    if (!r)
        return;
    loop->loop.moved = true;
    pay(loop->http, r);
    at(loop->http, r, INF_STAGE_HEADERS, 0);
    bool parked = r->phase == INF_PHASE_COMMITTING;
    loop->loop.parked -= parked;
    if (!parked || atomic_exchange(&r->commit, INF_COMMIT_ABANDONED) == INF_COMMIT_DONE)
        request_done(loop->http, r);
}

/* ---- starting and ending ---- */

static unsigned thread_count(const inf_serve_options *options)
{
    cpu_set_t ours; /* a service is often allowed less than the machine has */
    long cores = sched_getaffinity(0, sizeof ours, &ours) == 0 ? CPU_COUNT(&ours) : sysconf(_SC_NPROCESSORS_ONLN);
    if (options->threads > 0)
        return options->threads > THREADS_MAX ? THREADS_MAX : (unsigned)options->threads;
    return cores < 1 ? 1 : cores > 4 ? 4 : (unsigned)cores;
}

static void library_says(void *context, const char *format, va_list args)
{
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    inf_log(INF_LOG_DEBUG, "http: %s", text);
}

static int start_loop(inf_http *http, unsigned connections)
{
    struct server_loop *loop = &http->loops[http->loop_count];
    loop->http = http;
    loop->loop.round_over = commit_round;
    bool tls = http->receiver->tls;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, inf_connections_accept, http->connections, take, loop, MHD_OPTION_NOTIFY_CONNECTION,
        inf_connections_notify, http->connections, MHD_OPTION_EXTERNAL_LOGGER, library_says, NULL,
        MHD_OPTION_LISTEN_SOCKET, http->listener, MHD_OPTION_NOTIFY_COMPLETED, completed, loop,
        MHD_OPTION_UNESCAPE_CALLBACK, inf_headers_unescape, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, tls ? MHD_OPTION_HTTPS_CERT_CALLBACK2 : MHD_OPTION_END, inf_tls_callback(),
        MHD_OPTION_HTTPS_PRIORITIES, INF_TLS_PRIORITIES, MHD_OPTION_END);
    if (!daemon)
        return INF_ESYS;
    int rc = inf_http_loop_start(&loop->loop, daemon);
    if (rc == 0) {
        http->loop_count++;
        return 0;
    }
    MHD_quiesce_daemon(daemon); /* or the listener would be closed with it */
    MHD_stop_daemon(daemon);
    return rc;
}

int inf_http_listen(inf_http **out, inf_receiver *receiver, const inf_serve_options *options, char *message,
                    size_t size)
{
    *out = NULL;
    inf_http *http = calloc(1, sizeof *http);
    if (!http)
        return INF_ENOMEM;
    http->receiver = receiver;
    http->listener = -1;
    pthread_mutex_init(&http->lock, NULL);
    http->listener = inf_listen(receiver, options, message, size);
    if (http->listener < 0) {
        int failed = http->listener;
        pthread_mutex_destroy(&http->lock);
        free(http);
        return failed;
    }
    *out = http;
    receiver->http = http;
    unsigned threads = thread_count(options);
    unsigned connections = options->connections > 0 ? (unsigned)options->connections : DEFAULT_CONNECTIONS;
    http->connections = inf_connections_new(connections);
    http->rate = inf_rate_new();
    int rc = http->connections && http->rate ? 0 : INF_ENOMEM;
    if (rc == 0)
        inf_http_limit(http, options);
    for (unsigned i = 0; rc == 0 && i < threads; i++)
        rc = start_loop(http, connections > threads ? (connections + threads - 1) / threads : 1);
    if (rc < 0)
        snprintf(message, size, "the HTTP server cannot be started: %s",
                 rc == INF_ENOMEM ? "out of memory" : strerror(errno));
    return rc;
}

void inf_http_quiesce(inf_http *http)
{
    if (!http)
        return;
    atomic_store(&http->quiet, true);
    for (unsigned i = 0; i < http->loop_count; i++)
        inf_http_loop_quiesce(&http->loops[i].loop);
}

void inf_http_stop(inf_http *http)
{
    if (!http)
        return;
    for (int i = 0; i < 100 && atomic_load(&http->active) > 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    for (unsigned i = 0; i < http->loop_count; i++)
        inf_http_loop_stop(&http->loops[i].loop);
    if (http->listener >= 0)
        inf_os.close(http->listener);
    while (http->spare) {
        inf_request *next = http->spare->next;
        request_free(http->spare);
        http->spare = next;
    }
    while (http->reader_count) {
        inf_body_reader *reader = http->readers[--http->reader_count];
        inf_body_reader_free(reader);
        free(reader);
    }
    inf_connections_free(http->connections);
    inf_rate_free(http->rate);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

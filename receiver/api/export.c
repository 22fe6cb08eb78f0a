/* See export.h. One lock for all exports; the store is read and text is made without it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/export.h"
#include "api/query.h"
#include "base/log.h"
#include "infinium.h"

enum { EXPORTS_MAX = 4, THREADS_MAX = 16, PATIENCE_MS = 500, BLOCK = 32 * 1024, KEEP = 1024 * 1024 };

struct export
{
    struct export *next;
    struct export **link;
    inf_exports *all;
    struct MHD_Connection *connection;
    inf_http_loop *loop;
    pthread_cond_t sent_all;
    inf_buf out; /* on its way */
    size_t sent; /* of it */
    bool suspended;
    bool ended; /* the thread has */
    int error;  /* why it ended early */
    bool gone;  /* the reader is */

    /* the thread's own */
    inf_dump dump;
    inf_buf fresh;
    uint8_t agent_id[16];
    uint8_t parent_id[16];
    char *texts; /* of the filter */
};

struct inf_exports {
    pthread_mutex_t lock;
    pthread_cond_t one_less;
    const char *dir;
    struct export *first; /* whose readers are there */
    unsigned running;     /* threads; those of readers that are gone end soon */
    bool stopping;
};

int inf_exports_open(inf_exports **out, const char *dir)
{
    inf_exports *all = *out = calloc(1, sizeof *all);
    if (!all)
        return INF_ENOMEM;
    all->dir = dir;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->one_less, NULL);
    return 0;
}

static void free_export(struct export *e)
{
    pthread_cond_destroy(&e->sent_all);
    inf_buf_free(&e->out);
    inf_buf_free(&e->fresh);
    free(e->texts);
    free(e);
}

/* The lock is held. */
static void resume(struct export *e)
{
    if (!e->suspended)
        return;
    e->suspended = false;
    inf_http_loop_resume(e->loop, e->connection);
}

/* ---- the thread ---- */

/* Waits until the last part is sent, and hands the next one over. False when nobody wants it. */
static bool hand_over(struct export *e)
{
    pthread_mutex_lock(&e->all->lock);
    while (!e->gone && !e->all->stopping && e->sent < e->out.length)
        pthread_cond_wait(&e->sent_all, &e->all->lock);
    bool wanted = !e->gone && !e->all->stopping;
    if (wanted) {
        inf_buf old = e->out;
        e->out = e->fresh;
        e->fresh = old;
        e->sent = 0;
        resume(e);
    }
    pthread_mutex_unlock(&e->all->lock);
    if (e->fresh.capacity > KEEP)
        inf_buf_free(&e->fresh);
    inf_buf_reset(&e->fresh);
    return wanted;
}

static bool is_wanted(struct export *e)
{
    pthread_mutex_lock(&e->all->lock);
    bool wanted = !e->gone && !e->all->stopping;
    pthread_mutex_unlock(&e->all->lock);
    return wanted;
}

static int export_all(struct export *e)
{
    int rc = inf_store_open(&e->dump.store, e->all->dir, INF_STORE_READ_ONLY);
    if (rc == 0)
        rc = 1;
    while (rc == 1) {
        rc = inf_dump_some(&e->dump, &e->fresh);
        if (rc >= 0 && !(e->fresh.length > 0 ? hand_over(e) : is_wanted(e)))
            rc = INF_ECLOSED;
    }
    if (rc < 0 && rc != INF_ECLOSED)
        inf_log(INF_LOG_ERROR, "an export ended early: %s (%s)", inf_strerror(rc), inf_store_message(e->dump.store));
    inf_store_close(e->dump.store);
    return rc;
}

static void *run(void *context)
{
    struct export *e = context;
    inf_exports *all = e->all;
    int rc = export_all(e);
    pthread_mutex_lock(&all->lock);
    e->ended = true;
    e->error = rc;
    resume(e);
    bool gone = e->gone;
    if (gone)
        free_export(e);
    all->running--;
    pthread_cond_broadcast(&all->one_less);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- the connection's side ---- */

static ssize_t read_export(void *context, uint64_t position, char *data, size_t max)
{
    struct export *e = context;
    (void)position;
    ssize_t given = 0;
    pthread_mutex_lock(&e->all->lock);
    size_t left = e->out.length - e->sent;
    if (left > 0) {
        given = (ssize_t)(left < max ? left : max);
        memcpy(data, e->out.data + e->sent, (size_t)given);
        e->sent += (size_t)given;
        if (e->sent == e->out.length)
            pthread_cond_signal(&e->sent_all);
    } else if (e->ended) {
        /* An export that broke off must not look whole: the connection is closed without the end of the answer. */
        given = e->error < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        e->suspended = true;
        MHD_suspend_connection(e->connection);
    }
    pthread_mutex_unlock(&e->all->lock);
    return given;
}

static void forget(void *context)
{
    struct export *e = context;
    inf_exports *all = e->all;
    pthread_mutex_lock(&all->lock);
    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
    e->gone = true;
    if (e->ended)
        free_export(e);
    else
        pthread_cond_signal(&e->sent_all);
    pthread_cond_broadcast(&all->one_less);
    pthread_mutex_unlock(&all->lock);
}

/* A filter's text lives as long as its request's: the export has its own. */
static int copy_filter(struct export *e, const inf_store_filter *from, inf_store_filter *to)
{
    *to = *from;
    const char **texts[] = {&to->name, &to->model, &to->tag, &to->session_id, &to->user_id, &to->text};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    size_t total = 1;
    for (int i = 0; i < TEXTS; i++)
        total += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    char *at = e->texts = malloc(total);
    if (!at)
        return INF_ENOMEM;
    for (int i = 0; i < TEXTS; i++) {
        if (!*texts[i])
            continue;
        size_t n = strlen(*texts[i]) + 1;
        memcpy(at, *texts[i], n);
        *texts[i] = at;
        at += n;
    }
    if (from->agent_id)
        to->agent_id = memcpy(e->agent_id, from->agent_id, 16);
    if (from->parent_id)
        to->parent_id = memcpy(e->parent_id, from->parent_id, 16);
    to->cursor = NULL;
    return 0;
}

/* The lock is held. */
static bool full(const inf_exports *all)
{
    unsigned busy = 0;
    for (const struct export *e = all->first; e; e = e->next)
        busy += !e->ended;
    return busy >= EXPORTS_MAX || all->running >= THREADS_MAX;
}

/* Waits a moment for a place: a reader that has just gone may not have been noticed yet. The lock is held. */
static int wait_for_place(inf_exports *all)
{
    struct timespec until;
    int code = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += PATIENCE_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    while (!all->stopping && full(all) && code == 0)
        code = pthread_cond_timedwait(&all->one_less, &all->lock, &until);
    return all->stopping ? INF_ECLOSED : full(all) ? INF_EFULL : 0;
}

static int start(struct export *e)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &detached, run, e);
    pthread_attr_destroy(&detached);
    if (error == 0)
        (void)pthread_setname_np(thread, "export");
    return error ? INF_ESYS : 0;
}

int inf_exports_begin(inf_exports *all, const inf_store_filter *filter, enum inf_dump_format format,
                      inf_http_loop *loop, struct MHD_Connection *connection, struct MHD_Response **out)
{
    struct export *e = calloc(1, sizeof *e);
    inf_store_filter own;
    if (!e)
        return INF_ENOMEM;
    e->all = all;
    e->loop = loop;
    e->connection = connection;
    pthread_cond_init(&e->sent_all, NULL);
    inf_buf_init(&e->out, INF_DUMP_ENOUGH + INF_DUMP_LINE_MAX);
    inf_buf_init(&e->fresh, INF_DUMP_ENOUGH + INF_DUMP_LINE_MAX);
    int rc = copy_filter(e, filter, &own);
    inf_dump_init(&e->dump, NULL, &own, format);
    pthread_mutex_lock(&all->lock);
    if (rc == 0)
        rc = wait_for_place(all);
    if (rc == 0) {
        *out = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_export, e, forget);
        rc = *out ? 0 : INF_ENOMEM;
    }
    bool owned = rc == 0; /* by the answer */
    if (owned) {
        e->next = all->first;
        e->link = &all->first;
        if (e->next)
            e->next->link = &e->next;
        all->first = e;
        rc = start(e);
        e->ended = rc < 0;
        all->running += rc == 0;
    }
    pthread_mutex_unlock(&all->lock);
    if (rc < 0 && owned)
        MHD_destroy_response(*out); /* and with it the export */
    else if (rc < 0)
        free_export(e);
    if (rc < 0)
        *out = NULL;
    return rc;
}

void inf_exports_stop(inf_exports *all)
{
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->one_less);
    for (struct export *e = all->first; e; e = e->next)
        pthread_cond_signal(&e->sent_all);
    while (all->running > 0)
        pthread_cond_wait(&all->one_less, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

void inf_exports_close(inf_exports *all)
{
    if (!all)
        return;
    inf_exports_stop(all);
    pthread_cond_destroy(&all->one_less);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- GET export ---- */

/* The answer to a HEAD: its headers are those of a stream. */
static ssize_t nothing(void *context, uint64_t position, char *data, size_t max)
{
    (void)context, (void)position, (void)data, (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static void answer(inf_request *r, const inf_store_filter *filter, enum inf_dump_format format)
{
    static const char *const types[] = {"application/x-ndjson", "text/csv; charset=utf-8; header=present"};
    static const char *const names[] = {"attachment; filename=\"traces.ndjson\"",
                                        "attachment; filename=\"traces.csv\""};
    int rc = 0;
    if (r->head)
        r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, nothing, NULL, NULL);
    else
        rc = inf_exports_begin(r->receiver->exports, filter, format, r->loop, r->connection, &r->response);
    if (rc < 0 || !r->response) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                           rc == INF_EFULL     ? "too many exports are running"
                           : rc == INF_ECLOSED ? "the receiver is ending"
                                               : "out of memory");
        return;
    }
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, types[format]);
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, names[format]);
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r->response, "X-Content-Type-Options", "nosniff");
}

void inf_api_export(inf_request *r, inf_worker *worker)
{
    inf_query_traces q = INF_QUERY_TRACES_INIT;
    int format = INF_DUMP_NDJSON;
    const inf_query_parameter parameters[] = {
        INF_QUERY_TRACE_FILTERS(&q),
        {"format", INF_QUERY_CHOICE, &format, 0, 0, INF_DUMP_FORMATS},
    };
    (void)worker;
    if (!INF_QUERY_READ(r, parameters) || !inf_query_settle(r, &q))
        return;
    inf_intake_catch_up(r->receiver->intake);
    answer(r, &q.filter, (enum inf_dump_format)format);
}

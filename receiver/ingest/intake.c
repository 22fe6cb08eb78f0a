/* See intake.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "infinium.h"
#include "ingest/intake.h"
#include "ingest/record.h"
#include "schedule.h"

enum { SEGMENT_BYTES = 16 * 1024 * 1024, CATCH_UP_MS = 5000, UNSYNCED_SEGMENTS = 4 };
#define DEFAULT_MAX_BYTES (1024ull * 1024 * 1024)

struct inf_intake {
    inf_journal *journal;
    inf_directory *directory;
    inf_drain *drain;
    void (*wants_care)(void *context);
    void *context;
    _Atomic uint64_t appended; /* the furthest record's end */
    _Atomic uint64_t durable;  /* everything before is */
    inf_log_cause trouble;     /* syncing */
    inf_log_cause cramped;     /* growing */
    atomic_bool full;          /* the last append found no room */
    uint64_t max_bytes;
    inf_histogram commits;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    inf_waiter *first;
    inf_waiter **last;
    bool started;
    bool stopping;
};

static void raise_to(_Atomic uint64_t *place, uint64_t value)
{
    uint64_t now = atomic_load(place);
    while (now < value && !atomic_compare_exchange_weak(place, &now, value))
        ;
}

static int make_durable(inf_intake *in)
{
    uint64_t upto = atomic_load(&in->appended);
    uint64_t began_ns = inf_mono_ns();
    int rc = inf_journal_sync(in->journal);
    inf_histogram_add(&in->commits, inf_mono_ns() - began_ns);
    if (rc < 0) {
        inf_log_once(&in->trouble, INF_LOG_ERROR, "the journal cannot be synced: %s", inf_strerror(rc));
        return rc;
    }
    inf_log_over(&in->trouble);
    raise_to(&in->durable, upto);
    raise_to(&in->directory->state->accepted, upto);
    return 0;
}

static void *run(void *context)
{
    inf_intake *in = context;
    (void)pthread_setname_np(pthread_self(), "commit");
    inf_schedule_short_turns();
    for (;;) {
        pthread_mutex_lock(&in->lock);
        while (!in->first && !in->stopping)
            pthread_cond_wait(&in->work, &in->lock);
        inf_waiter *w = in->first;
        in->first = NULL;
        in->last = &in->first;
        pthread_mutex_unlock(&in->lock);
        if (!w)
            return NULL;
        if (inf_journal_wants_maintenance(in->journal))
            in->wants_care(in->context);
        int rc = make_durable(in);
        inf_drain_wake(in->drain);
        while (w) {
            inf_waiter *next = w->next; /* w is gone once it was called */
            w->done(w, rc);
            w = next;
        }
    }
}

int inf_intake_open(inf_intake **out, inf_directory *directory, uint64_t max_bytes, inf_drain_owner owner,
                    void (*wants_care)(void *context))
{
    *out = NULL;
    inf_intake *in = calloc(1, sizeof *in);
    if (!in)
        return INF_ENOMEM;
    in->directory = directory;
    in->wants_care = wants_care;
    in->context = owner.context;
    in->last = &in->first;
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->work, NULL);
    max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_BYTES;
    in->max_bytes = max_bytes;
    inf_journal_options options = {
        .dir = directory->journal, .segment_bytes = SEGMENT_BYTES, .max_bytes = max_bytes, .staged = true};
    int rc = inf_journal_open(&in->journal, &options);
    if (rc == 0)
        rc = inf_drain_start(&in->drain, in->journal, SEGMENT_BYTES, max_bytes, directory, owner);
    if (rc == 0 && pthread_create(&in->thread, NULL, run, in) != 0)
        rc = INF_ESYS;
    if (rc < 0) {
        inf_intake_close(in, 0);
        return rc;
    }
    in->started = true;
    *out = in;
    return 0;
}

/* What cannot be synced stays in memory: only so much of it. */
static bool too_much_unsynced(const inf_intake *in)
{
    uint64_t first = atomic_load_explicit(&in->durable, memory_order_relaxed) >> 32;
    uint64_t last = atomic_load_explicit(&in->appended, memory_order_relaxed) >> 32;
    return last > first + UNSYNCED_SEGMENTS && atomic_load_explicit(&in->trouble.said, memory_order_relaxed);
}

int inf_intake_append(inf_intake *in, const inf_store_put *trace)
{
    uint8_t head[INF_INGEST_HEAD_MAX];
    if (too_much_unsynced(in))
        return INF_EIO;
    size_t length = inf_ingest_encode(&trace->summary, head);
    inf_position end = 0;
    int rc = inf_journal_append(in->journal, INF_RECORD_INGEST, head, length, trace->body, trace->body_length, &end);
    if (rc == 0)
        raise_to(&in->appended, end);
    /* read before it is written: it is the same for all threads nearly always */
    if (atomic_load_explicit(&in->full, memory_order_relaxed) != (rc == INF_EFULL))
        atomic_store_explicit(&in->full, rc == INF_EFULL, memory_order_relaxed);
    return rc;
}

int inf_intake_commit(inf_intake *in, inf_waiter *first, inf_waiter *last)
{
    last->next = NULL;
    pthread_mutex_lock(&in->lock);
    int rc = in->stopping ? INF_ECLOSED : 0;
    bool idle = rc == 0 && !in->first;
    if (rc == 0) {
        *in->last = first;
        in->last = &last->next;
    }
    pthread_mutex_unlock(&in->lock);
    if (idle)
        pthread_cond_signal(&in->work);
    return rc;
}

void inf_intake_get_stats(inf_intake *in, inf_intake_stats *out)
{
    inf_journal_get_stats(in->journal, &out->journal);
    inf_drain_get_stats(in->drain, &out->drain);
    out->journal_max_bytes = in->max_bytes;
    out->full = atomic_load_explicit(&in->full, memory_order_relaxed) &&
                out->journal.bytes + SEGMENT_BYTES > in->max_bytes; /* it may have been emptied since */
    out->unsynced = atomic_load_explicit(&in->trouble.said, memory_order_relaxed);
    out->cramped = atomic_load_explicit(&in->cramped.said, memory_order_relaxed);
    out->commits = &in->commits;
}

void inf_intake_catch_up(inf_intake *in)
{
    inf_drain_wait(in->drain, atomic_load(&in->appended), CATCH_UP_MS);
}

void inf_intake_maintain(inf_intake *in)
{
    int rc = inf_journal_maintain(in->journal);
    if (rc == 0)
        inf_log_over(&in->cramped);
    else if (rc < 0 && rc != INF_EFULL)
        inf_log_once(&in->cramped, INF_LOG_ERROR, "the journal cannot grow: %s", inf_strerror(rc));
    if (too_much_unsynced(in))
        (void)make_durable(in); /* nobody is let in who would have it tried again */
}

void inf_intake_stop(inf_intake *in)
{
    if (!in || !in->started)
        return;
    pthread_mutex_lock(&in->lock);
    in->stopping = true;
    pthread_cond_signal(&in->work);
    pthread_mutex_unlock(&in->lock);
    pthread_join(in->thread, NULL);
    in->started = false;
}

void inf_intake_close(inf_intake *in, int timeout_ms)
{
    if (!in)
        return;
    inf_intake_stop(in);
    inf_drain_stop(in->drain, timeout_ms);
    if (in->journal)
        inf_journal_close(in->journal);
    pthread_cond_destroy(&in->work);
    pthread_mutex_destroy(&in->lock);
    free(in);
}

/* See drain.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "infinium.h"
#include "ingest/drain.h"
#include "ingest/record.h"

/* A batch is what has come meanwhile, so a long one is only made of a backlog: a trace then costs a third less. */
enum { BATCH_ROWS = 4000, BATCH_BYTES = 16 * 1024 * 1024, NICE = 5 };
enum { SMALL_ROWS = 250 }; /* of a batch while it must share a processor: it holds that for a short time only */
enum { REST_FACTOR = 24 };
#define RELEASE_NS 30000000000ull
#define REST_MAX_NS 1000000000ull
#define COMING_NS 300000000ull /* traces keep coming: the last ones are not older */
#define LINGER_NS 50000000ull  /* how long a batch may wait for more when nobody waits for it */
#define IDLE_NS 500000000ull
#define RETRY_NS 200000000ull

struct batch {
    inf_store_put rows[BATCH_ROWS];
    size_t count;
    size_t most;
    size_t bytes;
    inf_position end; /* past the last record read, whether it became a row or not */
    size_t left_out;
    bool any;
};

struct inf_drain {
    inf_journal *journal;
    inf_directory *directory;
    inf_store *store;
    inf_drain_owner owner;
    struct batch batch;
    inf_log_cause trouble;
    uint32_t segment_bytes;
    uint64_t journal_max_bytes;
    int schedule_fd; /* what the kernel says of the thread; -1: nothing */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t progress;
    inf_position done; /* everything before is in the store */
    unsigned waiting;  /* threads in inf_drain_wait() */
    uint64_t woken_ns; /* when something was last appended */
    bool woken;
    bool stopping;
    bool abandon; /* stop now: the rest stays in the journal */

    _Atomic uint64_t total_stored, total_duplicates, total_left_out;
    inf_histogram transactions;
};

static void clear(struct batch *b)
{
    b->count = 0;
    b->bytes = 0;
    b->left_out = 0;
    b->any = false;
}

static bool is_full(const struct batch *b)
{
    return b->count >= b->most || b->bytes >= BATCH_BYTES;
}

/* Reads until the batch is full or nothing more is there. 0, or a negative error of the journal. */
static int fill(struct batch *b, inf_journal *journal)
{
    inf_record record;
    int rc = 0;
    while (!is_full(b) && (rc = inf_journal_next(journal, &record)) == 1) {
        b->end = record.position;
        b->any = true;
        if (record.type != INF_RECORD_INGEST)
            continue;
        if (inf_ingest_decode(record.payload, record.length, &b->rows[b->count]) < 0) {
            inf_log(INF_LOG_ERROR, "a journal record of %u bytes cannot be read and was left out", record.length);
            b->left_out++;
            continue;
        }
        b->bytes += record.length;
        b->count++;
    }
    return rc < 0 ? rc : 0;
}

static bool trouble_of_one_row(int rc)
{
    return rc == INF_E2BIG || rc == INF_EEXIST || rc == INF_EINVAL;
}

/* Stores a batch; *fresh counts the rows that were not there yet. */
static int store_batch(inf_store *store, struct batch *b, uint64_t *fresh)
{
    int rc = inf_store_put_traces(store, b->rows, b->count);
    if (rc < 0 && trouble_of_one_row(rc)) {
        rc = 0;
        for (size_t i = 0; rc == 0 && i < b->count; i++) {
            rc = inf_store_put_traces(store, &b->rows[i], 1);
            if (rc < 0 && trouble_of_one_row(rc)) {
                inf_log(INF_LOG_ERROR, "a trace cannot be stored and was left out: %s", inf_store_message(store));
                b->rows[i].duplicate = true;
                b->left_out++;
                rc = 0;
            }
        }
    }
    for (size_t i = 0; rc == 0 && i < b->count; i++)
        *fresh += !b->rows[i].duplicate;
    return rc;
}

static void wait_ns(inf_drain *d, uint64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    ns += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    pthread_cond_timedwait(&d->work, &d->lock, &until);
}

/* Waits for something to do; false when the thread is to end. */
static bool next_round(inf_drain *d, uint64_t began_ns)
{
    pthread_mutex_lock(&d->lock);
    for (;;) {
        uint64_t age = d->batch.any ? inf_mono_ns() - began_ns : 0;
        bool due = d->batch.any && (is_full(&d->batch) || d->waiting > 0 || d->stopping || age >= LINGER_NS);
        if (d->abandon || due || d->woken || (d->stopping && !d->batch.any))
            break;
        wait_ns(d, d->batch.any ? LINGER_NS - age : IDLE_NS);
        if (!d->batch.any)
            break;
    }
    bool go_on = !d->abandon && !(d->stopping && !d->batch.any && !d->woken);
    d->woken = false;
    pthread_mutex_unlock(&d->lock);
    return go_on;
}

static bool is_due(inf_drain *d, uint64_t began_ns)
{
    pthread_mutex_lock(&d->lock);
    bool due = d->waiting > 0 || d->stopping;
    pthread_mutex_unlock(&d->lock);
    return due || is_full(&d->batch) || inf_mono_ns() - began_ns >= LINGER_NS;
}

static void add(_Atomic uint64_t *total, uint64_t more)
{
    atomic_fetch_add_explicit(total, more, memory_order_relaxed);
}

static void commit(inf_drain *d)
{
    uint64_t fresh = 0;
    size_t unreadable = d->batch.left_out;
    uint64_t began_ns = inf_mono_ns();
    int rc;
    while ((rc = store_batch(d->store, &d->batch, &fresh)) < 0) {
        d->batch.left_out = unreadable;
        inf_log_once(&d->trouble, INF_LOG_ERROR,
                     "the store cannot be written (%s): %s; accepted traces wait in the journal", inf_strerror(rc),
                     inf_store_message(d->store));
        pthread_mutex_lock(&d->lock);
        wait_ns(d, RETRY_NS);
        bool abandon = d->abandon;
        pthread_mutex_unlock(&d->lock);
        if (abandon)
            return;
        fresh = 0;
        began_ns = inf_mono_ns();
    }
    inf_histogram_add(&d->transactions, inf_mono_ns() - began_ns);
    add(&d->total_stored, fresh);
    add(&d->total_left_out, d->batch.left_out);
    add(&d->total_duplicates, d->batch.count - fresh - (d->batch.left_out - unreadable));
    if (inf_log_over(&d->trouble))
        inf_log(INF_LOG_WARNING, "the store can be written again");
    rc = inf_journal_ack(d->journal, d->batch.end);
    if (rc < 0)
        inf_log(INF_LOG_WARNING, "the journal's place cannot be kept: %s", inf_strerror(rc));
    atomic_store(&d->directory->state->stored, d->batch.end);
    pthread_mutex_lock(&d->lock);
    d->done = d->batch.end;
    pthread_cond_broadcast(&d->progress);
    pthread_mutex_unlock(&d->lock);
    clear(&d->batch);
    if (fresh > 0)
        d->owner.stored(d->owner.context);
}

/* Of the journal, not yet stored. */
static uint64_t waiting_bytes(const inf_drain *d, inf_position done)
{
    inf_position tail = inf_journal_tail(d->journal);
    int64_t segments = (int64_t)(tail >> 32) - (int64_t)(done >> 32);
    int64_t bytes = segments * (int64_t)d->segment_bytes + (int64_t)(uint32_t)tail - (int64_t)(uint32_t)done;
    return bytes < 0 ? 0 : (uint64_t)bytes;
}

void inf_drain_get_stats(inf_drain *d, inf_drain_stats *out)
{
    pthread_mutex_lock(&d->lock);
    inf_position done = d->done;
    pthread_mutex_unlock(&d->lock);
    out->stored = atomic_load_explicit(&d->total_stored, memory_order_relaxed);
    out->duplicates = atomic_load_explicit(&d->total_duplicates, memory_order_relaxed);
    out->left_out = atomic_load_explicit(&d->total_left_out, memory_order_relaxed);
    out->waiting_bytes = waiting_bytes(d, done);
    out->failing = atomic_load_explicit(&d->trouble.said, memory_order_relaxed);
    out->transactions = &d->transactions;
}

/* What the thread has had of a processor, and how long it has waited for one, in nanoseconds. */
struct share {
    uint64_t worked;
    uint64_t waited;
};

static struct share share_now(const inf_drain *d)
{
    struct share s = {0};
    struct timespec t;
    char text[80] = "";
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0)
        s.worked = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    if (d->schedule_fd >= 0 && inf_os.pread(d->schedule_fd, text, sizeof text - 1, 0) > 0)
        (void)sscanf(text, "%*u %" SCNu64, &s.waited);
    return s;
}

/* How much of the rests is left, 1 to 0. Until the journal is half full all, from three quarters on nothing. A segment
 * takes its place until all of it is stored. */
static double patience(inf_drain *d)
{
    uint64_t held = waiting_bytes(d, d->done >> 32 << 32);
    double full = (double)held / (double)d->journal_max_bytes;
    return full < 0.5 ? 1 : full > 0.75 ? 0 : (0.75 - full) * 4;
}

/* 0: who wants a processor has one; to 1: the thread waits longer for it than it has it. */
static double crowding(struct share had)
{
    double ratio = (double)had.waited / (double)(had.worked ? had.worked : 1) - 0.25;
    return ratio < 0 ? 0 : ratio > 1 ? 1 : ratio;
}

/* After a transaction that had this much of a processor. It is shorter when the journal fills meanwhile. */
static void rest(inf_drain *d, struct share had)
{
    double most = REST_FACTOR * crowding(had) * (double)had.worked;
    bool viewed = d->owner.viewed(d->owner.context);
    bool rested = false;
    pthread_mutex_lock(&d->lock);
    uint64_t began = inf_mono_ns();
    bool coming = began - d->woken_ns < COMING_NS;
    while (coming && !viewed && d->waiting == 0 && !d->stopping) {
        double ns = most < REST_MAX_NS ? most : REST_MAX_NS;
        uint64_t until = began + (uint64_t)(ns * patience(d)), now = inf_mono_ns();
        if (now >= until)
            break;
        rested = true;
        wait_ns(d, until - now);
    }
    pthread_mutex_unlock(&d->lock);
    d->batch.most = rested ? SMALL_ROWS : BATCH_ROWS;
}

/* Where processors are scarce, acknowledging goes before storing: what is acknowledged is safe, and the journal is
 * long. Nice values are the thread's own in Linux. */
static void stand_back(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    (void)pthread_setname_np(pthread_self(), "drain");
}

/* More is known to be there. */
static void look_again(inf_drain *d)
{
    pthread_mutex_lock(&d->lock);
    d->woken = true;
    pthread_mutex_unlock(&d->lock);
}

static void *run(void *context)
{
    inf_drain *d = context;
    uint64_t began_ns = 0, stored_ns = 0; /* 0: nothing since its memory was given back */
    stand_back();
    d->schedule_fd = inf_os.open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC, 0);
    while (next_round(d, began_ns)) {
        bool had = d->batch.any;
        int rc = fill(&d->batch, d->journal);
        if (rc < 0)
            inf_log(INF_LOG_ERROR, "the journal cannot be read: %s", inf_strerror(rc));
        if (!had && d->batch.any)
            began_ns = inf_mono_ns();
        if (d->batch.any && is_due(d, began_ns)) {
            bool full = is_full(&d->batch);
            struct share before = share_now(d);
            commit(d);
            struct share after = share_now(d);
            rest(d, (struct share){after.worked - before.worked, after.waited - before.waited});
            stored_ns = inf_mono_ns();
            if (full)
                look_again(d);
        } else if (stored_ns && !d->batch.any && inf_mono_ns() - stored_ns > RELEASE_NS) {
            inf_store_release(d->store);
            stored_ns = 0;
        }
    }
    if (d->schedule_fd >= 0)
        inf_os.close(d->schedule_fd);
    return NULL;
}

int inf_drain_start(inf_drain **out, inf_journal *journal, uint32_t segment_bytes, uint64_t max_bytes,
                    inf_directory *directory, inf_drain_owner owner)
{
    *out = NULL;
    inf_drain *d = calloc(1, sizeof *d);
    if (!d)
        return INF_ENOMEM;
    d->journal = journal;
    d->directory = directory;
    d->owner = owner;
    d->segment_bytes = segment_bytes;
    d->journal_max_bytes = max_bytes;
    d->schedule_fd = -1;
    d->done = inf_journal_tail(journal); /* nothing was appended yet */
    d->batch.most = BATCH_ROWS;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, &monotonic);
    pthread_cond_init(&d->progress, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = inf_store_open(&d->store, directory->path, INF_STORE_BULK);
    if (rc == 0 && pthread_create(&d->thread, NULL, run, d) != 0)
        rc = INF_ESYS;
    if (rc < 0) {
        inf_store_close(d->store);
        free(d);
        return rc;
    }
    *out = d;
    return 0;
}

void inf_drain_wake(inf_drain *d)
{
    pthread_mutex_lock(&d->lock);
    d->woken_ns = inf_mono_ns();
    d->woken = true;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
}

int inf_drain_wait(inf_drain *d, inf_position position, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000l;
    if (until.tv_nsec >= 1000000000l) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000l;
    }
    pthread_mutex_lock(&d->lock);
    d->waiting++;
    int code = 0;
    if (d->done < position) {
        d->woken = true;
        pthread_cond_signal(&d->work);
    }
    while (d->done < position && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&d->progress, &d->lock, &until);
    int rc = d->done < position ? INF_ETIMEDOUT : 0;
    d->waiting--;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

void inf_drain_stop(inf_drain *d, int timeout_ms)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    d->woken = true;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000 + 1;
    if (pthread_timedjoin_np(d->thread, NULL, &until) != 0) {
        pthread_mutex_lock(&d->lock);
        d->abandon = true;
        inf_store_hurry(d->store);
        pthread_cond_signal(&d->work);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
    }
    inf_journal_stats journal;
    inf_journal_get_stats(d->journal, &journal);
    uint64_t done = atomic_load(&d->total_stored) + atomic_load(&d->total_duplicates) + atomic_load(&d->total_left_out);
    uint64_t left = journal.appended > done ? journal.appended - done : 0;
    if (left > 0)
        inf_log(INF_LOG_WARNING, "%" PRIu64 " accepted %s not stored yet; the next start stores %s", left,
                left == 1 ? "trace is" : "traces are", left == 1 ? "it" : "them");
    inf_store_close(d->store);
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->progress);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct progress {
    uint64_t read;
    void (*call)(void *context, uint64_t read);
    void *context;
};

static int drain_one(inf_store *store, inf_journal *journal, struct batch *b, uint64_t *stored, struct progress *p)
{
    int rc;
    b->most = BATCH_ROWS;
    for (;;) {
        clear(b);
        rc = fill(b, journal);
        if (rc < 0 || !b->any)
            return rc;
        rc = store_batch(store, b, stored);
        if (rc == 0)
            rc = inf_journal_ack(journal, b->end);
        if (rc < 0)
            return rc;
        p->read += b->count;
        if (p->call)
            p->call(p->context, p->read);
    }
}

int inf_drain_leftovers(inf_store *store, const char *journal_dir, uint64_t *stored, uint64_t *skipped,
                        void (*progress)(void *context, uint64_t read), void *context)
{
    struct progress p = {.call = progress, .context = context};
    struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return INF_ENOMEM;
    inf_journal *journal;
    uint64_t damaged = 0;
    int rc;
    while ((rc = inf_journal_adopt(&journal, journal_dir)) == 1) {
        rc = drain_one(store, journal, b, stored, &p);
        inf_journal_stats stats;
        inf_journal_get_stats(journal, &stats);
        damaged += stats.skipped;
        inf_journal_close(journal);
        if (rc < 0)
            break;
    }
    free(b);
    if (damaged > 0)
        inf_log(INF_LOG_ERROR,
                "%" PRIu64 " stretch%s of the journal %s damaged and passed over: accepted traces in there are lost; "
                "look at the disk",
                damaged, damaged == 1 ? "" : "es", damaged == 1 ? "was" : "were");
    if (skipped)
        *skipped = damaged;
    return rc == INF_ENOTFOUND ? 0 : rc;
}

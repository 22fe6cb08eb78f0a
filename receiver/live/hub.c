/* See hub.h. One lock guards ring and viewers. A viewer's connection is suspended (inside its content reader) when
 * there is nothing for it, and resumed, under the same lock, when there is; so a resume always meets a suspended
 * connection. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/summary.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "infinium.h"
#include "live/hub.h"

enum {
    RING = 1024,
    BURST = 500, /* changes that are told one by one; more at once are a resync */
    VIEWERS_MAX = 1000,
    EVENT_MAX = 64 * 1024,
    OUT_MAX = 2 * 1024 * 1024, /* a backlog of BURST events */
    OUT_ENOUGH = 12 * 1024,    /* what is prepared for a viewer at a time */
    BLOCK = 16 * 1024,
};
#define HEARTBEAT_NS 15000000000ull
#define VIEW_NS 600000000000ull /* a key may expire meanwhile */
#define PAUSE_NS 50000000l      /* between two rounds, so that a flood of traces becomes few rounds */

struct event {
    uint64_t sequence;
    uint8_t agent_id[16];
    inf_buf text;
};

struct viewer {
    struct viewer *next;
    struct viewer **link;
    struct inf_hub *hub;
    struct MHD_Connection *connection;
    inf_http_loop *loop;
    bool scoped; /* to agent_id: others' events are passed over */
    uint8_t agent_id[16];
    uint64_t last;   /* sequence number of the last event prepared */
    uint64_t end_ns; /* monotonic: not viewed past it without asking again */
    unsigned cut;
    inf_buf out;
    size_t sent; /* of out */
    bool suspended;
    bool beat; /* a heartbeat is due */
};

struct inf_hub {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    bool started;
    bool stopping;
    bool woken;
    inf_store *store;

    struct event fresh[BURST]; /* the thread's own: formatted, not in the ring yet */
    size_t fresh_count;
    struct event ring[RING];
    uint64_t begin; /* ring index of the oldest event; indices only grow */
    uint64_t end;
    uint64_t floor; /* every change after this sequence number, up to `head`, is in the ring */
    uint64_t head;
    struct viewer *viewers;
    unsigned count;
    unsigned cut; /* how often inf_hub_cut() was called */
};

static void resync(inf_buf *out, uint64_t sequence)
{
    inf_buf_printf(out, "event: resync\nid: %llu\ndata: {}\n\n", (unsigned long long)sequence);
}

static void write_event(inf_buf *out, const inf_summary *summary)
{
    inf_buf_printf(out, "event: trace\nid: %llu\ndata: ", (unsigned long long)summary->sequence);
    inf_json_writer w = inf_json_writer_on(out);
    inf_summary_write(&w, summary);
    inf_buf_put_text(out, "\n\n");
}

/* ---- the ring; the lock is held ---- */

static void drop_all(inf_hub *hub, uint64_t head)
{
    hub->begin = hub->end;
    hub->floor = hub->head = head;
}

static void add(inf_hub *hub, struct event *fresh)
{
    if (hub->end - hub->begin == RING)
        hub->floor = hub->ring[hub->begin++ % RING].sequence;
    struct event *slot = &hub->ring[hub->end++ % RING];
    struct event old = *slot;
    *slot = *fresh;
    *fresh = old; /* its memory is used again */
    hub->head = slot->sequence;
}

static bool sees(const struct viewer *v, const uint8_t agent_id[16])
{
    return !v->scoped || memcmp(agent_id, v->agent_id, 16) == 0;
}

/* Must the viewer ask again whether it may? */
static bool over(const struct viewer *v)
{
    return v->hub->stopping || v->cut != v->hub->cut || inf_mono_ns() >= v->end_ns;
}

/* Prepares what the viewer has not seen; false when there is nothing. */
static bool prepare(struct viewer *v)
{
    inf_hub *hub = v->hub;
    inf_buf_reset(&v->out);
    v->sent = 0;
    if (v->beat) {
        inf_buf_put_text(&v->out, ": still here\n\n");
        v->beat = false;
    }
    if (v->last < hub->floor) {
        resync(&v->out, hub->head);
        v->last = hub->head;
    }
    uint64_t low = hub->begin;
    uint64_t high = hub->end;
    while (low < high) { /* sequence numbers grow along the ring */
        uint64_t middle = low + (high - low) / 2;
        if (hub->ring[middle % RING].sequence <= v->last)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < hub->end && v->out.length < OUT_ENOUGH; low++) {
        const struct event *e = &hub->ring[low % RING];
        if (sees(v, e->agent_id))
            inf_buf_put(&v->out, e->text.data, e->text.length);
        v->last = e->sequence;
    }
    return v->out.length > 0;
}

static void resume_all(inf_hub *hub, bool beat)
{
    for (struct viewer *v = hub->viewers; v; v = v->next) {
        v->beat |= beat;
        if (v->suspended && (beat || v->last < hub->head || over(v))) {
            v->suspended = false;
            inf_http_loop_resume(v->loop, v->connection);
        }
    }
}

/* ---- the thread ---- */

static int format(void *context, const inf_summary *summary)
{
    inf_hub *hub = context;
    struct event *e = &hub->fresh[hub->fresh_count];
    inf_buf_reset(&e->text);
    write_event(&e->text, summary);
    e->sequence = summary->sequence;
    memcpy(e->agent_id, summary->agent_id, 16);
    hub->fresh_count++;
    return e->text.error;
}

/* Takes over what was stored since: read and formatted without the lock, for only this thread moves `head` while there
 * are viewers. */
static void round_of_changes(inf_hub *hub)
{
    uint64_t newest = 0;
    pthread_mutex_lock(&hub->lock);
    uint64_t head = hub->head;
    pthread_mutex_unlock(&hub->lock);
    if (inf_store_sequence(hub->store, &newest) < 0)
        return;
    hub->fresh_count = 0;
    bool gap = newest > head && newest - head > BURST;
    if (newest > head && !gap)
        gap = inf_store_changes(hub->store, head, BURST, format, hub) != 0;

    pthread_mutex_lock(&hub->lock);
    if (gap)
        drop_all(hub, newest);
    for (size_t i = 0; !gap && i < hub->fresh_count; i++)
        if (hub->fresh[i].sequence > hub->head)
            add(hub, &hub->fresh[i]);
    if (hub->head < newest)
        hub->head = newest; /* the newest changes were of rows that changed again meanwhile */
    resume_all(hub, false);
    pthread_mutex_unlock(&hub->lock);
}

static void *run(void *context)
{
    inf_hub *hub = context;
    uint64_t beat_ns = inf_mono_ns();
    for (;;) {
        pthread_mutex_lock(&hub->lock);
        while (!hub->woken && !hub->stopping) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += 1;
            pthread_cond_timedwait(&hub->work, &hub->lock, &until);
            if (inf_mono_ns() - beat_ns >= HEARTBEAT_NS) {
                beat_ns = inf_mono_ns();
                resume_all(hub, true);
            }
        }
        bool stopping = hub->stopping;
        bool viewed = hub->viewers != NULL;
        hub->woken = false;
        pthread_mutex_unlock(&hub->lock);
        if (stopping)
            return NULL;
        if (!viewed)
            continue;
        round_of_changes(hub);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
}

int inf_hub_open(inf_hub **out, const char *dir)
{
    *out = NULL;
    inf_hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return INF_ENOMEM;
    for (int i = 0; i < RING; i++)
        inf_buf_init(&hub->ring[i].text, EVENT_MAX);
    for (int i = 0; i < BURST; i++)
        inf_buf_init(&hub->fresh[i].text, EVENT_MAX);
    pthread_mutex_init(&hub->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hub->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = inf_store_open(&hub->store, dir, INF_STORE_READ_ONLY);
    if (rc == 0 && pthread_create(&hub->thread, NULL, run, hub) != 0)
        rc = INF_ESYS;
    hub->started = rc == 0;
    if (rc < 0) {
        inf_hub_close(hub);
        return rc;
    }
    *out = hub;
    return 0;
}

void inf_hub_wake(inf_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->woken = true;
    if (hub->viewers)
        pthread_cond_signal(&hub->work);
    pthread_mutex_unlock(&hub->lock);
}

/* ---- viewers ---- */

static ssize_t read_events(void *context, uint64_t position, char *data, size_t max)
{
    struct viewer *v = context;
    inf_hub *hub = v->hub;
    (void)position;
    ssize_t given = 0;
    pthread_mutex_lock(&hub->lock);
    if (over(v)) {
        given = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (v->sent < v->out.length || prepare(v)) {
        size_t n = v->out.length - v->sent < max ? v->out.length - v->sent : max;
        memcpy(data, v->out.data + v->sent, n);
        v->sent += n;
        given = (ssize_t)n;
    } else {
        v->suspended = true;
        MHD_suspend_connection(v->connection);
    }
    pthread_mutex_unlock(&hub->lock);
    return given;
}

static void forget(void *context)
{
    struct viewer *v = context;
    inf_hub *hub = v->hub;
    pthread_mutex_lock(&hub->lock);
    *v->link = v->next;
    if (v->next)
        v->next->link = v->link;
    hub->count--;
    pthread_mutex_unlock(&hub->lock);
    inf_buf_free(&v->out);
    free(v);
}

static int add_backlog(void *context, const inf_summary *summary)
{
    struct viewer *v = context;
    if (sees(v, summary->agent_id))
        write_event(&v->out, summary);
    v->last = summary->sequence;
    return v->out.error;
}

/* The viewer's first events, before it is among the others. */
static int begin(struct viewer *v, inf_store *store, bool resume, uint64_t after)
{
    uint64_t newest = 0;
    int rc = inf_store_sequence(store, &newest);
    if (rc < 0)
        return rc;
    /* The id alone is no event, but it is where a viewer goes on that saw none before it had to ask again. */
    inf_buf_printf(&v->out, ": hello\nretry: 1000\nid: %llu\n\n", (unsigned long long)(resume ? after : newest));
    v->last = newest;
    if (!resume || after == newest)
        return 0;
    v->last = after;
    size_t greeting = v->out.length;
    if (after > newest || newest - after > BURST || inf_store_changes(store, after, BURST, add_backlog, v) != 0) {
        v->out.length = greeting;
        v->out.error = 0;
        resync(&v->out, newest);
        v->last = newest;
    }
    return 0;
}

int inf_hub_view(inf_hub *hub, inf_store *store, inf_http_loop *loop, struct MHD_Connection *connection,
                 const uint8_t *agent_id, bool resume, uint64_t after, struct MHD_Response **out)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (!v)
        return INF_ENOMEM;
    v->hub = hub;
    v->loop = loop;
    v->connection = connection;
    v->scoped = agent_id != NULL;
    if (agent_id)
        memcpy(v->agent_id, agent_id, 16);
    v->end_ns = inf_mono_ns() + VIEW_NS;
    inf_buf_init(&v->out, OUT_MAX);
    int rc = begin(v, store, resume, after);
    pthread_mutex_lock(&hub->lock);
    if (rc == 0)
        rc = hub->stopping ? INF_ECLOSED : hub->count >= VIEWERS_MAX ? INF_EFULL : 0;
    if (rc == 0) {
        *out = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_events, v, forget);
        rc = *out ? 0 : INF_ENOMEM;
    }
    if (rc == 0) {
        if (!hub->viewers && v->last >= hub->head)
            drop_all(hub, v->last);
        v->cut = hub->cut;
        v->next = hub->viewers;
        v->link = &hub->viewers;
        if (v->next)
            v->next->link = &v->next;
        hub->viewers = v;
        hub->count++;
        hub->woken = true; /* something may have been stored since begin() looked */
        pthread_cond_signal(&hub->work);
    }
    pthread_mutex_unlock(&hub->lock);
    if (rc < 0) {
        inf_buf_free(&v->out);
        free(v);
    }
    return rc;
}

void inf_hub_cut(inf_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->cut++;
    resume_all(hub, false);
    pthread_mutex_unlock(&hub->lock);
}

unsigned inf_hub_viewers(inf_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    unsigned count = hub->count;
    pthread_mutex_unlock(&hub->lock);
    return count;
}

void inf_hub_stop(inf_hub *hub)
{
    if (!hub || !hub->started)
        return;
    pthread_mutex_lock(&hub->lock);
    hub->stopping = true;
    pthread_cond_signal(&hub->work);
    resume_all(hub, false);
    pthread_mutex_unlock(&hub->lock);
    pthread_join(hub->thread, NULL);
    hub->started = false;
}

void inf_hub_close(inf_hub *hub)
{
    if (!hub)
        return;
    inf_hub_stop(hub);
    inf_store_close(hub->store);
    for (int i = 0; i < RING; i++)
        inf_buf_free(&hub->ring[i].text);
    for (int i = 0; i < BURST; i++)
        inf_buf_free(&hub->fresh[i].text);
    pthread_cond_destroy(&hub->work);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

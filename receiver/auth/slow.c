/* See slow.h. The thread also writes down, once a minute, when keys were used last. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/slow.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "http/peer.h"
#include "http/request.h"
#include "infinium.h"

enum {
    QUEUE = 256,
    SLOTS = 4096,      /* addresses and ids that are remembered for their guesses */
    AT_ONCE = 4,       /* of one address for one id, before they come after all others */
    FREE = 5,          /* wrong guesses that people make; then */
    FAILURES_MAX = 13, /* 0.25 s doubling to 30 s */
};
#define FIRST_DELAY_NS 250000000ull
#define LONGEST_DELAY_NS 30000000000ull
#define FORGET_NS 600000000000ull
#define WRITE_USED_NS 60000000000ull
#define WRITE_FIRST_NS 1000000000ull /* whoever has just set an agent up looks whether it was seen */

/* What an address has guessed about an agent or a key. */
struct guess {
    uint64_t key; /* of both */
    uint64_t until_ns;
    uint64_t last_ns;
    unsigned failures;
    unsigned waiting;
};

struct item {
    inf_request *request;
    enum inf_key_answer (*decide)(inf_request *request, bool *hashed);
    uint64_t key;
};

struct queue {
    struct item items[QUEUE];
    unsigned begin;
    unsigned count;
};

struct inf_slow {
    inf_receiver *receiver;
    inf_store *store;
    uint64_t seed;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stopping;
    struct queue good;
    struct queue suspect;
    struct guess guesses[SLOTS];
};

/* ---- who has guessed; the lock is held ---- */

static struct guess *slot(inf_slow *slow, uint64_t key)
{
    return &slow->guesses[key % SLOTS];
}

/* The entry of this key; what another key left there is forgotten when nothing of it waits. */
static struct guess *guess_of(inf_slow *slow, uint64_t key, uint64_t now)
{
    struct guess *g = slot(slow, key);
    bool stale = g->key != key && !g->waiting && now >= g->until_ns;
    if (stale || (g->key == key && g->failures && now - g->last_ns > FORGET_NS)) {
        unsigned waiting = g->key == key ? g->waiting : 0;
        *g = (struct guess){.key = key, .waiting = waiting};
    }
    return g;
}

static void note(inf_slow *slow, uint64_t key, enum inf_key_answer answer, bool hashed)
{
    struct guess *g = slot(slow, key);
    if (g->key != key)
        return; /* another's place, in which this one was not counted */
    g->waiting -= g->waiting > 0;
    if (answer == INF_KEY_RIGHT) {
        g->failures = 0;
        g->until_ns = 0;
    } else if (hashed) {
        g->last_ns = inf_mono_ns();
        g->failures += g->failures < FAILURES_MAX;
        uint64_t delay = g->failures <= FREE ? 0 : FIRST_DELAY_NS << (g->failures - FREE - 1);
        g->until_ns = g->last_ns + (delay < LONGEST_DELAY_NS ? delay : LONGEST_DELAY_NS);
    }
}

static const char *seconds_until(uint64_t until_ns, uint64_t now)
{
    uint64_t left = until_ns > now ? (until_ns - now) / 1000000000u : 0;
    return left < 1 ? "1" : left < 2 ? "2" : left < 4 ? "4" : left < 8 ? "8" : left < 16 ? "16" : "30";
}

static bool push(struct queue *q, struct item item)
{
    if (q->count == QUEUE)
        return false;
    q->items[(q->begin + q->count++) % QUEUE] = item;
    return true;
}

static bool pop(struct queue *q, struct item *out)
{
    if (q->count == 0)
        return false;
    *out = q->items[q->begin];
    q->begin = (q->begin + 1) % QUEUE;
    q->count--;
    return true;
}

/* ---- on a connection's thread ---- */

static void refuse(inf_request *r, const char *seconds, const char *reason)
{
    inf_request_refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, reason);
    r->retry_after = seconds;
}

void inf_slow_decide(inf_slow *slow, inf_request *r, const uint8_t id[16],
                     enum inf_key_answer (*decide)(inf_request *, bool *))
{
    inf_peer peer;
    uint64_t half[2];
    inf_request_peer(r, &peer);
    memcpy(half, id, 16);
    uint64_t key = inf_peer_key(&peer, slow->seed ^ half[0] ^ (half[1] << 1 | half[1] >> 63));
    uint64_t now = inf_mono_ns();
    pthread_mutex_lock(&slow->lock);
    struct guess *g = guess_of(slow, key, now);
    bool mine = g->key == key;
    bool suspect = !mine || g->failures > 0 || g->waiting >= AT_ONCE;
    if (slow->stopping) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the receiver is ending");
    } else if (mine && now < g->until_ns) {
        refuse(r, seconds_until(g->until_ns, now), "a wrong key was sent from there a moment ago");
    } else if ((suspect ? slow->suspect.count : slow->good.count) == QUEUE) {
        refuse(r, "2", "too many keys are waiting to be looked at");
    } else {
        g->waiting += mine;
        inf_request_suspend(r, INF_PHASE_DECIDING);
        push(suspect ? &slow->suspect : &slow->good, (struct item){r, decide, key});
        pthread_cond_signal(&slow->work);
    }
    pthread_mutex_unlock(&slow->lock);
}

/* ---- the thread ---- */

static void work_on(inf_slow *slow, const struct item *item)
{
    uint64_t now = inf_mono_ns();
    pthread_mutex_lock(&slow->lock);
    const struct guess *g = slot(slow, item->key);
    bool barred = g->key == item->key && g->failures && now < g->until_ns;
    uint64_t until = g->until_ns;
    pthread_mutex_unlock(&slow->lock);

    enum inf_key_answer answer = item->decide(item->request, NULL);
    bool hashed = false;
    if (answer == INF_KEY_UNDECIDED && !barred)
        answer = item->decide(item->request, &hashed);
    else if (answer == INF_KEY_UNDECIDED)
        refuse(item->request, seconds_until(until, now), "a wrong key was sent from there a moment ago");
    pthread_mutex_lock(&slow->lock);
    note(slow, item->key, answer, hashed);
    pthread_mutex_unlock(&slow->lock);
    inf_request_resume(item->request, INF_PHASE_DECIDED);
}

static void write_used(inf_slow *slow)
{
    int rc = inf_keys_write_used(slow->receiver->keys, slow->store);
    if (rc < 0)
        inf_log(INF_LOG_WARNING, "when keys were used cannot be written down: %s", inf_strerror(rc));
}

/* False when the thread is to end. */
static bool next(inf_slow *slow, struct item *item)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&slow->lock);
    if (!slow->stopping && slow->good.count == 0 && slow->suspect.count == 0)
        pthread_cond_timedwait(&slow->work, &slow->lock, &until);
    bool got = pop(&slow->good, item) || pop(&slow->suspect, item);
    bool go_on = got || !slow->stopping;
    pthread_mutex_unlock(&slow->lock);
    if (!got)
        item->request = NULL;
    return go_on;
}

static void *run(void *context)
{
    inf_slow *slow = context;
    struct item item;
    uint64_t written = inf_mono_ns();
    while (next(slow, &item)) {
        if (item.request)
            work_on(slow, &item);
        uint64_t ago = inf_mono_ns() - written;
        if (ago >= WRITE_USED_NS || (ago >= WRITE_FIRST_NS && inf_keys_used_first(slow->receiver->keys))) {
            write_used(slow);
            written = inf_mono_ns();
        }
    }
    write_used(slow);
    return NULL;
}

int inf_slow_start(inf_slow **out, inf_receiver *receiver)
{
    *out = NULL;
    inf_slow *slow = calloc(1, sizeof *slow);
    if (!slow)
        return INF_ENOMEM;
    slow->receiver = receiver;
    pthread_mutex_init(&slow->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&slow->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = inf_random_secret(&slow->seed, sizeof slow->seed);
    if (rc == 0)
        rc = inf_store_open(&slow->store, receiver->directory.path, 0);
    if (rc == 0 && pthread_create(&slow->thread, NULL, run, slow) != 0)
        rc = INF_ESYS;
    slow->started = rc == 0;
    if (rc < 0) {
        inf_slow_close(slow);
        return rc;
    }
    (void)pthread_setname_np(slow->thread, "keys");
    *out = slow;
    return 0;
}

void inf_slow_stop(inf_slow *slow)
{
    if (!slow || !slow->started)
        return;
    pthread_mutex_lock(&slow->lock);
    slow->stopping = true;
    pthread_cond_signal(&slow->work);
    pthread_mutex_unlock(&slow->lock);
    inf_store_hurry(slow->store); /* when a key was used last is not worth waiting for */
    pthread_join(slow->thread, NULL);
    slow->started = false;
}

void inf_slow_close(inf_slow *slow)
{
    if (!slow)
        return;
    inf_slow_stop(slow);
    inf_store_close(slow->store);
    pthread_cond_destroy(&slow->work);
    pthread_mutex_destroy(&slow->lock);
    free(slow);
}

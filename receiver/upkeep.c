/* See upkeep.h. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "infinium.h"
#include "store/scores.h"
#include "store/store.h"
#include "upkeep.h"

enum { SWEEP_ROWS = 1000 }; /* scores a look */
enum { TICK_MS = 1000, PURGE_TICKS = 10, TRAIN_TICKS = 60, NICE = 10 };
enum { PURGE_ROWS = 100, PURGE_STEPS = 500, PURGE_REST_MS = 5 }; /* a step keeps the drain waiting for some 20 ms */
#define DAY_NS 86400000000000ull

struct inf_upkeep {
    inf_store *store;
    inf_upkeep_limits *limits;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    int64_t swept; /* as far as scores were looked at */
    inf_log_cause trouble, too_small;
};

/* Waits; false when the thread is to end. */
static bool rest(inf_upkeep *u, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000l;
    if (until.tv_nsec >= 1000000000l) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000l;
    }
    pthread_mutex_lock(&u->lock);
    int code = 0;
    while (!u->stopping && code == 0)
        code = pthread_cond_timedwait(&u->wake, &u->lock, &until);
    bool go_on = !u->stopping;
    pthread_mutex_unlock(&u->lock);
    return go_on;
}

static int purge(inf_upkeep *u)
{
    uint64_t now = inf_unix_ns();
    uint64_t age = (uint64_t)atomic_load(&u->limits->days) * DAY_NS;
    int64_t bytes = atomic_load(&u->limits->bytes);
    int removed = 1;
    int rc = 0;
    if (age == 0 && bytes == 0)
        return 0;
    for (int i = 0; rc == 0 && removed > 0 && i < PURGE_STEPS; i++) {
        rc = inf_store_purge(u->store, age > 0 && age < now ? now - age : 0, bytes, PURGE_ROWS, &removed);
        if (removed > 0 && !rest(u, PURGE_REST_MS))
            break;
    }
    if (rc != INF_EFULL) {
        (void)inf_log_over(&u->too_small);
        return rc;
    }
    inf_log_once(&u->too_small, INF_LOG_WARNING,
                 "the store takes more than the %lld MiB that it may (retention-mib), and would without its traces: "
                 "sums and indexes take the rest. The newest traces stay",
                 (long long)(bytes / (1024 * 1024)));
    return 0;
}

/* What belongs to nothing any more: sums that have grown too old, scores whose trace was deleted or never came. */
static int sweep(inf_upkeep *u)
{
    uint64_t now = inf_unix_ns();
    int rc = inf_store_purge_sums(u->store, now);
    if (rc == 0)
        rc = inf_store_scores_sweep(u->store, now > DAY_NS ? now - DAY_NS : 0, SWEEP_ROWS, &u->swept);
    return rc < 0 ? rc : 0;
}

static void *run(void *context)
{
    inf_upkeep *u = context;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    (void)pthread_setname_np(pthread_self(), "upkeep");
    for (unsigned tick = 1; rest(u, TICK_MS); tick++) {
        int rc = inf_store_checkpoint(u->store);
        if (rc == 0 && tick % PURGE_TICKS == 1)
            rc = purge(u);
        if (rc == 0 && tick % PURGE_TICKS == 2)
            rc = sweep(u);
        if (rc == 0 && tick % TRAIN_TICKS == 0)
            rc = inf_store_train(u->store);
        if (rc < 0 && rc != INF_ETIMEDOUT)
            inf_log_once(&u->trouble, INF_LOG_WARNING, "the store cannot be kept in order: %s",
                         inf_store_message(u->store));
        else
            (void)inf_log_over(&u->trouble);
    }
    return NULL;
}

int inf_upkeep_start(inf_upkeep **out, const char *data_dir, inf_upkeep_limits *limits)
{
    *out = NULL;
    inf_upkeep *u = calloc(1, sizeof *u);
    if (!u)
        return INF_ENOMEM;
    u->limits = limits;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = inf_store_open(&u->store, data_dir, 0);
    if (rc == 0 && pthread_create(&u->thread, NULL, run, u) != 0)
        rc = INF_ESYS;
    if (rc < 0) {
        inf_store_close(u->store);
        pthread_cond_destroy(&u->wake);
        pthread_mutex_destroy(&u->lock);
        free(u);
        return rc;
    }
    *out = u;
    return 0;
}

void inf_upkeep_stop(inf_upkeep *u)
{
    if (!u)
        return;
    pthread_mutex_lock(&u->lock);
    u->stopping = true;
    pthread_cond_signal(&u->wake);
    pthread_mutex_unlock(&u->lock);
    inf_store_hurry(u->store); /* what it has not done, the next start will do */
    pthread_join(u->thread, NULL);
    inf_store_close(u->store);
    pthread_cond_destroy(&u->wake);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

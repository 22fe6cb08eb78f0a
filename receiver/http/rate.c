/* See rate.h. A table of a fixed size: a key has its bucket in one of eight places, and takes the stalest of them when
 * it is new. Whoever can come from more addresses than there are places can come from as many as they like. */
#include <pthread.h>
#include <stdlib.h>

#include "http/rate.h"

enum { SHARDS = 64, SHARD_SLOTS = 256, WAYS = 8, BURST_S = 5, LONGEST_S = 30 };

struct bucket {
    uint64_t key;
    uint64_t at_ns; /* when it was filled last; 0: nobody's */
    double requests;
    double bytes;
};

struct shard {
    pthread_mutex_t lock;
    struct bucket buckets[SHARD_SLOTS];
};

struct inf_rate {
    struct shard shards[SHARDS];
};

inf_rate *inf_rate_new(void)
{
    inf_rate *rate = calloc(1, sizeof *rate);
    for (int i = 0; rate && i < SHARDS; i++)
        pthread_mutex_init(&rate->shards[i].lock, NULL);
    return rate;
}

void inf_rate_free(inf_rate *rate)
{
    for (int i = 0; rate && i < SHARDS; i++)
        pthread_mutex_destroy(&rate->shards[i].lock);
    free(rate);
}

static struct shard *shard_of(inf_rate *rate, uint64_t key)
{
    return &rate->shards[key % SHARDS];
}

/* The lock is held. NULL: there is none. */
static struct bucket *find(struct shard *s, uint64_t key, bool make)
{
    struct bucket *set = &s->buckets[key / SHARDS % (SHARD_SLOTS / WAYS) * WAYS];
    struct bucket *stalest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].at_ns && set[i].key == key)
            return &set[i];
        if (set[i].at_ns < stalest->at_ns)
            stalest = &set[i];
    }
    if (!make)
        return NULL;
    *stalest = (struct bucket){.key = key};
    return stalest;
}

static double fill(double level, double seconds, uint64_t rate)
{
    double most = (double)rate * BURST_S;
    level += seconds * (double)rate;
    return level < most ? level : most;
}

static unsigned wait_for(double level, double need, uint64_t rate)
{
    if (!rate || level >= need)
        return 0;
    double seconds = (need - level) / (double)rate;
    return seconds >= LONGEST_S ? LONGEST_S : (unsigned)seconds + 1;
}

unsigned inf_rate_take(inf_rate *rate, uint64_t key, uint64_t now_ns, uint64_t requests, uint64_t bytes)
{
    struct shard *s = shard_of(rate, key);
    pthread_mutex_lock(&s->lock);
    struct bucket *b = find(s, key, true);
    double seconds = b->at_ns ? (double)(now_ns > b->at_ns ? now_ns - b->at_ns : 0) / 1e9 : BURST_S;
    b->requests = fill(b->requests, seconds, requests);
    b->bytes = fill(b->bytes, seconds, bytes);
    b->at_ns = now_ns;
    unsigned wait = wait_for(b->requests, 1, requests);
    unsigned wait_bytes = wait_for(b->bytes, 0, bytes);
    if (wait == 0 && wait_bytes == 0 && requests)
        b->requests -= 1;
    pthread_mutex_unlock(&s->lock);
    return wait > wait_bytes ? wait : wait_bytes;
}

void inf_rate_pay(inf_rate *rate, uint64_t key, uint64_t spent)
{
    struct shard *s = shard_of(rate, key);
    pthread_mutex_lock(&s->lock);
    struct bucket *b = find(s, key, false);
    if (b)
        b->bytes -= (double)spent;
    pthread_mutex_unlock(&s->lock);
}

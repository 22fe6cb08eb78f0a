/* A token bucket: never more than burst + rate * t requests in any t seconds. Time is given, not read, so that a test
 * can own it. One thread. */
#ifndef INF_SEND_BUCKET_H
#define INF_SEND_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define INF_BUCKET_BURST 20.0

typedef struct inf_bucket {
    double tokens;
    double rate; /* per second; <= 0: no limit */
    uint64_t filled_ns;
} inf_bucket;

void inf_bucket_init(inf_bucket *b, double rate, uint64_t now_ns);

/* True when less than half of the burst is left. */
bool inf_bucket_is_low(inf_bucket *b, uint64_t now_ns);

/* Takes a token and returns 0, or takes nothing and returns the nanoseconds until there is one. */
uint64_t inf_bucket_take(inf_bucket *b, uint64_t now_ns);

#endif

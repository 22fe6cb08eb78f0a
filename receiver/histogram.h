/* How long something took, counted into fixed buckets, for /metrics. Any threads; what is read while others count may
 * be one apart. Private to receiver/. */
#ifndef INF_HISTOGRAM_H
#define INF_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define INF_HISTOGRAM_BUCKETS 14

/* Upper bounds, in nanoseconds; what is longer counts to the last bucket, which has none. */
static const uint64_t inf_histogram_bounds[INF_HISTOGRAM_BUCKETS - 1] = {
    250000,   500000,    1000000,   2500000,    5000000,    10000000,    25000000,
    50000000, 100000000, 250000000, 1000000000, 5000000000, 30000000000,
};

typedef struct inf_histogram {
    _Atomic uint64_t counts[INF_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_ns;
} inf_histogram;

static inline void inf_histogram_add(inf_histogram *h, uint64_t ns)
{
    int i = 0;
    while (i < INF_HISTOGRAM_BUCKETS - 1 && ns > inf_histogram_bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
}

#endif

/* See metrics.h. */
#include "metrics.h"

#include <stdlib.h>

enum { SHARDS = 8 };

static const unsigned statuses[] = {0,   200, 201, 202, 204, 206, 303, 304, 400, 401, 403, 404,
                                    405, 408, 409, 411, 413, 415, 421, 422, 429, 431, 500, 503};
enum { STATUSES = sizeof statuses / sizeof statuses[0] };

struct shard {
    _Atomic uint64_t requests[INF_ROUTE_COUNT][STATUSES];
    _Atomic uint64_t refused[INF_REFUSAL_COUNT];
    char apart[64]; /* the next one's first counters are on another cache line */
};

struct inf_metrics {
    struct shard shards[SHARDS];
};

static const char *const refusal_names[] = {
#define X(name, text) text,
    INF_REFUSALS(X)
#undef X
};

inf_metrics *inf_metrics_new(void)
{
    return calloc(1, sizeof(inf_metrics));
}

void inf_metrics_free(inf_metrics *metrics)
{
    free(metrics);
}

static struct shard *own_shard(inf_metrics *metrics)
{
    static atomic_uint threads;
    static _Thread_local unsigned own; /* counted from 1 */
    if (own == 0)
        own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SHARDS + 1;
    return &metrics->shards[own - 1];
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void inf_metrics_request(inf_metrics *metrics, enum inf_route route, unsigned status)
{
    size_t i = STATUSES - 1;
    while (i > 0 && statuses[i] != status)
        i--;
    count(&own_shard(metrics)->requests[route][i]);
}

void inf_metrics_refused(inf_metrics *metrics, enum inf_refusal reason)
{
    count(&own_shard(metrics)->refused[reason]);
}

void inf_metrics_refused_body(inf_metrics *metrics, int status)
{
    inf_metrics_refused(metrics, status == 400   ? INF_REFUSAL_UNREADABLE
                                 : status == 413 ? INF_REFUSAL_TOO_LARGE
                                                 : INF_REFUSAL_INVALID);
}

const char *inf_refusal_name(enum inf_refusal reason)
{
    return refusal_names[reason];
}

uint64_t inf_metrics_get_refused(const inf_metrics *metrics, enum inf_refusal reason)
{
    uint64_t sum = 0;
    for (int i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&metrics->shards[i].refused[reason], memory_order_relaxed);
    return sum;
}

void inf_metrics_each_request(const inf_metrics *metrics,
                              void (*each)(void *context, enum inf_route route, unsigned status, uint64_t count),
                              void *context)
{
    for (int route = 0; route < INF_ROUTE_COUNT; route++) {
        for (size_t s = 0; s < STATUSES; s++) {
            uint64_t sum = 0;
            for (int i = 0; i < SHARDS; i++)
                sum += atomic_load_explicit(&metrics->shards[i].requests[route][s], memory_order_relaxed);
            if (sum > 0)
                each(context, (enum inf_route)route, statuses[s], sum);
        }
    }
}

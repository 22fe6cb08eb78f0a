/* What is counted of requests, for /metrics. Counters are spread over the threads that count, so that none of them
 * waits for another's cache line; whoever reads adds them up. Private to receiver/. */
#ifndef INF_METRICS_H
#define INF_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "http/routes.h"

typedef struct inf_metrics inf_metrics;

/* Why a trace was refused before it reached the journal. */
#define INF_REFUSALS(X)                                                                                                \
    X(UNREADABLE, "unreadable")       /* no JSON, or no trace */                                                       \
    X(TOO_LARGE, "too_large")         /* a body over its limit, or larger than a record may be */                      \
    X(INVALID, "invalid")             /* JSON, but not what a trace may hold */                                        \
    X(JOURNAL_FULL, "journal_full")   /* as much waits to be stored as may wait */                                     \
    X(JOURNAL_ERROR, "journal_error") /* the journal cannot be written */

enum inf_refusal {
#define X(name, text) INF_REFUSAL_##name,
    INF_REFUSALS(X)
#undef X
        INF_REFUSAL_COUNT
};

inf_metrics *inf_metrics_new(void);
void inf_metrics_free(inf_metrics *metrics);

/* A request of this route has been answered with this status. Any thread. */
void inf_metrics_request(inf_metrics *metrics, enum inf_route route, unsigned status);
/* A trace was refused. Any thread. */
void inf_metrics_refused(inf_metrics *metrics, enum inf_refusal reason);
/* Likewise; `status` is what inf_body_read() gave. */
void inf_metrics_refused_body(inf_metrics *metrics, int status);

const char *inf_refusal_name(enum inf_refusal reason);
uint64_t inf_metrics_get_refused(const inf_metrics *metrics, enum inf_refusal reason);
/* Calls `each` for each route and status that there was; status 0 stands for those that are not told apart. */
void inf_metrics_each_request(const inf_metrics *metrics,
                              void (*each)(void *context, enum inf_route route, unsigned status, uint64_t count),
                              void *context);

#endif

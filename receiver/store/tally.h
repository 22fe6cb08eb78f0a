/* Sums that are kept beside the traces, so that no dashboard and no filter's suggestion ever scans them:
 *
 * - rollups: in all, by agent, by name, by model, and by the three together; for each minute, quarter of an hour, three
 *   hours and day: counts, tokens, cost and a sketch of durations. Of traces that have ended; what retention deletes
 * stays counted.
 * - facets: how many traces have a name, model, tag or user, by agent.
 * - sessions: a row a session and agent.
 *
 * A transaction's changes are collected here in memory, one entry a key, and written once before it commits. Private to
 * receiver/store/; belongs to one handle. */
#ifndef INF_STORE_TALLY_H
#define INF_STORE_TALLY_H

#include "store/store.h"

typedef struct inf_tally inf_tally;

/* Past so many different names and models together, further ones are summed as "(other)". */
#define INF_LABELS_MAX 20000
#define INF_LABEL_OTHER 0
#define INF_LABEL_NONE (-1) /* a trace without a model */

#define INF_LABEL_ANY (-2) /* in a series that does not tell them apart */

/* A question is answered from the series with the fewest rows that can. */
enum inf_series {
    INF_SERIES_ALL,
    INF_SERIES_AGENT,
    INF_SERIES_NAME,
    INF_SERIES_MODEL,
    INF_SERIES_EACH,
    INF_SERIES_COUNT
};

/* Widths of the rollups' buckets, in minutes, coarsest first. */
#define INF_ROLLUP_LEVELS 4
extern const int64_t inf_rollup_minutes[INF_ROLLUP_LEVELS];

/* Sums of nano-dollars and tokens stay where they end rather than turn over. */
static inline int64_t inf_add_clipped(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

void inf_tally_free(inf_tally *tally);

/* A trace comes (`sign` 1) or goes (-1). `forget`: it goes because it is deleted, and stays in the rollups. */
int inf_tally_trace(inf_store *store, const inf_summary *m, int sign, bool forget);
/* Writes what has been collected; inside the transaction. */
int inf_tally_write(inf_store *store);
/* Forgets it, after a rollback. */
void inf_tally_drop(inf_store *store);

/* A name's or model's number in the rollups; 0 when it has none. Negative: an error. */
int64_t inf_label_find(inf_store *store, const char *text);

#endif

/* Scores of traces in the store, a part of the seam that store.h is. A score is kept whether its trace has arrived or
 * not. Scores that came inside a trace are in its body, not here. */
#ifndef INF_STORE_SCORES_H
#define INF_STORE_SCORES_H

#include "store/store.h"

#define INF_SCORE_NAME_MAX 200     /* bytes */
#define INF_SCORE_COMMENT_MAX 8000 /* bytes */
#define INF_SCORES_MAX 100         /* names of one trace, from one side */

typedef struct inf_trace_score {
    const char *name;
    double value;
    bool removed;        /* hides an earlier one of this name */
    const char *comment; /* or NULL */
    uint64_t created_ns;
    bool by_agent; /* else: by an administrator */
} inf_trace_score;

/* Sets a score; an earlier one of the same name, trace and side is replaced. `agent_id`: whose key gave it; NULL: an
 * administrator's. INF_EFULL: the trace has too many. */
int inf_store_score_set(inf_store *store, const uint8_t trace_id[16], const uint8_t *agent_id,
                        const inf_trace_score *score);

/* Scores that are set between these two are one transaction; `rc` negative: none of them. Returns `rc`, or why it could
 * not be committed. */
int inf_store_scores_begin(inf_store *store);
int inf_store_scores_end(inf_store *store, int rc);

/* The scores of a trace of this agent, oldest first: its agent's own and the administrators', not those that another
 * agent gave to the same id. Of two with one name the later one counts: that is the caller's business. */
int inf_store_scores(inf_store *store, const uint8_t trace_id[16], const uint8_t agent_id[16],
                     int (*row)(void *context, const inf_trace_score *score), void *context);

/* Takes away scores whose trace is not there (any more), if they are older than `before_ns`: looks at `limit` rows
 * after row *place and moves it on; back to 0 at the end. Returns how many went, or negative. */
int inf_store_scores_sweep(inf_store *store, uint64_t before_ns, int limit, int64_t *place);

#endif

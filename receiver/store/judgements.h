/* What a model thought of traces, and which traces still wait to be judged: a part of the seam that store.h is. A row
 * belongs to one form of a trace, its revision: the sequence number under which that form is stored. A trace that is
 * replaced (interrupted, then ended) is judged anew; a trace that is deleted takes its row along. */
#ifndef INF_STORE_JUDGEMENTS_H
#define INF_STORE_JUDGEMENTS_H

#include "store/store.h"

#define INF_JUDGEMENT_REASON_MAX 2000 /* bytes */
#define INF_JUDGEMENT_ERROR_MAX 500   /* bytes */
#define INF_JUDGEMENT_MODEL_MAX 200   /* bytes */

enum inf_judgement_state { INF_JUDGEMENT_WAITING, INF_JUDGEMENT_JUDGED, INF_JUDGEMENT_FAILED };
enum inf_verdict { INF_VERDICT_PASS, INF_VERDICT_FAIL, INF_VERDICT_UNSURE, INF_VERDICTS };

/* "pass", "fail", "unsure". */
const char *inf_verdict_name(enum inf_verdict verdict);
/* "waiting", "judged", "failed". */
const char *inf_judgement_state_name(enum inf_judgement_state state);

typedef struct inf_judgement {
    uint8_t trace_id[16];
    uint64_t revision;
    enum inf_judgement_state state;
    enum inf_verdict verdict; /* once judged, with score and reason */
    double score;             /* 0 to 1 */
    const char *reason;
    const char *error; /* why there is no verdict, once failed */
    const char *model; /* who judged, or was asked to; NULL while waiting */
    uint64_t judged_ns;
    int64_t prompt_tokens; /* -1: not known, as below */
    int64_t completion_tokens;
    int64_t cost_nano_usd;
    uint64_t latency_ns; /* of the last call */
    int64_t attempts;    /* calls that gave nothing, while waiting */
} inf_judgement;

/* Up to which sequence number changes have been looked at. INF_ENOTFOUND: never yet. */
int inf_store_judge_place(inf_store *store, uint64_t *sequence);

typedef struct inf_judge_wish {
    uint8_t trace_id[16];
    uint64_t revision;
} inf_judge_wish;

/* Has these traces wait, as long as fewer than `bound` do, and moves the place to `sequence`, in one transaction. A
 * trace that is not stored in this revision any more, or has a judgement of it, is passed over in silence. *full: how
 * many found no room. */
int inf_store_judge_enqueue(inf_store *store, const inf_judge_wish *wishes, size_t count, int64_t bound,
                            uint64_t sequence, int64_t *full);
/* How many wait. */
int64_t inf_store_judge_waiting(inf_store *store);
/* Those that wait and may be asked about at `now_ns`, at most `limit`: in the order in which they came or, with
 * `rested`, first those with the fewest attempts. */
int inf_store_judge_next(inf_store *store, uint64_t now_ns, bool rested, int limit,
                         int (*row)(void *context, const inf_judge_wish *wish, int64_t attempts), void *context);
/* Not before `not_before_ns`; `attempts` calls have given nothing. */
int inf_store_judge_postpone(inf_store *store, const inf_judge_wish *wish, int64_t attempts, uint64_t not_before_ns);
/* It is not to be judged any more: its trace is gone, or there is a later form of it. */
int inf_store_judge_drop(inf_store *store, const inf_judge_wish *wish);
/* Records what came out, judged or failed. 1; 0: the trace does not wait any more (deleted, replaced, recorded). */
int inf_store_judge_record(inf_store *store, const inf_judgement *judgement);

/* The judgement of this form of a trace. Its texts are the handle's, valid until the next call on it.
 * INF_ENOTFOUND. */
int inf_store_judgement(inf_store *store, const uint8_t trace_id[16], uint64_t revision, inf_judgement *out);

/* What judging has used on a day (days since 1970, UTC); `spend` adds to it. */
typedef struct inf_judge_day {
    int64_t calls;
    int64_t nano_usd;
} inf_judge_day;
int inf_store_judge_day(inf_store *store, int64_t day, inf_judge_day *out);
int inf_store_judge_spend(inf_store *store, int64_t day, inf_judge_day more);

#endif

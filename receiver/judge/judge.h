/* A model as judge of finished traces (docs/judge.md): off unless judge-endpoint is set. One thread with a store handle
 * of its own. It learns of traces by the numbers of the store's changes, twice a second, and puts what is to be judged
 * into the store's queue; a few calls of the API run at once, and what they give is recorded. Nothing of it is on the
 * way of a trace that comes in or of anybody who reads. */
#ifndef INF_JUDGE_JUDGE_H
#define INF_JUDGE_JUDGE_H

#include "cost/book.h"
#include "judge/settings.h"

typedef struct inf_judge inf_judge;

/* What it is at. */
#define INF_JUDGE_STATES(X)                                                                                            \
    X(OFF, "off")                                                                                                      \
    X(ON, "on")                                                                                                        \
    X(PAUSED, "paused")           /* the API does not answer well, or asked for a pause */                             \
    X(REFUSED, "refused")         /* it refuses our key, or has no such model: asked again now and then */             \
    X(OVER_BUDGET, "over_budget") /* until the next day, UTC */                                                        \
    X(STORE_FAILS, "store_fails")

enum inf_judge_state {
#define X(name, text) INF_JUDGE_##name,
    INF_JUDGE_STATES(X)
#undef X
};

const char *inf_judge_state_name(enum inf_judge_state state);

/* Since the start, but for what waits and what was used today. */
typedef struct inf_judge_stats {
    enum inf_judge_state state;
    uint64_t calls;
    uint64_t verdicts[INF_VERDICTS];
    uint64_t failed;        /* traces for which there will be no verdict */
    uint64_t calls_failed;  /* that gave nothing, most of them tried again */
    uint64_t passed_full;   /* traces that found the queue full */
    uint64_t passed_behind; /* changes that were not looked at, because there were too many */
    int64_t waiting;
    int64_t day_calls;
    int64_t day_nano_usd;
} inf_judge_stats;

/* Starts the judge that the options ask for; *out is NULL when they ask for none. Otherwise 0, or a negative INF_E...
 * and the reason in `message`. `prices` is borrowed. */
int inf_judge_start(inf_judge **out, const inf_serve_options *options, const char *data_dir, inf_price_book *prices,
                    char *message, size_t size);
/* Breaks off the calls under way, whose traces go on waiting in the store, and ends. NULL is allowed. */
void inf_judge_stop(inf_judge *judge);

/* Any thread. NULL: it is off. */
void inf_judge_get_stats(const inf_judge *judge, inf_judge_stats *out);
/* The model's name; NULL when the judge is off. */
const char *inf_judge_model(const inf_judge *judge);
bool inf_judge_sends_texts(const inf_judge *judge);

#endif

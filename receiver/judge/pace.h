/* When the API may be called: so many calls a minute, not while it is in trouble, not past the day's budget. Pure: time
 * and what was used come from the caller. One thread. */
#ifndef INF_JUDGE_PACE_H
#define INF_JUDGE_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct inf_judge_pace {
    int64_t per_minute;
    uint64_t next_ns;   /* monotonic, as all times here: no call before it */
    uint64_t closed_ns; /* none before it either: the API asked for it, or is in trouble */
    unsigned failures;  /* calls in a row that showed trouble */
    unsigned pauses;    /* in a row */
    bool trouble;       /* after the pause one call tries whether it is over */
    bool refused;       /* the trouble is that it does not want us */
} inf_judge_pace;

enum inf_judge_failure {
    INF_JUDGE_NO_ANSWER, /* or one that says that the API is broken: trouble when it comes three times in a row */
    INF_JUDGE_BUSY,      /* it asks for a pause: trouble at once */
    INF_JUDGE_UNWANTED,  /* it refuses us, for a reason that the next call will meet too: likewise */
};

enum { INF_JUDGE_TROUBLE = 3 /* in a row */ };
#define INF_JUDGE_PAUSE_FIRST_NS 5000000000ull
#define INF_JUDGE_PAUSE_MAX_NS 600000000000ull

/* May one more call begin, while `running` are under way? */
bool inf_judge_pace_may(const inf_judge_pace *pace, uint64_t now_ns, int running);
void inf_judge_pace_began(inf_judge_pace *pace, uint64_t now_ns);
/* It answered: all is well again. */
void inf_judge_pace_well(inf_judge_pace *pace);
/* A call failed; the API asked to be left alone for `rest_ns` (0: it did not say). True: that is worth a word: trouble
 * has begun, or it is busy for the third time in a row. */
bool inf_judge_pace_failed(inf_judge_pace *pace, uint64_t now_ns, enum inf_judge_failure failure, uint64_t rest_ns);

#endif

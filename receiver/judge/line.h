/* The line to the API: some calls at once, on one thread, over libcurl, which is loaded when the line is opened. TLS is
 * verified, redirects are not followed, an answer past its limit ends the call. Knows nothing of traces. */
#ifndef INF_JUDGE_LINE_H
#define INF_JUDGE_LINE_H

#include "judge/settings.h"

#define INF_JUDGE_CALLS 4                  /* at once */
#define INF_JUDGE_ANSWER_MAX (256u * 1024) /* bytes */

typedef struct inf_judge_line inf_judge_line;

/* What came of a call; valid during the call of inf_judge_done. */
typedef struct inf_judge_reply {
    int error;          /* 0: there is an answer; INF_ETIMEDOUT, INF_ENET, INF_ENOMEM; INF_E2BIG: it is too large */
    long status;        /* 0 without an answer */
    const char *reason; /* why there is no answer */
    const char *retry_after; /* the header, or "" */
    const void *body;
    size_t length;
    uint64_t latency_ns;
} inf_judge_reply;

typedef void (*inf_judge_done)(void *context, int call, const inf_judge_reply *reply);

/* Keeps `settings`. 0, INF_ENOMEM, or INF_ESYS: there is no libcurl. */
int inf_judge_line_open(inf_judge_line **out, const inf_judge_settings *settings);
/* Breaks off what is under way, at once. NULL is allowed. */
void inf_judge_line_close(inf_judge_line *line);

/* Posts `body`, which must stay until the call is done, as call 0 to INF_JUDGE_CALLS - 1. 0, or INF_ENOMEM. */
int inf_judge_line_ask(inf_judge_line *line, int call, const void *body, size_t length);
/* Moves the calls on; waits at most `timeout_ms` for one of them or for `wake_fd`. `done` is called for each that is
 * over, and may ask again. */
void inf_judge_line_turn(inf_judge_line *line, int wake_fd, int timeout_ms, inf_judge_done done, void *context);

#endif

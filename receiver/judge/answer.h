/* Reads what a chat-completions API answered: untrusted bytes, from a model that read untrusted texts. */
#ifndef INF_JUDGE_ANSWER_H
#define INF_JUDGE_ANSWER_H

#include "base/json_read.h"
#include "store/judgements.h"

typedef struct inf_judge_answer {
    enum inf_verdict verdict;
    double score;
    char reason[INF_JUDGEMENT_REASON_MAX + 1]; /* cut at that, between characters */
    char model[INF_JUDGEMENT_MODEL_MAX + 1];   /* as the API names it; "": not said */
    int64_t prompt_tokens;                     /* -1: not said, likewise below */
    int64_t completion_tokens;
    int64_t cached_tokens;
    char error[INF_JUDGEMENT_ERROR_MAX + 1]; /* why it is no judgement; "": it is one */
} inf_judge_answer;

/* Of an answer with status 200. `outer` and `inner` are parsers of the caller's. Model and tokens are read as far as
 * they are there, whether it is a judgement or not. */
void inf_judge_answer_read(inf_judge_answer *out, inf_json *outer, inf_json *inner, const void *body, size_t length);

/* Of an answer with another status: "HTTP 429: what its error says", cut at `size`. */
void inf_judge_error_read(char *out, size_t size, inf_json *parser, long status, const void *body, size_t length);

#endif

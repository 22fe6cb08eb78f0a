/* What a model is asked about a trace: one request of the chat-completions API. */
#ifndef INF_JUDGE_PROMPT_H
#define INF_JUDGE_PROMPT_H

#include "base/buf.h"
#include "base/json_read.h"
#include "store/store.h"

#define INF_JUDGE_PROMPT_MAX (512 * 1024) /* bytes of a request; what is taken of a trace is far below */
#define INF_JUDGE_COMPLETION_MAX 1000     /* tokens that the model may answer with */

typedef struct inf_judge_question {
    const char *model;
    bool texts;    /* what people and models said goes along */
    bool bare;     /* without the parameters that some models refuse */
    char word[33]; /* on the lines around the record: random, so that nothing in the record can be its end */
} inf_judge_question;

/* Appends the request's body. `root` is the trace's. 0, or the buffer's error. */
int inf_judge_prompt_write(inf_buf *out, const inf_judge_question *question, const inf_summary *trace,
                           inf_json_value root);

#endif

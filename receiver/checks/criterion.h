/* One constraint or acceptance criterion, where its words say something that can be counted. Private to
 * receiver/checks/. */
#ifndef INF_CHECKS_CRITERION_H
#define INF_CHECKS_CRITERION_H

#include "checks/checks.h"

/* What is known of the trace. */
typedef struct inf_check_facts {
    const char *output; /* as it was recorded; "" when there is none */
    size_t output_length;
    bool output_cut;   /* what was recorded is not all of it */
    const char *words; /* the output in lower case, words separated by one space */
    double duration_s;
    int64_t prompt_tokens, completion_tokens;
    int64_t cost_nano_usd; /* -1: not known */
    int64_t llm_calls;
    int64_t tool_calls;
    int64_t steps;
    bool well; /* ended without an error */
} inf_check_facts;

/* `detail` says what was checked and found, or why nothing was; `with` gets what it was held against, or "". */
enum inf_check_status inf_criterion_check(const char *text, size_t length, const inf_check_facts *facts, char *detail,
                                          size_t detail_size, char *with, size_t with_size);

#endif

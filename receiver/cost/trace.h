/* What a trace cost: its calls of language models, priced one by one.
 *
 * A trace tells of its calls in up to three places. The steps count where they hold at least as many calls as
 * llm_usage.calls; else those; else llm_usage as one sum. llm_usage.estimated_cost_usd, where the program gave one, is
 * the trace's cost whatever the table says: the program may have prices of its own. */
#ifndef INF_COST_TRACE_H
#define INF_COST_TRACE_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "cost/book.h"

/* Nano-dollars of all calls that have a price; INF_COST_UNKNOWN when none has. `steps` and `usage` may be NULL. */
int64_t inf_cost_of_trace(inf_pricer *pricer, const inf_json_value *steps, const inf_json_value *usage, uint64_t at_ns);

/* Writes an array, one element a call as above: {"step": index in steps or null, "call": index in llm_usage.calls or
 * null, "model", "cost_usd": number or null}. At most 1,000. `root` is the body. */
void inf_cost_calls_write(inf_json_writer *writer, inf_pricer *pricer, inf_json_value root, uint64_t at_ns);

/* Nano-dollars as a JSON number in dollars; null when unknown. */
void inf_cost_write(inf_json_writer *writer, int64_t nano);

#endif

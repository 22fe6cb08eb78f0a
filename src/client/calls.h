/* Recording on a trace that need not be the thread's current one, for watchers (src/watch/). */
#ifndef INF_CLIENT_CALLS_H
#define INF_CLIENT_CALLS_H

#include "client/trace.h"

/* Adds the call to the trace, whose lock, if it is shared, the caller holds, and publishes it. */
void inf_calls_add_llm(inf_trace *t, const inf_llm_call *call);

#endif

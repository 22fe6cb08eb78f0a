/* The thread's current trace and its spare trace objects. Private to this room. */
#ifndef INF_CLIENT_CONTEXT_H
#define INF_CLIENT_CONTEXT_H

#include "client/trace.h"

/* A trace object of this thread's free list, or a fresh one; NULL without memory. */
inf_trace *inf_context_take(void);

/* Gives a trace object to this thread's free list. */
void inf_context_give(inf_trace *trace);

/* Makes `trace` the thread's current one; `trace->previous` remembers the one before. */
void inf_context_push(inf_trace *trace);

/* Ends its being current, wherever in the stack it is (scopes may end out of order). */
void inf_context_pop(inf_trace *trace);

#endif

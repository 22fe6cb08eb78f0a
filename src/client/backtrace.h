/* Where an error was reported: return addresses are taken at once, their names are looked up when the trace or step
 * ends, and remembered, because looking one up costs a hundred times as much as taking it. Private to this room. */
#ifndef INF_CLIENT_BACKTRACE_H
#define INF_CLIENT_BACKTRACE_H

#include "client/trace.h"

/* Loads what unwinding needs, so that the first error does not wait for it. Any thread. */
void inf_backtrace_prepare(void);

/* Keeps the caller's return addresses for the ERROR group `group` of `t`, without the innermost `skip` frames. A trace
 * keeps those of its first four errors. */
void inf_backtrace_take(inf_trace *t, uint32_t group, unsigned skip);

/* Writes a STACK_TRACE into each group that has addresses. */
void inf_backtrace_settle(inf_trace *t);

#endif

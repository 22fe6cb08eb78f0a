/* The thread's current trace and step, who may use a trace, and the spare trace objects. Private to this room.
 *
 * A trace belongs to the thread that began it, without a lock, until it is shared (inf_context_get(), a watched
 * transfer): from then on every use takes its lock. An object lives until its trace has ended and nobody holds it any
 * more, so that a late user finds `ended`, not freed memory. */
#ifndef INF_CLIENT_CONTEXT_H
#define INF_CLIENT_CONTEXT_H

#include "client/trace.h"

struct inf_step {
    inf_trace *trace;   /* held */
    inf_trace *fields;  /* a trace object that is only a buffer: the step's fields */
    inf_step *previous; /* the thread's step before this one */
    uint64_t started_mono_ns;
    atomic_uint holds;
    bool ended;
    bool has_tool_call;
};

/* What is current on this thread; written by context.c only. */
struct inf_thread {
    inf_trace *trace;
    inf_step *step;
};
extern _Thread_local struct inf_thread inf_thread;

/* A trace object of this thread's free list, or a fresh one; NULL without memory. */
inf_trace *inf_context_take(void);

/* Gives a trace object to this thread's free list. */
void inf_context_give(inf_trace *trace);

/* The same for steps, of which everything is zero. One that is given back is not freed at once: a program that ends it
 * once more, after the trace that it ended with, does no harm. */
inf_step *inf_context_take_step(void);
void inf_context_give_step(inf_step *step);

/* Makes `trace`, just started, the thread's current one; `trace->previous` remembers the one before. */
void inf_context_push(inf_trace *trace);

/* Ends its being current, wherever in the stack it is (scopes may end out of order). */
void inf_context_pop(inf_trace *trace);

/* The same for steps. */
void inf_context_push_step(inf_step *step);
void inf_context_pop_step(inf_step *step);

/* The thread's innermost step, or NULL. */
static inline inf_step *inf_context_step(void)
{
    return inf_thread.step;
}

/* Lets other threads use the trace. By a thread on which it is current. */
void inf_context_share(inf_trace *trace);

/* A trace is kept until as many releases; the holder must share it if it is another thread. */
void inf_context_hold(inf_trace *trace);
void inf_context_release(inf_trace *trace);
void inf_context_release_step(inf_step *step);

/* Nothing unless the trace is shared. */
static inline void inf_context_lock(const inf_trace *trace)
{
    if (trace->shared)
        (void)pthread_mutex_lock((pthread_mutex_t *)&trace->lock);
}

static inline void inf_context_unlock(const inf_trace *trace)
{
    if (trace->shared)
        (void)pthread_mutex_unlock((pthread_mutex_t *)&trace->lock);
}

/* The thread's current trace, locked, or NULL when there is none that takes anything. */
static inline inf_trace *inf_context_use(void)
{
    inf_trace *trace = inf_thread.trace;
    if (!trace)
        return NULL;
    inf_context_lock(trace);
    if (!trace->ended)
        return trace;
    inf_context_unlock(trace);
    return NULL;
}

#endif

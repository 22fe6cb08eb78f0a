/* Thread-local state of the C API: a stack of open traces and one of open steps (both linked through `previous`) and a
 * short list of spare trace objects, whose buffers make the steady state free of allocations. Spare objects are freed
 * when the thread ends; a buffer that one unusually large trace has blown up is not kept. */
#include "client/context.h"

#include <pthread.h>
#include <string.h>

#include "base/os.h"

#define MAX_SPARE 16
#define MAX_SPARE_BYTES (32u << 10)

struct context {
    inf_context set;      /* what inf_context_set() made current: held until the next one */
    inf_trace *spare;     /* linked through `previous` */
    inf_step *spare_step; /* the same; the one that was given back first is taken first */
    inf_step **spare_step_end;
    unsigned spares;
    unsigned spare_steps;
    bool registered;
};

static _Thread_local struct context context;
_Thread_local struct inf_thread inf_thread;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static void thread_ends(void *value)
{
    struct context *c = value;
    (void)inf_context_set(INF_CONTEXT_NONE);
    while (c->spare) {
        inf_trace *trace = c->spare;
        c->spare = trace->previous;
        inf_trace_clear(trace);
        inf_os.free(trace);
    }
    while (c->spare_step) {
        inf_step *step = c->spare_step;
        c->spare_step = step->previous;
        inf_os.free(step);
    }
    c->spare_steps = MAX_SPARE;
    c->spares = MAX_SPARE; /* what other destructors still end is freed at once */
}

static void make_key(void)
{
    have_key = pthread_key_create(&key, thread_ends) == 0;
}

static void free_trace(inf_trace *trace)
{
    inf_trace_clear(trace);
    inf_os.free(trace);
}

static void register_thread(void)
{
    context.registered = true;
    pthread_once(&once, make_key);
    if (!have_key || pthread_setspecific(key, &context) != 0)
        context.spares = context.spare_steps = MAX_SPARE;
}

inf_step *inf_context_take_step(void)
{
    inf_step *step = context.spare_step;
    if (!step || context.spare_steps < MAX_SPARE)
        return inf_os.calloc(1, sizeof(*step));
    context.spare_step = step->previous;
    context.spare_steps--;
    memset(step, 0, sizeof(*step));
    return step;
}

void inf_context_give_step(inf_step *step)
{
    if (!context.registered)
        register_thread();
    if (context.spare_steps >= MAX_SPARE) {
        inf_step *oldest = context.spare_step ? context.spare_step : step;
        context.spare_step = oldest == step ? NULL : oldest->previous;
        inf_os.free(oldest);
        if (oldest == step)
            return;
        context.spare_steps--;
    }
    step->trace = NULL;
    step->previous = NULL;
    if (!context.spare_step)
        context.spare_step_end = &context.spare_step;
    *context.spare_step_end = step;
    context.spare_step_end = &step->previous;
    context.spare_steps++;
}

inf_trace *inf_context_take(void)
{
    inf_trace *trace = context.spare;
    if (trace) {
        context.spare = trace->previous;
        context.spares--;
        return trace;
    }
    return inf_os.calloc(1, sizeof(*trace));
}

void inf_context_give(inf_trace *trace)
{
    if (!context.registered)
        register_thread();
    if (context.spares >= MAX_SPARE || trace->capacity > MAX_SPARE_BYTES) {
        free_trace(trace);
        return;
    }
    trace->previous = context.spare;
    context.spare = trace;
    context.spares++;
}

void inf_context_push(inf_trace *trace)
{
    trace->shared = false;
    trace->ended = false;
    atomic_store_explicit(&trace->holds, 1, memory_order_relaxed);
    trace->previous = inf_thread.trace;
    inf_thread.trace = trace;
}

void inf_context_pop(inf_trace *trace)
{
    for (inf_trace **place = &inf_thread.trace; *place; place = &(*place)->previous) {
        if (*place == trace) {
            *place = trace->previous;
            break;
        }
    }
    if (context.set.trace == trace) {
        context.set.trace = NULL;
        inf_context_release(trace);
    }
}

void inf_context_push_step(inf_step *step)
{
    step->previous = inf_thread.step;
    inf_thread.step = step;
}

void inf_context_pop_step(inf_step *step)
{
    for (inf_step **place = &inf_thread.step; *place; place = &(*place)->previous) {
        if (*place == step) {
            *place = step->previous;
            break;
        }
    }
    if (context.set.step == step) {
        context.set.step = NULL;
        inf_context_release_step(step);
    }
}

void inf_context_share(inf_trace *trace)
{
    if (trace->shared || trace->sampled_out)
        return;
    if (pthread_mutex_init(&trace->lock, NULL) == 0)
        trace->shared = true;
}

void inf_context_hold(inf_trace *trace)
{
    atomic_fetch_add_explicit(&trace->holds, 1, memory_order_relaxed);
}

void inf_context_release(inf_trace *trace)
{
    /* Alone, nobody else can come to hold it: no need for a locked instruction on the hot path. */
    if (atomic_load_explicit(&trace->holds, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&trace->holds, 1, memory_order_acq_rel) != 1)
        return;
    if (trace->shared) {
        (void)pthread_mutex_destroy(&trace->lock);
        trace->shared = false;
    }
    inf_context_give(trace);
}

void inf_context_release_step(inf_step *step)
{
    if (atomic_fetch_sub_explicit(&step->holds, 1, memory_order_acq_rel) != 1)
        return;
    if (step->fields)
        inf_context_give(step->fields);
    inf_context_release(step->trace);
    inf_context_give_step(step);
}

inf_trace *inf_current(void)
{
    return inf_thread.trace;
}

inf_context inf_context_get(void)
{
    /* What is beneath may become current where the trace ends. */
    for (inf_trace *t = inf_thread.trace; t; t = t->previous)
        inf_context_share(t);
    return (inf_context){inf_thread.trace, inf_thread.step};
}

inf_context inf_context_set(inf_context c)
{
    inf_context before = inf_context_get();
    inf_context held = context.set;
    if (!context.registered)
        register_thread();
    /* `before` stays usable although this thread lets go of it: what is not held here was begun here and is open. */
    if (c.trace)
        inf_context_hold(c.trace);
    if (c.step)
        atomic_fetch_add_explicit(&c.step->holds, 1, memory_order_relaxed);
    context.set = c;
    inf_thread.trace = c.trace;
    inf_thread.step = c.step;
    if (held.step)
        inf_context_release_step(held.step);
    if (held.trace)
        inf_context_release(held.trace);
    return before;
}

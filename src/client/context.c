/* Thread-local state of the C API: a stack of open traces (linked through `previous`) and a short list of spare trace
 * objects, whose buffers make the steady state free of allocations. Spare objects are freed when the thread ends; a
 * buffer that one unusually large trace has blown up is not kept. */
#include "client/context.h"

#include <pthread.h>

#include "base/os.h"

#define MAX_SPARE 16
#define MAX_SPARE_BYTES (32u << 10)

struct context {
    inf_trace *current;
    inf_trace *spare; /* linked through `previous` */
    unsigned spares;
    bool registered;
};

static _Thread_local struct context context;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static void thread_ends(void *value)
{
    struct context *c = value;
    while (c->spare) {
        inf_trace *trace = c->spare;
        c->spare = trace->previous;
        inf_trace_clear(trace);
        inf_os.free(trace);
    }
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
    if (!context.registered) {
        context.registered = true;
        pthread_once(&once, make_key);
        if (!have_key || pthread_setspecific(key, &context) != 0)
            context.spares = MAX_SPARE;
    }
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
    trace->previous = context.current;
    context.current = trace;
}

void inf_context_pop(inf_trace *trace)
{
    for (inf_trace **place = &context.current; *place; place = &(*place)->previous) {
        if (*place == trace) {
            *place = trace->previous;
            return;
        }
    }
}

inf_trace *inf_current(void)
{
    return context.current;
}

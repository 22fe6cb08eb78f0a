/* Traces and steps, begun and ended. What is recorded in between: record_calls.c and record.c. See infinium.h. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "client/backtrace.h"
#include "client/context.h"
#include "client/text.h"
#include "model/limits.h"

#define SHORT_LIMIT 500

/* What inf_trace_begin() returns without memory, and inf_step_begin() without a trace: shared, never written to. */
static inf_trace nothing = {.sampled_out = true};
static inf_step no_step = {.ended = true};

/* The trace's start, without publishing. */
static inline inf_trace *begin(inf_client *client, const char *name)
{
    inf_trace *t = inf_context_take();
    if (!t)
        return NULL;
    const inf_trace *parent = inf_thread.trace;
    inf_trace_start(t, client, parent ? parent->head.trace_id : NULL, NULL, 0);
    inf_text_add_string(t, INF_TAG_NAME, name ? name : "", INF_LIMIT_NAME);
    inf_trace_add_text(t, INF_TAG_SDK_VERSION, INF_VERSION, sizeof(INF_VERSION) - 1);
    return t;
}

/* Copies the step, which has just ended, into its trace, whose lock is held. */
static void put_step(inf_step *step)
{
    inf_trace *t = step->trace;
    inf_trace *fields = step->fields;
    inf_backtrace_settle(fields);
    uint32_t length = fields->head.fields_length;
    char *to = inf_trace_text(t, INF_TAG_STEP, length);
    if (!to)
        return;
    memcpy(to, fields->fields, length);
    inf_trace_text_end(t, length);
    inf_trace_publish(t);
}

/* The last moments of a trace, under its lock. False when it has ended already. */
static inline bool finish(inf_trace *t)
{
    if (t->ended)
        return false;
    if (t->backtraces)
        inf_backtrace_settle(t);
    inf_trace_finish(t, t->head.status == INF_STATUS_ERROR ? INF_STATUS_ERROR : INF_STATUS_OK);
    t->ended = true;
    return true;
}

static void end_steps_of(const inf_trace *t)
{
    inf_step *step = inf_context_step();
    while (step && step->trace == t) {
        inf_step *outer = step->previous;
        inf_step_end(step);
        step = outer;
    }
}

inf_trace *inf_trace_begin(inf_client *client, const char *name)
{
    inf_trace *t = begin(client, name);
    if (!t)
        return &nothing;
    inf_trace_publish(t);
    inf_context_push(t);
    return t;
}

inf_trace *inf_trace_begin_with(inf_client *client, const char *name, const inf_trace_options *options)
{
    inf_trace *t = begin(options && options->no_send ? NULL : client, name);
    if (!t)
        return &nothing;
    if (options) {
        inf_text_add_string(t, INF_TAG_DESCRIPTION, options->description, INF_LIMIT_DESCRIPTION);
        inf_text_add_string(t, INF_TAG_SESSION_ID, options->session_id, SHORT_LIMIT);
        inf_text_add_string(t, INF_TAG_USER_ID, options->user_id, SHORT_LIMIT);
    }
    inf_trace_publish(t);
    inf_context_push(t);
    return t;
}

void inf_trace_end(inf_trace *t)
{
    if (!t || t == &nothing)
        return;
    end_steps_of(t);
    inf_context_pop(t);
    inf_context_lock(t);
    bool done = finish(t);
    inf_context_unlock(t);
    if (done)
        inf_context_release(t);
}

char *inf_trace_end_json(inf_trace *t, int extras, size_t *length)
{
    if (length)
        *length = 0;
    if (!t || t == &nothing)
        return NULL;
    end_steps_of(t);
    inf_context_pop(t);
    inf_context_lock(t);
    bool done = finish(t);
    inf_context_unlock(t);
    char *json = inf_trace_json(t, extras, length);
    if (done)
        inf_context_release(t);
    return json;
}

void inf_trace_id(const inf_trace *trace, char out[33])
{
    if (out)
        inf_id_hex(trace ? trace->head.trace_id : nothing.head.trace_id, out);
}

inf_step *inf_step_begin(const char *action, const char *description)
{
    inf_trace *t = inf_current();
    inf_step *step = t && !t->sampled_out ? inf_context_take_step() : NULL;
    if (!step)
        return &no_step;
    step->fields = inf_context_take();
    if (!step->fields) {
        inf_context_give_step(step);
        return &no_step;
    }
    inf_trace *fields = step->fields;
    fields->client = NULL;
    fields->sampled_out = false;
    fields->shared = false;
    fields->published = 0;
    memset(&fields->head, 0, sizeof(fields->head));
    step->trace = t;
    step->started_mono_ns = inf_tick_ns();
    atomic_store_explicit(&step->holds, 1, memory_order_relaxed);
    inf_context_hold(t);
    inf_text_add_string(fields, INF_TAG_ACTION, action ? action : "step", SHORT_LIMIT);
    inf_text_add_string(fields, INF_TAG_DESCRIPTION, description ? description : "", SHORT_LIMIT);
    inf_trace_add_int(fields, INF_TAG_START, (int64_t)inf_tick_between(t->started_mono_ns, step->started_mono_ns));
    inf_context_push_step(step);
    return step;
}

void inf_step_end(inf_step *step)
{
    if (!step || step == &no_step || !step->trace) /* no trace: it has ended with its trace */
        return;
    inf_context_pop_step(step);
    inf_trace *t = step->trace;
    inf_context_lock(t);
    bool first = !step->ended;
    step->ended = true;
    if (first && !t->ended) {
        inf_trace_add_int(step->fields, INF_TAG_DURATION,
                          (int64_t)inf_tick_between(step->started_mono_ns, inf_tick_ns()));
        put_step(step);
    }
    inf_context_unlock(t);
    if (first)
        inf_context_release_step(step);
}

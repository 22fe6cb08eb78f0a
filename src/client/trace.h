/* The open trace: the hot path. Private to libinfinium and the CPython extension.
 *
 * An inf_trace is a reusable object: its field buffer keeps its capacity between calls, so that a steady state
 * allocates nothing. Use: start, write fields, publish (the BEGIN record), write more, finish (the END record). One
 * thread at a time; the caller serialises. None of these functions fails towards the caller: what cannot be kept is
 * counted. */
#ifndef INF_CLIENT_TRACE_H
#define INF_CLIENT_TRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "infinium.h"
#include "model/record.h"

/* Limits of one trace; what goes past them is cut inside strings or left out and counted (INF_TAG_TRUNCATED). */
#define INF_TRACE_MAX_BYTES (512 * 1024)

struct inf_trace {
    inf_client *client; /* NULL: built, never sent */
    inf_record_head head;
    uint64_t started_mono_ns;
    uint8_t *fields; /* encoded fields, head.fields_length used */
    uint32_t capacity;
    uint32_t published; /* how much of fields is in the journal already; 0: no BEGIN yet */
    uint32_t fork_generation;
    bool sampled_out; /* records nothing */
    bool mask;        /* secrets in texts are masked by whoever writes them, with inf_mask() */

    /* Of the C API only (context.h). */
    inf_trace *previous; /* the thread's trace before this one */
    bool shared;         /* several threads may use it: `lock` guards it */
    bool ended;
    atomic_uint holds; /* who may still look at it; the last one gives it back */
    pthread_mutex_t lock;
    struct inf_backtraces *backtraces; /* return addresses that have no names yet (backtrace.h) */
};

/* Prepares `t` (zeroed before its first use) for a new trace: id, clocks, parent, and `fields` (static fields encoded
 * once per traced function: NAME, DESCRIPTION, FUNCTION, versions) copied in. `parent_id` is 16 bytes or NULL. */
void inf_trace_start(inf_trace *t, inf_client *client, const uint8_t *parent_id, const void *fields, size_t length);

/* Room for a text or JSON field of at most `max` bytes, written in place: returns where to write, or NULL when the
 * trace is at its limit. Must be followed by inf_trace_text_end() with the bytes really written (UTF-8). */
char *inf_trace_text(inf_trace *t, uint8_t tag, size_t max);
void inf_trace_text_end(inf_trace *t, size_t length);

void inf_trace_add_text(inf_trace *t, uint8_t tag, const char *text, size_t length);
void inf_trace_add_int(inf_trace *t, uint8_t tag, int64_t value);
void inf_trace_add_double(inf_trace *t, uint8_t tag, double value);

/* Groups nest: open returns a mark, close takes it. */
uint32_t inf_trace_group(inf_trace *t, uint8_t tag);
void inf_trace_group_end(inf_trace *t, uint32_t mark);

/* Appends what was written since the last publish to the journal: the first time as BEGIN, then as EVENT. */
void inf_trace_publish(inf_trace *t);

/* Stamps duration and status and appends the END record. In a child process of the one that started it: does nothing.
 */
void inf_trace_finish(inf_trace *t, enum inf_status status);

/* Nanoseconds since the trace's start. */
uint64_t inf_trace_elapsed_ns(const inf_trace *t);

/* Inserts a text field at the end of a group (a mark of inf_trace_group()) that lies directly in the trace. Nothing may
 * be published after it but the END record. False when there is no room. */
bool inf_trace_insert_text(inf_trace *t, uint32_t group, uint8_t tag, const char *text, size_t length);

/* Frees the buffer. */
void inf_trace_clear(inf_trace *t);

/* For a language whose own end comes before exit(): so many milliseconds has it already waited for deliveries. */
void inf_client_waited_at_exit(unsigned ms);

#endif

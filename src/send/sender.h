/* The sender: one background thread per process that turns journals into requests for every client there is.
 *
 * A route is what the sender knows of one client: where to send, as whom, its journals, its counters. The client room
 * fills in the configuration and starts the route with the first trace; callers append to `journal` and count; the
 * thread does the rest. A route is started again, with a journal of its own, in a child process after fork().
 * This room knows nothing of open traces as objects, contexts or the public API. */
#ifndef INF_SEND_SENDER_H
#define INF_SEND_SENDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "infinium.h"
#include "journal/journal.h"

struct inf_route_state;

#define INF_REQUESTS_PER_SECOND 10.0 /* the default */

typedef struct inf_route {
    /* Set before the first start, constant afterwards; owned by the client. */
    char *agent_id;
    char *agent_secret;
    char *base_url; /* no slash at its end */
    char *user_agent;
    _Atomic(char *) directory; /* the agent's journal directory; NULL: memory */
    char *wanted_directory;    /* the thread's, once started: what `directory` will be when it can be used */
    uint64_t journal_max_bytes;
    double requests_per_second; /* <= 0: no limit; the default gives way to what a receiver says of itself */
    int timeout_ms;
    bool verify_tls;

    /* What callers read for each trace. */
    _Atomic(inf_journal *) journal;
    atomic_uint generation; /* the fork generation that `journal` belongs to; 0: never started */

    /* Written by callers, a cache line each, because many threads do. */
    _Alignas(64) atomic_uint_fast64_t begun;
    _Alignas(64) atomic_uint_fast64_t ended; /* counted before the END record is appended */
    _Alignas(64) atomic_uint_fast64_t refused;

    /* Written by the sender. An ended trace moves to exactly one of acknowledged, set_aside and refused. */
    atomic_uint_fast64_t in_flight; /* in a request that has no answer yet */
    atomic_uint_fast64_t acknowledged;
    atomic_uint_fast64_t set_aside;
    atomic_uint_fast64_t adopted;
    atomic_uint_fast64_t interrupted;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t retries;
    inf_log_cause said_memory;

    atomic_uint_fast64_t settled_position; /* every END record of our journal before it is settled */
    atomic_bool adopting;                  /* journals of dead processes may be waiting */
    atomic_bool hurry;                     /* a flush has begun: no backoff of our own */

    /* Guarded by the sender's lock. */
    struct inf_route *next;
    bool listed;
    bool leaving;                             /* inf_route_stop() wants the thread to let go of it */
    void (*release)(struct inf_route *route); /* set: nobody waits for that any more; the thread ends it */

    struct inf_route_state *state; /* the thread's own */
} inf_route;

/* 1, and one more in each forked child. What belongs to another generation is not touched. */
extern atomic_uint inf_fork_generation;

static inline unsigned inf_generation(void)
{
    return atomic_load_explicit(&inf_fork_generation, memory_order_relaxed);
}

/* Installs the fork and exit handlers, once. Any thread. */
void inf_sender_init(void);

/* So long has the end of this process already waited for deliveries: its exit handler waits so much less. For a language
 * whose own end comes before exit(). Any thread. */
void inf_sender_waited_at_exit(unsigned ms);

/* Slow path of every trace's start: opens the journal of this process, lists the route, starts the thread. Afterwards
 * route->generation is the current one, whatever failed (a route without journal refuses everything). Any thread. */
void inf_route_start(inf_route *route);

/* True when dead processes have left journals in the route's directory: a reason to start it before the first trace. */
bool inf_route_has_leftovers(const inf_route *route);

/* Waits until everything that had ended is settled; see inf_flush(). INF_OK or INF_ETIMEDOUT. Any thread. */
int inf_route_flush(inf_route *route, int timeout_ms);

/* Takes the route from the sender and closes its journals; what is undelivered stays in them, or, kept in memory, is
 * counted as refused. Then calls `release`. Bounded: no request is waited for, and where the thread does not let go
 * within 0.2 s (it waits for a disk), it does all this itself as soon as it can. No thread may use the route any more.
 */
void inf_route_stop(inf_route *route, void (*release)(inf_route *route));

/* The counters, so that begun = open + pending + acknowledged + set_aside + refused. Any thread. */
void inf_route_counts(const inf_route *route, inf_counts *out);

#endif

/* Accepting: append to the journal, and group commit. Requests append on their own threads and then wait; one thread
 * syncs the journal for all that are waiting and lets them go. Nothing is acknowledged before it is durable. */
#ifndef INF_INGEST_INTAKE_H
#define INF_INGEST_INTAKE_H

#include "directory.h"
#include "ingest/drain.h"
#include "journal/journal.h"

typedef struct inf_intake inf_intake;

/* Embedded in whoever waits; `done` is called once, on the commit thread, with 0 or a negative error, and must be
 * quick. */
typedef struct inf_waiter {
    struct inf_waiter *next;
    void (*done)(struct inf_waiter *waiter, int rc);
} inf_waiter;

/* Since the start. */
typedef struct inf_intake_stats {
    inf_journal_stats journal;
    uint64_t journal_max_bytes;
    bool full;     /* the last append was refused for the journal's bound, and there still is no room */
    bool unsynced; /* the last sync failed */
    bool cramped;  /* the journal cannot grow */
    const inf_histogram *commits;
    inf_drain_stats drain;
} inf_intake_stats;
void inf_intake_get_stats(inf_intake *intake, inf_intake_stats *out);

/* `wants_care`: time for inf_intake_maintain(). It and the owner's functions are called with the owner's context, from
 * any thread, and are quick. */
int inf_intake_open(inf_intake **out, inf_directory *directory, uint64_t max_bytes, inf_drain_owner owner,
                    void (*wants_care)(void *context));

/* Appends one accepted trace. Any thread. 0, INF_EFULL (the bound is reached), or why it cannot be written. */
int inf_intake_append(inf_intake *intake, const inf_store_put *trace);

/* Has each waiter of the list from `first` to `last`, linked by `next`, called once everything this thread appended
 * before is durable. 0, or INF_ECLOSED: none is called. */
int inf_intake_commit(inf_intake *intake, inf_waiter *first, inf_waiter *last);

/* Waits until everything appended before the call is in the store, 5 s at most. */
void inf_intake_catch_up(inf_intake *intake);

/* Prepares the journal's next segment; from one thread, now and then and whenever `wants_care` was called. */
void inf_intake_maintain(inf_intake *intake);

/* Calls every waiter, then refuses. Afterwards inf_intake_close() stores what is left and frees. NULL is allowed. */
void inf_intake_stop(inf_intake *intake);
void inf_intake_close(inf_intake *intake, int timeout_ms);

#endif

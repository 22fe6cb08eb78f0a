/* From the journal into the store: one thread, transactions of up to 4,000 traces, and only what is committed is
 * acknowledged to the journal. Storing twice does no harm (the store keeps one row a trace id), so a death in between
 * loses nothing.
 *
 * Storing a trace costs several times what taking it costs. Where both must share too few processors and traces keep
 * coming, the drain rests after each transaction, so that taking goes first: up to 24 times as long as it has worked,
 * at most a second; less once what waits takes half of the journal's bound, also in the middle of a rest, and not at
 * all from three quarters on, when somebody looks at what comes or waits for it, or at the end. How scarce they are,
 * its waiting for one says: from a quarter of its work on.
 */
#ifndef INF_INGEST_DRAIN_H
#define INF_INGEST_DRAIN_H

#include "directory.h"
#include "histogram.h"
#include "journal/journal.h"
#include "store/store.h"

typedef struct inf_drain inf_drain;

/* Since the start. */
typedef struct inf_drain_stats {
    uint64_t stored;        /* traces, new or in a better form */
    uint64_t duplicates;    /* traces of which the store had an equal or better form */
    uint64_t left_out;      /* traces or records that can never be stored */
    uint64_t waiting_bytes; /* of the journal, not yet stored */
    bool failing;           /* the last transaction failed and is being tried again */
    const inf_histogram *transactions;
} inf_drain_stats;

/* Called on the drain's thread. */
typedef struct inf_drain_owner {
    void (*stored)(void *context); /* after each commit that stored something */
    bool (*viewed)(void *context); /* whether anybody looks at what is stored, as it comes */
    void *context;
} inf_drain_owner;

/* Starts the thread, with a store handle of its own. The journal's reading side belongs to it from now on; a
 * segment of it has `segment_bytes`, all of them together `max_bytes` at most. */
int inf_drain_start(inf_drain **out, inf_journal *journal, uint32_t segment_bytes, uint64_t max_bytes,
                    inf_directory *directory, inf_drain_owner owner);
/* Something was appended. Any thread. */
void inf_drain_wake(inf_drain *drain);
/* Waits until everything up to `position` is in the store. 0 or INF_ETIMEDOUT. Any thread. */
int inf_drain_wait(inf_drain *drain, inf_position position, int timeout_ms);
void inf_drain_get_stats(inf_drain *drain, inf_drain_stats *out);
/* Everything appended so far is stored (timeout_ms at most), then the thread ends. NULL is allowed. */
void inf_drain_stop(inf_drain *drain, int timeout_ms);

/* Stores what writers that died left in `journal_dir`; *stored counts traces that were not in the store yet, *skipped
 * (may be NULL) damaged stretches that were passed over, which the log says too. `progress` (may be NULL) is called
 * after each transaction, with how many traces have been read so far. */
int inf_drain_leftovers(inf_store *store, const char *journal_dir, uint64_t *stored, uint64_t *skipped,
                        void (*progress)(void *context, uint64_t read), void *context);

#endif

/* The traces of one journal that have begun and not ended, as its reader knows them.
 *
 * A reader may not acknowledge past the BEGIN of an open trace, or a crash would lose what the trace had recorded. So
 * that one trace that stays open for hours does not hold back the log (after a crash, everything since would be sent
 * again), the sender *carries* it: it appends to the journal's tail a BEGIN record with the flag INF_RECORD_CARRIED
 * that holds everything the trace had so far; from then on only that record is held. head.reserved of it is the
 * reader's place when it was made: of the trace's EVENT records, those up to there are in it, later ones are not.
 *
 * At most INF_OPEN_MAX traces are followed; one that begins beyond them is delivered when it ends, but would be missing
 * if the process died before. One thread. */
#ifndef INF_SEND_OPEN_H
#define INF_SEND_OPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "journal/journal.h"
#include "model/record.h"

#define INF_OPEN_MAX 65536u
#define INF_OPEN_NONE UINT64_MAX

typedef struct inf_open_trace {
    uint8_t trace_id[16];
    uint32_t begin_length;
    const uint8_t *begin; /* payload of the BEGIN record in the journal; or `copy`; NULL: only events are known */
    uint8_t *copy;        /* owned; what was carried, until the carried record is read */
    inf_buf events;       /* {position, length, head's duration, fields} each */
    inf_position hold;    /* nothing past this place may be acknowledged */
    uint64_t latest_ns;   /* the longest time since the start that a record told */
    uint64_t seen_ns;     /* when the reader first saw it; the reader's clock */
    uint64_t held_ns;     /* since when `hold` is what it is */
    uint64_t held_mark;   /* the caller's: how much had been settled then */
    uint64_t shown_ns;    /* when it was last sent as running; 0: never */
    bool changed;         /* there were events since */
    bool carrying;        /* the carried record has not been read yet */
    bool ended;           /* kept only because the carried record is still to come */
    struct inf_open_trace *chain, *before, *after;
} inf_open_trace;

typedef struct inf_open_table {
    inf_open_trace **buckets;
    uint32_t bucket_count;
    uint32_t count;
    inf_open_trace *oldest, *newest; /* by `hold` */
    inf_open_trace *spare;
    uint32_t spares;
    uint64_t overflowed;
} inf_open_table;

void inf_open_init(inf_open_table *o);
void inf_open_free(inf_open_table *o);

/* Makes room for one more trace, so that the next record's cannot be missed for want of memory. False: not now. */
bool inf_open_room(inf_open_table *o);

/* Takes note of a record. `before` is the reader's place before the record. */
void inf_open_begin(inf_open_table *o, const inf_record *record, inf_position before, uint64_t now_ns);
void inf_open_event(inf_open_table *o, const inf_record *record, inf_position before, uint64_t now_ns);
void inf_open_end(inf_open_table *o, const uint8_t trace_id[16]);

/* Where acknowledging must stop, or INF_OPEN_NONE. */
static inline inf_position inf_open_hold(const inf_open_table *o)
{
    return o->oldest ? o->oldest->hold : INF_OPEN_NONE;
}

/* The trace as one record payload: head and everything it has, with this status; malloc'ed, *length bytes. NULL without
 * memory. */
uint8_t *inf_open_merge(const inf_open_trace *t, uint8_t status, uint32_t *length);

/* Appends the trace to the journal's tail; `read` is the reader's place. 0 or a negative INF_E... (then nothing has
 * changed). */
int inf_open_carry(inf_open_table *o, inf_open_trace *t, inf_journal *journal, inf_position read);

/* Forgets the trace. */
void inf_open_remove(inf_open_table *o, inf_open_trace *t);

#endif

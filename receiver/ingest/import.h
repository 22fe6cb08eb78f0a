/* Taking back what an export gave (api/dump.h): NDJSON, one trace a line. Text comes in pieces of any size; whole lines
 * are checked, gathered and stored in transactions of some hundred traces, straight into the store: what inf_import_*
 * has counted as accepted is durable. A line stands or falls on its own. Importing twice changes nothing.
 *
 * A line needs `trace_id`, `agent_id` and `body`; `received_at` (else: now), `agent_name`, `cost_usd` and `scores` are
 * taken when they are there, and all else of it is made from the body again. An agent that the store does not know is
 * added under its name and id, without a secret: nobody can send as it until it is given one. */
#ifndef INF_INGEST_IMPORT_H
#define INF_INGEST_IMPORT_H

#include "auth/actor.h"
#include "base/json_write.h"
#include "http/limits.h"
#include "store/store.h"

#define INF_IMPORT_REJECTED_MAX 1000 /* that are told one by one */

typedef struct inf_import inf_import;

typedef struct inf_import_counts {
    uint64_t lines; /* but for blank ones */
    uint64_t accepted;
    uint64_t duplicates; /* were there already, in this form or a better one */
    uint64_t rejected;
    uint64_t agents; /* added */
} inf_import_counts;

/* The import has no thread and no handle: each call brings a handle, one call at a time. NULL without memory. */
inf_import *inf_import_new(void);
/* Has `refused` called for each line that is not taken, with its number from 0. */
void inf_import_tell(inf_import *import, void (*refused)(void *context, uint64_t index, const char *reason),
                     void *context);
void inf_import_free(inf_import *import);

/* Takes the whole lines of `text`, and with `last` what follows the last of them too, and stores what it has gathered
 * when that is enough (with `last`, in any case). *used: bytes that were taken; a line that is not whole yet is to be
 * brought again, with more after it. INF_JSON_PADDING bytes past the text must be readable. 0, or a negative error of
 * the store: then nothing more can be imported. */
int inf_import_take(inf_import *import, inf_store *store, const char *text, size_t length, bool last, size_t *used);

const inf_import_counts *inf_import_counted(const inf_import *import);

/* Writes down in the audit log that it has begun or, with `over`, what became of it. */
void inf_import_note(const inf_import *import, inf_store *store, const inf_actor *actor, bool over);

/* Why the first line was refused, static text; NULL when none was. */
const char *inf_import_reason(const inf_import *import);

/* The answer, as the batch wire's: one object with success, accepted, duplicates, rejected (index of the line, reason;
 * the first INF_IMPORT_REJECTED_MAX), rejected_count and agents_added. */
void inf_import_write(const inf_import *import, inf_json_writer *writer);

#endif

/* An accepted trace as bytes: the payload of an INF_RECORD_INGEST record of the receiver's journal.
 *
 *   bytes       what
 *   0   16      trace id
 *   16  16      parent id, all zero without one
 *   32  16      agent id
 *   48  8       started, Unix nanoseconds
 *   56  8       duration, nanoseconds
 *   64  8       received, Unix nanoseconds
 *   72  8       LLM calls
 *   80  8       prompt tokens
 *   88  8       completion tokens
 *   96  1       status (enum inf_status)
 *   97  1       version, 2
 *   98  2       zero
 *   100 8       cached tokens
 *   108 8       cache-write tokens
 *   116 8       reasoning tokens
 *   124 8       cost, nano-US-dollars; -1: not known
 *   132 2 x 9   lengths of name, model, error type, error message, input preview, output preview, session, user, tags;
 *               0xffff: absent
 *   150 2       zero
 *   152 ...     those texts, each followed by a NUL
 *   then        the body: a JSON object, to the record's end
 *
 * Version 1, which an earlier receiver may have left, has six lengths at 100, its texts at 112, and nothing of what
 * stands here between 100 and 132.
 *
 * Integers are little-endian. The head is made once, from the one parse of the request; who drains the journal needs no
 * other look at the body. */
#ifndef INF_INGEST_RECORD_H
#define INF_INGEST_RECORD_H

#include "store/store.h"

/* No head with its texts is longer. */
#define INF_INGEST_HEAD_MAX 16384

/* Writes head and texts; returns their length. Texts are cut to what fits. */
size_t inf_ingest_encode(const inf_summary *summary, uint8_t out[INF_INGEST_HEAD_MAX]);

/* Points `out` into the record. 0, or INF_EBADMSG. */
int inf_ingest_decode(const uint8_t *record, size_t length, inf_store_put *out);

#endif

/* What one request may hold. Private to receiver/. */
#ifndef INF_HTTP_LIMITS_H
#define INF_HTTP_LIMITS_H

#include "ingest/body.h" /* INF_BODY_MAX, of one trace */

/* A batch must be large enough that a request costs little beside its traces, and small enough that some of them,
 * decompressed at the same time, do not matter. What one client can deliver in a second goes into `rate` of them. */
#define INF_BATCH_MAX_TRACES 32768
#define INF_BATCH_MAX_BYTES (4 * 1024 * 1024)
#define INF_BATCH_HEADER "max_traces=32768; max_bytes=4194304; encodings=zstd; extra=1; rate=100"
#define INF_REQUEST_BODY_MAX (INF_BATCH_MAX_BYTES + 128 * 1024) /* of the buffer: with room to work */

#define INF_IMPORT_LINE_MAX (4 * 1024 * 1024) /* bytes: a body, and what an export says besides */
#define INF_IMPORT_PART (INF_IMPORT_LINE_MAX + 64 * 1024)

#define INF_PROMPT_BODY_MAX (1024 * 1024) /* a prompt of 256 KiB, however it is escaped */
#define INF_SMALL_BODY_MAX 16384          /* of calls that carry a few members */

#endif

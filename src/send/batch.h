/* The batch wire: what a receiver offers, how a body is packed, what its answer refuses. */
#ifndef INF_SEND_BATCH_H
#define INF_SEND_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The value of the header Infinium-Batch. */
typedef struct inf_batch_offer {
    uint32_t max_traces;
    uint32_t max_bytes; /* of a body before compression */
    uint32_t rate;      /* requests a second that a client may make; 0: nothing is said */
    bool zstd;
    bool extra;
} inf_batch_offer;

/* False when the value makes no offer that can be used. */
bool inf_batch_parse_offer(const char *value, inf_batch_offer *out);

/* `body` compressed into `out` (emptied first). 0 or a negative INF_E... The context is made on first use, kept in
 * *context and freed with inf_batch_free_context(). */
int inf_batch_compress(void **context, inf_buf *out, const void *body, size_t length);
void inf_batch_free_context(void *context);

/* Calls `refused` for each entry of the answer's `rejected` whose index is below `count`. An answer that cannot be read
 * refuses nothing. `reason` is NUL-terminated. INF_OK, or INF_ENOMEM: nothing was called. */
int inf_batch_each_rejected(const void *answer, size_t length, size_t count,
                            void (*refused)(void *context, size_t index, const char *reason), void *context);

/* The `error` of a JSON answer, copied to `out`; "HTTP <status>" when there is none. */
void inf_answer_reason(const void *answer, size_t length, long status, char *out, size_t size);

#endif

/* What a receiver refused for good: one JSON line a trace in rejected.ndjson of the agent's journal directory. */
#ifndef INF_SEND_REJECT_H
#define INF_SEND_REJECT_H

#include <stddef.h>
#include <stdint.h>

#define INF_REJECT_MAX_BYTES (16u << 20)

/* Appends {"trace_id", "rejected_at", "status", "reason", "body"}; `body` is JSON. 0; INF_EFULL when the file has
 * reached its limit: then the number in rejected.dropped beside it grows by one; other INF_E... when it cannot be
 * written. Any process of this user may append at the same time. */
int inf_reject_append(const char *directory, const uint8_t trace_id[16], long status, const char *reason,
                      const void *body, size_t length);

#endif

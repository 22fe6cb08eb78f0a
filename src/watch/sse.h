/* Server-sent events, in pieces of any size: each event's data is handed on whole. An event over the limit is left out,
 * the ones after it are not. */
#ifndef INF_WATCH_SSE_H
#define INF_WATCH_SSE_H

#include <stdbool.h>

#include "base/buf.h"

#define INF_SSE_MAX_EVENT (1u << 20)

typedef void (*inf_sse_sink)(void *context, const void *data, size_t length);

typedef struct inf_sse {
    inf_buf line; /* what has come of the line */
    inf_buf data; /* of the event */
    bool has_data;
    bool skip_line_feed; /* the last line ended in CR */
} inf_sse;

void inf_sse_init(inf_sse *s);
void inf_sse_free(inf_sse *s);
void inf_sse_take(inf_sse *s, const void *bytes, size_t length, inf_sse_sink sink, void *context);

/* The stream is over: an event whose empty line is missing counts. */
void inf_sse_end(inf_sse *s, inf_sse_sink sink, void *context);

#endif

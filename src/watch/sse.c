/* See sse.h. Lines end in LF, CR or both; a line "data: x" adds to the event, an empty one ends it; other fields and
 * comments mean nothing here. */
#include "watch/sse.h"

#include <string.h>

void inf_sse_init(inf_sse *s)
{
    memset(s, 0, sizeof(*s));
    inf_buf_init(&s->line, INF_SSE_MAX_EVENT);
    inf_buf_init(&s->data, INF_SSE_MAX_EVENT);
}

void inf_sse_free(inf_sse *s)
{
    inf_buf_free(&s->line);
    inf_buf_free(&s->data);
}

static void end_event(inf_sse *s, inf_sse_sink sink, void *context)
{
    if (s->has_data && !s->data.error)
        sink(context, s->data.data, s->data.length);
    s->has_data = false;
    inf_buf_reset(&s->data);
}

static void end_line(inf_sse *s, inf_sse_sink sink, void *context)
{
    const uint8_t *line = s->line.data;
    size_t length = s->line.length;
    if (length == 0 && !s->line.error) {
        end_event(s, sink, context);
    } else if (length >= 5 && memcmp(line, "data:", 5) == 0) {
        size_t from = length > 5 && line[5] == ' ' ? 6 : 5;
        if (s->has_data)
            inf_buf_put_byte(&s->data, '\n');
        s->has_data = true;
        inf_buf_put(&s->data, line + from, length - from);
        if (s->line.error)
            s->data.error = s->line.error; /* the whole event is of no use */
    }
    inf_buf_reset(&s->line);
}

void inf_sse_take(inf_sse *s, const void *bytes, size_t length, inf_sse_sink sink, void *context)
{
    const uint8_t *p = bytes, *end = p + length;
    while (p < end) {
        if (s->skip_line_feed && *p == '\n') {
            s->skip_line_feed = false;
            p++;
            continue;
        }
        s->skip_line_feed = false;
        const uint8_t *stop = p;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        inf_buf_put(&s->line, p, (size_t)(stop - p));
        if (stop == end)
            return;
        s->skip_line_feed = *stop == '\r';
        end_line(s, sink, context);
        p = stop + 1;
    }
}

void inf_sse_end(inf_sse *s, inf_sse_sink sink, void *context)
{
    if (s->line.length > 0)
        end_line(s, sink, context);
    end_event(s, sink, context);
}

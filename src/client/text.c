/* See text.h. */
#include "client/text.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/utf8.h"
#include "model/mask.h"
#include "model/mask_scan.h"

/* What a text needs beyond its own length, so that a mark may be longer than its secret. */
#define MASK_ROOM 64

/* Ends the field with at most `max` code points of what was written, its secrets masked. */
static void end_text(inf_trace *t, char *text, size_t length, size_t room, size_t max)
{
    size_t kept = inf_utf8_cut(text, length, max);
    if (t->mask)
        kept = inf_mask(text, kept, room, kept < length);
    inf_trace_text_end(t, inf_utf8_cut(text, kept, max));
}

/* At most `max` code points of `text` are kept. */
void inf_text_add(inf_trace *t, uint8_t tag, const char *text, size_t length, size_t max)
{
    if (length > 4 * max)
        length = 4 * max;
    size_t room = length + MASK_ROOM;
    char *to = NULL;
    if (t->mask && length <= max) {
        to = inf_trace_text(t, tag, room);
        if (!to)
            return;
        if (inf_mask_copy(to, text, length)) { /* the usual case: nothing in it need be looked at */
            inf_trace_text_end(t, length);
            return;
        }
    }
    bool ascii = inf_ascii_prefix(text, length) == length;
    if (ascii && !t->mask) {
        inf_trace_add_text(t, tag, text, length > max ? max : length);
        return;
    }
    if (!ascii)
        room = 3 * length + MASK_ROOM; /* each invalid byte becomes three */
    if (!ascii || !to)
        to = inf_trace_text(t, tag, room);
    if (!to)
        return;
    size_t clean = length;
    if (ascii)
        memcpy(to, text, length);
    else
        clean = inf_utf8_sanitise(to, room, text, length);
    end_text(t, to, clean, room, max);
}

void inf_text_add_string(inf_trace *t, uint8_t tag, const char *text, size_t max)
{
    if (text)
        inf_text_add(t, tag, text, strnlen(text, 4 * max + 4), max);
}

void inf_text_add_format(inf_trace *t, uint8_t tag, size_t max, const char *format, va_list args)
{
    size_t room = 4 * max + 1;
    char *to = inf_trace_text(t, tag, room);
    if (!to)
        return;
    int n = vsnprintf(to, room, format, args);
    size_t length = n < 0 ? 0 : (size_t)n >= room ? room - 1 : (size_t)n;
    size_t ascii = inf_ascii_prefix(to, length);
    if (ascii == length) {
        end_text(t, to, length, room, max);
        return;
    }
    if (inf_utf8_valid(to, length)) {
        end_text(t, to, length, room, max);
        return;
    }
    char *copy = inf_os.malloc(length);
    if (!copy) {
        inf_trace_text_end(t, ascii);
        return;
    }
    memcpy(copy, to, length);
    size_t clean = inf_utf8_sanitise(to, room - 1, copy, length);
    inf_os.free(copy);
    end_text(t, to, clean, room, max);
}

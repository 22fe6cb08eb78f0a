/* See text.h. */
#include "client/text.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/utf8.h"

/* At most `max` code points of `text` are kept. */
void inf_text_add(inf_trace *t, uint8_t tag, const char *text, size_t length, size_t max)
{
    if (length > 4 * max)
        length = 4 * max;
    size_t ascii = inf_ascii_prefix(text, length);
    if (ascii == length) {
        inf_trace_add_text(t, tag, text, length > max ? max : length);
        return;
    }
    /* Each invalid byte becomes three. */
    size_t room = 3 * length;
    char *to = inf_trace_text(t, tag, room);
    if (!to)
        return;
    size_t clean = inf_utf8_sanitise(to, room, text, length);
    inf_trace_text_end(t, inf_utf8_cut(to, clean, max));
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
        inf_trace_text_end(t, length > max ? max : length);
        return;
    }
    if (inf_utf8_valid(to, length)) {
        inf_trace_text_end(t, inf_utf8_cut(to, length, max));
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
    inf_trace_text_end(t, inf_utf8_cut(to, clean, max));
}

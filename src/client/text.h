/* A program's text as fields of a trace. It is untrusted: invalid UTF-8 is replaced before it is stored, and what is
 * longer than `max` code points is cut. Formats are expanded in place, in the trace's own buffer. Private to this room.
 */
#ifndef INF_CLIENT_TEXT_H
#define INF_CLIENT_TEXT_H

#include <stdarg.h>

#include "client/trace.h"

void inf_text_add(inf_trace *t, uint8_t tag, const char *text, size_t length, size_t max);

/* NUL-terminated; NULL adds nothing. */
void inf_text_add_string(inf_trace *t, uint8_t tag, const char *text, size_t max);

void inf_text_add_format(inf_trace *t, uint8_t tag, size_t max, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

#endif

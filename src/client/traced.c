/* What the INF_TRACED macros call: arguments and result as JSON text, written straight into the trace's buffer.
 *
 * Bounded by the caps, not by the values: a string is read no further than what is kept of it. The text that a program
 * holds is untrusted; what is not UTF-8 is replaced before it is stored. */
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "client/context.h"
#include "client/text.h"
#include "client/trace.h"
#include "model/mask.h"

#define NAME_LIMIT 500u
#define INPUT_LIMIT 3000u
#define OUTPUT_LIMIT 8000u
/* The longest text of a number, and of an address. */
#define NUMBER_SIZE 64

static void open_text(struct inf_traced_ *call, uint8_t tag, size_t limit)
{
    call->used = 0;
    call->values = 0;
    call->room = limit;
    /* Each invalid byte becomes three. */
    call->to = inf_trace_text(call->trace, tag, 3 * limit);
}

/* False: full. */
static bool put(struct inf_traced_ *call, const char *text, size_t length)
{
    bool fits = length <= call->room - call->used;
    if (!fits)
        length = call->room - call->used;
    memcpy(call->to + call->used, text, length);
    call->used += length;
    return fits;
}

/* A string's bytes with JSON's escapes, up to the NUL or until the room is used up. */
static bool put_escaped(struct inf_traced_ *call, const char *text)
{
    for (;;) {
        size_t run = 0;
        size_t room = call->room - call->used + 1;
        while (run < room && (unsigned char)text[run] >= 0x20 && text[run] != '"' && text[run] != '\\')
            run++;
        if (!put(call, text, run))
            return false;
        text += run;
        if (*text == '\0')
            return true;
        char escape[8];
        size_t length = 2;
        const char *letter = memchr("\"\\\n\t\r\b\f", *text, 7);
        if (letter) {
            escape[0] = '\\';
            escape[1] = "\"\\ntrbf"[letter - "\"\\\n\t\r\b\f"];
        } else {
            length = (size_t)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)*text);
        }
        if (!put(call, escape, length))
            return false;
        text++;
    }
}

static bool put_string(struct inf_traced_ *call, const char *text)
{
    if (!text)
        return put(call, "null", 4);
    return put(call, "\"", 1) && put_escaped(call, text) && put(call, "\"", 1);
}

static int64_t signed_at(const void *at, size_t size)
{
    int8_t v8;
    int16_t v16;
    int32_t v32;
    int64_t v64;
    switch (size) {
    case 1:
        memcpy(&v8, at, 1);
        return v8;
    case 2:
        memcpy(&v16, at, 2);
        return v16;
    case 4:
        memcpy(&v32, at, 4);
        return v32;
    default:
        memcpy(&v64, at, 8);
        return v64;
    }
}

/* Little-endian, as everything here. */
static uint64_t unsigned_at(const void *at, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, at, size < sizeof(value) ? size : sizeof(value));
    return value;
}

/* The fewest digits that read back as the same value: 0.1, not 0.10000000000000001. */
static int print_floating(char out[NUMBER_SIZE], const void *at, size_t size)
{
    int length = 0;
    if (size == sizeof(float)) {
        float value;
        memcpy(&value, at, sizeof(value));
        for (int digits = FLT_DIG; digits <= FLT_DECIMAL_DIG; digits++) {
            length = snprintf(out, NUMBER_SIZE, "%.*g", digits, (double)value);
            if (strtof(out, NULL) == value)
                break;
        }
    } else if (size == sizeof(double)) {
        double value;
        memcpy(&value, at, sizeof(value));
        for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
            length = snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
            if (strtod(out, NULL) == value)
                break;
        }
    } else {
        long double value;
        memcpy(&value, at, sizeof(value));
        for (int digits = LDBL_DIG; digits <= LDBL_DECIMAL_DIG; digits++) {
            length = snprintf(out, NUMBER_SIZE, "%.*Lg", digits, value);
            if (strtold(out, NULL) == value)
                break;
        }
    }
    return length;
}

/* printf writes the locale's decimal point, JSON has only its own. */
static int plain_point(char *text, int length)
{
    int kept = 0;
    bool point = false;
    for (int i = 0; i < length; i++) {
        bool digit = (text[i] >= '0' && text[i] <= '9') || strchr("+-e", text[i]);
        if (digit || !point)
            text[kept++] = digit ? text[i] : '.';
        point |= !digit;
    }
    return kept;
}

static bool put_value(struct inf_traced_ *call, enum inf_kind_ kind, const void *at, size_t size)
{
    char text[NUMBER_SIZE];
    int length = 0;
    const char *string;
    switch (kind) {
    case INF_KIND_STRING_:
        memcpy(&string, at, sizeof(string));
        return put_string(call, string);
    case INF_KIND_CHAR_:
        text[0] = *(const char *)at;
        text[1] = '\0';
        return put_string(call, text);
    case INF_KIND_BOOL_:
        return *(const unsigned char *)at ? put(call, "true", 4) : put(call, "false", 5);
    case INF_KIND_SIGNED_:
        length = snprintf(text, sizeof(text), "%" PRId64, signed_at(at, size));
        break;
    case INF_KIND_UNSIGNED_:
        length = snprintf(text, sizeof(text), "%" PRIu64, unsigned_at(at, size));
        break;
    case INF_KIND_FLOATING_:
        length = print_floating(text, at, size);
        /* JSON has no nan and no inf: as strings they can still be read. */
        if (strpbrk(text, "ni"))
            return put_string(call, text);
        length = plain_point(text, length);
        break;
    case INF_KIND_POINTER_:
        length = snprintf(text, sizeof(text), "\"0x%" PRIx64 "\"", unsigned_at(at, size));
        break;
    case INF_KIND_OTHER_:
        length = snprintf(text, sizeof(text), "\"<%zu bytes>\"", size);
        break;
    }
    return length > 0 && put(call, text, (size_t)length);
}

static void close_text(struct inf_traced_ *call, bool whole)
{
    size_t length = call->used;
    if (inf_ascii_prefix(call->to, length) != length && !inf_utf8_valid(call->to, length)) {
        char copy[OUTPUT_LIMIT];
        memcpy(copy, call->to, length);
        length = inf_utf8_sanitise(call->to, 3 * call->room, copy, length);
        if (length > call->room)
            whole = false;
    }
    if (call->trace->mask) {
        length = inf_mask(call->to, length, 3 * call->room, !whole);
        if (length > call->room)
            whole = false;
    }
    if (!whole && length + 3 > call->room) {
        length = inf_utf8_floor(call->to, length, call->room - 3);
    }
    if (!whole) {
        memcpy(call->to + length, "...", 3);
        length += 3;
    }
    inf_trace_text_end(call->trace, length);
    call->to = NULL;
}

void inf_traced_begin_(struct inf_traced_ *call, inf_client *client, const char *name, const char *function)
{
    *call = (struct inf_traced_){0};
    inf_trace *t = client ? inf_context_take() : NULL;
    if (!t)
        return;
    const inf_trace *parent = inf_current();
    inf_trace_start(t, client, parent ? parent->head.trace_id : NULL, NULL, 0);
    inf_text_add_string(t, INF_TAG_NAME, name ? name : function, NAME_LIMIT);
    inf_trace_add_text(t, INF_TAG_FUNCTION, function, strlen(function));
    inf_trace_add_text(t, INF_TAG_SDK_VERSION, INF_VERSION, sizeof(INF_VERSION) - 1);
    inf_context_push(t);
    call->trace = t;
    open_text(call, INF_TAG_INPUT, INPUT_LIMIT);
    if (call->to)
        put(call, "{", 1);
}

void inf_traced_argument_(struct inf_traced_ *call, const char *name, enum inf_kind_ kind, const void *at, size_t size)
{
    if (!call->to)
        return;
    bool first = call->values++ == 0;
    if (!((first || put(call, ", ", 2)) && put_string(call, name) && put(call, ": ", 2) &&
          put_value(call, kind, at, size)))
        close_text(call, false);
}

void inf_traced_run_(struct inf_traced_ *call)
{
    if (!call->trace)
        return;
    if (call->to) {
        bool whole = put(call, "}", 1);
        close_text(call, whole);
    }
    inf_trace_publish(call->trace);
}

void inf_traced_result_(struct inf_traced_ *call, enum inf_kind_ kind, const void *at, size_t size)
{
    if (!call->trace)
        return;
    inf_context_lock(call->trace);
    open_text(call, INF_TAG_OUTPUT, OUTPUT_LIMIT);
    if (call->to) {
        bool whole = put_value(call, kind, at, size);
        close_text(call, whole);
    }
    inf_context_unlock(call->trace);
}

void inf_traced_end_(struct inf_traced_ *call)
{
    if (!call->trace)
        return;
    inf_trace_end(call->trace);
    call->trace = NULL;
}

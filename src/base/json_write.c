/* See json_write.h. */
#include "base/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

/* What a byte needs: 0 nothing, 1 an escape, 2 a look at its UTF-8 sequence. */
static inline unsigned kind(uint8_t c)
{
    if (c >= 0x80)
        return 2;
    return c < 0x20 || c == '"' || c == '\\';
}

/* The bytes at the start that are copied as they are. */
static size_t plain_prefix(const uint8_t *p, size_t length)
{
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        const uint64_t ones = 0x0101010101010101u;
        uint64_t w;
        memcpy(&w, p + i, 8);
        uint64_t quote = w ^ (ones * '"');
        uint64_t backslash = w ^ (ones * '\\');
        /* The high bit of a byte is set where the byte is >= 0x80, < 0x20, a quote or a backslash (or, harmlessly, just
         * above one of those). */
        if ((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & (ones * 0x80))
            break;
    }
    while (i < length && kind(p[i]) == 0)
        i++;
    return i;
}

static void put_escaped(inf_buf *b, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[6] = {'\\', c, '0', '0', 0, 0};
    size_t length = 2;
    switch (c) {
    case '"':
    case '\\':
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        text[1] = 'u';
        text[4] = (uint8_t)digits[c >> 4];
        text[5] = (uint8_t)digits[c & 15];
        length = 6;
    }
    inf_buf_put(b, text, length);
}

static void put_quoted(inf_buf *b, const uint8_t *p, size_t length)
{
    size_t plain = plain_prefix(p, length);
    if (inf_buf_reserve(b, plain + 2))
        return;
    uint8_t *out = b->data + b->length;
    *out = '"';
    if (plain > 0)
        memcpy(out + 1, p, plain);
    b->length += plain + 1;
    if (plain == length) {
        out[plain + 1] = '"';
        b->length++;
        return;
    }
    for (size_t i = plain; i < length;) {
        size_t n = plain_prefix(p + i, length - i);
        inf_buf_put(b, p + i, n);
        i += n;
        if (i == length)
            break;
        if (p[i] < 0x80) {
            put_escaped(b, p[i++]);
            continue;
        }
        size_t start = i;
        while (i < length && p[i] >= 0x80 && (n = inf_utf8_sequence(p + i, length - i)) > 0)
            i += n;
        inf_buf_put(b, p + start, i - start);
        if (i < length && p[i] >= 0x80) {
            size_t bad = 1; /* the rest of the broken sequence goes with its first byte */
            while (i + bad < length && bad < 3 && (p[i + bad] & 0xc0) == 0x80)
                bad++;
            inf_buf_put(b, "\xef\xbf\xbd", 3);
            i += bad;
        }
    }
    inf_buf_put_byte(b, '"');
}

void inf_json_put_string(inf_json_writer *w, const void *text, size_t length)
{
    inf_json_separate(w);
    put_quoted(w->out, text, length);
}

void inf_json_put_text(inf_json_writer *w, const char *text)
{
    if (text)
        inf_json_put_string(w, text, strlen(text));
    else
        inf_json_put_null(w);
}

void inf_json_key_n(inf_json_writer *w, const void *key, size_t length)
{
    inf_json_separate(w);
    put_quoted(w->out, key, length);
    inf_buf_put_byte(w->out, ':');
    w->comma = false;
}

void inf_json_put_i64(inf_json_writer *w, int64_t value)
{
    inf_json_separate(w);
    inf_buf_put_i64(w->out, value);
}

void inf_json_put_u64(inf_json_writer *w, uint64_t value)
{
    inf_json_separate(w);
    inf_buf_put_u64(w->out, value);
}

/* printf writes the locale's decimal point, whatever that is; JSON has only one. */
static void put_number_text(inf_buf *b, const char *text)
{
    bool point = false;
    for (const char *p = text; *p; p++) {
        bool digit = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
        if (digit || !point)
            inf_buf_put_byte(b, digit ? (uint8_t)*p : '.');
        point |= !digit;
    }
}

void inf_json_put_double(inf_json_writer *w, double value)
{
    if (!isfinite(value)) {
        inf_json_put_null(w);
        return;
    }
    inf_json_separate(w);
    char text[64];
    if (value == 0 && signbit(value)) {
        inf_buf_put(w->out, "-0.0", 4);
        return;
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
        inf_buf_put_i64(w->out, (int64_t)value);
        inf_buf_put(w->out, ".0", 2); /* it stays a floating-point number for readers that tell the two apart */
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put_number_text(w->out, text);
}

void inf_json_put_thousandths(inf_json_writer *w, uint64_t thousandths)
{
    if (thousandths >= 1000000000000000u) { /* more digits than a double surely keeps */
        inf_json_put_double(w, (double)thousandths / 1000.0);
        return;
    }
    inf_json_separate(w);
    unsigned fraction = (unsigned)(thousandths % 1000);
    char digits[4] = {'.', (char)('0' + fraction / 100), (char)('0' + fraction / 10 % 10), (char)('0' + fraction % 10)};
    inf_buf_put_u64(w->out, thousandths / 1000);
    inf_buf_put(w->out, digits, fraction % 10 ? 4 : fraction % 100 ? 3 : 2);
}

void inf_json_put_fixed(inf_json_writer *w, double value, unsigned digits)
{
    if (!isfinite(value) || fabs(value) >= 1e17) {
        inf_json_put_double(w, value);
        return;
    }
    inf_json_separate(w);
    char text[64];
    snprintf(text, sizeof(text), "%.*f", (int)(digits > 9 ? 9 : digits), value);
    put_number_text(w->out, text);
}

void inf_json_put_bool(inf_json_writer *w, bool value)
{
    inf_json_separate(w);
    inf_buf_put_text(w->out, value ? "true" : "false");
}

void inf_json_put_null(inf_json_writer *w)
{
    inf_json_separate(w);
    inf_buf_put(w->out, "null", 4);
}

void inf_json_put_raw(inf_json_writer *w, const void *json, size_t length)
{
    inf_json_separate(w);
    inf_buf_put(w->out, json, length);
}

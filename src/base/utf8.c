/* See utf8.h. ASCII is passed over eight bytes at a time, everything else sequence by sequence. */
#include "base/utf8.h"

/* Looks at the sequence at p. Returns its bytes when it is valid; else 0, and *bad is the length of the longest
 * beginning of a valid sequence, at least 1. */
static size_t sequence(const uint8_t *p, size_t length, size_t *bad)
{
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t need;
    *bad = 1;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        need = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        need = 3;
        if (p[0] == 0xe0)
            low = 0xa0; /* shorter forms exist below */
        else if (p[0] == 0xed)
            high = 0x9f; /* surrogates above */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        need = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        else if (p[0] == 0xf4)
            high = 0x8f; /* U+10FFFF is the last */
    } else {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if (i == length || p[i] < low || p[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
        *bad = i + 1;
    }
    return need;
}

size_t inf_utf8_sequence(const void *text, size_t length)
{
    size_t bad;
    return length ? sequence(text, length, &bad) : 0;
}

bool inf_utf8_valid(const void *text, size_t length)
{
    const uint8_t *p = text;
    size_t i = 0;
    while ((i += inf_ascii_prefix(p + i, length - i)) < length) {
        size_t bad;
        size_t n = sequence(p + i, length - i, &bad);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t inf_utf8_sanitise(char *out, size_t capacity, const void *text, size_t length)
{
    const uint8_t *p = text;
    size_t i = 0;
    size_t written = 0;
    while (i < length) {
        size_t n = inf_ascii_prefix(p + i, length - i);
        size_t take = n;
        const void *from = p + i;
        if (n == 0) {
            size_t bad;
            n = take = sequence(p + i, length - i, &bad);
            if (n == 0) {
                from = "\xef\xbf\xbd";
                take = 3;
                n = bad;
            }
            if (take > capacity - written)
                break;
        } else if (take > capacity - written) {
            take = capacity - written;
            n = length - i; /* the buffer is full: nothing more to look at */
        }
        if (take > 0)
            memcpy(out + written, from, take);
        written += take;
        i += n;
    }
    return written;
}

size_t inf_utf8_count(const void *text, size_t length)
{
    const uint8_t *p = text;
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += (p[i] & 0xc0) != 0x80;
    return count;
}

size_t inf_utf8_cut(const void *text, size_t length, size_t code_points)
{
    const uint8_t *p = text;
    if (length <= code_points)
        return length;
    for (size_t i = 0; i < length; i++) {
        if ((p[i] & 0xc0) == 0x80)
            continue;
        if (code_points-- == 0)
            return i;
    }
    return length;
}

size_t inf_utf8_floor(const void *text, size_t length, size_t limit)
{
    const uint8_t *p = text;
    if (length <= limit)
        return length;
    while (limit > 0 && (p[limit] & 0xc0) == 0x80)
        limit--;
    return limit;
}

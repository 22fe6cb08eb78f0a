/* UTF-8 of untrusted text: shortest forms only, no surrogates, up to U+10FFFF. Lengths are bytes unless a name says
 * code points. No allocation, any thread. */
#ifndef INF_BASE_UTF8_H
#define INF_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Length of the run of ASCII at the start. */
static inline size_t inf_ascii_prefix(const void *text, size_t length)
{
    const uint8_t *p = text;
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= length; i += 16) {
        int beyond = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i)));
        if (beyond)
            return i + (unsigned)__builtin_ctz((unsigned)beyond);
    }
    if (length >= 16 && i < length) { /* the rest, together with some of what is known to be ASCII */
        int beyond = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + length - 16)));
        return beyond ? length - 16 + (unsigned)__builtin_ctz((unsigned)beyond) : length;
    }
#endif
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < length && p[i] < 0x80)
        i++;
    return i;
}

/* The bytes (1 to 4) of the valid sequence at the start of `text`, or 0 when it is not valid or length is 0. */
size_t inf_utf8_sequence(const void *text, size_t length);

bool inf_utf8_valid(const void *text, size_t length);

/* Copies `text` to `out`, each invalid sequence (its longest valid beginning, as browsers do) replaced by U+FFFD; stops
 * before a code point that no longer fits. Returns the bytes written; `out` may not overlap. An `out` of 3 * length
 * bytes always holds everything. */
size_t inf_utf8_sanitise(char *out, size_t capacity, const void *text, size_t length);

/* Code points in valid text. */
size_t inf_utf8_count(const void *text, size_t length);

/* The bytes that the first `code_points` code points of valid text take (all of it when it has no more). */
size_t inf_utf8_cut(const void *text, size_t length, size_t code_points);

/* The longest beginning of valid text that has at most `limit` bytes and ends between code points. */
size_t inf_utf8_floor(const void *text, size_t length, size_t limit);

#endif

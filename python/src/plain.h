/* Copying the part of a string that a literal shows as it is, many bytes at a time: most of what is captured. Private
 * to capture.c. */
#ifndef INF_PYTHON_PLAIN_H
#define INF_PYTHON_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* What goes into a string literal as it is: printable ASCII but for quotes and the backslash. */
#define R4 1, 1, 1, 1
static const unsigned char plain[256] = {
    [0x20] = 1,  1,  0,  1,  1, 1, 1, 0, R4, R4, /* " and ' */
    [0x30] = R4, R4, R4, R4,                     /**/
    [0x40] = R4, R4, R4, R4,                     /**/
    [0x50] = R4, R4, R4, 0,  1, 1, 1,            /* backslash */
    [0x60] = R4, R4, R4, R4,                     /**/
    [0x70] = R4, R4, R4, 1,  1, 1, 0,            /* DEL */
};
#undef R4

/* Copy `length` bytes; return how many of them, from the first on, are plain. What they write behind those is of no
 * meaning; they write no further than `length`. */
static inline size_t copy_bytes(char *to, const unsigned char *from, size_t length)
{
    size_t i = 0;
    for (; i < length && plain[from[i]]; i++)
        to[i] = (char)from[i];
    return i;
}

#if defined(__SSE2__)
static inline unsigned odd_of_16(__m128i v)
{
    __m128i odd = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)); /* signed: what is beyond ASCII as well */
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('\'')));
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(odd);
}

static inline unsigned copy_16(char *to, const unsigned char *from)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)to, v);
    return odd_of_16(v);
}

static inline size_t copy_plain_16(char *to, const unsigned char *from, size_t length)
{
    size_t i = 0;
    for (; i + 16 <= length; i += 16) {
        unsigned odd = copy_16(to + i, from + i);
        if (odd)
            return i + (unsigned)__builtin_ctz(odd);
    }
    if (i == length)
        return length;
    if (length >= 16) { /* the rest, together with some of what is known to be plain */
        unsigned odd = copy_16(to + length - 16, from + length - 16);
        return odd ? length - 16 + (unsigned)__builtin_ctz(odd) : length;
    }
    if (length >= 8) { /* both ends, which overlap */
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + length - 8, 8);
        if (odd_of_16(_mm_set_epi64x((long long)last, (long long)first)) == 0) {
            memcpy(to, &first, 8);
            memcpy(to + length - 8, &last, 8);
            return length;
        }
    }
    return copy_bytes(to, from, length);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline unsigned copy_32(char *to, const unsigned char *from)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)from);
    _mm256_storeu_si256((__m256i *)(void *)to, v);
    __m256i odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v);
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f)));
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')));
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\'')));
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
    return (unsigned)_mm256_movemask_epi8(odd);
}

/* For at least 32 bytes. */
__attribute__((target("avx2"))) static size_t copy_plain_32(char *to, const unsigned char *from, size_t length)
{
    for (size_t i = 0;; i += 32) {
        if (i + 32 > length)
            i = length - 32;
        unsigned odd = copy_32(to + i, from + i);
        if (odd)
            return i + (unsigned)__builtin_ctz(odd);
        if (i + 32 == length)
            return length;
    }
}
#endif

static inline size_t copy_plain(char *to, const unsigned char *from, size_t length)
{
#if defined(__x86_64__)
    if (length >= 32 && __builtin_cpu_supports("avx2"))
        return copy_plain_32(to, from, length);
#endif
    return copy_plain_16(to, from, length);
}
#else
static inline size_t copy_plain(char *to, const unsigned char *from, size_t length)
{
    return copy_bytes(to, from, length);
}
#endif

#endif

/* See mask_scan.h. Two table look-ups a byte: one by its lower half, one by its upper half, each giving the set of
 * groups that it may belong to; a candidate is what both agree on, which is exact. Two more for the byte that follows,
 * for the groups that ask for certain ones. A look-up with the highest bit set gives nothing, as it should: no
 * candidate is beyond ASCII. */
#include "model/mask_scan.h"

#include <stdatomic.h>

static void scan_portable(const char *text, size_t blocks, uint64_t *found)
{
    for (size_t block = 0; block < blocks; block++, text += INF_MASK_BLOCK) {
        uint64_t bits = 0;
        for (unsigned i = 0; i < INF_MASK_BLOCK; i++)
            bits |= (uint64_t)inf_mask_is_candidate(text[i], text[i + 1]) << i;
        found[block] = bits;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

enum { DASH = 1, COLON = 2, JK = 4, UNDERSCORE = 8, B = 16, Z = 32 };
#define ANY_NEXT (DASH | COLON | JK | UNDERSCORE)
#define LOWER_HALVES 0, 0, B, 0, 0, 0, 0, 0, 0, 0, COLON | JK | Z, JK, 0, DASH | COLON, 0, UNDERSCORE
#define UPPER_HALVES 0, 0, DASH, COLON, JK | B, UNDERSCORE, B, Z, 0, 0, 0, 0, 0, 0, 0, 0
#define NEXT_LOWER_HALVES 0, B | Z, 0, 0, 0, B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define NEXT_UPPER_HALVES 0, 0, 0, 0, B, 0, B | Z, 0, 0, 0, 0, 0, 0, 0, 0, 0

__attribute__((target("ssse3"))) static inline __m128i groups_of_16(__m128i v, __m128i lower, __m128i upper)
{
    __m128i half = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(0x0f));
    return _mm_and_si128(_mm_shuffle_epi8(lower, v), _mm_shuffle_epi8(upper, half));
}

__attribute__((target("ssse3"))) static inline uint64_t scan_of(__m128i v, __m128i next)
{
    __m128i groups = groups_of_16(v, _mm_setr_epi8(LOWER_HALVES), _mm_setr_epi8(UPPER_HALVES));
    __m128i fits = groups_of_16(next, _mm_setr_epi8(NEXT_LOWER_HALVES), _mm_setr_epi8(NEXT_UPPER_HALVES));
    groups = _mm_and_si128(groups, _mm_or_si128(fits, _mm_set1_epi8(ANY_NEXT)));
    return (uint16_t)~_mm_movemask_epi8(_mm_cmpeq_epi8(groups, _mm_setzero_si128()));
}

__attribute__((target("ssse3"))) static inline uint64_t scan_16(const char *at)
{
    return scan_of(_mm_loadu_si128((const __m128i *)(const void *)at),
                   _mm_loadu_si128((const __m128i *)(const void *)(at + 1)));
}

__attribute__((target("ssse3"))) static void scan_ssse3(const char *text, size_t blocks, uint64_t *found)
{
    for (size_t block = 0; block < blocks; block++, text += INF_MASK_BLOCK)
        found[block] = scan_16(text) | scan_16(text + 16) << 16 | scan_16(text + 32) << 32 | scan_16(text + 48) << 48;
}

__attribute__((target("avx2"))) static inline __m256i groups_of_32(__m256i v, __m256i lower, __m256i upper)
{
    __m256i half = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
    return _mm256_and_si256(_mm256_shuffle_epi8(lower, v), _mm256_shuffle_epi8(upper, half));
}

__attribute__((target("avx2"))) static inline uint64_t scan_32(const char *at)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i next = _mm256_loadu_si256((const __m256i *)(const void *)(at + 1));
    __m256i groups =
        groups_of_32(v, _mm256_setr_epi8(LOWER_HALVES, LOWER_HALVES), _mm256_setr_epi8(UPPER_HALVES, UPPER_HALVES));
    __m256i fits = groups_of_32(next, _mm256_setr_epi8(NEXT_LOWER_HALVES, NEXT_LOWER_HALVES),
                                _mm256_setr_epi8(NEXT_UPPER_HALVES, NEXT_UPPER_HALVES));
    groups = _mm256_and_si256(groups, _mm256_or_si256(fits, _mm256_set1_epi8(ANY_NEXT)));
    return (uint32_t)~_mm256_movemask_epi8(_mm256_cmpeq_epi8(groups, _mm256_setzero_si256()));
}

__attribute__((target("avx2"))) static void scan_avx2(const char *text, size_t blocks, uint64_t *found)
{
    for (size_t block = 0; block < blocks; block++, text += INF_MASK_BLOCK)
        found[block] = scan_32(text) | scan_32(text + 32) << 32;
}
#endif

static bool copy_portable(char *to, const char *from, size_t length)
{
    bool looked = false;
    for (size_t i = 0; i < length; i++) {
        looked |= (unsigned char)from[i] > 0x7f || inf_mask_is_candidate(from[i], i + 1 < length ? from[i + 1] : '\0');
        to[i] = from[i];
    }
    return !looked;
}

#if defined(__x86_64__)
/* Nonzero when one of the first 15 of 16 bytes is a candidate, or one of them is beyond ASCII. */
__attribute__((target("ssse3"))) static inline int copy_16(char *to, const char *from)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)to, v);
    return (int)(uint16_t)scan_of(v, _mm_srli_si128(v, 1)) | _mm_movemask_epi8(v);
}

/* The last byte of each step is the first one of the next, so that it is seen with what follows it. */
__attribute__((target("ssse3"))) static bool copy_ssse3(char *to, const char *from, size_t length)
{
    if (length < 16)
        return copy_portable(to, from, length);
    int looked = 0;
    for (size_t i = 0; i + 16 <= length; i += 15)
        looked |= copy_16(to + i, from + i);
    looked |= copy_16(to + length - 16, from + length - 16);
    return looked == 0;
}
#endif

bool inf_mask_copy(char *to, const char *from, size_t length)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("ssse3"))
        return copy_ssse3(to, from, length);
#endif
    return copy_portable(to, from, length);
}

inf_mask_scanner inf_mask_scanner_at(unsigned index)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && index-- == 0)
        return scan_avx2;
    if (__builtin_cpu_supports("ssse3") && index-- == 0)
        return scan_ssse3;
#endif
    return index == 0 ? scan_portable : NULL;
}

void inf_mask_scan(const char *text, size_t blocks, uint64_t *found)
{
    static _Atomic(inf_mask_scanner) chosen;
    inf_mask_scanner scanner = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!scanner) {
        scanner = inf_mask_scanner_at(0);
        atomic_store_explicit(&chosen, scanner, memory_order_relaxed);
    }
    scanner(text, blocks, found);
}

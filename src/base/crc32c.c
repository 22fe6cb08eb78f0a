/* CRC-32C. The processor's instruction takes 8 bytes and answers three cycles later, so one running sum leaves it idle
 * for two cycles of three: we keep three sums over three neighbouring stretches and join them with a carry-less
 * multiplication.
 *
 * Joining: to append n zero bytes to a sum means to multiply it by x^(8n) modulo the polynomial. In the reflected bit
 * order that the instruction uses, crc32_u64(0, clmul(a, K)) is a * K * x^33, so K is x^(8n - 33). */
#include "base/crc32c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

typedef uint32_t (*crc_function)(uint32_t crc, void *to, const void *from, size_t length);

/* ---- tables ---- */

static uint32_t slices[8][256];
static pthread_once_t slices_once = PTHREAD_ONCE_INIT;

static void make_slices(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ (v & 1 ? POLYNOMIAL : 0);
        slices[0][i] = v;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            slices[t][i] = slices[t - 1][i] >> 8 ^ slices[0][slices[t - 1][i] & 255];
}

uint32_t inf_crc32c_software(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *p = data;
    pthread_once(&slices_once, make_slices);
    crc = ~crc;
    for (; length >= 8; length -= 8, p += 8) {
        uint32_t low = (crc ^ (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24));
        crc = slices[7][low & 255] ^ slices[6][low >> 8 & 255] ^ slices[5][low >> 16 & 255] ^ slices[4][low >> 24] ^
              slices[3][p[4]] ^ slices[2][p[5]] ^ slices[1][p[6]] ^ slices[0][p[7]];
    }
    for (; length > 0; length--)
        crc = crc >> 8 ^ slices[0][(crc ^ *p++) & 255];
    return ~crc;
}

static uint32_t copy_software(uint32_t crc, void *to, const void *from, size_t length)
{
    if (to && length > 0)
        memcpy(to, from, length);
    return inf_crc32c_software(crc, from, length);
}

/* ---- SSE4.2 ---- */

#if defined(__x86_64__)
#include <immintrin.h>

#define MAX_WORDS 128 /* of one of the three stretches */

static uint32_t shift_by_words[2 * MAX_WORDS + 1]; /* K for n words = 8 n bytes */

static void make_shifts(void)
{
    uint32_t v = 0x80000000u; /* x^0 */
    unsigned exponent = 0;
    for (unsigned n = 1; n <= 2 * MAX_WORDS; n++) {
        for (; exponent < 64 * n - 33; exponent++)
            v = v >> 1 ^ (v & 1 ? POLYNOMIAL : 0);
        shift_by_words[n] = v;
    }
}

static inline uint64_t load(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t append_zeros(uint64_t crc, size_t words)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)(uint32_t)crc),
                                           _mm_cvtsi32_si128((int)shift_by_words[words]), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* `copy` is constant at each call, so each caller gets a loop of its own. */
__attribute__((target("sse4.2,pclmul"), always_inline)) static inline uint32_t
sum_sse42(uint32_t crc, uint8_t *to, const uint8_t *from, size_t length, bool copy)
{
    uint64_t a = ~crc;
    while (length >= 96) {
        size_t words = length / 24;
        if (words > MAX_WORDS)
            words = MAX_WORDS;
        size_t stretch = 8 * words;
        uint64_t b = 0;
        uint64_t c = 0;
        for (size_t i = 0; i < stretch; i += 8) {
            uint64_t x = load(from + i);
            uint64_t y = load(from + stretch + i);
            uint64_t z = load(from + 2 * stretch + i);
            if (copy) {
                memcpy(to + i, &x, 8);
                memcpy(to + stretch + i, &y, 8);
                memcpy(to + 2 * stretch + i, &z, 8);
            }
            a = _mm_crc32_u64(a, x);
            b = _mm_crc32_u64(b, y);
            c = _mm_crc32_u64(c, z);
        }
        a = append_zeros(a, 2 * words) ^ append_zeros(b, words) ^ c;
        from += 3 * stretch;
        if (copy)
            to += 3 * stretch;
        length -= 3 * stretch;
    }
    for (; length >= 8; length -= 8, from += 8) {
        uint64_t x = load(from);
        if (copy) {
            memcpy(to, &x, 8);
            to += 8;
        }
        a = _mm_crc32_u64(a, x);
    }
    uint32_t sum = (uint32_t)a;
    for (; length > 0; length--, from++) {
        if (copy)
            *to++ = *from;
        sum = _mm_crc32_u8(sum, *from);
    }
    return ~sum;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t copy_sse42(uint32_t crc, void *to, const void *from,
                                                                    size_t length)
{
    if (to)
        return sum_sse42(crc, to, from, length, true);
    return sum_sse42(crc, NULL, from, length, false);
}
#endif

/* ---- choice at run time ---- */

static _Atomic(crc_function) chosen;
static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    crc_function function = copy_software;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        make_shifts();
        function = copy_sse42;
    }
#endif
    atomic_store_explicit(&chosen, function, memory_order_release);
}

static inline crc_function implementation(void)
{
    crc_function function = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!function) {
        pthread_once(&chosen_once, choose);
        function = atomic_load_explicit(&chosen, memory_order_acquire);
    }
    return function;
}

uint32_t inf_crc32c(uint32_t crc, const void *data, size_t length)
{
    return implementation()(crc, NULL, data, length);
}

uint32_t inf_crc32c_copy(uint32_t crc, void *to, const void *from, size_t length)
{
    return implementation()(crc, to, from, length);
}

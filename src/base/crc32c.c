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
typedef uint32_t (*record_function)(const uint64_t place[3], uint8_t *to, const uint8_t *head, size_t head_length,
                                    const uint8_t *body, size_t body_length);

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

static uint32_t record_software(const uint64_t place[3], uint8_t *to, const uint8_t *head, size_t head_length,
                                const uint8_t *body, size_t body_length)
{
    uint32_t crc = inf_crc32c_software(0, place, 3 * sizeof(place[0]));
    crc = copy_software(crc, to, head, head_length);
    return copy_software(crc, to + head_length, body, body_length);
}

/* ---- SSE4.2 ---- */

#if defined(__x86_64__)
#include <immintrin.h>

#define MAX_WORDS 128   /* of one of the three stretches */
#define COPY_APART 2048 /* bytes from which one stream of stores and then a look at the source is faster than three */

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

/* Takes and gives the sum as the instruction has it. `copy` is constant at each call, so each caller gets a loop of its
 * own. */
__attribute__((target("sse4.2,pclmul"), always_inline)) static inline uint64_t
sum_sse42(uint64_t a, uint8_t *to, const uint8_t *from, size_t length, bool copy)
{
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
    size_t i = 0;
    for (; i + 16 <= length; i += 16) {
        uint64_t x = load(from + i);
        uint64_t y = load(from + i + 8);
        if (copy) {
            memcpy(to + i, &x, 8);
            memcpy(to + i + 8, &y, 8);
        }
        a = _mm_crc32_u64(a, x);
        a = _mm_crc32_u64(a, y);
    }
    if (length & 8) {
        uint64_t x = load(from + i);
        if (copy)
            memcpy(to + i, &x, 8);
        a = _mm_crc32_u64(a, x);
        i += 8;
    }
    if (length & 4) {
        uint32_t x;
        memcpy(&x, from + i, 4);
        if (copy)
            memcpy(to + i, &x, 4);
        a = _mm_crc32_u32((uint32_t)a, x);
        i += 4;
    }
    if (length & 2) {
        uint16_t x;
        memcpy(&x, from + i, 2);
        if (copy)
            memcpy(to + i, &x, 2);
        a = _mm_crc32_u16((uint32_t)a, x);
        i += 2;
    }
    if (length & 1) {
        if (copy)
            to[i] = from[i];
        a = _mm_crc32_u8((uint32_t)a, from[i]);
    }
    return a;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t record_sse42(const uint64_t place[3], uint8_t *to,
                                                                      const uint8_t *head, size_t head_length,
                                                                      const uint8_t *body, size_t body_length)
{
    uint64_t a = 0xffffffffu;
    for (int i = 0; i < 3; i++)
        a = _mm_crc32_u64(a, place[i]);
    a = sum_sse42(a, to, head, head_length, true);
    if (body_length >= COPY_APART) {
        memcpy(to + head_length, body, body_length);
        return ~(uint32_t)sum_sse42(a, NULL, body, body_length, false);
    }
    return ~(uint32_t)sum_sse42(a, to + head_length, body, body_length, true);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t copy_sse42(uint32_t crc, void *to, const void *from,
                                                                    size_t length)
{
    if (to)
        return ~(uint32_t)sum_sse42((uint32_t)~crc, to, from, length, true);
    return ~(uint32_t)sum_sse42((uint32_t)~crc, NULL, from, length, false);
}
#endif

/* ---- choice at run time ---- */

static _Atomic(crc_function) chosen;
static _Atomic(record_function) chosen_record; /* there when `chosen` is */
static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    crc_function function = copy_software;
    record_function record = record_software;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        make_shifts();
        function = copy_sse42;
        record = record_sse42;
    }
#endif
    atomic_store_explicit(&chosen_record, record, memory_order_relaxed);
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

uint32_t inf_crc32c_record(const uint64_t place[3], void *to, const void *head, size_t head_length, const void *body,
                           size_t body_length)
{
    record_function function = atomic_load_explicit(&chosen_record, memory_order_relaxed);
    if (!function) {
        (void)implementation();
        function = atomic_load_explicit(&chosen_record, memory_order_relaxed);
    }
    return function(place, to, head, head_length, body, body_length);
}

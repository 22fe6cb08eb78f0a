/* Identifiers: 16 bytes, unique, not secret. They come from a generator of the thread's own (xoshiro256**, seeded by
 * the system), so an id costs nanoseconds and no lock; a child process seeds again. For secrets use
 * inf_random_secret(). */
#ifndef INF_BASE_ID_H
#define INF_BASE_ID_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct inf_id_generator {
    uint64_t state[4];
    unsigned generation; /* 0: never seeded */
};

/* Private to the inline functions below. */
extern _Thread_local struct inf_id_generator inf_id_generator;
extern _Atomic unsigned inf_id_generation; /* 1, and one more in each child */
void inf_id_seed(struct inf_id_generator *g);

static inline uint64_t inf_id_rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t inf_id_step(struct inf_id_generator *g)
{
    uint64_t *s = g->state;
    uint64_t result = inf_id_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = inf_id_rotate(s[3], 45);
    return result;
}

/* A random number, not fit for secrets (jitter, sampling). */
static inline uint64_t inf_random_u64(void)
{
    struct inf_id_generator *g = &inf_id_generator;
    if (g->generation != atomic_load_explicit(&inf_id_generation, memory_order_relaxed))
        inf_id_seed(g);
    return inf_id_step(g);
}

/* A fresh id, never all zero. */
static inline void inf_id_make(uint8_t out[16])
{
    struct inf_id_generator *g = &inf_id_generator;
    if (g->generation != atomic_load_explicit(&inf_id_generation, memory_order_relaxed))
        inf_id_seed(g);
    uint64_t a = inf_id_step(g);
    uint64_t b = inf_id_step(g);
    if ((a | b) == 0)
        b = 1;
    memcpy(out, &a, 8);
    memcpy(out + 8, &b, 8);
}

static inline bool inf_id_is_zero(const uint8_t id[16])
{
    uint64_t words[2];
    memcpy(words, id, 16);
    return (words[0] | words[1]) == 0;
}

/* 32 lower-case hexadecimal digits and a NUL. */
void inf_id_hex(const uint8_t id[16], char out[33]);

/* The same digits as 8-4-4-4-12 and a NUL. The version bits are left as they are: the text gives the id back. */
void inf_id_uuid(const uint8_t id[16], char out[37]);

/* Exactly 32 hexadecimal digits, or 36 characters as 8-4-4-4-12; either case. 0, or INF_EBADMSG (also for all zero). */
int inf_id_parse(const char *text, size_t length, uint8_t out[16]);

/* Random bytes from the system, fit for secrets. 0, or INF_ESYS. */
int inf_random_secret(void *out, size_t length);

/* `length` bytes as 2 * length lower-case digits and a NUL. */
void inf_hex(const void *data, size_t length, char *out);

#endif

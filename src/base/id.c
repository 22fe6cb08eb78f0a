/* Seeding and text forms of id.h. */
#include "base/id.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/os.h"
#include "infinium.h"

_Thread_local struct inf_id_generator inf_id_generator;
_Atomic unsigned inf_id_generation = 1;

static void forget_seed_in_child(void)
{
    atomic_fetch_add_explicit(&inf_id_generation, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_seed_in_child);
}

static uint64_t mix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void inf_id_seed(struct inf_id_generator *g)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    unsigned generation = atomic_load_explicit(&inf_id_generation, memory_order_relaxed);
    if (inf_random_secret(g->state, sizeof(g->state)) != 0) {
        /* No entropy is no reason to fail a caller: clocks and addresses tell threads and processes apart. */
        uint64_t x = inf_unix_ns() ^ inf_id_rotate(inf_mono_ns(), 32) ^ (uint64_t)(uintptr_t)g;
        for (int i = 0; i < 4; i++)
            g->state[i] = mix(&x);
    }
    if ((g->state[0] | g->state[1] | g->state[2] | g->state[3]) == 0)
        g->state[0] = 1;
    g->generation = generation;
}

int inf_random_secret(void *out, size_t length)
{
    uint8_t *p = out;
    while (length > 0) {
        ssize_t n = inf_os.getrandom(p, length, 0);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return INF_ESYS;
        }
        if (n == 0)
            return INF_ESYS;
        p += n;
        length -= (size_t)n;
    }
    return INF_OK;
}

void inf_hex(const void *data, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

void inf_id_hex(const uint8_t id[16], char out[33])
{
    inf_hex(id, 16, out);
}

void inf_id_uuid(const uint8_t id[16], char out[37])
{
    static const unsigned char groups[] = {4, 2, 2, 2, 6};
    const uint8_t *p = id;
    for (size_t i = 0; i < sizeof(groups); i++) {
        if (i > 0)
            *out++ = '-';
        inf_hex(p, groups[i], out);
        out += 2 * groups[i];
        p += groups[i];
    }
}

/* The value of a hexadecimal digit, and 0x80 for everything else: what is wrong anywhere shows in the sum of all. */
static const uint8_t hex_value[256] = {
#define BAD4 0x80, 0x80, 0x80, 0x80
#define BAD16 BAD4, BAD4, BAD4, BAD4
    BAD16, BAD16, BAD16, 0,     1,     2,     3,     4,     5,    6,    7,     8, 9, 0x80, 0x80, BAD4, /* to '?' */
    0x80,  10,    11,    12,    13,    14,    15,    0x80,  BAD4, BAD4, BAD16,                         /* to '_' */
    0x80,  10,    11,    12,    13,    14,    15,    0x80,  BAD4, BAD4, BAD16,                         /* to DEL */
    BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16,
#undef BAD16
#undef BAD4
};

int inf_id_parse(const char *text, size_t length, uint8_t out[16])
{
    const uint8_t *p = (const uint8_t *)text;
    uint8_t id[16];
    uint8_t wrong = 0;
    bool dashes = length == 36;
    if (!dashes && length != 32)
        return INF_EBADMSG;
    if (dashes && (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-'))
        return INF_EBADMSG;
    for (size_t i = 0; i < 16; i++, p += 2) {
        p += dashes && (i == 4 || i == 6 || i == 8 || i == 10);
        uint8_t high = hex_value[p[0]];
        uint8_t low = hex_value[p[1]];
        wrong |= high | low;
        id[i] = (uint8_t)(high << 4 | low);
    }
    if ((wrong & 0x80) || inf_id_is_zero(id))
        return INF_EBADMSG;
    memcpy(out, id, 16);
    return INF_OK;
}

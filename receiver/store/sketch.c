/* See sketch.h. */
#include <stdbool.h>

#include "store/sketch.h"

unsigned inf_sketch_index(uint64_t ns)
{
    if (ns < 64)
        return (unsigned)ns;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(ns);
    return (exponent - 5) * 64 + (unsigned)(ns >> (exponent - 6) & 63);
}

uint64_t inf_sketch_value(unsigned index)
{
    if (index < 64)
        return index;
    unsigned exponent = index / 64 + 5;
    uint64_t width = UINT64_C(1) << (exponent - 6);
    return (UINT64_C(1) << exponent) + index % 64 * width + width / 2;
}

static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; at < end && shift < 35; shift += 7) {
        *out |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at++ & 0x80))
            return at;
    }
    return NULL;
}

static uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

void inf_sketch_read(const void *sparse, size_t length, uint32_t counts[INF_SKETCH_BUCKETS])
{
    const uint8_t *at = sparse;
    const uint8_t *end = at + length;
    uint64_t index = 0, step, count;
    while (at < end && (at = read_varint(at, end, &step)) && (at = read_varint(at, end, &count))) {
        index += step;
        if (index >= INF_SKETCH_BUCKETS)
            return;
        uint64_t sum = counts[index] + count;
        counts[index] = sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
    }
}

size_t inf_sketch_merge(const void *sparse, size_t length, const inf_sketch_change *changes, size_t count,
                        uint8_t out[INF_SKETCH_MAX])
{
    const uint8_t *at = sparse;
    const uint8_t *end = at ? at + length : NULL;
    uint8_t *to = out;
    uint64_t old = 0, step = 0, old_count = 0;
    unsigned last = 0;
    bool have = false, over = at == NULL;
    for (size_t i = 0;;) {
        if (!have && !over) {
            over = at >= end || !(at = read_varint(at, end, &step)) || !(at = read_varint(at, end, &old_count));
            old += over ? 0 : step;
            over = over || old >= INF_SKETCH_BUCKETS;
            have = !over;
        }
        if (!have && i == count)
            return (size_t)(to - out);
        unsigned index = have && (i == count || old <= changes[i].bucket) ? (unsigned)old : changes[i].bucket;
        int64_t sum = 0;
        if (have && old == index) {
            sum = (int64_t)old_count;
            have = false;
        }
        for (; i < count && changes[i].bucket == index; i++)
            sum += changes[i].by;
        if (sum <= 0 || index >= INF_SKETCH_BUCKETS)
            continue;
        to = write_varint(to, index - last);
        to = write_varint(to, sum > UINT32_MAX ? UINT32_MAX : (uint64_t)sum);
        last = index;
    }
}

uint64_t inf_sketch_quantile(const uint32_t counts[INF_SKETCH_BUCKETS], double q)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < INF_SKETCH_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return 0;
    uint64_t rank = (uint64_t)(q * (double)(total - 1));
    uint64_t before = 0;
    for (unsigned i = 0; i < INF_SKETCH_BUCKETS; i++) {
        before += counts[i];
        if (before > rank)
            return inf_sketch_value(i);
    }
    return inf_sketch_value(INF_SKETCH_BUCKETS - 1);
}

/* Durations as a histogram that can be added to, taken from and merged, and that answers percentiles: 64 buckets for
 * each power of two, so that an answer is at most 1/128 (0.8 %) off. Kept sparse: pairs of varints, the distance from
 * the last index and the count. */
#ifndef INF_STORE_SKETCH_H
#define INF_STORE_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#define INF_SKETCH_BUCKETS 3776
#define INF_SKETCH_MAX (INF_SKETCH_BUCKETS * 7) /* bytes of the sparse form */

/* Which bucket a duration belongs to, and a bucket's middle, in nanoseconds. */
unsigned inf_sketch_index(uint64_t ns);
uint64_t inf_sketch_value(unsigned index);

/* Adds what the sparse form holds to `counts`. Counts that would go below zero or past 32 bits stay there. What is no
 * sketch is read as far as it is one. */
void inf_sketch_read(const void *sparse, size_t length, uint32_t counts[INF_SKETCH_BUCKETS]);
/* A bucket's count changes by so much. */
typedef struct inf_sketch_change {
    uint32_t bucket;
    int32_t by;
} inf_sketch_change;
/* The sparse form with changes, which are in the order of their buckets (one may come several times), into `out`;
 * returns its length. */
size_t inf_sketch_merge(const void *sparse, size_t length, const inf_sketch_change *changes, size_t count,
                        uint8_t out[INF_SKETCH_MAX]);
/* The duration that a share of `q` (0 to 1) of all does not exceed; 0 when there are none. */
uint64_t inf_sketch_quantile(const uint32_t counts[INF_SKETCH_BUCKETS], double q);

#endif

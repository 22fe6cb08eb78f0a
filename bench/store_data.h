/* Made-up traces for the store's benchmarks: names, models, sessions, users, tags and words are distributed as in life
 * (a few are common, many are rare), times are spread evenly over a month, and everything follows from the seed. */
#ifndef INF_BENCH_STORE_DATA_H
#define INF_BENCH_STORE_DATA_H

#include "store/store.h"

enum {
    DATA_NAMES = 60,
    DATA_MODELS = 12,
    DATA_AGENTS = 6,
    DATA_TAGS = 40,
    DATA_WORDS = 60000,
    DATA_BATCH_MAX = 32000,
};

#define DATA_DAY_NS 86400000000000ull
#define DATA_END_NS 1764547200000000000ull /* 2025-12-01: when the newest trace begins */
#define DATA_SPAN_NS (30 * DATA_DAY_NS)

typedef struct data_source data_source;

/* `total` traces of about `body_bytes` of JSON, handed out `batch` at a time. NULL without memory. */
data_source *data_new(uint64_t seed, uint64_t total, size_t body_bytes, size_t batch);
void data_free(data_source *d);
/* The next traces, at most `batch`, in rows that are valid until the next call. */
size_t data_next(data_source *d, inf_store_put **rows);

/* The same texts as the traces have; `rank` 0 is the most common. */
void data_word(uint32_t rank, char out[24]);
void data_name(uint32_t rank, char out[64]);
void data_model(uint32_t rank, char out[64]);
void data_tag(uint32_t rank, char out[32]);
void data_session(uint64_t number, char out[40]);
void data_user(uint64_t number, char out[40]);
void data_agent(uint32_t number, uint8_t out[16]);
void data_id(uint64_t number, uint8_t out[16]);

/* What data_new() makes of a seed: traces' ids are data_id(number ^ this). */
uint64_t data_state(uint64_t seed);

/* Processor time of the calling thread, seconds. */
double data_cpu(void);
double data_clock(void);

#endif

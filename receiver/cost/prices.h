/* What a call of a language model costs: a table of prices, read from a file (data/prices.json is built in;
 * docs/cost.md describes the format), and the one calculation. Knows nothing of traces, HTTP or the store.
 *
 * Money is whole nano-US-dollars (1e-9), prices are pico-dollars (1e-12) a token: no floating point after the file is
 * read. Token counts are inclusive: cached and cache-write tokens are part of the prompt's, reasoning tokens part of
 * the completion's. */
#ifndef INF_COST_PRICES_H
#define INF_COST_PRICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table: made once, then only read, by any thread. */
typedef struct inf_prices inf_prices;

#define INF_PRICES_FILE_MAX (8 * 1024 * 1024) /* bytes */
#define INF_COST_UNKNOWN (-1)
#define INF_COST_MAX INT64_C(100000000000000) /* nano-dollars; what would cost more is not believed: unknown */

/* Reads a table. INF_EINVAL: the text is none, `reason` says why; INF_ENOMEM. */
int inf_prices_parse(inf_prices **out, const char *json, size_t length, char *reason, size_t reason_size);
void inf_prices_free(inf_prices *prices);

/* Where the figures come from, "genai-prices 0.2.3, 2026-11-26"; "" when the file does not say. */
const char *inf_prices_source(const inf_prices *prices);
unsigned inf_prices_models(const inf_prices *prices);

typedef struct inf_price_query {
    const char *provider; /* as the trace gives it; NULL or "": not said */
    const char *model;    /* NULL: unknown */
    uint64_t at_ns;       /* Unix time of the call: which of several prices */
    int64_t prompt_tokens, completion_tokens;
    int64_t cached_tokens, cache_write_tokens, reasoning_tokens;
    int64_t calls; /* of which these are the sums; what is below 1 is 1 */
} inf_price_query;

/* Which prices a model has is remembered here, for one thread at a time. Zeroed at first. */
enum { INF_PRICE_SLOTS = 32, INF_PRICE_NAME_MAX = 120, INF_PRICE_LOOKUPS_MAX = 256 };
typedef struct inf_price_cache {
    const inf_prices *prices; /* of which the slots are */
    unsigned lookups;         /* that the cache did not spare; when there are too many, a cost is unknown */
    struct inf_price_slot {
        const void *model; /* NULL: has no price */
        bool used;
        char provider[INF_PRICE_NAME_MAX];
        char name[INF_PRICE_NAME_MAX];
    } slots[INF_PRICE_SLOTS];
} inf_price_cache;

/* Nano-dollars, or INF_COST_UNKNOWN: the model has no price here, or no token was counted. `cache` sets lookups to 0
 * before each trace. */
int64_t inf_price(const inf_prices *prices, inf_price_cache *cache, const inf_price_query *query);

#endif

/* The table of prices as it lies in memory. Private to receiver/cost/. */
#ifndef INF_COST_TABLE_H
#define INF_COST_TABLE_H

#include "cost/prices.h"

enum inf_price_kind {
    INF_PRICE_IN,
    INF_PRICE_CACHED,
    INF_PRICE_WRITE,
    INF_PRICE_OUT,
    INF_PRICE_REASONING,
    INF_PRICE_KINDS
};

/* Prices from so many prompt tokens on. */
typedef struct inf_price_step {
    int64_t above;                 /* tokens of the prompt; the base has -1 */
    int64_t pico[INF_PRICE_KINDS]; /* a token; -1: none */
} inf_price_step;

/* One set of prices and when it holds. */
typedef struct inf_price_set {
    uint64_t since_ns; /* Unix time; 0: always */
    int from_minute;   /* of the day, UTC; -1: all day */
    int to_minute;
    int64_t call_nano; /* for each call besides */
    unsigned steps;    /* at least 1: the base, then ascending */
    inf_price_step *step;
} inf_price_set;

typedef struct inf_price_model {
    unsigned sets; /* of those that hold, the last one counts; when none does, the first */
    inf_price_set *set;
} inf_price_model;

/* A name with `*` (anything) and `#` (one digit) in it. */
typedef struct inf_price_pattern {
    const char *text;
    unsigned literals; /* characters that are neither: of two that fit, the one with more counts */
    const inf_price_model *model;
} inf_price_pattern;

/* A name that is exactly this; `provider` counts from 0. */
typedef struct inf_price_exact {
    const char *name; /* NULL: an empty slot */
    unsigned provider;
    const inf_price_model *model;
} inf_price_exact;

typedef struct inf_price_provider {
    const char *id;
    unsigned name_count;
    const char **names; /* what traces call it */
    unsigned own_count;
    const char **own; /* patterns: names of models that are its own where no provider is given */
    unsigned also_count;
    const char **also; /* providers whose prices count here too */
    unsigned pattern_count;
    inf_price_pattern *patterns;
} inf_price_provider;

struct inf_prices {
    char source[160];
    unsigned models;
    unsigned provider_count;
    inf_price_provider *providers;
    unsigned slots; /* a power of two */
    inf_price_exact *exact;
    struct inf_price_chunk *memory;
};

enum { INF_PRICE_PROVIDERS_MAX = 200 };

uint64_t inf_price_hash(const char *name, unsigned provider);
/* Does the name fit the pattern? Time is at most the product of the two lengths. */
bool inf_price_fits(const char *pattern, const char *name);

/* Which model is meant (match.c); NULL: none that is known. Both names in lower case. */
const inf_price_model *inf_price_find(const inf_prices *prices, const char *provider, const char *model);

#endif

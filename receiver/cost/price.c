/* The calculation: see prices.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cost/table.h"

#define MINUTE_NS UINT64_C(60000000000)

/* A name in lower case; false when it is longer than any that the table may hold. */
static bool lower(const char *text, char out[INF_PRICE_NAME_MAX])
{
    size_t i = 0;
    for (; text && text[i]; i++) {
        if (i + 1 == INF_PRICE_NAME_MAX)
            return false;
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    out[i] = 0;
    return true;
}

static const inf_price_model *find(const inf_prices *prices, inf_price_cache *cache, const inf_price_query *q)
{
    char provider[INF_PRICE_NAME_MAX], name[INF_PRICE_NAME_MAX];
    if (!q->model || !lower(q->provider, provider) || !lower(q->model, name) || !*name)
        return NULL;
    if (cache->prices != prices) {
        memset(cache->slots, 0, sizeof cache->slots);
        cache->prices = prices;
    }
    uint64_t hash = inf_price_hash(name, (unsigned)inf_price_hash(provider, 0));
    struct inf_price_slot *slot = &cache->slots[hash % INF_PRICE_SLOTS];
    if (slot->used && strcmp(slot->name, name) == 0 && strcmp(slot->provider, provider) == 0)
        return slot->model;
    if (cache->lookups >= INF_PRICE_LOOKUPS_MAX)
        return NULL;
    cache->lookups++;
    const inf_price_model *model = inf_price_find(prices, provider, name);
    slot->used = true;
    slot->model = model;
    memcpy(slot->provider, provider, sizeof provider);
    memcpy(slot->name, name, sizeof name);
    return model;
}

static bool holds(const inf_price_set *set, uint64_t at_ns)
{
    int minute = (int)(at_ns / MINUTE_NS % 1440);
    if (at_ns < set->since_ns)
        return false;
    if (set->from_minute < 0)
        return true;
    return set->from_minute <= set->to_minute ? minute >= set->from_minute && minute < set->to_minute
                                              : minute >= set->from_minute || minute < set->to_minute;
}

static int64_t clip(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

/* Adds tokens times the price, the plain one where the special one is not given; false on overflow or when there is
 * neither. */
static bool add(int64_t *sum, int64_t tokens, int64_t special, int64_t plain)
{
    int64_t product;
    int64_t price = special >= 0 ? special : plain;
    if (tokens == 0)
        return true;
    return price >= 0 && !__builtin_mul_overflow(tokens, price, &product) &&
           !__builtin_add_overflow(*sum, product, sum);
}

int64_t inf_price(const inf_prices *prices, inf_price_cache *cache, const inf_price_query *q)
{
    int64_t prompt = clip(q->prompt_tokens, INT64_MAX);
    int64_t completion = clip(q->completion_tokens, INT64_MAX);
    if (prompt == 0 && completion == 0)
        return INF_COST_UNKNOWN;
    const inf_price_model *model = find(prices, cache, q);
    if (!model)
        return INF_COST_UNKNOWN;

    const inf_price_set *set = &model->set[0];
    for (unsigned i = 1; i < model->sets; i++)
        if (holds(&model->set[i], q->at_ns))
            set = &model->set[i];
    /* Sums of several calls: a step is reached by one call, and we only know the mean. */
    int64_t calls = q->calls < 1 ? 1 : q->calls;
    const inf_price_step *step = &set->step[0];
    for (unsigned i = 1; i < set->steps; i++)
        if (prompt / calls > set->step[i].above)
            step = &set->step[i];

    int64_t cached = clip(q->cached_tokens, prompt);
    int64_t written = clip(q->cache_write_tokens, prompt - cached);
    int64_t reasoning = clip(q->reasoning_tokens, completion);
    const int64_t *pico = step->pico;
    int64_t sum = 0, fee;
    if (!add(&sum, prompt - cached - written, -1, pico[INF_PRICE_IN]) ||
        !add(&sum, cached, pico[INF_PRICE_CACHED], pico[INF_PRICE_IN]) ||
        !add(&sum, written, pico[INF_PRICE_WRITE], pico[INF_PRICE_IN]) ||
        !add(&sum, completion - reasoning, -1, pico[INF_PRICE_OUT]) ||
        !add(&sum, reasoning, pico[INF_PRICE_REASONING], pico[INF_PRICE_OUT]))
        return INF_COST_UNKNOWN;
    int64_t nano = sum / 1000 + (sum % 1000 >= 500);
    if (__builtin_mul_overflow(calls, set->call_nano, &fee) || __builtin_add_overflow(nano, fee, &nano) ||
        nano > INF_COST_MAX)
        return INF_COST_UNKNOWN;
    return nano;
}

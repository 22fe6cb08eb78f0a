/* See trace.h. */
#include <math.h>
#include <string.h>

#include "cost/trace.h"

enum { CALLS_WRITTEN_MAX = 1000 };

struct walk {
    inf_pricer *pricer;
    const inf_prices *prices;
    uint64_t at_ns;
    int64_t total;
    bool any;
    inf_json_writer *writer; /* NULL: only the sum */
    unsigned written;
};

static const char *text_of(inf_json_value object, const char *key)
{
    const char *text;
    size_t length;
    return inf_json_get_string(object, key, &text, &length) ? text : NULL;
}

static int64_t count_of(inf_json_value object, const char *key)
{
    int64_t n;
    return inf_json_get_i64(object, key, &n) && n > 0 ? n : 0;
}

static int64_t price_of(struct walk *w, inf_json_value call, int64_t calls)
{
    if (!w->prices)
        return INF_COST_UNKNOWN;
    inf_price_query q = {.provider = text_of(call, "provider"),
                         .model = text_of(call, "model"),
                         .at_ns = w->at_ns,
                         .prompt_tokens = count_of(call, "prompt_tokens"),
                         .completion_tokens = count_of(call, "completion_tokens"),
                         .cached_tokens = count_of(call, "cached_tokens"),
                         .cache_write_tokens = count_of(call, "cache_write_tokens"),
                         .reasoning_tokens = count_of(call, "reasoning_tokens"),
                         .calls = calls};
    int64_t cost = inf_price(w->prices, &w->pricer->cache, &q);
    if (cost == INF_COST_UNKNOWN && q.model && (q.model = text_of(call, "request_model")))
        cost =
            inf_price(w->prices, &w->pricer->cache, &q); /* a gateway's answer may name a model as nobody else does */
    return cost;
}

void inf_cost_write(inf_json_writer *w, int64_t nano)
{
    if (nano < 0)
        inf_json_put_null(w);
    else
        inf_json_put_double(w, (double)nano / 1e9);
}

static void write_call(struct walk *w, inf_json_value call, const char *place, int64_t index, int64_t cost)
{
    const char *model = text_of(call, "model");
    if (!w->writer || w->written++ >= CALLS_WRITTEN_MAX)
        return;
    inf_json_begin_object(w->writer);
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? "step" : "call";
        inf_json_key(w->writer, key);
        if (place && strcmp(place, key) == 0)
            inf_json_put_i64(w->writer, index);
        else
            inf_json_put_null(w->writer);
    }
    inf_json_key(w->writer, "model");
    inf_json_put_text(w->writer, model);
    inf_json_key(w->writer, "cost_usd");
    inf_cost_write(w->writer, cost);
    inf_json_end_object(w->writer);
}

static void take_call(struct walk *w, inf_json_value call, const char *place, int64_t index, int64_t calls)
{
    int64_t cost = price_of(w, call, calls);
    if (cost >= 0) {
        w->any = true;
        w->total = w->total > INF_COST_MAX - cost ? INF_COST_MAX : w->total + cost;
    }
    write_call(w, call, place, index, cost);
}

static bool llm_call_of(inf_json_value step, inf_json_value *out)
{
    return inf_json_get(step, "llm_call", out) && inf_json_type(*out) == INF_JSON_OBJECT;
}

/* Prices the calls in the one place that counts. */
static void walk_calls(struct walk *w, const inf_json_value *steps, const inf_json_value *usage)
{
    size_t in_steps = 0, in_usage = 0;
    inf_json_value calls, call;
    inf_json_iterator i;
    if (steps && inf_json_type(*steps) == INF_JSON_ARRAY)
        for (i = inf_json_iterate(*steps); inf_json_next(&i);)
            in_steps += llm_call_of(i.value, &call);
    bool has_calls = usage && inf_json_get(*usage, "calls", &calls) && inf_json_type(calls) == INF_JSON_ARRAY;
    if (has_calls)
        in_usage = inf_json_size(calls);
    int64_t index = 0;
    if (in_steps > 0 && in_steps >= in_usage) {
        for (i = inf_json_iterate(*steps); inf_json_next(&i); index++)
            if (llm_call_of(i.value, &call))
                take_call(w, call, "step", index, 1);
    } else if (in_usage > 0) {
        for (i = inf_json_iterate(calls); inf_json_next(&i); index++)
            take_call(w, i.value, "call", index, 1);
    } else if (usage && inf_json_type(*usage) == INF_JSON_OBJECT) {
        take_call(w, *usage, NULL, 0, count_of(*usage, "api_calls_count"));
    }
}

static bool stated_cost(const inf_json_value *usage, int64_t *nano)
{
    double dollars;
    if (!usage || !inf_json_get_double(*usage, "estimated_cost_usd", &dollars) || !isfinite(dollars) || dollars < 0 ||
        dollars > (double)INF_COST_MAX / 1e9)
        return false;
    *nano = llround(dollars * 1e9);
    return true;
}

int64_t inf_cost_of_trace(inf_pricer *pricer, const inf_json_value *steps, const inf_json_value *usage, uint64_t at_ns)
{
    int64_t stated;
    if (stated_cost(usage, &stated))
        return stated;
    struct walk w = {.pricer = pricer, .at_ns = at_ns};
    if ((!steps && !usage) || !(w.prices = inf_pricer_begin(pricer)))
        return INF_COST_UNKNOWN;
    walk_calls(&w, steps, usage);
    return w.any ? w.total : INF_COST_UNKNOWN;
}

void inf_cost_calls_write(inf_json_writer *writer, inf_pricer *pricer, inf_json_value root, uint64_t at_ns)
{
    inf_json_value steps, usage;
    bool has_steps = inf_json_get(root, "steps", &steps);
    bool has_usage = inf_json_get(root, "llm_usage", &usage);
    struct walk w = {.pricer = pricer, .at_ns = at_ns, .prices = inf_pricer_begin(pricer), .writer = writer};
    inf_json_begin_array(writer);
    walk_calls(&w, has_steps ? &steps : NULL, has_usage ? &usage : NULL);
    inf_json_end_array(writer);
}

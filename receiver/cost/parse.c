/* Reading a table of prices: see prices.h and docs/cost.md. What the file says wrongly is refused as a whole: half a
 * table would price half the traces. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/os.h"
#include "cost/table.h"
#include "infinium.h"

enum { CHUNK = 64 * 1024, NAMES_MAX = 200000, SETS_MAX = 64, STEPS_MAX = 16 };
#define DEAREST 100000.0 /* dollars for a million tokens, or for a call */

struct inf_price_chunk {
    struct inf_price_chunk *next;
    size_t used;
    size_t size;
    _Alignas(16) char bytes[];
};

struct parsing {
    inf_prices *prices;
    char *reason;
    size_t reason_size;
    int error;
    const char *place; /* the provider at hand */
    unsigned names;
};

static bool fail(struct parsing *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct parsing *p, const char *format, ...)
{
    if (p->error)
        return false;
    p->error = INF_EINVAL;
    va_list args;
    va_start(args, format);
    int n = p->place ? snprintf(p->reason, p->reason_size, "%s: ", p->place) : 0;
    if (n >= 0 && (size_t)n < p->reason_size)
        vsnprintf(p->reason + n, p->reason_size - (size_t)n, format, args);
    va_end(args);
    return false;
}

/* Zeroed memory that lives as long as the table. */
static void *take(struct parsing *p, size_t count, size_t size)
{
    size_t length = (count * size + 15) & ~(size_t)15;
    struct inf_price_chunk *chunk = p->prices->memory;
    if (!chunk || length > chunk->size - chunk->used) {
        size_t whole = length > CHUNK ? length : CHUNK;
        chunk = inf_os.calloc(1, sizeof *chunk + whole);
        if (!chunk) {
            if (!p->error)
                snprintf(p->reason, p->reason_size, "out of memory");
            p->error = INF_ENOMEM;
            return NULL;
        }
        chunk->size = whole;
        chunk->next = p->prices->memory;
        p->prices->memory = chunk;
    }
    void *out = chunk->bytes + chunk->used;
    chunk->used += length;
    return out;
}

/* A name: a copy in lower case. */
static const char *take_name(struct parsing *p, inf_json_value value)
{
    const char *text;
    size_t length;
    if (!inf_json_as_string(value, &text, &length) || length == 0 || length >= INF_PRICE_NAME_MAX ||
        memchr(text, 0, length)) {
        fail(p, "a name is no text of 1 to %d bytes", INF_PRICE_NAME_MAX - 1);
        return NULL;
    }
    if (++p->names > NAMES_MAX) {
        fail(p, "more than %d names", NAMES_MAX);
        return NULL;
    }
    char *out = take(p, length + 1, 1);
    for (size_t i = 0; out && i < length; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    return out;
}

static bool take_names(struct parsing *p, inf_json_value object, const char *key, const char ***out, unsigned *count)
{
    inf_json_value list;
    *count = 0;
    if (!inf_json_get(object, key, &list))
        return true;
    if (inf_json_type(list) != INF_JSON_ARRAY)
        return fail(p, "%s is no list", key);
    *out = take(p, inf_json_size(list) + 1, sizeof **out);
    inf_json_iterator i = inf_json_iterate(list);
    while (*out && inf_json_next(&i)) {
        const char *name = take_name(p, i.value);
        if (!name)
            return false;
        (*out)[(*count)++] = name;
    }
    return *out != NULL;
}

/* Dollars for a million tokens are millionths of a dollar for one: as pico-dollars, times a million. */
static bool money(struct parsing *p, inf_json_value object, const char *key, double scale, int64_t *out)
{
    inf_json_value value;
    double dollars;
    if (!inf_json_get(object, key, &value))
        return true;
    if (!inf_json_as_double(value, &dollars) || !isfinite(dollars) || dollars < 0 || dollars > DEAREST)
        return fail(p, "%s is no price from 0 to %.0f", key, DEAREST);
    *out = llround(dollars * scale);
    return true;
}

static bool read_step(struct parsing *p, inf_json_value object, inf_price_step *step)
{
    static const char *const keys[INF_PRICE_KINDS] = {"in", "cached", "write", "out", "reasoning"};
    for (int i = 0; i < INF_PRICE_KINDS; i++)
        if (!money(p, object, keys[i], 1e6, &step->pico[i]))
            return false;
    return true;
}

static bool read_steps(struct parsing *p, inf_json_value object, inf_price_set *set)
{
    inf_json_value over;
    size_t more = 0;
    if (inf_json_get(object, "over", &over)) {
        if (inf_json_type(over) != INF_JSON_ARRAY || inf_json_size(over) > STEPS_MAX)
            return fail(p, "over is no list of at most %d", STEPS_MAX);
        more = inf_json_size(over);
    }
    set->step = take(p, more + 1, sizeof *set->step);
    if (!set->step)
        return false;
    set->steps = 1;
    set->step[0].above = -1;
    for (int i = 0; i < INF_PRICE_KINDS; i++)
        set->step[0].pico[i] = -1;
    if (!read_step(p, object, &set->step[0]))
        return false;
    if (more == 0)
        return true;
    inf_json_iterator i = inf_json_iterate(over);
    while (inf_json_next(&i)) {
        inf_price_step *step = &set->step[set->steps];
        *step = set->step[set->steps - 1]; /* what a step does not say stays */
        if (!inf_json_get_i64(i.value, "tokens", &step->above) || step->above <= set->step[set->steps - 1].above)
            return fail(p, "over: tokens are no ascending numbers");
        if (!read_step(p, i.value, step))
            return false;
        set->steps++;
    }
    return true;
}

static int minute_of(inf_json_value value)
{
    const char *text;
    size_t n;
    if (!inf_json_as_string(value, &text, &n) || n != 5 || text[2] != ':')
        return -1;
    for (int i = 0; i < 5; i++)
        if (i != 2 && !isdigit((unsigned char)text[i]))
            return -1;
    int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
    return hour < 24 && minute < 60 ? hour * 60 + minute : -1;
}

static bool read_set(struct parsing *p, inf_json_value object, inf_price_set *set)
{
    inf_json_value hours;
    const char *since;
    size_t length;
    char time[32];
    if (inf_json_type(object) != INF_JSON_OBJECT)
        return fail(p, "prices are no objects");
    if (inf_json_get_string(object, "since", &since, &length)) {
        snprintf(time, sizeof time, "%.*sT00:00:00Z", (int)(length < 11 ? length : 11), since);
        if (length != 10 || inf_rfc3339_parse(time, strlen(time), &set->since_ns) != 0)
            return fail(p, "since is no date");
    }
    set->from_minute = set->to_minute = -1;
    if (inf_json_get(object, "hours", &hours)) {
        inf_json_iterator i = inf_json_iterate(hours);
        if (inf_json_size(hours) != 2 || !inf_json_next(&i) || (set->from_minute = minute_of(i.value)) < 0 ||
            !inf_json_next(&i) || (set->to_minute = minute_of(i.value)) < 0)
            return fail(p, "hours are not two times of the day");
    }
    return money(p, object, "call", 1e9, &set->call_nano) && read_steps(p, object, set);
}

static inf_price_model *read_prices(struct parsing *p, inf_json_value object)
{
    inf_json_value list;
    size_t count = 0;
    if (!inf_json_get(object, "prices", &list) || inf_json_type(list) != INF_JSON_ARRAY ||
        (count = inf_json_size(list)) == 0 || count > SETS_MAX) {
        fail(p, "a model's prices are no list of 1 to %d", SETS_MAX);
        return NULL;
    }
    inf_price_model *model = take(p, 1, sizeof *model);
    if (!model || !(model->set = take(p, count, sizeof *model->set)))
        return NULL;
    inf_json_iterator i = inf_json_iterate(list);
    while (inf_json_next(&i))
        if (!read_set(p, i.value, &model->set[model->sets++]))
            return NULL;
    return model;
}

static bool is_pattern(const char *name)
{
    return strpbrk(name, "*#") != NULL;
}

/* The models of a provider: patterns go into its list; exact names wait in `exact` for the table's size. */
static bool read_models(struct parsing *p, inf_json_value object, unsigned provider, inf_price_exact *exact,
                        unsigned *exact_count)
{
    inf_price_provider *at = &p->prices->providers[provider];
    inf_json_value models;
    if (!inf_json_get(object, "models", &models) || inf_json_type(models) != INF_JSON_ARRAY)
        return fail(p, "models is no list");
    size_t names = 0;
    inf_json_value list;
    inf_json_iterator i = inf_json_iterate(models);
    while (inf_json_next(&i))
        names += inf_json_get(i.value, "names", &list) ? inf_json_size(list) : 0;
    at->patterns = take(p, names + 1, sizeof *at->patterns);
    if (!at->patterns)
        return false;
    i = inf_json_iterate(models);
    while (inf_json_next(&i)) {
        const char **all = NULL;
        unsigned count;
        if (!take_names(p, i.value, "names", &all, &count))
            return false;
        if (count == 0)
            return fail(p, "a model has no names");
        inf_price_model *model = read_prices(p, i.value);
        if (!model)
            return false;
        p->prices->models++;
        for (unsigned n = 0; n < count; n++) {
            if (is_pattern(all[n])) {
                unsigned literals = 0;
                for (const char *c = all[n]; *c; c++)
                    literals += *c != '*' && *c != '#';
                at->patterns[at->pattern_count++] = (inf_price_pattern){all[n], literals, model};
            } else {
                exact[(*exact_count)++] = (inf_price_exact){all[n], provider, model};
            }
        }
    }
    return true;
}

static bool read_provider(struct parsing *p, inf_json_value object, unsigned index, inf_price_exact *exact,
                          unsigned *exact_count)
{
    inf_price_provider *at = &p->prices->providers[index];
    inf_json_value id;
    if (!inf_json_get(object, "id", &id))
        return fail(p, "a provider has no id");
    at->id = take_name(p, id);
    p->place = at->id;
    return at->id && take_names(p, object, "names", &at->names, &at->name_count) &&
           take_names(p, object, "models_of_its_own", &at->own, &at->own_count) &&
           take_names(p, object, "also", &at->also, &at->also_count) &&
           read_models(p, object, index, exact, exact_count);
}

uint64_t inf_price_hash(const char *name, unsigned provider)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ provider;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

static bool index_names(struct parsing *p, const inf_price_exact *exact, unsigned count)
{
    inf_prices *prices = p->prices;
    prices->slots = 64;
    while (prices->slots < count * 2)
        prices->slots *= 2;
    prices->exact = take(p, prices->slots, sizeof *prices->exact);
    if (!prices->exact)
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint64_t at = inf_price_hash(exact[i].name, exact[i].provider);
        inf_price_exact *slot;
        while ((slot = &prices->exact[at & (prices->slots - 1)])->name &&
               (slot->provider != exact[i].provider || strcmp(slot->name, exact[i].name) != 0))
            at++;
        if (!slot->name) /* of two models with one name the first counts */
            *slot = exact[i];
    }
    return true;
}

static bool read_all(struct parsing *p, inf_json_value root)
{
    inf_json_value providers;
    int64_t format;
    if (!inf_json_get_i64(root, "format", &format) || format != 1)
        return fail(p, "this is no table of prices of format 1");
    if (!inf_json_get(root, "providers", &providers) || inf_json_type(providers) != INF_JSON_ARRAY ||
        inf_json_size(providers) > INF_PRICE_PROVIDERS_MAX)
        return fail(p, "providers is no list of at most %d", INF_PRICE_PROVIDERS_MAX);
    size_t names = 0;
    inf_json_value list, models;
    inf_json_iterator i = inf_json_iterate(providers);
    while (inf_json_next(&i)) {
        if (!inf_json_get(i.value, "models", &models))
            continue;
        inf_json_iterator m = inf_json_iterate(models);
        while (inf_json_next(&m))
            names += inf_json_get(m.value, "names", &list) ? inf_json_size(list) : 0;
    }
    if (names > NAMES_MAX)
        return fail(p, "more than %d names", NAMES_MAX);
    p->prices->providers = take(p, inf_json_size(providers) + 1, sizeof *p->prices->providers);
    inf_price_exact *exact = inf_os.calloc(names + 1, sizeof *exact);
    if (!p->prices->providers || !exact) {
        inf_os.free(exact);
        p->error = INF_ENOMEM;
        return false;
    }
    unsigned count = 0;
    bool good = true;
    i = inf_json_iterate(providers);
    while (good && inf_json_next(&i))
        good = read_provider(p, i.value, p->prices->provider_count++, exact, &count);
    p->place = NULL;
    good = good && index_names(p, exact, count);
    inf_os.free(exact);
    return good;
}

static void read_source(inf_prices *prices, inf_json_value root)
{
    inf_json_value source;
    const char *text[3];
    static const char *const keys[3] = {"package", "version", "taken"};
    size_t length;
    if (!inf_json_get(root, "source", &source))
        return;
    for (int i = 0; i < 3; i++)
        if (!inf_json_get_string(source, keys[i], &text[i], &length))
            return;
    snprintf(prices->source, sizeof prices->source, "%.60s %.30s, %.30s", text[0], text[1], text[2]);
}

int inf_prices_parse(inf_prices **out, const char *json, size_t length, char *reason, size_t reason_size)
{
    *out = NULL;
    inf_json *parser = inf_json_new();
    inf_prices *prices = inf_os.calloc(1, sizeof *prices);
    struct parsing p = {.prices = prices, .reason = reason, .reason_size = reason_size};
    inf_json_value root;
    if (!parser || !prices) {
        snprintf(reason, reason_size, "out of memory");
        p.error = INF_ENOMEM;
    } else if (length > INF_PRICES_FILE_MAX) {
        fail(&p, "it is larger than %d bytes", INF_PRICES_FILE_MAX);
    } else if (inf_json_parse(parser, json, length, 0, &root) < 0) {
        fail(&p, "%s", inf_json_error(parser));
    } else if (read_all(&p, root)) {
        read_source(prices, root);
    }
    inf_json_free(parser);
    if (!p.error) {
        *out = prices;
        return 0;
    }
    inf_prices_free(prices);
    return p.error;
}

void inf_prices_free(inf_prices *prices)
{
    if (!prices)
        return;
    for (struct inf_price_chunk *chunk = prices->memory; chunk;) {
        struct inf_price_chunk *next = chunk->next;
        inf_os.free(chunk);
        chunk = next;
    }
    inf_os.free(prices);
}

const char *inf_prices_source(const inf_prices *prices)
{
    return prices->source;
}

unsigned inf_prices_models(const inf_prices *prices)
{
    return prices->models;
}

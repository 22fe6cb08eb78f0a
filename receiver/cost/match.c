/* Which model of the table a trace means. A name is tried as it stands, then without what providers put before and
 * behind it: a path, the provider's own name, a version, a date.
 *
 * A provider that the table does not know has no prices, rather than somebody else's: a model that runs on one's own
 * machine costs nothing like the same model behind an API. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cost/table.h"

enum { CUTS_MAX = 4 };

bool inf_price_fits(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
        } else if (*pattern && (*pattern == '#' ? isdigit((unsigned char)*name) != 0 : *pattern == *name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == 0;
}

static const inf_price_model *as_it_stands(const inf_prices *prices, unsigned provider, const char *name)
{
    for (uint64_t at = inf_price_hash(name, provider);; at++) {
        const inf_price_exact *slot = &prices->exact[at & (prices->slots - 1)];
        if (!slot->name)
            break;
        if (slot->provider == provider && strcmp(slot->name, name) == 0)
            return slot->model;
    }
    const inf_price_provider *p = &prices->providers[provider];
    const inf_price_pattern *best = NULL;
    for (unsigned i = 0; i < p->pattern_count; i++)
        if ((!best || p->patterns[i].literals > best->literals) && inf_price_fits(p->patterns[i].text, name))
            best = &p->patterns[i];
    return best ? best->model : NULL;
}

/* Cuts one thing off the end that says which edition of the model it was. */
static bool cut_end(char *name)
{
    static const char *const endings[] = {
        "-####-##-##", "-########", "@########", "-v#:#",   "-v#",     ":#",       "-##-####",
        "-##-##",      "-####",     "-###",      "-latest", "@latest", "@default", "@###",
    };
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]);
        if (length > n && inf_price_fits(endings[i], name + length - n)) {
            name[length - n] = 0;
            return true;
        }
    }
    return false;
}

static const inf_price_model *in_provider(const inf_prices *prices, unsigned provider, const char *name)
{
    char cut[INF_PRICE_NAME_MAX];
    snprintf(cut, sizeof cut, "%s", name);
    const inf_price_model *model = as_it_stands(prices, provider, cut);
    for (int i = 0; !model && i < CUTS_MAX && cut_end(cut); i++)
        model = as_it_stands(prices, provider, cut);
    return model;
}

static int provider_of(const inf_prices *prices, const char *name, size_t length)
{
    for (unsigned i = 0; i < prices->provider_count; i++) {
        const inf_price_provider *p = &prices->providers[i];
        if (strlen(p->id) == length && memcmp(p->id, name, length) == 0)
            return (int)i;
        for (unsigned n = 0; n < p->name_count; n++)
            if (strlen(p->names[n]) == length && memcmp(p->names[n], name, length) == 0)
                return (int)i;
    }
    return -1;
}

/* In the provider, then in those whose prices count there too. */
static const inf_price_model *with_others(const inf_prices *prices, unsigned provider, const char *name)
{
    const inf_price_model *model = in_provider(prices, provider, name);
    const inf_price_provider *p = &prices->providers[provider];
    for (unsigned i = 0; !model && i < p->also_count; i++) {
        int other = provider_of(prices, p->also[i], strlen(p->also[i]));
        if (other >= 0)
            model = in_provider(prices, (unsigned)other, name);
    }
    return model;
}

static const inf_price_model *by_owner(const inf_prices *prices, const char *name)
{
    for (unsigned i = 0; i < prices->provider_count; i++) {
        const inf_price_provider *p = &prices->providers[i];
        for (unsigned n = 0; n < p->own_count; n++)
            if (inf_price_fits(p->own[n], name))
                return in_provider(prices, i, name);
    }
    return NULL;
}

/* "openai/gpt-4o", "bedrock/anthropic.claude-...": the provider stands before the name. */
static const inf_price_model *by_prefix(const inf_prices *prices, const char *name)
{
    size_t n = strcspn(name, "/:");
    int provider = name[n] ? provider_of(prices, name, n) : -1;
    return provider >= 0 ? with_others(prices, (unsigned)provider, name + n + 1) : NULL;
}

/* What stands behind the last slash of "models/...", "projects/.../models/...", "arn:aws:bedrock:.../...". */
static const char *without_path(const char *name)
{
    if (strncmp(name, "models/", 7) != 0 && strncmp(name, "projects/", 9) != 0 &&
        strncmp(name, "publishers/", 11) != 0 && strncmp(name, "arn:", 4) != 0)
        return NULL;
    const char *slash = strrchr(name, '/');
    return slash && slash[1] ? slash + 1 : NULL;
}

static bool says_nothing(const char *provider)
{
    /* What stands for several providers, or for a library that speaks to any of them. */
    static const char *const names[] = {"", "multiple", "unknown", "litellm", "langchain"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(provider, names[i]) == 0)
            return true;
    return false;
}

const inf_price_model *inf_price_find(const inf_prices *prices, const char *provider, const char *model)
{
    const char *bare = without_path(model);
    const char *names[2] = {model, bare};
    bool any = says_nothing(provider);
    int known = any ? -1 : provider_of(prices, provider, strlen(provider));
    if (!any && known < 0)
        return NULL;
    for (int i = 0; i < 2 && names[i]; i++) {
        const inf_price_model *found = known >= 0 ? with_others(prices, (unsigned)known, names[i]) : NULL;
        if (!found)
            found = by_prefix(prices, names[i]);
        if (!found && any)
            found = by_owner(prices, names[i]);
        if (found)
            return found;
    }
    return NULL;
}

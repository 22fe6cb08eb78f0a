/* See query.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/query.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"
#include "infinium.h"

enum { PARAMETERS_MAX = 32, LIST_SIZE = 400, SHOWN_MAX = 60 };

struct reading {
    inf_request *request;
    const inf_query_parameter *parameters;
    size_t count;
    bool given[PARAMETERS_MAX];
};

/* A cut copy of what was given, for the reason. */
static const char *shown(const char *text, size_t length, char out[SHOWN_MAX + 4])
{
    size_t n = length < SHOWN_MAX ? length : inf_utf8_floor(text, length, SHOWN_MAX);
    memcpy(out, text, n);
    snprintf(out + n, 4, "%s", n < length ? "..." : "");
    return out;
}

static bool bad(struct reading *r, const char *name, const char *what)
{
    inf_request_refusef(r->request, MHD_HTTP_BAD_REQUEST, "%s %s", name, what);
    return false;
}

static void unknown(struct reading *r, const char *name, size_t length)
{
    char list[LIST_SIZE] = "";
    char given[SHOWN_MAX + 4];
    size_t n = 0;
    for (size_t i = 0; i < r->count && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", r->parameters[i].name);
    if (memchr(name, 0, length) || !inf_utf8_valid(name, length))
        snprintf(given, sizeof given, "with unreadable characters");
    else
        shown(name, length, given);
    if (r->count == 0)
        inf_request_refusef(r->request, MHD_HTTP_BAD_REQUEST, "there is no parameter '%s': this path takes none",
                            given);
    else
        inf_request_refusef(r->request, MHD_HTTP_BAD_REQUEST, "there is no parameter '%s': this path takes %s", given,
                            list);
}

static bool read_seconds(const char *text, int64_t most, uint64_t *ns)
{
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t unit = 1000000000;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && whole <= (uint64_t)most)
        whole = whole * 10 + (uint64_t)(*at++ - '0');
    bool digits = at != text;
    if (*at == '.') {
        at++;
        digits = digits || (*at >= '0' && *at <= '9');
        for (; *at >= '0' && *at <= '9'; at++) {
            unit /= 10;
            fraction += unit * (uint64_t)(*at - '0'); /* what is finer than a nanosecond counts nothing */
        }
    }
    if (!digits || *at || whole > (uint64_t)most || (whole == (uint64_t)most && fraction > 0))
        return false;
    *ns = whole * 1000000000 + fraction;
    return true;
}

static bool read_integer(const char *text, int64_t least, int64_t most, int64_t *out)
{
    int64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && at - text < 18; at++)
        value = value * 10 + (*at - '0');
    if (at == text || *at || value < least || value > most)
        return false;
    *out = value;
    return true;
}

static int choice(const char *text, const char *choices)
{
    size_t length = strlen(text);
    int place = 0;
    for (const char *at = choices; *at; place++) {
        size_t n = strcspn(at, "|");
        if (n == length && memcmp(at, text, n) == 0)
            return place;
        at += n + (at[n] == '|');
    }
    return -1;
}

static bool refuse_choice(struct reading *r, const inf_query_parameter *p)
{
    char list[LIST_SIZE];
    snprintf(list, sizeof list, "is none of %s", p->choices);
    for (char *at = list; (at = strchr(at, '|'));)
        *at = '/';
    return bad(r, p->name, list);
}

static bool read_value(struct reading *r, const inf_query_parameter *p, const char *text, size_t length)
{
    char range[100];
    int64_t integer;
    switch (p->kind) {
    case INF_QUERY_TEXT:
        snprintf(range, sizeof range, "is longer than %lld characters", (long long)p->most);
        if (inf_utf8_count(text, length) > (size_t)p->most)
            return bad(r, p->name, range);
        *(const char **)p->value = text;
        return true;
    case INF_QUERY_ID:
        ((inf_query_id *)p->value)->given = inf_id_parse(text, length, ((inf_query_id *)p->value)->id) == 0;
        return ((inf_query_id *)p->value)->given || bad(r, p->name, "is no id: 32 hexadecimal digits or a UUID");
    case INF_QUERY_TIME:
        if (inf_rfc3339_parse(text, length, p->value) < 0)
            return bad(r, p->name, "is no RFC 3339 time, like 2026-11-23T02:56:20Z");
        *(uint64_t *)p->value += *(uint64_t *)p->value == 0;
        return true;
    case INF_QUERY_SECONDS:
        snprintf(range, sizeof range, "is no number of seconds from 0 to %lld, like 0.25", (long long)p->most);
        return read_seconds(text, p->most, p->value) || bad(r, p->name, range);
    case INF_QUERY_INT:
        snprintf(range, sizeof range, "is no whole number from %lld to %lld", (long long)p->least, (long long)p->most);
        if (!read_integer(text, p->least, p->most, &integer))
            return bad(r, p->name, range);
        *(int64_t *)p->value = integer;
        return true;
    case INF_QUERY_CHOICE:
        *(int *)p->value = choice(text, p->choices);
        return *(int *)p->value >= 0 || refuse_choice(r, p);
    }
    return false;
}

static enum MHD_Result take(void *context, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value,
                            size_t value_size)
{
    struct reading *r = context;
    (void)kind;
    size_t i = 0;
    while (i < r->count &&
           !(strlen(r->parameters[i].name) == key_size && memcmp(r->parameters[i].name, key, key_size) == 0))
        i++;
    if (i == r->count) {
        unknown(r, key, key_size);
        return MHD_NO;
    }
    const inf_query_parameter *p = &r->parameters[i];
    bool fine = true;
    if (r->given[i])
        fine = bad(r, p->name, "is given twice");
    else if (value_size == 0)
        fine = bad(r, p->name, "is empty: give a value, or leave it out");
    else if (memchr(value, 0, value_size))
        fine = bad(r, p->name, "holds a NUL character");
    else if (!inf_utf8_valid(value, value_size))
        fine = bad(r, p->name, "is no UTF-8 text");
    else
        fine = read_value(r, p, value, value_size);
    r->given[i] = true;
    return fine ? MHD_YES : MHD_NO;
}

bool inf_query_read(inf_request *request, const inf_query_parameter *parameters, size_t count)
{
    struct reading r = {.request = request, .parameters = parameters, .count = count};
    if (count > PARAMETERS_MAX) { /* a table of ours */
        inf_request_refuse(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "this path takes too many parameters");
        return false;
    }
    MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, take, &r);
    return !request->refused;
}

bool inf_query_settle(inf_request *request, inf_query_traces *q)
{
    inf_store_filter *f = &q->filter;
    if (q->agent.given)
        f->agent_id = q->agent.id;
    if (q->parent.given)
        f->parent_id = q->parent.id;
    f->status = q->status;
    f->limit = (int)q->limit;
    if (f->from_ns && f->to_ns && f->from_ns > f->to_ns)
        inf_request_refuse(request, MHD_HTTP_BAD_REQUEST, "from is after to");
    else if (f->max_duration_ns && f->min_duration_ns > f->max_duration_ns)
        inf_request_refuse(request, MHD_HTTP_BAD_REQUEST, "min_duration is above max_duration");
    else
        return inf_access_filter(request, f);
    return false;
}

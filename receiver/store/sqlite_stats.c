/* Sums over time, read from the rollups alone (tally.h).
 *
 * A range is covered by as few buckets as possible: minutes at its edges, then quarters of an hour, three hours, and
 * days in the middle, as far as the wanted interval allows. Percentiles come from the merged sketches of the buckets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/sketch.h"
#include "store/sqlite.h"
#include "store/tally.h"

enum { PIECES_MAX = 2 * INF_ROLLUP_LEVELS, KEYS_MAX = INF_LABELS_MAX + 2, GROUPS_MAX = 1000 };
#define MINUTE_NS UINT64_C(60000000000)
#define LAST_MINUTE (INT64_MAX / 60000000000)

/* Buckets of one width, from start to end, in minutes. */
struct piece {
    int64_t width, start, end;
};

struct sums {
    inf_stats_row stats;
    int64_t key; /* of a group */
    uint8_t agent_id[16];
    uint32_t *counts; /* INF_SKETCH_BUCKETS of them */
};

struct reading {
    inf_store *store;
    const inf_store_filter *filter;
    enum inf_series series;
    int64_t name, model; /* labels; 0: any */
    struct piece pieces[PIECES_MAX];
    int piece_count;
};

static int64_t up(int64_t value, int64_t width)
{
    return (value + width - 1) / width * width;
}

/* [start, end) in buckets: the widest ones in the middle. `widest`: the first level that may be used. */
static void cover(struct reading *r, int64_t start, int64_t end, int level)
{
    if (start >= end)
        return;
    int64_t width = inf_rollup_minutes[level];
    int64_t from = up(start, width);
    int64_t to = end / width * width;
    if (level == INF_ROLLUP_LEVELS - 1) {
        r->pieces[r->piece_count++] = (struct piece){width, start, end};
    } else if (from >= to) {
        cover(r, start, end, level + 1);
    } else {
        cover(r, start, from, level + 1);
        r->pieces[r->piece_count++] = (struct piece){width, from, to};
        cover(r, to, end, level + 1);
    }
}

/* What is asked about: agents, names, models, or more than one of them. */
static enum inf_series series_for(const inf_store_filter *f, enum inf_store_group group)
{
    bool agent = f->agent_id || group == INF_GROUP_AGENT;
    bool name = f->name || group == INF_GROUP_NAME;
    bool model = f->model || group == INF_GROUP_MODEL;
    return agent + name + model > 1 ? INF_SERIES_EACH
           : agent                  ? INF_SERIES_AGENT
           : name                   ? INF_SERIES_NAME
           : model                  ? INF_SERIES_MODEL
                                    : INF_SERIES_ALL;
}

/* 1: go on; 0: nothing can be there; negative. */
static int begin(struct reading *r, inf_store *store, const inf_store_filter *f, uint64_t interval_ns,
                 enum inf_store_group group)
{
    if (f->status >= 0 || f->tag || f->session_id || f->user_id || f->parent_id || f->min_duration_ns ||
        f->max_duration_ns || f->text || interval_ns % MINUTE_NS)
        return INF_EINVAL;
    *r = (struct reading){.store = store, .filter = f, .series = series_for(f, group)};
    r->name = f->name ? inf_label_find(store, f->name) : 0;
    r->model = f->model ? inf_label_find(store, f->model) : 0;
    if (r->name < 0 || r->model < 0)
        return (int)(r->name < 0 ? r->name : r->model);
    if ((f->name && r->name == 0) || (f->model && r->model == 0))
        return 0;
    int64_t interval = (int64_t)(interval_ns / MINUTE_NS);
    int level = 0;
    while (interval && interval % inf_rollup_minutes[level])
        level++;
    int64_t start = (int64_t)(f->from_ns / MINUTE_NS);
    int64_t end = f->to_ns && f->to_ns < INT64_MAX ? (int64_t)((f->to_ns + MINUTE_NS - 1) / MINUTE_NS) : LAST_MINUTE;
    cover(r, start, end, level);
    return 1;
}

/* Calls `each` for every bucket's row of a piece. Columns: bucket, agent, name, model, the sums, longest, sketch. */
static int scan(const struct reading *r, const struct piece *piece, const char *columns,
                int (*each)(void *context, sqlite3_stmt *s), void *context)
{
    const inf_store_filter *f = r->filter;
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT %s FROM rollups WHERE series = ?7 AND width = ?1 AND bucket >= ?2 AND bucket < ?3%s%s%s ORDER BY "
             "bucket",
             columns, f->agent_id ? " AND agent_id = ?4" : "", r->name ? " AND name = ?5" : "",
             r->model ? " AND model = ?6" : "");
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(r->store, &s, sql);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, piece->width);
    sqlite3_bind_int64(s, 2, piece->start);
    sqlite3_bind_int64(s, 3, piece->end);
    if (f->agent_id)
        sqlite3_bind_blob(s, 4, f->agent_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, r->name);
    sqlite3_bind_int64(s, 6, r->model);
    sqlite3_bind_int64(s, 7, r->series);
    int step;
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE)
        rc = step == SQLITE_ROW ? each(context, s) : inf_sqlite_error(r->store, step);
    sqlite3_finalize(s);
    return rc;
}

static const char all_columns[] =
    "bucket, agent_id, name, model, traces, errors, interrupted, llm_calls, prompt_tokens, "
    "completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd, "
    "longest_ns, sketch";

static void add_row(struct sums *sums, sqlite3_stmt *s)
{
    inf_stats_row *t = &sums->stats;
    int64_t *const fields[] = {&t->traces,           &t->errors,
                               &t->interrupted,      &t->llm_calls,
                               &t->prompt_tokens,    &t->completion_tokens,
                               &t->cached_tokens,    &t->cache_write_tokens,
                               &t->reasoning_tokens, &t->cost_nano_usd};
    for (int i = 0; i < 10; i++)
        *fields[i] = inf_add_clipped(*fields[i], sqlite3_column_int64(s, 4 + i));
    uint64_t longest = (uint64_t)sqlite3_column_int64(s, 14);
    if (longest > t->max_ns)
        t->max_ns = longest;
    inf_sketch_read(sqlite3_column_blob(s, 15), (size_t)sqlite3_column_bytes(s, 15), sums->counts);
}

static void finish(struct sums *sums)
{
    inf_stats_row *t = &sums->stats;
    t->p50_ns = inf_sketch_quantile(sums->counts, 0.50);
    t->p95_ns = inf_sketch_quantile(sums->counts, 0.95);
    t->p99_ns = inf_sketch_quantile(sums->counts, 0.99);
    if (t->p99_ns > t->max_ns) /* the middle of its bucket may lie beyond */
        t->p99_ns = t->max_ns;
}

/* ---- over time ---- */

struct over_time {
    struct sums sums;
    int64_t interval; /* minutes; 0: all in one */
    bool open;
    int (*row)(void *context, const inf_stats_row *stats);
    void *context;
};

static int hand_out(struct over_time *o)
{
    if (!o->open)
        return 0;
    finish(&o->sums);
    uint32_t *counts = o->sums.counts;
    int rc = o->sums.stats.traces > 0 ? o->row(o->context, &o->sums.stats) : 0;
    memset(counts, 0, INF_SKETCH_BUCKETS * sizeof *counts);
    o->sums = (struct sums){.counts = counts};
    o->open = false;
    return rc;
}

static int add_to_time(void *context, sqlite3_stmt *s)
{
    struct over_time *o = context;
    int64_t bucket = sqlite3_column_int64(s, 0);
    uint64_t start_ns = (uint64_t)(o->interval ? bucket / o->interval * o->interval : bucket) * MINUTE_NS;
    if (o->open && o->interval && start_ns != o->sums.stats.start_ns) {
        int rc = hand_out(o);
        if (rc != 0)
            return rc;
    }
    if (!o->open)
        o->sums.stats.start_ns = start_ns;
    o->open = true;
    add_row(&o->sums, s);
    return 0;
}

static int stats_over_time(struct reading *r, uint64_t interval_ns, int (*row)(void *, const inf_stats_row *),
                           void *context)
{
    struct over_time o = {.interval = (int64_t)(interval_ns / MINUTE_NS), .row = row, .context = context};
    o.sums.counts = calloc(INF_SKETCH_BUCKETS, sizeof *o.sums.counts);
    if (!o.sums.counts)
        return INF_ENOMEM;
    int rc = 0;
    for (int i = 0; rc == 0 && i < r->piece_count; i++)
        rc = scan(r, &r->pieces[i], all_columns, add_to_time, &o);
    if (rc == 0)
        rc = hand_out(&o);
    free(o.sums.counts);
    return rc;
}

/* ---- by group ---- */

struct groups {
    enum inf_store_group by;
    struct sums *all; /* sorted by key once `known` */
    size_t count, capacity;
    bool known; /* only those that are there count */
};

static void key_of(const struct groups *g, sqlite3_stmt *s, struct sums *out)
{
    const void *agent = sqlite3_column_blob(s, 1);
    *out = (struct sums){0};
    if (g->by == INF_GROUP_AGENT && agent && sqlite3_column_bytes(s, 1) == 16)
        memcpy(out->agent_id, agent, 16);
    else
        out->key = sqlite3_column_int64(s, g->by == INF_GROUP_NAME ? 2 : 3);
}

static int by_key(const void *a, const void *b)
{
    const struct sums *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return memcmp(x->agent_id, y->agent_id, 16);
}

static int most_traces_first(const void *a, const void *b)
{
    const struct sums *x = a, *y = b;
    if (x->stats.traces != y->stats.traces)
        return x->stats.traces > y->stats.traces ? -1 : 1;
    return by_key(a, b);
}

/* First pass: how many traces each key has. Rows of one key stand together only by chance, so the list is merged when
 * it has grown. */
static void merge(struct groups *g)
{
    size_t kept = 0;
    qsort(g->all, g->count, sizeof *g->all, by_key);
    for (size_t i = 0; i < g->count; i++) {
        if (kept > 0 && by_key(&g->all[kept - 1], &g->all[i]) == 0)
            g->all[kept - 1].stats.traces += g->all[i].stats.traces;
        else
            g->all[kept++] = g->all[i];
    }
    g->count = kept;
}

static int count_group(void *context, sqlite3_stmt *s)
{
    struct groups *g = context;
    bool full = g->count == g->capacity;
    if (full && g->count)
        merge(g);
    if (full && g->count >= g->capacity / 2) {
        size_t capacity = g->capacity ? 2 * g->capacity : 256;
        if (capacity > 8 * KEYS_MAX)
            return INF_E2BIG;
        struct sums *grown = realloc(g->all, capacity * sizeof *grown);
        if (!grown)
            return INF_ENOMEM;
        g->all = grown;
        g->capacity = capacity;
    }
    key_of(g, s, &g->all[g->count]);
    g->all[g->count++].stats.traces = sqlite3_column_int64(s, 4);
    return 0;
}

static int add_to_group(void *context, sqlite3_stmt *s)
{
    struct groups *g = context;
    struct sums key;
    key_of(g, s, &key);
    struct sums *found = bsearch(&key, g->all, g->count, sizeof key, by_key);
    if (found)
        add_row(found, s);
    return 0;
}

static const char *label_text(inf_store *store, const struct groups *g, const struct sums *sums, char out[2048])
{
    if (g->by == INF_GROUP_AGENT) {
        inf_id_uuid(sums->agent_id, out);
        return out;
    }
    if (sums->key == INF_LABEL_NONE)
        return NULL;
    snprintf(out, 2048, "(other)");
    sqlite3_stmt *s = sums->key == INF_LABEL_OTHER ? NULL : inf_sqlite_statement(store, INF_STMT_LABEL_TEXT);
    if (!s)
        return out;
    sqlite3_bind_int64(s, 1, sums->key);
    if (sqlite3_step(s) == SQLITE_ROW)
        snprintf(out, 2048, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_reset(s);
    return out;
}

static int stats_by_group(struct reading *r, enum inf_store_group by, int limit,
                          int (*row)(void *, const inf_stats_row *), void *context)
{
    struct groups g = {.by = by};
    int rc = 0;
    for (int i = 0; rc == 0 && i < r->piece_count; i++)
        rc = scan(r, &r->pieces[i], "bucket, agent_id, name, model, traces", count_group, &g);
    if (rc == 0 && g.count) {
        merge(&g);
        qsort(g.all, g.count, sizeof *g.all, most_traces_first);
    }
    size_t wanted = limit > 0 && limit < GROUPS_MAX ? (size_t)limit : GROUPS_MAX;
    if (g.count > wanted)
        g.count = wanted;
    uint32_t *counts = rc == 0 && g.count ? calloc(g.count * INF_SKETCH_BUCKETS, sizeof *counts) : NULL;
    if (rc == 0 && g.count && !counts)
        rc = INF_ENOMEM;
    for (size_t i = 0; rc == 0 && i < g.count; i++) {
        g.all[i].stats.traces = 0;
        g.all[i].counts = counts + i * INF_SKETCH_BUCKETS;
    }
    if (rc == 0 && g.count)
        qsort(g.all, g.count, sizeof *g.all, by_key);
    for (int i = 0; rc == 0 && g.count && i < r->piece_count; i++)
        rc = scan(r, &r->pieces[i], all_columns, add_to_group, &g);
    if (rc == 0 && g.count)
        qsort(g.all, g.count, sizeof *g.all, most_traces_first);
    for (size_t i = 0; rc == 0 && i < g.count; i++) {
        char text[2048];
        finish(&g.all[i]);
        g.all[i].stats.key = label_text(r->store, &g, &g.all[i], text);
        if (g.all[i].stats.traces > 0)
            rc = row(context, &g.all[i].stats);
    }
    free(counts);
    free(g.all);
    return rc;
}

int inf_store_stats(inf_store *store, const inf_store_filter *filter, uint64_t interval_ns, enum inf_store_group group,
                    int limit, int (*row)(void *context, const inf_stats_row *stats), void *context)
{
    struct reading r;
    int rc = begin(&r, store, filter, group == INF_GROUP_NONE ? interval_ns : 0, group);
    if (rc <= 0)
        return rc;
    return group == INF_GROUP_NONE ? stats_over_time(&r, interval_ns, row, context)
                                   : stats_by_group(&r, group, limit, row, context);
}

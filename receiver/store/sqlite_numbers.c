/* Many traces taken together: sessions, sums and percentiles, values. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/sqlite.h"

enum { SQL_SIZE = 4096, DURATIONS_FIRST = 1024 };

static const char chosen[] = " WHERE (?1 IS NULL OR t.agent_id = ?1) AND (?2 IS NULL OR t.name = ?2) AND "
                             "(?3 IS NULL OR t.model = ?3) AND (?4 IS NULL OR t.user_id = ?4) AND "
                             "t.started_ns >= ?5 AND t.started_ns < ?6";

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
}

static void bind_chosen(sqlite3_stmt *s, const inf_store_filter *f)
{
    if (f->agent_id)
        sqlite3_bind_blob(s, 1, f->agent_id, 16, SQLITE_STATIC);
    bind_text(s, 2, f->name);
    bind_text(s, 3, f->model);
    bind_text(s, 4, f->user_id);
    sqlite3_bind_int64(s, 5, f->from_ns > INT64_MAX ? INT64_MAX : (sqlite3_int64)f->from_ns);
    sqlite3_bind_int64(s, 6, f->to_ns == 0 || f->to_ns > INT64_MAX ? INT64_MAX : (sqlite3_int64)f->to_ns);
}

static const char *text(sqlite3_stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s, column);
}

static uint64_t unsigned_of(sqlite3_stmt *s, int column)
{
    sqlite3_int64 value = sqlite3_column_int64(s, column);
    return value < 0 ? 0 : (uint64_t)value;
}

/* ---- sessions ---- */

/* The cursor names the last session by one of its traces. */
static const char sessions_head[] =
    "SELECT t.session_id, max(t.user_id), count(*), sum(t.status = 2), min(t.started_ns), max(t.started_ns) AS last, "
    "sum(t.prompt_tokens), sum(t.completion_tokens), "
    "coalesce(sum(CASE WHEN t.cost_nano_usd >= 0 THEN t.cost_nano_usd END), -1), max(t.seq) FROM traces t";
static const char sessions_tail[] =
    " AND t.session_id IS NOT NULL GROUP BY t.session_id HAVING ?20 IS NULL OR last < ?20 OR (last = ?20 AND "
    "t.session_id < (SELECT session_id FROM traces WHERE seq = ?21)) ORDER BY last DESC, t.session_id DESC LIMIT ?22";

static bool read_cursor(const char *cursor, uint64_t *last_ns, uint64_t *sequence)
{
    char half[17];
    if (strlen(cursor) != 32 || strspn(cursor, "0123456789abcdef") != 32)
        return false;
    snprintf(half, sizeof half, "%.16s", cursor);
    *last_ns = strtoull(half, NULL, 16);
    *sequence = strtoull(cursor + 16, NULL, 16);
    return *last_ns <= INT64_MAX && *sequence <= INT64_MAX;
}

static void read_session(sqlite3_stmt *s, inf_session_row *out)
{
    *out = (inf_session_row){.session_id = text(s, 0),
                             .user_id = text(s, 1),
                             .traces = sqlite3_column_int64(s, 2),
                             .errors = sqlite3_column_int64(s, 3),
                             .first_ns = unsigned_of(s, 4),
                             .last_ns = unsigned_of(s, 5),
                             .prompt_tokens = sqlite3_column_int64(s, 6),
                             .completion_tokens = sqlite3_column_int64(s, 7),
                             .cost_nano_usd = sqlite3_column_int64(s, 8)};
}

int inf_store_sessions(inf_store *store, const inf_store_filter *filter,
                       int (*row)(void *context, const inf_session_row *session), void *context,
                       char next_cursor[INF_STORE_CURSOR_SIZE])
{
    char sql[SQL_SIZE];
    uint64_t last_ns = 0;
    uint64_t sequence = 0;
    sqlite3_stmt *s;
    if (next_cursor)
        next_cursor[0] = 0;
    if (filter->cursor && !read_cursor(filter->cursor, &last_ns, &sequence))
        return INF_EINVAL;
    snprintf(sql, sizeof sql, "%s%s%s", sessions_head, chosen, sessions_tail);
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    int limit = filter->limit > 0 ? filter->limit : 50;
    bind_chosen(s, filter);
    if (filter->cursor) {
        sqlite3_bind_int64(s, 20, (sqlite3_int64)last_ns);
        sqlite3_bind_int64(s, 21, (sqlite3_int64)sequence);
    }
    sqlite3_bind_int(s, 22, limit + 1);
    int step = SQLITE_DONE;
    for (int given = 0; rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW; given++) {
        inf_session_row session;
        if (given == limit) {
            if (next_cursor)
                snprintf(next_cursor, INF_STORE_CURSOR_SIZE, "%016" PRIx64 "%016" PRIx64, last_ns, sequence);
            break;
        }
        read_session(s, &session);
        last_ns = session.last_ns;
        sequence = unsigned_of(s, 9);
        rc = row(context, &session);
    }
    if (rc == 0 && step != SQLITE_DONE && step != SQLITE_ROW)
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

/* ---- sums and percentiles ---- */

struct durations {
    uint64_t *ns; /* ascending */
    size_t count;
    size_t capacity;
};

static int keep(struct durations *d, uint64_t ns)
{
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? d->capacity * 2 : DURATIONS_FIRST;
        uint64_t *grown = realloc(d->ns, capacity * sizeof *grown);
        if (!grown)
            return INF_ENOMEM;
        d->ns = grown;
        d->capacity = capacity;
    }
    d->ns[d->count++] = ns;
    return 0;
}

static uint64_t percentile(const struct durations *d, unsigned percent)
{
    return d->count ? d->ns[(d->count - 1) * percent / 100] : 0;
}

static void finish(inf_stats_row *out, const struct durations *d)
{
    out->p50_ns = percentile(d, 50);
    out->p95_ns = percentile(d, 95);
    out->p99_ns = percentile(d, 99);
    out->max_ns = percentile(d, 100);
}

static void add_row(inf_stats_row *out, sqlite3_stmt *s)
{
    int status = sqlite3_column_int(s, 1);
    sqlite3_int64 cost = sqlite3_column_int64(s, 9);
    out->traces++;
    out->errors += status == INF_STATUS_ERROR;
    out->interrupted += status == INF_STATUS_INTERRUPTED;
    out->llm_calls += sqlite3_column_int64(s, 3);
    out->prompt_tokens += sqlite3_column_int64(s, 4);
    out->completion_tokens += sqlite3_column_int64(s, 5);
    out->cached_tokens += sqlite3_column_int64(s, 6);
    out->cache_write_tokens += sqlite3_column_int64(s, 7);
    out->reasoning_tokens += sqlite3_column_int64(s, 8);
    out->cost_nano_usd += cost > 0 ? cost : 0;
}

struct groups {
    inf_stats_row *rows;
    char (*keys)[2048]; /* of each; "" with `unkeyed` for none */
    bool *unkeyed;
    size_t count;
    size_t capacity;
};

static int new_row(struct groups *g)
{
    if (g->count == g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : 64;
        void *rows = realloc(g->rows, capacity * sizeof *g->rows);
        g->rows = rows ? rows : g->rows;
        void *keys = realloc(g->keys, capacity * sizeof *g->keys);
        g->keys = keys ? keys : g->keys;
        void *unkeyed = realloc(g->unkeyed, capacity * sizeof *g->unkeyed);
        g->unkeyed = unkeyed ? unkeyed : g->unkeyed;
        if (!rows || !keys || !unkeyed)
            return INF_ENOMEM;
        g->capacity = capacity;
    }
    memset(&g->rows[g->count++], 0, sizeof *g->rows);
    return 0;
}

static void name_row(struct groups *g, sqlite3_stmt *s, enum inf_store_group group)
{
    size_t at = g->count - 1;
    const void *blob = group == INF_GROUP_AGENT ? sqlite3_column_blob(s, 0) : NULL;
    g->unkeyed[at] = false;
    if (group == INF_GROUP_NONE) {
        g->rows[at].start_ns = unsigned_of(s, 0);
    } else if (blob && sqlite3_column_bytes(s, 0) == 16) {
        inf_id_uuid(blob, g->keys[at]);
    } else {
        const char *key = text(s, 0);
        g->unkeyed[at] = key == NULL;
        snprintf(g->keys[at], sizeof g->keys[at], "%s", key ? key : "");
    }
}

/* Rows come by key, and of one key by duration. */
static int collect(inf_store *store, sqlite3_stmt *s, enum inf_store_group group, struct groups *g)
{
    struct durations d = {0};
    sqlite3_value *last = NULL;
    int rc = 0;
    int step = SQLITE_DONE;
    while (rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        sqlite3_value *key = sqlite3_column_value(s, 0);
        bool same = last && sqlite3_value_type(last) == sqlite3_value_type(key) &&
                    sqlite3_value_bytes(last) == sqlite3_value_bytes(key) &&
                    (sqlite3_value_bytes(key) == 0 ||
                     memcmp(sqlite3_value_blob(last), sqlite3_value_blob(key), (size_t)sqlite3_value_bytes(key)) == 0);
        if (!same) {
            if (g->count)
                finish(&g->rows[g->count - 1], &d);
            d.count = 0;
            sqlite3_value_free(last);
            last = sqlite3_value_dup(sqlite3_column_value(s, 0));
            rc = last ? new_row(g) : INF_ENOMEM;
            if (rc == 0)
                name_row(g, s, group);
        }
        if (rc == 0)
            add_row(&g->rows[g->count - 1], s);
        if (rc == 0 && sqlite3_column_int(s, 1) != INF_STATUS_RUNNING)
            rc = keep(&d, unsigned_of(s, 2));
    }
    if (g->count)
        finish(&g->rows[g->count - 1], &d);
    if (rc == 0 && step != SQLITE_DONE)
        rc = inf_sqlite_error(store, step);
    sqlite3_value_free(last);
    free(d.ns);
    return rc;
}

static int hand_out(struct groups *g, enum inf_store_group group, int limit,
                    int (*row)(void *context, const inf_stats_row *stats), void *context)
{
    int rc = 0;
    for (size_t i = 0; i < g->count; i++)
        g->rows[i].key = group == INF_GROUP_NONE || g->unkeyed[i] ? NULL : g->keys[i];
    for (int given = 0; rc == 0; given++) {
        size_t best = g->count;
        for (size_t i = 0; i < g->count; i++)
            if (g->rows[i].traces > 0 &&
                (best == g->count || (group != INF_GROUP_NONE && g->rows[i].traces > g->rows[best].traces)))
                best = i;
        if (best == g->count || (group != INF_GROUP_NONE && given == limit))
            break;
        rc = row(context, &g->rows[best]);
        g->rows[best].traces = 0; /* given */
    }
    return rc;
}

int inf_store_stats(inf_store *store, const inf_store_filter *filter, uint64_t interval_ns, enum inf_store_group group,
                    int limit, int (*row)(void *context, const inf_stats_row *stats), void *context)
{
    static const char *const keys[] = {"t.started_ns / ?20 * ?20", "t.name", "t.model", "t.agent_id"};
    char sql[SQL_SIZE];
    sqlite3_stmt *s;
    if (filter->status >= 0 || filter->tag || filter->session_id || filter->user_id || filter->text ||
        filter->parent_id || filter->min_duration_ns || filter->max_duration_ns ||
        (group == INF_GROUP_NONE && (interval_ns == 0 || interval_ns > INT64_MAX)))
        return INF_EINVAL;
    snprintf(sql, sizeof sql,
             "SELECT %s, t.status, t.duration_ns, t.llm_calls, t.prompt_tokens, t.completion_tokens, t.cached_tokens, "
             "t.cache_write_tokens, t.reasoning_tokens, t.cost_nano_usd FROM traces t%s ORDER BY 1, 3",
             keys[group], chosen);
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    bind_chosen(s, filter);
    if (group == INF_GROUP_NONE)
        sqlite3_bind_int64(s, 20, (sqlite3_int64)interval_ns);
    struct groups g = {0};
    rc = collect(store, s, group, &g);
    sqlite3_finalize(s);
    if (rc == 0)
        rc = hand_out(&g, group, limit, row, context);
    free(g.rows);
    free(g.keys);
    free(g.unkeyed);
    return rc;
}

/* ---- values ---- */

int inf_store_values(inf_store *store, enum inf_store_field field, const char *prefix, const uint8_t *agent_id,
                     int limit, int (*row)(void *context, const char *value, int64_t traces), void *context)
{
    static const char *const columns[] = {"t.name", "t.model", "each.value", "t.session_id", "t.user_id"};
    char sql[SQL_SIZE];
    sqlite3_stmt *s;
    snprintf(sql, sizeof sql,
             "SELECT %s AS v, count(*) FROM traces t%s WHERE v IS NOT NULL AND (?1 IS NULL OR t.agent_id = ?1) AND "
             "substr(v, 1, length(?2)) = ?2 GROUP BY v ORDER BY 2 DESC, v LIMIT ?3",
             columns[field], field == INF_FIELD_TAG ? ", json_each(t.tags) each" : "");
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    if (agent_id)
        sqlite3_bind_blob(s, 1, agent_id, 16, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, prefix ? prefix : "", -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 3, limit > 0 ? limit : 50);
    int step = SQLITE_DONE;
    while (rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        rc = row(context, text(s, 0), sqlite3_column_int64(s, 1));
    if (rc == 0 && step != SQLITE_DONE)
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

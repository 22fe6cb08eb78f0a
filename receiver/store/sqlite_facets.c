/* Sessions, and the values that a filter can have: both from tables of their own (tally.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite.h"

enum { LOOKED_AT = 5000 }; /* values of a prefix that are weighed against each other */

static int read_cursor(const char *cursor, int64_t *last_ns, int64_t *row)
{
    int end = 0;
    if (!cursor || !*cursor)
        return 0;
    uint64_t a, b;
    if (strlen(cursor) != 32 || strspn(cursor, "0123456789abcdef") != 32 ||
        sscanf(cursor, "%16" SCNx64 "%16" SCNx64 "%n", &a, &b, &end) != 2 || end != 32 || a > INT64_MAX ||
        b > INT64_MAX)
        return INF_EINVAL;
    *last_ns = (int64_t)a;
    *row = (int64_t)b;
    return 1;
}

static void read_session(sqlite3_stmt *s, inf_session_row *out)
{
    *out = (inf_session_row){.session_id = (const char *)sqlite3_column_text(s, 1),
                             .user_id = (const char *)sqlite3_column_text(s, 3),
                             .traces = sqlite3_column_int64(s, 4),
                             .errors = sqlite3_column_int64(s, 5),
                             .prompt_tokens = sqlite3_column_int64(s, 6),
                             .completion_tokens = sqlite3_column_int64(s, 7),
                             .cost_nano_usd = sqlite3_column_int64(s, 8),
                             .first_ns = (uint64_t)sqlite3_column_int64(s, 9),
                             .last_ns = (uint64_t)sqlite3_column_int64(s, 10)};
    if (out->cost_nano_usd <= 0)
        out->cost_nano_usd = -1;
    if (sqlite3_column_bytes(s, 2) == 16)
        memcpy(out->agent_id, sqlite3_column_blob(s, 2), 16);
}

int inf_store_sessions(inf_store *store, const inf_store_filter *f,
                       int (*row)(void *context, const inf_session_row *session), void *context,
                       char next_cursor[INF_STORE_CURSOR_SIZE])
{
    int64_t last_ns = 0, last_row = 0;
    if (next_cursor)
        next_cursor[0] = 0;
    int paged = read_cursor(f->cursor, &last_ns, &last_row);
    if (paged < 0 || f->name || f->status >= 0 || f->model || f->tag || f->parent_id || f->min_duration_ns ||
        f->max_duration_ns || f->text)
        return INF_EINVAL;
    char sql[700];
    snprintf(
        sql, sizeof sql,
        "SELECT rowid, session_id, agent_id, user_id, traces, errors, prompt_tokens, completion_tokens, cost_nano_usd, "
        "first_ns, last_ns FROM sessions WHERE 1%s%s%s%s%s%s ORDER BY last_ns DESC, rowid DESC LIMIT ?8",
        f->session_id ? " AND session_id = ?1" : "", f->agent_id ? " AND agent_id = ?2" : "",
        f->user_id ? " AND user_id = ?3" : "", f->from_ns ? " AND last_ns >= ?4" : "",
        f->to_ns ? " AND last_ns < ?5" : "", paged ? " AND (last_ns, rowid) < (?6, ?7)" : "");
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    int limit = f->limit > 0 ? f->limit : 50;
    if (f->session_id)
        sqlite3_bind_text(s, 1, f->session_id, -1, SQLITE_STATIC);
    if (f->agent_id)
        sqlite3_bind_blob(s, 2, f->agent_id, 16, SQLITE_STATIC);
    if (f->user_id)
        sqlite3_bind_text(s, 3, f->user_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)(f->from_ns > INT64_MAX ? INT64_MAX : f->from_ns));
    sqlite3_bind_int64(s, 5, (sqlite3_int64)(f->to_ns > INT64_MAX ? INT64_MAX : f->to_ns));
    sqlite3_bind_int64(s, 6, last_ns);
    sqlite3_bind_int64(s, 7, last_row);
    sqlite3_bind_int64(s, 8, (sqlite3_int64)limit + 1);
    int step = SQLITE_DONE;
    for (int given = 0; rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW; given++) {
        inf_session_row session;
        if (given == limit) {
            if (next_cursor)
                snprintf(next_cursor, INF_STORE_CURSOR_SIZE, "%016" PRIx64 "%016" PRIx64, (uint64_t)last_ns,
                         (uint64_t)last_row);
            break;
        }
        read_session(s, &session);
        last_ns = (int64_t)session.last_ns;
        last_row = sqlite3_column_int64(s, 0);
        rc = row(context, &session);
    }
    if (rc == 0 && step != SQLITE_DONE && step != SQLITE_ROW)
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

int inf_store_values(inf_store *store, enum inf_store_field field, const char *prefix, const uint8_t *agent_id,
                     int limit, int (*row)(void *context, const char *value, int64_t traces), void *context)
{
    bool sessions = field == INF_FIELD_SESSION;
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT value, sum(traces) FROM (SELECT %s AS value, traces FROM %s WHERE %s%s AND %s < ?3%s "
             "ORDER BY 1 LIMIT ?5) GROUP BY value ORDER BY 2 DESC, 1 LIMIT ?6",
             sessions ? "session_id" : "value", sessions ? "sessions" : "facets", sessions ? "" : "field = ?1 AND ",
             sessions ? "session_id >= ?2" : "value >= ?2", sessions ? "session_id" : "value",
             agent_id ? " AND agent_id = ?4" : "");
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    char end[1100]; /* past everything that begins with the prefix */
    const char *from = prefix ? prefix : "";
    snprintf(end, sizeof end, "%.1024s\xf4\x8f\xbf\xbf", from);
    sqlite3_bind_int(s, 1, (int)field);
    sqlite3_bind_text(s, 2, from, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, end, -1, SQLITE_STATIC);
    if (agent_id)
        sqlite3_bind_blob(s, 4, agent_id, 16, SQLITE_STATIC);
    sqlite3_bind_int(s, 5, LOOKED_AT);
    sqlite3_bind_int(s, 6, limit > 0 ? limit : 50);
    int step = SQLITE_DONE;
    while (rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        rc = row(context, (const char *)sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1));
    if (rc == 0 && step != SQLITE_DONE)
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

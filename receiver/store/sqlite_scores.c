/* Scores in SQLite. The side of an administrator is an agent's id of zeros. */
#include <string.h>

#include "store/scores.h"
#include "store/sqlite.h"

static const uint8_t nobody[16];

static int prepare(inf_store *store, sqlite3_stmt **s, const char *sql, const uint8_t trace_id[16],
                   const uint8_t *agent_id)
{
    int rc = inf_sqlite_prepare(store, s, sql);
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(*s, 1, trace_id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(*s, 2, agent_id ? agent_id : nobody, 16, SQLITE_STATIC);
    return 0;
}

/* How many other names this side has given to the trace. */
static int others(inf_store *store, const uint8_t trace_id[16], const uint8_t *agent_id, const char *name, int *count)
{
    sqlite3_stmt *s;
    int rc = prepare(store, &s, "SELECT count(*) FROM scores WHERE trace_id = ?1 AND agent_id = ?2 AND name <> ?3",
                     trace_id, agent_id);
    if (rc < 0)
        return rc;
    sqlite3_bind_text(s, 3, name, -1, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *count = sqlite3_column_int(s, 0);
    else
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

int inf_store_score_set(inf_store *store, const uint8_t trace_id[16], const uint8_t *agent_id,
                        const inf_trace_score *score)
{
    sqlite3_stmt *s;
    int count = 0;
    int rc = others(store, trace_id, agent_id, score->name, &count);
    if (rc == 0 && count >= INF_SCORES_MAX)
        return INF_EFULL;
    if (rc == 0)
        rc = prepare(store, &s,
                     "INSERT INTO scores(trace_id, agent_id, name, value, removed, comment, created_ns) VALUES(?1, ?2, "
                     "?3, ?4, ?5, ?6, ?7) ON CONFLICT(trace_id, agent_id, name) DO UPDATE SET value = excluded.value, "
                     "removed = excluded.removed, comment = excluded.comment, created_ns = excluded.created_ns",
                     trace_id, agent_id);
    if (rc < 0)
        return rc;
    sqlite3_bind_text(s, 3, score->name, -1, SQLITE_STATIC);
    sqlite3_bind_double(s, 4, score->value);
    sqlite3_bind_int(s, 5, score->removed);
    if (score->comment)
        sqlite3_bind_text(s, 6, score->comment, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 7, (sqlite3_int64)score->created_ns);
    rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    return rc;
}

int inf_store_scores_begin(inf_store *store)
{
    return inf_sqlite_run(store, INF_STMT_BEGIN);
}

int inf_store_scores_end(inf_store *store, int rc)
{
    return inf_sqlite_end(store, rc);
}

int inf_store_scores(inf_store *store, const uint8_t trace_id[16], const uint8_t agent_id[16],
                     int (*row)(void *context, const inf_trace_score *score), void *context)
{
    sqlite3_stmt *s;
    int step;
    int rc = prepare(store, &s,
                     "SELECT name, value, removed, comment, created_ns, agent_id = ?2 FROM scores WHERE trace_id = ?1 "
                     "AND agent_id IN (?2, zeroblob(16)) ORDER BY created_ns, rowid",
                     trace_id, agent_id);
    if (rc < 0)
        return rc;
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = inf_sqlite_error(store, step);
            break;
        }
        inf_trace_score score = {.name = (const char *)sqlite3_column_text(s, 0),
                                 .value = sqlite3_column_double(s, 1),
                                 .removed = sqlite3_column_int(s, 2) != 0,
                                 .comment = (const char *)sqlite3_column_text(s, 3),
                                 .created_ns = (uint64_t)sqlite3_column_int64(s, 4),
                                 .by_agent = sqlite3_column_int(s, 5) != 0};
        rc = score.name ? row(context, &score) : INF_ENOMEM;
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_scores_sweep(inf_store *store, uint64_t before_ns, int limit, int64_t *place)
{
    sqlite3_stmt *s;
    int64_t last = 0;
    int rc =
        inf_sqlite_prepare(store, &s,
                           "SELECT max(rowid) FROM (SELECT rowid FROM scores WHERE rowid > ?1 ORDER BY rowid LIMIT "
                           "?2)");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, *place);
    sqlite3_bind_int(s, 2, limit);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        last = sqlite3_column_int64(s, 0);
    else
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    if (rc == 0 && last == 0)
        *place = 0;
    if (rc < 0 || last == 0)
        return rc;
    rc = inf_sqlite_prepare(store, &s,
                            "DELETE FROM scores WHERE rowid > ?1 AND rowid <= ?2 AND created_ns < ?3 AND NOT EXISTS "
                            "(SELECT 1 FROM traces WHERE traces.id = scores.trace_id)");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, *place);
    sqlite3_bind_int64(s, 2, last);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)before_ns);
    rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    if (rc == 0)
        *place = last;
    return rc < 0 ? rc : sqlite3_changes(store->db);
}

/* What doctor asks: are the pages whole, does everything have its other half, and do the sums and the index of words
 * say what the traces say? Everything but the words is looked at in full; of the words a sample is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"
#include "store/sqlite_query.h"

enum { PROBLEMS_MAX = 50, SAMPLE = 500, STEP_OPCODES = 1000000 /* of SQLite, between two calls of the progress */ };

struct check {
    inf_store *store;
    inf_check_calls calls;
    bool repair;
    int found;
    int stop; /* what the progress returned */
};

static int found(struct check *c, const char *text)
{
    c->found++;
    return c->calls.say ? c->calls.say(c->calls.context, text) : 0;
}

static int on_progress(void *context)
{
    struct check *c = context;
    if (c->calls.progress)
        c->stop = c->calls.progress(c->calls.context);
    return c->stop != 0;
}

static int one_number(struct check *c, const char *sql, int64_t *out)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(c->store, &s, sql);
    if (rc < 0)
        return rc;
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    else
        rc = inf_sqlite_error(c->store, sqlite3_errcode(c->store->db));
    sqlite3_finalize(s);
    return rc;
}

static int check_pages(struct check *c)
{
    sqlite3_stmt *s;
    int step;
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA quick_check(%d)", PROBLEMS_MAX);
    int rc = inf_sqlite_prepare(c->store, &s, sql);
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        const char *text = step == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
        if (step != SQLITE_ROW)
            rc = inf_sqlite_error(c->store, step);
        else if (text && strcmp(text, "ok") != 0)
            rc = found(c, text);
    }
    sqlite3_finalize(s);
    return rc;
}

static int check_count(struct check *c, const char *sql, const char *what)
{
    int64_t count = 0;
    char text[200];
    int rc = one_number(c, sql, &count);
    if (rc < 0 || count == 0)
        return rc;
    snprintf(text, sizeof text, "%lld %s", (long long)count, what);
    return found(c, text);
}

static int check_halves(struct check *c)
{
    int rc =
        check_count(c, "SELECT count(*) FROM traces WHERE seq NOT IN (SELECT seq FROM bodies)", "traces have no body");
    if (rc == 0)
        rc = check_count(c, "SELECT count(*) FROM bodies WHERE seq NOT IN (SELECT seq FROM traces)",
                         "bodies have no trace");
    if (rc == 0)
        rc = check_count(c,
                         "SELECT count(*) FROM bodies WHERE encoding > 1 AND encoding - 1 NOT IN (SELECT id FROM "
                         "dictionaries)",
                         "bodies need a dictionary that is not there");
    return rc;
}

/* ---- sums ---- */

/* What was stored before there were sums is in none of them. */
#define COUNTED "seq > coalesce((SELECT value FROM meta WHERE key = 'uncounted'), 0) "
#define FACET(field, column)                                                                                           \
    "SELECT " field ", " column ", agent_id, count(*) FROM traces WHERE " COUNTED "AND " column                        \
    " IS NOT NULL AND length(CAST(" column " AS BLOB)) <= 1007 GROUP BY 2, 3 "
/* JSON in SQLite ends a text at a NUL, so tags that may hold one are taken from their own table. */
#define TAGS                                                                                                           \
    "SELECT 2, tag, agent_id, count(*) FROM (SELECT j.value AS tag, t.agent_id FROM traces t, json_each(t.tags) j "    \
    "WHERE t." COUNTED "AND t.tags IS NOT NULL AND instr(t.tags, '\\u0000') = 0 AND j.type = 'text' UNION ALL SELECT " \
    "g.tag, t.agent_id FROM tags g CROSS JOIN traces t ON t.seq = g.seq WHERE t." COUNTED                              \
    "AND instr(t.tags, '\\u0000') > 0) WHERE length(CAST(tag AS BLOB)) <= 1007 GROUP BY 2, 3 "
/* The fields by their numbers (enum inf_store_field). */
#define FACETS                                                                                                         \
    FACET("0", "name")                                                                                                 \
    "UNION ALL " FACET("1", "model") "UNION ALL " FACET("4", "user_id") "UNION ALL " TAGS
#define SESSIONS                                                                                                       \
    "SELECT session_id, agent_id, count(*), sum(status = 2), sum(prompt_tokens), sum(completion_tokens), "             \
    "sum(max(cost_nano_usd, 0)), min(started_ns), max(started_ns) FROM traces WHERE " COUNTED                          \
    "AND session_id IS NOT NULL AND length(CAST(session_id AS BLOB)) <= 1008 GROUP BY 1, 2 "

_Static_assert(INF_FIELD_NAME == 0 && INF_FIELD_MODEL == 1 && INF_FIELD_TAG == 2 && INF_FIELD_USER == 4, "as above");
_Static_assert(INF_STATUS_ERROR == 2, "as above");

static int recount(struct check *c, const char *sql)
{
    int rc = inf_sqlite_run(c->store, INF_STMT_BEGIN);
    if (rc < 0)
        return rc;
    int code = sqlite3_exec(c->store->db, sql, NULL, NULL, NULL);
    return inf_sqlite_end(c->store, code == SQLITE_OK ? 0 : inf_sqlite_error(c->store, code));
}

static int check_sums(struct check *c, const char *difference, const char *what, const char *repair)
{
    int64_t count = 0;
    char text[200];
    int rc = one_number(c, difference, &count);
    if (rc < 0 || count == 0)
        return rc;
    if (!c->repair || !repair) {
        snprintf(text, sizeof text, "%lld %s", (long long)count, what);
        if (!repair || !c->calls.miscounted)
            return found(c, text);
        c->found++;
        return c->calls.miscounted(c->calls.context, text);
    }
    rc = recount(c, repair);
    snprintf(text, sizeof text, "%lld %s: counted anew", (long long)count, what);
    return rc < 0 ? rc : c->calls.repaired ? c->calls.repaired(c->calls.context, text) : 0;
}

static int check_all_sums(struct check *c)
{
    static const char facets[] =
        "WITH a AS (" FACETS "), b AS (SELECT field, value, agent_id, traces FROM facets) SELECT count(*) FROM ("
        "SELECT * FROM (SELECT * FROM a EXCEPT SELECT * FROM b) UNION ALL SELECT * FROM (SELECT * FROM b EXCEPT SELECT "
        "* FROM a))";
    static const char facets_anew[] = "DELETE FROM facets; INSERT INTO facets " FACETS;
    static const char sessions[] =
        "WITH a AS (SELECT session_id, agent_id, n, e, p, c FROM (SELECT session_id, agent_id, count(*) n, "
        "sum(status = 2) e, sum(prompt_tokens) p, sum(completion_tokens) c FROM traces WHERE " COUNTED
        "AND session_id IS NOT NULL AND length(CAST(session_id AS BLOB)) <= 1008 GROUP BY 1, 2)), "
        "b AS (SELECT session_id, agent_id, traces, errors, prompt_tokens, completion_tokens FROM sessions) "
        "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM a EXCEPT SELECT * FROM b) UNION ALL SELECT * FROM (SELECT "
        "* FROM b EXCEPT SELECT * FROM a))";
    static const char sessions_anew[] =
        "CREATE TEMP TABLE users AS SELECT session_id, agent_id, user_id, max(started_ns) FROM traces WHERE " COUNTED
        "AND session_id IS NOT NULL AND user_id IS NOT NULL GROUP BY 1, 2; DELETE FROM sessions;"
        "INSERT INTO sessions(session_id, agent_id, traces, errors, prompt_tokens, completion_tokens, cost_nano_usd, "
        "first_ns, last_ns) " SESSIONS ";"
        "UPDATE sessions SET user_id = u.user_id FROM temp.users u WHERE u.session_id = sessions.session_id AND "
        "u.agent_id = sessions.agent_id; DROP TABLE temp.users;";
    /* What retention has deleted stays in the rollups: they may have more than there is, never less; and all series of
     * a width have as many. */
    static const char days[] =
        "SELECT count(*) FROM (SELECT started_ns / 60000000000 / 1440 * 1440 AS day, count(*) AS n FROM traces WHERE "
        "status <> 0 AND " COUNTED "GROUP BY 1) t LEFT JOIN rollups r ON r.series = 0 AND r.width = 1440 AND "
        "r.bucket = t.day WHERE t.n > coalesce(r.traces, 0)";
    static const char series[] =
        "SELECT count(*) FROM (SELECT 1 FROM (SELECT series, width, bucket, sum(traces) AS n FROM rollups WHERE width "
        "= 1440 GROUP BY 1, 2, 3) GROUP BY width, bucket HAVING min(n) <> max(n) OR count(*) <> 5)";
    int rc = check_sums(c, facets, "values of names, models, tags or users are not counted right", facets_anew);
    if (rc == 0)
        rc = check_sums(c, sessions, "sessions are not summed right", sessions_anew);
    if (rc == 0)
        rc = check_sums(c, days, "days have more traces than their sums say", NULL);
    if (rc == 0)
        rc = check_sums(c, series, "days have sums that contradict each other", NULL);
    return rc;
}

/* ---- words ---- */

/* 1 when the index has the words of the trace's name, which is in its text, for it. */
static int is_indexed(struct check *c, uint64_t sequence, const inf_summary *m)
{
    char match[4096];
    size_t used = 0;
    inf_search_query *query = calloc(1, sizeof *query);
    sqlite3_stmt *s = NULL;
    int rc = query ? inf_query_parse(c->store, m->name, query) : INF_ENOMEM;
    for (int i = 0; rc == 0 && i < query->count && used + (size_t)query->words[i].length + 10 < sizeof match; i++)
        used += (size_t)snprintf(match + used, sizeof match - used, "%s\"%.*s\"", used ? " AND " : "",
                                 query->words[i].length, query->words[i].text);
    if (rc == 0 && used > 0)
        rc = inf_sqlite_prepare(c->store, &s, "SELECT 1 FROM words WHERE words MATCH ?1 AND rowid = ?2");
    if (s) {
        sqlite3_bind_text(s, 1, match, (int)used, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)sequence);
        int step = sqlite3_step(s);
        rc = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : inf_sqlite_error(c->store, step);
    } else if (rc == 0) {
        rc = 1; /* a name without a word */
    }
    sqlite3_finalize(s);
    free(query);
    return rc;
}

/* Traces at equal distances, from the oldest that has words to the newest. */
static int check_words(struct check *c)
{
    int64_t first = 0, last = 0;
    int missing = 0, looked = 0;
    int rc = one_number(c, "SELECT min(seq) FROM traces WHERE " COUNTED, &first);
    if (rc == 0)
        rc = one_number(c, "SELECT max(seq) FROM traces", &last);
    int64_t distance = (last - first) / SAMPLE + 1;
    for (int64_t seq = first; rc == 0 && seq > 0 && seq <= last; seq += distance) {
        inf_summary m;
        rc = inf_sqlite_row_get(c->store, (uint64_t)seq, &m);
        if (rc == INF_ENOTFOUND || (rc == 0 && m.status == INF_STATUS_RUNNING)) {
            rc = 0;
            continue;
        }
        int there = rc == 0 ? is_indexed(c, (uint64_t)seq, &m) : rc;
        rc = there < 0 ? there : 0;
        missing += there == 0;
        looked++;
    }
    char text[160];
    snprintf(text, sizeof text, "%d of %d traces that were looked at are not in the index of words", missing, looked);
    return rc < 0 || missing == 0 ? rc : found(c, text);
}

int inf_store_check(inf_store *store, const inf_check_calls *calls, bool repair)
{
    struct check c = {.store = store, .repair = repair && !store->read_only};
    if (calls)
        c.calls = *calls;
    sqlite3_progress_handler(store->db, STEP_OPCODES, on_progress, &c);
    int rc = check_pages(&c);
    if (rc == 0)
        rc = check_halves(&c);
    if (rc == 0 && c.found == 0)
        rc = check_all_sums(&c); /* of damaged traces they say nothing */
    if (rc == 0 && c.found == 0)
        rc = check_words(&c);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    if (c.stop != 0)
        return c.stop;
    if (rc == INF_EBADMSG) {
        int said = found(&c, store->message);
        rc = said < 0 ? said : 0;
    }
    return rc < 0 ? rc : c.found;
}

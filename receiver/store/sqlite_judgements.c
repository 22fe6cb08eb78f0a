/* Judgements in SQLite: one row a trace, which waits (state 0) before it is judged or failed, so that the queue is as
 * durable as what comes out of it. */
#include <stdlib.h>
#include <string.h>

#include "store/judgements.h"
#include "store/sqlite.h"

enum { DAYS_KEPT = 400 };

const char *inf_verdict_name(enum inf_verdict verdict)
{
    static const char *const names[] = {"pass", "fail", "unsure"};
    return names[verdict];
}

const char *inf_judgement_state_name(enum inf_judgement_state state)
{
    static const char *const names[] = {"waiting", "judged", "failed"};
    return names[state];
}

/* Steps a statement that gives one number, and ends it. */
static int take_number(inf_store *store, sqlite3_stmt *s, int64_t *out)
{
    int step = sqlite3_step(s);
    int rc = 0;
    if (step == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    else
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

static int finish(inf_store *store, sqlite3_stmt *s)
{
    int rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    return rc;
}

static void bind_wish(sqlite3_stmt *s, const uint8_t trace_id[16], uint64_t revision)
{
    sqlite3_bind_blob(s, 1, trace_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)revision);
}

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
}

/* ---- who waits ---- */

int inf_store_judge_place(inf_store *store, uint64_t *sequence)
{
    sqlite3_stmt *s;
    int64_t value = 0;
    int rc = inf_sqlite_prepare(store, &s, "SELECT value FROM meta WHERE key = 'judge'");
    if (rc == 0)
        rc = take_number(store, s, &value);
    *sequence = (uint64_t)value;
    return rc;
}

int64_t inf_store_judge_waiting(inf_store *store)
{
    sqlite3_stmt *s;
    int64_t count = 0;
    int rc =
        inf_sqlite_prepare(store, &s, "SELECT count(*) FROM judgements INDEXED BY judgements_waiting WHERE state = 0");
    if (rc == 0)
        rc = take_number(store, s, &count);
    return rc < 0 ? rc : count;
}

static int set_place(inf_store *store, uint64_t sequence)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "INSERT OR REPLACE INTO meta(key, value) VALUES('judge', ?1)");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    return finish(store, s);
}

/* Of two forms of a trace the later one counts. */
static int add(inf_store *store, const inf_judge_wish *wishes, size_t count, int64_t room, int64_t *full)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(
        store, &s,
        "INSERT INTO judgements(trace_id, revision, state, attempts, not_before_ns) SELECT id, seq, 0, 0, 0 FROM "
        "traces "
        "WHERE seq = ?2 AND id = ?1 ON CONFLICT(trace_id) DO UPDATE SET revision = excluded.revision, state = 0, "
        "attempts = 0, not_before_ns = 0, verdict = NULL, score = NULL, reason = NULL, error = NULL, model = NULL, "
        "judged_ns = NULL, prompt_tokens = NULL, completion_tokens = NULL, cost_nano_usd = NULL, latency_ns = NULL "
        "WHERE excluded.revision > judgements.revision");
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (room <= 0) {
            ++*full;
            continue;
        }
        bind_wish(s, wishes[i].trace_id, wishes[i].revision);
        rc = inf_sqlite_finish(store, s);
        room -= rc == 0 ? sqlite3_changes(store->db) : 0;
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_judge_enqueue(inf_store *store, const inf_judge_wish *wishes, size_t count, int64_t bound,
                            uint64_t sequence, int64_t *full)
{
    *full = 0;
    int rc = inf_sqlite_run(store, INF_STMT_BEGIN);
    if (rc < 0)
        return rc;
    int64_t waiting = count > 0 ? inf_store_judge_waiting(store) : 0;
    rc = waiting < 0 ? (int)waiting : 0;
    if (rc == 0 && count > 0)
        rc = add(store, wishes, count, bound - waiting, full);
    if (rc == 0)
        rc = set_place(store, sequence);
    return inf_sqlite_end(store, rc);
}

int inf_store_judge_next(inf_store *store, uint64_t now_ns, bool rested, int limit,
                         int (*row)(void *context, const inf_judge_wish *wish, int64_t attempts), void *context)
{
    sqlite3_stmt *s;
    int step;
    /* In the order of the index, so that a long queue is not sorted for each call of the API. */
#define NEXT(order)                                                                                                    \
    "SELECT trace_id, revision, attempts FROM judgements INDEXED BY judgements_waiting WHERE state = 0 AND "           \
    "not_before_ns <= ?1 ORDER BY " order " LIMIT ?2"
    int rc = inf_sqlite_prepare(store, &s, rested ? NEXT("attempts, revision") : NEXT("revision"));
#undef NEXT
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)now_ns);
    sqlite3_bind_int(s, 2, limit);
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        inf_judge_wish wish = {.revision = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 1) : 0};
        const void *id = step == SQLITE_ROW ? sqlite3_column_blob(s, 0) : NULL;
        if (step != SQLITE_ROW) {
            rc = inf_sqlite_error(store, step);
        } else if (id && sqlite3_column_bytes(s, 0) == 16) {
            memcpy(wish.trace_id, id, 16);
            rc = row(context, &wish, sqlite3_column_int64(s, 2));
        }
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_judge_postpone(inf_store *store, const inf_judge_wish *wish, int64_t attempts, uint64_t not_before_ns)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "UPDATE judgements SET attempts = ?3, not_before_ns = ?4 WHERE trace_id = ?1 AND "
                                "revision = ?2 AND state = 0");
    if (rc < 0)
        return rc;
    bind_wish(s, wish->trace_id, wish->revision);
    sqlite3_bind_int64(s, 3, attempts);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)not_before_ns);
    return finish(store, s);
}

int inf_store_judge_drop(inf_store *store, const inf_judge_wish *wish)
{
    sqlite3_stmt *s;
    int rc =
        inf_sqlite_prepare(store, &s, "DELETE FROM judgements WHERE trace_id = ?1 AND revision = ?2 AND state = 0");
    if (rc < 0)
        return rc;
    bind_wish(s, wish->trace_id, wish->revision);
    return finish(store, s);
}

/* ---- what came out ---- */

static void bind_known(sqlite3_stmt *s, int index, int64_t value)
{
    if (value >= 0)
        sqlite3_bind_int64(s, index, value);
}

int inf_store_judge_record(inf_store *store, const inf_judgement *j)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "UPDATE judgements SET state = ?3, verdict = ?4, score = ?5, reason = ?6, error = ?7, "
                                "model = ?8, judged_ns = ?9, prompt_tokens = ?10, completion_tokens = ?11, "
                                "cost_nano_usd = ?12, latency_ns = ?13 WHERE trace_id = ?1 AND revision = ?2 AND "
                                "state = 0");
    if (rc < 0)
        return rc;
    bind_wish(s, j->trace_id, j->revision);
    sqlite3_bind_int(s, 3, j->state);
    if (j->state == INF_JUDGEMENT_JUDGED) {
        sqlite3_bind_int(s, 4, j->verdict);
        sqlite3_bind_double(s, 5, j->score);
        bind_text(s, 6, j->reason);
    } else {
        bind_text(s, 7, j->error);
    }
    bind_text(s, 8, j->model);
    sqlite3_bind_int64(s, 9, (sqlite3_int64)j->judged_ns);
    bind_known(s, 10, j->prompt_tokens);
    bind_known(s, 11, j->completion_tokens);
    bind_known(s, 12, j->cost_nano_usd);
    sqlite3_bind_int64(s, 13, (sqlite3_int64)j->latency_ns);
    rc = finish(store, s);
    return rc < 0 ? rc : sqlite3_changes(store->db) > 0;
}

static int64_t known(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, column);
}

/* A number of a row that something else may have written: what is out of range counts as the last. */
static int within(int value, int count)
{
    return value >= 0 && value < count ? value : count - 1;
}

/* Copies the texts of a row behind each other into one piece of memory, the handle's. */
static int keep_texts(inf_store *store, sqlite3_stmt *s, inf_judgement *out)
{
    const char **const texts[] = {&out->reason, &out->error, &out->model};
    static const int columns[] = {3, 4, 5};
    size_t total = 1, used = 0;
    for (int i = 0; i < 3; i++)
        total += (size_t)sqlite3_column_bytes(s, columns[i]) + 1;
    free(store->texts);
    store->texts = malloc(total);
    if (!store->texts)
        return INF_ENOMEM;
    for (int i = 0; i < 3; i++) {
        const char *text = (const char *)sqlite3_column_text(s, columns[i]);
        size_t length = text ? (size_t)sqlite3_column_bytes(s, columns[i]) : 0;
        *texts[i] = text ? store->texts + used : NULL;
        if (text && used + length < total) {
            memcpy(store->texts + used, text, length);
            store->texts[used + length] = 0;
            used += length + 1;
        }
    }
    return 0;
}

static int take_judgement(inf_store *store, sqlite3_stmt *s, inf_judgement *out)
{
    out->state = (enum inf_judgement_state)within(sqlite3_column_int(s, 0), INF_JUDGEMENT_FAILED + 1);
    out->verdict = (enum inf_verdict)within(sqlite3_column_int(s, 1), INF_VERDICTS);
    out->score = sqlite3_column_double(s, 2);
    out->judged_ns = (uint64_t)sqlite3_column_int64(s, 6);
    out->prompt_tokens = known(s, 7);
    out->completion_tokens = known(s, 8);
    out->cost_nano_usd = known(s, 9);
    out->latency_ns = (uint64_t)sqlite3_column_int64(s, 10);
    out->attempts = sqlite3_column_int64(s, 11);
    return keep_texts(store, s, out);
}

int inf_store_judgement(inf_store *store, const uint8_t trace_id[16], uint64_t revision, inf_judgement *out)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT state, verdict, score, reason, error, model, judged_ns, prompt_tokens, "
                                "completion_tokens, cost_nano_usd, latency_ns, attempts FROM judgements WHERE trace_id "
                                "= ?1 AND revision = ?2");
    if (rc < 0)
        return rc;
    memset(out, 0, sizeof *out);
    memcpy(out->trace_id, trace_id, 16);
    out->revision = revision;
    bind_wish(s, out->trace_id, revision);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        rc = take_judgement(store, s, out);
    else
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

/* ---- what it used ---- */

int inf_store_judge_day(inf_store *store, int64_t day, inf_judge_day *out)
{
    sqlite3_stmt *s;
    memset(out, 0, sizeof *out);
    int rc = inf_sqlite_prepare(store, &s, "SELECT calls, nano_usd FROM judge_days WHERE day = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, day);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        out->calls = sqlite3_column_int64(s, 0);
        out->nano_usd = sqlite3_column_int64(s, 1);
    } else if (step != SQLITE_DONE) {
        rc = inf_sqlite_error(store, step);
    }
    sqlite3_finalize(s);
    return rc;
}

static int forget_days(inf_store *store, int64_t before)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "DELETE FROM judge_days WHERE day < ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, before);
    return finish(store, s);
}

int inf_store_judge_spend(inf_store *store, int64_t day, inf_judge_day more)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "INSERT INTO judge_days(day, calls, nano_usd) VALUES(?1, ?2, ?3) ON CONFLICT(day) DO "
                                "UPDATE SET calls = calls + excluded.calls, nano_usd = nano_usd + excluded.nano_usd");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, day);
    sqlite3_bind_int64(s, 2, more.calls);
    sqlite3_bind_int64(s, 3, more.nano_usd);
    rc = finish(store, s);
    return rc < 0 ? rc : forget_days(store, day - DAYS_KEPT);
}

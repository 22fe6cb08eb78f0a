/* Agents, log-in tokens and sessions in SQLite. */
#include <string.h>

#include "base/clock.h"
#include "store/sqlite.h"

int inf_store_agent_add(inf_store *store, const inf_agent *agent)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_AGENT_ADD);
    if (!s)
        return INF_EIO;
    sqlite3_bind_blob(s, 1, agent->id, 16, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, agent->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)agent->created_ns);
    sqlite3_bind_blob(s, 4, agent->salt, sizeof agent->salt, SQLITE_STATIC);
    sqlite3_bind_blob(s, 5, agent->hash, sizeof agent->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, agent->iterations);
    return inf_sqlite_finish(store, s);
}

int inf_store_agent_revoke(inf_store *store, const uint8_t id[16])
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_AGENT_REVOKE);
    if (!s)
        return INF_EIO;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)inf_unix_ns());
    int rc = inf_sqlite_finish(store, s);
    if (rc < 0)
        return rc;
    return sqlite3_changes(store->db) == 1 ? 0 : INF_ENOTFOUND;
}

static bool copy_blob(void *out, size_t size, sqlite3_stmt *s, int column)
{
    const void *blob = sqlite3_column_blob(s, column);
    if (!blob || (size_t)sqlite3_column_bytes(s, column) != size)
        return false;
    memcpy(out, blob, size);
    return true;
}

int inf_store_agents(inf_store *store, int (*row)(void *context, const inf_agent *agent), void *context)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_AGENT_LIST);
    if (!s)
        return INF_EIO;
    int step;
    int rc = 0;
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = inf_sqlite_error(store, step);
            break;
        }
        inf_agent agent = {.name = (const char *)sqlite3_column_text(s, 1),
                           .created_ns = (uint64_t)sqlite3_column_int64(s, 2),
                           .revoked = sqlite3_column_int(s, 3) != 0,
                           .iterations = (uint32_t)sqlite3_column_int64(s, 6),
                           .last_used_ns = (uint64_t)sqlite3_column_int64(s, 7)};
        if (!copy_blob(agent.id, sizeof agent.id, s, 0) || !copy_blob(agent.salt, sizeof agent.salt, s, 4) ||
            !copy_blob(agent.hash, sizeof agent.hash, s, 5))
            rc = INF_EBADMSG;
        else
            rc = row(context, &agent);
    }
    sqlite3_reset(s);
    return rc;
}

int inf_store_version(inf_store *store, uint64_t *out)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_DATA_VERSION);
    if (!s)
        return INF_EIO;
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW ? 0 : inf_sqlite_error(store, step);
    if (rc == 0)
        *out = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return rc;
}

static void bind_id(sqlite3_stmt *s, int index, const uint8_t *id)
{
    if (id)
        sqlite3_bind_blob(s, index, id, 16, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, index);
}

static bool column_id(sqlite3_stmt *s, int column, uint8_t id[16])
{
    const void *blob = sqlite3_column_blob(s, column);
    if (!blob || sqlite3_column_bytes(s, column) != 16)
        return false;
    memcpy(id, blob, 16);
    return true;
}

int inf_store_token_add(inf_store *store, enum inf_token_kind kind, const uint8_t digest[32], uint64_t expires_ns,
                        const inf_token_grant *grant)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_TOKEN_PURGE);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)inf_unix_ns());
    int rc = inf_sqlite_finish(store, s);
    if (rc < 0)
        return rc;
    s = inf_sqlite_statement(store, INF_STMT_TOKEN_ADD);
    if (!s)
        return INF_EIO;
    sqlite3_bind_blob(s, 1, digest, 32, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, kind);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)expires_ns);
    sqlite3_bind_int(s, 4, grant->role);
    bind_id(s, 5, grant->scoped ? grant->agent_id : NULL);
    bind_id(s, 6, grant->of_key ? grant->key_id : NULL);
    return inf_sqlite_finish(store, s);
}

int inf_store_token_get(inf_store *store, enum inf_token_kind kind, const uint8_t digest[32], uint64_t now, bool take,
                        inf_token_grant *grant)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, take ? INF_STMT_TOKEN_TAKE : INF_STMT_TOKEN_GET);
    if (!s)
        return INF_EIO;
    sqlite3_bind_blob(s, 1, digest, 32, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, kind);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)now);
    *grant = (inf_token_grant){.role = 0};
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        grant->role = sqlite3_column_int(s, 0);
        grant->scoped = column_id(s, 1, grant->agent_id);
        grant->of_key = column_id(s, 2, grant->key_id);
    }
    int rc = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
    if (take && rc == 1 && (step = sqlite3_step(s)) != SQLITE_DONE) /* only then is it taken */
        rc = inf_sqlite_error(store, step);
    sqlite3_reset(s);
    return rc;
}

int inf_store_tokens_end(inf_store *store, const uint8_t *key_id)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, key_id ? "DELETE FROM tokens WHERE key_id = ?1" : "DELETE FROM tokens");
    if (rc < 0)
        return rc;
    if (key_id)
        bind_id(s, 1, key_id);
    rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    return rc < 0 ? rc : sqlite3_changes(store->db);
}

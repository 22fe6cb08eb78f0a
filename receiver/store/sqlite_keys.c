/* Keys and the audit log in SQLite. None of this is done often: statements are made when they are needed. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/sqlite.h"

static int step_once(inf_store *store, sqlite3_stmt *s)
{
    int rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    return rc;
}

static int changed_one(inf_store *store, sqlite3_stmt *s)
{
    int rc = step_once(store, s);
    return rc < 0 ? rc : sqlite3_changes(store->db) > 0 ? 0 : INF_ENOTFOUND;
}

static bool copy(void *out, size_t size, sqlite3_stmt *s, int column)
{
    const void *blob = sqlite3_column_blob(s, column);
    if (!blob || (size_t)sqlite3_column_bytes(s, column) != size)
        return false;
    memcpy(out, blob, size);
    return true;
}

/* ---- changes with their audit entry ---- */

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
    sqlite3_bind_text(s, index, text ? text : "", -1, SQLITE_STATIC);
}

static int write_audit(inf_store *store, const inf_audit *entry)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(
        store, &s, "INSERT INTO audit(at_ns, who, origin, action, subject, detail) VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)inf_unix_ns());
    bind_text(s, 2, entry->who);
    bind_text(s, 3, entry->origin);
    bind_text(s, 4, entry->action);
    bind_text(s, 5, entry->subject);
    if (entry->detail)
        bind_text(s, 6, entry->detail);
    rc = step_once(store, s);
    if (rc == 0)
        rc = inf_sqlite_prepare(store, &s, "DELETE FROM audit WHERE number <= ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, sqlite3_last_insert_rowid(store->db) - INF_STORE_AUDIT_MAX);
    return step_once(store, s);
}

int inf_store_change_begin(inf_store *store)
{
    return inf_sqlite_run(store, INF_STMT_BEGIN);
}

int inf_store_change_end(inf_store *store, int rc, const inf_audit *entry)
{
    char message[sizeof store->message];
    if (rc >= 0) {
        int written = entry ? write_audit(store, entry) : 0;
        if (written == 0)
            written = inf_sqlite_run(store, INF_STMT_COMMIT);
        rc = written < 0 ? written : rc;
    }
    if (rc < 0 && !sqlite3_get_autocommit(store->db)) {
        memcpy(message, store->message, sizeof message); /* of what went wrong, not of the undoing */
        inf_sqlite_run(store, INF_STMT_ROLLBACK);
        memcpy(store->message, message, sizeof message);
    }
    return rc;
}

/* ---- keys ---- */

#define KEY_COLUMNS                                                                                                    \
    "id, role, agent_id, name, created_ns, expires_ns, revoked_ns IS NOT NULL, last_used_ns, salt, hash, iterations "  \
    "FROM keys "

int inf_store_key_add(inf_store *store, const inf_key *key)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "INSERT INTO keys(id, role, agent_id, name, created_ns, expires_ns, salt, hash, "
                                "iterations) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, key->id, 16, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, key->role);
    if (key->scoped)
        sqlite3_bind_blob(s, 3, key->agent_id, 16, SQLITE_STATIC);
    bind_text(s, 4, key->name);
    sqlite3_bind_int64(s, 5, (sqlite3_int64)key->created_ns);
    sqlite3_bind_int64(s, 6, (sqlite3_int64)key->expires_ns);
    sqlite3_bind_blob(s, 7, key->salt, sizeof key->salt, SQLITE_STATIC);
    sqlite3_bind_blob(s, 8, key->hash, sizeof key->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 9, key->iterations);
    return step_once(store, s);
}

static bool read_key(sqlite3_stmt *s, inf_key *key)
{
    *key = (inf_key){.role = sqlite3_column_int(s, 1),
                     .scoped = sqlite3_column_type(s, 2) != SQLITE_NULL,
                     .name = (const char *)sqlite3_column_text(s, 3),
                     .created_ns = (uint64_t)sqlite3_column_int64(s, 4),
                     .expires_ns = (uint64_t)sqlite3_column_int64(s, 5),
                     .revoked = sqlite3_column_int(s, 6) != 0,
                     .last_used_ns = (uint64_t)sqlite3_column_int64(s, 7),
                     .iterations = (uint32_t)sqlite3_column_int64(s, 10)};
    return key->name && copy(key->id, 16, s, 0) && (!key->scoped || copy(key->agent_id, 16, s, 2)) &&
           copy(key->salt, sizeof key->salt, s, 8) && copy(key->hash, sizeof key->hash, s, 9);
}

int inf_store_keys(inf_store *store, int (*row)(void *context, const inf_key *key), void *context)
{
    sqlite3_stmt *s;
    int step;
    int rc = inf_sqlite_prepare(store, &s, "SELECT " KEY_COLUMNS "ORDER BY created_ns, rowid");
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        inf_key key;
        if (step != SQLITE_ROW)
            rc = inf_sqlite_error(store, step);
        else
            rc = read_key(s, &key) ? row(context, &key) : INF_EBADMSG;
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_key_get(inf_store *store, const uint8_t id[16], inf_key *key, char name[201])
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "SELECT " KEY_COLUMNS "WHERE id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        rc = read_key(s, key) ? 0 : INF_EBADMSG;
    else
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    if (rc == 0) {
        snprintf(name, 201, "%s", key->name);
        key->name = name;
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_key_expire(inf_store *store, const uint8_t id[16], uint64_t expires_ns)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(
        store, &s,
        "UPDATE keys SET expires_ns = CASE WHEN expires_ns = 0 THEN ?2 ELSE min(expires_ns, ?2) END WHERE id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)expires_ns);
    return changed_one(store, s);
}

int inf_store_key_revoke(inf_store *store, const uint8_t id[16])
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "UPDATE keys SET revoked_ns = coalesce(revoked_ns, ?2) WHERE id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)inf_unix_ns());
    return changed_one(store, s);
}

int inf_store_keys_revoke_agent(inf_store *store, const uint8_t agent_id[16], int role, int keep)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "UPDATE keys SET revoked_ns = ?3 WHERE rowid IN (SELECT rowid FROM keys WHERE "
                                "agent_id = ?1 AND role = ?2 AND revoked_ns IS NULL AND (expires_ns = 0 OR expires_ns "
                                "> ?3) ORDER BY created_ns DESC, rowid DESC LIMIT -1 OFFSET ?4)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, agent_id, 16, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, role);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)inf_unix_ns());
    sqlite3_bind_int(s, 4, keep);
    rc = step_once(store, s);
    return rc < 0 ? rc : sqlite3_changes(store->db);
}

static int read_secret(inf_store *store, const uint8_t agent_id[16], inf_key *old)
{
    sqlite3_stmt *s;
    int rc =
        inf_sqlite_prepare(store, &s, "SELECT salt, hash, iterations FROM agents WHERE id = ?1 AND revoked_ns IS NULL");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, agent_id, 16, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        rc = copy(old->salt, sizeof old->salt, s, 0) && copy(old->hash, sizeof old->hash, s, 1) ? 0 : INF_EBADMSG;
        old->iterations = (uint32_t)sqlite3_column_int64(s, 2);
    } else {
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_agent_rekey(inf_store *store, const inf_agent *fresh, inf_key *old)
{
    sqlite3_stmt *s;
    int rc = read_secret(store, fresh->id, old);
    if (rc == 0)
        rc = inf_sqlite_prepare(store, &s, "UPDATE agents SET salt = ?2, hash = ?3, iterations = ?4 WHERE id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, fresh->id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, fresh->salt, sizeof fresh->salt, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, fresh->hash, sizeof fresh->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, fresh->iterations);
    return changed_one(store, s);
}

/* ---- what a running receiver keeps up with ---- */

int inf_store_used(inf_store *store, const uint8_t id[16], bool agent, uint64_t at_ns)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                agent ? "UPDATE agents SET last_used_ns = max(last_used_ns, ?2) WHERE id = ?1"
                                      : "UPDATE keys SET last_used_ns = max(last_used_ns, ?2) WHERE id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)at_ns);
    return step_once(store, s);
}

int inf_store_auth_version(inf_store *store, uint64_t *out)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "SELECT value FROM meta WHERE key = 'auth'");
    if (rc < 0)
        return rc;
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(s, 0);
    else
        rc = step == SQLITE_DONE ? INF_EBADMSG : inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

int inf_store_audit(inf_store *store, uint64_t before, int limit, int (*row)(void *context, const inf_audit *entry),
                    void *context)
{
    sqlite3_stmt *s;
    int step;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT number, at_ns, who, origin, action, subject, detail FROM audit WHERE number < "
                                "?1 ORDER BY number DESC LIMIT ?2");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, before && before < INT64_MAX ? (sqlite3_int64)before : INT64_MAX);
    sqlite3_bind_int(s, 2, limit);
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = inf_sqlite_error(store, step);
            break;
        }
        inf_audit entry = {.number = (uint64_t)sqlite3_column_int64(s, 0),
                           .at_ns = (uint64_t)sqlite3_column_int64(s, 1),
                           .who = (const char *)sqlite3_column_text(s, 2),
                           .origin = (const char *)sqlite3_column_text(s, 3),
                           .action = (const char *)sqlite3_column_text(s, 4),
                           .subject = (const char *)sqlite3_column_text(s, 5),
                           .detail = (const char *)sqlite3_column_text(s, 6)};
        rc = row(context, &entry);
    }
    sqlite3_finalize(s);
    return rc;
}

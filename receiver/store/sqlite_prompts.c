/* Prompts in SQLite. None of this is done so often that a statement is worth keeping: one GET costs two look-ups. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/prompts.h"
#include "store/sqlite.h"

static int finish(inf_store *store, sqlite3_stmt *s)
{
    int rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    return rc;
}

/* One number out of the database. */
static int number(inf_store *store, const char *sql, const uint8_t *id, int64_t *out)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    if (id)
        sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    else
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

static int add_version(inf_store *store, const uint8_t id[16], int version, const char *content, uint64_t created_ns)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(
        store, &s, "INSERT INTO prompt_versions(prompt_id, version, created_ns, content) VALUES(?1, ?2, ?3, ?4)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, version);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)created_ns);
    sqlite3_bind_text(s, 4, content, -1, SQLITE_STATIC);
    return finish(store, s);
}

static int add_key(inf_store *store, const uint8_t id[16], const inf_prompt_key *key)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(
        store, &s, "INSERT INTO prompt_keys(prompt_id, salt, hash, created_ns, expires_ns) VALUES(?1, ?2, ?3, ?4, ?5)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, key->salt, sizeof key->salt, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, key->hash, sizeof key->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)key->created_ns);
    sqlite3_bind_int64(s, 5, (sqlite3_int64)key->expires_ns);
    return finish(store, s);
}

static int add_prompt(inf_store *store, const inf_prompt *prompt)
{
    sqlite3_stmt *s;
    int64_t there = 0;
    int rc = number(store, "SELECT count(*) FROM prompts", NULL, &there);
    if (rc == 0 && there >= INF_PROMPTS_MAX)
        return INF_EFULL;
    if (rc == 0)
        rc = inf_sqlite_prepare(store, &s, "INSERT INTO prompts(id, name, created_ns) VALUES(?1, ?2, ?3)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, prompt->id, 16, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, prompt->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)prompt->created_ns);
    return finish(store, s);
}

int inf_store_prompt_add(inf_store *store, const inf_prompt *prompt, const char *content, const inf_prompt_key *key)
{
    int rc = add_prompt(store, prompt);
    if (rc == 0)
        rc = add_version(store, prompt->id, 1, content, prompt->created_ns);
    if (rc == 0)
        rc = add_key(store, prompt->id, key);
    return rc;
}

static int newest(inf_store *store, const uint8_t id[16], int64_t *version)
{
    *version = 0;
    int rc = number(store, "SELECT max(version) FROM prompt_versions WHERE prompt_id = ?1", id, version);
    return rc == 0 && *version == 0 ? INF_ENOTFOUND : rc;
}

int inf_store_prompt_publish(inf_store *store, const uint8_t id[16], const char *content, uint64_t created_ns,
                             int *version)
{
    int64_t last = 0;
    int rc = newest(store, id, &last);
    if (rc == 0 && last >= INF_PROMPT_VERSIONS_MAX)
        rc = INF_EFULL;
    if (rc == 0)
        rc = add_version(store, id, (int)last + 1, content, created_ns);
    *version = (int)last + 1;
    return rc;
}

static int expire_others(inf_store *store, const uint8_t id[16], uint64_t at_ns)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "UPDATE prompt_keys SET expires_ns = ?2 WHERE prompt_id = ?1 AND (expires_ns = 0 OR "
                                "expires_ns > ?2)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)at_ns);
    rc = finish(store, s);
    if (rc == 0)
        rc = inf_sqlite_prepare(
            store, &s, "DELETE FROM prompt_keys WHERE prompt_id = ?1 AND expires_ns <> 0 AND expires_ns <= ?2");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)inf_unix_ns());
    return finish(store, s);
}

int inf_store_prompt_rekey(inf_store *store, const uint8_t id[16], const inf_prompt_key *key, uint64_t others_expire_ns)
{
    int64_t last;
    int rc = newest(store, id, &last);
    if (rc == 0)
        rc = expire_others(store, id, others_expire_ns);
    if (rc == 0)
        rc = add_key(store, id, key);
    return rc;
}

int inf_store_prompt_remove(inf_store *store, const uint8_t id[16])
{
    static const char *const deletions[] = {"DELETE FROM prompt_keys WHERE prompt_id = ?1",
                                            "DELETE FROM prompt_versions WHERE prompt_id = ?1",
                                            "DELETE FROM prompts WHERE id = ?1"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof deletions / sizeof deletions[0]; i++) {
        sqlite3_stmt *s;
        rc = inf_sqlite_prepare(store, &s, deletions[i]);
        if (rc < 0)
            return rc;
        sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
        rc = finish(store, s);
    }
    return rc < 0 || sqlite3_changes(store->db) > 0 ? rc : INF_ENOTFOUND;
}

/* ---- reading ---- */

#define PROMPT_COLUMNS                                                                                                 \
    "SELECT p.id, p.name, p.created_ns, v.version, v.created_ns FROM prompts p JOIN prompt_versions v ON "             \
    "v.prompt_id = p.id AND v.version = (SELECT max(version) FROM prompt_versions WHERE prompt_id = p.id) "

static bool read_prompt(sqlite3_stmt *s, inf_prompt *out)
{
    const void *id = sqlite3_column_blob(s, 0);
    if (!id || sqlite3_column_bytes(s, 0) != 16)
        return false;
    memcpy(out->id, id, 16);
    out->name = (const char *)sqlite3_column_text(s, 1);
    out->created_ns = (uint64_t)sqlite3_column_int64(s, 2);
    out->version = sqlite3_column_int(s, 3);
    out->changed_ns = (uint64_t)sqlite3_column_int64(s, 4);
    return out->name != NULL;
}

int inf_store_prompts(inf_store *store, int (*row)(void *context, const inf_prompt *prompt), void *context)
{
    sqlite3_stmt *s;
    int step;
    int rc = inf_sqlite_prepare(store, &s, PROMPT_COLUMNS "ORDER BY p.created_ns, p.rowid");
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        inf_prompt prompt;
        if (step != SQLITE_ROW)
            rc = inf_sqlite_error(store, step);
        else
            rc = read_prompt(s, &prompt) ? row(context, &prompt) : INF_EBADMSG;
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_prompt_get(inf_store *store, const uint8_t id[16], inf_prompt *prompt, char name[INF_PROMPT_NAME_SIZE])
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, PROMPT_COLUMNS "WHERE p.id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step != SQLITE_ROW)
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    else if (!read_prompt(s, prompt))
        rc = INF_EBADMSG;
    if (rc == 0) {
        snprintf(name, INF_PROMPT_NAME_SIZE, "%s", prompt->name);
        prompt->name = name;
    }
    sqlite3_finalize(s);
    return rc;
}

static int walk_versions(inf_store *store, sqlite3_stmt *s,
                         int (*row)(void *context, const inf_prompt_version *version), void *context, int *count)
{
    int step;
    int rc = 0;
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = inf_sqlite_error(store, step);
            break;
        }
        inf_prompt_version v = {sqlite3_column_int(s, 0), (uint64_t)sqlite3_column_int64(s, 1),
                                (const char *)sqlite3_column_text(s, 2)};
        ++*count;
        rc = v.content ? row(context, &v) : INF_ENOMEM;
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_prompt_versions(inf_store *store, const uint8_t id[16], int before, int limit,
                              int (*row)(void *context, const inf_prompt_version *version), void *context)
{
    sqlite3_stmt *s;
    int count = 0;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT version, created_ns, content FROM prompt_versions WHERE prompt_id = ?1 AND "
                                "version < ?2 ORDER BY version DESC LIMIT ?3");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, before > 0 ? before : INT32_MAX);
    sqlite3_bind_int(s, 3, limit);
    return walk_versions(store, s, row, context, &count);
}

int inf_store_prompt_version(inf_store *store, const uint8_t id[16], int version,
                             int (*row)(void *context, const inf_prompt_version *version), void *context)
{
    sqlite3_stmt *s;
    int count = 0;
    int rc = inf_sqlite_prepare(store, &s,
                                version > 0 ? "SELECT version, created_ns, content FROM prompt_versions WHERE "
                                              "prompt_id = ?1 AND version = ?2"
                                            : "SELECT version, created_ns, content FROM prompt_versions WHERE "
                                              "prompt_id = ?1 ORDER BY version DESC LIMIT 1");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    if (version > 0)
        sqlite3_bind_int(s, 2, version);
    rc = walk_versions(store, s, row, context, &count);
    return rc == 0 && count == 0 ? INF_ENOTFOUND : rc;
}

int inf_store_prompt_keys(inf_store *store, const uint8_t id[16], uint64_t now_ns,
                          int (*row)(void *context, const inf_prompt_key *key), void *context)
{
    sqlite3_stmt *s;
    int step;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT salt, hash, created_ns, expires_ns FROM prompt_keys WHERE prompt_id = ?1 AND "
                                "(expires_ns = 0 OR expires_ns > ?2)");
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)now_ns);
    while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        inf_prompt_key key = {.created_ns = 0};
        if (step != SQLITE_ROW) {
            rc = inf_sqlite_error(store, step);
        } else if (sqlite3_column_bytes(s, 0) != (int)sizeof key.salt ||
                   sqlite3_column_bytes(s, 1) != (int)sizeof key.hash) {
            rc = INF_EBADMSG;
        } else {
            memcpy(key.salt, sqlite3_column_blob(s, 0), sizeof key.salt);
            memcpy(key.hash, sqlite3_column_blob(s, 1), sizeof key.hash);
            key.created_ns = (uint64_t)sqlite3_column_int64(s, 2);
            key.expires_ns = (uint64_t)sqlite3_column_int64(s, 3);
            rc = row(context, &key);
        }
    }
    sqlite3_finalize(s);
    return rc;
}

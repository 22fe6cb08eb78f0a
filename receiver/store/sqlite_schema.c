/* The SQLite schema, as a list of steps from one version to the next; PRAGMA user_version says where a file stands.
 *
 * traces    one row a trace: what a list shows. Its key is the sequence number of the last change, so that new rows go
 * to the end of the table and "what changed since N" is a range of the key. A trace that is replaced moves.
 * bodies    the body of the same sequence number, apart, so that lists never read past it. encoding 0: as it came, 1:
 * zstd.
 * tags      the traces of a tag.
 * words     the index of words (sqlite_search.c).
 * labels, rollups, facets, sessions: sums (tally.h).
 * agents    salted hashes only. A revoked agent stays: its traces keep their name.
 * tokens    digests of log-in links and sessions.
 * judgements, judge_days: what a model thought of traces, which wait to be judged, and what that has used a day.
 * meta      'sequence': the last sequence number given.
 *
 * Steps are never edited once released, only added to. */
#include <stdio.h>

#include "store/sqlite.h"

static const char *const migrations[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('sequence', 0);"
    "CREATE TABLE agents("
    "  id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, created_ns INTEGER NOT NULL, revoked_ns INTEGER,"
    "  salt BLOB NOT NULL, hash BLOB NOT NULL, iterations INTEGER NOT NULL);"
    "CREATE TABLE traces("
    "  seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent_id BLOB, agent_id BLOB NOT NULL, name TEXT NOT NULL,"
    "  status INTEGER NOT NULL, started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, received_ns INTEGER NOT "
    "NULL,"
    "  llm_calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,"
    "  model TEXT, error_type TEXT, error_message TEXT, input_preview TEXT, output_preview TEXT);"
    "CREATE INDEX traces_started ON traces(started_ns, id);"
    "CREATE INDEX traces_name ON traces(name, started_ns, id);"
    "CREATE INDEX traces_agent ON traces(agent_id, started_ns, id);"
    /* Most traces end well: only the others are worth an index. */
    "CREATE INDEX traces_status ON traces(status, started_ns, id) WHERE status <> 1;"
    "CREATE TABLE bodies(seq INTEGER PRIMARY KEY, encoding INTEGER NOT NULL, length INTEGER NOT NULL, body BLOB NOT "
    "NULL);"
    "CREATE TABLE tokens(digest BLOB PRIMARY KEY, kind INTEGER NOT NULL, expires_ns INTEGER NOT NULL) WITHOUT ROWID;",

    /* Keys and the audit log. meta 'auth' counts the changes that a running receiver must know of; when a key was used
     * last is none of them. */
    "ALTER TABLE agents ADD COLUMN last_used_ns INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE keys("
    "  id BLOB NOT NULL UNIQUE, role INTEGER NOT NULL, agent_id BLOB, name TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    "  expires_ns INTEGER NOT NULL DEFAULT 0, revoked_ns INTEGER, last_used_ns INTEGER NOT NULL DEFAULT 0,"
    "  salt BLOB NOT NULL, hash BLOB NOT NULL, iterations INTEGER NOT NULL);"
    "CREATE TABLE audit("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,"
    "  action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT);"
    "INSERT INTO meta VALUES('auth', 1);"
    "CREATE TRIGGER agents_made AFTER INSERT ON agents BEGIN "
    "  UPDATE meta SET value = value + 1 WHERE key = 'auth'; END;"
    "CREATE TRIGGER agents_changed AFTER UPDATE OF name, revoked_ns, hash ON agents BEGIN "
    "  UPDATE meta SET value = value + 1 WHERE key = 'auth'; END;"
    "CREATE TRIGGER keys_made AFTER INSERT ON keys BEGIN "
    "  UPDATE meta SET value = value + 1 WHERE key = 'auth'; END;"
    "CREATE TRIGGER keys_changed AFTER UPDATE OF expires_ns, revoked_ns, hash ON keys BEGIN "
    "  UPDATE meta SET value = value + 1 WHERE key = 'auth'; END;",

    /* What lists filter by. Texts that most traces lack have partial indexes. */
    "ALTER TABLE traces ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE traces ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE traces ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE traces ADD COLUMN cost_nano_usd INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE traces ADD COLUMN session_id TEXT;"
    "ALTER TABLE traces ADD COLUMN user_id TEXT;"
    "ALTER TABLE traces ADD COLUMN tags TEXT;"
    "CREATE INDEX traces_model ON traces(model, started_ns, id) WHERE model IS NOT NULL;"
    "CREATE INDEX traces_session ON traces(session_id, started_ns, id) WHERE session_id IS NOT NULL;"
    "CREATE INDEX traces_user ON traces(user_id, started_ns, id) WHERE user_id IS NOT NULL;"
    "CREATE INDEX traces_parent ON traces(parent_id, started_ns, id) WHERE parent_id IS NOT NULL;"
    "CREATE INDEX traces_duration ON traces(duration_ns);"
    "CREATE TABLE tags(tag TEXT NOT NULL, started_ns INTEGER NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL,"
    "  PRIMARY KEY(tag, started_ns, id)) WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', detail=none, columnsize=0,"
    "  tokenize='words');"
    /* Segments are merged when eight of a size have come together: half the writing of four. */
    "INSERT INTO words(words, rank) VALUES('automerge', 8);",

    /* Sums beside the traces (tally.h). */
    "INSERT INTO meta SELECT 'uncounted', value FROM meta WHERE key = 'sequence';"
    "CREATE TABLE labels(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
    "CREATE TABLE rollups(series INTEGER NOT NULL, width INTEGER NOT NULL, bucket INTEGER NOT NULL, agent_id BLOB NOT "
    "NULL, name INTEGER NOT "
    "NULL,"
    "  model INTEGER NOT NULL, traces INTEGER NOT NULL, errors INTEGER NOT NULL, interrupted INTEGER NOT NULL,"
    "  llm_calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,"
    "  cached_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,"
    "  cost_nano_usd INTEGER NOT NULL, longest_ns INTEGER NOT NULL, sketch BLOB NOT NULL,"
    "  PRIMARY KEY(series, width, bucket, agent_id, name, model)) WITHOUT ROWID;"
    "CREATE TABLE facets(field INTEGER NOT NULL, value TEXT NOT NULL, agent_id BLOB NOT NULL, traces INTEGER NOT NULL,"
    "  PRIMARY KEY(field, value, agent_id)) WITHOUT ROWID;"
    "CREATE TABLE sessions(session_id TEXT NOT NULL, agent_id BLOB NOT NULL, user_id TEXT, traces INTEGER NOT NULL,"
    "  errors INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,"
    "  cost_nano_usd INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
    "  UNIQUE(session_id, agent_id));"
    "CREATE INDEX sessions_last ON sessions(last_ns);",

    "CREATE TABLE dictionaries(id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    "  body BLOB NOT NULL);",

    /* Prompts and their keys; scores that came apart from their trace (agent_id of zeros: an administrator's), which
     * may be there before it. */
    "CREATE TABLE prompts(id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, created_ns INTEGER NOT NULL);"
    "CREATE TABLE prompt_versions("
    "  prompt_id BLOB NOT NULL, version INTEGER NOT NULL, created_ns INTEGER NOT NULL, content TEXT NOT NULL,"
    "  UNIQUE(prompt_id, version));"
    "CREATE TABLE prompt_keys("
    "  prompt_id BLOB NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL, created_ns INTEGER NOT NULL,"
    "  expires_ns INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX prompt_keys_prompt ON prompt_keys(prompt_id);"
    "CREATE TABLE scores("
    "  trace_id BLOB NOT NULL, agent_id BLOB NOT NULL, name TEXT NOT NULL, value REAL NOT NULL,"
    "  removed INTEGER NOT NULL, comment TEXT, created_ns INTEGER NOT NULL, UNIQUE(trace_id, agent_id, name));",
    /* What a model thought of traces (judgements.h); state 0: still to be asked about. */
    "CREATE TABLE judgements("
    "  trace_id BLOB PRIMARY KEY, revision INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    "  not_before_ns INTEGER NOT NULL, verdict INTEGER, score REAL, reason TEXT, error TEXT, model TEXT,"
    "  judged_ns INTEGER, prompt_tokens INTEGER, completion_tokens INTEGER, cost_nano_usd INTEGER, latency_ns INTEGER)"
    "  WITHOUT ROWID;"
    "CREATE INDEX judgements_waiting ON judgements(revision) WHERE state = 0;"
    "CREATE TABLE judge_days(day INTEGER PRIMARY KEY, calls INTEGER NOT NULL, nano_usd INTEGER NOT NULL);",

    /* Links and sessions of readers, of one agent or of all; key_id: of the key that made the link. */
    "ALTER TABLE tokens ADD COLUMN role INTEGER NOT NULL DEFAULT 3;"
    "ALTER TABLE tokens ADD COLUMN agent_id BLOB;"
    "ALTER TABLE tokens ADD COLUMN key_id BLOB;",

    /* The words of a whole transaction become one segment of their index: with the limit of 1 MB that there was, they
     * became several, and merging those cost as much again. Merging begins at sixteen of a size and goes along with
     * what is written; only where it does not keep up, at 64, it is done at once. */
    "INSERT INTO words(words, rank) VALUES('hashsize', 67108864);"
    "INSERT INTO words(words, rank) VALUES('automerge', 16);"
    "INSERT INTO words(words, rank) VALUES('crisismerge', 64);",
};

enum { NEWEST = sizeof migrations / sizeof migrations[0] };

static int user_version(inf_store *store, int *out)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "PRAGMA user_version");
    if (rc < 0)
        return rc;
    if (sqlite3_step(s) == SQLITE_ROW)
        *out = sqlite3_column_int(s, 0);
    else
        rc = inf_sqlite_error(store, sqlite3_errcode(store->db));
    sqlite3_finalize(s);
    return rc;
}

static int execute(inf_store *store, const char *sql)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : inf_sqlite_error(store, code);
}

int inf_sqlite_migrate(inf_store *store)
{
    int version = 0;
    int rc = user_version(store, &version);
    if (rc < 0 || version == NEWEST)
        return rc;
    if (version < 0 || version > NEWEST) {
        snprintf(store->message, sizeof store->message,
                 "the store was written by a newer version (schema %d, known %d)", version, (int)NEWEST);
        return INF_EBADMSG;
    }
    rc = execute(store, "BEGIN IMMEDIATE");
    if (rc < 0)
        return rc;
    rc = user_version(store, &version); /* another process may have been faster */
    for (; rc == 0 && version < NEWEST; version++) {
        char pragma[48];
        rc = execute(store, migrations[version]);
        snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", version + 1);
        if (rc == 0)
            rc = execute(store, pragma);
    }
    if (rc == 0)
        rc = execute(store, "COMMIT");
    if (rc < 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

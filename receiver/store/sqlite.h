/* What the SQLite store's own files share. Private to receiver/store/. */
#ifndef INF_STORE_SQLITE_H
#define INF_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "infinium.h"
#include "store/dictionary.h"
#include "store/store.h"

/* The columns of a summary, in the order that inf_sqlite_summary() reads them (sqlite_read.c). */
#define INF_SQLITE_SUMMARY_COLUMNS                                                                                     \
    "t.id, t.parent_id, t.agent_id, a.name, t.name, t.status, t.started_ns, t.duration_ns, t.received_ns, "            \
    "t.llm_calls, t.prompt_tokens, t.completion_tokens, t.model, t.error_type, t.error_message, t.input_preview, "     \
    "t.output_preview, t.seq, t.cached_tokens, t.cache_write_tokens, t.reasoning_tokens, t.cost_nano_usd, "            \
    "t.session_id, t.user_id, t.tags "
#define INF_SQLITE_AGENT "LEFT JOIN agents a ON a.id = t.agent_id "

/* A link or session that a key made is good as long as the key is. */
#define INF_TOKEN_OF_GOOD_KEY                                                                                          \
    "AND (key_id IS NULL OR EXISTS (SELECT 1 FROM keys k WHERE k.id = key_id AND k.revoked_ns IS NULL AND "            \
    "(k.expires_ns = 0 OR k.expires_ns > ?3))) "

/* Statements that are prepared once and kept. */
#define INF_STORE_STATEMENTS(X)                                                                                        \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                        \
    X(COMMIT, "COMMIT")                                                                                                \
    X(ROLLBACK, "ROLLBACK")                                                                                            \
    X(SEQUENCE_GET, "SELECT value FROM meta WHERE key = 'sequence'")                                                   \
    X(SEQUENCE_SET, "UPDATE meta SET value = ?1 WHERE key = 'sequence'")                                               \
    X(TRACE_FIND, "SELECT seq, status, agent_id = ?2 FROM traces WHERE id = ?1")                                       \
    X(TRACE_DELETE, "DELETE FROM traces WHERE seq = ?1")                                                               \
    X(BODY_DELETE, "DELETE FROM bodies WHERE seq = ?1")                                                                \
    X(TRACE_INSERT, "INSERT INTO traces(seq, id, parent_id, agent_id, name, status, started_ns, duration_ns, "         \
                    "received_ns, llm_calls, prompt_tokens, completion_tokens, model, error_type, error_message, "     \
                    "input_preview, output_preview, cached_tokens, cache_write_tokens, reasoning_tokens, "             \
                    "cost_nano_usd, session_id, user_id, tags) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"     \
                    "?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24)")                                                    \
    X(TAG_INSERT, "INSERT OR IGNORE INTO tags(tag, started_ns, id, seq) VALUES(?1, ?2, ?3, ?4)")                       \
    X(TAG_DELETE, "DELETE FROM tags WHERE tag = ?1 AND started_ns = ?2 AND id = ?3")                                   \
    X(BODY_INSERT, "INSERT INTO bodies(seq, encoding, length, body) VALUES(?1, ?2, ?3, ?4)")                           \
    X(DICTIONARY_NEWEST, "SELECT id, created_ns, sequence FROM dictionaries ORDER BY id DESC LIMIT 1")                 \
    X(BODY_GET, "SELECT encoding, length, body FROM bodies WHERE seq = ?1")                                            \
    X(ROW_GET, "SELECT " INF_SQLITE_SUMMARY_COLUMNS "FROM traces t " INF_SQLITE_AGENT "WHERE t.seq = ?1")              \
    X(TRACE_GET, "SELECT " INF_SQLITE_SUMMARY_COLUMNS "FROM traces t " INF_SQLITE_AGENT "WHERE t.id = ?1")             \
    X(UNCOUNTED, "SELECT value FROM meta WHERE key = 'uncounted'")                                                     \
    X(WORDS_ADD, "INSERT INTO words(rowid, text) VALUES(?1, ?2)")                                                      \
    X(WORDS_REMOVE, "INSERT INTO words(words, rowid, text) VALUES('delete', ?1, ?2)")                                  \
    X(FACET_COUNT, "SELECT coalesce(sum(traces), 0), 0 FROM facets WHERE field = ?1 AND value = ?2")                   \
    X(SESSION_COUNT, "SELECT coalesce(sum(traces), 0), 0 FROM sessions WHERE session_id = ?1")                         \
    X(ROLLUP_DAYS, "SELECT (SELECT min(bucket) FROM rollups WHERE series = 0 AND width = 1440), "                      \
                   "(SELECT max(bucket) FROM rollups WHERE series = 0 AND width = 1440)")                              \
    X(ROLLUP_COUNT, "SELECT traces, errors + interrupted FROM rollups WHERE series = ?1 AND width = 1440 AND "         \
                    "bucket = ?2 AND agent_id = ?3 AND name = ?4 AND model = ?5")                                      \
    X(BEGIN_READ, "BEGIN")                                                                                             \
    X(START_GET, "SELECT started_ns FROM traces WHERE seq >= ?1 ORDER BY seq LIMIT 1")                                 \
    X(LABEL_GET, "SELECT id FROM labels WHERE text = ?1")                                                              \
    X(LABEL_ADD, "INSERT INTO labels(text) VALUES(?1)")                                                                \
    X(LABEL_COUNT, "SELECT coalesce(max(id), 0) FROM labels")                                                          \
    X(LABEL_TEXT, "SELECT text FROM labels WHERE id = ?1")                                                             \
    X(ROLLUP_GET, "SELECT traces, errors, interrupted, llm_calls, prompt_tokens, completion_tokens, cached_tokens, "   \
                  "cache_write_tokens, reasoning_tokens, cost_nano_usd, longest_ns, sketch FROM rollups "              \
                  "WHERE series = ?6 AND width = ?1 AND bucket = ?2 AND agent_id = ?3 AND name = ?4 AND model = ?5")   \
    X(ROLLUP_PUT,                                                                                                      \
      "INSERT OR REPLACE INTO rollups(series, width, bucket, agent_id, name, model, traces, errors, interrupted, "     \
      "llm_calls, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, "             \
      "cost_nano_usd, longest_ns, sketch) "                                                                            \
      "VALUES(?18,?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)")                                        \
    X(FACET_ADD, "INSERT INTO facets(field, value, agent_id, traces) VALUES(?1, ?2, ?3, ?4) "                          \
                 "ON CONFLICT DO UPDATE SET traces = traces + excluded.traces")                                        \
    X(FACET_CLEAN, "DELETE FROM facets WHERE field = ?1 AND value = ?2 AND agent_id = ?3 AND traces <= 0")             \
    X(SESSION_ADD, "INSERT INTO sessions(session_id, agent_id, user_id, traces, errors, prompt_tokens, "               \
                   "completion_tokens, cost_nano_usd, first_ns, last_ns) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) "      \
                   "ON CONFLICT DO UPDATE SET traces = traces + excluded.traces, errors = errors + excluded.errors, "  \
                   "prompt_tokens = prompt_tokens + excluded.prompt_tokens, "                                          \
                   "completion_tokens = completion_tokens + excluded.completion_tokens, "                              \
                   "cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd, "                                          \
                   "user_id = coalesce(excluded.user_id, user_id), "                                                   \
                   "first_ns = iif(excluded.first_ns > 0, min(first_ns, excluded.first_ns), first_ns), "               \
                   "last_ns = max(last_ns, excluded.last_ns)")                                                         \
    X(SESSION_CLEAN, "DELETE FROM sessions WHERE session_id = ?1 AND agent_id = ?2 AND traces <= 0")                   \
    X(AGENT_ADD, "INSERT INTO agents(id, name, created_ns, revoked_ns, salt, hash, iterations) "                       \
                 "VALUES(?1, ?2, ?3, NULL, ?4, ?5, ?6)")                                                               \
    X(AGENT_REVOKE, "UPDATE agents SET revoked_ns = coalesce(revoked_ns, ?2) WHERE id = ?1")                           \
    X(AGENT_LIST,                                                                                                      \
      "SELECT id, name, created_ns, revoked_ns IS NOT NULL, salt, hash, iterations, last_used_ns FROM agents "         \
      "ORDER BY created_ns, rowid")                                                                                    \
    X(DATA_VERSION, "PRAGMA data_version")                                                                             \
    X(JUDGEMENT_DELETE, "DELETE FROM judgements WHERE trace_id = (SELECT id FROM traces WHERE seq = ?1)")              \
    X(TOKEN_ADD, "INSERT INTO tokens(digest, kind, expires_ns, role, agent_id, key_id) VALUES(?1,?2,?3,?4,?5,?6)")     \
    X(TOKEN_PURGE, "DELETE FROM tokens WHERE expires_ns <= ?1")                                                        \
    X(TOKEN_GET, "SELECT role, agent_id, key_id FROM tokens WHERE digest = ?1 AND kind = ?2 AND expires_ns > "         \
                 "?3 " INF_TOKEN_OF_GOOD_KEY)                                                                          \
    X(TOKEN_TAKE, "DELETE FROM tokens WHERE digest = ?1 AND kind = ?2 AND expires_ns > ?3 " INF_TOKEN_OF_GOOD_KEY      \
                  "RETURNING role, agent_id, key_id")

enum inf_store_statement {
#define X(name, sql) INF_STMT_##name,
    INF_STORE_STATEMENTS(X)
#undef X
        INF_STMT_COUNT
};

enum { INF_SQLITE_BUSY_MS = 10000 }; /* how long a handle waits for another's lock */

/* How much one call looks at (sqlite_list.h). */
typedef struct inf_bound {
    uint32_t looked, most;
    uint32_t unclocked; /* since the clock was read */
    uint64_t until_ns;
    bool passed;
} inf_bound;

typedef struct inf_search_tokenizer inf_search_tokenizer; /* of what is typed (sqlite_query.c) */
void inf_search_tokenizer_free(inf_search_tokenizer *tokenizer);

struct inf_store {
    sqlite3 *db;
    sqlite3_stmt *statements[INF_STMT_COUNT];
    char *texts; /* what a summary handed out by inf_store_get() points into */
    inf_codec *codec;
    uint64_t trained_at; /* where training a dictionary was tried in vain */
    inf_json *json;      /* made when first needed */
    inf_buf text;        /* what is searched of a trace */
    size_t text_ends[5]; /* of its fields */
    int text_fields;
    inf_search_tokenizer *tokenizer; /* made when first needed */
    inf_bound bound;                 /* of the list that is being read */
    struct inf_tally *tally;         /* made when first needed */
    int64_t uncounted;               /* sqlite_row.c */
    bool uncounted_known;
    bool read_only;
    bool bulk;
    atomic_bool hurried;
    int busy_ms;       /* how long others' locks are waited for */
    uint64_t waits_ns; /* since when it is */
    char message[256];
};

/* The kept statement, reset and ready to bind; NULL on failure. */
sqlite3_stmt *inf_sqlite_statement(inf_store *store, enum inf_store_statement which);
/* Runs a kept statement that gives no row. 0 or negative. */
int inf_sqlite_run(inf_store *store, enum inf_store_statement which);
/* Steps a bound statement that gives no row, then resets it. */
int inf_sqlite_finish(inf_store *store, sqlite3_stmt *statement);
/* Commits, or rolls back when `rc` is negative, and keeps the message of what went wrong. Returns `rc`, or why it
 * could not be committed. */
int inf_sqlite_end(inf_store *store, int rc);
/* SQLite's error as one of ours; keeps its text as the handle's message. */
int inf_sqlite_error(inf_store *store, int code);
int inf_sqlite_prepare(inf_store *store, sqlite3_stmt **out, const char *sql);

/* Makes or upgrades the schema (sqlite_schema.c). */
int inf_sqlite_migrate(inf_store *store);

/* Reads the columns above; the texts are the statement's. */
void inf_sqlite_summary(sqlite3_stmt *statement, inf_summary *out);
/* Steps through rows of such columns, at most `limit`; *last gets the last one handed out, *more whether there is one
 * more. */
int inf_sqlite_walk(inf_store *store, sqlite3_stmt *statement, int limit, inf_store_row row, void *context,
                    inf_summary *last, bool *more);

/* The tokenizer of the index of words (sqlite_words.c), which every connection needs. */
int inf_sqlite_register_words(inf_store *store);

/* What is searched of a trace, into store->text, each of its fields up to store->text_ends[]. */
int inf_sqlite_words_text(inf_store *store, const inf_summary *m, const void *body, size_t length);
/* A trace that has ended, in the index of words. Removing needs what was there when it was added. */
int inf_sqlite_words_add(inf_store *store, uint64_t sequence, const inf_summary *m, const void *body, size_t length);
int inf_sqlite_words_remove(inf_store *store, uint64_t sequence, const inf_summary *m, const void *body, size_t length);

/* One trace's rows, all of them (sqlite_row.c); inside a transaction. */
int inf_sqlite_row_insert(inf_store *store, const inf_store_put *row, uint64_t sequence);
/* `forget`: the trace is deleted, not replaced: it stays in the rollups. */
int inf_sqlite_row_remove(inf_store *store, uint64_t sequence, bool forget);
/* The summary and the body of a sequence number; the texts are the handle's, the body is the caller's (free). */
int inf_sqlite_row_get(inf_store *store, uint64_t sequence, inf_summary *summary);
int inf_sqlite_body_get(inf_store *store, uint64_t sequence, char **body, size_t *length);
/* Calls `each` for every tag; ends with its first negative answer. */
int inf_sqlite_each_tag(inf_store *store, const inf_summary *m,
                        int (*each)(inf_store *store, const inf_summary *m, uint64_t sequence, const char *tag,
                                    size_t length),
                        uint64_t sequence);

#endif

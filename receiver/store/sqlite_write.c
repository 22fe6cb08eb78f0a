/* Writing traces: one transaction a batch, one row a trace id. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

enum { COMPRESS_FROM = 512, LEVEL = 1 };

static int rank(uint8_t status)
{
    switch (status) {
    case INF_STATUS_RUNNING:
        return 0;
    case INF_STATUS_INTERRUPTED:
        return 1;
    default:
        return 2;
    }
}

static bool replaces(uint8_t fresh, uint8_t stored)
{
    return rank(fresh) > rank(stored) || (fresh == INF_STATUS_RUNNING && stored == INF_STATUS_RUNNING);
}

static sqlite3_int64 clip(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (sqlite3_int64)value;
}

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, index);
}

/* The body as it is stored: compressed when that saves at least a tenth. */
static int encode(inf_store *store, const inf_store_put *row, const void **bytes, size_t *length)
{
    *bytes = row->body;
    *length = row->body_length;
    if (row->body_length < COMPRESS_FROM)
        return 0;
    size_t bound = ZSTD_compressBound(row->body_length);
    if (bound > store->scratch_size) {
        void *grown = realloc(store->scratch, bound);
        if (!grown)
            return 0;
        store->scratch = grown;
        store->scratch_size = bound;
    }
    size_t n =
        ZSTD_compressCCtx(store->compressor, store->scratch, store->scratch_size, row->body, row->body_length, LEVEL);
    if (ZSTD_isError(n) || n > row->body_length / 10 * 9)
        return 0;
    *bytes = store->scratch;
    *length = n;
    return 1;
}

static int insert(inf_store *store, const inf_store_put *row, uint64_t sequence)
{
    static const uint8_t none[16];
    const inf_summary *m = &row->summary;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_TRACE_INSERT);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_blob(s, 2, m->trace_id, 16, SQLITE_STATIC);
    if (memcmp(m->parent_id, none, 16) != 0)
        sqlite3_bind_blob(s, 3, m->parent_id, 16, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, 3);
    sqlite3_bind_blob(s, 4, m->agent_id, 16, SQLITE_STATIC);
    bind_text(s, 5, m->name ? m->name : "");
    sqlite3_bind_int(s, 6, m->status);
    sqlite3_bind_int64(s, 7, clip(m->started_ns));
    sqlite3_bind_int64(s, 8, clip(m->duration_ns));
    sqlite3_bind_int64(s, 9, clip(m->received_ns));
    sqlite3_bind_int64(s, 10, m->llm_calls);
    sqlite3_bind_int64(s, 11, m->prompt_tokens);
    sqlite3_bind_int64(s, 12, m->completion_tokens);
    bind_text(s, 13, m->model);
    bind_text(s, 14, m->error_type);
    bind_text(s, 15, m->error_message);
    bind_text(s, 16, m->input_preview);
    bind_text(s, 17, m->output_preview);
    int rc = inf_sqlite_finish(store, s);
    if (rc < 0)
        return rc;

    const void *bytes;
    size_t length;
    int encoding = encode(store, row, &bytes, &length);
    s = inf_sqlite_statement(store, INF_STMT_BODY_INSERT);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_int(s, 2, encoding);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)row->body_length);
    sqlite3_bind_blob64(s, 4, length ? bytes : "", length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

static int remove_row(inf_store *store, sqlite3_int64 sequence)
{
    static const enum inf_store_statement both[] = {INF_STMT_TRACE_DELETE, INF_STMT_BODY_DELETE};
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *s = inf_sqlite_statement(store, both[i]);
        if (!s)
            return INF_EIO;
        sqlite3_bind_int64(s, 1, sequence);
        int rc = inf_sqlite_finish(store, s);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put(inf_store *store, inf_store_put *row, uint64_t *sequence)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_TRACE_FIND);
    if (!s)
        return INF_EIO;
    sqlite3_bind_blob(s, 1, row->summary.trace_id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, row->summary.agent_id, 16, SQLITE_STATIC);
    int step = sqlite3_step(s);
    sqlite3_int64 old = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    uint8_t stored = step == SQLITE_ROW ? (uint8_t)sqlite3_column_int(s, 1) : 0;
    bool own = step == SQLITE_ROW && sqlite3_column_int(s, 2) != 0;
    sqlite3_reset(s);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return inf_sqlite_error(store, step);
    row->duplicate = step == SQLITE_ROW && !(own && replaces(row->summary.status, stored));
    row->sequence = 0;
    if (row->duplicate)
        return 0;
    if (step == SQLITE_ROW) {
        int rc = remove_row(store, old);
        if (rc < 0)
            return rc;
    }
    row->sequence = ++*sequence;
    return insert(store, row, row->sequence);
}

static int set_sequence(inf_store *store, uint64_t sequence)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_SEQUENCE_SET);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    return inf_sqlite_finish(store, s);
}

int inf_store_put_traces(inf_store *store, inf_store_put *rows, size_t count)
{
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].body_length > INF_STORE_BODY_MAX)
            return INF_E2BIG;
    int rc = inf_sqlite_run(store, INF_STMT_BEGIN);
    if (rc < 0)
        return rc;
    uint64_t before = 0;
    rc = inf_store_sequence(store, &before);
    uint64_t sequence = before;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put(store, &rows[i], &sequence);
    if (rc == 0 && sequence != before)
        rc = set_sequence(store, sequence);
    if (rc == 0)
        rc = inf_sqlite_run(store, INF_STMT_COMMIT);
    if (rc < 0 && !sqlite3_get_autocommit(store->db)) {
        char why[sizeof store->message];
        memcpy(why, store->message, sizeof why);
        inf_sqlite_run(store, INF_STMT_ROLLBACK);
        memcpy(store->message, why, sizeof why);
    }
    return rc;
}

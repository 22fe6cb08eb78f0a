/* Writing traces: one transaction a batch, one row a trace id. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"
#include "store/tally.h"

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
        int rc = inf_sqlite_row_remove(store, (uint64_t)old, false);
        if (rc < 0)
            return rc;
    }
    row->sequence = ++*sequence;
    return inf_sqlite_row_insert(store, row, row->sequence);
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
    if (rc == 0)
        rc = inf_codec_refresh(store);
    uint64_t sequence = before;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put(store, &rows[i], &sequence);
    if (rc == 0)
        rc = inf_tally_write(store);
    if (rc == 0 && sequence != before)
        rc = set_sequence(store, sequence);
    return inf_sqlite_end(store, rc);
}

/* Reading traces: one with its body, those inside another, what changed, what an id's beginning may mean. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

static void copy_id(uint8_t out[16], sqlite3_stmt *s, int column)
{
    const void *blob = sqlite3_column_blob(s, column);
    if (blob && sqlite3_column_bytes(s, column) == 16)
        memcpy(out, blob, 16);
    else
        memset(out, 0, 16);
}

static const char *text(sqlite3_stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s, column);
}

void inf_sqlite_summary(sqlite3_stmt *s, inf_summary *out)
{
    copy_id(out->trace_id, s, 0);
    copy_id(out->parent_id, s, 1);
    copy_id(out->agent_id, s, 2);
    out->agent_name = text(s, 3);
    out->name = text(s, 4);
    out->status = (uint8_t)sqlite3_column_int(s, 5);
    out->started_ns = (uint64_t)sqlite3_column_int64(s, 6);
    out->duration_ns = (uint64_t)sqlite3_column_int64(s, 7);
    out->received_ns = (uint64_t)sqlite3_column_int64(s, 8);
    out->llm_calls = sqlite3_column_int64(s, 9);
    out->prompt_tokens = sqlite3_column_int64(s, 10);
    out->completion_tokens = sqlite3_column_int64(s, 11);
    out->model = text(s, 12);
    out->error_type = text(s, 13);
    out->error_message = text(s, 14);
    out->input_preview = text(s, 15);
    out->output_preview = text(s, 16);
    out->sequence = (uint64_t)sqlite3_column_int64(s, 17);
    out->cached_tokens = sqlite3_column_int64(s, 18);
    out->cache_write_tokens = sqlite3_column_int64(s, 19);
    out->reasoning_tokens = sqlite3_column_int64(s, 20);
    out->cost_nano_usd = sqlite3_column_int64(s, 21);
    out->session_id = text(s, 22);
    out->user_id = text(s, 23);
    out->tags = text(s, 24);
}

/* Steps through `s`, at most `limit` rows; *last gets the key of the last one handed out. */
int inf_sqlite_walk(inf_store *store, sqlite3_stmt *s, int limit, inf_store_row row, void *context, inf_summary *last,
                    bool *more)
{
    int step = SQLITE_DONE;
    int given = 0;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (given == limit) {
            *more = true;
            return 0;
        }
        inf_sqlite_summary(s, last);
        given++;
        int rc = row(context, last);
        if (rc != 0)
            return rc;
    }
    return step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
}

static int read_body(inf_store *store, sqlite3_stmt *s, char **body, size_t *body_length)
{
    int encoding = sqlite3_column_int(s, 0);
    sqlite3_int64 length = sqlite3_column_int64(s, 1);
    const void *bytes = sqlite3_column_blob(s, 2);
    size_t stored = (size_t)sqlite3_column_bytes(s, 2);
    if (length < 0 || length > INF_STORE_BODY_MAX)
        return INF_EBADMSG;
    char *out = malloc((size_t)length + 1);
    if (!out)
        return INF_ENOMEM;
    int rc = inf_codec_decode(store, encoding, bytes, stored, out, (size_t)length);
    if (rc < 0) {
        free(out);
        return rc;
    }
    out[length] = 0;
    *body = out;
    *body_length = (size_t)length;
    return 0;
}

/* Moves the summary's text into memory of the handle: a statement that stays open would keep its snapshot. */
static int keep_texts(inf_store *store, inf_summary *summary)
{
    const char **texts[] = {
        &summary->agent_name,    &summary->name,          &summary->model,          &summary->error_type,
        &summary->error_message, &summary->input_preview, &summary->output_preview, &summary->session_id,
        &summary->user_id,       &summary->tags};
    size_t total = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        total += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    char *memory = malloc(total + 1);
    if (!memory)
        return INF_ENOMEM;
    free(store->texts);
    store->texts = memory;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!*texts[i])
            continue;
        size_t length = strlen(*texts[i]) + 1;
        memcpy(memory, *texts[i], length);
        *texts[i] = memory;
        memory += length;
    }
    return 0;
}

int inf_sqlite_body_get(inf_store *store, uint64_t sequence, char **body, size_t *body_length)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_BODY_GET);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW    ? read_body(store, s, body, body_length)
             : step == SQLITE_DONE ? INF_EBADMSG
                                   : inf_sqlite_error(store, step);
    sqlite3_reset(s);
    return rc;
}

int inf_sqlite_row_get(inf_store *store, uint64_t sequence, inf_summary *summary)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_ROW_GET);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    if (rc == 0) {
        inf_sqlite_summary(s, summary);
        rc = keep_texts(store, summary);
    }
    sqlite3_reset(s);
    return rc;
}

int inf_store_get(inf_store *store, const uint8_t trace_id[16], inf_summary *summary, char **body, size_t *body_length)
{
    /* The body is read while the first statement is open, so that both are of one snapshot: a trace that is replaced in
     * between gets another sequence number. */
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_TRACE_GET);
    int rc = 0;
    if (!s)
        return INF_EIO;
    sqlite3_bind_blob(s, 1, trace_id, 16, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        inf_sqlite_summary(s, summary);
        rc = keep_texts(store, summary);
        if (rc == 0)
            rc = inf_sqlite_body_get(store, summary->sequence, body, body_length);
    } else {
        rc = step == SQLITE_DONE ? INF_ENOTFOUND : inf_sqlite_error(store, step);
    }
    sqlite3_reset(s);
    return rc;
}

/* Selects summaries; `which` is the condition, the order and the limit. */
#define SUMMARIES(which) "SELECT " INF_SQLITE_SUMMARY_COLUMNS "FROM traces t " INF_SQLITE_AGENT which

/* Hands out the rows of `s`, whose parameter `limit_at` is the limit, and finalizes it. */
static int walk_all(inf_store *store, sqlite3_stmt *s, int limit_at, int limit, inf_store_row row, void *context)
{
    sqlite3_bind_int(s, limit_at, limit);
    inf_summary last = {0};
    bool more = false;
    int rc = inf_sqlite_walk(store, s, limit, row, context, &last, &more);
    sqlite3_finalize(s);
    return rc;
}

int inf_store_changes(inf_store *store, uint64_t sequence, int limit, inf_store_row row, void *context)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, SUMMARIES("WHERE t.seq > ?1 ORDER BY t.seq LIMIT ?2"));
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, sequence > INT64_MAX ? INT64_MAX : (sqlite3_int64)sequence);
    return walk_all(store, s, 2, limit, row, context);
}

int inf_store_sequence(inf_store *store, uint64_t *out)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_SEQUENCE_GET);
    if (!s)
        return INF_EIO;
    int step = sqlite3_step(s);
    int rc = 0;
    if (step == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(s, 0);
    else
        rc = inf_sqlite_error(store, step);
    sqlite3_reset(s);
    return rc;
}

int inf_store_children(inf_store *store, const uint8_t parent_id[16], int limit, inf_store_row row, void *context)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, SUMMARIES("WHERE t.parent_id = ?1 ORDER BY t.started_ns, t.id LIMIT ?2"));
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, parent_id, 16, SQLITE_STATIC);
    return walk_all(store, s, 2, limit, row, context);
}

int inf_store_find(inf_store *store, const uint8_t low[16], const uint8_t high[16], int limit, inf_store_row row,
                   void *context)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, SUMMARIES("WHERE t.id BETWEEN ?1 AND ?2 ORDER BY t.id LIMIT ?3"));
    if (rc < 0)
        return rc;
    sqlite3_bind_blob(s, 1, low, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, high, 16, SQLITE_STATIC);
    return walk_all(store, s, 3, limit, row, context);
}

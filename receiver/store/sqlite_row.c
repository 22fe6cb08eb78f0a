/* One trace's rows: its columns, its body, its tags, its words. Here they are put in and taken out together, so that
 * none of them is forgotten by a replacement or by retention. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "store/sqlite.h"
#include "store/tally.h"

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

static int insert_trace(inf_store *store, const inf_summary *m, uint64_t sequence)
{
    static const uint8_t none[16];
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
    sqlite3_bind_int64(s, 18, m->cached_tokens);
    sqlite3_bind_int64(s, 19, m->cache_write_tokens);
    sqlite3_bind_int64(s, 20, m->reasoning_tokens);
    sqlite3_bind_int64(s, 21, m->cost_nano_usd);
    bind_text(s, 22, m->session_id);
    bind_text(s, 23, m->user_id);
    bind_text(s, 24, m->tags);
    return inf_sqlite_finish(store, s);
}

static int insert_body(inf_store *store, const inf_store_put *row, uint64_t sequence)
{
    const void *bytes;
    size_t length;
    int encoding = inf_codec_encode(store, row->body, row->body_length, &bytes, &length);
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_BODY_INSERT);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_int(s, 2, encoding);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)row->body_length);
    sqlite3_bind_blob64(s, 4, length ? bytes : "", length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

int inf_sqlite_each_tag(inf_store *store, const inf_summary *m,
                        int (*each)(inf_store *store, const inf_summary *m, uint64_t sequence, const char *tag,
                                    size_t length),
                        uint64_t sequence)
{
    inf_json_value root;
    if (!m->tags)
        return 0;
    if (!store->json && !(store->json = inf_json_new()))
        return INF_ENOMEM;
    if (inf_json_parse(store->json, m->tags, strlen(m->tags), 0, &root) < 0)
        return 0;
    inf_json_iterator i = inf_json_iterate(root);
    while (inf_json_next(&i)) {
        const char *tag;
        size_t length;
        int rc = inf_json_as_string(i.value, &tag, &length) ? each(store, m, sequence, tag, length) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_tag(inf_store *store, const inf_summary *m, uint64_t sequence, const char *tag, size_t length)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_TAG_INSERT);
    if (!s)
        return INF_EIO;
    sqlite3_bind_text(s, 1, tag, (int)length, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, clip(m->started_ns));
    sqlite3_bind_blob(s, 3, m->trace_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)sequence);
    return inf_sqlite_finish(store, s);
}

static int remove_tag(inf_store *store, const inf_summary *m, uint64_t sequence, const char *tag, size_t length)
{
    (void)sequence;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_TAG_DELETE);
    if (!s)
        return INF_EIO;
    sqlite3_bind_text(s, 1, tag, (int)length, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, clip(m->started_ns));
    sqlite3_bind_blob(s, 3, m->trace_id, 16, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

int inf_sqlite_row_insert(inf_store *store, const inf_store_put *row, uint64_t sequence)
{
    const inf_summary *m = &row->summary;
    int rc = insert_trace(store, m, sequence);
    if (rc == 0)
        rc = insert_body(store, row, sequence);
    if (rc == 0)
        rc = inf_sqlite_each_tag(store, m, add_tag, sequence);
    if (rc == 0 && m->status != INF_STATUS_RUNNING)
        rc = inf_sqlite_words_add(store, sequence, m, row->body, row->body_length);
    if (rc == 0)
        rc = inf_tally_trace(store, m, 1, false);
    return rc;
}

static int delete_rows(inf_store *store, uint64_t sequence)
{
    static const enum inf_store_statement both[] = {INF_STMT_TRACE_DELETE, INF_STMT_BODY_DELETE};
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *s = inf_sqlite_statement(store, both[i]);
        if (!s)
            return INF_EIO;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
        int rc = inf_sqlite_finish(store, s);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Up to this sequence number traces were stored before there were words and sums: none of theirs is to be taken out. It
 * was written by a step of the schema and stays as it is. */
static int uncounted(inf_store *store, int64_t *sequence)
{
    if (!store->uncounted_known) {
        sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_UNCOUNTED);
        if (!s)
            return INF_EIO;
        int step = sqlite3_step(s);
        store->uncounted = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
        sqlite3_reset(s);
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            return inf_sqlite_error(store, step);
        store->uncounted_known = true;
    }
    *sequence = store->uncounted;
    return 0;
}

int inf_sqlite_row_remove(inf_store *store, uint64_t sequence, bool forget)
{
    inf_summary m;
    char *body = NULL;
    size_t length = 0;
    int64_t before = 0;
    int rc = inf_sqlite_row_get(store, sequence, &m);
    if (rc == 0)
        rc = uncounted(store, &before);
    bool counted = (int64_t)sequence > before;
    if (rc == 0 && counted && m.status != INF_STATUS_RUNNING)
        rc = inf_sqlite_body_get(store, sequence, &body, &length);
    if (rc == 0 && body)
        rc = inf_sqlite_words_remove(store, sequence, &m, body, length);
    free(body);
    if (rc == INF_EBADMSG) /* damaged: its words stay, and lead to nothing; all else goes */
        rc = 0;
    if (rc == 0)
        rc = inf_sqlite_each_tag(store, &m, remove_tag, sequence);
    if (rc == 0 && counted)
        rc = inf_tally_trace(store, &m, -1, forget);
    if (rc == 0)
        rc = delete_rows(store, sequence);
    return rc;
}

/* Word search: an FTS5 index beside the traces that keeps words and sequence numbers and no text (content='',
 * detail=none, no column sizes: a fifth of the size of a full one). What it needs to forget a trace, the very text that
 * it was given, is read from the trace's row and body again.
 *
 * A trace is indexed once it has ended: name, error type and message, the whole input and output. */
#include <string.h>

#include "base/json_read.h"
#include "store/sqlite.h"

static void end_field(inf_store *store)
{
    inf_buf_put_byte(&store->text, '\n');
    store->text_ends[store->text_fields++] = store->text.length;
}

static void put_line(inf_store *store, const char *line)
{
    if (line) {
        inf_buf_put_text(&store->text, line);
        end_field(store);
    }
}

static void put_member(inf_store *store, inf_json_value body, const char *key)
{
    inf_json_value value;
    const char *string;
    size_t length;
    if (!inf_json_get(body, key, &value) || !inf_json_as_string(value, &string, &length))
        return;
    inf_buf_put(&store->text, string, length);
    end_field(store);
}

/* The same for the same row and body, whenever it is asked for. */
int inf_sqlite_words_text(inf_store *store, const inf_summary *m, const void *body, size_t length)
{
    inf_json_value root;
    if (!store->json && !(store->json = inf_json_new()))
        return INF_ENOMEM;
    inf_buf_reset(&store->text);
    store->text_fields = 0;
    put_line(store, m->name);
    put_line(store, m->error_type);
    put_line(store, m->error_message);
    if (inf_json_parse(store->json, body, length, 0, &root) == 0 && inf_json_type(root) == INF_JSON_OBJECT) {
        put_member(store, root, "input_summary");
        put_member(store, root, "output_summary");
    }
    return store->text.error;
}

int inf_sqlite_words_add(inf_store *store, uint64_t sequence, const inf_summary *m, const void *body, size_t length)
{
    int rc = inf_sqlite_words_text(store, m, body, length);
    sqlite3_stmt *s = rc == 0 ? inf_sqlite_statement(store, INF_STMT_WORDS_ADD) : NULL;
    if (!s)
        return rc < 0 ? rc : INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_text(s, 2, (const char *)store->text.data, (int)store->text.length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

int inf_sqlite_words_remove(inf_store *store, uint64_t sequence, const inf_summary *m, const void *body, size_t length)
{
    int rc = inf_sqlite_words_text(store, m, body, length);
    sqlite3_stmt *s = rc == 0 ? inf_sqlite_statement(store, INF_STMT_WORDS_REMOVE) : NULL;
    if (!s)
        return rc < 0 ? rc : INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_text(s, 2, (const char *)store->text.data, (int)store->text.length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

/* Word search: an FTS5 index beside the traces that keeps words and sequence numbers and no text (content='',
 * detail=none, no column sizes: a fifth of the size of a full one). What it needs to forget a trace, the very text that
 * it was given, is read from the trace's row and body again.
 *
 * A trace is indexed once it has ended: name, error type and message, the whole input and output. */
#include <string.h>

#include "base/json_read.h"
#include "store/sqlite.h"

enum { WORDS_MAX = 32 };

/* Code points past ASCII that separate words, as the index's tokenizer (unicode61) sees them: the common punctuation,
 * spaces and symbols. */
static bool separates(unsigned c)
{
    return (c >= 0x80 && c <= 0xa9) || (c >= 0xab && c <= 0xb1) || c == 0xb4 || (c >= 0xb6 && c <= 0xb8) || c == 0xbb ||
           c == 0xbf || c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c <= 0x206f) || (c >= 0x20a0 && c <= 0x20cf) ||
           (c >= 0x2190 && c <= 0x245f) || (c >= 0x2500 && c <= 0x2bff) || (c >= 0x3000 && c <= 0x3004) ||
           (c >= 0x3008 && c <= 0x3020) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff01 && c <= 0xff0f) ||
           (c >= 0xff1a && c <= 0xff20) || (c >= 0xff3b && c <= 0xff40) || (c >= 0xff5b && c <= 0xff65) ||
           (c >= 0x1f000 && c <= 0x1faff);
}

/* The length of the character at `at` if it belongs to a word, 0 if it does not; *skip: its length in any case. */
static size_t word_char(const unsigned char *at, size_t *skip)
{
    unsigned c = *at;
    *skip = 1;
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    c = n == 4 ? c & 7 : n == 3 ? c & 15 : n == 2 ? c & 31 : 0;
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0; /* no UTF-8: never part of a word */
        c = c << 6 | (at[i] & 63);
    }
    *skip = n;
    return n > 1 && !separates(c) ? n : 0;
}

size_t inf_search_query(const char *text, char *out, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    for (int words = 0; *at && words < WORDS_MAX;) {
        size_t skip;
        size_t length = 0;
        for (size_t n; at[length] && (n = word_char(at + length, &skip)) > 0;)
            length += n;
        if (length == 0) {
            word_char(at, &skip);
            at += skip;
            continue;
        }
        bool beginning = at[length] == '*';
        if (used + length + 5 > size)
            break; /* what is left out makes the search wider, never wrong */
        used += (size_t)(used > 0);
        if (used > 0)
            out[used - 1] = ' ';
        out[used++] = '"';
        memcpy(out + used, at, length);
        used += length;
        out[used++] = '"';
        if (beginning)
            out[used++] = '*';
        at += length;
        words++;
    }
    out[used] = 0;
    return used;
}

static void put_line(inf_buf *text, const char *line)
{
    if (line) {
        inf_buf_put_text(text, line);
        inf_buf_put_byte(text, '\n');
    }
}

static void put_member(inf_buf *text, inf_json_value body, const char *key)
{
    inf_json_value value;
    const char *string;
    size_t length;
    if (!inf_json_get(body, key, &value) || !inf_json_as_string(value, &string, &length))
        return;
    inf_buf_put(text, string, length);
    inf_buf_put_byte(text, '\n');
}

/* What is searched, into store->text: the same for the same row and body, whenever it is asked for. */
static int collect(inf_store *store, const inf_summary *m, const void *body, size_t length)
{
    inf_json_value root;
    if (!store->json && !(store->json = inf_json_new()))
        return INF_ENOMEM;
    inf_buf_reset(&store->text);
    put_line(&store->text, m->name);
    put_line(&store->text, m->error_type);
    put_line(&store->text, m->error_message);
    if (inf_json_parse(store->json, body, length, 0, &root) == 0 && inf_json_type(root) == INF_JSON_OBJECT) {
        put_member(&store->text, root, "input_summary");
        put_member(&store->text, root, "output_summary");
    }
    return store->text.error;
}

int inf_sqlite_words_add(inf_store *store, uint64_t sequence, const inf_summary *m, const void *body, size_t length)
{
    int rc = collect(store, m, body, length);
    sqlite3_stmt *s = rc == 0 ? inf_sqlite_statement(store, INF_STMT_WORDS_ADD) : NULL;
    if (!s)
        return rc < 0 ? rc : INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_text(s, 2, (const char *)store->text.data, (int)store->text.length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

int inf_sqlite_words_remove(inf_store *store, uint64_t sequence, const inf_summary *m, const void *body, size_t length)
{
    int rc = collect(store, m, body, length);
    sqlite3_stmt *s = rc == 0 ? inf_sqlite_statement(store, INF_STMT_WORDS_REMOVE) : NULL;
    if (!s)
        return rc < 0 ? rc : INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    sqlite3_bind_text(s, 2, (const char *)store->text.data, (int)store->text.length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

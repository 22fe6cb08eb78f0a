/* Lists: from a filter to one SQL statement, paged by the key (started_ns, id) of the last row handed out.
 *
 * Every filter has an index that ends in (started_ns, id), so that a page is read in order without sorting. Where
 * several filters are set, the one that leaves fewest rows leads and the others are looked at row by row. SQLite has no
 * figures to choose by (ANALYZE of ten million rows takes minutes), so the choice is made here and said with INDEXED
 * BY. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

enum { SQL_MAX = 4096, RARE = 4000 };

/* Parameters, by their numbers in the statement. */
enum {
    P_AGENT = 1,
    P_NAME,
    P_FROM,
    P_TO,
    P_STARTED, /* the cursor */
    P_ID,
    P_LIMIT,
    P_MODEL,
    P_TAG,
    P_SESSION,
    P_USER,
    P_PARENT,
    P_SHORTEST,
    P_LONGEST,
    P_WORDS,
    P_SEQ, /* the cursor of a search */
};

struct query {
    const inf_store_filter *filter;
    uint64_t started_ns; /* the cursor, if paged */
    uint8_t id[16];
    uint64_t seq;
    bool paged;
    bool by_duration; /* few rows fit min_duration_ns: they are looked up and sorted */
    char words[1024]; /* the FTS5 query; "" without one */
};

static bool read_hex(const char *text, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned value = 0;
        for (size_t k = 0; k < 2; k++) {
            char c = text[2 * i + k];
            int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
            if (digit < 0)
                return false;
            value = value * 16 + (unsigned)digit;
        }
        out[i] = (uint8_t)value;
    }
    return true;
}

static uint64_t big_endian(const uint8_t bytes[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* A cursor is the last row's key: 16 hexadecimal digits of started_ns, 32 of the id; of a search an "s" and 16 of the
 * sequence number. */
static bool read_cursor(struct query *q)
{
    const char *cursor = q->filter->cursor;
    uint8_t bytes[24];
    q->paged = true;
    if (q->words[0]) {
        if (strlen(cursor) != 17 || cursor[0] != 's' || !read_hex(cursor + 1, bytes, 8))
            return false;
        q->seq = big_endian(bytes);
        return q->seq <= INT64_MAX;
    }
    if (strlen(cursor) != 48 || !read_hex(cursor, bytes, 24))
        return false;
    q->started_ns = big_endian(bytes);
    memcpy(q->id, bytes + 8, 16);
    return q->started_ns <= INT64_MAX;
}

static void write_cursor(char out[INF_STORE_CURSOR_SIZE], const struct query *q, const inf_summary *last)
{
    if (q->words[0]) {
        snprintf(out, INF_STORE_CURSOR_SIZE, "s%016" PRIx64, last->sequence);
        return;
    }
    int n = snprintf(out, INF_STORE_CURSOR_SIZE, "%016" PRIx64, last->started_ns);
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, INF_STORE_CURSOR_SIZE - (size_t)n, "%02x", last->trace_id[i]);
}

static void add(char *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *sql, const char *format, ...)
{
    size_t n = strlen(sql);
    va_list args;
    va_start(args, format);
    vsnprintf(sql + n, SQL_MAX - n, format, args);
    va_end(args);
}

/* Where the rows come from, in the order in which they are wanted. */
static void add_source(char *sql, const struct query *q)
{
    const inf_store_filter *f = q->filter;
    if (q->words[0])
        add(sql, "FROM words w CROSS JOIN traces t ON t.seq = w.rowid ");
    else if (f->tag && !f->parent_id && !f->session_id && !f->user_id)
        add(sql, "FROM tags g CROSS JOIN traces t ON t.seq = g.seq ");
    else
        add(sql, "FROM traces t INDEXED BY %s ",
            f->parent_id                                   ? "traces_parent"
            : f->session_id                                ? "traces_session"
            : f->user_id                                   ? "traces_user"
            : q->by_duration                               ? "traces_duration"
            : f->status >= 0 && f->status != INF_STATUS_OK ? "traces_status"
            : f->name                                      ? "traces_name"
            : f->model                                     ? "traces_model"
            : f->agent_id                                  ? "traces_agent"
                                                           : "traces_started");
}

static bool by_tag(const struct query *q)
{
    const inf_store_filter *f = q->filter;
    return f->tag && !q->words[0] && !f->parent_id && !f->session_id && !f->user_id;
}

/* The status is written out, and the partial index's own condition with it, word for word: only so can the index be
 * chosen. */
static void add_where(char *sql, const struct query *q)
{
    const inf_store_filter *f = q->filter;
    const char *key = by_tag(q) ? "g" : "t"; /* whose (started_ns, id) the order is read from */
    add(sql, "WHERE 1 ");
    if (q->words[0])
        add(sql, "AND w.words MATCH ?%d ", P_WORDS);
    if (by_tag(q))
        add(sql, "AND g.tag = ?%d ", P_TAG);
    else if (f->tag)
        add(sql, "AND EXISTS(SELECT 1 FROM tags g WHERE g.tag = ?%d AND g.started_ns = t.started_ns AND g.id = t.id) ",
            P_TAG);
    if (f->agent_id)
        add(sql, "AND t.agent_id = ?%d ", P_AGENT);
    if (f->name)
        add(sql, "AND t.name = ?%d ", P_NAME);
    if (f->status >= 0 && f->status != INF_STATUS_OK)
        add(sql, "AND t.status <> 1 ");
    if (f->status >= 0)
        add(sql, "AND t.status = %d ", f->status);
    if (f->model)
        add(sql, "AND t.model = ?%d ", P_MODEL);
    if (f->session_id)
        add(sql, "AND t.session_id = ?%d ", P_SESSION);
    if (f->user_id)
        add(sql, "AND t.user_id = ?%d ", P_USER);
    if (f->parent_id)
        add(sql, "AND t.parent_id = ?%d ", P_PARENT);
    if (f->min_duration_ns)
        add(sql, "AND t.duration_ns >= ?%d ", P_SHORTEST);
    if (f->max_duration_ns)
        add(sql, "AND t.duration_ns <= ?%d ", P_LONGEST);
    if (f->from_ns)
        add(sql, "AND %s.started_ns >= ?%d ", key, P_FROM);
    if (f->to_ns)
        add(sql, "AND %s.started_ns < ?%d ", key, P_TO);
    if (q->paged && q->words[0])
        add(sql, "AND w.rowid < ?%d ", P_SEQ);
    else if (q->paged)
        add(sql, "AND (%s.started_ns, %s.id) < (?%d, ?%d) ", key, key, P_STARTED, P_ID);
}

static void bind_blob(sqlite3_stmt *s, int index, const uint8_t *id)
{
    if (id)
        sqlite3_bind_blob(s, index, id, 16, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *s, int index, uint64_t number)
{
    sqlite3_bind_int64(s, index, number > INT64_MAX ? INT64_MAX : (sqlite3_int64)number);
}

/* Numbers that the statement does not have are refused by SQLite, which does no harm. */
static void bind(sqlite3_stmt *s, const struct query *q)
{
    const inf_store_filter *f = q->filter;
    bind_blob(s, P_AGENT, f->agent_id);
    bind_text(s, P_NAME, f->name);
    bind_number(s, P_FROM, f->from_ns);
    bind_number(s, P_TO, f->to_ns);
    bind_text(s, P_MODEL, f->model);
    bind_text(s, P_TAG, f->tag);
    bind_text(s, P_SESSION, f->session_id);
    bind_text(s, P_USER, f->user_id);
    bind_blob(s, P_PARENT, f->parent_id);
    bind_number(s, P_SHORTEST, f->min_duration_ns);
    bind_number(s, P_LONGEST, f->max_duration_ns);
    if (q->words[0])
        bind_text(s, P_WORDS, q->words);
    if (!q->paged)
        return;
    bind_number(s, P_STARTED, q->started_ns);
    bind_blob(s, P_ID, q->id);
    bind_number(s, P_SEQ, q->seq);
}

/* Whether so few traces last that long that looking them up and sorting them is quicker than passing all others by. */
static int few_that_long(inf_store *store, uint64_t shortest_ns, bool *few)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT count(*) FROM (SELECT 1 FROM traces INDEXED BY traces_duration "
                                "WHERE duration_ns >= ?1 LIMIT ?2)");
    if (rc < 0)
        return rc;
    bind_number(s, 1, shortest_ns);
    sqlite3_bind_int(s, 2, RARE);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *few = sqlite3_column_int(s, 0) < RARE;
    else
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

/* 1: go on; 0: nothing can match; negative. */
static int start(inf_store *store, struct query *q, const inf_store_filter *filter)
{
    *q = (struct query){.filter = filter};
    if (filter->text && inf_search_query(filter->text, q->words, sizeof q->words) == 0)
        return 0;
    bool led = q->words[0] || filter->parent_id || filter->session_id || filter->user_id || filter->tag;
    if (filter->min_duration_ns && !led) {
        int rc = few_that_long(store, filter->min_duration_ns, &q->by_duration);
        if (rc < 0)
            return rc;
    }
    return 1;
}

int inf_store_list(inf_store *store, const inf_store_filter *filter, inf_store_row row, void *context,
                   char next_cursor[INF_STORE_CURSOR_SIZE])
{
    struct query q;
    if (next_cursor)
        next_cursor[0] = 0;
    int rc = start(store, &q, filter);
    if (rc <= 0)
        return rc;
    if (filter->cursor && *filter->cursor && !read_cursor(&q))
        return INF_EINVAL;

    char sql[SQL_MAX] = "SELECT " INF_SQLITE_SUMMARY_COLUMNS;
    add_source(sql, &q);
    add(sql, INF_SQLITE_AGENT);
    add_where(sql, &q);
    if (q.words[0])
        add(sql, "ORDER BY w.rowid DESC LIMIT ?%d", P_LIMIT);
    else
        add(sql, "ORDER BY %s.started_ns DESC, %s.id DESC LIMIT ?%d", by_tag(&q) ? "g" : "t", by_tag(&q) ? "g" : "t",
            P_LIMIT);
    sqlite3_stmt *s;
    rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    int limit = filter->limit > 0 ? filter->limit : 50;
    bind(s, &q);
    sqlite3_bind_int64(s, P_LIMIT, (sqlite3_int64)limit + 1);
    inf_summary last = {0};
    bool more = false;
    rc = inf_sqlite_walk(store, s, limit, row, context, &last, &more);
    if (more && next_cursor)
        write_cursor(next_cursor, &q, &last);
    sqlite3_finalize(s);
    return rc;
}

int64_t inf_store_count(inf_store *store, const inf_store_filter *filter)
{
    struct query q;
    int rc = start(store, &q, filter);
    if (rc <= 0)
        return rc;
    char sql[SQL_MAX] = "SELECT count(*) ";
    add_source(sql, &q);
    add_where(sql, &q);
    sqlite3_stmt *s;
    rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    bind(s, &q);
    int step = sqlite3_step(s);
    int64_t count = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return count;
}

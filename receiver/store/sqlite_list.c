/* Lists: from a filter to one SQL statement, paged by the key (started_ns, id) of the last row looked at.
 *
 * Every filter has an index that ends in (started_ns, id), so that a page is read in order without sorting. Where
 * several filters are set, the one that leaves fewest rows leads (sqlite_lead.c) and the others are looked at row by
 * row. Of filters that seldom meet, that could be all rows there are: so a call looks at so many rows, or for so long,
 * and then answers with what it has and a cursor to go on from (inf_enough() below). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/sqlite_list.h"

enum { RARE = 4000, LOOKS_BETWEEN = 32, MATCHES = 25 /* the column after the summary's */ };

/* ---- how much is enough ---- */

void inf_bound_begin(inf_bound *b, const inf_store_filter *filter)
{
    *b = (inf_bound){.most = filter->most_rows > 0 ? (uint32_t)filter->most_rows : INF_LOOK_ROWS,
                     .until_ns = inf_mono_ns() + (uint64_t)INF_LOOK_MS * 1000000};
}

bool inf_bound_look(inf_bound *b, uint32_t rows)
{
    b->looked += rows;
    b->unclocked += rows;
    if (b->unclocked >= LOOKS_BETWEEN) {
        b->unclocked = 0;
        b->passed = inf_mono_ns() > b->until_ns;
    }
    b->passed = b->passed || b->looked >= b->most;
    return b->passed;
}

static void enough(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count, (void)values;
    sqlite3_result_int(context, inf_bound_look(sqlite3_user_data(context), 1));
}

int inf_sqlite_register_bound(inf_store *store)
{
    int code = sqlite3_create_function_v2(store->db, "inf_enough", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, &store->bound,
                                          enough, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : inf_sqlite_error(store, code);
}

/* ---- cursors ---- */

bool inf_list_read_hex(const char *text, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (unsigned)digit;
    }
    return true;
}

/* A cursor is the last row's key: 16 hexadecimal digits of started_ns, 32 of the id. */
static bool read_cursor(struct inf_list *q)
{
    const char *cursor = q->filter->cursor;
    uint64_t id[2];
    q->paged = true;
    if (strlen(cursor) != 48 || !inf_list_read_hex(cursor, &q->started_ns) || !inf_list_read_hex(cursor + 16, &id[0]) ||
        !inf_list_read_hex(cursor + 32, &id[1]))
        return false;
    for (int i = 0; i < 16; i++)
        q->id[i] = (uint8_t)(id[i / 8] >> (56 - i % 8 * 8));
    return q->started_ns <= INT64_MAX;
}

static void write_cursor(char out[INF_STORE_CURSOR_SIZE], const inf_summary *last)
{
    int n = snprintf(out, INF_STORE_CURSOR_SIZE, "%016" PRIx64, last->started_ns);
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, INF_STORE_CURSOR_SIZE - (size_t)n, "%02x", last->trace_id[i]);
}

uint64_t inf_store_cursor_ns(const char *cursor)
{
    uint64_t ns;
    size_t at = cursor[0] == 's' ? 17 : 0;
    return strlen(cursor) >= at + 16 && inf_list_read_hex(cursor + at, &ns) ? ns : 0;
}

/* ---- SQL ---- */

/* The conditions; the indexes end in (started_ns, id) but for the durations'. */
static const struct {
    const char *index, *condition;
} fields[INF_LIST_FIELDS + 1] = {
    [INF_LIST_PARENT] = {"traces_parent", "t.parent_id = :parent"},
    [INF_LIST_SESSION] = {"traces_session", "t.session_id = :session"},
    [INF_LIST_USER] = {"traces_user", "t.user_id = :user"},
    [INF_LIST_TAG] = {NULL, "EXISTS(SELECT 1 FROM tags g WHERE g.tag = :tag AND g.started_ns = t.started_ns AND "
                            "g.id = t.id)"},
    [INF_LIST_STATUS] = {"traces_status", NULL},
    [INF_LIST_NAME] = {"traces_name", "t.name = :name"},
    [INF_LIST_MODEL] = {"traces_model", "t.model = :model"},
    [INF_LIST_AGENT] = {"traces_agent", "t.agent_id = :agent"},
    [INF_LIST_SHORTEST] = {"traces_duration", "t.duration_ns >= :shortest"},
    [INF_LIST_LONGEST] = {NULL, "t.duration_ns <= :longest"},
    [INF_LIST_STARTED] = {"traces_started", "1"},
};

void inf_list_add(char *sql, const char *format, ...)
{
    size_t n = strlen(sql);
    va_list args;
    va_start(args, format);
    vsnprintf(sql + n, INF_SQL_MAX - n, format, args);
    va_end(args);
}

bool inf_list_is_set(const inf_store_filter *f, enum inf_list_field field)
{
    const void *const given[] = {f->parent_id, f->session_id, f->user_id, f->tag, NULL, f->name, f->model, f->agent_id};
    return field == INF_LIST_STATUS     ? f->status >= 0
           : field == INF_LIST_SHORTEST ? f->min_duration_ns > 0
           : field == INF_LIST_LONGEST  ? f->max_duration_ns > 0
                                        : given[field] != NULL;
}

/* The status is written out, and the partial index's own condition with it, word for word: only so can the index be
 * chosen. */
static void add_condition(char *sql, const struct inf_list *q, enum inf_list_field field)
{
    int status = q->filter->status;
    if (field == INF_LIST_STATUS)
        inf_list_add(sql, "%st.status = %d ", status != INF_STATUS_OK ? "t.status <> 1 AND " : "", status);
    else
        inf_list_add(sql, "%s ", fields[field].condition);
}

void inf_list_add_conditions(char *sql, const struct inf_list *q, enum inf_list_field but)
{
    inf_list_add(sql, "1 ");
    for (int field = 0; field < INF_LIST_FIELDS; field++) {
        if ((enum inf_list_field)field == but || !inf_list_is_set(q->filter, (enum inf_list_field)field))
            continue;
        inf_list_add(sql, "AND ");
        add_condition(sql, q, (enum inf_list_field)field);
    }
}

static char row_name(const struct inf_list *q)
{
    return q->lead == INF_LIST_TAG ? 'g' : 't'; /* whose (started_ns, id) the order is read from */
}

void inf_list_add_lead(char *sql, const struct inf_list *q)
{
    const inf_store_filter *f = q->filter;
    if (q->lead == INF_LIST_TAG) {
        inf_list_add(sql, "WHERE g.tag = :tag ");
    } else {
        inf_list_add(sql, "WHERE ");
        add_condition(sql, q, q->lead);
    }
    if (f->from_ns)
        inf_list_add(sql, "AND %c.started_ns >= :from ", row_name(q));
    if (f->to_ns)
        inf_list_add(sql, "AND %c.started_ns < :to ", row_name(q));
}

void inf_list_add_table(char *sql, const struct inf_list *q, bool whole)
{
    if (q->lead == INF_LIST_TAG)
        inf_list_add(sql, "FROM tags g %s", whole ? "CROSS JOIN traces t ON t.seq = g.seq " : "");
    else
        inf_list_add(sql, "FROM traces t INDEXED BY %s ", fields[q->lead].index);
}

static void bind_text(sqlite3_stmt *s, const char *name, const char *text)
{
    int index = sqlite3_bind_parameter_index(s, name);
    if (text && index > 0)
        sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
}

static void bind_id(sqlite3_stmt *s, const char *name, const uint8_t *id)
{
    int index = sqlite3_bind_parameter_index(s, name);
    if (id && index > 0)
        sqlite3_bind_blob(s, index, id, 16, SQLITE_STATIC);
}

void inf_list_bind_number(sqlite3_stmt *s, const char *name, uint64_t number)
{
    int index = sqlite3_bind_parameter_index(s, name);
    if (index > 0)
        sqlite3_bind_int64(s, index, number > INT64_MAX ? INT64_MAX : (sqlite3_int64)number);
}

void inf_list_bind(sqlite3_stmt *s, const struct inf_list *q)
{
    const inf_store_filter *f = q->filter;
    bind_id(s, ":agent", f->agent_id);
    bind_id(s, ":parent", f->parent_id);
    bind_text(s, ":name", f->name);
    bind_text(s, ":model", f->model);
    bind_text(s, ":tag", f->tag);
    bind_text(s, ":session", f->session_id);
    bind_text(s, ":user", f->user_id);
    inf_list_bind_number(s, ":from", f->from_ns);
    inf_list_bind_number(s, ":to", f->to_ns);
    inf_list_bind_number(s, ":shortest", f->min_duration_ns);
    inf_list_bind_number(s, ":longest", f->max_duration_ns);
    inf_list_bind_number(s, ":cursor_ns", q->started_ns);
    bind_id(s, ":cursor_id", q->id);
}

/* ---- lists ---- */

/* Whether so few traces last that long that looking them up and sorting them is quicker than passing all others by. */
static int few_that_long(inf_store *store, uint64_t shortest_ns, bool *few)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT count(*) FROM (SELECT 1 FROM traces INDEXED BY traces_duration "
                                "WHERE duration_ns >= :shortest LIMIT :rare)");
    if (rc < 0)
        return rc;
    inf_list_bind_number(s, ":shortest", shortest_ns);
    inf_list_bind_number(s, ":rare", RARE);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *few = sqlite3_column_int(s, 0) < RARE;
    else
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

static int choose(inf_store *store, struct inf_list *q)
{
    bool few = false;
    int rc = inf_list_choose(store, q, q->filter->min_duration_ns > 0);
    bool led = q->lead < INF_LIST_STATUS || (q->estimate >= 0 && q->estimate < RARE);
    if (rc == 0 && q->filter->min_duration_ns && !led)
        rc = few_that_long(store, q->filter->min_duration_ns, &few);
    if (few)
        q->lead = INF_LIST_SHORTEST;
    return rc;
}

/* A row comes out when it matches, or when enough was looked at; the last column tells. Where the lead says all, or its
 * few rows are sorted, nothing has to be counted. */
static int prepare(inf_store *store, const struct inf_list *q, sqlite3_stmt **out)
{
    char sql[INF_SQL_MAX] = "SELECT " INF_SQLITE_SUMMARY_COLUMNS ", ";
    char row = row_name(q);
    inf_list_add_conditions(sql, q, q->lead);
    inf_list_add_table(sql, q, true);
    inf_list_add(sql, INF_SQLITE_AGENT);
    inf_list_add_lead(sql, q);
    if (q->paged)
        inf_list_add(sql, "AND (%c.started_ns, %c.id) < (:cursor_ns, :cursor_id) ", row, row);
    inf_list_add(sql, q->lead == INF_LIST_SHORTEST ? "AND (" : "AND (inf_enough() OR (");
    inf_list_add_conditions(sql, q, q->lead);
    inf_list_add(sql, q->lead == INF_LIST_SHORTEST ? ") " : ")) ");
    inf_list_add(sql, "ORDER BY %c.started_ns DESC, %c.id DESC LIMIT :limit", row, row);
    return inf_sqlite_prepare(store, out, sql);
}

static int walk(inf_store *store, sqlite3_stmt *s, int limit, inf_store_row row, void *context,
                char next_cursor[INF_STORE_CURSOR_SIZE])
{
    inf_summary m = {0};
    int step;
    for (int given = 0; (step = sqlite3_step(s)) == SQLITE_ROW;) {
        if (given == limit)
            return 0; /* the cursor is that of the row before */
        inf_sqlite_summary(s, &m);
        write_cursor(next_cursor, &m);
        int rc = 0;
        if (sqlite3_column_int(s, MATCHES)) {
            given++;
            rc = row(context, &m);
        }
        if (rc != 0 || store->bound.passed)
            return rc;
    }
    next_cursor[0] = 0;
    return step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
}

int inf_store_list(inf_store *store, const inf_store_filter *filter, inf_store_row row, void *context,
                   char next_cursor[INF_STORE_CURSOR_SIZE])
{
    struct inf_list q = {.filter = filter};
    char unwanted[INF_STORE_CURSOR_SIZE];
    sqlite3_stmt *s;
    if (!next_cursor)
        next_cursor = unwanted;
    next_cursor[0] = 0;
    if (filter->text)
        return inf_sqlite_search(store, filter, row, context, next_cursor);
    if (filter->cursor && *filter->cursor && !read_cursor(&q))
        return INF_EINVAL;
    inf_bound_begin(&store->bound, filter);
    int rc = choose(store, &q);
    if (rc == 0)
        rc = prepare(store, &q, &s);
    if (rc < 0)
        return rc;
    int limit = filter->limit > 0 ? filter->limit : 50;
    inf_list_bind(s, &q);
    inf_list_bind_number(s, ":limit", (uint64_t)limit + 1);
    rc = walk(store, s, limit, row, context, next_cursor);
    sqlite3_finalize(s);
    return rc;
}

/* ---- counting ---- */

static int one_more(void *context, const inf_summary *summary)
{
    (void)summary;
    ++*(int64_t *)context;
    return 0;
}

static int64_t count_found(inf_store *store, const inf_store_filter *filter)
{
    inf_store_filter f = *filter;
    char cursor[INF_STORE_CURSOR_SIZE] = "", next[INF_STORE_CURSOR_SIZE];
    int64_t count = 0;
    f.cursor = cursor;
    f.limit = INT32_MAX - 1;
    do {
        int rc = inf_store_list(store, &f, one_more, &count, next);
        if (rc != 0)
            return rc;
        memcpy(cursor, next, sizeof cursor);
    } while (*next);
    return count;
}

int64_t inf_store_count(inf_store *store, const inf_store_filter *filter)
{
    struct inf_list q = {.filter = filter};
    char sql[INF_SQL_MAX] = "SELECT count(*) ";
    sqlite3_stmt *s;
    if (filter->text)
        return count_found(store, filter);
    int rc = choose(store, &q);
    if (rc < 0)
        return rc;
    inf_list_add_table(sql, &q, true);
    inf_list_add_lead(sql, &q);
    inf_list_add(sql, "AND ");
    inf_list_add_conditions(sql, &q, q.lead);
    rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    inf_list_bind(s, &q);
    int step = sqlite3_step(s);
    int64_t count = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return count;
}

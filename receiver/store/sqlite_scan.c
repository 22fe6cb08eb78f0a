/* Searches: the traces that have all of some words, newest arrival first, paged by sequence number.
 *
 * Each word has a statement of its own, which gives the sequence numbers of its traces from the newest down. They are
 * moved towards each other until all stand on the same trace, a step at a time. Where a word stays far behind it is
 * started anew, which costs as much as thousands of steps; where that happens again and again, the others have so few
 * traces that it is quicker to look for the word in their texts. (The index's own AND cannot be stopped: two common
 * words that never meet take it seconds.) The beginning of a word is the few words that begin so, taken together; where
 * there are many, nearly every trace has one, and it is looked for in the text. So are phrases. A filter that leaves
 * few traces is one more list of numbers; the others are looked at in each trace that has the words.
 *
 * A cursor is "s", then 16 hexadecimal digits each: the sequence number from which on all has been looked at, when that
 * trace started, and the least number that can match (0: not known). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/sqlite_list.h"
#include "store/sqlite_query.h"

enum {
    TERMS_MAX = 48,      /* words of one beginning that are taken together */
    STEPS_MAX = 500,     /* before a new start */
    STARTS_MAX = 3,      /* of a word in one call */
    START_ROWS = 500,    /* what a new start counts for */
    VERIFY_ROWS = 16,    /* what reading a text counts for */
    FEW = 20000,         /* traces of a filter that become a list */
    LOWEST_ROWS = 150000 /* of a range of time that are looked at for the least number */
};

/* The traces of a word, or of none: all; newest first. */
struct source {
    sqlite3_stmt *s; /* NULL: given up, the text says it */
    int64_t at;      /* 0: there are no more */
    int word;        /* of the query; -1: none */
    int starts;
};

struct scan {
    inf_store *store;
    struct inf_list list;
    inf_search_query query;
    struct source sources[INF_QUERY_WORDS_MAX + 1];
    int count;
    int64_t *few; /* of the filter, ascending; NULL: not few */
    size_t few_count;
    sqlite3_stmt *lookup; /* a trace, if it is one of those that the filter wants */
    int64_t below;        /* numbers from here on have been looked at */
    int64_t lowest;
};

/* ---- beginnings of words ---- */

/* The index's words, by instances: the first one of a word is found without reading the others. Made for this
 * connection alone, which is no change to the store. */
static int make_terms(inf_store *store)
{
    int code = SQLITE_OK;
    if (store->read_only)
        code = sqlite3_exec(store->db, "PRAGMA query_only = OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->db,
                            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.terms USING fts5vocab(main, words, instance)",
                            NULL, NULL, NULL);
    int rc = code == SQLITE_OK ? 0 : inf_sqlite_error(store, code);
    if (store->read_only)
        code = sqlite3_exec(store->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
    return rc < 0 || code == SQLITE_OK ? rc : inf_sqlite_error(store, code);
}

static void put_match(inf_buf *match, const char *word, size_t length)
{
    inf_buf_put_text(match, match->length > 0 ? " OR \"" : "\"");
    inf_buf_put(match, word, length);
    inf_buf_put_byte(match, '"');
}

/* The next word that begins so, after the one in `term`, into it. 1, 0 or negative. */
static int next_term(inf_store *store, sqlite3_stmt *s, inf_buf *term)
{
    sqlite3_bind_text(s, 1, (const char *)term->data, (int)term->length, SQLITE_TRANSIENT);
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
    if (rc == 1) {
        inf_buf_reset(term);
        inf_buf_put(term, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        rc = term->error ? term->error : 1;
    }
    sqlite3_reset(s);
    return rc;
}

/* All words with a beginning as one query, in `match`. How many: more than TERMS_MAX are too many. */
static int expand(inf_store *store, const inf_search_word *w, inf_buf *match)
{
    sqlite3_stmt *s = NULL;
    inf_buf term, end;
    int count = 0;
    inf_buf_init(&term, 1024 * 1024);
    inf_buf_init(&end, 1024 * 1024);
    inf_buf_put(&term, w->text, (size_t)w->length);
    inf_buf_put(&end, w->text, (size_t)w->length);
    inf_buf_put_text(&end, "\xf4\x8f\xbf\xbf");
    int rc = term.error ? term.error : end.error;
    if (rc == 0)
        rc = inf_sqlite_prepare(store, &s, "SELECT term FROM temp.terms WHERE term >= ?1 AND term <= ?2 LIMIT 1");
    if (rc == 0)
        sqlite3_bind_text(s, 2, (const char *)end.data, (int)end.length, SQLITE_STATIC);
    while (rc == 0 && count <= TERMS_MAX && (rc = next_term(store, s, &term)) == 1) {
        put_match(match, (const char *)term.data, term.length);
        inf_buf_put_byte(&term, 1); /* no word has it: the next one is greater */
        count++;
        rc = term.error ? term.error : match->error;
    }
    sqlite3_finalize(s);
    inf_buf_free(&term);
    inf_buf_free(&end);
    return rc < 0 ? rc : count;
}

/* ---- sources ---- */

static int read_source(struct scan *c, struct source *source)
{
    int step = sqlite3_step(source->s);
    source->at = step == SQLITE_ROW ? sqlite3_column_int64(source->s, 0) : 0;
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(c->store, step);
}

/* Its newest trace that is not newer than `from`. */
static int start_source(struct scan *c, struct source *source, int64_t from)
{
    sqlite3_reset(source->s);
    inf_list_bind_number(source->s, ":from", (uint64_t)from);
    return read_source(c, source);
}

static int add_source(struct scan *c, const char *sql, int word, const inf_buf *match)
{
    struct source *source = &c->sources[c->count];
    int rc = inf_sqlite_prepare(c->store, &source->s, sql);
    if (rc < 0)
        return rc;
    c->count++;
    source->word = word;
    int index = sqlite3_bind_parameter_index(source->s, ":match");
    if (index > 0)
        sqlite3_bind_text(source->s, index, (const char *)match->data, (int)match->length, SQLITE_TRANSIENT);
    return start_source(c, source, c->below - 1);
}

/* 1: the word has a source, or has to be looked for in the text; 0: no trace has it. */
static int add_word(struct scan *c, int which)
{
    const inf_search_word *w = &c->query.words[which];
    inf_buf match;
    int terms = 1;
    inf_buf_init(&match, 1024 * 1024);
    if (w->beginning)
        terms = expand(c->store, w, &match);
    else
        put_match(&match, w->text, (size_t)w->length);
    int rc = terms < 0 ? terms : match.error;
    if (rc == 0 && terms > TERMS_MAX)
        inf_query_verify(&c->query, which);
    else if (rc == 0 && terms > 0)
        rc = add_source(c, "SELECT rowid FROM words WHERE words MATCH :match AND rowid <= :from ORDER BY rowid DESC",
                        which, &match);
    inf_buf_free(&match);
    return rc < 0 ? rc : terms > 0;
}

static int add_words(struct scan *c)
{
    int rc = 1;
    bool beginnings = false;
    for (int i = 0; i < c->query.count; i++)
        beginnings = beginnings || c->query.words[i].beginning;
    if (beginnings && make_terms(c->store) < 0)
        return INF_EIO;
    for (int i = 0; rc == 1 && i < c->query.count; i++)
        rc = add_word(c, i);
    if (rc == 1 && c->count == 0 && !c->few) /* nothing leads: every trace, from the newest down */
        rc = add_source(c, "SELECT seq FROM traces WHERE seq <= :from ORDER BY seq DESC", -1, NULL) < 0 ? INF_EIO : 1;
    return rc;
}

/* Moves on to its first trace that is not newer than `from`. */
static int advance(struct scan *c, struct source *source, int64_t from)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < STEPS_MAX && source->at > from; i++) {
        inf_bound_look(&c->store->bound, 1);
        rc = read_source(c, source);
    }
    if (rc < 0 || source->at <= from)
        return rc;
    if (source->starts++ < STARTS_MAX) {
        inf_bound_look(&c->store->bound, START_ROWS);
        return start_source(c, source, from);
    }
    sqlite3_finalize(source->s);
    source->s = NULL;
    inf_query_verify(&c->query, source->word);
    return 0;
}

/* The filter's newest trace that is not newer than `from`, 0: none. */
static int64_t advance_few(struct scan *c, int64_t from)
{
    size_t low = 0, high = c->few_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->few[middle] <= from)
            low = middle + 1;
        else
            high = middle;
    }
    c->few_count = low; /* what is above is done */
    return low > 0 ? c->few[low - 1] : 0;
}

/* The next trace below c->below that is in all of them, in *out; 0: there is none, or enough was looked at. */
static int next_common(struct scan *c, int64_t *out)
{
    int64_t at = c->below - 1;
    int agreed = 0;
    *out = 0;
    while (at > 0 && at >= c->lowest && agreed < c->count + 1) {
        agreed = 0;
        int64_t before = at;
        if (c->few)
            at = advance_few(c, at);
        agreed += at == before;
        for (int i = 0; at > 0 && i < c->count; i++) {
            struct source *source = &c->sources[i];
            int rc = source->s ? advance(c, source, at) : 0;
            if (rc < 0)
                return rc;
            agreed += !source->s || source->at == at;
            at = source->s ? source->at : at;
        }
        if (at > 0 && agreed < c->count + 1 && c->store->bound.passed) {
            c->below = at + 1;
            return 0;
        }
    }
    *out = at >= c->lowest ? at : 0;
    if (*out == 0)
        c->below = 0;
    return 0;
}

/* ---- the filter ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Numbers of the rows of a statement, in *out, at most `most` + 1 of them. */
static int read_numbers(struct scan *c, sqlite3_stmt *s, size_t most, int64_t *out, size_t *count)
{
    int step = SQLITE_DONE;
    *count = 0;
    while (*count <= most && (step = sqlite3_step(s)) == SQLITE_ROW)
        out[(*count)++] = sqlite3_column_int64(s, 0);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(c->store, step);
}

static int prepare_lead(struct scan *c, sqlite3_stmt **out)
{
    char sql[INF_SQL_MAX] = "";
    inf_list_add(sql, "SELECT %c.seq ", c->list.lead == INF_LIST_TAG ? 'g' : 't');
    inf_list_add_table(sql, &c->list, false);
    inf_list_add_lead(sql, &c->list);
    inf_list_add(sql, "LIMIT :limit");
    int rc = inf_sqlite_prepare(c->store, out, sql);
    inf_list_bind(*out, &c->list);
    return rc;
}

/* What the lead leaves, if that is few, as a list. */
static int collect_few(struct scan *c)
{
    const inf_store_filter *f = c->list.filter;
    sqlite3_stmt *s;
    if ((c->list.lead == INF_LIST_STARTED && !f->from_ns && !f->to_ns) || c->list.estimate > 4 * FEW)
        return 0;
    int64_t *numbers = malloc((FEW + 1) * sizeof *numbers);
    if (!numbers)
        return INF_ENOMEM;
    int rc = prepare_lead(c, &s);
    inf_list_bind_number(s, ":limit", FEW + 1);
    if (rc == 0)
        rc = read_numbers(c, s, FEW, numbers, &c->few_count);
    sqlite3_finalize(s);
    if (rc < 0 || c->few_count > FEW) {
        free(numbers);
        return rc;
    }
    qsort(numbers, c->few_count, sizeof *numbers, by_number);
    c->few = numbers;
    return 0;
}

/* The least number of what started since `from`, so that a search for what is not there ends where the range does. Of a
 * range that is too long it stays unknown. */
static int find_lowest(struct scan *c)
{
    sqlite3_stmt *s;
    int64_t lowest = INT64_MAX;
    int step = SQLITE_DONE;
    if (!c->list.filter->from_ns || c->few || c->list.paged)
        return 0;
    int rc =
        inf_sqlite_prepare(c->store, &s, "SELECT seq FROM traces INDEXED BY traces_started WHERE started_ns >= :from");
    inf_list_bind(s, &c->list);
    for (int i = 0; rc == 0 && i < LOWEST_ROWS && (step = sqlite3_step(s)) == SQLITE_ROW; i++) {
        int64_t seq = sqlite3_column_int64(s, 0);
        lowest = seq < lowest ? seq : lowest;
    }
    sqlite3_finalize(s);
    if (step == SQLITE_DONE)
        c->lowest = lowest;
    return rc < 0 || step == SQLITE_ROW || step == SQLITE_DONE ? rc : inf_sqlite_error(c->store, step);
}

static int prepare_lookup(struct scan *c)
{
    const inf_store_filter *f = c->list.filter;
    char sql[INF_SQL_MAX] = "SELECT " INF_SQLITE_SUMMARY_COLUMNS "FROM traces t " INF_SQLITE_AGENT
                            "WHERE t.seq = :seq AND t.status <> 0 AND ";
    inf_list_add_conditions(sql, &c->list, INF_LIST_STARTED);
    if (f->from_ns)
        inf_list_add(sql, "AND t.started_ns >= :from ");
    if (f->to_ns)
        inf_list_add(sql, "AND t.started_ns < :to ");
    int rc = inf_sqlite_prepare(c->store, &c->lookup, sql);
    inf_list_bind(c->lookup, &c->list);
    return rc;
}

/* ---- the search ---- */

/* Whether its text has what the index does not know. */
static int verify(struct scan *c, const inf_summary *m)
{
    char *body = NULL;
    size_t length = 0;
    if (!c->query.ends)
        return 1;
    inf_bound_look(&c->store->bound, VERIFY_ROWS);
    int rc = inf_sqlite_body_get(c->store, m->sequence, &body, &length);
    if (rc == 0)
        rc = inf_sqlite_words_text(c->store, m, body, length);
    if (rc == 0)
        rc = inf_query_holds(c->store, &c->query);
    free(body);
    return rc == INF_EBADMSG ? 0 : rc; /* damaged: it has nothing */
}

/* 1: handed out; 0: not wanted. What `row` returns, if not zero, is in *stop. */
static int hand_out(struct scan *c, int64_t seq, inf_store_row row, void *context, int *stop)
{
    inf_summary m;
    inf_list_bind_number(c->lookup, ":seq", (uint64_t)seq);
    inf_bound_look(&c->store->bound, 1);
    int step = sqlite3_step(c->lookup);
    int rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(c->store, step);
    if (step == SQLITE_ROW) {
        inf_sqlite_summary(c->lookup, &m);
        rc = verify(c, &m);
        if (rc == 1 && row)
            *stop = row(context, &m);
    }
    sqlite3_reset(c->lookup);
    return rc;
}

/* A page. c->below is where the next one begins, 0 when there is none. */
static int walk(struct scan *c, int limit, inf_store_row row, void *context)
{
    int given = 0, stop = 0;
    for (;;) {
        int64_t seq;
        int rc = next_common(c, &seq);
        if (rc < 0 || seq == 0)
            return rc;
        int64_t before = c->below;
        rc = hand_out(c, seq, given < limit ? row : NULL, context, &stop);
        if (rc < 0 || stop != 0)
            return rc < 0 ? rc : stop;
        if (rc == 1 && given++ == limit) {
            c->below = before; /* there is one more */
            return 0;
        }
        c->below = seq;
        if (c->store->bound.passed)
            return 0;
    }
}

/* 1: go on; 0: there is nothing, because nothing was asked for; negative. */
static int read_cursor(struct scan *c)
{
    const char *cursor = c->list.filter->cursor;
    uint64_t below, started, lowest;
    c->below = INT64_MAX;
    if (!cursor || !*cursor)
        return 0;
    if (strlen(cursor) != 49 || cursor[0] != 's' || !inf_list_read_hex(cursor + 1, &below) ||
        !inf_list_read_hex(cursor + 17, &started) || !inf_list_read_hex(cursor + 33, &lowest) || below == 0 ||
        below > INT64_MAX || lowest > INT64_MAX)
        return INF_EINVAL;
    c->below = (int64_t)below;
    c->lowest = (int64_t)lowest;
    c->list.paged = true;
    return 0;
}

static int write_cursor(struct scan *c, char out[INF_STORE_CURSOR_SIZE])
{
    sqlite3_stmt *s = inf_sqlite_statement(c->store, INF_STMT_START_GET);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, c->below);
    int step = sqlite3_step(s);
    uint64_t started_ns = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    snprintf(out, INF_STORE_CURSOR_SIZE, "s%016" PRIx64 "%016" PRIx64 "%016" PRIx64, (uint64_t)c->below, started_ns,
             (uint64_t)c->lowest);
    sqlite3_reset(s);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(c->store, step);
}

static int search(struct scan *c, inf_store_row row, void *context, char next_cursor[INF_STORE_CURSOR_SIZE])
{
    const inf_store_filter *f = c->list.filter;
    int rc = inf_list_choose(c->store, &c->list, true);
    if (rc == 0)
        rc = collect_few(c);
    if (rc == 0)
        rc = find_lowest(c);
    if (rc == 0)
        rc = prepare_lookup(c);
    if (rc == 0)
        rc = add_words(c);
    if (rc <= 0)
        return rc;
    rc = walk(c, f->limit > 0 ? f->limit : 50, row, context);
    return rc == 0 && c->below > 0 ? write_cursor(c, next_cursor) : rc;
}

static void free_scan(struct scan *c)
{
    for (int i = 0; i < c->count; i++)
        sqlite3_finalize(c->sources[i].s);
    sqlite3_finalize(c->lookup);
    free(c->few);
    free(c);
}

int inf_sqlite_search(inf_store *store, const inf_store_filter *filter, inf_store_row row, void *context,
                      char next_cursor[INF_STORE_CURSOR_SIZE])
{
    struct scan *c = calloc(1, sizeof *c);
    if (!c)
        return INF_ENOMEM;
    c->store = store;
    c->list.filter = filter;
    inf_bound_begin(&store->bound, filter);
    int rc = inf_query_parse(store, filter->text, &c->query);
    if (rc == 0)
        rc = read_cursor(c);
    /* All that is read is of one moment. */
    sqlite3_stmt *begin = rc == 0 && c->query.count > 0 ? inf_sqlite_statement(store, INF_STMT_BEGIN_READ) : NULL;
    if (begin)
        rc = inf_sqlite_finish(store, begin);
    if (begin && rc == 0) {
        rc = search(c, row, context, next_cursor);
        free_scan(c);
        int ended = inf_sqlite_run(store, INF_STMT_COMMIT);
        return rc == 0 && ended < 0 ? ended : rc;
    }
    free_scan(c);
    return rc;
}

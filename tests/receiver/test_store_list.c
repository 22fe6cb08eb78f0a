/* Lists of the store: every filter, alone and together, against a plain walk over the same traces; pages; words;
 * children; a store of the first schema version. */
#include <sqlite3.h>

#include "receiver/running.h"

enum { ROWS = 600, SHOWN = 7 };

static int make(void **state)
{
    struct running *r = calloc(1, sizeof *r);
    assert_non_null(r);
    make_dir(r);
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct running *r = *state;
    remove_tree(r->dir);
    free(r);
    return 0;
}

/* Traces made of a few values each, so that every combination of filters has some. */
struct one {
    inf_store_put put;
    char body[200], tags[64], session[16], user[16];
    const char *tag;
};

static struct one traces[ROWS];
static const char *const names[] = {"Mail", "Chat", "It's \"odd\" \xc3\xa9"};
static const char *const models[] = {"gpt", "claude", NULL};
static const char *const words[] = {"apple pie", "banana split", "Apfel \xc3\x84pfel", "apple banana"};
static uint8_t agents[2][16] = {{1}, {2}};
static uint8_t parent[16] = {42};

static void fill(inf_store *store)
{
    static inf_store_put rows[ROWS];
    unsigned random = 7;
    for (int i = 0; i < ROWS; i++) {
        struct one *t = &traces[i];
        inf_summary *m = &t->put.summary;
        random = random * 1103515245u + 12345u;
        unsigned x = random >> 8;
        memset(t, 0, sizeof *t);
        memcpy(m->trace_id, &x, sizeof x);
        m->trace_id[15] = (uint8_t)i;
        m->trace_id[14] = (uint8_t)(i >> 8);
        memcpy(m->agent_id, agents[x % 2], 16);
        m->name = names[x / 2 % 3];
        m->model = models[x / 6 % 3];
        m->status = (uint8_t)(x / 18 % 4);
        m->started_ns = 1000 + x / 72 % 50; /* many at the same time */
        m->duration_ns = x % 9 ? x % 100 : 1000000 + x % 10;
        m->cost_nano_usd = x % 5 ? (int64_t)x : -1;
        m->cached_tokens = x % 11;
        if (x % 4 == 0) {
            snprintf(t->session, sizeof t->session, "s%u", x % 5);
            m->session_id = t->session;
        }
        if (x % 3 == 0) {
            snprintf(t->user, sizeof t->user, "u%u", x % 7);
            m->user_id = t->user;
        }
        if (x % 7 == 0)
            memcpy(m->parent_id, parent, 16);
        t->tag = x % 5 == 0 ? "red" : x % 5 == 1 ? "blue" : NULL;
        if (t->tag) {
            snprintf(t->tags, sizeof t->tags, "[\"%s\",\"all\"]", t->tag);
            m->tags = t->tags;
        }
        snprintf(t->body, sizeof t->body,
                 "{\"name\":\"n\",\"input_summary\":\"in %s\",\"output_summary\":\"number%d out\"}", words[x % 4], i);
        t->put.body = t->body;
        t->put.body_length = strlen(t->body);
        rows[i] = t->put;
    }
    assert_int_equal(inf_store_put_traces(store, rows, ROWS), 0);
    for (int i = 0; i < ROWS; i++)
        traces[i].put = rows[i];
}

static bool same(const char *wanted, const char *is)
{
    return !wanted || (is && strcmp(wanted, is) == 0);
}

static bool has_words(const struct one *t, const char *text)
{
    if (!text)
        return true;
    if (t->put.summary.status == INF_STATUS_RUNNING)
        return false;
    if (strcmp(text, "app*") == 0 || strcmp(text, "apple") == 0)
        return strstr(t->body, "apple") != NULL;
    if (strcmp(text, "APPLE \"banana\"") == 0)
        return strstr(t->body, "apple banana") != NULL;
    if (strcmp(text, "\"apple banana\"") == 0)
        return strstr(t->body, "apple banana") != NULL;
    if (strcmp(text, "Num* \"in app* pie\"") == 0) /* too many words begin so to be looked up each */
        return strstr(t->body, "apple pie") != NULL;
    if (strcmp(text, "\"banana apple\"") == 0 || strcmp(text, "\"pie number*\"") == 0)
        return false; /* the other way round; at the end of one field and the beginning of the next */
    if (strcmp(text, "num*") == 0 || strcmp(text, "in") == 0)
        return true;
    assert_string_equal(text, "apfel");
    return strstr(t->body, "Apfel") != NULL;
}

static bool matches(const inf_store_filter *f, const struct one *t)
{
    const inf_summary *m = &t->put.summary;
    return (!f->agent_id || memcmp(f->agent_id, m->agent_id, 16) == 0) && same(f->name, m->name) &&
           (f->status < 0 || f->status == m->status) && (!f->from_ns || m->started_ns >= f->from_ns) &&
           (!f->to_ns || m->started_ns < f->to_ns) && same(f->model, m->model) &&
           (!f->tag || (t->tag && (strcmp(f->tag, "all") == 0 || strcmp(f->tag, t->tag) == 0))) &&
           same(f->session_id, m->session_id) && same(f->user_id, m->user_id) &&
           (!f->parent_id || memcmp(f->parent_id, m->parent_id, 16) == 0) &&
           (!f->min_duration_ns || m->duration_ns >= f->min_duration_ns) &&
           (!f->max_duration_ns || m->duration_ns <= f->max_duration_ns) && has_words(t, f->text);
}

struct seen {
    uint8_t ids[ROWS][16];
    uint64_t started[ROWS], sequences[ROWS];
    int count;
};

static int note(void *context, const inf_summary *m)
{
    struct seen *seen = context;
    assert_true(seen->count < ROWS);
    memcpy(seen->ids[seen->count], m->trace_id, 16);
    seen->started[seen->count] = m->started_ns;
    seen->sequences[seen->count++] = m->sequence;
    return 0;
}

/* All pages, however short. Returns how many there were. */
static int walk(inf_store *store, inf_store_filter f, struct seen *seen)
{
    char cursor[INF_STORE_CURSOR_SIZE] = "", next[INF_STORE_CURSOR_SIZE];
    int pages = 0;
    seen->count = 0;
    f.limit = SHOWN;
    do {
        f.cursor = *cursor ? cursor : NULL;
        int before = seen->count;
        if (inf_store_list(store, &f, note, seen, next) != 0)
            fail_msg("%s: %s", f.text ? f.text : "", inf_store_message(store));
        assert_true(seen->count <= before + SHOWN);
        assert_true(!*next || strcmp(cursor, next) != 0);
        memcpy(cursor, next, sizeof next);
        pages++;
        assert_true(pages <= 2 * ROWS);
    } while (*next);
    return pages;
}

static void check(inf_store *store, const inf_store_filter *f)
{
    static struct seen seen, by_little;
    inf_store_filter little = *f;
    little.most_rows = 29;
    walk(store, *f, &seen);
    walk(store, little, &by_little);
    assert_int_equal(by_little.count, seen.count);
    assert_memory_equal(by_little.ids, seen.ids, (size_t)seen.count * 16);
    int wanted = 0;
    for (int i = 0; i < ROWS; i++)
        wanted += matches(f, &traces[i]);
    assert_int_equal(seen.count, wanted);
    assert_int_equal(inf_store_count(store, f), wanted);
    for (int i = 0; i < seen.count; i++) {
        const struct one *t = NULL;
        for (int k = 0; k < ROWS && !t; k++)
            t = memcmp(traces[k].put.summary.trace_id, seen.ids[i], 16) == 0 ? &traces[k] : NULL;
        assert_non_null(t);
        assert_true(matches(f, t));
        if (i == 0)
            continue;
        if (f->text)
            assert_true(seen.sequences[i] < seen.sequences[i - 1]);
        else
            assert_true(seen.started[i] < seen.started[i - 1] ||
                        (seen.started[i] == seen.started[i - 1] && memcmp(seen.ids[i], seen.ids[i - 1], 16) < 0));
    }
}

static void set(inf_store_filter *f, int which, unsigned x)
{
    static const char *const texts[] = {"app*",
                                        "APPLE \"banana\"",
                                        "apfel",
                                        "\"apple banana\"",
                                        "Num* \"in app* pie\"",
                                        "\"banana apple\"",
                                        "\"pie number*\"",
                                        "num*"};
    switch (which) {
    case 0:
        f->agent_id = agents[x % 2];
        break;
    case 1:
        f->name = names[x % 3];
        break;
    case 2:
        f->status = (int)(x % 4);
        break;
    case 3:
        f->from_ns = 1000 + x % 50;
        break;
    case 4:
        f->to_ns = 1000 + x % 50;
        break;
    case 5:
        f->model = models[x % 2];
        break;
    case 6:
        f->tag = x % 3 == 0 ? "red" : x % 3 == 1 ? "all" : "none";
        break;
    case 7:
        f->session_id = "s2";
        break;
    case 8:
        f->user_id = x % 2 ? "u3" : "u0";
        break;
    case 9:
        f->parent_id = parent;
        break;
    case 10:
        f->min_duration_ns = x % 2 ? 50 : 1000000;
        break;
    case 11:
        f->max_duration_ns = x % 2 ? 60 : 1000004;
        break;
    default:
        f->text = texts[x % 8];
    }
}

static void every_filter_alone_and_together(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    inf_store_filter f = INF_STORE_FILTER_INIT;
    check(store, &f);
    for (int which = 0; which <= 12; which++) {
        for (unsigned x = 0; x < 8; x++) {
            f = (inf_store_filter)INF_STORE_FILTER_INIT;
            set(&f, which, x);
            check(store, &f);
        }
    }
    unsigned random = 1;
    for (int round = 0; round < 400; round++) {
        f = (inf_store_filter)INF_STORE_FILTER_INIT;
        for (int n = 0; n < 3; n++) {
            random = random * 1103515245u + 12345u;
            set(&f, (int)(random >> 16) % 13, random >> 8);
        }
        check(store, &f);
    }
    inf_store_close(store);
}

/* What seldom matches is looked for a bounded number of rows at a time. The cursor says how far back. */
static void a_call_looks_at_so_many_rows(void **state)
{
    inf_store *store = open_store(*state);
    static struct seen seen;
    char next[INF_STORE_CURSOR_SIZE];
    fill(store);
    inf_store_filter f = INF_STORE_FILTER_INIT;
    f.max_duration_ns = 1;
    f.most_rows = 10;
    assert_in_range(walk(store, f, &seen), ROWS / 10, ROWS / 10 + 1);
    f.text = "in"; /* all that have ended */
    int pages = walk(store, f, &seen);
    assert_in_range(pages, ROWS / 2 / 10, ROWS / 2); /* a word's start counts for many, a trace for two */
    f.text = "num*";
    assert_in_range(walk(store, f, &seen), seen.count, ROWS);
    f.text = NULL;
    seen.count = 0;
    assert_int_equal(inf_store_list(store, &f, note, &seen, next), 0);
    assert_true(inf_store_cursor_ns(next) >= 1000 && inf_store_cursor_ns(next) < 1050);
    f.text = "in";
    assert_int_equal(inf_store_list(store, &f, note, &seen, next), 0);
    assert_true(inf_store_cursor_ns(next) >= 1000 && inf_store_cursor_ns(next) < 1050);
    inf_store_close(store);
}

static int count_each(void *context, const inf_summary *m)
{
    int *times = context;
    times[m->trace_id[15] + 256 * m->trace_id[14]]++;
    return 0;
}

/* New traces between the pages: those that were there come once each, in a list and in a search. */
static void pages_while_traces_arrive(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    for (int search = 0; search < 2; search++) {
        static int times[65536];
        char cursor[INF_STORE_CURSOR_SIZE] = "", next[INF_STORE_CURSOR_SIZE];
        uint8_t fresh = 0;
        memset(times, 0, sizeof times);
        inf_store_filter f = INF_STORE_FILTER_INIT;
        f.model = "gpt";
        f.text = search ? "apple" : NULL;
        f.limit = 3;
        f.most_rows = 11;
        f.cursor = cursor;
        do {
            assert_int_equal(inf_store_list(store, &f, count_each, times, next), 0);
            memcpy(cursor, next, sizeof next);
            inf_store_put p = {.summary = {.name = "n", .model = "gpt", .status = INF_STATUS_OK, .started_ns = 2000},
                               .body = "{\"output_summary\":\"apple\"}",
                               .body_length = 26};
            p.summary.trace_id[0] = fresh++;
            p.summary.trace_id[13] = (uint8_t)(1 + search);
            p.summary.trace_id[14] = 255;
            assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
        } while (*next);
        assert_true(fresh > 5);
        f.cursor = NULL;
        for (int i = 0; i < ROWS; i++)
            assert_int_equal(times[i], matches(&f, &traces[i]));
    }
    inf_store_close(store);
}

static void cursors_of_others(void **state)
{
    inf_store *store = open_store(*state);
    static struct seen seen;
    static const char *const wrong[] = {"x", "s0000000000000001", "ffffffffffffffff00000000000000000000000000000000",
                                        "00000000000003e800000000000000000000000000000G00"};
    for (size_t i = 0; i < 4; i++) {
        inf_store_filter f = INF_STORE_FILTER_INIT;
        f.cursor = wrong[i];
        assert_int_equal(inf_store_list(store, &f, note, &seen, NULL), INF_EINVAL);
    }
    inf_store_filter f = INF_STORE_FILTER_INIT;
    f.text = "a";
    f.cursor = "00000000000003e800000000000000000000000000000000";
    assert_int_equal(inf_store_list(store, &f, note, &seen, NULL), INF_EINVAL);
    inf_store_close(store);
}

/* Whatever a reader types is words, never FTS5's own syntax. */
static void anything_can_be_searched_for(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    static struct seen seen;
    static const char *const odd[] = {"\"",
                                      "\"\"\"",
                                      "a AND",
                                      "NOT",
                                      "NEAR(a b)",
                                      "text:a",
                                      "a^",
                                      "(",
                                      "*",
                                      "-",
                                      "foo-bar",
                                      "\xe2\x80\x94",
                                      "caf\xc3\xa9\xe2\x80\x94"
                                      "bar",
                                      "x\xf0\x9f\x98\x80y",
                                      "\xff\xfe",
                                      "a\xc2",
                                      "'; DROP TABLE traces; --",
                                      "{a}",
                                      "a+b",
                                      "\xe6\xbc\xa2\xe5\xad\x97",
                                      "\xc2\xa0",
                                      "10\xe2\x82\xac",
                                      "a\xe3\x80\x8c"
                                      "b"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        inf_store_filter f = INF_STORE_FILTER_INIT;
        f.text = odd[i];
        seen.count = 0;
        if (inf_store_list(store, &f, note, &seen, NULL) != 0)
            fail_msg("%s: %s", odd[i], inf_store_message(store));
        assert_int_equal(seen.count, 0);
    }
    inf_store_filter f = INF_STORE_FILTER_INIT;
    f.text = "number17";
    seen.count = 0;
    assert_int_equal(inf_store_list(store, &f, note, &seen, NULL), 0);
    assert_int_equal(seen.count, traces[17].put.summary.status != INF_STATUS_RUNNING);
    inf_store_close(store);
}

static int one_more(void *context, const inf_summary *m)
{
    (void)m;
    ++*(int *)context;
    return 0;
}

static int count_found(inf_store *store, const char *text)
{
    inf_store_filter f = INF_STORE_FILTER_INIT;
    int count = 0;
    f.text = text;
    assert_int_equal(inf_store_list(store, &f, one_more, &count, NULL), 0);
    return count;
}

/* A word is the same word beside letters beyond ASCII, however long it is. */
static void long_words_are_found(void **state)
{
    inf_store *store = open_store(*state);
    char word[401], body[1000], beginning[20];
    memset(word, 'x', sizeof word - 1);
    memcpy(word, "zq", 2);
    word[sizeof word - 1] = 0;
    for (uint8_t i = 0; i < 2; i++) {
        inf_store_put p = {.summary = {.trace_id = {i + 1}, .name = "n", .status = INF_STATUS_OK, .cost_nano_usd = -1},
                           .body = body};
        p.body_length = (size_t)snprintf(body, sizeof body, "{\"input_summary\":\"%s%s\"}", word, i ? " \xc3\xa4" : "");
        assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    }
    snprintf(beginning, sizeof beginning, "%.5s*", word);
    assert_int_equal(count_found(store, word), 2);
    assert_int_equal(count_found(store, beginning), 2);
    snprintf(body, sizeof body, "%s \xc3\xa4", word);
    assert_int_equal(count_found(store, body), 1);
    inf_store_close(store);
}

/* What is replaced is not found by its old words or tags. */
static void replaced_traces_are_found_by_what_they_are(void **state)
{
    inf_store *store = open_store(*state);
    static struct seen seen;
    inf_store_put p = {.summary = {.name = "n", .status = INF_STATUS_INTERRUPTED, .trace_id = {1}, .tags = "[\"old\"]"},
                       .body = "{\"output_summary\":\"before\"}",
                       .body_length = 27};
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    p.summary.status = INF_STATUS_OK;
    p.summary.tags = "[\"new\"]";
    p.body = "{\"output_summary\":\"after!\"}";
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    static const char *const gone[] = {"before", NULL}, *const there[] = {"after", NULL};
    for (int i = 0; i < 2; i++) {
        inf_store_filter f = INF_STORE_FILTER_INIT;
        f.text = i ? there[0] : gone[0];
        seen.count = 0;
        assert_int_equal(inf_store_list(store, &f, note, &seen, NULL), 0);
        assert_int_equal(seen.count, i);
        f = (inf_store_filter)INF_STORE_FILTER_INIT;
        f.tag = i ? "new" : "old";
        assert_int_equal(inf_store_count(store, &f), i);
    }
    inf_store_close(store);
}

static void children_oldest_first(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    static struct seen seen;
    seen.count = 0;
    assert_int_equal(inf_store_children(store, parent, ROWS, note, &seen), 0);
    int wanted = 0;
    for (int i = 0; i < ROWS; i++)
        wanted += memcmp(traces[i].put.summary.parent_id, parent, 16) == 0;
    assert_int_equal(seen.count, wanted);
    for (int i = 1; i < seen.count; i++)
        assert_true(seen.started[i] >= seen.started[i - 1]);
    inf_store_close(store);
}

static void all_of_a_summary_comes_back(void **state)
{
    inf_store *store = open_store(*state);
    inf_store_put p = {.summary = {.name = "n",
                                   .status = INF_STATUS_OK,
                                   .trace_id = {1},
                                   .cached_tokens = 1,
                                   .cache_write_tokens = 2,
                                   .reasoning_tokens = 3,
                                   .cost_nano_usd = 4,
                                   .session_id = "s",
                                   .user_id = "u",
                                   .tags = "[\"t\"]"},
                       .body = "{}",
                       .body_length = 2};
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    inf_summary m;
    char *body;
    size_t length;
    assert_int_equal(inf_store_get(store, p.summary.trace_id, &m, &body, &length), 0);
    free(body);
    assert_int_equal(m.cached_tokens * 1000 + m.cache_write_tokens * 100 + m.reasoning_tokens * 10 + m.cost_nano_usd,
                     1234);
    assert_string_equal(m.session_id, "s");
    assert_string_equal(m.user_id, "u");
    assert_string_equal(m.tags, "[\"t\"]");
    inf_store_close(store);
}

/* The tables as the first version made them. */
static const char first_version[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID; INSERT INTO meta VALUES('sequence', 2);"
    "CREATE TABLE agents(id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, created_ns INTEGER NOT NULL, revoked_ns INTEGER,"
    "  salt BLOB NOT NULL, hash BLOB NOT NULL, iterations INTEGER NOT NULL);"
    "CREATE TABLE traces(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent_id BLOB, agent_id BLOB NOT NULL,"
    "  name TEXT NOT NULL, status INTEGER NOT NULL, started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,"
    "  received_ns INTEGER NOT NULL, llm_calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,"
    "  completion_tokens INTEGER NOT NULL, model TEXT, error_type TEXT, error_message TEXT, input_preview TEXT,"
    "  output_preview TEXT);"
    "CREATE INDEX traces_started ON traces(started_ns, id); CREATE INDEX traces_name ON traces(name, started_ns, id);"
    "CREATE INDEX traces_agent ON traces(agent_id, started_ns, id);"
    "CREATE INDEX traces_status ON traces(status, started_ns, id) WHERE status <> 1;"
    "CREATE TABLE bodies(seq INTEGER PRIMARY KEY, encoding INTEGER NOT NULL, length INTEGER NOT NULL, body BLOB NOT "
    "NULL);"
    "CREATE TABLE tokens(digest BLOB PRIMARY KEY, kind INTEGER NOT NULL, expires_ns INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO traces VALUES(1, x'01000000000000000000000000000000', NULL, x'07000000000000000000000000000000', "
    "'old', 1,"
    "  5000, 10, 6000, 0, 0, 0, 'm', NULL, NULL, 'in', 'out');"
    "INSERT INTO bodies VALUES(1, 0, 2, x'7b7d');"
    "INSERT INTO traces VALUES(2, x'02000000000000000000000000000000', NULL, x'07000000000000000000000000000000', "
    "'open', 0,"
    "  6000, 0, 6000, 0, 0, 0, NULL, NULL, NULL, NULL, NULL);"
    "INSERT INTO bodies VALUES(2, 0, 2, x'7b7d'); PRAGMA user_version = 1;";

static int add_value(void *context, const char *value, int64_t traces)
{
    assert_string_equal(value, "open");
    *(int64_t *)context += traces;
    return 0;
}

static void a_store_of_the_first_version(void **state)
{
    struct running *r = *state;
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, first_version, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    inf_store *store = open_store(r);
    static struct seen seen;
    seen.count = 0;
    inf_store_filter f = INF_STORE_FILTER_INIT;
    assert_int_equal(inf_store_list(store, &f, note, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    inf_summary m;
    char *body;
    size_t length;
    assert_int_equal(inf_store_get(store, (uint8_t[16]){1}, &m, &body, &length), 0);
    assert_string_equal(body, "{}");
    assert_string_equal(m.name, "old");
    assert_int_equal(m.cost_nano_usd, -1);
    assert_null(m.session_id);
    free(body);
    /* the open one ends */
    inf_store_put p = {.summary = {.name = "open",
                                   .started_ns = 6000,
                                   .status = INF_STATUS_OK,
                                   .trace_id = {2},
                                   .agent_id = {7},
                                   .session_id = "s"},
                       .body = "{}",
                       .body_length = 2};
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    assert_false(p.duplicate);
    assert_int_equal(p.sequence, 3);
    /* the old one is deleted: nothing that was never counted is taken out */
    int removed;
    assert_int_equal(inf_store_purge(store, 5500, 0, 10, &removed), 0);
    assert_int_equal(removed, 1);
    int64_t named = 0;
    assert_int_equal(inf_store_values(store, INF_FIELD_NAME, NULL, NULL, 0, add_value, &named), 0);
    assert_int_equal(named, 1);
    assert_int_equal(inf_store_check(store, NULL, false), 0);
    inf_store_close(store);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(every_filter_alone_and_together),
        TEST(a_call_looks_at_so_many_rows),
        TEST(pages_while_traces_arrive),
        TEST(cursors_of_others),
        TEST(anything_can_be_searched_for),
        TEST(long_words_are_found),
        TEST(replaced_traces_are_found_by_what_they_are),
        TEST(children_oldest_first),
        TEST(all_of_a_summary_comes_back),
        TEST(a_store_of_the_first_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

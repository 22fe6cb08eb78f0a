/* The index of words: what is a word of plain text, that nothing of a trace stays in it, how it is written, and that a
 * store from before is written so as well. */
#include <sqlite3.h>

#include "receiver/running.h"
#include "store/sqlite.h"

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

static int64_t number(inf_store *store, const char *sql)
{
    sqlite3_stmt *s;
    assert_int_equal(inf_sqlite_prepare(store, &s, sql), 0);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void execute(inf_store *store, const char *sql)
{
    assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* How many pairs of a word and a trace there are. */
static int64_t postings(inf_store *store)
{
    execute(store, "CREATE VIRTUAL TABLE IF NOT EXISTS temp.v USING fts5vocab('main', 'words', 'instance')");
    return number(store, "SELECT count(*) FROM temp.v");
}

static inf_store_put a_trace(uint32_t id, const char *name, const char *body)
{
    inf_store_put p = {.summary = {.name = name, .status = INF_STATUS_OK, .started_ns = 1000 + id, .agent_id = {7}},
                       .body = body,
                       .body_length = strlen(body)};
    memcpy(p.summary.trace_id, &id, sizeof id);
    return p;
}

static int count_row(void *context, const inf_summary *m)
{
    (void)m;
    ++*(int *)context;
    return 0;
}

static int found(inf_store *store, const char *text)
{
    int count = 0;
    inf_store_filter f = INF_STORE_FILTER_INIT;
    f.text = text;
    assert_int_equal(inf_store_list(store, &f, count_row, &count, NULL), 0);
    return count;
}

/* A word of its own for every length: all of the letter that the length stands for, and of one digit. */
static void a_word(char *out, int length, bool large)
{
    memset(out, (large ? 'A' : 'a') + length % 26, (size_t)length);
    out[length / 2] = (char)('0' + length % 10);
    out[length] = 0;
}

enum { LENGTHS = 40 };
static const int longer[] = {63, 64, 65, 255, 256};

static void words_of_every_length(void **state)
{
    static const char between[] = " .,;:/@[`{}^_-+=!?()<>|~#$%&*";
    char text[4096], word[512];
    size_t used = 0;
    inf_store *store = open_store(*state);
    for (int i = 1; i <= LENGTHS + 5; i++) {
        int length = i <= LENGTHS ? i : longer[i - LENGTHS - 1];
        a_word(text + used, length, i % 2);
        used += (size_t)length;
        for (int n = 0; n < i % 3 + 1; n++)
            text[used++] = between[(i + n) % (int)(sizeof between - 1)];
    }
    text[used++] = 'Z'; /* ends with a word, which is alone in no group of eight */
    text[used] = 0;
    inf_store_put p = a_trace(1, text, "{}");
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    assert_int_equal(postings(store), LENGTHS + 5 + 1);
    for (int i = 1; i <= LENGTHS + 5; i++) {
        a_word(word, i <= LENGTHS ? i : longer[i - LENGTHS - 1], i % 5 == 0);
        if (found(store, word) != 1)
            fail_msg("not found: %s", word);
        word[strlen(word) - 1] = 0; /* the words without their last letter are others, or none */
        if (i > 2 && i <= LENGTHS && found(store, word) != 0)
            fail_msg("found: %s", word);
    }
    assert_int_equal(found(store, "z"), 1);
    inf_store_close(store);
}

/* Of longer words the first 256 letters count, in plain text and in a question. */
static void very_long_words(void **state)
{
    char text[1200], word[600];
    inf_store *store = open_store(*state);
    memset(text, 'q', 300);
    snprintf(text + 300, sizeof text - 300, " end");
    inf_store_put p = a_trace(1, text, "{}");
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    assert_int_equal(postings(store), 2);
    assert_int_equal(found(store, "end"), 1);
    memset(word, 'Q', 500);
    word[500] = 0;
    assert_int_equal(found(store, word), 1);
    word[256] = 0;
    assert_int_equal(found(store, word), 1);
    word[255] = 0;
    assert_int_equal(found(store, word), 0);
    inf_store_close(store);
}

/* Text beyond ASCII goes another way to the same words. */
static void other_alphabets(void **state)
{
    inf_store *store = open_store(*state);
    inf_store_put p = a_trace(1, "Plain WORDS, plain words. \xc3\x84pfel \xc3\xa4pfel apfel", "{}");
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    assert_int_equal(postings(store), 3);
    assert_int_equal(found(store, "words plain"), 1);
    assert_int_equal(found(store, "\xc3\x84PFEL"), 1);
    inf_store_close(store);
}

enum { MANY = 3000, WORDS_EACH = 60 };
static char bodies[MANY][WORDS_EACH * 12 + 64];

static void fill(inf_store *store)
{
    static inf_store_put rows[MANY];
    unsigned random = 1;
    for (uint32_t i = 0; i < MANY; i++) {
        size_t n = (size_t)snprintf(bodies[i], sizeof bodies[i], "{\"input_summary\":\"");
        for (int w = 0; w < WORDS_EACH; w++) {
            random = random * 1103515245u + 12345u;
            n += (size_t)snprintf(bodies[i] + n, sizeof bodies[i] - n, "w%x ", random >> 4);
        }
        snprintf(bodies[i] + n, sizeof bodies[i] - n, "\",\"output_summary\":\"out%u\"}", i);
        rows[i] = a_trace(i, i % 2 ? "odd" : "even", bodies[i]);
    }
    assert_int_equal(inf_store_put_traces(store, rows, MANY), 0);
}

static void a_transaction_is_one_segment_and_nothing_stays(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    assert_int_equal(number(store, "SELECT count(DISTINCT segid) FROM words_idx"), 1);
    assert_int_equal(found(store, "even out1234"), 1);
    assert_int_equal(found(store, "odd out1234"), 0);
    int removed, all = 0;
    do {
        assert_int_equal(inf_store_purge(store, 1000 + MANY - 10, 0, 500, &removed), 0);
        all += removed;
    } while (removed > 0);
    assert_int_equal(all, MANY - 10);
    assert_int_equal(found(store, "out1234"), 0);
    assert_int_equal(found(store, "out2995"), 1);
    assert_int_equal(inf_store_purge(store, UINT64_MAX, 0, 500, &removed), 0);
    assert_int_equal(removed, 10);
    assert_int_equal(postings(store), 0);
    inf_store_close(store);
}

/* A store whose index has the settings of before gets those of now, and keeps its words. */
static void a_store_of_before(void **state)
{
    char sql[256];
    inf_store *store = open_store(*state);
    inf_store_put p = a_trace(1, "kept", "{}");
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    /* The settings are the schema's newest step: one appended after it must be taken back here too. */
    snprintf(sql, sizeof sql,
             "DELETE FROM words_config WHERE k IN ('hashsize', 'crisismerge');"
             "UPDATE words_config SET v = 8 WHERE k = 'automerge'; PRAGMA user_version = %d",
             (int)number(store, "PRAGMA user_version") - 1);
    execute(store, sql);
    inf_store_close(store);
    store = open_store(*state);
    assert_int_equal(number(store, "SELECT v FROM words_config WHERE k = 'automerge'"), 16);
    assert_int_equal(number(store, "SELECT v FROM words_config WHERE k = 'crisismerge'"), 64);
    fill(store);
    assert_int_equal(number(store, "SELECT count(DISTINCT segid) FROM words_idx"), 2);
    assert_int_equal(found(store, "kept"), 1);
    inf_store_close(store);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(words_of_every_length), TEST(very_long_words),
        TEST(other_alphabets),       TEST(a_transaction_is_one_segment_and_nothing_stays),
        TEST(a_store_of_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

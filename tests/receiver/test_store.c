/* The store on its own: what is put comes back, schema versions, two handles at once, limits. */
#include <sqlite3.h>

#include "receiver/running.h"

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

static inf_store_put row(uint8_t id, uint8_t status, const char *body)
{
    inf_store_put p = {.summary = {.name = "n", .status = status, .started_ns = 1000u + id, .model = "m"},
                       .body = body,
                       .body_length = strlen(body)};
    memset(p.summary.trace_id, id, 16);
    memset(p.summary.agent_id, 7, 16);
    return p;
}

static void what_is_put_comes_back(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    static char large[200001];
    memset(large, 'x', sizeof large - 1);
    const char *bodies[] = {"{}", "", large, "{\"a\":1}"};
    for (uint8_t i = 0; i < 4; i++) {
        inf_store_put p = row((uint8_t)(i + 1), INF_STATUS_OK, bodies[i]);
        assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
        assert_false(p.duplicate);
        assert_int_equal(p.sequence, i + 1);
        inf_summary m;
        char *body;
        size_t length;
        assert_int_equal(inf_store_get(store, p.summary.trace_id, &m, &body, &length), 0);
        assert_int_equal(length, strlen(bodies[i]));
        assert_string_equal(body, bodies[i]);
        assert_string_equal(m.name, "n");
        assert_string_equal(m.model, "m");
        assert_null(m.agent_name);
        assert_null(m.error_type);
        free(body);
    }
    uint8_t none[16] = {99};
    inf_summary m;
    char *body;
    size_t length;
    assert_int_equal(inf_store_get(store, none, &m, &body, &length), INF_ENOTFOUND);
    inf_store_close(store);
}

static void a_batch_is_all_or_nothing(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    inf_store *reader = open_store(r);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    inf_store_put rows[3] = {row(1, INF_STATUS_OK, "{}"), row(2, INF_STATUS_OK, "{}"), row(3, INF_STATUS_OK, "{}")};
    size_t length = rows[2].body_length;
    rows[2].body_length = (size_t)1 << 31; /* more than a row may hold; it is never read */
    assert_int_equal(inf_store_put_traces(store, rows, 3), INF_E2BIG);
    assert_int_equal(inf_store_count(reader, &all), 0);
    rows[2].body_length = length;
    assert_int_equal(inf_store_put_traces(store, rows, 3), 0);
    assert_int_equal(inf_store_count(reader, &all), 3);
    inf_store_put again[2] = {row(1, INF_STATUS_ERROR, "{\"x\":1}"), row(4, INF_STATUS_OK, "{}")};
    assert_int_equal(inf_store_put_traces(store, again, 2), 0);
    assert_true(again[0].duplicate);
    assert_false(again[1].duplicate);
    assert_int_equal(inf_store_count(reader, &all), 4);
    /* a reader's handle does not write */
    inf_store_close(reader);
    assert_int_equal(inf_store_open(&reader, r->dir, INF_STORE_READ_ONLY), 0);
    inf_store_put fifth = row(5, INF_STATUS_OK, "{}");
    assert_true(inf_store_put_traces(reader, &fifth, 1) < 0);
    assert_int_equal(inf_store_count(store, &all), 4);
    inf_store_close(reader);
    inf_store_close(store);
}

static int remember(void *context, const inf_summary *summary)
{
    uint8_t **next = context;
    *(*next)++ = summary->trace_id[0];
    return 0;
}

static void changes_come_in_their_order(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    for (uint8_t i = 1; i <= 5; i++) {
        inf_store_put p = row(i, i == 2 ? INF_STATUS_RUNNING : INF_STATUS_OK, "{}");
        assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    }
    inf_store_put p = row(2, INF_STATUS_OK, "{}"); /* the second changes */
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    assert_int_equal(p.sequence, 6);
    uint8_t seen[10] = {0}, *next = seen;
    assert_int_equal(inf_store_changes(store, 2, 10, remember, &next), 0);
    assert_memory_equal(seen, ((uint8_t[]){3, 4, 5, 2, 0}), 5);
    uint64_t sequence;
    assert_int_equal(inf_store_sequence(store, &sequence), 0);
    assert_int_equal(sequence, 6);
    inf_store_close(store);
}

static void a_newer_schema_is_refused(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    inf_store_close(store);
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(inf_store_open(&store, r->dir, 0), INF_EBADMSG);
    assert_non_null(strstr(inf_store_message(store), "newer version"));
    inf_store_close(store);
}

static void what_is_no_store(void **state)
{
    struct running *r = *state;
    inf_store *store;
    assert_int_equal(inf_store_open(&store, "/tmp/infinium-there-is-no-such-directory", 0), INF_ENOTFOUND);
    inf_store_close(store);
    char path[128];
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", f);
    fclose(f);
    assert_int_equal(inf_store_open(&store, r->dir, INF_STORE_CREATE), INF_EBADMSG);
    inf_store_close(store);
}

/* The filters' queries use an index: no list may grow slower with the table. */
static void lists_use_an_index(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    enum { ROWS = 20000 };
    static inf_store_put rows[1000];
    for (int i = 0; i < ROWS; i++) {
        inf_store_put *p = &rows[i % 1000];
        *p = row(1, i % 1000 ? INF_STATUS_OK : INF_STATUS_ERROR, "{}");
        memcpy(p->summary.trace_id, &i, sizeof i);
        p->summary.started_ns = 1000000u + (uint64_t)i;
        p->summary.name = i % 5000 ? "often" : "rare";
        if (i % 1000 == 999)
            assert_int_equal(inf_store_put_traces(store, rows, 1000), 0);
    }
    inf_store_filter rare = INF_STORE_FILTER_INIT;
    rare.name = "rare";
    assert_int_equal(inf_store_count(store, &rare), 4);
    inf_store_filter failed = INF_STORE_FILTER_INIT;
    failed.status = INF_STATUS_ERROR;
    assert_int_equal(inf_store_count(store, &failed), ROWS / 1000);
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    for (int i = 0; i < 100; i++) {
        uint8_t seen[64], *next = seen;
        inf_store_filter f = i % 2 ? rare : failed;
        f.limit = 10;
        assert_true(inf_store_list(store, &f, remember, &next, NULL) >= 0);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
#ifdef __SANITIZE_ADDRESS__
    ms /= 10;
#endif
    if (ms > 100) /* 100 lists; a scan of this table takes some 3 ms each */
        fail_msg("100 lists took %.1f ms of CPU", ms);
    inf_store_close(store);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_comes_back),    TEST(a_batch_is_all_or_nothing), TEST(changes_come_in_their_order),
        TEST(a_newer_schema_is_refused), TEST(what_is_no_store),          TEST(lists_use_an_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

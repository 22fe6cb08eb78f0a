/* What is summed beside the traces: over time, by group, sessions, values, against a plain walk over the same traces,
 * through replacements; and the sketch of durations. */
#include <sqlite3.h>

#include "receiver/running.h"
#include "store/sketch.h"
#include "store/sqlite.h"

enum { ROWS = 1500 };
#define MINUTE UINT64_C(60000000000)
#define START (UINT64_C(1700000000) * 1000000000)

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

static inf_store_put rows[ROWS];
static char sessions[ROWS][16];
static uint8_t agents[2][16] = {{1}, {2}};
static const char *const names[] = {"Mail", "Chat", "Rare"};
static const char *const models[] = {"gpt", "claude", NULL};

static unsigned random_state = 3;
static unsigned next_random(void)
{
    random_state = random_state * 1103515245u + 12345u;
    return random_state >> 8;
}

/* Half of them arrive as running first, some as interrupted, and get other figures at the end. */
static void fill(inf_store *store)
{
    for (int i = 0; i < ROWS; i++) {
        inf_summary *m = &rows[i].summary;
        memset(&rows[i], 0, sizeof rows[i]);
        memcpy(m->trace_id, &i, sizeof i);
        memcpy(m->agent_id, agents[next_random() % 2], 16);
        m->name = names[next_random() % 100 == 0 ? 2 : next_random() % 2];
        m->model = models[next_random() % 3];
        m->started_ns = START + next_random() % (4 * 1440) * MINUTE + next_random() % 1000;
        m->duration_ns = 1000 + next_random() % 1000 * (next_random() % 100) * 10000ull;
        m->prompt_tokens = next_random() % 1000;
        m->reasoning_tokens = next_random() % 10;
        m->cost_nano_usd = next_random() % 4 ? (int64_t)(next_random() % 100000) : -1;
        m->status = (uint8_t)(next_random() % 3   ? INF_STATUS_OK
                              : next_random() % 2 ? INF_STATUS_ERROR
                                                  : INF_STATUS_INTERRUPTED);
        m->tags = next_random() % 3 ? "[\"red\"]" : "[\"red\",\"blue\"]";
        snprintf(sessions[i], sizeof sessions[i], "s%u", next_random() % 20);
        m->session_id = sessions[i];
        m->user_id = next_random() % 2 ? "ann" : "bob";
        rows[i].body = "{}";
        rows[i].body_length = 2;
        inf_store_put first = rows[i];
        first.summary.status = next_random() % 2 ? INF_STATUS_RUNNING : INF_STATUS_INTERRUPTED;
        first.summary.duration_ns = 5;
        first.summary.prompt_tokens = 77777;
        first.summary.session_id = "first";
        first.summary.name = "Before";
        if (i % 2 && m->status != INF_STATUS_INTERRUPTED)
            assert_int_equal(inf_store_put_traces(store, &first, 1), 0);
    }
    for (int i = 0; i < ROWS; i += 500)
        assert_int_equal(inf_store_put_traces(store, rows + i, 500), 0);
}

static bool counts(const inf_store_filter *f, const inf_summary *m)
{
    return (!f->agent_id || memcmp(f->agent_id, m->agent_id, 16) == 0) && (!f->name || strcmp(f->name, m->name) == 0) &&
           (!f->model || (m->model && strcmp(f->model, m->model) == 0)) &&
           m->started_ns >= f->from_ns / MINUTE * MINUTE &&
           (!f->to_ns || m->started_ns < (f->to_ns + MINUTE - 1) / MINUTE * MINUTE);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void assert_near(uint64_t is, uint64_t wanted)
{
    uint64_t off = is > wanted ? is - wanted : wanted - is;
    if (off > wanted / 100 + 1)
        fail_msg("%llu is not near %llu", (unsigned long long)is, (unsigned long long)wanted);
}

/* One row against all traces that belong to it. */
static void check_row(const inf_store_filter *f, uint64_t start_ns, uint64_t end_ns, const inf_stats_row *row)
{
    static uint64_t durations[ROWS];
    inf_stats_row sums = {0};
    size_t n = 0;
    for (int i = 0; i < ROWS; i++) {
        const inf_summary *m = &rows[i].summary;
        if (!counts(f, m) || m->started_ns < start_ns || (end_ns && m->started_ns >= end_ns))
            continue;
        durations[n++] = m->duration_ns;
        sums.errors += m->status == INF_STATUS_ERROR;
        sums.interrupted += m->status == INF_STATUS_INTERRUPTED;
        sums.prompt_tokens += m->prompt_tokens;
        sums.reasoning_tokens += m->reasoning_tokens;
        sums.cost_nano_usd += m->cost_nano_usd > 0 ? m->cost_nano_usd : 0;
    }
    assert_int_equal(row->traces, n);
    assert_int_equal(row->errors, sums.errors);
    assert_int_equal(row->interrupted, sums.interrupted);
    assert_int_equal(row->prompt_tokens, sums.prompt_tokens);
    assert_int_equal(row->reasoning_tokens, sums.reasoning_tokens);
    assert_int_equal(row->cost_nano_usd, sums.cost_nano_usd);
    qsort(durations, n, sizeof *durations, by_number);
    assert_near(row->p50_ns, durations[(size_t)(0.50 * (double)(n - 1))]);
    assert_near(row->p95_ns, durations[(size_t)(0.95 * (double)(n - 1))]);
    assert_near(row->p99_ns, durations[(size_t)(0.99 * (double)(n - 1))]);
    assert_int_equal(row->max_ns, durations[n - 1]);
}

struct checking {
    inf_store_filter filter;
    uint64_t interval;
    uint64_t last_ns;
    int64_t traces, cost;
    int rows;
};

static int check_bucket(void *context, const inf_stats_row *row)
{
    struct checking *c = context;
    if (c->interval)
        assert_int_equal(row->start_ns % c->interval, 0);
    assert_true(c->rows == 0 || row->start_ns > c->last_ns);
    check_row(&c->filter, c->interval ? row->start_ns : 0, c->interval ? row->start_ns + c->interval : 0, row);
    c->last_ns = row->start_ns;
    c->traces += row->traces;
    c->rows++;
    return 0;
}

static void over_time(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    static const uint64_t minutes[] = {1, 5, 15, 60, 180, 360, 1440, 7, 0};
    for (int which = 0; which < 12; which += 1 + which % 2) {
        for (size_t k = 0; k < sizeof minutes / sizeof minutes[0]; k++) {
            struct checking c = {.filter = INF_STORE_FILTER_INIT, .interval = minutes[k] * MINUTE};
            c.filter.agent_id = which & 1 ? agents[0] : NULL;
            c.filter.name = which & 2 ? "Mail" : NULL;
            c.filter.model = which & 4 ? "gpt" : NULL;
            c.filter.from_ns = which & 8 ? START + 1000 * MINUTE + 5 : 0;
            c.filter.to_ns = which & 8 ? START + 4321 * MINUTE + 1 : 0;
            assert_int_equal(inf_store_stats(store, &c.filter, c.interval, INF_GROUP_NONE, 0, check_bucket, &c), 0);
            int64_t wanted = 0;
            for (int i = 0; i < ROWS; i++)
                wanted += counts(&c.filter, &rows[i].summary);
            assert_int_equal(c.traces, wanted);
        }
    }
    inf_store_close(store);
}

static int check_group(void *context, const inf_stats_row *row)
{
    struct checking *c = context;
    inf_store_filter f = c->filter;
    assert_true(c->rows == 0 || (uint64_t)row->traces <= c->last_ns); /* most traces first */
    f.name = row->key;
    check_row(&f, 0, 0, row);
    c->last_ns = (uint64_t)row->traces;
    c->traces += row->traces;
    c->rows++;
    return 0;
}

static int add_traces(void *context, const inf_stats_row *row)
{
    struct checking *c = context;
    assert_true(!row->key || *row->key);
    c->traces += row->traces;
    c->cost = row->cost_nano_usd;
    c->rows++;
    return 0;
}

static void by_group(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    struct checking c = {.filter = INF_STORE_FILTER_INIT};
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_NAME, 0, check_group, &c), 0);
    assert_int_equal(c.rows, 3);
    assert_int_equal(c.traces, ROWS);
    c = (struct checking){.filter = INF_STORE_FILTER_INIT};
    c.filter.from_ns = START + 500 * MINUTE;
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_NAME, 2, check_group, &c), 0);
    assert_int_equal(c.rows, 2);
    c = (struct checking){.filter = INF_STORE_FILTER_INIT};
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_MODEL, 0, add_traces, &c), 0);
    assert_int_equal(c.rows, 3);
    assert_int_equal(c.traces, ROWS);
    c = (struct checking){.filter = INF_STORE_FILTER_INIT};
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_AGENT, 0, add_traces, &c), 0);
    assert_int_equal(c.rows, 2);
    assert_int_equal(c.traces, ROWS);
    c.filter.text = "x";
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_AGENT, 0, add_traces, &c), INF_EINVAL);
    c.filter.text = NULL;
    assert_int_equal(inf_store_stats(store, &c.filter, 1, INF_GROUP_NONE, 0, add_traces, &c), INF_EINVAL);
    inf_store_close(store);
}

static int check_session(void *context, const inf_session_row *row)
{
    struct checking *c = context;
    int64_t traces = 0, errors = 0, prompt = 0;
    uint64_t last = 0;
    for (int i = 0; i < ROWS; i++) {
        const inf_summary *m = &rows[i].summary;
        if (strcmp(m->session_id, row->session_id) != 0 || memcmp(m->agent_id, row->agent_id, 16) != 0)
            continue;
        traces++;
        errors += m->status == INF_STATUS_ERROR;
        prompt += m->prompt_tokens;
        last = m->started_ns > last ? m->started_ns : last;
    }
    assert_int_equal(row->traces, traces);
    assert_int_equal(row->errors, errors);
    assert_int_equal(row->prompt_tokens, prompt);
    assert_int_equal(row->last_ns, last);
    assert_true(row->first_ns <= row->last_ns && row->user_id);
    assert_true(c->rows == 0 || row->last_ns <= c->last_ns);
    c->last_ns = row->last_ns;
    c->rows++;
    return 0;
}

static void sessions_and_their_pages(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    struct checking c = {.filter = INF_STORE_FILTER_INIT};
    char cursor[INF_STORE_CURSOR_SIZE] = "", next[INF_STORE_CURSOR_SIZE];
    c.filter.limit = 7;
    do {
        c.filter.cursor = cursor;
        assert_int_equal(inf_store_sessions(store, &c.filter, check_session, &c, next), 0);
        memcpy(cursor, next, sizeof next);
    } while (*next);
    assert_int_equal(c.rows, 40); /* and none called "first" */
    c = (struct checking){.filter = INF_STORE_FILTER_INIT};
    c.filter.agent_id = agents[1];
    c.filter.session_id = "s3";
    assert_int_equal(inf_store_sessions(store, &c.filter, check_session, &c, NULL), 0);
    assert_int_equal(c.rows, 1);
    c.filter.cursor = "0000";
    assert_int_equal(inf_store_sessions(store, &c.filter, check_session, &c, NULL), INF_EINVAL);
    inf_store_close(store);
}

struct values {
    char text[256];
    int64_t traces;
};

static int note_value(void *context, const char *value, int64_t traces)
{
    struct values *v = context;
    size_t n = strlen(v->text);
    snprintf(v->text + n, sizeof v->text - n, "%s ", value);
    v->traces += traces;
    return 0;
}

static void values_of_filters(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    struct values v = {0};
    assert_int_equal(inf_store_values(store, INF_FIELD_NAME, NULL, NULL, 0, note_value, &v), 0);
    assert_true(strcmp(v.text, "Mail Chat Rare ") == 0 || strcmp(v.text, "Chat Mail Rare ") == 0);
    assert_int_equal(v.traces, ROWS);
    v = (struct values){0};
    assert_int_equal(inf_store_values(store, INF_FIELD_TAG, "r", NULL, 0, note_value, &v), 0);
    assert_string_equal(v.text, "red ");
    assert_int_equal(v.traces, ROWS);
    v = (struct values){0};
    int64_t own = 0;
    for (int i = 0; i < ROWS; i++)
        own += memcmp(rows[i].summary.agent_id, agents[0], 16) == 0;
    assert_int_equal(inf_store_values(store, INF_FIELD_USER, "", agents[0], 0, note_value, &v), 0);
    assert_int_equal(v.traces, own);
    v = (struct values){0};
    assert_int_equal(inf_store_values(store, INF_FIELD_SESSION, "s1", NULL, 3, note_value, &v), 0);
    assert_int_equal(v.text[0], 's');
    v = (struct values){0};
    assert_int_equal(inf_store_values(store, INF_FIELD_MODEL, "cl", NULL, 3, note_value, &v), 0);
    assert_string_equal(v.text, "claude ");
    inf_store_close(store);
}

static int limit_pages(inf_store *store, int64_t pages)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)pages);
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

/* A full disk: SQLite rolls back by itself, and the drain tries again. Each try counts nothing until one succeeds, and
 * names that were new in it do not share a number with others. */
static void a_full_disk_counts_nothing(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    static char body[300000];
    unsigned random = 1;
    for (size_t i = 0; i < sizeof body - 1; i++) {
        random = random * 1103515245u + 12345u;
        body[i] = (char)('!' + random / 65536 % 90);
    }
    inf_store_put large[20];
    for (uint8_t i = 0; i < 20; i++)
        large[i] = (inf_store_put){
            .summary = {.name = "New", .status = INF_STATUS_OK, .trace_id = {0xee, i, 0xff, 0xff}, .started_ns = START},
            .body = body,
            .body_length = sizeof body - 1};
    int64_t bytes;
    assert_int_equal(inf_store_bytes(store, &bytes), 0);
    assert_int_equal(limit_pages(store, bytes / 4096 + 100), SQLITE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(inf_store_put_traces(store, large, 20), INF_ENOSPC);
    assert_int_equal(limit_pages(store, 1000000), SQLITE_OK);
    inf_store_put other = {
        .summary = {.name = "Other", .status = INF_STATUS_OK, .trace_id = {0xef, 0, 0xff, 0xff}, .started_ns = START},
        .body = "{}",
        .body_length = 2};
    assert_int_equal(inf_store_put_traces(store, &other, 1), 0);
    assert_int_equal(inf_store_put_traces(store, large, 20), 0);
    struct checking c = {.filter = INF_STORE_FILTER_INIT};
    c.filter.name = "New";
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_NONE, 0, add_traces, &c), 0);
    assert_int_equal(c.traces, 20);
    c = (struct checking){.filter = INF_STORE_FILTER_INIT};
    c.filter.name = "Other";
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_NONE, 0, add_traces, &c), 0);
    assert_int_equal(c.traces, 1);
    inf_store_close(store);
}

/* Far more rows than keys: groups are merged on the way. */
static void groups_over_a_long_time(void **state)
{
    inf_store *store = open_store(*state);
    static const char sql[] =
        "INSERT INTO labels(id, text) SELECT value, 'n' || value FROM (WITH RECURSIVE c(value) AS (SELECT 1 UNION ALL "
        "SELECT value + 1 FROM c WHERE value < 100) SELECT value FROM c);"
        "WITH RECURSIVE c(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM c WHERE value < 79999) "
        "INSERT INTO rollups SELECT 2, 1440, value / 100 * 1440, zeroblob(16), value % 100 + 1, -2, 1, 0, 0, 0, 0, 0, "
        "0, 0, 0, "
        "0, 5, x'' FROM c;";
    assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
    struct checking c = {.filter = INF_STORE_FILTER_INIT};
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_NAME, 0, add_traces, &c), 0);
    assert_int_equal(c.rows, 100);
    assert_int_equal(c.traces, 80000);
    inf_store_close(store);
}

/* Old minutes go step by step; coarser sums stay. */
static void old_sums_go(void **state)
{
    inf_store *store = open_store(*state);
    fill(store);
    struct checking c = {.filter = INF_STORE_FILTER_INIT};
    uint64_t later = START + UINT64_C(40) * 86400000000000; /* past 35 days for all of them */
    assert_int_equal(inf_store_purge_sums(store, START + 4 * 1440 * MINUTE), 0);
    assert_int_equal(inf_store_stats(store, &c.filter, MINUTE, INF_GROUP_NONE, 0, add_traces, &c), 0);
    assert_int_equal(c.traces, ROWS);
    for (int i = 0; i < 4 * 1440 / 60 + 2; i++)
        assert_int_equal(inf_store_purge_sums(store, later), 0);
    c = (struct checking){.filter = INF_STORE_FILTER_INIT};
    assert_int_equal(inf_store_stats(store, &c.filter, MINUTE, INF_GROUP_NONE, 0, add_traces, &c), 0);
    assert_int_equal(c.traces, 0);
    assert_int_equal(inf_store_stats(store, &c.filter, 15 * MINUTE, INF_GROUP_NONE, 0, add_traces, &c), 0);
    assert_int_equal(c.traces, ROWS);
    inf_store_close(store);
}

/* Costs without end stay at the largest number. */
static void sums_do_not_turn_over(void **state)
{
    inf_store *store = open_store(*state);
    struct checking c = {.filter = INF_STORE_FILTER_INIT};
    for (uint8_t i = 1; i <= 3; i++) {
        inf_store_put p = {
            .summary = {.name = "dear", .status = INF_STATUS_OK, .trace_id = {i}, .cost_nano_usd = INT64_MAX / 2},
            .body = "{}",
            .body_length = 2};
        assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    }
    assert_int_equal(inf_store_stats(store, &c.filter, 0, INF_GROUP_NONE, 0, add_traces, &c), 0);
    assert_int_equal(c.cost, INT64_MAX);
    inf_store_close(store);
}

/* Sums of a transaction that failed are not written with the next one. */
static void nothing_of_a_failed_batch_is_summed(void **state)
{
    inf_store *store = open_store(*state);
    inf_store_put two[2] = {
        {.summary = {.name = "a", .status = INF_STATUS_OK, .trace_id = {1}}, .body = "{}", .body_length = 2},
        {.summary = {.name = "b", .status = INF_STATUS_OK, .trace_id = {2}}, .body = "{}", .body_length = 2}};
    struct running *r = *state;
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TRIGGER no BEFORE INSERT ON traces WHEN new.name = 'b' "
                                  "BEGIN SELECT raise(ABORT, 'no'); END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_true(inf_store_put_traces(store, two, 2) < 0);
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER no", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(inf_store_put_traces(store, two, 1), 0);
    struct values v = {0};
    assert_int_equal(inf_store_values(store, INF_FIELD_NAME, NULL, NULL, 0, note_value, &v), 0);
    assert_string_equal(v.text, "a ");
    assert_int_equal(v.traces, 1);
    inf_store_close(store);
}

/* All of the counts as changes of an empty sketch. */
static size_t write_sketch(const uint32_t *counts, uint8_t *out)
{
    static inf_sketch_change changes[INF_SKETCH_BUCKETS];
    size_t count = 0;
    for (uint32_t i = 0; i < INF_SKETCH_BUCKETS; i++)
        if (counts[i])
            changes[count++] = (inf_sketch_change){i, (int32_t)counts[i]};
    return inf_sketch_merge(NULL, 0, changes, count, out);
}

static void the_sketch(void **state)
{
    (void)state;
    static uint32_t counts[INF_SKETCH_BUCKETS], again[INF_SKETCH_BUCKETS];
    static uint8_t sparse[INF_SKETCH_MAX];
    for (uint64_t ns = 1; ns < UINT64_C(1) << 62; ns += ns / 3 + 1) {
        unsigned index = inf_sketch_index(ns);
        assert_true(index < INF_SKETCH_BUCKETS);
        uint64_t value = inf_sketch_value(index);
        uint64_t off = value > ns ? value - ns : ns - value;
        assert_true(off <= ns / 128 + 1);
        assert_int_equal(inf_sketch_index(value), index);
        counts[index] += (uint32_t)(ns % 1000);
    }
    assert_true(inf_sketch_index(UINT64_MAX) < INF_SKETCH_BUCKETS);
    size_t length = write_sketch(counts, sparse);
    inf_sketch_read(sparse, length, again);
    assert_memory_equal(counts, again, sizeof counts);
    inf_sketch_read(sparse, length, again); /* merged with itself: the same percentiles */
    assert_int_equal(inf_sketch_quantile(counts, 0.5), inf_sketch_quantile(again, 0.5));
    for (size_t i = 0; i <= length; i++) /* cut anywhere */
        inf_sketch_read(sparse, i, again);
    memset(sparse, 0xff, sizeof sparse);
    inf_sketch_read(sparse, sizeof sparse, again);
    memset(counts, 0, sizeof counts);
    assert_int_equal(inf_sketch_quantile(counts, 0.5), 0);
    for (int i = 0; i < INF_SKETCH_BUCKETS; i++)
        counts[i] = INT32_MAX;
    length = write_sketch(counts, sparse);
    for (int i = 0; i < 3; i++) { /* past 32 bits a count stays where it is */
        static uint8_t more[INF_SKETCH_MAX];
        inf_sketch_change change = {7, INT32_MAX};
        length = inf_sketch_merge(sparse, length, &change, 1, more);
        assert_true(length <= INF_SKETCH_MAX);
        memcpy(sparse, more, length);
    }
    memset(again, 0, sizeof again);
    inf_sketch_read(sparse, length, again);
    assert_int_equal(again[7], UINT32_MAX);
    assert_int_equal(again[8], INT32_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(over_time),
        TEST(by_group),
        TEST(sessions_and_their_pages),
        TEST(values_of_filters),
        TEST(nothing_of_a_failed_batch_is_summed),
        TEST(old_sums_go),
        TEST(a_full_disk_counts_nothing),
        TEST(groups_over_a_long_time),
        TEST(sums_do_not_turn_over),
        cmocka_unit_test(the_sketch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

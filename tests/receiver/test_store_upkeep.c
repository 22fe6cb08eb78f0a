/* What is done to the store as a whole: dictionaries, retention, backup, checkpoints, a disk that is full, damage. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/log.h"
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

/* A body like a trace's, different for each number. */
static int body_of(uint32_t n, char out[600])
{
    return snprintf(out, 600,
                    "{\"name\":\"answer\",\"duration\":1.%u,\"input_summary\":\"question %u about %x\","
                    "\"output_summary\":\"the answer to %x is %u\",\"steps\":[{\"step_number\":1,\"action\":"
                    "\"execution\",\"description\":\"Execute answer\",\"llm_call\":{\"model\":\"gpt-4o\",\"provider\":"
                    "\"openai\",\"prompt_tokens\":%u,\"completion_tokens\":%u}}],\"environment\":{\"framework\":"
                    "\"infinium\",\"sdk_version\":\"0.1.0\"}}",
                    n, n, n * 2654435761u, n * 40503u, n * 7, n % 999, n % 77);
}

static void put_some(inf_store *store, uint32_t first, uint32_t count)
{
    enum { BATCH = 100 };
    static char bodies[BATCH][600];
    inf_store_put rows[BATCH] = {0};
    for (uint32_t i = 0; i < count; i += BATCH) {
        uint32_t n = count - i < BATCH ? count - i : BATCH;
        for (uint32_t k = 0; k < n; k++) {
            uint32_t id = first + i + k;
            rows[k] = (inf_store_put){.summary = {.name = "answer",
                                                  .status = INF_STATUS_OK,
                                                  .started_ns = 1000 + id,
                                                  .tags = "[\"t\"]",
                                                  .cost_nano_usd = -1},
                                      .body = bodies[k],
                                      .body_length = (size_t)body_of(id, bodies[k])};
            memcpy(rows[k].summary.trace_id, &id, sizeof id);
        }
        assert_int_equal(inf_store_put_traces(store, rows, n), 0);
    }
}

static void check_bodies(inf_store *store, uint32_t first, uint32_t last)
{
    for (uint32_t id = first; id <= last; id++) {
        uint8_t key[16] = {0};
        char expected[600], *body;
        size_t length;
        inf_summary m;
        memcpy(key, &id, sizeof id);
        int rc = inf_store_get(store, key, &m, &body, &length);
        if (rc < 0)
            fail_msg("trace %u: %d %s", id, rc, inf_store_message(store));
        assert_int_equal(length, body_of(id, expected));
        assert_string_equal(body, expected);
        free(body);
    }
}

static int64_t number(struct running *r, const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *s;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static void a_dictionary_is_trained_once(void **state)
{
    struct running *r = *state;
    inf_store *writer = open_store(r), *keeper = open_store(r), *reader = open_store(r);
    put_some(writer, 0, 1900);
    assert_int_equal(inf_store_train(keeper), 0); /* too few */
    put_some(writer, 1900, 200);
    assert_int_equal(inf_store_train(keeper), 1);
    assert_int_equal(inf_store_train(keeper), 0);
    put_some(writer, 2100, 300); /* taken up by a handle that was open before */
    assert_int_equal(number(r, "SELECT count(*) FROM bodies WHERE encoding = 2"), 300);
    int64_t before = number(r, "SELECT avg(length(body)) FROM bodies WHERE encoding < 2");
    int64_t after = number(r, "SELECT avg(length(body)) FROM bodies WHERE encoding = 2");
    if (after * 2 > before)
        fail_msg("%lld bytes a body before, %lld with a dictionary", (long long)before, (long long)after);
    check_bodies(reader, 0, 2399);
    inf_store_close(keeper);
    inf_store_close(reader);
    inf_store_close(writer);
    /* without its dictionary a body is damaged, not garbage */
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM dictionaries", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    reader = open_store(r);
    uint32_t id = 2200;
    uint8_t key[16] = {0};
    memcpy(key, &id, sizeof id);
    inf_summary m;
    char *body;
    size_t length;
    assert_int_equal(inf_store_get(reader, key, &m, &body, &length), INF_EBADMSG);
    assert_int_equal(inf_store_check(reader, NULL, false), 1);
    inf_store_close(reader);
}

static atomic_int warnings;

static void count_warnings(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    if (level == INF_LOG_WARNING && strstr(message, "sums and indexes take the rest"))
        atomic_fetch_add(&warnings, 1);
}

static void retention_takes_the_oldest(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    int removed, steps = 0;
    put_some(store, 0, 1000);
    assert_int_equal(inf_store_purge(store, 0, 0, 100, &removed), 0);
    assert_int_equal(removed, 0);
    do {
        assert_int_equal(inf_store_purge(store, 1000 + 250, 0, 100, &removed), 0);
        assert_true(removed <= 100);
        steps++;
    } while (removed > 0);
    assert_int_equal(steps, 4);
    assert_int_equal(inf_store_count(store, &all), 750);
    check_bodies(store, 250, 999);
    all.tag = "t";
    assert_int_equal(inf_store_count(store, &all), 750);
    all.text = "question";
    all.tag = NULL;
    assert_int_equal(inf_store_count(store, &all), 750);
    all.text = NULL;
    assert_int_equal(inf_store_check(store, NULL, false), 0);
    /* by size: what is free again does not count */
    int64_t bytes, now;
    assert_int_equal(inf_store_bytes(store, &bytes), 0);
    do
        assert_int_equal(inf_store_purge(store, 0, bytes / 2, 50, &removed), 0);
    while (removed > 0);
    assert_int_equal(inf_store_bytes(store, &now), 0);
    assert_true(now <= bytes / 2);
    int64_t left = inf_store_count(store, &all);
    assert_true(left > 50 && left < 700);
    check_bodies(store, (uint32_t)(1000 - left), 999);
    put_some(store, 5000, 100); /* into the pages that became free */
    inf_store_close(store);
}

/* Sums and indexes alone are more than the bound: the newest traces are not thrown away in vain, and that is said. */
static void retention_stops_where_it_does_not_help(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    int removed = 1, rc, steps = 0;
    put_some(store, 0, 3000);
    do
        rc = inf_store_purge(store, 0, 65536, 100, &removed); /* an empty store takes more */
    while (rc == 0 && removed > 0 && ++steps < 100);
    assert_int_equal(rc, INF_EFULL);
    assert_int_equal(removed, 0);
    int64_t left = inf_store_count(store, &all);
    assert_in_range(left, 1, 1000);
    check_bodies(store, (uint32_t)(3000 - left), 2999);
    assert_int_equal(inf_store_purge(store, 1000 + 3000 - (uint64_t)left / 2, 65536, 1000, &removed),
                     0); /* by age it goes on */
    assert_true(removed > 0);
    inf_store_close(store);
    /* A receiver says so once. */
    warnings = 0;
    inf_log_set_sink(count_warnings, NULL);
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.retention_bytes = 65536;
    start_with(r, &options);
    for (int i = 0; i < 200 && atomic_load(&warnings) == 0; i++)
        usleep(100000);
    usleep(500000);
    assert_int_equal(atomic_load(&warnings), 1);
    assert_true(stored(r) > 0);
    stop(r);
    inf_log_set_sink(NULL, NULL);
}

struct told {
    int calls, done, total, stop_after;
};

static int tell(void *context, int done, int total)
{
    struct told *t = context;
    t->done = done;
    t->total = total;
    return ++t->calls == t->stop_after ? 7 : 0;
}

static void a_backup_is_of_one_moment(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r), *writer = open_store(r);
    put_some(store, 0, 3000);
    struct running copy = {0};
    make_dir(&copy);
    mkdir(copy.dir, 0700);
    char path[128];
    snprintf(path, sizeof path, "%s/infinium.db", copy.dir);
    struct told t = {.stop_after = 1};
    assert_int_equal(inf_store_backup(store, path, tell, &t), 7); /* ended on the way: nothing is left */
    assert_int_equal(access(path, F_OK), -1);
    put_some(writer, 10000, 100);
    t = (struct told){0};
    assert_int_equal(inf_store_backup(store, path, tell, &t), 0);
    assert_true(t.calls > 0 && t.done == t.total && t.total > 0);
    put_some(writer, 20000, 100);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(inf_store_backup(store, path, NULL, NULL), INF_EEXIST);
    inf_store *other = open_store(&copy);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    assert_int_equal(inf_store_count(other, &all), 3100);
    check_bodies(other, 0, 2999);
    assert_int_equal(inf_store_check(other, NULL, false), 0);
    inf_store_close(other);
    inf_store_close(writer);
    inf_store_close(store);
    remove_tree(copy.dir);
}

/* Checkpoints by one handle while another writes: the log does not grow with what is written. */
static void the_log_stays_short(void **state)
{
    struct running *r = *state;
    inf_store *writer = open_store(r), *keeper = open_store(r);
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/infinium.db-wal", r->dir);
    put_some(writer, 0, 500);
    assert_int_equal(inf_store_checkpoint(keeper), 0);
    put_some(writer, 500, 500);
    assert_int_equal(stat(path, &st), 0);
    off_t once = st.st_size;
    for (uint32_t i = 1; i < 10; i++) {
        assert_int_equal(inf_store_checkpoint(keeper), 0);
        put_some(writer, i * 1000, 500);
    }
    assert_int_equal(stat(path, &st), 0);
    if (st.st_size > once * 3)
        fail_msg("the log grew from %lld to %lld bytes", (long long)once, (long long)st.st_size);
    inf_store_close(keeper);
    inf_store_close(writer);
}

/* A reader that stays keeps the log long; asking for a new one must not keep writers waiting for that reader. */
static void a_long_reader_holds_up_nobody(void **state)
{
    struct running *r = *state;
    inf_store *writer = open_store(r), *keeper = open_store(r);
    put_some(writer, 0, 100);
    char path[128];
    sqlite3 *reader;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM traces", NULL, NULL, NULL), SQLITE_OK);
    static char noise[1024 * 1024];
    uint64_t x = 1;
    for (size_t i = 0; i < sizeof noise; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        noise[i] = (char)(x >> 56);
    }
    for (uint8_t i = 1; i <= 70; i++) {
        inf_store_put p = {.summary = {.trace_id = {i, 0xee}, .name = "large", .status = INF_STATUS_RUNNING},
                           .body = noise,
                           .body_length = sizeof noise};
        assert_int_equal(inf_store_put_traces(writer, &p, 1), 0);
    }
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(inf_store_checkpoint(keeper), 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (b.tv_sec - a.tv_sec > 6) /* it would wait for 10 s */
        fail_msg("a checkpoint waited %ld s for a reader", (long)(b.tv_sec - a.tv_sec));
    sqlite3_close(reader);
    inf_store_close(keeper);
    inf_store_close(writer);
}

static void a_full_disk_stores_nothing_in_part(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    put_some(store, 0, 100);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = before;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/infinium.db-wal", r->dir);
    assert_int_equal(stat(path, &st), 0);
    small.rlim_cur = (rlim_t)st.st_size + 100000;
    static char large[600000];
    inf_store_put rows[2] = {
        {.summary = {.trace_id = {9, 9, 9, 9}, .name = "x", .status = INF_STATUS_OK}, .body = "{}", .body_length = 2},
        {.summary = {.trace_id = {8, 8, 8, 8}, .name = "y", .status = INF_STATUS_OK}}};
    uint64_t x = 1;
    for (size_t i = 0; i + 8 <= sizeof large; i += 8) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        for (int k = 0; k < 8; k++)
            large[i + (size_t)k] = (char)('!' + (x >> (8 + 6 * k)) % 90);
    }
    rows[1].body = large;
    rows[1].body_length = sizeof large;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = inf_store_put_traces(store, rows, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(rc < 0);
    assert_true(strlen(inf_store_message(store)) > 0);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    assert_int_equal(inf_store_count(store, &all), 100);
    assert_int_equal(inf_store_put_traces(store, rows, 2), 0); /* once there is room again */
    assert_int_equal(inf_store_count(store, &all), 102);
    assert_int_equal(inf_store_check(store, NULL, false), 0);
    inf_store_close(store);
}

static int keep_text(void *context, const char *text)
{
    char *out = context;
    if (!*out)
        snprintf(out, 200, "%s", text);
    return 0;
}

static void damage_is_said(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    put_some(store, 0, 3000);
    inf_store_close(store); /* the last handle: everything is in the one file */
    char path[128];
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    int fd = open(path, O_RDWR);
    struct stat st;
    char garbage[4096 * 4];
    memset(garbage, 0x5a, sizeof garbage);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, garbage, sizeof garbage, st.st_size / 2 / 4096 * 4096), sizeof garbage);
    close(fd);
    assert_int_equal(inf_store_open(&store, r->dir, 0), 0);
    char text[200] = "";
    inf_check_calls calls = {.say = keep_text, .context = text};
    assert_true(inf_store_check(store, &calls, false) > 0);
    assert_true(strlen(text) > 0);
    inf_store_close(store);
}

struct one_session {
    int rows;
    int64_t errors, tokens, cost;
    char user;
};

static int note_session(void *context, const inf_session_row *row)
{
    struct one_session *one = context;
    *one = (struct one_session){one->rows + 1, row->errors, row->prompt_tokens, row->cost_nano_usd,
                                row->user_id ? row->user_id[0] : 0};
    return 0;
}

static int end_it(void *context)
{
    ++*(int *)context;
    return 7;
}

static void spoil(const struct running *r, const char *sql)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Sums that are not those of the traces are found, and what can be is counted anew, to what it was. */
static void sums_are_checked_against_the_traces(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    int removed;
    put_some(store, 0, 1000);
    inf_store_put p = {.summary = {.trace_id = {9, 9, 9, 9, 9},
                                   .name = "n",
                                   .model = "m",
                                   .session_id = "s",
                                   .user_id = "u",
                                   .tags = "[\"a\",\"b\",\"a\",7]",
                                   .status = INF_STATUS_ERROR,
                                   .started_ns = 9000,
                                   .prompt_tokens = 3,
                                   .cost_nano_usd = 5},
                       .body = "{}",
                       .body_length = 2};
    assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    assert_int_equal(inf_store_purge(store, 1000 + 250, 0, 100, &removed), 0);
    assert_int_equal(inf_store_check(store, NULL, true), 0);
    static const struct {
        const char *sql, *says;
        bool repaired;
    } spoilt[] = {
        {"UPDATE facets SET traces = traces + 1 WHERE field = 0", "names", true},
        {"DELETE FROM facets WHERE field = 2", "tags", true},
        {"INSERT INTO facets VALUES(4, 'nobody', zeroblob(16), 3)", "users", true},
        {"UPDATE sessions SET errors = 0, user_id = NULL WHERE session_id = 's'", "sessions", true},
        {"UPDATE rollups SET traces = 1", "more traces than their sums", false}, /* is not counted anew */
    };
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        char text[200] = "";
        inf_check_calls calls = {.say = keep_text, .repaired = keep_text, .context = text};
        spoil(r, spoilt[i].sql);
        assert_true(inf_store_check(store, &calls, false) > 0);
        if (!strstr(text, spoilt[i].says))
            fail_msg("%s: %s", spoilt[i].sql, text);
        text[0] = 0;
        assert_int_equal(inf_store_check(store, &calls, true) == 0, spoilt[i].repaired);
        assert_non_null(strstr(text, spoilt[i].repaired ? "counted anew" : spoilt[i].says));
        assert_int_equal(inf_store_check(store, NULL, false) == 0, spoilt[i].repaired);
    }
    inf_store_filter f = INF_STORE_FILTER_INIT;
    f.session_id = "s";
    struct one_session one = {0};
    assert_int_equal(inf_store_sessions(store, &f, note_session, &one, NULL), 0);
    assert_true(one.rows == 1 && one.errors == 1 && one.tokens == 3 && one.cost == 5 && one.user == 'u');
    inf_store_close(store);
}

/* Tags and names as clients may send them are no damage, and counting anew changes nothing of them. */
static void odd_tags_are_counted_right(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    static const char *const tags[] = {"[\"a\\u0000b\",\"a\",\"a\\u0000c\"]", "[\"a\",\"\\\\u0000\"]",
                                       "[\"\",\" \",\"\\\"\",\"\xc3\xa4\"]"};
    for (uint8_t i = 0; i < 3; i++) {
        inf_store_put p = {.summary = {.trace_id = {i + 1},
                                       .name = "n",
                                       .tags = tags[i],
                                       .status = INF_STATUS_OK,
                                       .cost_nano_usd = -1},
                           .body = "{}",
                           .body_length = 2};
        assert_int_equal(inf_store_put_traces(store, &p, 1), 0);
    }
    assert_int_equal(inf_store_check(store, NULL, false), 0);
    int64_t values = number(r, "SELECT count(*) FROM facets WHERE field = 2");
    assert_int_equal(values, 8);
    spoil(r, "UPDATE facets SET traces = traces + 1 WHERE value = 'a'");
    char text[200] = "", said[200] = "";
    inf_check_calls calls = {.say = keep_text, .miscounted = keep_text, .context = text};
    assert_int_equal(inf_store_check(store, &calls, false), 1);
    assert_non_null(strstr(text, "2 values")); /* what is there, and what is not */
    calls = (inf_check_calls){.say = keep_text, .context = said};
    assert_int_equal(inf_store_check(store, &calls, true), 0);
    assert_string_equal(said, "");
    assert_int_equal(number(r, "SELECT count(*) FROM facets WHERE field = 2"), values);
    assert_int_equal(number(r, "SELECT traces FROM facets WHERE field = 2 AND value = 'a'"), 2);
    inf_store_close(store);
}

static void the_index_of_words_is_checked(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    int calls = 0;
    put_some(store, 0, 20000);
    assert_int_equal(inf_store_check(store, NULL, false), 0);
    inf_check_calls ends = {.progress = end_it, .context = &calls};
    assert_int_equal(inf_store_check(store, &ends, false), 7);
    assert_int_equal(calls, 1);
    spoil(r, "DELETE FROM words_data WHERE id > 10"); /* the index, but for its head */
    char text[200] = "";
    inf_check_calls say = {.say = keep_text, .context = text};
    int found = inf_store_check(store, &say, false);
    assert_true(found > 0);
    assert_true(strlen(text) > 0);
    inf_store_close(store);
}

/* A running receiver deletes what is too old, and takes a new limit without a restart. */
static void a_receiver_keeps_its_store_in_order(void **state)
{
    struct running *r = *state;
    inf_store *store = open_store(r);
    put_some(store, 0, 150); /* of 1970 */
    inf_store_put young = {.summary = {.trace_id = {77, 77, 77, 77}, .name = "young", .status = INF_STATUS_OK},
                           .body = "{}",
                           .body_length = 2};
    young.summary.started_ns = (uint64_t)time(NULL) * 1000000000u;
    assert_int_equal(inf_store_put_traces(store, &young, 1), 0);
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.retention_days = 36500;
    start_with(r, &options);
    options.retention_days = 7;
    inf_receiver_reload(r->receiver, &options, ignore_line, NULL);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    for (int i = 0; i < 300 && inf_store_count(store, &all) > 1; i++)
        usleep(100000);
    assert_int_equal(inf_store_count(store, &all), 1);
    stop(r);
    inf_store_close(store);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(a_dictionary_is_trained_once),
        TEST(retention_takes_the_oldest),
        TEST(retention_stops_where_it_does_not_help),
        TEST(a_backup_is_of_one_moment),
        TEST(the_log_stays_short),
        TEST(a_long_reader_holds_up_nobody),
        TEST(a_full_disk_stores_nothing_in_part),
        TEST(damage_is_said),
        TEST(sums_are_checked_against_the_traces),
        TEST(odd_tags_are_counted_right),
        TEST(the_index_of_words_is_checked),
        TEST(a_receiver_keeps_its_store_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

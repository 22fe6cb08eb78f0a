/* What a receiver says of itself: /metrics, /healthz, /readyz, and what clients say of themselves. */
#include <ctype.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/os.h"
#include "http/limits.h"
#include "ingest/clients.h"
#include "receiver/running.h"

static atomic_bool sync_fails;
static struct inf_os real;

static int failing_fdatasync(int fd)
{
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return real.fdatasync(fd);
}

static int begin(void **state)
{
    real = inf_os;
    inf_os.fdatasync = failing_fdatasync;
    return set_up(state);
}

static int finish(void **state)
{
    atomic_store(&sync_fails, false);
    int rc = tear_down(state);
    inf_os = real;
    return rc;
}

/* The value of a sample, "name" or "name{labels}"; -1 when it is not there. */
static double sample(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return strtod(line + n + 1, NULL);
    return -1;
}

#define check_sample(text, name, value)                                                                                \
    do {                                                                                                               \
        double got_ = sample(text, name);                                                                              \
        if (got_ != (double)(value))                                                                                   \
            fail_msg("%s is %g, not %g", name, got_, (double)(value));                                                 \
    } while (0)

static void numbers_add_up(void **state)
{
    struct running *r = *state;
    static const char one[] = "{\"name\":\"n\",\"trace_id\":\"0123456789abcdef0123456789abcdef\"}";
    check_answer(post(r, JSON, one), 201, NULL);
    check_answer(post(r, JSON, one), 201, NULL);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    check_answer(post(r, JSON, "{\"name\":"), 400, NULL);
    check_answer(post(r, JSON, "{\"name\":7}"), 422, NULL);
    check_answer(post(r, "x-agent-id: " AGENT "\r\nx-agent-key: wrong-wrong\r\n", "{}"), 401, NULL);
    check_answer(http_ask(&r->c, "GET", "/nothing/here", r->bearer, NULL, 0), 404, NULL);
    assert_int_equal(stored(r), 2);
    answer a = get(r, "/metrics");
    check_answer(a, 200, "# TYPE infinium_requests_total counter");
    assert_string_equal(http_header(&a, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    const char *t = a.body;
    check_sample(t, "infinium_traces_accepted_total", 3);
    check_sample(t, "infinium_traces_stored_total", 2);
    check_sample(t, "infinium_traces_duplicate_total", 1);
    check_sample(t, "infinium_traces_waiting", 0);
    check_sample(t, "infinium_traces_refused_total{reason=\"unreadable\"}", 1);
    check_sample(t, "infinium_traces_refused_total{reason=\"invalid\"}", 1);
    check_sample(t, "infinium_traces_refused_total{reason=\"journal_full\"}", 0);
#define TRACE_ROUTE "infinium_requests_total{route=\"/api/v1/agents/{agent}/trace\",method=\"POST\",status="
    check_sample(t, TRACE_ROUTE "\"201\"}", 3);
    check_sample(t, TRACE_ROUTE "\"400\"}", 1);
    check_sample(t, TRACE_ROUTE "\"422\"}", 1);
    check_sample(t, TRACE_ROUTE "\"401\"}", 1);
    check_sample(t, "infinium_journal_waiting_bytes", 0);
    check_sample(t, "infinium_connections", 1);
    check_sample(t, "infinium_store_failing", 0);
    assert_true(sample(t, "infinium_commit_seconds_count") >= 1);
    assert_true(sample(t, "infinium_store_transaction_seconds_count") >= 1);
    assert_true(sample(t, "infinium_resident_memory_bytes") > 1e6);
    assert_true(sample(t, "infinium_store_bytes") > 0);
}

/* Every sample belongs to a family whose HELP and TYPE came just before; names and labels are what the format allows;
 * buckets do not fall. */
static void the_format_is_that_of_prometheus(void **state)
{
    struct running *r = *state;
    char family[100] = "";
    double bucket = 0;
    int families = 0;
    static char page[65536];
    FILE *file = fopen(INF_SOURCE_DIR "/docs/running.md", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    answer a = get(r, "/metrics");
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body[a.length - 1], '\n');
    for (char *line = a.body, *end; *line; line = end + 1) {
        char name[100], kind[20];
        end = strchr(line, '\n');
        *end = 0;
        if (sscanf(line, "# HELP %99s", name) == 1) {
            families++;
            assert_string_not_equal(name, family);
            char quoted[104];
            snprintf(quoted, sizeof quoted, "`%s`", name);
            if (!strstr(page, quoted))
                fail_msg("docs/running.md does not say what %s is", name);
            snprintf(family, sizeof family, "%s", name);
            char *type = end + 1;
            assert_int_equal(sscanf(type, "# TYPE %99s %19s", name, kind), 2);
            assert_string_equal(name, family);
            assert_true(strcmp(kind, "counter") == 0 || strcmp(kind, "gauge") == 0 || strcmp(kind, "histogram") == 0);
            assert_int_equal(strcmp(kind, "counter") == 0, strcmp(name + strlen(name) - 6, "_total") == 0);
            end = strchr(type, '\n');
            bucket = 0;
            continue;
        }
        if (strncmp(line, family, strlen(family)) != 0)
            fail_msg("a sample outside of its family %s: %s", family, line);
        size_t n = strcspn(line, "{ ");
        for (size_t i = 0; i < n; i++)
            assert_true(isalnum((unsigned char)line[i]) || line[i] == '_');
        char *value = strrchr(line, ' ') + 1, *stop;
        double number = strtod(value, &stop);
        assert_int_equal(*stop, 0);
        if (strstr(line, "_bucket{")) {
            assert_true(number >= bucket);
            bucket = number;
        }
    }
    assert_true(families > 20);
}

static void only_readers_of_all_see_them(void **state)
{
    struct running *r = *state;
    check_answer(http_ask(&r->c, "GET", "/metrics", NULL, NULL, 0), 401, "error");
    check_answer(http_ask(&r->c, "GET", "/metrics", KEYS, NULL, 0), 401, "error");
    check_answer(http_ask(&r->c, "GET", "/api/v1/stats/clients", KEYS, NULL, 0), 401, "error");
    check_answer(http_ask(&r->c, "GET", "/healthz", NULL, NULL, 0), 200, "{\"status\":\"ok\"}");
    check_answer(http_ask(&r->c, "GET", "/readyz", NULL, NULL, 0), 200, "{\"status\":\"ready\"}");
}

/* Also what was refused before anybody looked for traces in it. */
static void bodies_refused_as_a_whole_count_once(void **state)
{
    struct running *r = *state;
    enum { LARGE = INF_BATCH_MAX_BYTES + 1 };
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, '\n', LARGE);
    check_answer(http_ask(&r->c, "POST", POST_PATH, JSON, large, INF_BODY_MAX + 1), 413, NULL);
    check_answer(http_ask(&r->c, "POST", BATCH_PATH, JSON, large, LARGE), 413, NULL);
    for (int i = 0; i < LARGE - 3; i += 3)
        memcpy(large + i, "{}\n", 3);
    check_answer(http_ask(&r->c, "POST", BATCH_PATH, JSON, large, 3 * (INF_BATCH_MAX_TRACES + 1)), 413, NULL);
    free(large);
    check_answer(http_ask(&r->c, "POST", BATCH_PATH, JSON "Content-Encoding: zstd\r\n", "no", 2), 400, NULL);
    check_answer(http_ask(&r->c, "POST", BATCH_PATH, JSON, "{\n{\n", 4), 400, NULL); /* two lines */
    check_answer(http_ask(&r->c, "POST", POST_PATH, JSON, "", 0), 400, NULL);
    check_answer(http_ask(&r->c, "POST", POST_PATH, "x-agent-id: " AGENT "\r\nx-agent-key: wrong-secret\r\n", "{", 1),
                 401, NULL);
    answer a = get(r, "/metrics");
    check_sample(a.body, "infinium_traces_refused_total{reason=\"too_large\"}", 3);
    check_sample(a.body, "infinium_traces_refused_total{reason=\"unreadable\"}", 4);
}

static void not_ready_while_nothing_can_be_made_durable(void **state)
{
    struct running *r = *state;
    atomic_store(&sync_fails, true);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 503, NULL);
    check_answer(http_ask(&r->c, "GET", "/readyz", NULL, NULL, 0), 503, "{\"error\":\"the journal cannot be synced\"}");
    check_answer(http_ask(&r->c, "GET", "/healthz", NULL, NULL, 0), 200, NULL);
    check_sample(get(r, "/metrics").body, "infinium_traces_refused_total{reason=\"journal_error\"}", 1);
    atomic_store(&sync_fails, false);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    check_answer(http_ask(&r->c, "GET", "/readyz", NULL, NULL, 0), 200, NULL);
}

/* Also where nothing could be stored since the start. */
static void what_waits_is_said_from_the_first_trace_on(void **state)
{
    struct running *r = *state;
    char path[100];
    sqlite3 *other;
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    check_sample(get(r, "/metrics").body, "infinium_journal_waiting_bytes", 0);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    double waiting = sample(get(r, "/metrics").body, "infinium_journal_waiting_bytes");
    assert_true(waiting > 0 && waiting < 4096);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(stored(r), 1);
    check_sample(get(r, "/metrics").body, "infinium_journal_waiting_bytes", 0);
}

static void clients_say_what_they_lost(void **state)
{
    struct running *r = *state;
    static const char line[] = "{\"name\":\"n\",\"trace_id\":\"0123456789abcdef0123456789abcdef\"}\n";
    check_answer(get(r, "/api/v1/stats/clients"), 200, "{\"clients\":[]}");
    check_answer(http_ask(&r->c, "POST", BATCH_PATH,
                          JSON
                          "Infinium-Counts: begun=12; open=1; finished=11; pending=3; acknowledged=1; set_aside=2; "
                          "refused=5; news=7\r\n",
                          line, strlen(line)),
                 200, NULL);
    answer a = get(r, "/api/v1/stats/clients");
    check_answer(a, 200, "\"agent_id\":\"" AGENT "\"");
    check_answer(a, 200, "\"begun\":12,\"open\":1,\"finished\":11,\"pending\":3,\"queued\":0");
    check_answer(a, 200, "\"set_aside\":2,\"refused\":5");
    check_answer(get(r, "/metrics"), 200, "infinium_client_lost{agent=\"" AGENT "\",reason=\"refused\"} 5\n");
    /* nonsense changes nothing */
    check_answer(http_ask(&r->c, "POST", BATCH_PATH, JSON "Infinium-Counts: refused=6;;x\r\n", line, strlen(line)), 200,
                 NULL);
    check_answer(get(r, "/api/v1/stats/clients"), 200, "\"refused\":5");
    check_answer(http_ask(&r->c, "POST", BATCH_PATH, JSON "Infinium-Counts: refused=6\r\n", line, strlen(line)), 200,
                 NULL);
    check_answer(get(r, "/api/v1/stats/clients"), 200, "\"refused\":6");
}

static void counts_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint64_t begun, retries;
    } cases[] = {
        {"begun=1; retries=2", true, 1, 2},
        {"retries=2;begun=1", true, 1, 2},
        {"begun=18446744073709551615", true, UINT64_MAX, 0},
        {"begun=18446744073709551616", false, 0, 0},
        {"new=1; begun=4", true, 4, 0},
        {"new=1", false, 0, 0},
        {"", false, 0, 0},
        {"begun", false, 0, 0},
        {"begun=", false, 0, 0},
        {"begun=-1", false, 0, 0},
        {"begun= 1", false, 0, 0},
        {"begun=1x", false, 0, 0},
        {"=1", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        inf_client_counts counts;
        if (inf_client_counts_parse(cases[i].text, &counts) != cases[i].good)
            fail_msg("'%s'", cases[i].text);
        if (cases[i].good) {
            assert_int_equal(counts.begun, cases[i].begun);
            assert_int_equal(counts.retries, cases[i].retries);
        }
    }
}

static unsigned seen;
static bool oldest_seen;

static void look(void *context, const inf_client_report *report)
{
    (void)context;
    seen++;
    oldest_seen = oldest_seen || (report->agent_id[0] == 0 && report->agent_id[1] == 0);
}

static void reports_are_bounded(void **state)
{
    (void)state;
    inf_clients *clients = inf_clients_new();
    assert_non_null(clients);
    for (unsigned i = 0; i <= INF_CLIENTS_MAX; i++) {
        uint8_t id[16] = {(uint8_t)(i >> 8), (uint8_t)i};
        inf_clients_note(clients, id, "begun=1", 1000 + i);
    }
    inf_clients_each(clients, look, NULL);
    assert_int_equal(seen, INF_CLIENTS_MAX);
    assert_false(oldest_seen);
    inf_clients_free(clients);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(numbers_add_up),
        TEST(the_format_is_that_of_prometheus),
        TEST(only_readers_of_all_see_them),
        TEST(bodies_refused_as_a_whole_count_once),
        TEST(not_ready_while_nothing_can_be_made_durable),
        TEST(what_waits_is_said_from_the_first_trace_on),
        TEST(clients_say_what_they_lost),
        cmocka_unit_test(counts_are_read_as_they_are_written),
        cmocka_unit_test(reports_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

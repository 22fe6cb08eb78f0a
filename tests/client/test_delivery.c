/* From a trace to a receiver: both wires, every answer of docs/wire.md's table, nothing lost, nothing twice. */
#include "client/support.h"

#include <pthread.h>
#include <stdatomic.h>

static void test_platform_wire(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    inf_client *client = open_client(scripted_server_url(s));
    char id[33], expected[64];
    inf_trace *t = inf_trace_begin(client, "Email \"Classifier\"");
    inf_trace_id(t, id);
    inf_input("%s", "I was charged twice");
    inf_output("%s%d", "billing", 1);
    inf_trace_end(t);
    trace_one(client, "second");
    inf_counts counts;
    assert_int_equal(inf_flush(client, 10000, &counts), INF_OK);
    assert_adds_up(&counts);
    assert_int_equal(counts.acknowledged, 2);
    assert_int_equal(counts.pending, 0);
    assert_int_equal(counts.requests, 2);
    assert_int_equal(scripted_server_stored(s), 2);
    assert_int_equal(scripted_server_batches(s), 0);
    char *r = scripted_server_request(s, 0);
    assert_non_null(strstr(r, "POST /api/v1/agents/" AGENT "/trace HTTP/1.1\r\n"));
    assert_non_null(strstr(r, "x-agent-id: " AGENT "\r\n"));
    assert_non_null(strstr(r, "x-agent-key: " SECRET "\r\n"));
    assert_non_null(strstr(r, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(r, "User-Agent: infinium-c/" INF_VERSION "\r\n"));
    snprintf(expected, sizeof(expected), "Idempotency-Key: %s\r\n", id);
    assert_non_null(strstr(r, expected));
    assert_non_null(strstr(r, "Infinium-Extra: {\"trace_id\":\""));
    assert_non_null(strstr(r, "\r\n\r\n{\"name\":\"Email \\\"Classifier\\\"\",\"description\":"));
    assert_non_null(strstr(r, "\"input_summary\":\"I was charged twice\",\"output_summary\":\"billing1\""));
    free(r);
    /* The first answer offered no batches: no further extras. */
    r = scripted_server_request(s, 1);
    assert_null(strstr(r, "Infinium-Extra"));
    assert_non_null(strstr(r, "Idempotency-Key"));
    free(r);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_batch_wire_after_the_first_answer(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 100, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    for (int i = 0; i < 1000; i++)
        trace_one(client, "batched");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(stats(client).acknowledged, 1000);
    assert_int_equal(scripted_server_stored(s), 1000);
    assert_int_equal(scripted_server_duplicates(s), 0);
    /* One on the platform wire, 999 in batches of at most 100. */
    assert_in_range(scripted_server_requests(s), 11, 30);
    assert_int_equal(scripted_server_batches(s), scripted_server_requests(s) - 1);
    char *r = scripted_server_request(s, 1);
    assert_non_null(strstr(r, "/traces HTTP/1.1\r\n"));
    assert_non_null(strstr(r, "Content-Type: application/x-ndjson\r\n"));
    assert_null(strstr(r, "Content-Encoding")); /* this machine: not worth it */
    free(r);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_retries_until_it_is_taken(void **state)
{
    (void)state;
    static const scripted_answer script[] = {
        {SCRIPTED_STATUS, 500, NULL, "{\"error\":\"oops\"}"},
        {SCRIPTED_STATUS, 429, "Retry-After: 1\r\n", "{\"error\":\"slow down\"}"},
        {SCRIPTED_RESET, 0, NULL, NULL},
        {SCRIPTED_GARBAGE, 0, NULL, NULL},
        {SCRIPTED_STATUS, 503, "Retry-After: 0\r\n", "<html>"},
        {SCRIPTED_STATUS, 408, NULL, ""},
        {SCRIPTED_STATUS, 425, NULL, "[]"},
        {SCRIPTED_LOST, 0, NULL, NULL},
    };
    const size_t length = sizeof(script) / sizeof(*script);
    scripted_server *s = scripted_server_start(0);
    scripted_server_script(s, script, length);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "stubborn");
    for (int i = 0; i < 100 && inf_flush(client, 500, NULL) != INF_OK; i++) { /* each flush cuts the backoff short */
    }
    inf_counts counts = stats(client);
    assert_int_equal(counts.acknowledged, 1);
    /* libcurl itself repeats a request that died on a kept connection before any answer. */
    assert_int_equal(scripted_server_requests(s), length + 1);
    assert_in_range(counts.requests, length - 1, length + 1);
    assert_int_equal(counts.retries, counts.requests - 1);
    assert_int_equal(scripted_server_stored(s), 1);
    assert_int_equal(scripted_server_duplicates(s), 1); /* stored, but the answer was lost: the same id again */
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void test_retry_after_is_honoured_by_flush_too(void **state)
{
    (void)state;
    static const scripted_answer script[] = {{SCRIPTED_STATUS, 429, "Retry-After: 2\r\n", "{}"}};
    scripted_server *s = scripted_server_start(0);
    scripted_server_script(s, script, 1);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "told to wait");
    WAIT_FOR(stats(client).requests == 1);
    double start = now_s();
    while (inf_flush(client, 100, NULL) != INF_OK && now_s() < start + 10) {
    }
    assert_true(now_s() - start > 1.8);
    assert_int_equal(stats(client).requests, 2);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_hanging_server_is_given_up(void **state)
{
    (void)state;
    static const scripted_answer script[] = {{SCRIPTED_HANG, 0, NULL, NULL}};
    scripted_server *s = scripted_server_start(0);
    scripted_server_script(s, script, 1);
    inf_client *client = open_client_with(scripted_server_url(s), (inf_options){.timeout_ms = 300});
    trace_one(client, "patient");
    double start = now_s();
    assert_int_equal(inf_flush(client, 100, NULL), INF_ETIMEDOUT);
    assert_true(now_s() - start < 1);
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(stats(client).acknowledged, 1);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static char *rejected_file(void)
{
    char path[160];
    static char text[65536];
    snprintf(path, sizeof(path), "%s/" AGENT "/rejected.ndjson", directory);
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void test_refused_traces_are_set_aside(void **state)
{
    (void)state;
    static const int statuses[] = {400, 413, 422, 409};
    scripted_server *s = scripted_server_start(0);
    inf_client *client = open_client(scripted_server_url(s));
    for (int i = 0; i < 4; i++) {
        scripted_answer answer = {SCRIPTED_STATUS, statuses[i], NULL, "{\"error\":\"not like this\"}"};
        scripted_server_script(s, &answer, 1);
        trace_one(client, "refused");
        assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    }
    trace_one(client, "taken");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    inf_counts counts = stats(client);
    assert_int_equal(counts.set_aside, 4);
    assert_int_equal(counts.acknowledged, 1);
    assert_int_equal(counts.requests, 5);
    char *text = rejected_file();
    assert_non_null(text);
    assert_non_null(strstr(text, "\"status\":413,\"reason\":\"not like this\",\"body\":{\"name\":\"refused\""));
    int lines = 0;
    for (char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 4);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_wrong_secret_keeps_traces(void **state)
{
    (void)state;
    static const int statuses[] = {401, 403, 404, 405, 407, 301, 302};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        scripted_server *s = scripted_server_start(0);
        scripted_server_otherwise(s, (scripted_answer){SCRIPTED_STATUS, statuses[i], "Location: /elsewhere\r\n", "{}"});
        inf_client *client = open_client(scripted_server_url(s));
        trace_one(client, "kept");
        assert_int_equal(inf_flush(client, 50, NULL), INF_ETIMEDOUT);
        WAIT_FOR(stats(client).requests > 0);
        assert_int_equal(stats(client).pending, 1);
        char *r = scripted_server_request(s, 1);
        assert_true(!r || !strstr(r, "/elsewhere")); /* redirects are not followed */
        free(r);
        scripted_server_otherwise(s, (scripted_answer){SCRIPTED_STORE, 0, NULL, NULL});
        assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
        assert_int_equal(stats(client).acknowledged, 1);
        assert_int_equal(scripted_server_stored(s), 1);
        assert_int_equal(inf_close(client, 1000), INF_OK);
        scripted_server_stop(s);
    }
}

static void test_poison_in_a_batch_stands_alone(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1000, 1 << 20);
    scripted_server_poison(s, "the poisoned one");
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "first");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    for (int i = 0; i < 300; i++)
        trace_one(client, i == 123 ? "the poisoned one" : "sound");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    inf_counts counts = stats(client);
    assert_int_equal(counts.set_aside, 1);
    assert_int_equal(counts.acknowledged, 300);
    assert_int_equal(scripted_server_stored(s), 300);
    assert_int_equal(scripted_server_duplicates(s), 0);
    assert_in_range(counts.requests, 3, 60);
    assert_non_null(strstr(rejected_file(), "the poisoned one"));
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_rejected_lines_are_set_aside(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1000, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "first");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    scripted_server_reject(s, "unwanted");
    for (int i = 0; i < 50; i++)
        trace_one(client, i % 10 == 3 ? "unwanted" : "sound");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    inf_counts counts = stats(client);
    assert_int_equal(counts.set_aside, 5);
    assert_int_equal(counts.acknowledged, 46);
    assert_int_equal(scripted_server_stored(s), 46);
    assert_non_null(strstr(rejected_file(), "\"status\":200,\"reason\":\"not wanted\""));
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_batches_end_when_another_server_has_none(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1000, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "first");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    scripted_server_offer(s, 0, 0);
    static const scripted_answer script[] = {{SCRIPTED_STATUS, 404, NULL, "{\"error\":\"no such path\"}"}};
    scripted_server_script(s, script, 1);
    for (int i = 0; i < 5; i++)
        trace_one(client, "later");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(stats(client).acknowledged, 6);
    assert_int_equal(scripted_server_stored(s), 6);
    assert_int_equal(scripted_server_batches(s), 1);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

#define THREADS 8
#define EACH 1250

static void *trace_many(void *context)
{
    for (int i = 0; i < EACH; i++)
        trace_one(context, "one of ten thousand");
    return NULL;
}

static atomic_bool watching;

static void *watch_counts(void *context)
{
    uint64_t looks = 0;
    while (atomic_load(&watching)) {
        inf_counts c;
        inf_stats(context, &c);
        if (c.begun != c.open + c.pending + c.acknowledged + c.set_aside + c.refused || c.open > THREADS * EACH ||
            c.pending > THREADS * EACH)
            return (void *)1;
        looks++;
    }
    return looks > 0 ? NULL : (void *)1;
}

static void deliver_ten_thousand(unsigned offer)
{
    /* A port that nobody listens on yet. */
    scripted_server *s = scripted_server_start(0);
    uint16_t port = scripted_server_port(s);
    char url[64];
    snprintf(url, sizeof(url), "%s", scripted_server_url(s));
    scripted_server_stop(s);

    inf_client *client = open_client(url);
    pthread_t threads[THREADS], watcher;
    atomic_store(&watching, true);
    assert_int_equal(pthread_create(&watcher, NULL, watch_counts, client), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, trace_many, client), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(stats(client).pending, THREADS * EACH);
    s = scripted_server_start(port);
    assert_non_null(s);
    scripted_server_offer(s, offer, 1 << 20);
    assert_int_equal(inf_flush(client, 40000, NULL), INF_OK);
    atomic_store(&watching, false);
    void *bad;
    pthread_join(watcher, &bad);
    assert_null(bad);
    assert_int_equal(stats(client).acknowledged, THREADS * EACH);
    assert_int_equal(scripted_server_stored(s), THREADS * EACH);
    assert_int_equal(scripted_server_duplicates(s), 0);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_ten_thousand_after_an_outage(void **state)
{
    (void)state;
    deliver_ten_thousand(1000);
}

static void test_ten_thousand_on_the_platform_wire(void **state)
{
    (void)state;
    deliver_ten_thousand(0);
}

static void test_bucket_limits_the_sender(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    inf_client *client = open_client_with(scripted_server_url(s), (inf_options){.requests_per_second = 20});
    double start = now_s();
    for (int i = 0; i < 40; i++)
        trace_one(client, "limited");
    assert_true(now_s() - start < 0.5);
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    double elapsed = now_s() - start;
    assert_true(elapsed > 0.9 && elapsed < 5); /* 20 at once, 20 more at 20 a second */
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

/* Sends `count` batches of one trace each, after the first answer; returns the seconds. */
static double one_trace_a_batch(unsigned rate, double own_limit, int count)
{
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1, 1 << 20);
    scripted_server_rate(s, rate);
    inf_client *client = open_client_with(scripted_server_url(s), (inf_options){.requests_per_second = own_limit});
    trace_one(client, "first");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    double start = now_s();
    for (int i = 0; i < count; i++)
        trace_one(client, "batch");
    assert_int_equal(inf_flush(client, 20000, NULL), INF_OK);
    double elapsed = now_s() - start;
    assert_int_equal(scripted_server_stored(s), count + 1);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
    return elapsed;
}

static void test_a_receiver_says_how_often(void **state)
{
    (void)state;
    assert_true(one_trace_a_batch(100, 10, 60) < 3.5); /* 10 a second, the default, would take 4 */
    assert_true(one_trace_a_batch(0, 10, 60) > 3.5);
    assert_true(one_trace_a_batch(100, 12, 60) > 3); /* a limit that was set stays */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        CASE(test_platform_wire),
        CASE(test_batch_wire_after_the_first_answer),
        CASE(test_retries_until_it_is_taken),
        CASE(test_retry_after_is_honoured_by_flush_too),
        CASE(test_hanging_server_is_given_up),
        CASE(test_refused_traces_are_set_aside),
        CASE(test_wrong_secret_keeps_traces),
        CASE(test_poison_in_a_batch_stands_alone),
        CASE(test_rejected_lines_are_set_aside),
        CASE(test_batches_end_when_another_server_has_none),
        CASE(test_ten_thousand_after_an_outage),
        CASE(test_ten_thousand_on_the_platform_wire),
        CASE(test_bucket_limits_the_sender),
        CASE(test_a_receiver_says_how_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The numbers add up: at every sample, whatever threads do at the time, and the same everywhere they are shown. */
#include "client/support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"

#define WORKERS 3
#define ROUNDS 400

static inf_client *client;
static atomic_bool done;
static atomic_ulong samples;

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static bool adds_up(const inf_counts *c)
{
    return c->begun == c->open + c->finished &&
           c->finished == c->pending + c->acknowledged + c->set_aside + c->refused &&
           c->pending == c->queued + c->sent && c->finished <= c->begun && c->pending <= c->finished;
}

static void *sample(void *unused)
{
    (void)unused;
    inf_counts before = {0};
    while (!atomic_load(&done)) {
        inf_counts c;
        inf_stats(client, &c);
        /* Nothing that has happened is taken back. */
        if (!adds_up(&c) || c.begun < before.begun || c.finished < before.finished ||
            c.acknowledged < before.acknowledged || c.set_aside < before.set_aside || c.refused < before.refused)
            return (void *)1;
        before = c;
        atomic_fetch_add(&samples, 1);
    }
    return NULL;
}

/* Begins, ends, nests, leaves open, flushes, all at random; ends what it has begun. */
static void *work(void *of)
{
    uint32_t seed = (uint32_t)(uintptr_t)of;
    inf_trace *open[8];
    int count = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t dice = next_random(&seed) % 100;
        if (dice < 45 && count < 8) {
            open[count++] = inf_trace_begin(client, dice % 17 == 0 ? "POISON" : "counted");
        } else if (dice < 90 && count > 0) {
            int which = (int)(next_random(&seed) % (unsigned)count);
            inf_trace_end(open[which]); /* out of order too */
            open[which] = open[--count];
        } else if (dice < 93) {
            inf_counts c;
            inf_flush(client, (int)(next_random(&seed) % 30), &c);
            if (!adds_up(&c))
                return (void *)1;
        } else if (count > 0) {
            inf_error("E", "%d", i);
        }
        if (dice % 7 == 0)
            sleep_ms(1);
    }
    while (count > 0)
        inf_trace_end(open[--count]);
    return NULL;
}

static void run(uint32_t seed)
{
    pthread_t threads[WORKERS], sampler;
    void *wrong = NULL, *result;
    atomic_store(&done, false);
    assert_int_equal(pthread_create(&sampler, NULL, sample, NULL), 0);
    for (uintptr_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(seed * 1000003u + i + 1)), 0);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], &result);
        wrong = wrong ? wrong : result;
    }
    atomic_store(&done, true);
    pthread_join(sampler, &result);
    assert_null(result);
    assert_null(wrong);
}

/* A receiver that takes, refuses one kind for good, fails now and then and does not answer. */
static void test_with_a_moody_receiver(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        scripted_server *s = scripted_server_start(0);
        static const scripted_answer moods[] = {
            {.kind = SCRIPTED_STORE}, {.kind = SCRIPTED_STATUS, .status = 503, .headers = "Retry-After: 0\r\n"},
            {.kind = SCRIPTED_LOST},  {.kind = SCRIPTED_STORE},
            {.kind = SCRIPTED_RESET}, {.kind = SCRIPTED_STATUS, .status = 429, .headers = "Retry-After: 0\r\n"}};
        scripted_server_offer(s, 20 * seed, 1 << 20);
        scripted_server_script(s, moods, sizeof(moods) / sizeof(*moods));
        if (seed == 2)
            scripted_server_poison(s, "POISON");
        else
            scripted_server_reject(s, "POISON");
        client = open_client(scripted_server_url(s));
        run(seed);
        inf_counts c;
        assert_int_equal(inf_flush(client, 20000, &c), INF_OK);
        assert_true(adds_up(&c));
        assert_int_equal(c.pending, 0);
        assert_int_equal(c.open, 0);
        assert_int_equal(c.refused, 0);
        assert_true(c.set_aside > 0);
        /* A batch whose answer is lost is stored with what would have been refused of it. */
        assert_int_equal(scripted_server_count(s, "\"name\":\"counted\""), c.acknowledged);
        assert_int_equal(inf_close(client, 1000), INF_OK);
        scripted_server_stop(s);
    }
    assert_true(atomic_load(&samples) > 1000);
}

/* Nobody listens and the journal is tiny: much is refused. */
static void test_with_a_full_journal(void **state)
{
    (void)state;
    client = open_client_with("http://127.0.0.1:1/api/v1", (inf_options){.journal_max_bytes = 64 << 10});
    for (uint32_t seed = 11; seed < 14; seed++)
        run(seed);
    static char text[3001];
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 3000; i++) {
        INF_TRACE(client, "large")
        {
            inf_input("%s", text);
        }
    }
    inf_counts c;
    inf_stats(client, &c);
    assert_true(adds_up(&c));
    assert_true(c.refused > 0);
    inf_close(client, 0);
}

static void test_the_receiver_is_told(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 100, 1 << 20);
    client = open_client(scripted_server_url(s));
    trace_one(client, "platform wire");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    trace_one(client, "batch wire");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    char *first = scripted_server_request(s, 0), *second = scripted_server_request(s, 1);
    assert_null(strstr(first, "Infinium-Counts"));
    assert_non_null(strstr(second, "Infinium-Counts: begun=2; open=0; finished=2; pending=1; queued=0; sent=1; "
                                   "acknowledged=1; set_aside=0; refused=0; adopted=0; interrupted=0; requests=1; "
                                   "retries=0\r\n"));
    free(first);
    free(second);
    inf_close(client, 1000);
    scripted_server_stop(s);
}

static char logged[4096];

static void keep_log(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof(logged) - n, "%d %s\n", (int)level, message);
}

static void test_the_log_says_it_too(void **state)
{
    (void)state;
    inf_log_set_sink(keep_log, NULL);
    client = open_client("http://127.0.0.1:1/api/v1");
    trace_one(client, "kept");
    inf_trace *open = inf_trace_begin(client, "open");
    inf_close(client, 50);
    assert_non_null(strstr(logged, "2 traces of agent " AGENT ": begun=2; open=1; finished=1; pending=1; "));
    inf_log_set_sink(NULL, NULL);
    (void)open; /* belongs to a client that is closed: it must not be touched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_with_a_moody_receiver, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_with_a_full_journal, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_the_receiver_is_told, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_the_log_says_it_too, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

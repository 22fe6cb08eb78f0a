/* The Nth allocation fails, the Nth file call fails, the Nth socket call fails, for every N until a run comes through
 * without a failure. Each run: a process has died and left traces; a client with nobody to send to leaves more; a
 * second client delivers all of it and traces of its own while calls fail; a third one, with nothing failing, delivers
 * what is left. In the end every trace that was not counted as refused has arrived, once, and the counts add up.
 *
 * INF_TORTURE=1 runs every N with every kind of failure; otherwise a sample. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/log.h"
#include "client/client.h"
#include "client/support.h"
#include "fault/faults.h"

#define NOBODY "http://127.0.0.1:1/api/v1"
#define OF_THE_DEAD 4
#define MOST_CALLS 20000

static bool torture;

static void quiet(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    (void)level;
    if (getenv("INF_FAULT_LOG"))
        fprintf(stderr, "    %s\n", message);
}

static void trace_with_everything(inf_client *client, const char *name)
{
    inf_trace *t = inf_trace_begin(client, name);
    inf_input("what came in: %d \xff", 42);
    inf_record_llm_call(&(inf_llm_call){.provider = "openai", .model = "gpt-4o", .prompt_tokens = 3});
    inf_output("what went out");
    inf_trace_end(t);
}

/* A process that dies with three finished traces and one unfinished. */
static void leave_a_dead_process(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        inf_client *client = open_client(NOBODY);
        for (int i = 0; i < OF_THE_DEAD - 1; i++)
            trace_with_everything(client, "of the dead");
        inf_trace_begin(client, "unfinished");
        inf_input("the last words");
        inf_record_llm_call(&(inf_llm_call){.provider = "openai", .model = "gpt-4o", .prompt_tokens = 3});
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static inf_client *try_open(const char *url)
{
    inf_client *client = NULL;
    inf_options options = {.agent_id = AGENT,
                           .agent_secret = SECRET,
                           .base_url = url,
                           .journal_dir = directory,
                           .requests_per_second = -1,
                           .timeout_ms = 2000};
    int error = inf_open(&client, &options);
    assert_true(error == INF_OK ? client != NULL : client == NULL);
    return client;
}

struct outcome {
    uint64_t kept; /* must arrive */
    uint64_t lost; /* counted as refused */
};

static void end_client(inf_client *client, int timeout_ms, struct outcome *o)
{
    if (!client)
        return;
    (void)inf_flush(client, timeout_ms, NULL);
    inf_counts c = stats(client);
    assert_int_equal(c.open, 0);
    assert_int_equal(c.set_aside, 0);
    bool in_memory = client->route.directory == NULL; /* what is pending then is lost with the client, and said so */
    uint64_t pending = c.pending;
    (void)inf_close(client, 0);
    o->lost += c.refused + (in_memory ? pending : 0);
    o->kept += c.finished - c.refused - (in_memory ? pending : 0);
}

/* One run. True when a call has failed in it. */
static bool run_once(enum fault_group group, enum fault_kind kind, uint64_t nth, bool lasting, uint64_t *calls)
{
    struct outcome o = {0};
    bool fired;
    scripted_server *s = scripted_server_start(0);
    assert_non_null(s);
    make_directory(NULL);
    leave_a_dead_process();

    faults_arm(group, kind, nth, lasting);
    inf_client *client = try_open(NOBODY);
    for (int i = 0; client && i < 3; i++)
        trace_with_everything(client, "first client");
    end_client(client, 0, &o);

    scripted_server_offer(s, 100, 1 << 20);
    client = try_open(scripted_server_url(s));
    if (client) {
        trace_with_everything(client, "second client");
        inf_trace *open = inf_trace_begin(client, "open for a while");
        inf_input("first words");
        (void)inf_flush(client, lasting ? 50 : 300, NULL);
        inf_record_llm_call(&(inf_llm_call){.provider = "openai", .model = "gpt-4o", .prompt_tokens = 3});
        for (int i = 0; i < 3; i++)
            trace_with_everything(client, "second client");
        inf_trace_end(open);
    }
    end_client(client, lasting ? 50 : 1000, &o);
    *calls = faults_disarm(&fired);

    client = try_open(scripted_server_url(s));
    assert_non_null(client);
    trace_with_everything(client, "third client");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    end_client(client, 0, &o);

    uint64_t stored = scripted_server_stored(s);
    uint64_t words = scripted_server_count(s, "the last words");
    uint64_t twice = scripted_server_duplicates(s);
    if (stored != o.kept + OF_THE_DEAD || (twice != 0 && group != FAULT_NETWORK && !lasting) || words != 1)
        print_message("call %llu (%s%s): %llu arrived of %llu + %d, %llu refused, %llu twice, last words %llu\n",
                      (unsigned long long)nth, fault_kind_name(kind), lasting ? ", lasting" : "",
                      (unsigned long long)stored, (unsigned long long)o.kept, OF_THE_DEAD, (unsigned long long)o.lost,
                      (unsigned long long)twice, (unsigned long long)words);
    assert_int_equal(stored, o.kept + OF_THE_DEAD);
    /* An answer that got lost, or that comes after the 50 ms that a client without files is given, makes the next one
     * send again, under the same id. */
    if (group != FAULT_NETWORK && !lasting)
        assert_int_equal(twice, 0);
    assert_int_equal(words, 1);
    scripted_server_stop(s);
    assert_int_equal(remove_directory(NULL), 0);
    return fired;
}

static void for_every_call(enum fault_group group, enum fault_kind kind, bool lasting, uint64_t step)
{
    uint64_t runs = 0;
    uint64_t calls;
    uint64_t clean = 0;
    uint64_t nth = 1;
    for (; nth < MOST_CALLS && clean < 2; nth += step, runs++)
        clean = run_once(group, kind, nth, lasting, &calls) ? 0 : clean + 1;
    assert_true(clean > 0); /* the end was reached */
    print_message("%s%s: %llu runs, the last without a failure (%llu calls)\n",
                  group == FAULT_MEMORY ? "no memory" : fault_kind_name(kind), lasting ? ", lasting" : "",
                  (unsigned long long)runs, (unsigned long long)calls);
}

static uint64_t step(uint64_t of_the_short_run)
{
    const char *text = getenv("INF_FAULT_STEP");
    return text ? strtoull(text, NULL, 10) : torture ? 1 : of_the_short_run;
}

static void test_nth_allocation(void **state)
{
    (void)state;
    for_every_call(FAULT_MEMORY, FAULT_EIO, false, step(17));
}

static void test_no_memory_from_the_nth_on(void **state)
{
    (void)state;
    for_every_call(FAULT_MEMORY, FAULT_EIO, true, step(71));
}

static void test_nth_file_call(void **state)
{
    (void)state;
    static const enum fault_kind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_EINTR, FAULT_EMFILE, FAULT_SHORT};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        for_every_call(FAULT_FILES, kinds[i], false, step(61 + i));
}

static void test_no_files_from_the_nth_on(void **state)
{
    (void)state;
    for_every_call(FAULT_FILES, FAULT_EIO, true, step(71));
    for_every_call(FAULT_FILES, FAULT_ENOSPC, true, step(73));
}

static void test_nth_socket_call(void **state)
{
    (void)state;
    for_every_call(FAULT_NETWORK, FAULT_EIO, false, step(13));
    for_every_call(FAULT_NETWORK, FAULT_EINTR, false, step(13));
    for_every_call(FAULT_NETWORK, FAULT_SHORT, false, step(13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nth_allocation),  cmocka_unit_test(test_no_memory_from_the_nth_on),
        cmocka_unit_test(test_nth_file_call),   cmocka_unit_test(test_no_files_from_the_nth_on),
        cmocka_unit_test(test_nth_socket_call),
    };
    torture = getenv("INF_TORTURE") != NULL;
    const char *only = getenv("INF_FAULT_TEST");
    if (only)
        cmocka_set_test_filter(only);
    faults_install();
    inf_log_set_sink(quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

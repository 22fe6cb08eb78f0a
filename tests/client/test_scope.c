/* The C face: scopes end however a block is left, contexts nest, text is cleaned, options are checked. */
#include "client/support.h"

#include <pthread.h>
#include <sys/stat.h>

static int leave_by(inf_client *client, int way)
{
    for (int i = 0; i < 3; i++) {
        INF_TRACE(client, "scope")
        {
            assert_non_null(inf_current());
            if (way == 0)
                return 1;
            if (way == 1)
                break; /* leaves the scope, not the loop around it */
            if (way == 2)
                goto out;
            if (way == 3)
                continue;
        }
        assert_null(inf_current());
    }
out:
    return 0;
}

static void test_scope_ends_however_it_is_left(void **state)
{
    (void)state;
    static const unsigned begun[] = {1, 3, 1, 3, 3};
    for (int way = 0; way < 5; way++) {
        inf_client *client = open_client_with("http://127.0.0.1:1/api/v1", (inf_options){.journal_memory = 1});
        leave_by(client, way);
        assert_null(inf_current());
        inf_counts counts = stats(client);
        assert_int_equal(counts.begun, begun[way]);
        assert_int_equal(counts.open, 0);
        inf_close(client, 0);
    }
}

int trace_in_cxx(inf_client *client);

static void test_scope_in_cxx(void **state)
{
    (void)state;
    inf_client *client = open_client_with("http://127.0.0.1:1/api/v1", (inf_options){.journal_memory = 1});
    assert_int_equal(trace_in_cxx(client), 1);
    assert_null(inf_current());
    assert_int_equal(stats(client).finished, 2);
    inf_close(client, 0);
}

static void test_nesting_names_the_parent(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 100, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    char outer[33], inner[33], expected[64];
    trace_one(client, "first, on the platform wire");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    INF_TRACE(client, "outer")
    {
        inf_trace_id(inf_current(), outer);
        INF_TRACE(client, "inner")
        {
            inf_trace_id(inf_current(), inner);
            inf_error("ValueError", "bad \xff byte %d", 7);
        }
        inf_output("done");
    }
    assert_string_not_equal(outer, inner);
    /* Ends out of order are no harm. */
    inf_trace *a = inf_trace_begin(client, "a");
    inf_trace *b = inf_trace_begin(client, "b");
    inf_trace_end(a);
    assert_ptr_equal(inf_current(), b);
    inf_trace_end(b);
    assert_null(inf_current());
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    snprintf(expected, sizeof(expected), "\"parent_id\":\"%s\"", outer);
    assert_int_equal(scripted_server_stored(s), 5);
    assert_int_equal(scripted_server_count(s, expected), 1);
    assert_int_equal(scripted_server_count(s, "\"error_type\":\"ValueError\",\"message\":\"bad \xef\xbf\xbd byte 7\""),
                     1);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void *trace_in_thread(void *client)
{
    assert_null(inf_current());
    trace_one(client, "thread");
    return inf_current();
}

static void test_threads_have_contexts_of_their_own(void **state)
{
    (void)state;
    inf_client *client = open_client_with("http://127.0.0.1:1/api/v1", (inf_options){.journal_memory = 1});
    pthread_t threads[4];
    INF_TRACE(client, "main")
    {
        inf_trace *mine = inf_current();
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, trace_in_thread, client), 0);
        for (int i = 0; i < 4; i++) {
            void *left;
            pthread_join(threads[i], &left);
            assert_null(left);
        }
        assert_ptr_equal(inf_current(), mine);
    }
    assert_int_equal(stats(client).finished, 5);
    inf_close(client, 0);
}

static void test_options_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *id, *secret, *url;
        int expected;
    } cases[] = {
        {AGENT, SECRET, "http://127.0.0.1:1", INF_OK},
        {"  abc  ", " 12345678\n", "https://example.org/api/v1/", INF_OK},
        {"ab", SECRET, "http://127.0.0.1:1", INF_EINVAL},
        {"   ab   ", SECRET, "http://127.0.0.1:1", INF_EINVAL},
        {AGENT, "1234567", "http://127.0.0.1:1", INF_EINVAL},
        {AGENT, "", "http://127.0.0.1:1", INF_EINVAL},
        {AGENT, "12345678\r\nx-evil: 1", "http://127.0.0.1:1", INF_EINVAL},
        {AGENT, SECRET, "ftp://127.0.0.1", INF_EINVAL},
        {AGENT, SECRET, "http://", INF_EINVAL},
        {AGENT, SECRET, "127.0.0.1:80", INF_EINVAL},
        {AGENT, SECRET, "http://a b/", INF_EINVAL},
        {AGENT, SECRET, "http://user:pw@host/", INF_EINVAL},
        {AGENT, SECRET, "", INF_EINVAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        inf_options options = {.agent_id = cases[i].id,
                               .agent_secret = cases[i].secret,
                               .base_url = cases[i].url,
                               .journal_dir = directory};
        inf_client *client = (inf_client *)1;
        assert_int_equal(inf_open(&client, &options), cases[i].expected);
        assert_int_equal(client == NULL, cases[i].expected != INF_OK);
        assert_int_equal(inf_close(client, 0), INF_OK);
    }
    unsetenv("INFINIUM_AGENT_ID");
    inf_client *client;
    assert_int_equal(inf_open(&client, NULL), INF_EINVAL);
    assert_int_equal(inf_open(NULL, NULL), INF_EINVAL);
    setenv("INFINIUM_JOURNAL_DIR", directory, 1);
    setenv("INFINIUM_AGENT_ID", AGENT, 1);
    setenv("INFINIUM_AGENT_SECRET", SECRET, 1);
    setenv("INFINIUM_BASE_URL", "http://127.0.0.1:1/api/v1", 1);
    assert_int_equal(inf_open(&client, NULL), INF_OK);
    assert_int_equal(inf_close(client, 0), INF_OK);
}

static void test_hostile_agent_id_stays_in_the_directory(void **state)
{
    (void)state;
    static const char *const ids[] = {"../../etc", "a/b/c", "...", "%2e%2e/x", "\xc3\xa4\xc3\xb6\xc3\xbc"};
    char path[256], command[300];
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        inf_client *client;
        inf_options options = {
            .agent_id = ids[i], .agent_secret = SECRET, .base_url = "http://127.0.0.1:1", .journal_dir = directory};
        assert_int_equal(inf_open(&client, &options), INF_OK);
        trace_one(client, "x");
        inf_close(client, 0);
    }
    /* Each has one directory of its own, right below. */
    snprintf(path, sizeof(path), "%s/count", directory);
    snprintf(command, sizeof(command), "test $(ls -1 '%s' | wc -l) -eq 5 && test $(ls -1d '%s'/*/w-* | wc -l) -eq 5",
             directory, directory);
    assert_int_equal(system(command), 0);
}

static void test_memory_journal(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    setenv("INFINIUM_JOURNAL", "memory", 1);
    inf_client *client = open_client(scripted_server_url(s));
    unsetenv("INFINIUM_JOURNAL");
    for (int i = 0; i < 50; i++)
        trace_one(client, "kept in memory");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    assert_int_equal(scripted_server_stored(s), 50);
    scripted_server_stop(s);
    assert_int_equal(rmdir(directory), 0); /* nothing was made in it */
    assert_int_equal(mkdir(directory, 0700), 0);
}

static void test_unusable_directory_falls_back_to_memory(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    char file[80];
    snprintf(file, sizeof(file), "%s/file", directory);
    fclose(fopen(file, "w"));
    inf_client *client;
    inf_options options = {.agent_id = AGENT,
                           .agent_secret = SECRET,
                           .base_url = scripted_server_url(s),
                           .journal_dir = file,
                           .requests_per_second = -1};
    assert_int_equal(inf_open(&client, &options), INF_OK);
    trace_one(client, "no directory");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(stats(client).acknowledged, 1);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static void test_full_journal_refuses_and_counts(void **state)
{
    (void)state;
    char big[3001];
    memset(big, 'x', 3000);
    big[3000] = '\0';
    inf_client *client = open_client_with("http://127.0.0.1:1/api/v1", (inf_options){.journal_max_bytes = 4u << 20});
    for (int i = 0; i < 5000; i++) {
        inf_trace *t = inf_trace_begin(client, "big");
        inf_input("%s", big);
        inf_trace_end(t);
    }
    inf_counts counts = stats(client);
    assert_int_equal(counts.begun, 5000);
    assert_true(counts.refused > 0 && counts.pending > 100);
    inf_close(client, 0);
}

static void test_thousand_clients_one_thread(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    inf_client *clients[1000];
    for (int i = 0; i < 1000; i++)
        clients[i] = open_client_with(scripted_server_url(s), (inf_options){.journal_memory = 1});
    for (int i = 0; i < 20; i++)
        trace_one(clients[i * 50], "one of many");
    for (int i = 0; i < 20; i++)
        assert_int_equal(inf_flush(clients[i * 50], 10000, NULL), INF_OK);
    char line[256];
    int named = 0;
    FILE *f = popen("cat /proc/$PPID/task/*/comm", "r");
    while (fgets(line, sizeof(line), f))
        named += strcmp(line, "infinium\n") == 0;
    pclose(f);
    assert_int_equal(named, 1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(inf_close(clients[i], 1000), INF_OK);
    assert_int_equal(scripted_server_stored(s), 20);
    scripted_server_stop(s);
}

static void test_a_closing_null_client_is_harmless(void **state)
{
    (void)state;
    inf_counts counts;
    assert_int_equal(inf_close(NULL, 0), INF_OK);
    assert_int_equal(inf_flush(NULL, 0, NULL), INF_EINVAL);
    inf_stats(NULL, &counts);
    assert_int_equal(counts.begun, 0);
    inf_trace *t = inf_trace_begin(NULL, "nobody");
    assert_non_null(t);
    inf_input("x");
    inf_error("E", "x");
    inf_trace_end(t);
    inf_trace_end(NULL);
    inf_record_llm_call(NULL);
    inf_stats(NULL, NULL);
    inf_trace_id(NULL, NULL);
}

static void test_what_has_ended_may_be_ended_again(void **state)
{
    (void)state;
    inf_step *steps[10];
    inf_trace *t = inf_trace_begin(NULL, "with open steps");
    for (size_t i = 0; i < 10; i++)
        steps[i] = inf_step_begin("open", "ends with its trace");
    inf_trace_end(t);
    for (size_t i = 0; i < 10; i++)
        inf_step_end(steps[i]);
    inf_trace_end(t);
    assert_null(inf_current());
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        CASE(test_scope_ends_however_it_is_left),
        CASE(test_scope_in_cxx),
        CASE(test_nesting_names_the_parent),
        CASE(test_threads_have_contexts_of_their_own),
        CASE(test_options_are_checked),
        CASE(test_hostile_agent_id_stays_in_the_directory),
        CASE(test_memory_journal),
        CASE(test_unusable_directory_falls_back_to_memory),
        CASE(test_full_journal_refuses_and_counts),
        CASE(test_thousand_clients_one_thread),
        CASE(test_a_closing_null_client_is_harmless),
        CASE(test_what_has_ended_may_be_ended_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

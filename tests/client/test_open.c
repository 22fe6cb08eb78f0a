/* Traces that stay open: shown as running, carried past what is acknowledged, interrupted when their process dies. */
#include "client/support.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void test_running_is_shown_then_replaced(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1000, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "first");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    inf_trace *t = inf_trace_begin(client, "slow");
    inf_input("what it works on");
    WAIT_FOR(scripted_server_running(s) == 1);
    assert_int_equal(scripted_server_stored(s), 1);
    /* Shown once; again only when something has happened. */
    size_t requests = scripted_server_requests(s);
    sleep_ms(2500);
    assert_int_equal(scripted_server_requests(s), requests);
    inf_record_llm_call(&(inf_llm_call){.model = "gpt-4o", .latency_ns = 5000000});
    WAIT_FOR(scripted_server_requests(s) == requests + 1);
    char *r = scripted_server_request(s, requests);
    assert_non_null(strstr(r, "\"status\":\"running\""));
    assert_non_null(strstr(r, "what it works on"));
    assert_non_null(strstr(r, "gpt-4o"));
    free(r);
    /* A flush does not wait for what has not ended. */
    assert_int_equal(inf_flush(client, 5000, NULL), INF_OK);
    inf_trace_end(t);
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(scripted_server_stored(s), 2);
    assert_int_equal(scripted_server_duplicates(s), 0);
    assert_int_equal(stats(client).acknowledged, 2);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    scripted_server_stop(s);
}

static unsigned segments(void)
{
    char command[160], line[32] = "";
    snprintf(command, sizeof(command), "ls %s/*/w-*/*.seg 2>/dev/null | wc -l", directory);
    FILE *f = popen(command, "r");
    assert_non_null(fgets(line, sizeof(line), f));
    pclose(f);
    return (unsigned)strtoul(line, NULL, 10);
}

/* One trace stays open while 20 MB of others come and go; then the process dies. Without carrying, the log could not be
 * given back, and the next client would send everything again. */
static void test_an_open_trace_does_not_hold_the_log(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1000, 4 << 20);
    char big[3001];
    memset(big, 'x', 3000);
    big[3000] = '\0';
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        inf_client *client = open_client(scripted_server_url(s));
        trace_one(client, "first");
        inf_trace *open = inf_trace_begin(client, "open for long");
        inf_input("its input");
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 500; i++) {
                inf_trace *t = inf_trace_begin(client, "in and out");
                inf_input("%s", big);
                inf_output("%s", big);
                inf_trace_end(t);
            }
            if (inf_flush(client, 10000, NULL) != INF_OK)
                _exit(1);
            inf_record_llm_call(&(inf_llm_call){.model = round == 0 ? "model-one" : "model-more"});
            sleep_ms(1100);
        }
        (void)open;
        trace_one(client, "last");
        (void)inf_flush(client, 10000, NULL);
        sleep_ms(500);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    unsigned left = segments();
    assert_in_range(left, 1, 12);
    kill(pid, SIGKILL);
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    size_t before = scripted_server_stored(s);
    assert_int_equal(before, 2002);
    inf_client *client = open_client(scripted_server_url(s));
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    inf_counts counts = stats(client);
    assert_int_equal(counts.interrupted, 1);
    assert_int_equal(scripted_server_stored(s), 2003);
    assert_in_range(scripted_server_duplicates(s), 0, 1100); /* those since it was carried last */
    assert_int_equal(scripted_server_count(s, "open for long"), 1);
    assert_int_equal(scripted_server_count(s, "its input"), 1);
    assert_int_equal(scripted_server_count(s, "model-one"), 1);
    assert_int_equal(scripted_server_count(s, "\"step_number\":4,\"action\":\"llm_call\""), 1);
    assert_int_equal(scripted_server_count(s, "\"step_number\":5"), 0);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    close(ready[0]);
    close(ready[1]);
    scripted_server_stop(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        CASE(test_running_is_shown_then_replaced),
        CASE(test_an_open_trace_does_not_hold_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

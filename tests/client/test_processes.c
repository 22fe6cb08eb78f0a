/* What happens to traces when processes fork, exit and die. Each child is a real process; parents count what arrives.
 */
#include "client/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/os.h"

static void reap(pid_t pid, int signal, int status)
{
    int result;
    assert_int_equal(waitpid(pid, &result, 0), pid);
    if (signal) {
        assert_true(WIFSIGNALED(result));
        assert_int_equal(WTERMSIG(result), signal);
    } else {
        if (!WIFEXITED(result))
            fail_msg("signal %d", WTERMSIG(result));
        assert_true(WIFEXITED(result));
        assert_int_equal(WEXITSTATUS(result), status);
    }
}

/* The next client of the agent; it need not trace anything itself. */
static void deliver_leftovers(scripted_server *s, uint64_t adopted, uint64_t interrupted)
{
    inf_client *client = open_client(scripted_server_url(s));
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    inf_counts counts = stats(client);
    assert_int_equal(counts.adopted, adopted);
    assert_int_equal(counts.interrupted, interrupted);
    assert_int_equal(inf_close(client, 1000), INF_OK);
}

static void kill_and_deliver(unsigned offer)
{
    scripted_server *s = scripted_server_start(0);
    pid_t pid = fork();
    if (pid == 0) {
        inf_client *client = open_client("http://127.0.0.1:1/api/v1"); /* nobody there */
        for (int i = 0; i < 100; i++)
            trace_one(client, "finished");
        inf_trace_begin(client, "unfinished");
        inf_input("the last words");
        inf_record_llm_call(&(inf_llm_call){.provider = "openai", .model = "gpt-4o", .prompt_tokens = 3});
        raise(SIGKILL);
        _exit(1);
    }
    reap(pid, SIGKILL, 0);
    scripted_server_offer(s, offer, 1 << 20);
    deliver_leftovers(s, 101, 1);
    assert_int_equal(scripted_server_stored(s), 101);
    assert_int_equal(scripted_server_duplicates(s), 0);
    assert_int_equal(scripted_server_count(s, "\"name\":\"unfinished\""), 1);
    assert_int_equal(scripted_server_count(s, "the last words"), 1);
    assert_int_equal(scripted_server_count(s, "openai/gpt-4o"), 1);
    assert_int_equal(scripted_server_count(s, offer ? "\"status\":\"interrupted\"" : "\"Interrupted\""), 1);
    /* Nothing is left for a third. */
    deliver_leftovers(s, 0, 0);
    scripted_server_stop(s);
}

static void test_kill_then_platform_wire(void **state)
{
    (void)state;
    kill_and_deliver(0);
}

static void test_kill_then_batch_wire(void **state)
{
    (void)state;
    kill_and_deliver(1000);
}

static void test_exit_without_close(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    pid_t pid = fork();
    if (pid == 0) {
        inf_client *client = open_client(scripted_server_url(s));
        for (int i = 0; i < 10; i++)
            trace_one(client, "at the last moment");
        exit(7);
    }
    reap(pid, 0, 7);
    assert_int_equal(scripted_server_stored(s), 10);
    scripted_server_stop(s);
}

#ifdef __SANITIZE_ADDRESS__
#define LIMIT_S 20 /* at exit the sanitizer looks for leaks, at its own pace */
#else
#define LIMIT_S 2
#endif

static void test_exit_with_nobody_listening_is_quick(void **state)
{
    (void)state;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    pid_t pid = fork();
    if (pid == 0) {
        inf_client *client = open_client("http://127.0.0.1:1/api/v1");
        for (int i = 0; i < 10; i++)
            trace_one(client, "kept");
        exit(0);
    }
    reap(pid, 0, 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9 < LIMIT_S);
    scripted_server *s = scripted_server_start(0);
    deliver_leftovers(s, 10, 0);
    assert_int_equal(scripted_server_stored(s), 10);
    scripted_server_stop(s);
}

static void test_fork_while_tracing(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    /* GCC 12's sanitizer keeps its allocator locked in a child when another thread was in it at the fork (seen in a
     * debugger: both of the child's threads wait, one for that lock). The build without a sanitizer runs this test. */
    skip();
#endif
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 1000, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    for (int i = 0; i < 20; i++)
        trace_one(client, "parent, before");
    inf_trace *open = inf_trace_begin(client, "open at the fork");
    pid_t pids[5];
    for (int p = 0; p < 5; p++) {
        pids[p] = fork();
        if (pids[p] == 0) {
            inf_counts counts;
            inf_stats(client, &counts);
            if (counts.begun != 0)
                _exit(2);
            for (int i = 0; i < 100; i++)
                trace_one(client, "child");
            inf_trace_end(open); /* the parent's: nothing happens */
            inf_stats(client, &counts);
            if (counts.begun != 100 || counts.finished != 100)
                _exit(3);
            int result = inf_close(client, 20000);
            _exit(result == INF_OK ? 0 : 4);
        }
        for (int i = 0; i < 20; i++)
            trace_one(client, "parent, after");
    }
    inf_trace_end(open);
    for (int p = 0; p < 5; p++)
        reap(pids[p], 0, 0);
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(stats(client).acknowledged, 121);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    assert_int_equal(scripted_server_stored(s), 621);
    assert_int_equal(scripted_server_duplicates(s), 0);
    assert_int_equal(scripted_server_count(s, "\"name\":\"child\""), 500);
    assert_int_equal(scripted_server_count(s, "open at the fork"), 1);
    scripted_server_stop(s);
}

/* A child of a traced call that never touches the client again must not disturb anything. */
static void test_silent_child(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "before");
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    reap(pid, 0, 0);
    trace_one(client, "after");
    assert_int_equal(inf_close(client, 10000), INF_OK);
    assert_int_equal(scripted_server_stored(s), 2);
    assert_int_equal(scripted_server_duplicates(s), 0);
    scripted_server_stop(s);
}

static void test_closed_client_leaves_the_rest_to_the_next(void **state)
{
    (void)state;
    inf_client *client = open_client("http://127.0.0.1:1/api/v1");
    for (int i = 0; i < 5; i++)
        trace_one(client, "undelivered");
    assert_int_equal(inf_close(client, 100), INF_ETIMEDOUT);
    scripted_server *s = scripted_server_start(0);
    deliver_leftovers(s, 5, 0);
    assert_int_equal(scripted_server_stored(s), 5);
    scripted_server_stop(s);
}

static atomic_bool noisy;

static void *fail_all_the_time(void *unused)
{
    (void)unused;
    while (noisy) {
        INF_TRACE(NULL, "noise")
        {
            inf_error("E", "%s", "of a thread");
        }
    }
    return NULL;
}

/* A lock that a thread holds at the fork would never be given back in the child. */
static void test_fork_beside_errors(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* see test_fork_while_tracing() */
#endif
    pthread_t threads[2];
    noisy = true;
    inf_client *client = open_client("http://127.0.0.1:1/api/v1");
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fail_all_the_time, NULL), 0);
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(10);
            INF_TRACE(NULL, "child")
            {
                inf_error("E", "%s", "of the child");
            }
            _exit(0);
        }
        reap(pid, 0, 0);
    }
    noisy = false;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    inf_close(client, 0);
}

/* What a program prints that was started with its standard streams closed must not land in the journal. */
static void test_closed_standard_streams_stay_free(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        inf_client *client = open_client(scripted_server_url(s));
        trace_one(client, "without streams");
        bool good = inf_flush(client, 10000, NULL) == INF_OK;
        for (int fd = 0; fd < 3; fd++)
            good = good && fcntl(fd, F_GETFD) < 0;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(scripted_server_stored(s), 1);
    scripted_server_stop(s);
}

static int no_space(int fd, int mode, off_t offset, off_t length)
{
    (void)fd, (void)mode, (void)offset, (void)length;
    errno = ENOSPC;
    return -1;
}

/* The disk may be full of nothing but what waits to be delivered. */
static void test_a_full_disk_keeps_nobody_from_delivering(void **state)
{
    (void)state;
    inf_client *client = open_client("http://127.0.0.1:1/api/v1");
    for (int i = 0; i < 5; i++)
        trace_one(client, "undelivered");
    assert_int_equal(inf_close(client, 100), INF_ETIMEDOUT);
    int (*real)(int, int, off_t, off_t) = inf_os.fallocate;
    inf_os.fallocate = no_space;
    scripted_server *s = scripted_server_start(0);
    client = open_client(scripted_server_url(s));
    inf_counts counts;
    int result = inf_flush(client, 10000, &counts);
    inf_os.fallocate = real;
    assert_int_equal(inf_close(client, 1000), INF_OK);
    assert_int_equal(result, INF_OK);
    assert_int_equal(counts.adopted, 5);
    assert_int_equal(scripted_server_stored(s), 5);
    scripted_server_stop(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        CASE(test_kill_then_platform_wire),
        CASE(test_kill_then_batch_wire),
        CASE(test_exit_without_close),
        CASE(test_exit_with_nobody_listening_is_quick),
        CASE(test_fork_while_tracing),
        CASE(test_fork_beside_errors),
        CASE(test_silent_child),
        CASE(test_closed_standard_streams_stay_free),
        CASE(test_closed_client_leaves_the_rest_to_the_next),
        CASE(test_a_full_disk_keeps_nobody_from_delivering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

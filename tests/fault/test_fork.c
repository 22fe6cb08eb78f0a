/* fork() at any moment of what other threads and the sender are doing: rolling segments, retiring them, adopting the
 * logs of children that have just died. Each child traces and dies without a word; in the end everything is there.
 *
 * INF_TORTURE=1: 1,000 children, else 60. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "base/log.h"
#include "client/support.h"

#define THREADS 3
#define EACH 5

static atomic_bool stopping;
static atomic_uint_fast64_t made;

static void quiet(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
}

static void *trace_on(void *context)
{
    char text[2000];
    memset(text, 't', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    while (!atomic_load(&stopping)) {
        inf_trace *t = inf_trace_begin(context, "parent");
        inf_input("%s", text);
        inf_trace_end(t);
        atomic_fetch_add(&made, 1);
        usleep(200);
    }
    return NULL;
}

static void test_fork_at_any_moment(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* the sanitizer's allocator does not survive a fork while other threads allocate */
#endif
    unsigned children = getenv("INF_TORTURE") ? 1000 : 60;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 200, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, trace_on, client), 0);
    pid_t pids[8];
    unsigned running = 0;
    for (unsigned i = 0; i < children; i++) {
        if (running == 8) {
            int status;
            assert_int_equal(waitpid(pids[0], &status, 0), pids[0]);
            assert_int_equal(status, 0);
            memmove(pids, pids + 1, sizeof(pids) - sizeof(*pids));
            running--;
        }
        pid_t pid = fork();
        if (pid == 0) {
            for (int k = 0; k < EACH; k++)
                trace_one(client, "child");
            if (i % 2)
                usleep(3000); /* its sender comes to do something */
            _exit(0);
        }
        pids[running++] = pid;
        usleep(1000 + 37 * (i % 100));
    }
    for (unsigned i = 0; i < running; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    atomic_store(&stopping, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(inf_flush(client, 20000, NULL), INF_OK);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    client = open_client(scripted_server_url(s));
    assert_int_equal(inf_flush(client, 20000, NULL), INF_OK);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    print_message("%u children, %llu traces of the parent\n", children, (unsigned long long)atomic_load(&made));
    assert_int_equal(scripted_server_stored(s), atomic_load(&made) + (uint64_t)children * EACH);
    assert_int_equal(scripted_server_count(s, "\"name\":\"child\""), (uint64_t)children * EACH);
    scripted_server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fork_at_any_moment, make_directory, remove_directory)};
    inf_log_set_sink(quiet, NULL);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

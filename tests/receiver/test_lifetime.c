/* A receiver's beginning and end: deaths, restarts, two at once, agents that come and go meanwhile. */
#include <glob.h>
#include <signal.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "base/id.h"
#include "base/log.h"
#include "receiver/running.h"

/* `infinium serve` as a child process with its standard output in a pipe. */
struct child {
    pid_t pid;
    int out;
    int port;
    char link[200];
};

static struct child serve(const char *dir)
{
    struct child c = {0};
    int out[2];
    char text[2048] = "";
    size_t n = 0;
    assert_int_equal(pipe(out), 0);
    fflush(NULL);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        inf_serve_options options = INF_SERVE_OPTIONS_INIT;
        options.data_dir = dir;
        options.listen = "127.0.0.1:0";
        _exit(inf_serve(&options, NULL) == 0 ? 0 : 1);
    }
    close(out[1]);
    c.out = out[0];
    while (!strstr(text, "log in: ") || !strchr(strstr(text, "log in: "), '\n')) {
        ssize_t got = read(c.out, text + n, sizeof text - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = 0;
    }
    const char *line = strstr(text, "listening on http://127.0.0.1:");
    assert_ptr_equal(line, text); /* the first line */
    c.port = (int)strtol(line + 30, NULL, 10);
    const char *link = strstr(text, "\nlog in: http://127.0.0.1:");
    assert_non_null(link);
    snprintf(c.link, sizeof c.link, "%.*s", (int)strcspn(strstr(link, "/login"), "\n"), strstr(link, "/login"));
    return c;
}

static int end(struct child *c, int signal_number)
{
    int status = 0;
    assert_int_equal(kill(c->pid, signal_number), 0);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    close(c->out);
    return status;
}

static int make(void **state)
{
    struct running *r = calloc(1, sizeof *r);
    assert_non_null(r);
    make_dir(r);
    add_agent(r, "Tester", AGENT);
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct running *r = *state;
    http_close(&r->c);
    remove_tree(r->dir);
    free(r);
    return 0;
}

static void killed_after_an_acknowledgement(void **state)
{
    struct running *r = *state;
    for (int round = 0; round < 3; round++) {
        struct child c = serve(r->dir);
        r->c = http_open(c.port);
        for (int i = 0; i < 20; i++) {
            char body[100];
            snprintf(body, sizeof body, "{\"name\":\"n\",\"trace_id\":\"%016x%016x\"}", round + 1, i);
            check_answer(post(r, JSON, body), 201, NULL);
        }
        int status = end(&c, SIGKILL);
        assert_true(WIFSIGNALED(status));
        http_close(&r->c);
    }
    start_with(r, NULL);
    assert_in_range(inf_receiver_recovered(r->receiver), 0, 20);
    inf_store_filter all = INF_STORE_FILTER_INIT;
    inf_store *store = open_store(r);
    assert_int_equal(inf_store_count(store, &all), 60);
    inf_store_close(store);
    stop(r);
}

static void what_a_killed_receiver_left_is_found_by_readers(void **state)
{
    struct running *r = *state;
    struct child c = serve(r->dir);
    r->c = http_open(c.port);
    for (int i = 0; i < 10; i++)
        check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    end(&c, SIGKILL);
    http_close(&r->c);
    assert_int_equal(inf_receiver_find(r->dir, NULL, 0), 0);
    assert_int_equal(stored(r), 10);
    start_with(r, NULL);
    assert_int_equal(inf_receiver_recovered(r->receiver), 0);
    stop(r);
}

static void a_signal_ends_it_cleanly(void **state)
{
    struct running *r = *state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        struct child c = serve(r->dir);
        r->c = http_open(c.port);
        check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
        check_answer(http_ask(&r->c, "GET", c.link, NULL, NULL, 0), 303, NULL);
        int status = end(&c, signals[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        http_close(&r->c);
    }
    assert_int_equal(stored(r), 2);
}

static void one_receiver_a_directory(void **state)
{
    struct running *r = *state;
    char message[INF_RECEIVER_MESSAGE_SIZE];
    char url[100];
    struct child c = serve(r->dir);
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.data_dir = r->dir;
    options.listen = "127.0.0.1:0";
    inf_receiver *second;
    assert_int_equal(inf_receiver_start(&second, &options, message), INF_EEXIST);
    char pid[40];
    snprintf(pid, sizeof pid, "process %d at http://127.0.0.1:%d", (int)c.pid, c.port);
    assert_non_null(strstr(message, pid));
    assert_int_equal(inf_receiver_find(r->dir, url, sizeof url), 1);
    snprintf(pid, sizeof pid, "http://127.0.0.1:%d", c.port);
    assert_string_equal(url, pid);
    end(&c, SIGTERM);
    assert_int_equal(inf_receiver_find(r->dir, url, sizeof url), 0);
    start_with(r, NULL);
    stop(r);
}

static void addresses_that_cannot_be(void **state)
{
    struct running *r = *state;
    static const char *const bad[] = {"127.0.0.1", ":80", "127.0.0.1:99999", "127.0.0.1:x", "[::1:80", "192.0.2.1:0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char message[INF_RECEIVER_MESSAGE_SIZE];
        inf_serve_options options = INF_SERVE_OPTIONS_INIT;
        options.data_dir = r->dir;
        options.listen = bad[i];
        inf_receiver *none;
        assert_true(inf_receiver_start(&none, &options, message) < 0);
        assert_true(strlen(message) > 10);
    }
}

static void agents_come_and_go(void **state)
{
    struct running *r = *state;
    uint8_t id[16];
    start_with(r, NULL);
    static const char body[] = "{\"name\":\"n\"}";
    static const char other[] = "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n";
    static const char path[] = "/api/v1/agents/" OTHER_AGENT "/trace";
    check_answer(http_ask(&r->c, "POST", path, other, body, sizeof body - 1), 401, NULL);
    add_agent(r, "Other", OTHER_AGENT);
    check_answer(http_ask(&r->c, "POST", path, other, body, sizeof body - 1), 201, NULL); /* at once */
    inf_store *store = open_store(r);
    assert_int_equal(inf_id_parse(OTHER_AGENT, 36, id), 0);
    assert_int_equal(inf_store_agent_revoke(store, id), 0);
    inf_store_close(store);
    pause_ms(1000);
    check_answer(http_ask(&r->c, "POST", path, other, body, sizeof body - 1), 401, NULL);
    check_answer(post(r, JSON, body), 201, NULL);
    stop(r);
}

static void only_a_hash_is_kept(void **state)
{
    struct running *r = *state;
    start_with(r, NULL);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    stop(r);
    static const char *const files[] = {"infinium.db", "infinium.db-wal"};
    for (int f = 0; f < 2; f++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", r->dir, files[f]);
        FILE *file = fopen(path, "rb");
        if (!file)
            continue;
        static char data[4 << 20];
        size_t n = fread(data, 1, sizeof data, file);
        fclose(file);
        assert_null(memmem(data, n, SECRET, strlen(SECRET)));
    }
}

/* Locks on a file belong to the process: a handle that comes and goes must not drop those of the others, or the next
 * process that closes the store takes the write-ahead log away from under the receiver. */
static void handles_that_come_and_go_leave_the_locks(void **state)
{
    struct running *r = *state;
    struct stat before, after;
    char path[200];
    int go[2];
    char byte = 0;
    snprintf(path, sizeof path, "%s/infinium.db-wal", r->dir);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork(); /* before anything is open, so that the child knows nothing of our locks */
    assert_true(pid >= 0);
    if (pid == 0) {
        inf_store *store;
        if (read(go[0], &byte, 1) != 1)
            _exit(2);
        int rc = inf_store_open(&store, r->dir, 0);
        inf_store_close(store);
        _exit(rc == 0 ? 0 : 1);
    }
    start_with(r, NULL);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    assert_int_equal(stored(r), 1);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(write(go[1], &byte, 1), 1);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    close(go[0]);
    close(go[1]);
    stop(r);
}

static void agents_that_cannot_be(void **state)
{
    struct running *r = *state;
    char id[INF_AGENT_ID_SIZE], secret[INF_AGENT_SECRET_SIZE];
    inf_store *store = open_store(r);
    assert_int_equal(inf_agent_create(store, "", NULL, NULL, id, secret), INF_EINVAL);
    assert_int_equal(inf_agent_create(store, "x", "not-a-uuid", NULL, id, secret), INF_EINVAL);
    assert_int_equal(inf_agent_create(store, "x", NULL, "short", id, secret), INF_EINVAL);
    assert_int_equal(inf_agent_create(store, "x", NULL, "with a space", id, secret), INF_EINVAL);
    assert_int_equal(inf_agent_create(store, "x", AGENT, NULL, id, secret), INF_EEXIST);
    assert_int_equal(inf_agent_create(store, "x", NULL, NULL, id, secret), 0);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(strlen(secret), 64);
    inf_store_close(store);
}

static char last_warning[1024];

static void keep_warning(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    if (level == INF_LOG_WARNING)
        snprintf(last_warning, sizeof last_warning, "%s", message);
}

/* The store belongs to somebody else: the end is bounded all the same, what is left is said, and the next start has it.
 */
static void leave(struct running *r, int traces, const char *said)
{
    char path[100];
    sqlite3 *other;
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.shutdown_s = 0;
    start_with(r, &options);
    snprintf(path, sizeof path, "%s/infinium.db", r->dir);
    check_answer(post(r, JSON, "{\"name\":\"n\"}"), 201, NULL);
    assert_int_equal(stored(r), 1);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < traces; i++)
        check_answer(post(r, JSON, "{\"name\":\"left behind\"}"), 201, NULL);
    inf_log_set_sink(keep_warning, NULL);
    time_t before = time(NULL);
    stop(r);
    inf_log_set_sink(NULL, NULL);
    assert_in_range(time(NULL) - before, 0, 5); /* who waits for the lock is told to give up */
    assert_string_equal(last_warning, said);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

static void end_without_storing(struct running *r, int traces, const char *said)
{
    leave(r, traces, said);
    start_with(r, NULL);
    assert_int_equal(inf_receiver_recovered(r->receiver), traces);
    stop(r);
}

static void an_end_that_cannot_store_says_what_is_left(void **state)
{
    end_without_storing(*state, 3, "3 accepted traces are not stored yet; the next start stores them");
}

static void one_trace_that_is_left_is_one(void **state)
{
    end_without_storing(*state, 1, "1 accepted trace is not stored yet; the next start stores it");
}

static char errors[1024];

static void keep_error(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    if (level == INF_LOG_ERROR)
        snprintf(errors, sizeof errors, "%s", message);
}

/* Changes one byte of the last trace that is in the journal's files. */
static void damage(const struct running *r)
{
    char pattern[100];
    glob_t found;
    enum { SIZE = 1024 * 1024 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    snprintf(pattern, sizeof pattern, "%s/journal/*/*.seg", r->dir);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    int fd = open(found.gl_pathv[found.gl_pathc - 1], O_RDWR | O_CLOEXEC);
    ssize_t n = read(fd, text, SIZE);
    static const char name[] = "left behind";
    ssize_t at = n - (ssize_t)sizeof name;
    while (at > 0 && memcmp(text + at, name, sizeof name - 1) != 0)
        at--;
    assert_true(at > 0);
    assert_int_equal(pwrite(fd, "L", 1, at), 1);
    close(fd);
    globfree(&found);
    free(text);
}

/* What was acknowledged and cannot be read any more is not passed over in silence. */
static void a_damaged_journal_is_said(void **state)
{
    struct running *r = *state;
    leave(r, 3, "3 accepted traces are not stored yet; the next start stores them");
    damage(r);
    inf_log_set_sink(keep_error, NULL);
    start_with(r, NULL);
    inf_log_set_sink(NULL, NULL);
    assert_int_equal(inf_receiver_recovered(r->receiver), 2);
    assert_string_equal(errors,
                        "1 stretch of the journal was damaged and passed over: accepted traces in there are lost; "
                        "look at the disk");
    check_answer(get(r, "/metrics"), 200, "\ninfinium_journal_skipped_total 1\n");
    stop(r);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(killed_after_an_acknowledgement),
        TEST(what_a_killed_receiver_left_is_found_by_readers),
        TEST(a_signal_ends_it_cleanly),
        TEST(one_receiver_a_directory),
        TEST(addresses_that_cannot_be),
        TEST(agents_come_and_go),
        TEST(only_a_hash_is_kept),
        TEST(handles_that_come_and_go_leave_the_locks),
        TEST(agents_that_cannot_be),
        TEST(an_end_that_cannot_store_says_what_is_left),
        TEST(one_trace_that_is_left_is_one),
        TEST(a_damaged_journal_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kill -9 at random instants. A child traces from two threads and says through a pipe, which outlives it, how far each
 * trace had come; it is killed; sometimes the process that delivers for it is killed as well; then one that is not
 * delivers the rest. Every trace that the child had finished is there, in its finished form; every other one is there
 * with the input and the LLM call that it had. The server keeps the first final form that comes, so a finished trace
 * that was first sent as interrupted would show.
 *
 * INF_TORTURE=1: 500 rounds, else 10. INF_SEED repeats a run. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "client/support.h"

#define THREADS 2
#define MOST_TRACES 3000 /* a child */
#define NOBODY "http://127.0.0.1:1/api/v1"

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void quiet(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
}

/* ---- the child ---- */

struct said {
    char what; /* B: begun and its input recorded; C: its LLM call too; E: ended */
    char id[33];
};

struct worker {
    inf_client *client;
    int pipe;
    unsigned pause_us;
    size_t input_bytes;
};

static void say(int fd, char what, inf_trace *t)
{
    struct said said = {.what = what};
    inf_trace_id(t, said.id);
    if (write(fd, &said, sizeof(said)) != (ssize_t)sizeof(said))
        _exit(3);
}

static void *work(void *context)
{
    struct worker *w = context;
    char input[3001];
    memset(input, 'i', sizeof(input));
    input[w->input_bytes] = '\0';
    for (int i = 0; i < MOST_TRACES / THREADS; i++) {
        char id[33];
        inf_trace *t = inf_trace_begin(w->client, "killed");
        inf_trace_id(t, id);
        inf_input("input of %s %s", id, input);
        say(w->pipe, 'B', t);
        inf_record_llm_call(&(inf_llm_call){.provider = "openai", .model = "gpt-4o", .prompt_tokens = 3});
        say(w->pipe, 'C', t);
        if (w->pause_us > 0)
            usleep(w->pause_us);
        inf_output("output of %s", id);
        struct said said = {.what = 'E'};
        memcpy(said.id, id, sizeof(id));
        inf_trace_end(t);
        if (write(w->pipe, &said, sizeof(said)) != (ssize_t)sizeof(said))
            _exit(3);
    }
    for (;;)
        pause();
}

static void child(const char *url, int pipe, unsigned pause_us, size_t input_bytes)
{
    struct worker w = {open_client(url), pipe, pause_us, input_bytes};
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &w) != 0)
        _exit(4);
    work(&w);
}

/* ---- the parent ---- */

struct known {
    char id[33];
    char what;
};

struct book {
    struct known *traces;
    size_t count;
};

static void note(struct book *b, const struct said *said)
{
    for (size_t i = b->count; i > 0 && said->what != 'B'; i--) {
        if (memcmp(b->traces[i - 1].id, said->id, 32) == 0) {
            b->traces[i - 1].what = said->what;
            return;
        }
    }
    assert_true(b->count < MOST_TRACES);
    memcpy(b->traces[b->count].id, said->id, 33);
    b->traces[b->count++].what = said->what;
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void end(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* Reads what the child says, kills it after a while, and reads the rest. */
static void listen_and_kill(int fd, pid_t pid, uint64_t after_us, struct book *b)
{
    uint64_t deadline = now_us() + after_us;
    bool killed = false;
    for (;;) {
        struct said said[64];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = now_us();
        if (!killed && now >= deadline) {
            end(pid);
            killed = true;
        }
        if (poll(&p, 1, killed ? 10000 : (int)((deadline - now) / 1000) + 1) == 0)
            continue;
        ssize_t n = read(fd, said, sizeof(said)); /* whole entries: they are written in one piece */
        if (n <= 0)
            break;
        for (size_t i = 0; i < (size_t)n / sizeof(*said); i++)
            note(b, &said[i]);
    }
    if (!killed)
        end(pid);
}

static bool contains(const char *body, const char *a, const char *id)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%s", a, id);
    return body && strstr(body, text);
}

static void check(scripted_server *s, const struct book *b, size_t *finished, size_t *unfinished)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct known *k = &b->traces[i];
        const char *body = scripted_server_body(s, k->id);
        bool output = contains(body, "output of ", k->id);
        bool good = body && contains(body, "input of ", k->id) && (k->what == 'B' || strstr(body, "openai/gpt-4o")) &&
                    (k->what != 'E' || output) && (output || strstr(body, "nterrupted"));
        if (!good)
            print_message("trace %s (%c): %.600s\n", k->id, k->what, body ? body : "not there");
        assert_true(good);
        *finished += k->what == 'E';
        *unfinished += !output;
    }
}

static void run_round(unsigned round, struct book *b, size_t *finished, size_t *unfinished)
{
    int fds[2];
    assert_int_equal(make_directory(NULL), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, round % 4 == 0 ? 0 : 1 + (unsigned)(next_random() % 500), 1 << 20);
    const char *url = next_random() % 2 ? NOBODY : scripted_server_url(s);
    unsigned pause_us = next_random() % 2 ? (unsigned)(next_random() % 2000) : 0;
    size_t input_bytes = next_random() % 2 ? next_random() % 2900 : 10;
    uint64_t after_us = next_random() % (next_random() % 4 ? 60000 : 400000);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(url, fds[1], pause_us, input_bytes);
        _exit(5);
    }
    close(fds[1]);
    b->count = 0;
    listen_and_kill(fds[0], pid, after_us, b);
    close(fds[0]);
    for (unsigned i = 0; i < round % 3; i++) { /* those who deliver die too */
        pid = fork();
        if (pid == 0) {
            inf_client *client = open_client(scripted_server_url(s));
            (void)inf_flush(client, 60000, NULL);
            for (;;)
                pause();
        }
        usleep((useconds_t)(next_random() % 60000));
        end(pid);
    }
    inf_client *client = open_client(scripted_server_url(s));
    assert_int_equal(inf_flush(client, 20000, NULL), INF_OK);
    assert_int_equal(inf_close(client, 1000), INF_OK);
    check(s, b, finished, unfinished);
    scripted_server_stop(s);
    char command[256];
    snprintf(command, sizeof(command), "test -z \"$(ls -A '%s/" AGENT "' 2>/dev/null)\"", directory);
    assert_int_equal(system(command), 0); /* nothing is left behind */
    assert_int_equal(remove_directory(NULL), 0);
}

static void test_killed_at_random_instants(void **state)
{
    (void)state;
    unsigned rounds = getenv("INF_TORTURE") ? 500 : 10;
    const char *seed = getenv("INF_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : (now_us() << 1) | 1;
    print_message("INF_SEED=%llu\n", (unsigned long long)random_state);
    struct book b = {.traces = calloc(MOST_TRACES, sizeof(*b.traces))};
    assert_non_null(b.traces);
    size_t finished = 0;
    size_t unfinished = 0;
    for (unsigned i = 0; i < rounds; i++)
        run_round(i, &b, &finished, &unfinished);
    free(b.traces);
    print_message("%u rounds: %zu finished traces, %zu interrupted ones, all there\n", rounds, finished, unfinished);
    assert_true(finished > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_at_random_instants)};
    inf_log_set_sink(quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

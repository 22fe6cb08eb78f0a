/* A receiver on a fresh directory with one agent, for tests. */
#ifndef INF_TESTS_RECEIVER_RUNNING_H
#define INF_TESTS_RECEIVER_RUNNING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include "auth/agents.h"
#include "auth/login.h"
#include "infinium.h"
#include "receiver/http.h"
#include "serve.h"

#define AGENT "11111111-2222-4333-8444-555555555555"
#define OTHER_AGENT "99999999-2222-4333-8444-555555555555"
#define SECRET "correct-horse-battery"
#define POST_PATH "/api/v1/agents/" AGENT "/trace"
#define BATCH_PATH "/api/v1/agents/" AGENT "/traces"
#define KEYS "x-agent-id: " AGENT "\r\nx-agent-key: " SECRET "\r\n"
#define JSON KEYS "Content-Type: application/json\r\n"

struct running {
    char dir[64];
    inf_receiver *receiver;
    int port;
    connection c;
    char bearer[128]; /* a whole header line */
};

/* Never follows a link out of the tree. */
static inline void remove_tree(const char *path)
{
    struct stat st;
    DIR *d = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        char inner[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        remove_tree(inner);
    }
    if (d)
        closedir(d);
    if (remove(path) < 0)
        return;
}

static inline inf_store *open_store(const struct running *r)
{
    inf_store *store;
    assert_int_equal(inf_store_open(&store, r->dir, INF_STORE_CREATE), 0);
    return store;
}

static inline void add_agent(struct running *r, const char *name, const char *id)
{
    char made_id[INF_AGENT_ID_SIZE];
    char secret[INF_AGENT_SECRET_SIZE];
    inf_store *store = open_store(r);
    assert_int_equal(inf_agent_create(store, name, id, SECRET, made_id, secret), 0);
    assert_string_equal(secret, SECRET);
    inf_store_close(store);
}

static inline void start_with(struct running *r, const inf_serve_options *more)
{
    char message[INF_RECEIVER_MESSAGE_SIZE];
    char token[INF_TOKEN_SIZE];
    inf_serve_options options = more ? *more : (inf_serve_options)INF_SERVE_OPTIONS_INIT;
    options.data_dir = r->dir;
    options.listen = "127.0.0.1:0";
    int rc = inf_receiver_start(&r->receiver, &options, message);
    if (rc != 0)
        fail_msg("the receiver does not start: %s", message);
    r->port = inf_receiver_port(r->receiver);
    assert_int_equal(inf_read_token(r->dir, token), 0);
    snprintf(r->bearer, sizeof r->bearer, "Authorization: Bearer %s\r\n", token);
    r->c = http_open(r->port);
    assert_true(r->c.fd >= 0);
}

/* What a reload says, for tests that do not care. */
static inline void ignore_line(void *context, bool wrong, const char *line)
{
    (void)context;
    (void)wrong;
    (void)line;
}

static inline void stop(struct running *r)
{
    http_close(&r->c);
    inf_receiver_stop(r->receiver);
    r->receiver = NULL;
}

static inline void make_dir(struct running *r)
{
    memset(r, 0, sizeof *r);
    r->c.fd = -1;
    snprintf(r->dir, sizeof r->dir, "/tmp/infinium-receiver-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
}

static inline int set_up(void **state)
{
    struct running *r = calloc(1, sizeof *r);
    assert_non_null(r);
    make_dir(r);
    add_agent(r, "Tester", AGENT);
    start_with(r, NULL);
    *state = r;
    return 0;
}

static inline int tear_down(void **state)
{
    struct running *r = *state;
    stop(r);
    remove_tree(r->dir);
    free(r);
    return 0;
}

static inline answer post(struct running *r, const char *headers, const char *body)
{
    return http_ask(&r->c, "POST", POST_PATH, headers, body, strlen(body));
}

static inline answer get(struct running *r, const char *path)
{
    return http_ask(&r->c, "GET", path, r->bearer, NULL, 0);
}

/* Asserts the status and, when text is not NULL, that the body holds it. */
#define check_answer(a, expected, text)                                                                                \
    do {                                                                                                               \
        const char *check_text_ = (text);                                                                              \
        const answer check_a_ = (a);                                                                                   \
        if (check_a_.status != (expected) || (check_text_ && !strstr(check_a_.body, check_text_)))                     \
            fail_msg("expected %d with \"%s\", got %d: %s", (expected), check_text_ ? check_text_ : "",                \
                     check_a_.status, check_a_.body ? check_a_.body : "(nothing)");                                    \
    } while (0)

static inline long stored(const struct running *r)
{
    inf_store_filter all = INF_STORE_FILTER_INIT;
    assert_int_equal(inf_store_catch_up(r->dir, 5000), 0);
    inf_store *store = open_store(r);
    long n = (long)inf_store_count(store, &all);
    inf_store_close(store);
    return n;
}

static inline void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l}, NULL);
}

#endif

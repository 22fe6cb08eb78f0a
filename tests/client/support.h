/* What the client's tests share: a directory of their own, a client for the scripted server, waiting with a limit. */
#ifndef CLIENT_SUPPORT_H
#define CLIENT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "infinium.h"
#include "send/scripted_server.h"

#define AGENT "11111111-2222-3333-4444-555555555555"
#define SECRET "a-secret-of-tests"

/* What the crypto library, or the sender in the middle of a request, keeps for a thread that fork() did not bring along. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:CRYPTO_zalloc\nleak:CRYPTO_malloc\nleak:start_one\n";
}

static char directory[64];

static inline int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/inf-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static inline int remove_directory(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command) == 0 ? 0 : -1;
}

static inline inf_client *open_client_with(const char *url, inf_options options)
{
    inf_client *client = NULL;
    options.agent_id = AGENT;
    options.agent_secret = SECRET;
    options.base_url = url;
    options.journal_dir = directory;
    if (options.requests_per_second == 0)
        options.requests_per_second = -1;
    assert_int_equal(inf_open(&client, &options), INF_OK);
    return client;
}

static inline inf_client *open_client(const char *url)
{
    return open_client_with(url, (inf_options)INF_OPTIONS_INIT);
}

static inline void trace_one(inf_client *client, const char *name)
{
    inf_trace *t = inf_trace_begin(client, name);
    inf_input("what came in: %d", 42);
    inf_output("what went out");
    inf_trace_end(t);
}

static inline void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* WAIT_FOR(condition): up to ten seconds. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (int i_ = 0; i_ < 1000 && !(condition); i_++)                                                              \
            sleep_ms(10);                                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)

static inline void assert_adds_up(const inf_counts *c)
{
    assert_int_equal(c->begun, c->open + c->pending + c->acknowledged + c->set_aside + c->refused);
}

static inline inf_counts stats(inf_client *client)
{
    inf_counts c;
    inf_stats(client, &c);
    assert_adds_up(&c);
    return c;
}

#endif

/* `infinium serve`: a receiver, its two lines, and the signals that reach it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "auth/login.h"
#include "base/log.h"
#include "infinium.h"
#include "logging.h"
#include "receiver.h"
#include "serve.h"

static int print_login(const inf_receiver *receiver)
{
    char token[INF_TOKEN_SIZE];
    inf_store *store;
    int rc = inf_store_open(&store, receiver->directory.path, 0);
    if (rc == 0)
        rc = inf_login_create(store, token);
    inf_store_close(store);
    if (rc == 0)
        printf("log in: %s/login?token=%s\n", inf_receiver_url(receiver), token);
    return rc;
}

static void say_change(void *context, const char *line)
{
    (void)context;
    inf_log(INF_LOG_INFO, "reload: %s", line);
}

/* What the receiver runs with, and the file's text that it points into. */
struct settings {
    inf_serve_options options;
    const inf_config_sources *sources;
    inf_config config;
};

static void reload(inf_receiver *receiver, struct settings *s)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config wanted;
    if (!s->sources) {
        inf_log(INF_LOG_WARNING, "reload: there is nothing to read again");
        return;
    }
    if (inf_config_load(&wanted, s->sources, message) < 0) {
        inf_log(INF_LOG_ERROR, "reload: %s; nothing is changed", message);
        inf_config_free(&wanted);
        return;
    }
    int changed = inf_config_take_over(&s->options, &wanted.options, say_change, NULL);
    inf_logging_set(&s->options);
    inf_receiver_reload(receiver, &s->options);
    inf_log(INF_LOG_INFO, "reload: done, %d settings changed", changed);
    inf_config_free(&s->config);
    s->config = wanted;
}

static int next_signal(const sigset_t *signals)
{
    int number;
    while (sigwait(signals, &number) != 0)
        ;
    return number;
}

int inf_serve(const inf_serve_options *options, const inf_config_sources *sources)
{
    char message[INF_RECEIVER_MESSAGE_SIZE];
    struct settings settings = {.options = *options, .sources = sources};
    sigset_t signals;
    inf_receiver *receiver;
    /* Blocked before threads are there, so that all of them inherit it and the wait below gets the signal. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    inf_logging_set(options);
    int rc = inf_receiver_start(&receiver, options, message);
    if (rc < 0) {
        fprintf(stderr, "infinium serve: %s\n", message);
        return rc;
    }
    if (inf_receiver_recovered(receiver) > 0)
        inf_log(INF_LOG_INFO, "recovered %" PRIu64 " traces that were accepted before and not yet stored",
                inf_receiver_recovered(receiver));
    printf("listening on %s\n", inf_receiver_url(receiver));
    rc = print_login(receiver);
    if (rc < 0)
        fprintf(stderr, "infinium serve: no log-in link can be made: %s\n", inf_strerror(rc));
    fflush(stdout);
    while (next_signal(&signals) == SIGHUP)
        reload(receiver, &settings);
    inf_receiver_stop(receiver);
    inf_config_free(&settings.config);
    return 0;
}

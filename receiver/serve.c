/* `infinium serve`: a receiver, its two lines, and the signals that reach it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "auth/login.h"
#include "base/clock.h"
#include "base/log.h"
#include "infinium.h"
#include "logging.h"
#include "receiver.h"
#include "reload.h"
#include "serve.h"
#include "systemd.h"

enum { ENDING_S = 20 }; /* besides storing */

static int print_login(const inf_receiver *receiver)
{
    char token[INF_TOKEN_SIZE];
    inf_store *store;
    if (inf_systemd_listens()) { /* what a service prints is kept, and read by others */
        printf("log in: with the link that `infinium login --data %s` prints\n", receiver->directory.path);
        return 0;
    }
    int rc = inf_store_open(&store, receiver->directory.path, 0);
    if (rc == 0)
        rc = inf_login_create(store, token);
    inf_store_close(store);
    if (rc == 0)
        printf("log in: %s/login?token=%s\n", inf_receiver_url(receiver), token);
    return rc;
}

/* Logged, and told to whoever asked. */
static void say(void *report, bool wrong, const char *line)
{
    inf_log(wrong ? INF_LOG_ERROR : INF_LOG_INFO, "reload: %s", line);
    inf_reload_say(report, wrong, line);
}

static void say_change(void *report, const char *line)
{
    say(report, false, line);
}

/* What the receiver runs with, and the file's text that it points into. */
struct settings {
    inf_serve_options options;
    const inf_config_sources *sources;
    inf_config config;
};

static void read_again(inf_receiver *receiver, struct settings *s, inf_buf *report)
{
    char message[INF_CONFIG_MESSAGE_SIZE], line[INF_CONFIG_MESSAGE_SIZE + 40];
    inf_config wanted;
    if (!s->sources) {
        say(report, true, "there is nothing to read again");
        return;
    }
    if (inf_config_load(&wanted, s->sources, message) < 0) {
        snprintf(line, sizeof line, "%s; nothing is changed", message);
        say(report, true, line);
        inf_config_free(&wanted);
        return;
    }
    int changed = inf_config_take_over(&s->options, &wanted.options, say_change, report);
    inf_logging_set(&s->options);
    inf_receiver_reload(receiver, &s->options, say, report);
    snprintf(line, sizeof line, "done, %d setting%s changed", changed, changed == 1 ? "" : "s");
    say(report, false, line);
    inf_config_free(&s->config);
    s->config = wanted;
}

static void reload(inf_receiver *receiver, struct settings *s)
{
    inf_buf report;
    inf_systemd_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, inf_mono_ns() / 1000u);
    inf_reload_begin(&receiver->directory, &report);
    read_again(receiver, s, &report);
    inf_reload_end(&receiver->directory, &report);
    inf_systemd_notify("READY=1");
}

/* Waits for the next signal; tells systemd's watchdog meanwhile that all is well. */
static int next_signal(const inf_receiver *receiver, const sigset_t *signals)
{
    uint64_t ns = inf_systemd_watchdog_ns() / 3;
    struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    for (;;) {
        int number = sigtimedwait(signals, NULL, ns ? &wait : NULL);
        if (number > 0)
            return number;
        if (errno == EAGAIN && inf_receiver_moves(receiver))
            inf_systemd_notify("WATCHDOG=1");
    }
}

/* A second signal ends the process at once: what was acknowledged is in the journal. */
static void end(inf_receiver *receiver, const sigset_t *signals, int64_t seconds)
{
    inf_log(INF_LOG_INFO, "ending: what was accepted is stored, for %" PRId64 " s at most", seconds);
    inf_systemd_notify("STOPPING=1\nSTATUS=storing what was accepted\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                       ((uint64_t)seconds + ENDING_S) * 1000000u);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    inf_receiver_stop(receiver);
    inf_log(INF_LOG_INFO, "ended");
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
    int rc = inf_systemd_begin(&settings.options.passed_socket, message, sizeof message);
    if (rc == 0)
        rc = inf_receiver_start(&receiver, &settings.options, message);
    if (rc < 0) {
        fprintf(stderr, "infinium serve: %s\n", message);
        return rc;
    }
    inf_reload_offer(&receiver->directory);
    printf("listening on %s\n", inf_receiver_url(receiver));
    rc = print_login(receiver);
    if (rc < 0)
        fprintf(stderr, "infinium serve: no log-in link can be made: %s\n", inf_strerror(rc));
    fflush(stdout);
    inf_systemd_notify("READY=1\nSTATUS=listening on %s", inf_receiver_url(receiver));
    while (next_signal(receiver, &signals) == SIGHUP)
        reload(receiver, &settings);
    end(receiver, &signals, settings.options.shutdown_s);
    inf_config_free(&settings.config);
    return 0;
}

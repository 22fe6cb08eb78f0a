/* `infinium serve`: a receiver, its two lines, and the signals that end it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "auth/login.h"
#include "infinium.h"
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

static void wait_for_end(const sigset_t *ends)
{
    int signal_number;
    while (sigwait(ends, &signal_number) != 0)
        ;
}

int inf_serve(const inf_serve_options *options)
{
    char message[INF_RECEIVER_MESSAGE_SIZE];
    sigset_t ends;
    inf_receiver *receiver;
    /* Blocked before threads are there, so that all of them inherit it and the wait below gets the signal. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);

    int rc = inf_receiver_start(&receiver, options, message);
    if (rc < 0) {
        fprintf(stderr, "infinium serve: %s\n", message);
        return rc;
    }
    if (inf_receiver_recovered(receiver) > 0 && !options->quiet)
        fprintf(stderr, "recovered %" PRIu64 " traces that were accepted before and not yet stored\n",
                inf_receiver_recovered(receiver));
    printf("listening on %s\n", inf_receiver_url(receiver));
    rc = print_login(receiver);
    if (rc < 0)
        fprintf(stderr, "infinium serve: no log-in link can be made: %s\n", inf_strerror(rc));
    fflush(stdout);
    wait_for_end(&ends);
    inf_receiver_stop(receiver);
    return 0;
}

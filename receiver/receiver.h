/* The parts of a running receiver and who owns them. Private to receiver/. */
#ifndef INF_RECEIVER_H
#define INF_RECEIVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/export.h"
#include "auth/keys.h"
#include "auth/login.h"
#include "cost/book.h"
#include "directory.h"
#include "ingest/body.h"
#include "ingest/clients.h"
#include "ingest/intake.h"
#include "judge/judge.h"
#include "live/hub.h"
#include "metrics.h"
#include "serve.h"
#include "upkeep.h"

typedef struct inf_http inf_http;
typedef struct inf_workers inf_workers;
typedef struct inf_slow inf_slow;

struct inf_receiver {
    inf_directory directory;
    inf_keys *keys;
    inf_price_book *prices;
    inf_intake *intake;
    inf_hub *hub;
    inf_upkeep *upkeep;
    inf_upkeep_limits upkeep_limits;
    inf_exports *exports;
    inf_judge *judge; /* NULL: there is none */
    inf_workers *workers;
    inf_slow *slow;
    inf_http *http;
    inf_metrics *metrics;
    inf_clients *clients;
    atomic_bool serving; /* `http` is there, for the keeper too */
    char host[256];      /* as it was asked for */
    int port;
    char url[320];
    bool tls;
    char names[1024]; /* other names of this host, commas between them */
    char certificate[1024];
    char key[1024];
    char read_token[INF_TOKEN_SIZE];
    char admin_token[INF_TOKEN_SIZE];
    uint64_t recovered;
    uint64_t recovered_skipped; /* damaged stretches of the journal that were passed over meanwhile */
    uint64_t started_ns;        /* Unix time */
    atomic_bool ending;
    _Atomic uint64_t kept_ns; /* monotonic: the keeper's last round */
    _Atomic int64_t shutdown_s;

    pthread_t keeper; /* housekeeping: agents, the journal's next segment, heartbeats */
    bool keeping;
    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_work;
    bool woken;
    bool stopping;
};

/* http/server.c */
int inf_http_listen(inf_http **out, inf_receiver *receiver, const inf_serve_options *options, char *message,
                    size_t size);
/* No new connections; requests that must wait are refused from now on. */
void inf_http_quiesce(inf_http *http);
/* Takes over the limits of one address and one agent. Any thread. */
void inf_http_limit(inf_http *http, const inf_serve_options *options);
/* Gives back large buffers that are not used any more, and closes connections that take too long; to be called ten
 * times a second or so, from one thread. */
void inf_http_tidy(inf_http *http);
/* Connections that are open. Any thread. */
unsigned inf_http_connections(const inf_http *http);
/* Waits a moment for answers on their way, then closes. Nothing may be suspended any more. */
void inf_http_stop(inf_http *http);
/* A reader of bodies for the calling thread until it is given back; NULL without memory. */
inf_body_reader *inf_http_reader(inf_receiver *receiver);
void inf_http_reader_done(inf_receiver *receiver, inf_body_reader *reader);

/* http/workers.c: threads for what may wait */
struct inf_request;
int inf_workers_start(inf_workers **out, inf_receiver *receiver);
/* 0, or INF_EFULL, INF_ECLOSED: not taken. */
int inf_workers_submit(inf_workers *workers, struct inf_request *request);
/* Works off what waits, then takes nothing more. NULL is allowed. */
void inf_workers_stop(inf_workers *workers);
/* Once the HTTP server has ended, whose threads may still submit. NULL is allowed. */
void inf_workers_close(inf_workers *workers);

#endif

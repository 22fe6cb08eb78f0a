/* Connections: how many there are, from where, and how long each has been at what it does. The library closes a
 * connection that is idle; one that drips a byte now and then is closed here: a request must have arrived, and its
 * answer must have left, within `grace_s` (30 s) and what its size needs at 16 KiB a second. When nearly all
 * connections that there may be are taken, those that wait for a request longer than 5 s are closed first. Private to
 * receiver/http/. */
#ifndef INF_HTTP_CONNECTIONS_H
#define INF_HTTP_CONNECTIONS_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/peer.h"

enum inf_stage {
    INF_STAGE_HEADERS, /* nothing has come, or not all headers */
    INF_STAGE_BODY,    /* they have, the body has not */
    INF_STAGE_WORK,    /* it is our turn: no limit */
    INF_STAGE_ANSWER,  /* being sent */
};

typedef struct inf_connections inf_connections;
typedef struct inf_connection {
    struct inf_connection *next;
    struct inf_connection **link;
    int fd;
    inf_peer peer;
    uint64_t key; /* of its address, see inf_peer_key() */
    bool counted; /* among its address's */
    bool shut;
    atomic_bool used; /* a request was answered on it */
    _Atomic int stage;
    _Atomic uint64_t since_ns; /* monotonic, of the clock below */
    _Atomic uint64_t bytes;    /* of the body so far, or of the whole answer */
} inf_connection;

/* `most`: connections that there may be in all. NULL without memory. */
inf_connections *inf_connections_new(unsigned most);
void inf_connections_free(inf_connections *connections);

/* At most so many from one address; 0: any. `loopback`: from this machine too. Any thread. */
void inf_connections_limit(inf_connections *connections, unsigned one_address, bool loopback, uint64_t grace_s);

/* The library's callbacks; their context is the inf_connections. */
enum MHD_Result inf_connections_accept(void *context, const struct sockaddr *address, socklen_t length);
void inf_connections_notify(void *context, struct MHD_Connection *connection, void **state,
                            enum MHD_ConnectionNotificationCode code);

/* The connection of a request; NULL when there was no memory for it. On its thread. */
inf_connection *inf_connection_of(struct MHD_Connection *connection);
/* What it is at from now on. On its thread; `connection` may be NULL. */
void inf_connection_at(const inf_connections *connections, inf_connection *connection, enum inf_stage stage,
                       uint64_t bytes);

/* More of the body has come. */
void inf_connection_more(const inf_connections *connections, inf_connection *connection, uint64_t bytes);

/* Moves the clock, and closes what has taken too long; a few times a second, from one thread. */
void inf_connections_tidy(inf_connections *connections);
/* The monotonic time of the last tidying: a clock that costs nothing. */
uint64_t inf_connections_now(const inf_connections *connections);
unsigned inf_connections_count(const inf_connections *connections);

#endif

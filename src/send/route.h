/* The sender thread's side of a route: reads its journals, fills requests, judges answers. Only that thread calls this.
 */
#ifndef INF_SEND_ROUTE_H
#define INF_SEND_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "send/http.h"
#include "send/sender.h"

/* What all routes share. */
typedef struct inf_engine {
    inf_http *http; /* NULL until the first request is due, or when libcurl cannot be loaded */
    bool http_tried;
    void *zstd;
} inf_engine;

typedef struct inf_turn {
    bool active;     /* records came or requests moved: look again soon */
    bool settled;    /* something is settled that a flush may wait for */
    uint64_t due_ns; /* when there is something to do even if nothing comes; UINT64_MAX: never */
} inf_turn;

typedef struct inf_route_state inf_route_state;

/* NULL without memory. */
inf_route_state *inf_route_state_new(inf_route *route);

/* One look at the route: takes answers, reads, starts requests, acknowledges. Never blocks on the network. */
inf_turn inf_route_turn(inf_route *route, inf_engine *engine, uint64_t now_ns);

/* Breaks off what is under way and gives adopted journals back. The route's own journal is not touched. */
void inf_route_state_free(inf_route_state *state, inf_engine *engine);

#endif

/* One HTTP request from its headers to its answer, as the rooms of the receiver see it. Private to receiver/.
 *
 * A request is handled on the thread of its connection until it must wait (for the journal to be durable, for the
 * store, for the slow hash); then its connection is suspended, and whoever does the waiting answers and resumes it. A
 * suspended connection is never torn down by the server library, so the request stays valid until it is resumed. */
#ifndef INF_HTTP_REQUEST_H
#define INF_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/agents.h"
#include "base/buf.h"
#include "http/loop.h"
#include "ingest/intake.h"
#include "receiver.h"

enum inf_route {
    INF_ROUTE_NONE,
    INF_ROUTE_TRACE,   /* POST agents/ID/trace */
    INF_ROUTE_BATCH,   /* POST agents/ID/traces */
    INF_ROUTE_HEALTH,  /* GET agents/ID/health */
    INF_ROUTE_LIST,    /* GET traces */
    INF_ROUTE_SHOW,    /* GET traces/ID */
    INF_ROUTE_AGENTS,  /* GET agents */
    INF_ROUTE_EVENTS,  /* GET events */
    INF_ROUTE_SESSION, /* GET session */
    INF_ROUTE_LOGIN,   /* GET /login */
    INF_ROUTE_PAGE,    /* GET everything else */
};

enum inf_phase {
    INF_PHASE_HEADERS,  /* nothing decided yet */
    INF_PHASE_DECIDING, /* suspended: the slow comparison of a secret */
    INF_PHASE_DECIDED,
    INF_PHASE_BODY,    /* reading, or reading over, the body */
    INF_PHASE_WORKING, /* suspended */
    INF_PHASE_ANSWERED /* the answer is ready to be queued */
};

typedef struct inf_worker inf_worker;
typedef struct inf_request inf_request;
struct inf_request {
    inf_waiter waiter;      /* first member: the commit thread's handle on a request */
    inf_request *next;      /* in a queue or among the spare ones */
    unsigned unused_rounds; /* among the spare ones */
    inf_receiver *receiver;
    struct MHD_Connection *connection;
    inf_http_loop *loop; /* of the connection */
    const char *url;
    enum inf_phase phase;
    enum inf_route route;
    bool head;      /* the method is HEAD */
    bool refused;   /* an answer stands already; the body is read over */
    bool suspended; /* in this call of the server library; only the connection's thread looks at it */

    char target[64]; /* id in the path: an agent's or a trace's */
    uint8_t agent_id[16];
    char agent_name[INF_AGENT_NAME_MAX + 1];

    inf_buf body;
    uint64_t received; /* bytes of the body, kept or not */
    size_t reserved;   /* of the receiver's budget for bodies */

    void (*work)(inf_request *request, inf_worker *worker);

    /* the answer */
    unsigned status;
    inf_buf answer;
    const char *content_type;
    const char *retry_after; /* seconds */
    const char *allow;
    const char *location;
    char session[65];              /* a cookie to set; "" for none */
    struct MHD_Response *response; /* instead of all this: ready-made */
};

/* What a worker thread has of its own. */
struct inf_worker {
    inf_store *store;
};

/* Clients make ten requests a second at most when nothing else is set: a request must hold a tenth of what one client
 * can deliver in a second. */
#define INF_BATCH_MAX_TRACES 32768
#define INF_BATCH_MAX_BYTES (12 * 1024 * 1024)
#define INF_BATCH_HEADER "max_traces=32768; max_bytes=12582912; encodings=zstd; extra=1"
#define INF_REQUEST_BODY_MAX (INF_BATCH_MAX_BYTES + 128 * 1024) /* of the buffer: with room to work */
#define INF_PREFIX "/api/v1"

/* Sets the answer `{"error": reason}`. The reason is text, made safe for JSON. */
void inf_request_refuse(inf_request *request, unsigned status, const char *reason);
void inf_request_refusef(inf_request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A header or a query argument; NULL when it is not there. */
const char *inf_request_header(const inf_request *request, const char *name);
const char *inf_request_argument(const inf_request *request, const char *name);

/* Suspends the connection and has `work` called on a worker's thread; answers 503 when too much is waiting. */
void inf_request_work(inf_request *request, enum inf_phase meanwhile, void (*work)(inf_request *, inf_worker *));
/* Suspends the connection. From here on the request belongs to whoever resumes it. */
void inf_request_suspend(inf_request *request, enum inf_phase meanwhile);
/* Ends a suspension: the answer, or the next phase, is there. The request belongs to its connection's thread again. */
void inf_request_resume(inf_request *request, enum inf_phase phase);

/* The rooms' entries, each on the connection's thread when the body is complete. They answer, or suspend. */
void inf_ingest_platform(inf_request *request);
void inf_ingest_batch(inf_request *request);
void inf_ingest_health(inf_request *request);
void inf_api_read(inf_request *request);
void inf_files_serve(inf_request *request);
/* Whether the page has something at this path. */
bool inf_files_have(const char *url);

#endif

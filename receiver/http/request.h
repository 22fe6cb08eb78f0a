/* One HTTP request from its headers to its answer, as the rooms of the receiver see it. Private to receiver/.
 *
 * A request is handled on the thread of its connection until it must wait. For the store and for the slow hash its
 * connection is suspended, and whoever does the waiting answers and resumes it; a suspended connection is never torn
 * down by the server library, so the request stays valid until it is resumed. For the journal to be durable, which
 * comes with every trace, it is parked (loop.h): its connection may end meanwhile, so request and commit thread agree
 * by `commit` on who comes last. */
#ifndef INF_HTTP_REQUEST_H
#define INF_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/access.h"
#include "auth/agents.h"
#include "base/buf.h"
#include "http/limits.h"
#include "http/loop.h"
#include "http/routes.h"
#include "ingest/intake.h"
#include "receiver.h"

#define INF_SEGMENT_SIZE 128 /* of one segment of a path, with its NUL */
#define INF_TAKEN_SIZE 92    /* of the answer to a trace that was taken: {"success":true, ...} with its id */

enum inf_phase {
    INF_PHASE_HEADERS,  /* nothing decided yet */
    INF_PHASE_DECIDING, /* suspended: the slow comparison of a secret */
    INF_PHASE_DECIDED,
    INF_PHASE_BODY,       /* reading, or reading over, the body */
    INF_PHASE_WORKING,    /* suspended */
    INF_PHASE_COMMITTING, /* parked: what it brought is being made durable */
    INF_PHASE_ANSWERED    /* the answer is ready to be queued */
};

typedef struct inf_worker inf_worker;
typedef struct inf_request inf_request;

enum inf_commit { INF_COMMIT_RUNNING, INF_COMMIT_DONE, INF_COMMIT_ABANDONED /* the connection has ended */ };

struct inf_request {
    inf_waiter waiter;      /* first member: the commit thread's handle on a request */
    atomic_int commit;      /* enum inf_commit, in INF_PHASE_COMMITTING */
    int commit_rc;          /* once it is INF_COMMIT_DONE */
    inf_request *next;      /* in a queue or among the spare ones */
    unsigned unused_rounds; /* among the spare ones */
    inf_receiver *receiver;
    struct MHD_Connection *connection;
    inf_http_loop *loop;         /* of the connection */
    struct inf_connection *from; /* likewise; for its thread alone. NULL without memory */
    const char *url;
    const char *method;
    uint64_t began_ns; /* monotonic; 0 when requests are not logged */
    enum inf_phase phase;
    enum inf_route route;
    const inf_route_def *def; /* &inf_routes[route] */
    bool head;                /* the method is HEAD */
    bool refused;             /* an answer stands already; the body is read over */
    bool doubtful;  /* where its body ends, or who sent it, is not sure: the connection ends with the refusal */
    bool counted;   /* what was refused of it is in the metrics already */
    bool suspended; /* in this call of the server library; only the connection's thread looks at it */

    char segments[2][INF_SEGMENT_SIZE]; /* of the path, what stands at {...} of the pattern */
    uint8_t agent_id[16];               /* of the path, at {agent} */
    char agent_name[INF_AGENT_NAME_MAX + 1];
    inf_access access;

    inf_buf body;
    uint64_t received; /* bytes of the body, kept or not */
    size_t reserved;   /* of the receiver's budget for bodies */
    bool complete;     /* nothing more of the body is to come; for THREAD STREAM, which keeps something between */
    void *stream;      /* the parts of its body */
    void (*stream_free)(void *stream);

    void (*work)(inf_request *request, inf_worker *worker); /* ends with inf_request_resume() */

    /* the answer */
    unsigned status;
    inf_buf answer;
    const char *content_type;
    const char *retry_after; /* seconds */
    char allow[48];
    const char *location;
    char cookie[160];              /* to set; "" for none */
    struct MHD_Response *response; /* instead of all this: ready-made */

    /* Kept when the request is used again: the answer to a trace that was taken. It differs in nothing but the id, and
     * making one anew is a dozen allocations. */
    struct MHD_Response *taken;      /* NULL: not made yet */
    char taken_text[INF_TAKEN_SIZE]; /* its content */
};

/* What a worker thread has of its own. */
struct inf_worker {
    inf_store *store;
};

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
/* Parks the request until everything this thread appended is durable; the answer that stands in it is sent then, or 503
 * when it cannot be made durable. */
void inf_request_commit(inf_request *request);
/* Counts `bytes` more for this request among what all bodies may take together, until its end. False: that is too
 * much. Any thread that has the request. */
bool inf_request_reserve(inf_request *request, size_t bytes);
/* Ends a suspension: the answer, or the next phase, is there. The request belongs to its connection's thread again. */
void inf_request_resume(inf_request *request, enum inf_phase phase);

/* Whether the page has something at this path. */
bool inf_files_have(const char *url);

#endif

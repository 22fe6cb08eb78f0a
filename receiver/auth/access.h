/* Who asks, and what that lets them see. Every request has an inf_access; the dispatcher fills it before a handler is
 * called and refuses whoever may not (routes.h says what a route wants). Private to receiver/. */
#ifndef INF_AUTH_ACCESS_H
#define INF_AUTH_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/actor.h"
#include "store/store.h"

/* In the order of what they may: an administrator may do what a reader may. */
enum inf_role {
    INF_ROLE_NONE,
    INF_ROLE_INGEST, /* an agent: writes its own traces, reads nothing but the two published calls of its own id */
    INF_ROLE_READ,
    INF_ROLE_ADMIN
};

typedef struct inf_access {
    enum inf_role role;
    bool scoped;          /* sees the traces of agent_id only */
    bool cookie;          /* came with a session's cookie, not with a key */
    uint8_t agent_id[16]; /* when scoped, and of INF_ROLE_INGEST */
    bool keyed;           /* came with a key that can be revoked, or by a link that such a key made */
    uint8_t key_id[16];
    char who[80]; /* for people and for the audit log: "key 1f0c...", "session"; empty for an agent */
} inf_access;

/* "ingest", "read", "admin", "none". */
const char *inf_role_name(enum inf_role role);

struct inf_request;
struct inf_worker;

/* Narrows a filter to what the one who asks may see, after the handler has put in which agent was asked for (or none).
 * False: another agent was asked for, and 403 stands already. The filter then points into the request. */
bool inf_access_filter(struct inf_request *request, inf_store_filter *filter);
/* May the one who asks see what belongs to this agent? If not, answer as if it were not there (404). */
bool inf_access_sees(const struct inf_request *request, const uint8_t agent_id[16]);

/* For the server, on the connection's thread, when the headers are there: decides, or suspends and decides on a
 * worker's thread (the request goes on with INF_PHASE_DECIDED), or leaves it to inf_access_late(). A refusal stands
 * afterwards if it is not allowed. */
void inf_access_early(struct inf_request *request);
/* For the dispatcher, on a worker's thread, before the handler: false when a refusal stands. */
bool inf_access_late(struct inf_request *request, struct inf_worker *worker);
/* For handlers of routes that decide themselves: the reader or administrator who asks, if one does. Nothing is refused.
 */
bool inf_access_reader(struct inf_request *request, struct inf_worker *worker);

/* Who asks, for the audit log. */
void inf_access_actor(const struct inf_request *request, inf_actor *out);

/* The CSRF token of the session that asks; "" when the request came without one. */
#define INF_CSRF_SIZE 65
void inf_access_csrf(const struct inf_request *request, char out[INF_CSRF_SIZE]);

/* The session's token in the request's cookie; false when there is none. */
bool inf_access_session(const struct inf_request *request, char out[INF_CSRF_SIZE]);

#endif

/* How `infinium serve` logs: one line a record on standard error, as text for people or as JSON for collectors. What is
 * logged by the rooms (base/log.h) and what a request was, if requests are logged. No secret and nothing of a trace
 * goes in. */
#ifndef INF_LOGGING_H
#define INF_LOGGING_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include "config.h"

typedef struct inf_logged_request {
    const char *method;
    const char *path;
    unsigned status;
    uint64_t duration_ns;
    uint64_t received; /* bytes of its body */
    const char *role;
    const char *who;             /* may be "" */
    const uint8_t *agent_id;     /* NULL: not an agent's */
    const struct sockaddr *from; /* may be NULL */
} inf_logged_request;

/* Are requests logged? Asked for each. */
bool inf_logging_requests(void);
/* Logs one, at the level info. Any thread; may wait for whoever reads standard error. */
void inf_logging_request(const inf_logged_request *request);

/* Takes over the process's log. May be called again, from any thread, when the settings have changed. */
void inf_logging_set(const inf_serve_options *options);

#endif

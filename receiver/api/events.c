/* Live events: the hub's answer to a viewer. */
#include <ctype.h>
#include <stdlib.h>

#include "api/api.h"
#include "infinium.h"

void inf_api_events(inf_request *r, inf_worker *worker)
{
    const char *last = inf_request_header(r, "Last-Event-ID");
    bool resume = last && isdigit((unsigned char)*last);
    int rc = inf_hub_view(r->receiver->hub, worker->store, r->loop, r->connection,
                          r->access.scoped ? r->access.agent_id : NULL, resume, resume ? strtoull(last, NULL, 10) : 0,
                          &r->response);
    if (rc < 0) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, rc == INF_EFULL ? "too many viewers" : inf_strerror(rc));
        return;
    }
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
}

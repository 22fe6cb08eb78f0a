/* For whoever runs the receiver: does it live, can it take traces. Answered on the connection's thread from what is
 * known already, so that they answer when everything else waits. */
#include "api/query.h"

void inf_api_healthz(inf_request *r, inf_worker *worker)
{
    (void)worker;
    if (!inf_query_read(r, NULL, 0))
        return;
    r->status = MHD_HTTP_OK;
    inf_buf_put_text(&r->answer, "{\"status\":\"ok\"}");
}

/* NULL: nothing. */
static const char *in_the_way(inf_receiver *receiver)
{
    inf_intake_stats stats;
    if (atomic_load(&receiver->ending))
        return "the receiver is ending";
    inf_intake_get_stats(receiver->intake, &stats);
    if (stats.unsynced)
        return "the journal cannot be synced";
    if (stats.cramped)
        return "the journal cannot grow";
    if (stats.full)
        return "as much waits to be stored as may wait";
    if (stats.drain.failing)
        return "the store cannot be written";
    return NULL;
}

void inf_api_readyz(inf_request *r, inf_worker *worker)
{
    (void)worker;
    if (!inf_query_read(r, NULL, 0))
        return;
    const char *reason = in_the_way(r->receiver);
    if (reason) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
        return;
    }
    r->status = MHD_HTTP_OK;
    inf_buf_put_text(&r->answer, "{\"status\":\"ready\"}");
}

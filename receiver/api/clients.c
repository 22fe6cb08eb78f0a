/* What the sending clients said last of themselves (ingest/clients.h): what has not come, and why. */
#include "api/query.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"

struct listing {
    inf_request *request;
    inf_json_writer w;
};

static void write_report(void *context, const inf_client_report *report)
{
    struct listing *l = context;
    char id[37], at[INF_RFC3339_SIZE];
    if (!inf_access_sees(l->request, report->agent_id))
        return;
    inf_id_uuid(report->agent_id, id);
    inf_rfc3339(report->received_ns, 6, at);
    inf_json_begin_object(&l->w);
    inf_json_key(&l->w, "agent_id");
    inf_json_put_text(&l->w, id);
    inf_json_key(&l->w, "received_at");
    inf_json_put_text(&l->w, at);
#define X(name)                                                                                                        \
    inf_json_key(&l->w, #name);                                                                                        \
    inf_json_put_u64(&l->w, report->counts.name);
    INF_CLIENT_COUNTS(X)
#undef X
    inf_json_end_object(&l->w);
}

void inf_api_clients(inf_request *r, inf_worker *worker)
{
    (void)worker;
    if (!inf_query_read(r, NULL, 0))
        return;
    struct listing l = {.request = r, .w = inf_json_writer_on(&r->answer)};
    inf_json_begin_object(&l.w);
    inf_json_key(&l.w, "clients");
    inf_json_begin_array(&l.w);
    inf_clients_each(r->receiver->clients, write_report, &l);
    inf_json_end_array(&l.w);
    inf_json_end_object(&l.w);
}

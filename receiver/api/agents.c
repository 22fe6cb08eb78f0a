/* Agents: who may send traces. A reader of one agent sees that one. */
#include "api/api.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"

struct listing {
    inf_json_writer w;
    const inf_request *request;
};

static int agent_row(void *context, const inf_agent *agent)
{
    struct listing *l = context;
    inf_json_writer *w = &l->w;
    char id[37];
    char created[INF_RFC3339_SIZE];
    if (!inf_access_sees(l->request, agent->id))
        return 0;
    inf_id_uuid(agent->id, id);
    inf_rfc3339(agent->created_ns, 6, created);
    inf_json_begin_object(w);
    inf_json_key(w, "agent_id");
    inf_json_put_text(w, id);
    inf_json_key(w, "name");
    inf_json_put_text(w, agent->name);
    inf_json_key(w, "created_at");
    inf_json_put_text(w, created);
    inf_json_key(w, "revoked");
    inf_json_put_bool(w, agent->revoked);
    inf_json_end_object(w);
    return w->out->error;
}

void inf_api_agents(inf_request *r, inf_worker *worker)
{
    struct listing l = {inf_json_writer_on(&r->answer), r};
    inf_json_begin_object(&l.w);
    inf_json_key(&l.w, "agents");
    inf_json_begin_array(&l.w);
    int rc = inf_store_agents(worker->store, agent_row, &l);
    inf_json_end_array(&l.w);
    inf_json_end_object(&l.w);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

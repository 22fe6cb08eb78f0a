/* Agents: who may send traces. A reader of one agent sees that one; administrators create, revoke and give new secrets.
 */
#include "api/api.h"
#include "api/members.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "infinium.h"

struct listing {
    inf_json_writer w;
    const inf_request *request;
};

static int agent_row(void *context, const inf_agent *agent)
{
    struct listing *l = context;
    inf_json_writer *w = &l->w;
    char id[37];
    if (!inf_access_sees(l->request, agent->id))
        return 0;
    uint64_t used = inf_keys_used(l->request->receiver->keys, agent->id, true);
    inf_id_uuid(agent->id, id);
    inf_json_begin_object(w);
    inf_json_key(w, "agent_id");
    inf_json_put_text(w, id);
    inf_json_key(w, "name");
    inf_json_put_text(w, agent->name);
    inf_api_put_time(w, "created_at", agent->created_ns);
    inf_json_key(w, "revoked");
    inf_json_put_bool(w, agent->revoked);
    inf_api_put_time(w, "last_seen_at", used > agent->last_used_ns ? used : agent->last_used_ns);
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

void inf_api_agent_create(inf_request *r, inf_worker *worker)
{
    char name[INF_AGENT_NAME_MAX + 1] = "";
    char id[INF_AGENT_ID_SIZE], secret[INF_AGENT_SECRET_SIZE];
    const inf_member members[] = {{"name", INF_MEMBER_TEXT, name, 0, INF_AGENT_NAME_MAX}};
    inf_actor actor;
    if (!INF_MEMBERS_READ(r, members))
        return;
    const char *reason = inf_agent_create_reason(name, NULL, NULL);
    if (reason) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, reason);
        return;
    }
    inf_access_actor(r, &actor);
    int rc = inf_agent_create_by(worker->store, &actor, name, NULL, NULL, id, secret);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        inf_api_created(r, "agent_id", id, "secret", secret);
}

void inf_api_agent_rotate(inf_request *r, inf_worker *worker)
{
    char id[37], secret[INF_AGENT_SECRET_SIZE];
    unsigned overlap = INF_OVERLAP_DEFAULT_S;
    const inf_member members[] = {{"overlap_s", INF_MEMBER_NUMBER, &overlap, 0, INF_OVERLAP_MAX_S}};
    inf_actor actor;
    if (!INF_MEMBERS_READ(r, members))
        return;
    inf_access_actor(r, &actor);
    inf_id_uuid(r->agent_id, id);
    int rc = inf_agent_rotate(worker->store, &actor, r->agent_id, overlap, secret);
    if (rc == INF_ENOTFOUND)
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such agent, or it is revoked");
    else if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        inf_api_created(r, "agent_id", id, "secret", secret);
}

void inf_api_agent_revoke(inf_request *r, inf_worker *worker)
{
    inf_actor actor;
    inf_access_actor(r, &actor);
    int rc = inf_agent_revoke(worker->store, &actor, r->agent_id);
    if (rc == INF_ENOTFOUND) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such agent");
    } else if (rc < 0) {
        inf_api_store_failed(r, worker, rc);
    } else {
        r->status = MHD_HTTP_NO_CONTENT;
        inf_keys_refresh(r->receiver->keys);
    }
}

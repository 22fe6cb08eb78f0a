/* GET values: the values that there are of one field, for the suggestions of a filter, most used first. */
#include "api/api.h"
#include "api/query.h"
#include "base/json_write.h"

static int write_value(void *context, const char *value, int64_t traces)
{
    inf_json_writer *w = context;
    inf_json_begin_object(w);
    inf_json_key(w, "value");
    inf_json_put_text(w, value);
    inf_json_key(w, "traces");
    inf_json_put_i64(w, traces);
    inf_json_end_object(w);
    return w->out->error;
}

void inf_api_values(inf_request *r, inf_worker *worker)
{
    inf_query_traces q = INF_QUERY_TRACES_INIT;
    int field = -1;
    const char *prefix = NULL;
    const inf_query_parameter parameters[] = {
        {"field", INF_QUERY_CHOICE, &field, 0, 0, "name|model|tag|session|user"}, /* as enum inf_store_field counts */
        {"prefix", INF_QUERY_TEXT, &prefix, 0, INF_QUERY_TEXT_MAX, NULL},
        {"agent", INF_QUERY_ID, &q.agent, 0, 0, NULL},
        {"limit", INF_QUERY_INT, &q.limit, 1, INF_QUERY_LIMIT_MAX, NULL},
    };
    if (!INF_QUERY_READ(r, parameters))
        return;
    if (field < 0) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "field is needed: one of name/model/tag/session/user");
        return;
    }
    if (!inf_query_settle(r, &q))
        return;
    inf_intake_catch_up(r->receiver->intake);
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "values");
    inf_json_begin_array(&w);
    int rc = inf_store_values(worker->store, (enum inf_store_field)field, prefix, q.filter.agent_id, (int)q.limit,
                              write_value, &w);
    inf_json_end_array(&w);
    inf_json_end_object(&w);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

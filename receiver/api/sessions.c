/* GET sessions: an agent's traces of one session_id taken together, the session with the latest trace first. */
#include "api/api.h"
#include "api/query.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "infinium.h"

static void time_of(inf_json_writer *w, const char *key, uint64_t ns)
{
    char text[INF_RFC3339_SIZE];
    inf_rfc3339(ns, 9, text);
    inf_json_key(w, key);
    inf_json_put_text(w, text);
}

static int write_row(void *context, const inf_session_row *s)
{
    inf_json_writer *w = context;
    char agent[37];
    inf_id_uuid(s->agent_id, agent);
    inf_json_begin_object(w);
    inf_json_key(w, "session_id");
    inf_json_put_text(w, s->session_id);
    inf_json_key(w, "agent_id");
    inf_json_put_text(w, agent);
    inf_json_key(w, "user_id");
    inf_json_put_text(w, s->user_id);
    inf_json_key(w, "traces");
    inf_json_put_i64(w, s->traces);
    inf_json_key(w, "errors");
    inf_json_put_i64(w, s->errors);
    time_of(w, "first_at", s->first_ns);
    time_of(w, "last_at", s->last_ns);
    inf_json_key(w, "prompt_tokens");
    inf_json_put_i64(w, s->prompt_tokens);
    inf_json_key(w, "completion_tokens");
    inf_json_put_i64(w, s->completion_tokens);
    inf_json_key(w, "cost_usd");
    if (s->cost_nano_usd < 0)
        inf_json_put_null(w);
    else
        inf_json_put_double(w, (double)s->cost_nano_usd / 1e9);
    inf_json_end_object(w);
    return w->out->error;
}

void inf_api_sessions(inf_request *r, inf_worker *worker)
{
    inf_query_traces q = INF_QUERY_TRACES_INIT;
    char next[INF_STORE_CURSOR_SIZE] = "";
    const inf_query_parameter parameters[] = {
        {"agent", INF_QUERY_ID, &q.agent, 0, 0, NULL},
        {"user", INF_QUERY_TEXT, &q.filter.user_id, 0, INF_QUERY_TEXT_MAX, NULL},
        {"from", INF_QUERY_TIME, &q.filter.from_ns, 0, 0, NULL},
        {"to", INF_QUERY_TIME, &q.filter.to_ns, 0, 0, NULL},
        {"limit", INF_QUERY_INT, &q.limit, 1, INF_QUERY_LIMIT_MAX, NULL},
        {"cursor", INF_QUERY_TEXT, &q.filter.cursor, 0, INF_STORE_CURSOR_SIZE - 1, NULL},
    };
    if (!INF_QUERY_READ(r, parameters) || !inf_query_settle(r, &q))
        return;
    inf_json_writer w = inf_api_page_begin(r, "sessions");
    int rc = inf_store_sessions(worker->store, &q.filter, write_row, &w, next);
    inf_api_page_end(r, worker, &w, next, false, rc);
}

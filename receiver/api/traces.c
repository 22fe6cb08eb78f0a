/* Traces: the list and one of them. Both first wait (a second at most) until everything acknowledged before is in the
 * store. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/summary.h"
#include "base/id.h"
#include "infinium.h"

/* ---- the list ---- */

struct list {
    inf_store_filter filter;
    uint8_t agent_id[16];
};

static bool read_filter(inf_request *r, struct list *l)
{
    const char *agent = inf_request_argument(r, "agent");
    const char *name = inf_request_argument(r, "name");
    const char *status = inf_request_argument(r, "status");
    l->filter = (inf_store_filter)INF_STORE_FILTER_INIT;
    l->filter.cursor = inf_request_argument(r, "cursor");
    if (agent && *agent) {
        if (inf_id_parse(agent, strlen(agent), l->agent_id) < 0) {
            inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "agent is not an agent's id");
            return false;
        }
        l->filter.agent_id = l->agent_id;
    }
    if (name && *name)
        l->filter.name = name;
    if (status && *status && (l->filter.status = inf_status_parse(status)) < 0) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "status is none of ok, error, running, interrupted");
        return false;
    }
    return inf_api_time(r, "from", &l->filter.from_ns) && inf_api_time(r, "to", &l->filter.to_ns) &&
           inf_api_limit(r, &l->filter.limit) && inf_access_filter(r, &l->filter);
}

static int list_row(void *context, const inf_summary *summary)
{
    inf_json_writer *w = context;
    inf_summary_write(w, summary);
    return w->out->error;
}

void inf_api_traces(inf_request *r, inf_worker *worker)
{
    struct list l;
    char cursor[INF_STORE_CURSOR_SIZE];
    inf_intake_catch_up(r->receiver->intake);
    if (!read_filter(r, &l))
        return;
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "traces");
    inf_json_begin_array(&w);
    int rc = inf_store_list(worker->store, &l.filter, list_row, &w, cursor);
    if (rc == INF_EINVAL) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "cursor is none of ours");
        return;
    }
    if (rc < 0) {
        inf_api_store_failed(r, worker, rc);
        return;
    }
    inf_json_end_array(&w);
    inf_json_key(&w, "next_cursor");
    inf_json_put_text(&w, *cursor ? cursor : NULL);
    inf_json_end_object(&w);
}

/* ---- one trace ---- */

void inf_api_trace(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_summary summary;
    char *body = NULL;
    size_t length = 0;
    if (inf_id_parse(r->segments[0], strlen(r->segments[0]), id) < 0) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no trace's id");
        return;
    }
    inf_intake_catch_up(r->receiver->intake);
    int rc = inf_store_get(worker->store, id, &summary, &body, &length);
    if (rc == INF_ENOTFOUND || (rc == 0 && !inf_access_sees(r, summary.agent_id))) {
        free(body);
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such trace");
        return;
    }
    inf_body_reader *reader = rc == 0 ? inf_http_reader(r->receiver) : NULL;
    if (rc == 0 && !reader)
        rc = INF_ENOMEM;
    if (rc == 0) {
        inf_json_writer w = inf_json_writer_on(&r->answer);
        rc = inf_whole_trace_write(&w, &summary, body, length, reader->body);
    }
    if (reader)
        inf_http_reader_done(r->receiver, reader);
    free(body);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

/* Traces: the list and one of them. Both first wait (a second at most) until everything acknowledged before is in the
 * store. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/query.h"
#include "api/summary.h"
#include "base/id.h"
#include "infinium.h"

/* ---- the list ---- */

static int list_row(void *context, const inf_summary *summary)
{
    inf_json_writer *w = context;
    inf_summary_write(w, summary);
    return w->out->error;
}

void inf_api_traces(inf_request *r, inf_worker *worker)
{
    inf_query_traces q = INF_QUERY_TRACES_INIT;
    char next[INF_STORE_CURSOR_SIZE] = "";
    const inf_query_parameter parameters[] = {
        INF_QUERY_TRACE_FILTERS(&q),
        {"limit", INF_QUERY_INT, &q.limit, 1, INF_QUERY_LIMIT_MAX, NULL},
        {"cursor", INF_QUERY_TEXT, &q.filter.cursor, 0, INF_STORE_CURSOR_SIZE - 1, NULL},
    };
    if (!INF_QUERY_READ(r, parameters) || !inf_query_settle(r, &q))
        return;
    inf_json_writer w = inf_api_page_begin(r, "traces");
    int rc = inf_store_list(worker->store, &q.filter, list_row, &w, next);
    inf_api_page_end(r, worker, &w, next, true, rc);
}

/* ---- one trace ---- */

void inf_api_trace(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_summary summary;
    char *body = NULL;
    size_t length = 0;
    if (!inf_query_read(r, NULL, 0))
        return;
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
        rc = inf_known_trace_write(&w, worker->store, &reader->pricer, &summary, body, length, reader->body);
    }
    if (reader)
        inf_http_reader_done(r->receiver, reader);
    free(body);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

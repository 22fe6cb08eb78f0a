/* What the receiver says about a trace: the published interpreted-result call, and the same checks for people. They are
 * computed when they are asked for (checks/checks.h), so that storing a trace costs nothing more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/judgement.h"
#include "api/query.h"
#include "api/summary.h"
#include "base/id.h"
#include "checks/checks.h"
#include "infinium.h"

/* The worst that was found. */
static enum inf_check_status verdict(const unsigned counts[INF_CHECK_STATUSES])
{
    return counts[INF_CHECK_FAIL] ? INF_CHECK_FAIL : counts[INF_CHECK_WARN] ? INF_CHECK_WARN : INF_CHECK_PASS;
}

static int write_interpretation(inf_json_writer *w, inf_worker *worker, const inf_summary *trace, inf_json_value root)
{
    inf_check_report report = {.w = w};
    char text[200];
    inf_json_begin_object(w);
    inf_json_key(w, "checks");
    int rc = inf_checks_write(&report, worker->store, trace, root);
    const unsigned *n = report.counts;
    snprintf(text, sizeof text, "%u checks passed, %u to look at, %u failed, %u could not be made.", n[INF_CHECK_PASS],
             n[INF_CHECK_WARN], n[INF_CHECK_FAIL], n[INF_CHECK_NOT_CHECKED]);
    inf_json_key(w, "verdict");
    inf_json_put_text(w, inf_check_status_name(verdict(n)));
    inf_json_key(w, "summary");
    inf_json_put_text(w, text);
    inf_json_key(w, "judgement");
    int judged = inf_judgement_write(w, worker->store, trace);
    inf_json_end_object(w);
    return rc < 0 ? rc : judged;
}

/* Answers with `{"traceId", "status", KEY: {...} or null}`. `agent_id`: whose trace it must be, or NULL. */
static void interpret(inf_request *r, inf_worker *worker, const char *text, const uint8_t *agent_id, const char *id_key,
                      const char *result_key)
{
    uint8_t id[16];
    char uuid[37];
    inf_summary trace;
    char *body = NULL;
    size_t length = 0;
    inf_json_value root;
    if (!inf_query_read(r, NULL, 0))
        return;
    if (inf_id_parse(text, strlen(text), id) < 0) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no trace's id");
        return;
    }
    inf_intake_catch_up(r->receiver->intake);
    int rc = inf_store_get(worker->store, id, &trace, &body, &length);
    if (rc == INF_ENOTFOUND ||
        (rc == 0 && (!inf_access_sees(r, trace.agent_id) || (agent_id && memcmp(trace.agent_id, agent_id, 16) != 0)))) {
        free(body);
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such trace");
        return;
    }
    inf_body_reader *reader = rc == 0 ? inf_http_reader(r->receiver) : NULL;
    if (rc == 0)
        rc = reader ? inf_json_parse(reader->body, body, length, 0, &root) : INF_ENOMEM;
    if (rc == 0) {
        bool ended = trace.status != INF_STATUS_RUNNING;
        inf_json_writer w = inf_json_writer_on(&r->answer);
        if (agent_id)
            inf_id_uuid(id, uuid);
        else
            inf_id_hex(id, uuid);
        inf_json_begin_object(&w);
        inf_json_key(&w, id_key);
        inf_json_put_text(&w, uuid);
        inf_json_key(&w, "status");
        inf_json_put_text(&w, ended ? "completed" : "pending");
        inf_json_key(&w, result_key);
        if (ended)
            rc = write_interpretation(&w, worker, &trace, root);
        else
            inf_json_put_null(&w);
        inf_json_end_object(&w);
    }
    if (reader)
        inf_http_reader_done(r->receiver, reader);
    free(body);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

void inf_api_interpreted(inf_request *r, inf_worker *worker)
{
    interpret(r, worker, r->segments[1], r->agent_id, "traceId", "interpretedTraceResult");
}

void inf_api_checks(inf_request *r, inf_worker *worker)
{
    interpret(r, worker, r->segments[0], NULL, "trace_id", "result");
}

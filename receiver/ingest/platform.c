/* The platform wire: one trace a request (docs/wire.md). */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "http/request.h"
#include "infinium.h"
#include "ingest/unpack.h"

void inf_ingest_refuse_append(inf_request *r, int rc)
{
    r->counted = true;
    inf_metrics_refused(r->receiver->metrics, rc == INF_EFULL   ? INF_REFUSAL_JOURNAL_FULL
                                              : rc == INF_E2BIG ? INF_REFUSAL_TOO_LARGE
                                                                : INF_REFUSAL_JOURNAL_ERROR);
    if (rc == INF_EFULL)
        inf_request_refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, "the receiver has as much to store as it may keep waiting");
    else if (rc == INF_E2BIG)
        inf_request_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the trace is too large for the journal");
    else
        inf_request_refusef(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the journal cannot be written: %s", inf_strerror(rc));
}

static int accept_one(inf_request *r, inf_body_reader *reader, uint8_t trace_id[16])
{
    inf_body_source source = {.text = (const char *)r->body.data,
                              .length = r->body.length,
                              .extra = inf_request_header(r, "Infinium-Extra"),
                              .key = inf_request_header(r, "Idempotency-Key"),
                              .agent_id = r->agent_id,
                              .received_ns = inf_unix_ns()};
    inf_store_put trace;
    const char *reason = NULL;
    int status = inf_body_read(reader, &source, &trace, &reason);
    if (status != 0) {
        r->counted = true;
        inf_metrics_refused_body(r->receiver->metrics, status);
        inf_request_refuse(r, (unsigned)status, reason);
        return INF_EBADMSG;
    }
    memcpy(trace_id, trace.summary.trace_id, 16);
    int rc = inf_intake_append(r->receiver->intake, &trace);
    if (rc < 0)
        inf_ingest_refuse_append(r, rc);
    return rc;
}

void inf_ingest_platform(inf_request *r, inf_worker *worker)
{
    (void)worker;
    uint8_t trace_id[16];
    char uuid[37];
    if (!inf_ingest_unpack(r, INF_BODY_MAX))
        return;
    inf_body_reader *reader = inf_http_reader(r->receiver);
    if (!reader) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    int rc = accept_one(r, reader, trace_id);
    inf_http_reader_done(r->receiver, reader);
    if (rc < 0)
        return;
    inf_id_uuid(trace_id, uuid);
    r->status = MHD_HTTP_CREATED;
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "success");
    inf_json_put_bool(&w, true);
    inf_json_key(&w, "message");
    inf_json_put_text(&w, "Trace accepted");
    inf_json_key(&w, "traceId");
    inf_json_put_text(&w, uuid);
    inf_json_end_object(&w);
    inf_request_commit(r);
}

void inf_ingest_health(inf_request *r, inf_worker *worker)
{
    (void)worker;
    char now[INF_RFC3339_SIZE];
    inf_rfc3339(inf_unix_ns(), 6, now);
    if (!inf_keys_name(r->receiver->keys, r->agent_id, r->agent_name)) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such agent, or it is revoked");
        return;
    }
    r->status = MHD_HTTP_OK;
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "status");
    inf_json_put_text(&w, "healthy");
    inf_json_key(&w, "agentName");
    inf_json_put_text(&w, r->agent_name);
    inf_json_key(&w, "timestamp");
    inf_json_put_text(&w, now);
    inf_json_end_object(&w);
}

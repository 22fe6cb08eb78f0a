/* The batch wire: many traces a request, one a line (docs/wire.md). A line stands or falls on its own. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "http/request.h"
#include "infinium.h"
#include "ingest/unpack.h"

struct batch {
    inf_request *request;
    inf_body_reader *reader;
    inf_json_writer w; /* the answer, inside "rejected" */
    uint64_t received_ns;
    uint64_t index;
    uint64_t accepted;
    uint64_t unreadable; /* lines that are no JSON */
    const char *why;     /* of the first of them */
    uint8_t last[16];
};

static void reject(struct batch *b, const char *reason)
{
    inf_json_begin_object(&b->w);
    inf_json_key(&b->w, "index");
    inf_json_put_u64(&b->w, b->index);
    inf_json_key(&b->w, "error");
    inf_json_put_text(&b->w, reason);
    inf_json_end_object(&b->w);
}

/* 0, or a negative error that ends the whole batch. */
static int take_line(struct batch *b, const char *line, size_t length)
{
    inf_body_source source = {.text = line,
                              .length = length,
                              .agent_id = b->request->agent_id,
                              .received_ns = b->received_ns,
                              .id_required = true};
    inf_store_put trace;
    const char *reason = NULL;
    int status = inf_body_read(b->reader, &source, &trace, &reason);
    if (status != 0) {
        b->request->counted = true;
        inf_metrics_refused_body(b->request->receiver->metrics, status);
        if (status == MHD_HTTP_BAD_REQUEST && b->unreadable++ == 0)
            b->why = reason;
        reject(b, reason);
        return 0;
    }
    int rc = inf_intake_append(b->request->receiver->intake, &trace);
    if (rc == INF_E2BIG) {
        inf_metrics_refused(b->request->receiver->metrics, INF_REFUSAL_TOO_LARGE);
        reject(b, "the trace is too large for the journal");
        return 0;
    }
    if (rc < 0)
        return rc;
    b->accepted++;
    memcpy(b->last, trace.summary.trace_id, 16);
    return 0;
}

static bool blank(const char *line, size_t length)
{
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r'))
        length--;
    return length == 0;
}

/* Asked before the first line is taken: of a request that is refused as a whole nothing is kept. */
static bool too_many(const inf_request *r)
{
    const char *at = (const char *)r->body.data;
    const char *end = at + r->body.length;
    unsigned count = 0;
    while (at < end && count <= INF_BATCH_MAX_TRACES) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        count += !blank(at, (size_t)(stop - at));
        at = stop + 1;
    }
    return count > INF_BATCH_MAX_TRACES;
}

static int take_lines(struct batch *b)
{
    const char *at = (const char *)b->request->body.data;
    const char *end = at + b->request->body.length;
    int rc = 0;
    while (rc == 0 && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        if (!blank(at, (size_t)(stop - at))) {
            rc = take_line(b, at, (size_t)(stop - at));
            b->index++;
        }
        at = stop + 1;
    }
    return rc;
}

static void answer(struct batch *b)
{
    inf_request *r = b->request;
    inf_json_end_array(&b->w);
    inf_json_key(&b->w, "success");
    inf_json_put_bool(&b->w, true);
    inf_json_key(&b->w, "accepted");
    inf_json_put_u64(&b->w, b->accepted);
    inf_json_key(&b->w, "duplicates");
    inf_json_put_u64(&b->w, 0);
    if (b->accepted > 0) {
        char uuid[37];
        inf_id_uuid(b->last, uuid);
        inf_json_key(&b->w, "traceId");
        inf_json_put_text(&b->w, uuid);
    }
    inf_json_end_object(&b->w);
    r->status = MHD_HTTP_OK;
    if (b->accepted > 0)
        inf_request_commit(r);
}

void inf_ingest_batch(inf_request *r, inf_worker *worker)
{
    (void)worker;
    inf_clients_note(r->receiver->clients, r->agent_id, inf_request_header(r, "Infinium-Counts"), inf_unix_ns());
    if (!inf_ingest_unpack(r, INF_BATCH_MAX_BYTES))
        return;
    if (too_many(r)) {
        inf_request_refusef(r, MHD_HTTP_CONTENT_TOO_LARGE, "more than %d traces in one request", INF_BATCH_MAX_TRACES);
        return;
    }
    struct batch b = {.request = r, .w = inf_json_writer_on(&r->answer), .received_ns = inf_unix_ns()};
    b.reader = inf_http_reader(r->receiver);
    if (!b.reader) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    inf_json_begin_object(&b.w);
    inf_json_key(&b.w, "rejected");
    inf_json_begin_array(&b.w);
    int rc = take_lines(&b);
    inf_http_reader_done(r->receiver, b.reader);
    if (rc < 0)
        inf_ingest_refuse_append(r, rc);
    else if (b.index == 0)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body holds no trace");
    else if (b.unreadable == b.index)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, b.why);
    else
        answer(&b);
}

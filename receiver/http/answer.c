/* Answers: errors as `{"error": reason}`, suspension and resumption, and what every answer carries. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/os.h"
#include "http/answer.h"
#include "infinium.h"
#include "logging.h"

const char *inf_request_header(const inf_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *inf_request_argument(const inf_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

void inf_request_refuse(inf_request *request, unsigned status, const char *reason)
{
    request->status = status;
    request->refused = true;
    request->content_type = NULL;
    if (status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE)
        request->retry_after = "1";
    inf_buf_reset(&request->answer);
    inf_json_writer w = inf_json_writer_on(&request->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "error");
    inf_json_put_text(&w, reason);
    inf_json_end_object(&w);
}

void inf_request_refusef(inf_request *request, unsigned status, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    inf_request_refuse(request, status, reason);
}

void inf_request_suspend(inf_request *request, enum inf_phase meanwhile)
{
    request->suspended = true;
    request->phase = meanwhile;
    MHD_suspend_connection(request->connection);
}

void inf_request_work(inf_request *request, enum inf_phase meanwhile, void (*work)(inf_request *, inf_worker *))
{
    request->work = work;
    inf_request_suspend(request, meanwhile);
    int rc = inf_workers_submit(request->receiver->workers, request);
    if (rc == 0)
        return;
    inf_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                       rc == INF_ECLOSED ? "the receiver is ending" : "too much is waiting");
    inf_request_resume(request, meanwhile == INF_PHASE_DECIDING ? INF_PHASE_DECIDED : INF_PHASE_ANSWERED);
}

void inf_request_resume(inf_request *request, enum inf_phase phase)
{
    request->phase = phase;
    inf_http_loop_resume(request->loop, request->connection);
}

static bool agent_route(enum inf_route route)
{
    return route == INF_ROUTE_TRACE || route == INF_ROUTE_BATCH || route == INF_ROUTE_HEALTH;
}

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

static void add_missing(struct MHD_Response *response, const char *name, const char *value)
{
    if (!MHD_get_response_header(response, name))
        add(response, name, value);
}

/* What keeps a browser from taking an answer for something else, or showing it inside another site. No browser shows
 * the answer to an agent, and those come by the ten thousand a second. */
static void guard(const inf_request *request, struct MHD_Response *response)
{
    add_missing(response, "X-Content-Type-Options", "nosniff");
    if (request->def && request->def->access == INF_ACCESS_INGEST)
        return;
    add_missing(response, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    add_missing(response, "Referrer-Policy", "no-referrer");
}

static void add_plain_headers(const inf_request *request, struct MHD_Response *response)
{
    if (request->answer.length)
        add(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->content_type ? request->content_type : "application/json");
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (agent_route(request->route))
        add(response, "Infinium-Batch", INF_BATCH_HEADER);
    if (request->doubtful)
        add(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (request->retry_after)
        add(response, MHD_HTTP_HEADER_RETRY_AFTER, request->retry_after);
    if (request->allow[0])
        add(response, MHD_HTTP_HEADER_ALLOW, request->allow);
    if (request->location)
        add(response, MHD_HTTP_HEADER_LOCATION, request->location);
    if (request->cookie[0])
        add(response, MHD_HTTP_HEADER_SET_COOKIE, request->cookie);
}

static struct MHD_Response *plain_response(inf_request *request)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(request->answer.length, request->answer.data, MHD_RESPMEM_MUST_COPY);
    if (response)
        add_plain_headers(request, response);
    return response;
}

/* NULL: it is not that answer, or there is no memory. */
static struct MHD_Response *taken_response(inf_request *request)
{
    if (request->route != INF_ROUTE_TRACE || request->status != MHD_HTTP_CREATED ||
        request->answer.length != INF_TAKEN_SIZE)
        return NULL;
    memcpy(request->taken_text, request->answer.data, INF_TAKEN_SIZE);
    if (request->taken)
        return request->taken;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(INF_TAKEN_SIZE, request->taken_text, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return NULL;
    add_plain_headers(request, response);
    guard(request, response);
    return request->taken = response;
}

/* Only what the request was, never what it held: the query may have a token in it. */
static void log_request(const inf_request *r)
{
    const union MHD_ConnectionInfo *peer = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    inf_logged_request record = {.method = r->method,
                                 .path = r->url,
                                 .status = r->status,
                                 .duration_ns = inf_mono_ns() - r->began_ns,
                                 .received = r->received,
                                 .role = inf_role_name(r->access.role),
                                 .who = r->access.who,
                                 .agent_id = r->access.role == INF_ROLE_INGEST ? r->access.agent_id : NULL,
                                 .from = peer ? peer->client_addr : NULL};
    inf_logging_request(&record);
}

enum MHD_Result inf_answer_queue(inf_request *request)
{
    struct MHD_Response *response = request->response;
    request->response = NULL;
    if (!response && request->answer.error) {
        inf_buf_free(&request->answer);
        inf_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    }
    struct MHD_Response *taken = response ? NULL : taken_response(request);
    if (!response && !taken)
        response = plain_response(request);
    if (!response && !taken)
        return MHD_NO;
    if (response)
        guard(request, response);
    inf_metrics_request(request->receiver->metrics, request->route, request->status);
    if (request->began_ns)
        log_request(request);
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response ? response : taken);
    if (response)
        MHD_destroy_response(response);
    return result;
}

/* Reading: the list, one trace, agents, events, the session, the log-in link. All of it runs on a worker's thread; what
 * shows traces first waits (a second at most) until everything acknowledged before is in the store. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/memops.h>

#include "api/summary.h"
#include "base/clock.h"
#include "base/id.h"
#include "http/page.h"
#include "http/request.h"
#include "infinium.h"

/* The value of our cookie among the others, 64 digits; false when it is not there. */
static bool session_cookie(const char *cookies, char out[INF_TOKEN_SIZE])
{
    static const char name[] = "infinium_session=";
    for (const char *at = cookies; at && *at;) {
        at += strspn(at, " ;");
        size_t length = strcspn(at, ";");
        if (length == sizeof name - 1 + INF_TOKEN_SIZE - 1 && memcmp(at, name, sizeof name - 1) == 0) {
            memcpy(out, at + sizeof name - 1, INF_TOKEN_SIZE - 1);
            out[INF_TOKEN_SIZE - 1] = 0;
            return true;
        }
        at += length;
    }
    return false;
}

static bool may_read(inf_request *r, inf_worker *worker)
{
    char session[INF_TOKEN_SIZE];
    const char *bearer = inf_request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    if (bearer && strncmp(bearer, "Bearer ", 7) == 0)
        return strlen(bearer + 7) == INF_TOKEN_SIZE - 1 &&
               memeql_sec(bearer + 7, r->receiver->read_token, INF_TOKEN_SIZE - 1);
    return session_cookie(inf_request_header(r, MHD_HTTP_HEADER_COOKIE), session) &&
           inf_session_check(worker->store, session) == 1;
}

static void store_failed(inf_request *r, inf_worker *worker, int rc)
{
    inf_request_refusef(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "the store cannot be read: %s (%s)", inf_strerror(rc),
                        inf_store_message(worker->store));
}

/* ---- the list ---- */

struct list {
    inf_store_filter filter;
    uint8_t agent_id[16];
};

static bool argument_time(inf_request *r, const char *name, uint64_t *ns)
{
    const char *text = inf_request_argument(r, name);
    if (!text || !*text)
        return true;
    if (inf_rfc3339_parse(text, strlen(text), ns) == 0) {
        *ns = *ns ? *ns : 1;
        return true;
    }
    inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "%s is not an RFC 3339 time", name);
    return false;
}

static bool argument_limit(inf_request *r, int *limit)
{
    const char *text = inf_request_argument(r, "limit");
    *limit = 50;
    if (!text || !*text)
        return true;
    char *end;
    long value = strtol(text, &end, 10);
    *limit = (int)value;
    if (isdigit((unsigned char)*text) && !*end && value >= 1 && value <= 500)
        return true;
    inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "limit is not a number from 1 to 500");
    return false;
}

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
    return argument_time(r, "from", &l->filter.from_ns) && argument_time(r, "to", &l->filter.to_ns) &&
           argument_limit(r, &l->filter.limit);
}

static int list_row(void *context, const inf_summary *summary)
{
    inf_json_writer *w = context;
    inf_summary_write(w, summary);
    return w->out->error;
}

static void list(inf_request *r, inf_worker *worker)
{
    struct list l;
    char cursor[INF_STORE_CURSOR_SIZE];
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
        store_failed(r, worker, rc);
        return;
    }
    inf_json_end_array(&w);
    inf_json_key(&w, "next_cursor");
    inf_json_put_text(&w, *cursor ? cursor : NULL);
    inf_json_end_object(&w);
}

/* ---- one trace ---- */

static void show(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_summary summary;
    char *body = NULL;
    size_t length = 0;
    if (inf_id_parse(r->target, strlen(r->target), id) < 0) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no trace's id");
        return;
    }
    int rc = inf_store_get(worker->store, id, &summary, &body, &length);
    if (rc == INF_ENOTFOUND) {
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
        store_failed(r, worker, rc);
}

/* ---- the others ---- */

static int agent_row(void *context, const inf_agent *agent)
{
    inf_json_writer *w = context;
    char id[37];
    char created[INF_RFC3339_SIZE];
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

static void agents(inf_request *r, inf_worker *worker)
{
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "agents");
    inf_json_begin_array(&w);
    int rc = inf_store_agents(worker->store, agent_row, &w);
    inf_json_end_array(&w);
    inf_json_end_object(&w);
    if (rc < 0)
        store_failed(r, worker, rc);
}

static void events(inf_request *r, inf_worker *worker)
{
    const char *last = inf_request_header(r, "Last-Event-ID");
    bool resume = last && isdigit((unsigned char)*last);
    int rc = inf_hub_view(r->receiver->hub, worker->store, r->loop, r->connection, resume,
                          resume ? strtoull(last, NULL, 10) : 0, &r->response);
    if (rc < 0) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, rc == INF_EFULL ? "too many viewers" : inf_strerror(rc));
        return;
    }
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r->response, "X-Content-Type-Options", "nosniff");
}

static void read_api(inf_request *r, inf_worker *worker)
{
    r->status = MHD_HTTP_OK;
    if (!may_read(r, worker)) {
        inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED,
                           "log in with the link that `infinium serve` prints, or send the read token");
    } else if (r->route == INF_ROUTE_SESSION) {
        inf_buf_put_text(&r->answer, "{\"user\":\"local\"}");
    } else if (r->route == INF_ROUTE_AGENTS) {
        agents(r, worker);
    } else if (r->route == INF_ROUTE_EVENTS) {
        events(r, worker);
    } else {
        inf_intake_catch_up(r->receiver->intake);
        if (r->route == INF_ROUTE_LIST)
            list(r, worker);
        else
            show(r, worker);
    }
    inf_request_resume(r, INF_PHASE_ANSWERED);
}

static void log_in(inf_request *r, inf_worker *worker)
{
    /* A HEAD must not use the link up: programs look at links before their users do. */
    int rc = r->head ? 0 : inf_login_redeem(worker->store, inf_request_argument(r, "token"), r->session);
    if (rc < 0) {
        store_failed(r, worker, rc);
    } else if (rc == 1) {
        r->status = MHD_HTTP_SEE_OTHER;
        r->location = "/";
    } else {
        r->status = MHD_HTTP_FORBIDDEN;
        r->content_type = "text/html; charset=utf-8";
        inf_buf_put_text(
            &r->answer,
            "<!doctype html><html lang=\"en\"><title>Infinium</title><h1>This link does not open the page</h1>"
            "<p>A log-in link works once, for an hour. <code>infinium serve</code> prints one when it starts."
            "</html>\n");
    }
    inf_request_resume(r, INF_PHASE_ANSWERED);
}

void inf_api_read(inf_request *r)
{
    inf_request_work(r, INF_PHASE_WORKING, r->route == INF_ROUTE_LOGIN ? log_in : read_api);
}

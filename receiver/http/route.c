/* See route.h. */
#include <string.h>

#include "base/id.h"
#include "http/route.h"

static bool take(const char **at, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(*at, prefix, n) != 0)
        return false;
    *at += n;
    return true;
}

/* A path segment into target; false when it is empty or too long. */
static bool segment(inf_request *r, const char **at)
{
    size_t n = strcspn(*at, "/");
    if (n == 0 || n >= sizeof r->target)
        return false;
    memcpy(r->target, *at, n);
    r->target[n] = 0;
    *at += n;
    return true;
}

static enum inf_route agent_route(inf_request *r, const char *at)
{
    if (!segment(r, &at) || strlen(r->target) != 36 || inf_id_parse(r->target, 36, r->agent_id) < 0)
        return INF_ROUTE_NONE;
    return strcmp(at, "/trace") == 0    ? INF_ROUTE_TRACE
           : strcmp(at, "/traces") == 0 ? INF_ROUTE_BATCH
           : strcmp(at, "/health") == 0 ? INF_ROUTE_HEALTH
                                        : INF_ROUTE_NONE;
}

static enum inf_route api_route(inf_request *r, const char *at)
{
    if (take(&at, "/agents/"))
        return agent_route(r, at);
    if (take(&at, "/traces/"))
        return segment(r, &at) && !*at ? INF_ROUTE_SHOW : INF_ROUTE_NONE;
    return strcmp(at, "/traces") == 0    ? INF_ROUTE_LIST
           : strcmp(at, "/agents") == 0  ? INF_ROUTE_AGENTS
           : strcmp(at, "/events") == 0  ? INF_ROUTE_EVENTS
           : strcmp(at, "/session") == 0 ? INF_ROUTE_SESSION
                                         : INF_ROUTE_NONE;
}

void inf_route_find(inf_request *r, const char *url, const char *method)
{
    const char *at = url;
    if (take(&at, INF_PREFIX) && (*at == '/' || !*at))
        r->route = api_route(r, at);
    else
        r->route = strcmp(url, "/login") == 0 ? INF_ROUTE_LOGIN : INF_ROUTE_PAGE;
    if (r->route == INF_ROUTE_NONE) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
        return;
    }
    bool post = r->route == INF_ROUTE_TRACE || r->route == INF_ROUTE_BATCH;
    r->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    bool allowed =
        post ? strcmp(method, MHD_HTTP_METHOD_POST) == 0 : r->head || strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    if (allowed)
        return;
    if (r->route == INF_ROUTE_PAGE && !inf_files_have(url)) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
        return;
    }
    r->allow = post ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        r->status = MHD_HTTP_NO_CONTENT;
        r->refused = true;
    } else {
        inf_request_refusef(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this path takes %s", post ? "POST" : "GET");
    }
}

/* See route.h and routes.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/id.h"
#include "http/route.h"
#include "ingest/unpack.h"

const inf_route_def inf_routes[INF_ROUTE_COUNT] = {
#define X(name, method, pattern, access, body_max, thread, handler)                                                    \
    [INF_ROUTE_##name] = {#name, method, pattern, INF_ACCESS_##access, body_max, INF_THREAD_##thread, handler},
    INF_ROUTES(X)
#undef X
};

/* ---- paths ---- */

static bool is_api(const char *url)
{
    size_t n = sizeof INF_PREFIX - 1;
    return strncmp(url, INF_PREFIX, n) == 0 && (url[n] == '/' || !url[n]);
}

struct place {
    const char *at;
    size_t length;
};

/* One segment for {name}; false when the path has none that fits there. */
static bool take_segment(const char **pattern, const char **path, struct place *out)
{
    out->at = *path;
    out->length = strcspn(*path, "/");
    *path += out->length;
    bool agent = strncmp(*pattern, "{agent}", 7) == 0;
    *pattern = strchr(*pattern, '}') + 1;
    return agent ? out->length == 36 : out->length > 0 && out->length < INF_SEGMENT_SIZE;
}

/* Does the path, without its prefix, fit the pattern? */
static bool fits(const char *pattern, const char *path, struct place places[2])
{
    unsigned taken = 0;
    if (strcmp(pattern, "/*") == 0)
        return true;
    while (*pattern) {
        if (*pattern == '{') {
            if (!take_segment(&pattern, &path, &places[taken++]))
                return false;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*path;
}

static bool keep_segments(inf_request *r, const struct place places[2])
{
    for (int i = 0; i < 2; i++) {
        memcpy(r->segments[i], places[i].at ? places[i].at : "", places[i].length);
        r->segments[i][places[i].length] = 0;
    }
    return !strstr(r->def->pattern, "{agent}") || inf_id_parse(places[0].at, places[0].length, r->agent_id) == 0;
}

static void not_found(inf_request *r)
{
    inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
}

static void allow(inf_request *r, const char *method)
{
    size_t n = strlen(r->allow);
    snprintf(r->allow + n, sizeof r->allow - n, "%s%s%s", n ? ", " : "", method,
             strcmp(method, MHD_HTTP_METHOD_GET) == 0 ? ", HEAD" : "");
}

/* The path is there, but not with this method. */
static void refuse_method(inf_request *r, const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        r->status = MHD_HTTP_NO_CONTENT;
        r->refused = true;
    } else {
        inf_request_refusef(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this path takes %s", r->allow);
    }
    allow(r, MHD_HTTP_METHOD_OPTIONS);
}

void inf_route_find(inf_request *r, const char *url, const char *method)
{
    bool api = is_api(url);
    const char *path = api ? url + sizeof INF_PREFIX - 1 : url;
    r->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    const char *wanted = r->head ? MHD_HTTP_METHOD_GET : method;
    r->def = &inf_routes[INF_ROUTE_NONE];
    for (int i = INF_ROUTE_NONE + 1; i < INF_ROUTE_COUNT; i++) {
        const inf_route_def *def = &inf_routes[i];
        const char *pattern = def->pattern;
        struct place places[2] = {0};
        if ((pattern[1] == '/') == api || !fits(api ? pattern : pattern + 1, path, places))
            continue;
        if (i == INF_ROUTE_PAGE && (r->allow[0] || (strcmp(wanted, def->method) != 0 && !inf_files_have(url))))
            continue; /* everything else is not what is above */
        if (strcmp(def->method, wanted) != 0) {
            allow(r, def->method);
            continue;
        }
        r->allow[0] = 0;
        r->route = (enum inf_route)i;
        r->def = def;
        if (!keep_segments(r, places))
            not_found(r);
        return;
    }
    if (r->allow[0])
        refuse_method(r, method);
    else
        not_found(r);
}

/* ---- handlers ---- */

static void unpack(inf_request *r)
{
    if (r->body.length > 0 && r->def->thread != INF_THREAD_STREAM)
        inf_ingest_unpack(r, r->def->body_max);
}

static void run_on_worker(inf_request *r, inf_worker *worker)
{
    r->status = MHD_HTTP_OK;
    if (inf_access_late(r, worker))
        unpack(r);
    if (!r->refused)
        r->def->handler(r, worker);
    inf_request_resume(r, INF_PHASE_ANSWERED);
}

static void run_part_on_worker(inf_request *r, inf_worker *worker)
{
    r->status = MHD_HTTP_OK;
    if (inf_access_late(r, worker))
        r->def->handler(r, worker);
    if (r->refused)
        inf_buf_reset(&r->body);
    inf_request_resume(r, INF_PHASE_BODY);
}

void inf_route_run_part(inf_request *r)
{
    r->work = run_part_on_worker;
    inf_request_suspend(r, INF_PHASE_WORKING);
    if (inf_workers_submit(r->receiver->workers, r) == 0)
        return;
    inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is waiting");
    inf_request_resume(r, INF_PHASE_BODY);
}

void inf_route_run(inf_request *r)
{
    r->complete = true;
    if (r->def->thread == INF_THREAD_LOOP)
        r->def->handler(r, NULL);
    else
        inf_request_work(r, INF_PHASE_WORKING, run_on_worker);
}

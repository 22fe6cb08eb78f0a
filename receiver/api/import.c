/* POST import: what an export gave, back into a store. The body comes in parts (http/routes.h), so it may be of any
 * size; every part is stored before the next one is read, which is also what slows a fast sender down. */
#include <string.h>

#include "api/api.h"
#include "api/query.h"
#include "ingest/import.h"

static void free_import(void *import)
{
    inf_import_free(import);
}

static void note(const inf_request *r, const inf_worker *worker, bool over)
{
    inf_actor actor;
    inf_access_actor(r, &actor);
    inf_import_note(r->stream, worker->store, &actor, over);
}

static void answer(inf_request *r, const inf_import *import)
{
    const inf_import_counts *counts = inf_import_counted(import);
    if (counts->rejected == counts->lines) { /* or there was none */
        const char *reason = inf_import_reason(import);
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, reason ? reason : "the body holds no trace");
        return;
    }
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_import_write(import, &w);
}

void inf_api_import(inf_request *r, inf_worker *worker)
{
    size_t used = 0;
    if (!r->stream && !inf_query_read(r, NULL, 0))
        return;
    if (!r->stream) {
        r->stream = inf_import_new();
        r->stream_free = free_import;
    }
    if (!r->stream || inf_buf_reserve(&r->body, INF_JSON_PADDING) < 0) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    bool first = inf_import_counted(r->stream)->lines == 0;
    int rc = inf_import_take(r->stream, worker->store, (const char *)r->body.data, r->body.length, r->complete, &used);
    memmove(r->body.data, r->body.data + used, r->body.length - used);
    r->body.length -= used;
    inf_hub_wake(r->receiver->hub);
    if ((rc < 0 || r->complete) && inf_import_counted(r->stream)->lines > 0)
        note(r, worker, true);
    else if (first && inf_import_counted(r->stream)->lines > 0) /* who breaks it off has left a trace, too */
        note(r, worker, false);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else if (r->complete)
        answer(r, r->stream);
}

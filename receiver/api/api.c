/* See api.h. */
#include "api/api.h"
#include "base/clock.h"
#include "infinium.h"

void inf_api_store_failed(inf_request *r, const inf_worker *worker, int rc)
{
    inf_request_refusef(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "the store cannot be used: %s (%s)", inf_strerror(rc),
                        inf_store_message(worker->store));
}

void inf_api_put_time(inf_json_writer *w, const char *key, uint64_t ns)
{
    char text[INF_RFC3339_SIZE];
    if (ns)
        inf_rfc3339(ns, 6, text);
    inf_json_key(w, key);
    inf_json_put_text(w, ns ? text : NULL);
}

void inf_api_created(inf_request *r, const char *id_key, const char *id, const char *secret_key, const char *secret)
{
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, id_key);
    inf_json_put_text(&w, id);
    inf_json_key(&w, secret_key);
    inf_json_put_text(&w, secret);
    inf_json_end_object(&w);
    r->status = MHD_HTTP_CREATED;
    inf_keys_refresh(r->receiver->keys);
}

inf_json_writer inf_api_page_begin(inf_request *r, const char *name)
{
    inf_intake_catch_up(r->receiver->intake);
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, name);
    inf_json_begin_array(&w);
    return w;
}

void inf_api_page_end(inf_request *r, const inf_worker *worker, inf_json_writer *w, const char *next, bool looked_back,
                      int rc)
{
    inf_json_end_array(w);
    inf_json_key(w, "next_cursor");
    inf_json_put_text(w, *next ? next : NULL);
    if (looked_back)
        inf_api_put_time(w, "looked_back_to", *next ? inf_store_cursor_ns(next) : 0);
    inf_json_end_object(w);
    if (rc == INF_EINVAL)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "cursor is none that this path has given");
    else if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

/* The page's session: who it is, its log-in link, its end. */
#include <stdio.h>

#include "api/api.h"
#include "base/id.h"
#include "base/json_write.h"
#include "store/keys.h"

static void set_cookie(inf_request *r, const char *session, unsigned seconds)
{
    snprintf(r->cookie, sizeof r->cookie, "infinium_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%u%s",
             session, seconds, r->receiver->tls ? "; Secure" : "");
}

/* Who came and went is of interest to whoever reads the audit log; a session does not fail because of it. */
static void note(const inf_request *r, const inf_worker *worker, const char *action)
{
    inf_actor actor;
    inf_access_actor(r, &actor);
    inf_audit entry = {.who = "session", .origin = actor.origin, .action = action, .subject = ""};
    if (inf_store_change_begin(worker->store) == 0)
        inf_store_change_end(worker->store, 0, &entry);
}

void inf_api_session(inf_request *r, inf_worker *worker)
{
    char csrf[INF_CSRF_SIZE] = "";
    char id[37];
    (void)worker;
    if (r->access.cookie)
        inf_access_csrf(r, csrf);
    inf_id_uuid(r->access.agent_id, id);
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "user");
    inf_json_put_text(&w, "local");
    inf_json_key(&w, "role");
    inf_json_put_text(&w, inf_role_name(r->access.role));
    inf_json_key(&w, "agent_id");
    inf_json_put_text(&w, r->access.scoped ? id : NULL);
    inf_json_key(&w, "csrf");
    inf_json_put_text(&w, *csrf ? csrf : NULL);
    inf_json_end_object(&w);
}

void inf_api_logout(inf_request *r, inf_worker *worker)
{
    char session[INF_TOKEN_SIZE];
    if (!r->access.cookie || !inf_access_session(r, session)) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "only a session can be ended here, and this request has none");
        return;
    }
    int rc = inf_session_end(worker->store, session);
    if (rc < 0) {
        inf_api_store_failed(r, worker, rc);
        return;
    }
    note(r, worker, "session.end");
    inf_hub_cut(r->receiver->hub);
    set_cookie(r, "", 0);
    r->status = MHD_HTTP_NO_CONTENT;
}

void inf_api_login(inf_request *r, inf_worker *worker)
{
    char session[INF_TOKEN_SIZE];
    /* A HEAD must not use the link up: programs look at links before their users do. */
    int rc = r->head ? 0 : inf_login_redeem(worker->store, inf_request_argument(r, "token"), session);
    if (rc < 0) {
        inf_api_store_failed(r, worker, rc);
    } else if (rc == 1) {
        note(r, worker, "session.begin");
        set_cookie(r, session, 604800);
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
}

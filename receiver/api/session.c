/* The page's session: who it is, its log-in link, its end. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/members.h"
#include "base/clock.h"
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

static const char *why_not(const char *role, bool of_agent)
{
    if (strcmp(role, "read") != 0 && strcmp(role, "admin") != 0)
        return "role is neither read nor admin";
    return of_agent && strcmp(role, "admin") == 0 ? "an administrator cannot be of one agent" : NULL;
}

static void answer_link(inf_request *r, const char *token)
{
    char path[INF_TOKEN_SIZE + 16];
    snprintf(path, sizeof path, "/login?token=%s", token);
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "path");
    inf_json_put_text(&w, path);
    inf_api_put_time(&w, "expires_at", inf_unix_ns() + INF_LOGIN_S * UINT64_C(1000000000));
    inf_json_end_object(&w);
    r->status = MHD_HTTP_CREATED;
}

/* A link that opens the page once, for a reader of all or of one agent, or for an administrator. */
void inf_api_login_create(inf_request *r, inf_worker *worker)
{
    char role[16] = "read", token[INF_TOKEN_SIZE], agent[37], detail[80], name[INF_AGENT_NAME_MAX + 1];
    inf_member_id given = {0};
    const inf_member members[] = {{"role", INF_MEMBER_TEXT, role, 0, sizeof role - 1},
                                  {"agent_id", INF_MEMBER_ID, &given, 0, 0}};
    inf_actor actor;
    if (!INF_MEMBERS_READ(r, members))
        return;
    const char *reason = why_not(role, given.given);
    if (!reason && given.given && !inf_keys_name(r->receiver->keys, given.id, name))
        reason = "there is no agent of that agent_id";
    if (reason) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, reason);
        return;
    }
    inf_token_grant grant = {.role = strcmp(role, "admin") == 0 ? INF_ROLE_ADMIN : INF_ROLE_READ,
                             .scoped = given.given,
                             .of_key = r->access.keyed};
    memcpy(grant.agent_id, given.id, 16);
    memcpy(grant.key_id, r->access.key_id, 16);
    inf_access_actor(r, &actor);
    inf_id_uuid(given.id, agent);
    snprintf(detail, sizeof detail, "%s%s%s", role, given.given ? " of agent " : "", given.given ? agent : "");
    inf_audit entry = {
        .who = actor.who, .origin = actor.origin, .action = "login.create", .subject = "", .detail = detail};
    int rc = inf_store_change_begin(worker->store);
    if (rc == 0)
        rc = inf_store_change_end(worker->store, inf_login_create_for(worker->store, &grant, token), &entry);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        answer_link(r, token);
}

/* Everybody has to log in again, also who asks, if they came with a session. */
void inf_api_logins_end(inf_request *r, inf_worker *worker)
{
    inf_actor actor;
    inf_access_actor(r, &actor);
    int rc = inf_login_end_all(worker->store, &actor);
    if (rc < 0) {
        inf_api_store_failed(r, worker, rc);
        return;
    }
    inf_hub_cut(r->receiver->hub);
    if (r->access.cookie)
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

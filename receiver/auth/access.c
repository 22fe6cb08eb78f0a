/* See access.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include "auth/access.h"
#include "auth/slow.h"
#include "base/id.h"
#include "http/peer.h"
#include "http/request.h"

const char *inf_role_name(enum inf_role role)
{
    static const char *const names[] = {"none", "ingest", "read", "admin"};
    return names[role];
}

/* ---- agents, with their id and secret ---- */

static void refuse_agent(inf_request *r)
{
    inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED, "the agent's id and key do not fit together, or the agent is revoked");
}

static void is_agent(inf_request *r)
{
    r->access.role = INF_ROLE_INGEST;
    r->access.scoped = true;
    memcpy(r->access.agent_id, r->agent_id, 16);
}

static enum inf_key_answer decide_agent(inf_request *r, bool *hash)
{
    const char *secret = inf_request_header(r, "x-agent-key");
    size_t length = secret ? strlen(secret) : 0;
    enum inf_key_answer answer =
        hash ? inf_keys_decide(r->receiver->keys, r->agent_id, secret, length, hash) ? INF_KEY_RIGHT : INF_KEY_WRONG
             : inf_keys_check(r->receiver->keys, r->agent_id, secret, length, NULL);
    if (answer == INF_KEY_RIGHT)
        is_agent(r);
    else if (answer == INF_KEY_WRONG)
        refuse_agent(r);
    return answer;
}

/* Decides at once, or suspends. */
static void early_agent(inf_request *r)
{
    const char *id = inf_request_header(r, "x-agent-id");
    const char *secret = inf_request_header(r, "x-agent-key");
    uint8_t stated[16];
    if (!id || !secret) {
        inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED, "the headers x-agent-id and x-agent-key are needed");
        return;
    }
    if (strlen(id) != 36 || inf_id_parse(id, 36, stated) < 0 || memcmp(stated, r->agent_id, 16) != 0) {
        inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED, "x-agent-id is not the agent of the path");
        return;
    }
    switch (inf_keys_check(r->receiver->keys, r->agent_id, secret, strlen(secret), r->agent_name)) {
    case INF_KEY_RIGHT:
        is_agent(r);
        return;
    case INF_KEY_WRONG:
        refuse_agent(r);
        return;
    case INF_KEY_UNDECIDED:
        inf_slow_decide(r->receiver->slow, r, r->agent_id, decide_agent);
    }
}

/* ---- readers and administrators, with a key or a session ---- */

/* The value of our cookie among the others; false when it is not there. */
bool inf_access_session(const inf_request *r, char out[INF_CSRF_SIZE])
{
    static const char name[] = "infinium_session=";
    for (const char *at = inf_request_header(r, MHD_HTTP_HEADER_COOKIE); at && *at;) {
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

/* A digest of the session's token: who cannot read the cookie cannot make it, and nothing has to be kept. */
void inf_access_csrf(const inf_request *r, char out[INF_CSRF_SIZE])
{
    char session[INF_TOKEN_SIZE];
    uint8_t digest[32];
    struct sha256_ctx sha;
    out[0] = 0;
    if (!inf_access_session(r, session))
        return;
    sha256_init(&sha);
    sha256_update(&sha, 5, (const uint8_t *)"csrf:");
    sha256_update(&sha, strlen(session), (const uint8_t *)session);
    sha256_digest(&sha, sizeof digest, digest);
    inf_hex(digest, sizeof digest, out);
}

static bool same_token(const char *given, const char *token)
{
    return strlen(given) == INF_TOKEN_SIZE - 1 && memeql_sec(given, token, INF_TOKEN_SIZE - 1);
}

static enum inf_key_answer grant(inf_request *r, enum inf_role role, const char *who)
{
    r->access.role = role;
    snprintf(r->access.who, sizeof r->access.who, "%s", who);
    return INF_KEY_RIGHT;
}

static const char *bearer_of(const inf_request *r)
{
    const char *value = inf_request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    return value && strncasecmp(value, "Bearer ", 7) == 0 ? value + 7 + strspn(value + 7, " ") : value ? "" : NULL;
}

/* Who sends this key? */
static enum inf_key_answer find_bearer(inf_request *r, bool *hash, inf_bearer *bearer)
{
    const char *text = bearer_of(r);
    if (!text)
        return INF_KEY_WRONG;
    if (same_token(text, r->receiver->read_token))
        return grant(r, INF_ROLE_READ, "read.token");
    if (same_token(text, r->receiver->admin_token))
        return grant(r, INF_ROLE_ADMIN, "admin.token");
    if (!inf_bearer_parse(text, bearer))
        return INF_KEY_WRONG;
    if (!hash)
        return inf_keys_bearer(r->receiver->keys, bearer, &r->access);
    return inf_keys_bearer_decide(r->receiver->keys, bearer, &r->access, hash) ? INF_KEY_RIGHT : INF_KEY_WRONG;
}

static bool changes_something(const inf_request *r)
{
    return strcmp(r->def->method, MHD_HTTP_METHOD_GET) != 0;
}

/* Another site can make a browser send our cookie (a page of our own host at another port counts as the same site),
 * but it can neither read the token nor send the header. */
static bool shows_csrf_token(const inf_request *r)
{
    char expected[INF_CSRF_SIZE];
    const char *given = inf_request_header(r, "X-CSRF-Token");
    inf_access_csrf(r, expected);
    return given && *expected && same_token(given, expected);
}

static void refuse_reader(inf_request *r)
{
    inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED,
                       "log in with the link that `infinium serve` prints, or send a key that reads");
}

/* Who asks is known: may they do this? */
static void authorise(inf_request *r)
{
    if (r->def->access == INF_ACCESS_ADMIN && r->access.role < INF_ROLE_ADMIN)
        inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "this is for administrators");
    else if (r->def->access == INF_ACCESS_AGENT_OR_READ && !inf_access_sees(r, r->agent_id))
        inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "this key is for another agent");
    else if (r->access.cookie && changes_something(r) && !shows_csrf_token(r))
        inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "the header X-CSRF-Token is missing or not this session's");
}

static enum inf_key_answer decide_bearer(inf_request *r, bool *hash)
{
    inf_bearer bearer;
    enum inf_key_answer answer = find_bearer(r, hash, &bearer);
    if (answer == INF_KEY_RIGHT)
        authorise(r);
    else if (answer == INF_KEY_WRONG && r->def->access != INF_ACCESS_PROMPT)
        refuse_reader(r);
    return answer;
}

/* A session is looked up in the store. */
static bool find_session(inf_request *r, inf_worker *worker)
{
    char session[INF_TOKEN_SIZE];
    inf_token_grant granted;
    if (!inf_access_session(r, session) || inf_session_check(worker->store, session, &granted) != 1)
        return false;
    grant(r, granted.role == INF_ROLE_ADMIN ? INF_ROLE_ADMIN : INF_ROLE_READ, "session");
    r->access.scoped = granted.scoped;
    memcpy(r->access.agent_id, granted.agent_id, 16);
    r->access.keyed = granted.of_key;
    memcpy(r->access.key_id, granted.key_id, 16);
    r->access.cookie = true;
    authorise(r);
    return true;
}

static void decide_session(inf_request *r, inf_worker *worker)
{
    if (!find_session(r, worker))
        refuse_reader(r);
    inf_request_resume(r, INF_PHASE_DECIDED);
}

/* ---- for the server ---- */

static void early_reader(inf_request *r)
{
    inf_bearer bearer;
    char session[INF_TOKEN_SIZE];
    if (bearer_of(r)) {
        if (decide_bearer(r, NULL) == INF_KEY_UNDECIDED && find_bearer(r, NULL, &bearer) == INF_KEY_UNDECIDED)
            inf_slow_decide(r->receiver->slow, r, bearer.id, decide_bearer);
    } else if (!inf_access_session(r, session)) {
        refuse_reader(r);
    } else if (r->def->body_max > 0) {
        inf_request_work(r, INF_PHASE_DECIDING, decide_session); /* nobody's body is kept who may not */
    }
}

static bool comes_as_reader(const inf_request *r)
{
    char session[INF_TOKEN_SIZE];
    return !inf_request_header(r, "x-agent-key") && (bearer_of(r) || inf_access_session(r, session));
}

void inf_access_early(inf_request *r)
{
    switch (r->def->access) {
    case INF_ACCESS_INGEST:
        early_agent(r);
        return;
    case INF_ACCESS_AGENT_OR_READ:
        if (comes_as_reader(r))
            early_reader(r);
        else
            early_agent(r);
        return;
    case INF_ACCESS_READ:
    case INF_ACCESS_ADMIN:
        early_reader(r);
        return;
    case INF_ACCESS_PROMPT:
        if (bearer_of(r))
            early_reader(r);
        return;
    case INF_ACCESS_OPEN:
        return;
    }
}

bool inf_access_late(inf_request *r, inf_worker *worker)
{
    bool open = r->def->access == INF_ACCESS_OPEN || r->def->access == INF_ACCESS_PROMPT;
    if (!open && r->access.role == INF_ROLE_NONE && !find_session(r, worker))
        refuse_reader(r);
    return !r->refused;
}

bool inf_access_reader(inf_request *r, inf_worker *worker)
{
    if (r->access.role == INF_ROLE_NONE)
        find_session(r, worker);
    return r->access.role >= INF_ROLE_READ && !r->refused;
}

/* ---- for handlers ---- */

bool inf_access_sees(const inf_request *r, const uint8_t agent_id[16])
{
    if (r->access.role == INF_ROLE_NONE)
        return false;
    return !r->access.scoped || memcmp(agent_id, r->access.agent_id, 16) == 0;
}

bool inf_access_filter(inf_request *r, inf_store_filter *filter)
{
    if (!r->access.scoped)
        return true;
    if (filter->agent_id && memcmp(filter->agent_id, r->access.agent_id, 16) != 0) {
        inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "this key is for another agent");
        return false;
    }
    filter->agent_id = r->access.agent_id;
    return true;
}

void inf_access_actor(const inf_request *r, inf_actor *out)
{
    inf_peer peer;
    char id[37];
    inf_request_peer(r, &peer);
    inf_peer_text(&peer, out->origin);
    inf_id_uuid(r->access.agent_id, id);
    if (r->access.role == INF_ROLE_INGEST)
        snprintf(out->who, sizeof out->who, "agent %s", id);
    else
        snprintf(out->who, sizeof out->who, "%s", *r->access.who ? r->access.who : "nobody");
}

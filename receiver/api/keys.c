/* Keys of readers and administrators, and the audit log: for administrators. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/members.h"
#include "api/query.h"
#include "base/id.h"
#include "base/json_write.h"
#include "infinium.h"
#include "store/keys.h"

struct listing {
    inf_json_writer w;
    inf_keys *keys;
};

static int key_row(void *context, const inf_key *key)
{
    struct listing *l = context;
    inf_json_writer *w = &l->w;
    char id[37], agent[37];
    uint64_t used = inf_keys_used(l->keys, key->id, false);
    inf_id_uuid(key->id, id);
    inf_id_uuid(key->agent_id, agent);
    inf_json_begin_object(w);
    inf_json_key(w, "key_id");
    inf_json_put_text(w, id);
    inf_json_key(w, "role");
    inf_json_put_text(w, inf_role_name((enum inf_role)key->role));
    inf_json_key(w, "agent_id");
    inf_json_put_text(w, key->scoped ? agent : NULL);
    inf_json_key(w, "name");
    inf_json_put_text(w, key->name);
    inf_api_put_time(w, "created_at", key->created_ns);
    inf_api_put_time(w, "expires_at", key->expires_ns);
    inf_json_key(w, "revoked");
    inf_json_put_bool(w, key->revoked);
    inf_api_put_time(w, "last_used_at", used > key->last_used_ns ? used : key->last_used_ns);
    inf_json_end_object(w);
    return w->out->error;
}

void inf_api_keys(inf_request *r, inf_worker *worker)
{
    struct listing l = {inf_json_writer_on(&r->answer), r->receiver->keys};
    inf_json_begin_object(&l.w);
    inf_json_key(&l.w, "keys");
    inf_json_begin_array(&l.w);
    int rc = inf_store_keys(worker->store, key_row, &l);
    inf_json_end_array(&l.w);
    inf_json_end_object(&l.w);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

/* NULL when the wish can be granted. */
static const char *why_not(const char *role, const inf_bearer_wish *wish)
{
    if (strcmp(role, "read") != 0 && strcmp(role, "admin") != 0)
        return "role is neither read nor admin";
    if (wish->role == INF_ROLE_ADMIN && wish->agent_id)
        return "an administrator's key cannot be of one agent";
    return inf_name_reason(wish->name);
}

void inf_api_key_create(inf_request *r, inf_worker *worker)
{
    char role[16] = "", name[INF_AGENT_NAME_MAX + 1] = "", id[37], key[INF_BEARER_SIZE];
    inf_member_id agent = {0};
    unsigned expires_in = 0;
    const inf_member members[] = {{"role", INF_MEMBER_TEXT, role, 0, sizeof role - 1},
                                  {"name", INF_MEMBER_TEXT, name, 0, INF_AGENT_NAME_MAX},
                                  {"agent_id", INF_MEMBER_ID, &agent, 0, 0},
                                  {"expires_in_s", INF_MEMBER_NUMBER, &expires_in, 1, INF_KEY_LIFETIME_MAX_S}};
    inf_actor actor;
    if (!INF_MEMBERS_READ(r, members))
        return;
    inf_bearer_wish wish = {.role = strcmp(role, "admin") == 0 ? INF_ROLE_ADMIN : INF_ROLE_READ,
                            .agent_id = agent.given ? agent.id : NULL,
                            .name = *name ? name : role,
                            .expires_in_s = expires_in};
    const char *reason = why_not(role, &wish);
    if (reason) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, reason);
        return;
    }
    inf_access_actor(r, &actor);
    int rc = inf_bearer_create(worker->store, &actor, &wish, id, key);
    if (rc == INF_ENOTFOUND)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "there is no agent of that agent_id");
    else if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        inf_api_created(r, "key_id", id, "key", key);
}

static bool key_of_path(inf_request *r, uint8_t id[16])
{
    if (inf_id_parse(r->segments[0], strlen(r->segments[0]), id) == 0)
        return true;
    inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no key's id");
    return false;
}

/* Who watches with it, or with a session of a link that it made, does no more. */
static void key_has_ended(const inf_request *r)
{
    inf_keys_refresh(r->receiver->keys);
    inf_hub_cut(r->receiver->hub);
}

void inf_api_key_rotate(inf_request *r, inf_worker *worker)
{
    char new_id[37], key[INF_BEARER_SIZE];
    uint8_t id[16];
    unsigned overlap = INF_OVERLAP_DEFAULT_S;
    const inf_member members[] = {{"overlap_s", INF_MEMBER_NUMBER, &overlap, 0, INF_OVERLAP_MAX_S}};
    inf_actor actor;
    if (!key_of_path(r, id) || !INF_MEMBERS_READ(r, members))
        return;
    inf_access_actor(r, &actor);
    int rc = inf_bearer_rotate(worker->store, &actor, id, overlap, new_id, key);
    if (rc == INF_ENOTFOUND)
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such key, or it is no good any more");
    else if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        inf_api_created(r, "key_id", new_id, "key", key);
    if (rc == 0 && overlap == 0)
        key_has_ended(r);
}

void inf_api_key_revoke(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_actor actor;
    if (!key_of_path(r, id))
        return;
    inf_access_actor(r, &actor);
    int rc = inf_bearer_revoke(worker->store, &actor, id);
    if (rc == INF_ENOTFOUND) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such key");
    } else if (rc < 0) {
        inf_api_store_failed(r, worker, rc);
    } else {
        r->status = MHD_HTTP_NO_CONTENT;
        key_has_ended(r);
    }
}

/* ---- the audit log ---- */

struct page {
    inf_json_writer w;
    int64_t limit;
    int64_t rows;
    uint64_t last; /* number of the last row written */
    bool more;
};

static int audit_row(void *context, const inf_audit *entry)
{
    struct page *p = context;
    inf_json_writer *w = &p->w;
    if (p->rows++ == p->limit) {
        p->more = true;
        return 0;
    }
    const struct {
        const char *key, *value;
    } members[] = {{"who", entry->who},
                   {"from", entry->origin},
                   {"action", entry->action},
                   {"subject", entry->subject},
                   {"detail", entry->detail}};
    inf_json_begin_object(w);
    inf_api_put_time(w, "at", entry->at_ns);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        inf_json_key(w, members[i].key);
        inf_json_put_text(w, members[i].value);
    }
    inf_json_end_object(w);
    p->last = entry->number;
    return w->out->error;
}

void inf_api_audit(inf_request *r, inf_worker *worker)
{
    const char *cursor = NULL;
    char next[32];
    struct page p = {.w = inf_json_writer_on(&r->answer), .limit = 50};
    const inf_query_parameter parameters[] = {{"limit", INF_QUERY_INT, &p.limit, 1, INF_QUERY_LIMIT_MAX, NULL},
                                              {"cursor", INF_QUERY_TEXT, &cursor, 0, 19, NULL}};
    if (!INF_QUERY_READ(r, parameters))
        return;
    if (cursor && strspn(cursor, "0123456789") != strlen(cursor)) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "cursor is none of ours");
        return;
    }
    inf_json_begin_object(&p.w);
    inf_json_key(&p.w, "entries");
    inf_json_begin_array(&p.w);
    int rc = inf_store_audit(worker->store, cursor ? strtoull(cursor, NULL, 10) : 0, (int)p.limit + 1, audit_row, &p);
    inf_json_end_array(&p.w);
    inf_json_key(&p.w, "next_cursor");
    snprintf(next, sizeof next, "%llu", (unsigned long long)p.last);
    inf_json_put_text(&p.w, p.more ? next : NULL);
    inf_json_end_object(&p.w);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

/* See bearer.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "auth/agents.h"
#include "auth/bearer.h"
#include "base/clock.h"
#include "base/id.h"
#include "infinium.h"

#define SECOND 1000000000ull

bool inf_bearer_parse(const char *text, inf_bearer *out)
{
    if (strlen(text) != INF_BEARER_SIZE - 1 || strncmp(text, "inf_", 4) != 0 || text[5] != '_' || text[38] != '_')
        return false;
    out->role = text[4] == 'r' ? INF_ROLE_READ : text[4] == 'a' ? INF_ROLE_ADMIN : INF_ROLE_NONE;
    memcpy(out->secret, text + 39, INF_SECRET_TEXT);
    return out->role != INF_ROLE_NONE && inf_id_parse(text + 6, 32, out->id) == 0 &&
           strspn(out->secret, "0123456789abcdef") == INF_SECRET_TEXT - 1;
}

static int known_agent(void *context, const inf_agent *agent)
{
    return memcmp(context, agent->id, 16) == 0 ? 1 : 0;
}

/* Fills in what is new in a key and writes its text. */
static int make(inf_key *key, char id_out[37], char key_out[INF_BEARER_SIZE])
{
    char secret[INF_SECRET_TEXT];
    char id[33];
    inf_secret_id(key->id);
    key->created_ns = inf_unix_ns();
    int rc = inf_secret_make(secret);
    if (rc == 0)
        rc = inf_secret_hash(secret, key->salt, key->hash, &key->iterations);
    inf_id_hex(key->id, id);
    inf_id_uuid(key->id, id_out);
    snprintf(key_out, INF_BEARER_SIZE, "inf_%c_%s_%s", key->role == INF_ROLE_ADMIN ? 'a' : 'r', id,
             rc == 0 ? secret : "");
    return rc;
}

/* What the audit log says of a key: "read, agent 6f9f...: dashboard". */
static void describe(const inf_key *key, char out[320])
{
    char agent[37] = "";
    if (key->scoped)
        inf_id_uuid(key->agent_id, agent);
    snprintf(out, 320, "%s%s%s: %s", inf_role_name((enum inf_role)key->role), key->scoped ? ", agent " : "", agent,
             key->name);
}

int inf_bearer_create(inf_store *store, const inf_actor *actor, const inf_bearer_wish *wish, char id_out[37],
                      char key_out[INF_BEARER_SIZE])
{
    char detail[320];
    bool reads = wish->role == INF_ROLE_READ;
    if ((!reads && (wish->role != INF_ROLE_ADMIN || wish->agent_id)) || inf_name_reason(wish->name) ||
        wish->expires_in_s > INF_KEY_LIFETIME_MAX_S)
        return INF_EINVAL;
    inf_key key = {.role = wish->role, .name = wish->name, .scoped = wish->agent_id != NULL};
    if (wish->agent_id) {
        memcpy(key.agent_id, wish->agent_id, 16);
        int found = inf_store_agents(store, known_agent, key.agent_id);
        if (found != 1)
            return found < 0 ? found : INF_ENOTFOUND;
    }
    int rc = make(&key, id_out, key_out);
    if (rc < 0)
        return rc;
    key.expires_ns = wish->expires_in_s ? key.created_ns + wish->expires_in_s * SECOND : 0;
    describe(&key, detail);
    inf_audit entry = {
        .who = actor->who, .origin = actor->origin, .action = "key.create", .subject = id_out, .detail = detail};
    rc = inf_store_change_begin(store);
    return rc < 0 ? rc : inf_store_change_end(store, inf_store_key_add(store, &key), &entry);
}

static int replace(inf_store *store, const uint8_t id[16], unsigned overlap_s, char id_out[37],
                   char key_out[INF_BEARER_SIZE], char detail[320])
{
    inf_key key;
    char name[201];
    int rc = inf_store_key_get(store, id, &key, name);
    uint64_t now = inf_unix_ns();
    if (rc == 0 && (key.revoked || (key.expires_ns && key.expires_ns <= now) || key.role == INF_ROLE_INGEST))
        rc = INF_ENOTFOUND;
    if (rc == 0)
        rc = inf_store_key_expire(store, id, now + overlap_s * SECOND);
    if (rc < 0)
        return rc;
    uint64_t lifetime = key.expires_ns ? key.expires_ns - key.created_ns : 0;
    rc = make(&key, id_out, key_out);
    key.expires_ns = lifetime ? key.created_ns + lifetime : 0;
    if (rc == 0)
        rc = inf_store_key_add(store, &key);
    snprintf(detail, 320, "by %s; good for %u s more", id_out, overlap_s);
    return rc;
}

int inf_bearer_rotate(inf_store *store, const inf_actor *actor, const uint8_t id[16], unsigned overlap_s,
                      char id_out[37], char key_out[INF_BEARER_SIZE])
{
    char detail[320];
    char text[37];
    inf_id_uuid(id, text);
    inf_audit entry = {
        .who = actor->who, .origin = actor->origin, .action = "key.rotate", .subject = text, .detail = detail};
    int rc = inf_store_change_begin(store);
    if (rc == 0)
        rc = inf_store_change_end(store, replace(store, id, overlap_s, id_out, key_out, detail), &entry);
    return rc;
}

int inf_bearer_revoke(inf_store *store, const inf_actor *actor, const uint8_t id[16])
{
    char text[37];
    inf_id_uuid(id, text);
    inf_audit entry = {.who = actor->who, .origin = actor->origin, .action = "key.revoke", .subject = text};
    int rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    rc = inf_store_key_revoke(store, id);
    if (rc == 0)
        rc = inf_store_tokens_end(store, id);
    rc = inf_store_change_end(store, rc, &entry);
    return rc < 0 ? rc : 0;
}

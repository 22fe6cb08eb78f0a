/* See agents.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/access.h"
#include "auth/agents.h"
#include "auth/secret.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"
#include "infinium.h"
#include "store/keys.h"

#define SECOND 1000000000ull

void inf_actor_local(inf_actor *actor)
{
    snprintf(actor->who, sizeof actor->who, "command line (user %ld)", (long)getuid());
    snprintf(actor->origin, sizeof actor->origin, "local");
}

const char *inf_name_reason(const char *name)
{
    if (!name || !*name || strspn(name, " \t") == strlen(name))
        return "a name is needed";
    if (strlen(name) > INF_AGENT_NAME_MAX)
        return "the name is longer than 200 bytes";
    if (!inf_utf8_valid(name, strlen(name)))
        return "the name is not UTF-8";
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return "the name holds a control character";
    return NULL;
}

const char *inf_agent_create_reason(const char *name, const char *id, const char *secret)
{
    uint8_t bytes[16];
    const char *reason = inf_name_reason(name);
    if (reason)
        return reason;
    if (id && (strlen(id) != 36 || inf_id_parse(id, 36, bytes) < 0))
        return "the id is not a UUID";
    if (!secret)
        return NULL;
    if (strlen(secret) < 8)
        return "the secret is shorter than 8 characters";
    if (strlen(secret) >= INF_AGENT_SECRET_SIZE)
        return "the secret is longer than 256 characters";
    for (const char *p = secret; *p; p++)
        if (*p < 0x21 || *p > 0x7e)
            return "the secret holds a character that is not printable ASCII";
    return NULL;
}

int inf_agent_create(inf_store *store, const char *name, const char *id, const char *secret,
                     char id_out[INF_AGENT_ID_SIZE], char secret_out[INF_AGENT_SECRET_SIZE])
{
    inf_actor actor;
    inf_actor_local(&actor);
    return inf_agent_create_by(store, &actor, name, id, secret, id_out, secret_out);
}

int inf_agent_create_by(inf_store *store, const inf_actor *actor, const char *name, const char *id, const char *secret,
                        char id_out[INF_AGENT_ID_SIZE], char secret_out[INF_AGENT_SECRET_SIZE])
{
    if (inf_agent_create_reason(name, id, secret))
        return INF_EINVAL;
    inf_agent agent = {.name = name, .created_ns = inf_unix_ns()};
    int rc = 0;
    if (secret)
        memcpy(secret_out, secret, strlen(secret) + 1);
    else
        rc = inf_secret_make(secret_out);
    if (rc == 0)
        rc = inf_secret_hash(secret_out, agent.salt, agent.hash, &agent.iterations);
    if (rc < 0)
        return rc;
    if (id)
        rc = inf_id_parse(id, 36, agent.id);
    else
        inf_secret_id(agent.id);
    if (rc < 0)
        return rc;
    inf_id_uuid(agent.id, id_out);
    inf_audit entry = {
        .who = actor->who, .origin = actor->origin, .action = "agent.create", .subject = id_out, .detail = name};
    rc = inf_store_change_begin(store);
    if (rc == 0)
        rc = inf_store_change_end(store, inf_store_agent_add(store, &agent), &entry);
    return rc;
}

/* The agent's last secret among the keys, good for a while. */
static int keep_old(inf_store *store, const inf_agent *fresh, inf_key *old, unsigned overlap_s)
{
    int rc = inf_store_keys_revoke_agent(store, fresh->id, INF_ROLE_INGEST, overlap_s ? INF_AGENT_OLD_MAX - 1 : 0);
    if (rc < 0 || overlap_s == 0)
        return rc;
    inf_secret_id(old->id);
    memcpy(old->agent_id, fresh->id, 16);
    old->role = INF_ROLE_INGEST;
    old->scoped = true;
    old->name = "earlier secret";
    old->created_ns = inf_unix_ns();
    old->expires_ns = old->created_ns + overlap_s * SECOND;
    return inf_store_key_add(store, old);
}

int inf_agent_rotate(inf_store *store, const inf_actor *actor, const uint8_t id[16], unsigned overlap_s,
                     char secret_out[INF_AGENT_SECRET_SIZE])
{
    char text[37], detail[64];
    inf_agent fresh = {0};
    inf_key old = {0};
    memcpy(fresh.id, id, 16);
    inf_id_uuid(id, text);
    snprintf(detail, sizeof detail, "the earlier secret is good for %u s", overlap_s);
    int rc = inf_secret_make(secret_out);
    if (rc == 0)
        rc = inf_secret_hash(secret_out, fresh.salt, fresh.hash, &fresh.iterations);
    if (rc == 0)
        rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    inf_audit entry = {
        .who = actor->who, .origin = actor->origin, .action = "agent.rotate", .subject = text, .detail = detail};
    rc = inf_store_agent_rekey(store, &fresh, &old);
    if (rc == 0)
        rc = keep_old(store, &fresh, &old, overlap_s);
    rc = inf_store_change_end(store, rc, &entry);
    return rc < 0 ? rc : 0;
}

int inf_agent_revoke(inf_store *store, const inf_actor *actor, const uint8_t id[16])
{
    char text[37];
    inf_id_uuid(id, text);
    inf_audit entry = {.who = actor->who, .origin = actor->origin, .action = "agent.revoke", .subject = text};
    int rc = inf_store_change_begin(store);
    return rc < 0 ? rc : inf_store_change_end(store, inf_store_agent_revoke(store, id), &entry);
}

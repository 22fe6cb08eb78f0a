/* Creating agents and the slow comparison of their secrets. A secret that we make has 256 random bits; one that the
 * user brings may be weaker, hence PBKDF2 and not a plain digest. */
#include <string.h>

#include <nettle/memops.h>
#include <nettle/pbkdf2.h>

#include "auth/agents.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"
#include "infinium.h"

enum { ITERATIONS = 100000, MADE_SECRET_BYTES = 32 };

static void derive(const char *secret, size_t length, const uint8_t salt[16], uint32_t iterations, uint8_t out[32])
{
    pbkdf2_hmac_sha256(length, (const uint8_t *)secret, iterations, 16, salt, 32, out);
}

const char *inf_agent_create_reason(const char *name, const char *id, const char *secret)
{
    uint8_t bytes[16];
    if (!name || !*name || strspn(name, " \t") == strlen(name))
        return "an agent needs a name";
    if (strlen(name) > INF_AGENT_NAME_MAX)
        return "the name is longer than 200 bytes";
    if (!inf_utf8_valid(name, strlen(name)))
        return "the name is not UTF-8";
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return "the name holds a control character";
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
    if (inf_agent_create_reason(name, id, secret))
        return INF_EINVAL;
    inf_agent agent = {.name = name, .created_ns = inf_unix_ns(), .iterations = ITERATIONS};
    uint8_t random[MADE_SECRET_BYTES];
    int rc = inf_random_secret(agent.salt, sizeof agent.salt);
    if (rc == 0)
        rc = inf_random_secret(random, sizeof random);
    if (rc < 0)
        return rc;
    if (secret)
        memcpy(secret_out, secret, strlen(secret) + 1);
    else
        inf_hex(random, sizeof random, secret_out);
    if (id) {
        rc = inf_id_parse(id, 36, agent.id);
    } else {
        inf_id_make(agent.id);
        agent.id[6] = (uint8_t)((agent.id[6] & 0x0f) | 0x40); /* a version 4 UUID, for those who look */
        agent.id[8] = (uint8_t)((agent.id[8] & 0x3f) | 0x80);
    }
    if (rc < 0)
        return rc;
    inf_id_uuid(agent.id, id_out);
    derive(secret_out, strlen(secret_out), agent.salt, agent.iterations, agent.hash);
    return inf_store_agent_add(store, &agent);
}

bool inf_agent_verify(const inf_agent *agent, const char *secret, size_t secret_length)
{
    uint8_t hash[32];
    if (agent->iterations == 0 || secret_length >= INF_AGENT_SECRET_SIZE)
        return false;
    derive(secret, secret_length, agent->salt, agent->iterations, hash);
    return memeql_sec(hash, agent->hash, sizeof hash) != 0;
}

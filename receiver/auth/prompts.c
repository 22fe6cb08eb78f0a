/* See prompts.h. */
#include <stdio.h>
#include <string.h>

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include "auth/agents.h"
#include "auth/prompts.h"
#include "auth/secret.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "base/utf8.h"
#include "infinium.h"
#include "store/keys.h"

#define SECOND UINT64_C(1000000000)

const char *inf_prompt_reason(const char *name, const char *content, size_t length)
{
    const char *reason = name ? inf_name_reason(name) : NULL;
    if (reason)
        return reason;
    if (length == 0)
        return "content is needed";
    if (length > INF_PROMPT_CONTENT_MAX)
        return "the content is longer than 262144 bytes";
    if (strlen(content) != length)
        return "the content holds a NUL";
    return inf_utf8_valid(content, length) ? NULL : "the content is not UTF-8";
}

static void digest(const uint8_t salt[16], const char *key, uint8_t out[32])
{
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, 16, salt);
    sha256_update(&sha, strlen(key), (const uint8_t *)key);
    sha256_digest(&sha, 32, out);
}

static int make_key(inf_prompt_key *key, char text[INF_PROMPT_KEY_SIZE])
{
    char secret[INF_SECRET_TEXT];
    int rc = inf_secret_make(secret);
    if (rc < 0)
        return rc;
    if (inf_os.getrandom(key->salt, sizeof key->salt, 0) != (ssize_t)sizeof key->salt)
        return INF_ESYS;
    snprintf(text, INF_PROMPT_KEY_SIZE, "inf_p_%s", secret);
    digest(key->salt, text, key->hash);
    key->created_ns = inf_unix_ns();
    key->expires_ns = 0;
    return 0;
}

static int end(inf_store *store, const inf_actor *actor, int rc, const char *action, const char *subject,
               const char *detail)
{
    inf_audit entry = {
        .who = actor->who, .origin = actor->origin, .action = action, .subject = subject, .detail = detail};
    return inf_store_change_end(store, rc, &entry);
}

int inf_prompt_create(inf_store *store, const inf_actor *actor, const char *name, const char *content, char id_out[37],
                      char key_out[INF_PROMPT_KEY_SIZE])
{
    inf_prompt_key key;
    inf_prompt prompt = {.name = name, .created_ns = inf_unix_ns()};
    int rc = make_key(&key, key_out);
    if (rc < 0)
        return rc;
    inf_secret_id(prompt.id);
    inf_id_uuid(prompt.id, id_out);
    rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    rc = inf_store_prompt_add(store, &prompt, content, &key);
    return end(store, actor, rc, "prompt.create", id_out, name);
}

int inf_prompt_publish(inf_store *store, const inf_actor *actor, const uint8_t id[16], const char *content,
                       int *version)
{
    char text[37], detail[32];
    inf_id_uuid(id, text);
    int rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    rc = inf_store_prompt_publish(store, id, content, inf_unix_ns(), version);
    snprintf(detail, sizeof detail, "version %d", *version);
    return end(store, actor, rc, "prompt.publish", text, detail);
}

int inf_prompt_rotate(inf_store *store, const inf_actor *actor, const uint8_t id[16], unsigned overlap_s,
                      char key_out[INF_PROMPT_KEY_SIZE])
{
    inf_prompt_key key;
    char text[37], detail[64];
    inf_id_uuid(id, text);
    int rc = make_key(&key, key_out);
    if (rc == 0)
        rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    rc = inf_store_prompt_rekey(store, id, &key, key.created_ns + overlap_s * SECOND);
    snprintf(detail, sizeof detail, "the old key is good for %u s more", overlap_s);
    return end(store, actor, rc, "prompt.rotate", text, detail);
}

int inf_prompt_remove(inf_store *store, const inf_actor *actor, const uint8_t id[16])
{
    inf_prompt prompt;
    char text[37], name[INF_PROMPT_NAME_SIZE] = "";
    inf_id_uuid(id, text);
    int rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    rc = inf_store_prompt_get(store, id, &prompt, name);
    if (rc == 0)
        rc = inf_store_prompt_remove(store, id);
    return end(store, actor, rc, "prompt.delete", text, name);
}

struct match {
    const char *key;
    bool found;
};

static int compare(void *context, const inf_prompt_key *stored)
{
    struct match *m = context;
    uint8_t got[32];
    digest(stored->salt, m->key, got);
    m->found |= memeql_sec(got, stored->hash, sizeof got) != 0;
    return 0;
}

int inf_prompt_verify(inf_store *store, const uint8_t id[16], const char *key)
{
    struct match m = {.key = key};
    if (strlen(key) >= INF_PROMPT_KEY_SIZE * 2)
        return 0;
    int rc = inf_store_prompt_keys(store, id, inf_unix_ns(), compare, &m);
    return rc < 0 ? rc : m.found;
}

/* See keys.h. A read-write lock guards the table; the store handle, used only to reload it, has a mutex of its own. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>

#include "auth/keys.h"
#include "base/id.h"
#include "infinium.h"

enum { DIGEST = 32, WRONG_SLOTS = 1024, MAX_AGENTS = 1000000 };

struct key {
    inf_agent agent; /* name points to `name` */
    char name[INF_AGENT_NAME_MAX + 1];
    uint8_t right[DIGEST]; /* keyed digest of the secret that was seen to be right */
    bool seen;
};

struct table {
    struct key *keys; /* sorted by id */
    size_t count;
    size_t capacity;
};

struct inf_keys {
    pthread_rwlock_t lock;
    struct table table;
    uint8_t wrong[WRONG_SLOTS][DIGEST];
    struct hmac_sha256_ctx mac; /* keyed, nothing fed */

    pthread_mutex_t store_lock;
    inf_store *store;
    uint64_t version;
};

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct key *)a)->agent.id, ((const struct key *)b)->agent.id, 16);
}

static struct key *find(const struct table *t, const uint8_t id[16])
{
    size_t low = 0;
    size_t high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(t->keys[middle].agent.id, id, 16);
        if (order == 0)
            return &t->keys[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void digest(const inf_keys *keys, const uint8_t id[16], const char *secret, size_t length, uint8_t out[DIGEST])
{
    struct hmac_sha256_ctx mac = keys->mac;
    hmac_sha256_update(&mac, 16, id);
    hmac_sha256_update(&mac, length, (const uint8_t *)secret);
    hmac_sha256_digest(&mac, DIGEST, out);
}

static size_t wrong_slot(const uint8_t d[DIGEST])
{
    return ((size_t)d[0] << 8 | d[1]) % WRONG_SLOTS;
}

static int collect(void *context, const inf_agent *agent)
{
    struct table *t = context;
    if (t->count == MAX_AGENTS)
        return INF_E2BIG;
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 16;
        struct key *grown = realloc(t->keys, capacity * sizeof *grown);
        if (!grown)
            return INF_ENOMEM;
        t->keys = grown;
        t->capacity = capacity;
    }
    struct key *k = &t->keys[t->count++];
    memset(k, 0, sizeof *k);
    k->agent = *agent;
    size_t length = agent->name ? strnlen(agent->name, INF_AGENT_NAME_MAX) : 0;
    if (length)
        memcpy(k->name, agent->name, length);
    k->agent.name = NULL;
    return 0;
}

static int reload(inf_keys *keys)
{
    struct table fresh = {0};
    int rc = inf_store_agents(keys->store, collect, &fresh);
    if (rc != 0) {
        free(fresh.keys);
        return rc;
    }
    if (fresh.count)
        qsort(fresh.keys, fresh.count, sizeof *fresh.keys, by_id);
    pthread_rwlock_wrlock(&keys->lock);
    for (size_t i = 0; i < fresh.count; i++) {
        struct key *k = &fresh.keys[i];
        const struct key *old = find(&keys->table, k->agent.id);
        bool same = old && memcmp(old->agent.hash, k->agent.hash, sizeof k->agent.hash) == 0;
        if (same && old->seen) {
            k->seen = true;
            memcpy(k->right, old->right, DIGEST);
        }
        if (old && !same)
            memset(keys->wrong, 0, sizeof keys->wrong);
    }
    struct table old = keys->table;
    keys->table = fresh;
    pthread_rwlock_unlock(&keys->lock);
    free(old.keys);
    return 0;
}

int inf_keys_refresh(inf_keys *keys)
{
    pthread_mutex_lock(&keys->store_lock);
    uint64_t version = 0;
    int rc = inf_store_version(keys->store, &version);
    /* The number also moves with every batch of traces: an agent table is small, and this is a few times a second. */
    if (rc == 0 && version != keys->version) {
        rc = reload(keys);
        if (rc == 0)
            keys->version = version;
    }
    pthread_mutex_unlock(&keys->store_lock);
    return rc;
}

int inf_keys_open(inf_keys **out, const char *dir)
{
    uint8_t key[32];
    inf_keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return INF_ENOMEM;
    pthread_rwlock_init(&keys->lock, NULL);
    pthread_mutex_init(&keys->store_lock, NULL);
    int rc = inf_random_secret(key, sizeof key);
    if (rc == 0) {
        hmac_sha256_set_key(&keys->mac, sizeof key, key);
        rc = inf_store_open(&keys->store, dir, INF_STORE_READ_ONLY);
    }
    if (rc == 0)
        rc = inf_store_version(keys->store, &keys->version);
    if (rc == 0)
        rc = reload(keys);
    if (rc < 0) {
        inf_keys_close(keys);
        keys = NULL;
    }
    *out = keys;
    return rc;
}

void inf_keys_close(inf_keys *keys)
{
    if (!keys)
        return;
    inf_store_close(keys->store);
    free(keys->table.keys);
    pthread_mutex_destroy(&keys->store_lock);
    pthread_rwlock_destroy(&keys->lock);
    free(keys);
}

enum inf_key_answer inf_keys_check(inf_keys *keys, const uint8_t agent_id[16], const char *secret, size_t secret_length,
                                   char agent_name[INF_AGENT_NAME_MAX + 1])
{
    if (secret_length == 0 || secret_length >= INF_AGENT_SECRET_SIZE)
        return INF_KEY_WRONG;
    uint8_t d[DIGEST];
    digest(keys, agent_id, secret, secret_length, d);
    enum inf_key_answer answer = INF_KEY_UNDECIDED;
    pthread_rwlock_rdlock(&keys->lock);
    const struct key *k = find(&keys->table, agent_id);
    if (k && k->agent.revoked)
        answer = INF_KEY_WRONG;
    else if (k && k->seen && memeql_sec(d, k->right, DIGEST))
        answer = INF_KEY_RIGHT;
    else if (memeql_sec(d, keys->wrong[wrong_slot(d)], DIGEST))
        answer = INF_KEY_WRONG;
    if (answer == INF_KEY_RIGHT && agent_name)
        memcpy(agent_name, k->name, sizeof k->name);
    pthread_rwlock_unlock(&keys->lock);
    return answer;
}

bool inf_keys_name(inf_keys *keys, const uint8_t agent_id[16], char agent_name[INF_AGENT_NAME_MAX + 1])
{
    pthread_rwlock_rdlock(&keys->lock);
    const struct key *k = find(&keys->table, agent_id);
    bool there = k && !k->agent.revoked;
    if (there)
        memcpy(agent_name, k->name, sizeof k->name);
    pthread_rwlock_unlock(&keys->lock);
    return there;
}

bool inf_keys_decide(inf_keys *keys, const uint8_t agent_id[16], const char *secret, size_t secret_length)
{
    /* An agent may have been created by another process a moment ago. */
    inf_keys_refresh(keys);
    enum inf_key_answer answer = inf_keys_check(keys, agent_id, secret, secret_length, NULL);
    if (answer != INF_KEY_UNDECIDED)
        return answer == INF_KEY_RIGHT;
    inf_agent agent = {0};
    pthread_rwlock_rdlock(&keys->lock);
    const struct key *k = find(&keys->table, agent_id);
    if (k)
        agent = k->agent;
    pthread_rwlock_unlock(&keys->lock);
    bool right = agent.iterations && inf_agent_verify(&agent, secret, secret_length);

    uint8_t d[DIGEST];
    digest(keys, agent_id, secret, secret_length, d);
    pthread_rwlock_wrlock(&keys->lock);
    struct key *now = find(&keys->table, agent_id);
    bool same = now && memcmp(now->agent.hash, agent.hash, sizeof agent.hash) == 0 && !now->agent.revoked;
    if (right && same) {
        now->seen = true;
        memcpy(now->right, d, DIGEST);
    } else if (!right && same) {
        memcpy(keys->wrong[wrong_slot(d)], d, DIGEST);
    }
    pthread_rwlock_unlock(&keys->lock);
    return right && same;
}

/* See keys.h. A read-write lock guards the table; the store handle, used only to reload it, has a mutex of its own. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>

#include "auth/keys.h"
#include "base/clock.h"
#include "base/id.h"
#include "infinium.h"

enum { DIGEST = 32, WRONG_SLOTS = 1024, ENTRIES_MAX = 1000000, SECRETS = 1 + INF_AGENT_OLD_MAX, WRITE_AT_ONCE = 256 };

struct secret {
    uint8_t salt[16];
    uint8_t hash[32];
    uint32_t iterations;   /* 0: there is none */
    bool seen;             /* to be right; then */
    uint8_t right[DIGEST]; /* its keyed digest */
    uint64_t until_ns;     /* 0: for ever */
};

/* An agent with its secret and its earlier ones, or a key with its one secret. */
struct entry {
    uint8_t id[16];
    char name[INF_AGENT_NAME_MAX + 1];
    bool revoked;
    bool scoped;
    enum inf_role role;
    uint8_t agent_id[16];
    struct secret secrets[SECRETS];
    _Atomic uint64_t used_ns;
    uint64_t written_ns; /* what the store says of that */
};

struct table {
    struct entry *entries; /* sorted by id */
    size_t count;
    size_t capacity;
};

struct inf_keys {
    pthread_rwlock_t lock;
    struct table agents;
    struct table bearers;
    uint8_t wrong[WRONG_SLOTS][DIGEST];
    struct hmac_sha256_ctx mac; /* keyed, nothing fed */
    atomic_uint lost;
    atomic_bool used_first;  /* one of written_ns 0 */
    _Atomic uint64_t now_ns; /* Unix time of the last refresh: a clock that costs nothing */

    pthread_mutex_t store_lock;
    inf_store *store;
    uint64_t data_version;
    uint64_t auth_version;
};

/* ---- the table ---- */

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id, 16);
}

static struct entry *find(const struct table *t, const uint8_t id[16])
{
    size_t low = 0;
    size_t high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(t->entries[middle].id, id, 16);
        if (order == 0)
            return &t->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct entry *append(struct table *t)
{
    if (t->count == ENTRIES_MAX)
        return NULL;
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 16;
        struct entry *grown = realloc(t->entries, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        t->entries = grown;
        t->capacity = capacity;
    }
    struct entry *e = &t->entries[t->count++];
    memset(e, 0, sizeof *e);
    return e;
}

static void sort(struct table *t)
{
    if (t->count)
        qsort(t->entries, t->count, sizeof *t->entries, by_id);
}

/* ---- loading ---- */

struct load {
    struct table agents;
    struct table bearers;
    uint64_t now_ns;
};

static void fill(struct entry *e, const uint8_t id[16], const char *name, bool revoked, uint64_t last_used_ns)
{
    memcpy(e->id, id, 16);
    snprintf(e->name, sizeof e->name, "%s", name ? name : "");
    e->revoked = revoked;
    e->written_ns = last_used_ns;
    atomic_init(&e->used_ns, last_used_ns);
}

static void fill_secret(struct secret *s, const uint8_t salt[16], const uint8_t hash[32], uint32_t iterations)
{
    memcpy(s->salt, salt, 16);
    memcpy(s->hash, hash, 32);
    s->iterations = iterations;
}

static int load_agent(void *context, const inf_agent *agent)
{
    struct load *l = context;
    struct entry *e = append(&l->agents);
    if (!e)
        return INF_ENOMEM;
    fill(e, agent->id, agent->name, agent->revoked, agent->last_used_ns);
    fill_secret(&e->secrets[0], agent->salt, agent->hash, agent->iterations);
    e->role = INF_ROLE_INGEST;
    return 0;
}

/* An agent's earlier secret goes to its agent, whose table is complete and sorted. */
static void load_earlier(struct load *l, const inf_key *key)
{
    struct entry *e = find(&l->agents, key->agent_id);
    for (int i = 1; e && i < SECRETS; i++) {
        if (e->secrets[i].iterations)
            continue;
        fill_secret(&e->secrets[i], key->salt, key->hash, key->iterations);
        e->secrets[i].until_ns = key->expires_ns;
        return;
    }
}

static int load_key(void *context, const inf_key *key)
{
    struct load *l = context;
    if (key->revoked || (key->expires_ns && key->expires_ns <= l->now_ns))
        return 0;
    if (key->role == INF_ROLE_INGEST) {
        load_earlier(l, key);
        return 0;
    }
    struct entry *e = append(&l->bearers);
    if (!e)
        return INF_ENOMEM;
    fill(e, key->id, key->name, false, key->last_used_ns);
    fill_secret(&e->secrets[0], key->salt, key->hash, key->iterations);
    e->secrets[0].until_ns = key->expires_ns;
    e->role = (enum inf_role)key->role;
    e->scoped = key->scoped;
    memcpy(e->agent_id, key->agent_id, 16);
    return 0;
}

static void take_seen(struct secret *fresh, const struct entry *old)
{
    for (int i = 0; fresh->iterations && i < SECRETS; i++) {
        const struct secret *o = &old->secrets[i];
        if (o->seen && memcmp(o->hash, fresh->hash, sizeof o->hash) == 0) {
            fresh->seen = true;
            memcpy(fresh->right, o->right, DIGEST);
        }
    }
}

/* What was seen to be right stays so. */
static void take_over(struct table *fresh, const struct table *old)
{
    for (size_t i = 0; i < fresh->count; i++) {
        struct entry *e = &fresh->entries[i];
        const struct entry *o = find(old, e->id);
        if (!o)
            continue;
        for (int j = 0; j < SECRETS; j++)
            take_seen(&e->secrets[j], o);
        uint64_t used = atomic_load(&o->used_ns);
        if (used > atomic_load(&e->used_ns))
            atomic_store(&e->used_ns, used);
    }
}

static bool any_lost(const struct table *fresh, const struct table *old)
{
    for (size_t i = 0; i < old->count; i++)
        if (!find(fresh, old->entries[i].id))
            return true;
    return false;
}

static int reload(inf_keys *keys)
{
    struct load l = {.now_ns = inf_unix_ns()};
    int rc = inf_store_agents(keys->store, load_agent, &l);
    sort(&l.agents);
    if (rc == 0)
        rc = inf_store_keys(keys->store, load_key, &l);
    sort(&l.bearers);
    if (rc == 0) {
        pthread_rwlock_wrlock(&keys->lock);
        take_over(&l.agents, &keys->agents);
        take_over(&l.bearers, &keys->bearers);
        memset(keys->wrong, 0, sizeof keys->wrong); /* what was wrong may be right now */
        if (any_lost(&l.bearers, &keys->bearers))
            atomic_fetch_add(&keys->lost, 1);
        struct load old = {keys->agents, keys->bearers, 0};
        keys->agents = l.agents;
        keys->bearers = l.bearers;
        pthread_rwlock_unlock(&keys->lock);
        l = old;
    }
    free(l.agents.entries);
    free(l.bearers.entries);
    return rc;
}

int inf_keys_refresh(inf_keys *keys)
{
    atomic_store(&keys->now_ns, inf_unix_ns());
    pthread_mutex_lock(&keys->store_lock);
    uint64_t data = 0;
    uint64_t auth = 0;
    int rc = inf_store_version(keys->store, &data);
    /* That number also moves with every batch of traces; the other one costs a look into the file. */
    if (rc == 0 && data != keys->data_version) {
        rc = inf_store_auth_version(keys->store, &auth);
        if (rc == 0 && auth != keys->auth_version)
            rc = reload(keys);
        if (rc == 0) {
            keys->data_version = data;
            keys->auth_version = auth;
        }
    }
    pthread_mutex_unlock(&keys->store_lock);
    return rc;
}

unsigned inf_keys_lost(const inf_keys *keys)
{
    return atomic_load(&keys->lost);
}

int inf_keys_open(inf_keys **out, const char *dir)
{
    uint8_t key[32];
    inf_keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return INF_ENOMEM;
    pthread_rwlock_init(&keys->lock, NULL);
    pthread_mutex_init(&keys->store_lock, NULL);
    atomic_init(&keys->now_ns, inf_unix_ns());
    int rc = inf_random_secret(key, sizeof key);
    if (rc == 0) {
        hmac_sha256_set_key(&keys->mac, sizeof key, key);
        rc = inf_store_open(&keys->store, dir, INF_STORE_READ_ONLY);
    }
    if (rc == 0)
        rc = inf_store_version(keys->store, &keys->data_version);
    if (rc == 0)
        rc = inf_store_auth_version(keys->store, &keys->auth_version);
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
    free(keys->agents.entries);
    free(keys->bearers.entries);
    pthread_mutex_destroy(&keys->store_lock);
    pthread_rwlock_destroy(&keys->lock);
    free(keys);
}

/* ---- secrets ---- */

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

static bool live(const struct secret *s, uint64_t now_ns)
{
    return s->iterations && (!s->until_ns || s->until_ns > now_ns);
}

/* The read lock is held. Writes used_ns at most ten times a second: between two refreshes the clock stands. */
static enum inf_key_answer answer(inf_keys *keys, struct entry *e, const uint8_t d[DIGEST])
{
    uint64_t now = atomic_load_explicit(&keys->now_ns, memory_order_relaxed);
    if (e && e->revoked)
        return INF_KEY_WRONG;
    for (int i = 0; e && i < SECRETS; i++) {
        const struct secret *s = &e->secrets[i];
        if (!s->seen || !live(s, now) || !memeql_sec(d, s->right, DIGEST))
            continue;
        if (atomic_load_explicit(&e->used_ns, memory_order_relaxed) != now)
            atomic_store_explicit(&e->used_ns, now, memory_order_relaxed);
        return INF_KEY_RIGHT;
    }
    return memeql_sec(d, keys->wrong[wrong_slot(d)], DIGEST) ? INF_KEY_WRONG : INF_KEY_UNDECIDED;
}

/* Pays the slow hash for each secret that the entry has, and notes what came of it. */
static bool decide(inf_keys *keys, const struct table *t, const uint8_t id[16], const char *text, size_t length,
                   bool *hashed)
{
    struct secret secrets[SECRETS] = {0};
    pthread_rwlock_rdlock(&keys->lock);
    const struct entry *e = find(t, id);
    if (e && !e->revoked)
        memcpy(secrets, e->secrets, sizeof secrets);
    pthread_rwlock_unlock(&keys->lock);
    uint64_t now = atomic_load(&keys->now_ns);
    const struct secret *right = NULL;
    for (int i = 0; !right && i < SECRETS; i++) {
        if (!live(&secrets[i], now))
            continue;
        *hashed = true;
        if (inf_secret_verify(text, length, secrets[i].salt, secrets[i].hash, secrets[i].iterations))
            right = &secrets[i];
    }

    uint8_t d[DIGEST];
    bool noted = false;
    digest(keys, id, text, length, d);
    pthread_rwlock_wrlock(&keys->lock);
    struct entry *current = find(t, id);
    for (int i = 0; right && current && !current->revoked && i < SECRETS; i++) {
        struct secret *s = &current->secrets[i];
        if (!s->iterations || memcmp(s->hash, right->hash, sizeof s->hash) != 0)
            continue;
        s->seen = noted = true;
        memcpy(s->right, d, DIGEST);
        atomic_store(&current->used_ns, now);
        if (current->written_ns == 0)
            atomic_store(&keys->used_first, true);
    }
    /* Not of an id that there is not: another process may make it in this moment. */
    bool same = current && memcmp(current->secrets[0].hash, secrets[0].hash, sizeof secrets[0].hash) == 0;
    if (!right && same)
        memcpy(keys->wrong[wrong_slot(d)], d, DIGEST);
    pthread_rwlock_unlock(&keys->lock);
    return noted;
}

/* ---- agents ---- */

enum inf_key_answer inf_keys_check(inf_keys *keys, const uint8_t agent_id[16], const char *secret, size_t secret_length,
                                   char agent_name[INF_AGENT_NAME_MAX + 1])
{
    if (secret_length == 0 || secret_length >= INF_AGENT_SECRET_SIZE)
        return INF_KEY_WRONG;
    uint8_t d[DIGEST];
    digest(keys, agent_id, secret, secret_length, d);
    pthread_rwlock_rdlock(&keys->lock);
    struct entry *e = find(&keys->agents, agent_id);
    enum inf_key_answer a = answer(keys, e, d);
    if (a == INF_KEY_RIGHT && agent_name)
        memcpy(agent_name, e->name, sizeof e->name);
    pthread_rwlock_unlock(&keys->lock);
    return a;
}

bool inf_keys_decide(inf_keys *keys, const uint8_t agent_id[16], const char *secret, size_t secret_length, bool *hashed)
{
    *hashed = false;
    /* An agent may have been created by another process a moment ago. */
    inf_keys_refresh(keys);
    enum inf_key_answer a = inf_keys_check(keys, agent_id, secret, secret_length, NULL);
    return a == INF_KEY_UNDECIDED ? decide(keys, &keys->agents, agent_id, secret, secret_length, hashed)
                                  : a == INF_KEY_RIGHT;
}

bool inf_keys_name(inf_keys *keys, const uint8_t agent_id[16], char agent_name[INF_AGENT_NAME_MAX + 1])
{
    pthread_rwlock_rdlock(&keys->lock);
    const struct entry *e = find(&keys->agents, agent_id);
    bool there = e && !e->revoked;
    if (there)
        memcpy(agent_name, e->name, sizeof e->name);
    pthread_rwlock_unlock(&keys->lock);
    return there;
}

/* ---- readers and administrators ---- */

static void describe(const struct entry *e, inf_access *out)
{
    char id[37];
    inf_id_uuid(e->id, id);
    *out = (inf_access){.role = e->role, .scoped = e->scoped};
    memcpy(out->agent_id, e->agent_id, 16);
    snprintf(out->who, sizeof out->who, "key %s", id);
    out->keyed = true;
    memcpy(out->key_id, e->id, 16);
}

enum inf_key_answer inf_keys_bearer(inf_keys *keys, const inf_bearer *bearer, inf_access *out)
{
    uint8_t d[DIGEST];
    digest(keys, bearer->id, bearer->secret, INF_SECRET_TEXT - 1, d);
    pthread_rwlock_rdlock(&keys->lock);
    struct entry *e = find(&keys->bearers, bearer->id);
    enum inf_key_answer a = e && e->role != bearer->role ? INF_KEY_WRONG : answer(keys, e, d);
    if (a == INF_KEY_RIGHT)
        describe(e, out);
    pthread_rwlock_unlock(&keys->lock);
    return a;
}

bool inf_keys_bearer_decide(inf_keys *keys, const inf_bearer *bearer, inf_access *out, bool *hashed)
{
    *hashed = false;
    inf_keys_refresh(keys);
    enum inf_key_answer a = inf_keys_bearer(keys, bearer, out);
    if (a == INF_KEY_UNDECIDED && decide(keys, &keys->bearers, bearer->id, bearer->secret, INF_SECRET_TEXT - 1, hashed))
        a = inf_keys_bearer(keys, bearer, out);
    return a == INF_KEY_RIGHT;
}

/* ---- when they were used ---- */

uint64_t inf_keys_used(inf_keys *keys, const uint8_t id[16], bool agent)
{
    pthread_rwlock_rdlock(&keys->lock);
    struct entry *e = find(agent ? &keys->agents : &keys->bearers, id);
    uint64_t used = e ? atomic_load(&e->used_ns) : 0;
    pthread_rwlock_unlock(&keys->lock);
    return used;
}

struct use {
    uint8_t id[16];
    uint64_t at_ns;
};

static size_t collect_used(inf_keys *keys, const struct table *t, struct use uses[WRITE_AT_ONCE])
{
    size_t n = 0;
    pthread_rwlock_wrlock(&keys->lock);
    for (size_t i = 0; i < t->count && n < WRITE_AT_ONCE; i++) {
        struct entry *e = &t->entries[i];
        uint64_t used = atomic_load(&e->used_ns);
        if (used <= e->written_ns)
            continue;
        e->written_ns = used; /* if it cannot be written, the next use is */
        memcpy(uses[n].id, e->id, 16);
        uses[n++].at_ns = used;
    }
    pthread_rwlock_unlock(&keys->lock);
    return n;
}

static int write_table(inf_keys *keys, const struct table *t, inf_store *store)
{
    struct use uses[WRITE_AT_ONCE];
    for (;;) {
        size_t n = collect_used(keys, t, uses);
        int rc = n ? inf_store_change_begin(store) : 0;
        if (rc < 0 || n == 0)
            return rc;
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = inf_store_used(store, uses[i].id, t == &keys->agents, uses[i].at_ns);
        rc = inf_store_change_end(store, rc, NULL);
        if (rc < 0 || n < WRITE_AT_ONCE)
            return rc;
    }
}

bool inf_keys_used_first(inf_keys *keys)
{
    return atomic_exchange(&keys->used_first, false);
}

int inf_keys_write_used(inf_keys *keys, inf_store *store)
{
    int rc = write_table(keys, &keys->agents, store);
    return rc < 0 ? rc : write_table(keys, &keys->bearers, store);
}

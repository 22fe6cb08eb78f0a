/* Keys and the audit log in the store, a part of the seam that store.h is. Make keys with auth/manage.h, which makes
 * the secret and writes the audit log. */
#ifndef INF_STORE_KEYS_H
#define INF_STORE_KEYS_H

#include "store/store.h"

/* A key beside the agents' current secrets: of a reader, of an administrator, or an agent's earlier secret that is
 * still good for a while (role ingest). */
typedef struct inf_key {
    uint8_t id[16];
    int role;             /* enum inf_role (auth/access.h); the store does not know what it means */
    bool scoped;          /* to agent_id */
    uint8_t agent_id[16]; /* all zero when not scoped */
    const char *name;
    uint64_t created_ns;
    uint64_t expires_ns; /* 0: never */
    bool revoked;
    uint64_t last_used_ns; /* 0: never, or not written down yet */
    uint8_t salt[16];
    uint8_t hash[32];
    uint32_t iterations;
} inf_key;

typedef struct inf_audit {
    uint64_t number;     /* read only: grows */
    uint64_t at_ns;      /* read only */
    const char *who;     /* "key 1f0c...", "session", "command line (alice)" */
    const char *origin;  /* an address; "local" */
    const char *action;  /* "agent.create" */
    const char *subject; /* an id as text */
    const char *detail;  /* for people; may be NULL */
} inf_audit;

#define INF_STORE_AUDIT_MAX 100000 /* entries that are kept; the oldest give way */

/* Between these two, changes are made together with the audit entry that says so, or not at all. `rc` is what the
 * changes gave: negative undoes them. Returns `rc`, or why it could not be done. Nothing else may be begun meanwhile.
 */
int inf_store_change_begin(inf_store *store);
int inf_store_change_end(inf_store *store, int rc, const inf_audit *entry);

int inf_store_key_add(inf_store *store, const inf_key *key);
/* All keys, in the order of their creation. */
int inf_store_keys(inf_store *store, int (*row)(void *context, const inf_key *key), void *context);
/* INF_ENOTFOUND. The name is copied into `name`. */
int inf_store_key_get(inf_store *store, const uint8_t id[16], inf_key *key, char name[201]);
/* From `expires_ns` on (never later than it already was) the key is no good. INF_ENOTFOUND. */
int inf_store_key_expire(inf_store *store, const uint8_t id[16], uint64_t expires_ns);
/* The key is no good any more. INF_ENOTFOUND. Revoking twice is no error. */
int inf_store_key_revoke(inf_store *store, const uint8_t id[16]);
/* The agent's keys of this role that are still good, but for the `keep` newest, are so no more. Returns how many they
 * were, or negative. */
int inf_store_keys_revoke_agent(inf_store *store, const uint8_t agent_id[16], int role, int keep);
/* Gives an agent that is not revoked a new secret; what it had is copied into `old` (salt, hash, iterations).
 * INF_ENOTFOUND. */
int inf_store_agent_rekey(inf_store *store, const inf_agent *fresh, inf_key *old);

/* When a key, or an agent, was used last. Not an event for inf_store_auth_version(). Unknown ids are no error. */
int inf_store_used(inf_store *store, const uint8_t id[16], bool agent, uint64_t at_ns);

/* A number that changes whenever an agent or a key was made or changed. */
int inf_store_auth_version(inf_store *store, uint64_t *out);

/* Newest first, before entry `before` (0: from the newest), at most `limit`. */
int inf_store_audit(inf_store *store, uint64_t before, int limit, int (*row)(void *context, const inf_audit *entry),
                    void *context);

#endif

/* The agents and keys that a running receiver knows, and which secrets it has seen to be right. The slow hash is paid
 * once for each secret; from then on a request costs one keyed digest (HMAC-SHA-256 under a key that lives as long as
 * the process), compared in constant time. Wrong secrets are remembered likewise, so that a client with a wrong one
 * costs no more. */
#ifndef INF_AUTH_KEYS_H
#define INF_AUTH_KEYS_H

#include "auth/access.h"
#include "auth/agents.h"
#include "auth/bearer.h"

typedef struct inf_keys inf_keys;

enum inf_key_answer {
    INF_KEY_RIGHT,
    INF_KEY_WRONG,
    INF_KEY_UNDECIDED, /* ask the ..._decide() function, on a thread that may be slow */
};

/* Opens with a store handle of its own. */
int inf_keys_open(inf_keys **out, const char *dir);
void inf_keys_close(inf_keys *keys);

/* At once, from any thread. INF_KEY_RIGHT: agent_name (may be NULL) gets the agent's name. */
enum inf_key_answer inf_keys_check(inf_keys *keys, const uint8_t agent_id[16], const char *secret, size_t secret_length,
                                   char agent_name[INF_AGENT_NAME_MAX + 1]);
/* Looks into the store if need be and pays the slow hash (*hashed says whether it had to). Any thread. True when right.
 */
bool inf_keys_decide(inf_keys *keys, const uint8_t agent_id[16], const char *secret, size_t secret_length,
                     bool *hashed);

/* The same for the keys of readers and administrators. Right: *out says what the key may. */
enum inf_key_answer inf_keys_bearer(inf_keys *keys, const inf_bearer *bearer, inf_access *out);
bool inf_keys_bearer_decide(inf_keys *keys, const inf_bearer *bearer, inf_access *out, bool *hashed);

/* The name of an agent that is not revoked; false when there is none. Any thread. */
bool inf_keys_name(inf_keys *keys, const uint8_t agent_id[16], char agent_name[INF_AGENT_NAME_MAX + 1]);

/* When an agent (or a key) was last found right, Unix time to a tenth of a second; 0 when this process has not. */
uint64_t inf_keys_used(inf_keys *keys, const uint8_t id[16], bool agent);
/* Writes that into the store, for those that were used since the last call. One thread at a time. */
int inf_keys_write_used(inf_keys *keys, inf_store *store);

/* Was one found right, since the last call, of which the store does not say that it ever was? Any thread. */
bool inf_keys_used_first(inf_keys *keys);

/* Takes over what other processes changed in the store since the last call. Call a few times a second. */
int inf_keys_refresh(inf_keys *keys);
/* How often a reader or an administrator was found to have lost their key: who is still being served must be asked
 * again. */
unsigned inf_keys_lost(const inf_keys *keys);

#endif

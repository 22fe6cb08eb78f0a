/* Keys of readers and administrators, sent as `Authorization: Bearer inf_r_<id>_<secret>` (readers) or `inf_a_...`
 * (administrators): 32 and 64 hexadecimal digits. Making, rotating and revoking them; every change is in the audit log.
 */
#ifndef INF_AUTH_BEARER_H
#define INF_AUTH_BEARER_H

#include "auth/access.h"
#include "auth/actor.h"
#include "auth/secret.h"
#include "store/keys.h"

#define INF_BEARER_SIZE (6 + 32 + 1 + INF_SECRET_TEXT)

typedef struct inf_bearer {
    enum inf_role role;
    uint8_t id[16];
    char secret[INF_SECRET_TEXT];
} inf_bearer;

/* Takes a key's text apart; false when it is none. */
bool inf_bearer_parse(const char *text, inf_bearer *out);

typedef struct inf_bearer_wish {
    enum inf_role role;      /* INF_ROLE_READ or INF_ROLE_ADMIN */
    const uint8_t *agent_id; /* a reader of this agent alone; NULL: of all. Not for administrators */
    const char *name;
    unsigned expires_in_s; /* 0: never */
} inf_bearer_wish;

/* INF_EINVAL: the wish makes no sense; INF_ENOTFOUND: there is no such agent. Writes the key's id (UUID) and the key,
 * which is shown this once. */
int inf_bearer_create(inf_store *store, const inf_actor *actor, const inf_bearer_wish *wish, char id_out[37],
                      char key_out[INF_BEARER_SIZE]);

/* A new key that may the same, for as long as the old one was made for; the old one is good for overlap_s more.
 * INF_ENOTFOUND: there is no such key, or it is no good any more. */
int inf_bearer_rotate(inf_store *store, const inf_actor *actor, const uint8_t id[16], unsigned overlap_s,
                      char id_out[37], char key_out[INF_BEARER_SIZE]);

/* INF_ENOTFOUND. Of an agent's earlier secret as well. */
int inf_bearer_revoke(inf_store *store, const inf_actor *actor, const uint8_t id[16]);

#endif

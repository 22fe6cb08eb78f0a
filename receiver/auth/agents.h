/* Agents: creating them, giving them a new secret, revoking. Every change is in the audit log. */
#ifndef INF_AUTH_AGENTS_H
#define INF_AUTH_AGENTS_H

#include <stdbool.h>

#include "auth/actor.h"
#include "store/store.h"

#define INF_AGENT_ID_SIZE 37      /* UUID text and its NUL */
#define INF_AGENT_SECRET_SIZE 257 /* the longest secret and its NUL */
#define INF_AGENT_NAME_MAX 200    /* bytes */
#define INF_AGENT_OLD_MAX 3       /* earlier secrets of one agent that are still good; the oldest gives way */

/* Creates an agent, for whoever runs this process. `id` (UUID text) and `secret` (8..256 printable ASCII characters)
 * may be NULL: made at random. Writes both as text. INF_EINVAL (message in inf_agent_create_reason()), INF_EEXIST,
 * INF_EIO. */
int inf_agent_create(inf_store *store, const char *name, const char *id, const char *secret,
                     char id_out[INF_AGENT_ID_SIZE], char secret_out[INF_AGENT_SECRET_SIZE]);
/* The same for somebody else. */
int inf_agent_create_by(inf_store *store, const inf_actor *actor, const char *name, const char *id, const char *secret,
                        char id_out[INF_AGENT_ID_SIZE], char secret_out[INF_AGENT_SECRET_SIZE]);

/* Why these arguments cannot make an agent, static text, or NULL when they can. */
const char *inf_agent_create_reason(const char *name, const char *id, const char *secret);
/* The same of a name alone: of an agent, or of a key. */
const char *inf_name_reason(const char *name);

/* Gives the agent a new secret. What it had is good for `overlap_s` seconds more; with 0 that and every earlier secret
 * are no good from now on. INF_ENOTFOUND: there is no such agent, or it is revoked. */
int inf_agent_rotate(inf_store *store, const inf_actor *actor, const uint8_t id[16], unsigned overlap_s,
                     char secret_out[INF_AGENT_SECRET_SIZE]);

/* From now on its requests are refused; its traces stay. INF_ENOTFOUND. */
int inf_agent_revoke(inf_store *store, const inf_actor *actor, const uint8_t id[16]);

#endif

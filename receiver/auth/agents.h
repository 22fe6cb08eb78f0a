/* Agents and their secrets: creating, verifying. Only a salted PBKDF2-HMAC-SHA-256 hash of a secret is ever stored. */
#ifndef INF_AUTH_AGENTS_H
#define INF_AUTH_AGENTS_H

#include <stdbool.h>

#include "store/store.h"

#define INF_AGENT_ID_SIZE 37      /* UUID text and its NUL */
#define INF_AGENT_SECRET_SIZE 257 /* the longest secret and its NUL */
#define INF_AGENT_NAME_MAX 200    /* bytes */

/* Creates an agent. `id` (UUID text) and `secret` (8..256 printable ASCII characters) may be NULL: made at random.
 * Writes both as text. INF_EINVAL (message in inf_agent_create_reason()), INF_EEXIST, INF_EIO. */
int inf_agent_create(inf_store *store, const char *name, const char *id, const char *secret,
                     char id_out[INF_AGENT_ID_SIZE], char secret_out[INF_AGENT_SECRET_SIZE]);

/* Why these arguments cannot make an agent, static text, or NULL when they can. */
const char *inf_agent_create_reason(const char *name, const char *id, const char *secret);

/* The slow comparison: milliseconds of CPU on purpose, constant time in the secret. Any thread. */
bool inf_agent_verify(const inf_agent *agent, const char *secret, size_t secret_length);

#endif

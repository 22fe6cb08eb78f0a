/* Prompts and their keys: creating, publishing, rotating, verifying. A key is ours, 256 random bits, and shown once; a
 * salted SHA-256 of it is kept. (The slow hash of agents' secrets is for secrets that people choose; there is nothing
 * to guess here, and the published client asks for its prompt again at every call.) */
#ifndef INF_AUTH_PROMPTS_H
#define INF_AUTH_PROMPTS_H

#include "auth/actor.h"
#include "store/prompts.h"

#define INF_PROMPT_KEY_SIZE 71 /* "inf_p_", 64 hexadecimal digits, a NUL */

/* Why this cannot be a prompt, static text, or NULL. `content` has `length` bytes and a NUL behind them. */
const char *inf_prompt_reason(const char *name, const char *content, size_t length);

/* A prompt with its version 1; writes its id and its key. INF_EFULL, INF_EIO... */
int inf_prompt_create(inf_store *store, const inf_actor *actor, const char *name, const char *content, char id_out[37],
                      char key_out[INF_PROMPT_KEY_SIZE]);
/* The next version. INF_ENOTFOUND, INF_EFULL. */
int inf_prompt_publish(inf_store *store, const inf_actor *actor, const uint8_t id[16], const char *content,
                       int *version);
/* A new key; the others are good for `overlap_s` more. INF_ENOTFOUND. */
int inf_prompt_rotate(inf_store *store, const inf_actor *actor, const uint8_t id[16], unsigned overlap_s,
                      char key_out[INF_PROMPT_KEY_SIZE]);
/* The prompt with all its versions and keys. INF_ENOTFOUND. */
int inf_prompt_remove(inf_store *store, const inf_actor *actor, const uint8_t id[16]);

/* 1 when this is a good key of that prompt; 0 when it is not, or there is no such prompt; negative on failure. */
int inf_prompt_verify(inf_store *store, const uint8_t id[16], const char *key);

#endif

/* Prompts in the store, a part of the seam that store.h is: a name, numbered versions that never change, and keys that
 * read them. Versions count from 1. Make prompts with auth/prompts.h, which makes the keys. */
#ifndef INF_STORE_PROMPTS_H
#define INF_STORE_PROMPTS_H

#include "store/store.h"

#define INF_PROMPT_VERSIONS_MAX 10000
#define INF_PROMPTS_MAX 10000
#define INF_PROMPT_NAME_SIZE 201            /* bytes, with the NUL */
#define INF_PROMPT_CONTENT_MAX (256 * 1024) /* bytes */

typedef struct inf_prompt {
    uint8_t id[16];
    const char *name;
    uint64_t created_ns;
    int version;         /* the newest */
    uint64_t changed_ns; /* when that one was made */
} inf_prompt;

typedef struct inf_prompt_version {
    int version;
    uint64_t created_ns;
    const char *content; /* UTF-8 without NUL */
} inf_prompt_version;

typedef struct inf_prompt_key {
    uint8_t salt[16];
    uint8_t hash[32];
    uint64_t created_ns;
    uint64_t expires_ns; /* 0: never */
} inf_prompt_key;

/* The four that change something: between inf_store_change_begin() and inf_store_change_end() (keys.h) only.
 *
 * A new prompt with its version 1 and its first key. INF_EEXIST: the id is taken; INF_EFULL: too many prompts. */
int inf_store_prompt_add(inf_store *store, const inf_prompt *prompt, const char *content, const inf_prompt_key *key);
/* The next version; its number in *version. INF_ENOTFOUND; INF_EFULL: too many versions. */
int inf_store_prompt_publish(inf_store *store, const uint8_t id[16], const char *content, uint64_t created_ns,
                             int *version);
/* A further key; every other one of this prompt expires at `others_expire_ns` at the latest. INF_ENOTFOUND. */
int inf_store_prompt_rekey(inf_store *store, const uint8_t id[16], const inf_prompt_key *key,
                           uint64_t others_expire_ns);
/* The prompt with its versions and keys. INF_ENOTFOUND. */
int inf_store_prompt_remove(inf_store *store, const uint8_t id[16]);

/* In the order of their creation. */
int inf_store_prompts(inf_store *store, int (*row)(void *context, const inf_prompt *prompt), void *context);
/* INF_ENOTFOUND. The name is copied into `name`. */
int inf_store_prompt_get(inf_store *store, const uint8_t id[16], inf_prompt *prompt, char name[INF_PROMPT_NAME_SIZE]);
/* Newest first, at most `limit`, before version `before` (0: from the newest). */
int inf_store_prompt_versions(inf_store *store, const uint8_t id[16], int before, int limit,
                              int (*row)(void *context, const inf_prompt_version *version), void *context);
/* One version, 0: the newest. INF_ENOTFOUND. */
int inf_store_prompt_version(inf_store *store, const uint8_t id[16], int version,
                             int (*row)(void *context, const inf_prompt_version *version), void *context);
/* The keys that have not expired at `now_ns`. */
int inf_store_prompt_keys(inf_store *store, const uint8_t id[16], uint64_t now_ns,
                          int (*row)(void *context, const inf_prompt_key *key), void *context);

#endif

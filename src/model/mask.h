/* Secrets in texts: found by the name before them or by their own shape, and replaced before a byte is stored.
 *
 * Masked are
 *   - values after a name that says secret: 'password': '...', "apiKey": "...", token=..., Authorization: ...
 *     (quoted or not, whole brackets too; None, True, False and empty strings stay)
 *   - what follows Bearer, and Basic when it looks like Base64
 *   - keys of known shapes: sk-..., ghp_..., github_pat_..., xoxb-..., AKIA..., AIza..., JSON web tokens, PEM private
 * keys
 *   - the password in scheme://user:password@host
 * One pass, linear in the text, no allocation. Knows nothing of traces. */
#ifndef INF_MODEL_MASK_H
#define INF_MODEL_MASK_H

#include <stdbool.h>
#include <stddef.h>

#define INF_MASKED "[masked]"

/* Masks `text` (UTF-8, `length` bytes in a buffer of `room` bytes) in place; returns its new length, at most `room`.
 * `cut` says that the text goes on where it ends: a secret that has only begun is masked as well. */
size_t inf_mask(char *text, size_t length, size_t room, bool cut);

/* The same, but for what begins at `harmless`: the separator behind a name that the caller knows to be none of a
 * secret.
 */
size_t inf_mask_but(char *text, size_t length, size_t room, bool cut, size_t harmless);

/* Whether a value of this name is a secret: case and the separators _ and - do not matter. */
bool inf_mask_name(const char *name, size_t length);

#endif

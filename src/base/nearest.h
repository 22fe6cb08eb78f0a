/* What a misspelt word was likely meant to be. */
#ifndef INF_BASE_NEAREST_H
#define INF_BASE_NEAREST_H

#include <stddef.h>

/* The one of `count` words that is at most two edits (insert, delete, replace) from `word`, the nearest and first of
 * them, or NULL. Words longer than 24 bytes are not compared. */
const char *inf_nearest(const char *word, const char *const *words, size_t count);

#endif

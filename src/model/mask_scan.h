/* The search of mask.c: where in a text a secret may have its mark. Private to this room. */
#ifndef INF_MODEL_MASK_SCAN_H
#define INF_MODEL_MASK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INF_MASK_BLOCK 64

/* Every secret that is known to mask.c has one of these at or near its beginning. */
static inline bool inf_mask_is_candidate(char c)
{
    return (c | 0x10) == '=' || (c | 0x40) == 'z' || (c | 0x20) == 'b' || (c | 0x01) == 'K' || c == '_';
}

/* For each of `blocks` blocks of 64 bytes a word in `found`: a bit for each byte that is one of them, the first byte's
 * lowest. */
void inf_mask_scan(const char *text, size_t blocks, uint64_t *found);

/* Copies a text; true when nothing in it need be looked at closer: all of it is ASCII and it has no candidate. */
bool inf_mask_copy(char *to, const char *from, size_t length);

/* The ways to do it, for the test that compares them: NULL past the last one that this processor has. */
typedef void (*inf_mask_scanner)(const char *text, size_t blocks, uint64_t *found);
inf_mask_scanner inf_mask_scanner_at(unsigned index);

#endif

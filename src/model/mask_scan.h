/* The search of mask.c: where in a text a secret may have its mark. Private to this room. */
#ifndef INF_MODEL_MASK_SCAN_H
#define INF_MODEL_MASK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INF_MASK_BLOCK 64

/* Every secret that is known to mask.c has one of these at or near its beginning. Of the letters that are common in
 * prose only those that go on as the secret does: b in Bearer and Basic, z in AIza. */
static inline bool inf_mask_is_candidate(char c, char next)
{
    switch (c) {
    case ':':
    case '=':
    case '-':
    case '_':
    case 'J':
    case 'K':
        return true;
    case 'B':
    case 'b':
        return (next | 0x20) == 'e' || (next | 0x20) == 'a';
    case 'z':
        return next == 'a';
    default:
        return false;
    }
}

/* For each of `blocks` blocks of 64 bytes a word in `found`: a bit for each byte that is one of them, the first byte's
 * lowest. One byte behind the last block is read as well. */
void inf_mask_scan(const char *text, size_t blocks, uint64_t *found);

/* Copies a text; true when nothing in it need be looked at closer: all of it is ASCII and it has no candidate. */
bool inf_mask_copy(char *to, const char *from, size_t length);

/* The ways to do it, for the test that compares them: NULL past the last one that this processor has. */
typedef void (*inf_mask_scanner)(const char *text, size_t blocks, uint64_t *found);
inf_mask_scanner inf_mask_scanner_at(unsigned index);

#endif

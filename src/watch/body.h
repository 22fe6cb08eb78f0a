/* The body of an HTTP/1 or HTTP/2 answer as it came over the wire: framing and compression are taken off, within
 * bounds. */
#ifndef INF_WATCH_BODY_H
#define INF_WATCH_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define INF_BODY_MAX (4u << 20)           /* bytes of a body that are kept */
#define INF_BODY_MAX_PACKED (1u << 20)    /* of a compressed one */
#define INF_BODY_MAX_UNPACKED (16u << 20) /* that are made of it */

enum inf_coding { INF_CODING_NONE, INF_CODING_GZIP, INF_CODING_ZSTD, INF_CODING_BROTLI, INF_CODING_OTHER };

/* The value of a Content-Encoding header. */
enum inf_coding inf_coding_of(const char *value, size_t length);

typedef void (*inf_body_sink)(void *context, const void *data, size_t length);

/* Chunked transfer coding, in pieces of any size. Whether a body has it is decided by its first bytes (`possible`: its
 * headers say so), because some versions of libcurl report it with its framing and others without. */
typedef struct inf_chunks {
    uint8_t state;
    bool last; /* the chunk of length 0 has come */
    uint8_t digits;
    uint64_t left;
    char first[20]; /* bytes that have not been decided on */
    uint8_t undecided;
} inf_chunks;

void inf_chunks_init(inf_chunks *c, bool possible);
void inf_chunks_take(inf_chunks *c, const void *data, size_t length, inf_body_sink sink, void *context);

/* Hands what the compressed bytes hold to the sink, in pieces, as far as they go. False when nothing could be unpacked:
 * another coding, damage at the very beginning, or the library for it is not there. */
bool inf_body_unpack(enum inf_coding coding, const void *data, size_t length, inf_body_sink sink, void *context);

#endif

/* A server for tests that stands in for the APIs of model providers: it writes the bytes that a case says, in pieces.
 * In this process, on 127.0.0.1. */
#ifndef MODEL_SERVER_H
#define MODEL_SERVER_H

#include <stddef.h>
#include <stdint.h>

enum model_coding { MODEL_PLAIN, MODEL_GZIP, MODEL_DEFLATE, MODEL_ZSTD, MODEL_BROTLI };

/* What is answered to a request whose path has "?case=<index>" or "&case=<index>". */
typedef struct model_case {
    int status;       /* 0: 200 */
    const char *type; /* NULL: application/json */
    const char *body;
    enum model_coding coding;
    unsigned piece;    /* not 0: Transfer-Encoding: chunked, so many bytes a chunk */
    unsigned break_at; /* not 0: the connection is closed after so many bytes of the body */
    unsigned first_ms; /* wait before the body's second piece */
    int no_length;     /* the end of the connection is the end of the body */
    int hang;          /* never answers */
} model_case;

typedef struct model_server model_server;

model_server *model_server_start(const model_case *cases, size_t count);
void model_server_stop(model_server *s);
uint16_t model_server_port(const model_server *s);

/* 0: this machine has no encoder for it. */
int model_server_has(enum model_coding coding);

#endif

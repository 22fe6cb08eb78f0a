/* An HTTP server for tests: in this process, on 127.0.0.1, answering as it is told. By default it stores what it gets
 * and answers 201 (platform wire) or 200 (batch wire). Every function may be called while it serves. */
#ifndef SCRIPTED_SERVER_H
#define SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct scripted_server scripted_server;

enum scripted_kind {
    SCRIPTED_STORE = 0, /* the default */
    SCRIPTED_STATUS,    /* `status` with `headers` and `body`; nothing is stored */
    SCRIPTED_HANG,      /* reads the request and never answers */
    SCRIPTED_RESET,     /* reads the request and resets the connection */
    SCRIPTED_GARBAGE,   /* answers what is no HTTP */
    SCRIPTED_LOST,      /* stores, then closes without an answer */
};

typedef struct scripted_answer {
    enum scripted_kind kind;
    int status;
    const char *headers; /* whole lines, each ended by \r\n; or NULL */
    const char *body;    /* or NULL */
} scripted_answer;

/* Port 0 picks one. NULL when the port cannot be had. */
scripted_server *scripted_server_start(uint16_t port);
void scripted_server_stop(scripted_server *s);
uint16_t scripted_server_port(const scripted_server *s);
/* The base URL, "http://127.0.0.1:PORT/api/v1". */
const char *scripted_server_url(const scripted_server *s);

/* The next requests get these answers, one each (text is not copied). */
void scripted_server_script(scripted_server *s, const scripted_answer *answers, size_t count);
/* What requests beyond the script get. */
void scripted_server_otherwise(scripted_server *s, scripted_answer answer);
/* Every answer offers batches; 0 stops offering. */
void scripted_server_offer(scripted_server *s, unsigned max_traces, unsigned max_bytes);
/* The offer says `rate`; 0: it does not. */
void scripted_server_rate(scripted_server *s, unsigned rate);
/* A body that contains this text is answered 422, whole; NULL: none. */
void scripted_server_poison(scripted_server *s, const char *text);
/* A line of a batch that contains this text is listed in `rejected`; NULL: none. */
void scripted_server_reject(scripted_server *s, const char *text);

size_t scripted_server_requests(scripted_server *s);
size_t scripted_server_batches(scripted_server *s);
/* Distinct traces stored in a final form, and how many came again after that. */
size_t scripted_server_stored(scripted_server *s);
size_t scripted_server_duplicates(scripted_server *s);
/* Distinct traces that were seen running. */
size_t scripted_server_running(scripted_server *s);
/* How many of the stored traces have this text in their body. */
size_t scripted_server_count(scripted_server *s, const char *text);
/* The body of the trace with this id (32 hex digits) as it is stored, in its final form; or NULL. Valid until the
 * server is stopped. */
const char *scripted_server_body(scripted_server *s, const char *id);
/* A copy (malloc'ed) of the n-th request, headers and body, or NULL. The first 1,000 are kept. */
char *scripted_server_request(scripted_server *s, size_t n);

#endif

/* `infinium serve`: the receiver as a whole. A data directory holds infinium.db (the store), journal/ (what is
 * acknowledged and not yet in the store), read.token, admin.token, receiver.lock and receiver.state; one receiver at a
 * time. */
#ifndef INF_SERVE_H
#define INF_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* Runs a receiver until SIGTERM or SIGINT. Prints, flushed, `listening on http://HOST:PORT`, then `log in: <link>`, to
 * standard output; everything else to standard error. Returns 0 after a clean end, or a negative INF_E... value after
 * saying why. SIGHUP reads `sources` again (NULL: there is nothing to read). Call it from the main thread, with no
 * other threads running. */
int inf_serve(const inf_serve_options *options, const inf_config_sources *sources);

/* Whether a receiver can be asked for like this: an address that is none, that others can reach without TLS, half of a
 * certificate and its key, settings of a judge that do not fit together. Touches no file. 0, or a negative INF_E... and
 * the reason in `message`. */
int inf_serve_check(const inf_serve_options *options, char *message, size_t size);

/* The same inside a running program (tests, the demo): no signals, no output. */
typedef struct inf_receiver inf_receiver;

#define INF_RECEIVER_MESSAGE_SIZE 512
/* 0, or a negative INF_E... value and the reason in `message` (may be NULL). INF_EEXIST: another receiver has the
 * directory. */
int inf_receiver_start(inf_receiver **out, const inf_serve_options *options, char message[INF_RECEIVER_MESSAGE_SIZE]);
/* "http://HOST:PORT" with the real port; lives as long as the receiver. The API is at + "/api/v1". */
const char *inf_receiver_url(const inf_receiver *receiver);
int inf_receiver_port(const inf_receiver *receiver);
/* Does its housekeeping still go round? For the watchdog. */
bool inf_receiver_moves(const inf_receiver *receiver);
/* Traces that a receiver which had ended before had accepted and not stored, and that this one has stored. */
uint64_t inf_receiver_recovered(const inf_receiver *receiver);
/* Takes over what a reload may change (config.h), and says with `say` what else was read again, or could
 * not be. Of the options nothing is kept. One thread at a time. */
void inf_receiver_reload(inf_receiver *receiver, const inf_serve_options *options,
                         void (*say)(void *context, bool wrong, const char *line), void *context);
/* Stops accepting, stores what was accepted (shutdown_s at most; the rest stays in the journal), frees. NULL is
 * allowed. */
void inf_receiver_stop(inf_receiver *receiver);

/* Is a receiver running on `data_dir`? 1 and, when url is not NULL, where it listens; 0 when not; negative on error. */
int inf_receiver_find(const char *data_dir, char *url, size_t url_size);

/* For readers of the directory: returns once everything that was acknowledged before the call is in the store. Asks the
 * running receiver's state; when none runs, drains what an ended one left. INF_ETIMEDOUT. */
int inf_store_catch_up(const char *data_dir, int timeout_ms);

#endif

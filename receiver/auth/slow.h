/* The slow comparison of secrets, on a thread of its own, so that neither reads nor writes wait for it. Whoever guesses
 * waits: after five wrong guesses the same address may try the same agent or key again after a quarter of a second,
 * then twice that, up to 30 s; before that it gets 429 without any hashing. Those who have guessed wrong, or ask for
 * too much at once, come after all others. Secrets that were seen to be right never come here (keys.h). Private to
 * receiver/. */
#ifndef INF_AUTH_SLOW_H
#define INF_AUTH_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/keys.h"

typedef struct inf_slow inf_slow;
struct inf_receiver;
struct inf_request;

int inf_slow_start(inf_slow **out, struct inf_receiver *receiver);
/* Decides what waits, then ends the thread; from then on 503. NULL is allowed. */
void inf_slow_stop(inf_slow *slow);
/* Once the HTTP server has ended. NULL is allowed. */
void inf_slow_close(inf_slow *slow);

/* Suspends the request and has `decide` called on the slow thread: it fills r->access or refuses, and returns what it
 * found. Without `hashed` it must return INF_KEY_UNDECIDED, and refuse nothing, rather than hash; else it says there
 * whether it had to. The request goes on
 * with INF_PHASE_DECIDED. When too much waits, or `id` was guessed wrong from there a moment ago, 429 stands and
 * nothing is suspended. On the connection's thread. */
void inf_slow_decide(inf_slow *slow, struct inf_request *request, const uint8_t id[16],
                     enum inf_key_answer (*decide)(struct inf_request *request, bool *hashed));

#endif

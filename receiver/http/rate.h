/* How often, and how much: a bucket of requests and one of bytes for each address and each agent, filled at an even
 * rate up to five seconds' worth. Bytes are paid after the request that brought them, so a bucket may be in debt and
 * what follows waits. Private to receiver/http/. */
#ifndef INF_HTTP_RATE_H
#define INF_HTTP_RATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct inf_rate inf_rate;

/* NULL without memory. */
inf_rate *inf_rate_new(void);
void inf_rate_free(inf_rate *rate);

/* Takes one request out of the bucket of `key`. 0 when it may go on, else after how many seconds it may. A limit of 0
 * is none. Any thread. */
unsigned inf_rate_take(inf_rate *rate, uint64_t key, uint64_t now_ns, uint64_t requests, uint64_t bytes);
/* Pays for bytes. */
void inf_rate_pay(inf_rate *rate, uint64_t key, uint64_t spent);

#endif

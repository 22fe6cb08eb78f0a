/* When to try again: exponential backoff with full jitter, and what a server says in Retry-After. Pure. */
#ifndef INF_SEND_RETRY_H
#define INF_SEND_RETRY_H

#include <stdint.h>

#define INF_RETRY_FIRST_MS 500u
#define INF_RETRY_MAX_MS 60000u
#define INF_RETRY_AFTER_MAX_MS 3600000 /* a server that asks for more is asked again after an hour */

/* Milliseconds to wait after the `failures`th failure in a row (1, 2, ...): uniform in 1 .. min(500 * 2^(n-1), 60000).
 * `random` is any 64 random bits. */
uint32_t inf_retry_delay_ms(unsigned failures, uint64_t random);

/* Milliseconds until the moment that the header's value names: whole seconds or an HTTP date (the three forms of RFC
 * 9110). `unix_ns` is now. At most INF_RETRY_AFTER_MAX_MS, 0 for the past, -1 when it is neither. */
int64_t inf_retry_after_ms(const char *value, uint64_t unix_ns);

#endif

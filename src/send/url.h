/* What the sender must know of a base URL: is it one, and is its host this machine. */
#ifndef INF_SEND_URL_H
#define INF_SEND_URL_H

#include <stdbool.h>
#include <stddef.h>

/* http:// or https://, a host, no white space, control characters, user name, query or fragment. `length` bytes. */
bool inf_url_valid(const char *url, size_t length);

bool inf_url_is_https(const char *url);

/* The host is localhost, 127.0.0.0/8 or ::1. For valid URLs. */
bool inf_url_is_loopback(const char *url);

#endif

/* Requests that two programs may take for different ones: a proxy in front of the receiver, which looked at one of two
 * lengths, keys or hosts, and the receiver, which looks at the other. Private to http/. */
#ifndef INF_HTTP_HEADERS_H
#define INF_HTTP_HEADERS_H

#include <stddef.h>

#include <microhttpd.h>

/* Why the headers of this request cannot be trusted to mean one thing, or NULL. */
const char *inf_headers_doubt(struct MHD_Connection *connection);

/* The path of a request's target: proxies may send the whole URL. */
const char *inf_headers_path(const char *target);

/* For MHD_OPTION_UNESCAPE_CALLBACK. The library hands a path over as a string, which a decoded NUL would end: a path
 * with one stays as it was sent, and there is nothing at it. */
size_t inf_headers_unescape(void *context, struct MHD_Connection *connection, char *text);

#endif

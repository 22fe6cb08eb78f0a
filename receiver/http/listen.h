/* Where the receiver listens, and whether it may listen there. Private to receiver/http/. */
#ifndef INF_HTTP_LISTEN_H
#define INF_HTTP_LISTEN_H

#include <stddef.h>

#include "receiver.h"

/* Binds and listens; sets the receiver's host, port and url. An address that others than this machine can reach is
 * refused unless there is TLS or the user says that plain HTTP is meant. The socket, or a negative INF_E... and why in
 * `message`. */
int inf_listen(inf_receiver *receiver, const inf_serve_options *options, char *message, size_t size);

/* What is wrong with the address, as far as can be said without listening. 0, or a negative INF_E...: INF_ENET when a
 * name is not known, which may pass. */
int inf_listen_check(const inf_serve_options *options, char *message, size_t size);

/* inf_listen() for a socket that listens already. 0, or a negative INF_E... */
int inf_listen_adopt(inf_receiver *receiver, const inf_serve_options *options, int fd, char *message, size_t size);

/* Is this name, of a Host header and without its port, ours? Every address is, and localhost, the name that was
 * listened at, and the names of the setting `host`. */
bool inf_listen_is_ours(const inf_receiver *receiver, const char *name, bool bracketed);

#endif

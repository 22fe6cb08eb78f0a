/* What systemd and a service of it say to each other, as sd_listen_fds(3) and sd_notify(3) document it: a passed
 * socket, readiness, reloads, the watchdog. Written here and not taken from libsystemd: it is an environment variable
 * and a datagram each, and the receiver would otherwise not link it. Without systemd every call does nothing. From one
 * thread, but for inf_systemd_notify(). */
#ifndef INF_SYSTEMD_H
#define INF_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the environment and takes systemd's variables out of it, so that no child of ours takes them for its own. A
 * socket that was passed is in *socket afterwards, otherwise 0. 0, or INF_EINVAL and why in `message`: several sockets,
 * or one that does not listen. */
int inf_systemd_begin(int *socket, char *message, size_t size);

/* Are we a service that systemd waits for? */
bool inf_systemd_listens(void);

/* Sends "READY=1", "STOPPING=1", "STATUS=text" and so on, several with line ends between them. Any thread. */
void inf_systemd_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often "WATCHDOG=1" must be sent at least, in nanoseconds; 0: never. */
uint64_t inf_systemd_watchdog_ns(void);

#endif

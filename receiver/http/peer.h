/* Where a request comes from. Private to receiver/. */
#ifndef INF_HTTP_PEER_H
#define INF_HTTP_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define INF_PEER_TEXT 64

typedef struct inf_peer {
    uint8_t address[16]; /* IPv6; an IPv4 address is mapped into it */
    bool loopback;       /* or a socket of this machine */
} inf_peer;

void inf_peer_of(const struct sockaddr *address, inf_peer *out);
/* What counts as one place: an IPv4 address, or the 64 bits of a network that one customer gets with IPv6. */
uint64_t inf_peer_key(const inf_peer *peer, uint64_t seed);
void inf_peer_text(const inf_peer *peer, char out[INF_PEER_TEXT]);

struct inf_request;
void inf_request_peer(const struct inf_request *request, inf_peer *out);

#endif

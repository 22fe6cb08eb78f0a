/* See peer.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "http/peer.h"
#include "http/request.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void inf_peer_of(const struct sockaddr *address, inf_peer *out)
{
    static const uint8_t one[16] = {[15] = 1};
    memset(out, 0, sizeof *out);
    if (address && address->sa_family == AF_INET6) {
        memcpy(out->address, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    } else if (address && address->sa_family == AF_INET) {
        memcpy(out->address, mapped, sizeof mapped);
        memcpy(out->address + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else {
        out->loopback = true;
        return;
    }
    bool v4 = memcmp(out->address, mapped, sizeof mapped) == 0;
    out->loopback = v4 ? out->address[12] == 127 : memcmp(out->address, one, sizeof one) == 0;
}

uint64_t inf_peer_key(const inf_peer *peer, uint64_t seed)
{
    size_t n = memcmp(peer->address, mapped, sizeof mapped) == 0 ? 16 : 8;
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ peer->address[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

void inf_peer_text(const inf_peer *peer, char out[INF_PEER_TEXT])
{
    bool v4 = memcmp(peer->address, mapped, sizeof mapped) == 0;
    const void *from = v4 ? peer->address + 12 : peer->address;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, from, out, INF_PEER_TEXT))
        snprintf(out, INF_PEER_TEXT, "unknown");
}

void inf_request_peer(const inf_request *request, inf_peer *out)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    inf_peer_of(info ? info->client_addr : NULL, out);
}

/* See listen.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/os.h"
#include "http/listen.h"
#include "http/peer.h"
#include "infinium.h"

static int split_listen(inf_receiver *receiver, const char *listen, char port[16])
{
    const char *text = listen ? listen : "127.0.0.1:8321";
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strtoul(colon + 1, NULL, 10) > 65535)
        return INF_EINVAL;
    size_t n = (size_t)(colon - text);
    if (*text == '[') {
        if (colon[-1] != ']' || n < 4)
            return INF_EINVAL;
        text++;
        n -= 2;
    }
    if (n >= sizeof receiver->host)
        return INF_EINVAL;
    memcpy(receiver->host, text, n);
    receiver->host[n] = 0;
    snprintf(port, 16, "%s", colon + 1);
    return 0;
}

static int bind_one(const struct addrinfo *a)
{
    int one = 1;
    int fd = inf_os.socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0)
        return -1;
    inf_os.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (inf_os.bind(fd, a->ai_addr, a->ai_addrlen) == 0 && inf_os.listen(fd, 1024) == 0)
        return fd;
    int error = errno;
    inf_os.close(fd);
    errno = error;
    return -1;
}

/* Whether this address may be listened at; `message` says what to do when not. */
static int check_reach(const inf_receiver *receiver, const inf_serve_options *options, const struct sockaddr *address,
                       char *message, size_t size)
{
    inf_peer self;
    inf_peer_of(address, &self);
    if (self.loopback || receiver->tls || options->plain_http)
        return 0;
    snprintf(message, size,
             "%s can be reached by other machines, and keys and traces would cross the network unencrypted. Give a "
             "certificate and its key with --tls-cert FILE --tls-key FILE, or listen at 127.0.0.1 behind a proxy that "
             "speaks TLS, or say --plain-http if the network is trusted",
             receiver->host);
    return INF_EACCES;
}

int inf_listen_adopt(inf_receiver *receiver, const inf_serve_options *options, int fd, char *message, size_t size)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    if (inf_os.getsockname(fd, (struct sockaddr *)&bound, &length) < 0)
        return inf_os_error(errno);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&bound;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&bound;
    bool is_v6 = bound.ss_family == AF_INET6;
    if (!is_v6 && bound.ss_family != AF_INET) {
        snprintf(message, size, "the socket to listen at is none of IPv4 or IPv6");
        return INF_EINVAL;
    }
    if (!receiver->host[0] && !inet_ntop(bound.ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr,
                                         receiver->host, sizeof receiver->host))
        return inf_os_error(errno);
    int rc = check_reach(receiver, options, (const struct sockaddr *)&bound, message, size);
    if (rc < 0)
        return rc;
    bool brackets = strchr(receiver->host, ':') != NULL;
    receiver->port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
    snprintf(receiver->url, sizeof receiver->url, "http%s://%s%s%s:%d", receiver->tls ? "s" : "", brackets ? "[" : "",
             receiver->host, brackets ? "]" : "", receiver->port);
    return 0;
}

/* The addresses that the options name, and in `port` the port. */
static int look_up(inf_receiver *receiver, const inf_serve_options *options, char port[16], struct addrinfo **found,
                   char *message, size_t size)
{
    *found = NULL;
    if (split_listen(receiver, options->listen, port) < 0) {
        snprintf(message, size, "the address to listen at is not HOST:PORT: %s",
                 options->listen ? options->listen : "");
        return INF_EINVAL;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    int code = getaddrinfo(receiver->host, port, &hints, found);
    if (code == 0)
        return 0;
    snprintf(message, size, "cannot listen at %s: %s", receiver->host, gai_strerror(code));
    return INF_ENET;
}

int inf_listen_check(const inf_serve_options *options, char *message, size_t size)
{
    inf_receiver probe = {.tls = options->tls_cert != NULL};
    char port[16];
    struct addrinfo *found;
    int rc = look_up(&probe, options, port, &found, message, size);
    if (rc < 0)
        return rc;
    rc = check_reach(&probe, options, found->ai_addr, message, size);
    freeaddrinfo(found);
    return rc;
}

int inf_listen(inf_receiver *receiver, const inf_serve_options *options, char *message, size_t size)
{
    char port[16];
    int fd = -1;
    if (options->passed_socket > 0) {
        int adopted = inf_listen_adopt(receiver, options, options->passed_socket, message, size);
        return adopted < 0 ? adopted : options->passed_socket;
    }
    struct addrinfo *found;
    int rc = look_up(receiver, options, port, &found, message, size);
    if (rc < 0)
        return rc;
    int error = 0;
    for (struct addrinfo *a = found; a && fd < 0 && rc == 0; a = a->ai_next) {
        rc = check_reach(receiver, options, a->ai_addr, message, size);
        fd = rc == 0 ? bind_one(a) : -1;
        error = errno;
    }
    freeaddrinfo(found);
    if (rc == 0 && fd < 0) {
        snprintf(message, size, "cannot listen at %s:%s: %s%s", receiver->host, port, strerror(error),
                 error == EADDRINUSE ? "; choose another with --listen HOST:PORT (port 0: any that is free)"
                 : error == EACCES   ? "; ports below 1024 need a privilege: choose another with --listen HOST:PORT"
                                     : "");
        return INF_ENET;
    }
    if (rc == 0)
        rc = inf_listen_adopt(receiver, options, fd, message, size);
    if (rc < 0 && fd >= 0)
        inf_os.close(fd);
    return rc < 0 ? rc : fd;
}

/* Is the name among others, which commas separate? */
static bool among(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = names; *at; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ", ");
        if (n == length && n > 0 && strncasecmp(at, name, n) == 0)
            return true;
        at += n;
    }
    return false;
}

bool inf_listen_is_ours(const inf_receiver *receiver, const char *name, bool bracketed)
{
    struct in6_addr address;
    return strcasecmp(name, "localhost") == 0 || strcasecmp(name, receiver->host) == 0 ||
           inet_pton(AF_INET, name, &address) == 1 || (bracketed && inet_pton(AF_INET6, name, &address) == 1) ||
           among(receiver->names, name);
}

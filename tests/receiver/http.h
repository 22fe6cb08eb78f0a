/* A small HTTP/1.1 client for tests: one connection, requests as written, answers taken apart. Waits at most 10 s. */
#ifndef INF_TESTS_RECEIVER_HTTP_H
#define INF_TESTS_RECEIVER_HTTP_H

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef struct answer {
    int status; /* 0: the connection was closed without one */
    char head[8192];
    char *body; /* NUL-terminated; static memory of the connection, until its next answer */
    size_t length;
} answer;

typedef struct connection {
    int fd;
    char *data; /* received and not used */
    size_t length;
    size_t capacity;
    char *body;
} connection;

static inline connection http_open(int port)
{
    connection c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = 10};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(c.fd, (struct sockaddr *)&a, sizeof a) < 0) {
        close(c.fd);
        c.fd = -1;
    }
    return c;
}

static inline void http_close(connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->data);
    free(c->body);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

static inline int http_send(connection *c, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t n = send(c->fd, at, length, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

/* More bytes into data; 0 at the end of the connection or after 10 s. */
static inline int http_more(connection *c)
{
    if (c->capacity - c->length < 65536) {
        c->capacity = c->capacity * 2 + 131072;
        c->data = realloc(c->data, c->capacity);
        if (!c->data)
            abort();
    }
    ssize_t n = recv(c->fd, c->data + c->length, c->capacity - c->length - 1, 0);
    if (n <= 0)
        return 0;
    c->length += (size_t)n;
    c->data[c->length] = 0;
    return 1;
}

static inline const char *http_header(const answer *a, const char *name)
{
    static _Thread_local char value[4096]; /* a test may ask on several threads */
    size_t n = strlen(name);
    for (const char *line = strchr(a->head, '\n'); line; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, n) == 0 && line[1 + n] == ':') {
            const char *start = line + 2 + n + strspn(line + 2 + n, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(start, "\r\n"), start);
            return value;
        }
    }
    return NULL;
}

static inline void http_use(connection *c, size_t n)
{
    memmove(c->data, c->data + n, c->length - n);
    c->length -= n;
    c->data[c->length] = 0;
}

/* The next answer with a Content-Length (or none: then only its head is taken). */
static inline answer http_answer(connection *c)
{
    answer a = {0};
    char *end = NULL;
    while (!(c->length && (end = strstr(c->data, "\r\n\r\n"))))
        if (!http_more(c))
            return a;
    size_t head = (size_t)(end - c->data) + 4;
    snprintf(a.head, sizeof a.head, "%.*s", (int)head, c->data);
    a.status = strlen(a.head) > 12 ? (int)strtol(a.head + 9, NULL, 10) : 0;
    http_use(c, head);
    const char *length = http_header(&a, "Content-Length");
    a.length = length && a.status != 304 ? strtoul(length, NULL, 10) : 0;
    while (c->length < a.length)
        if (!http_more(c))
            break;
    if (a.length > c->length)
        a.length = c->length;
    free(c->body);
    c->body = malloc(a.length + 1);
    if (!c->body)
        abort();
    memcpy(c->body, c->data ? c->data : "", a.length);
    c->body[a.length] = 0;
    a.body = c->body;
    http_use(c, a.length);
    return a;
}

/* One request. `headers`: whole lines, each with its \r\n. A Content-Length is added when body is not NULL. */
static inline answer http_ask(connection *c, const char *method, const char *path, const char *headers,
                              const void *body, size_t length)
{
    char head[16384];
    char size[64] = "";
    if (body)
        snprintf(size, sizeof size, "Content-Length: %zu\r\n", length);
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s\r\n", method, path,
                     headers ? headers : "", size);
    answer none = {0};
    if (http_send(c, head, (size_t)n) < 0 || (body && http_send(c, body, length) < 0))
        return none;
    return http_answer(c);
}

#endif

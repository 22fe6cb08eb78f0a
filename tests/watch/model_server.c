/* See model_server.h. One thread accepts, one thread a connection. */
#include "watch/model_server.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#define MAX_REQUEST (1 << 20)

struct model_server {
    const model_case *cases;
    size_t count;
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_int open, stopping;
    atomic_int fds[64];
};

struct connection {
    model_server *server;
    int fd;
    int slot;
};

/* int BrotliEncoderCompress(int quality, int window, int mode, size_t, const uint8_t *, size_t *, uint8_t *) */
typedef int brotli_function(int, int, int, size_t, const uint8_t *, size_t *, uint8_t *);

static brotli_function *brotli(void)
{
    void *library = dlopen("libbrotlienc.so.1", RTLD_NOW);
    void *symbol = library ? dlsym(library, "BrotliEncoderCompress") : NULL;
    brotli_function *f;
    memcpy(&f, &symbol, sizeof(f));
    return f;
}

int model_server_has(enum model_coding coding)
{
    return coding != MODEL_BROTLI || brotli() != NULL;
}

/* malloc'ed. */
static unsigned char *encode(const model_case *c, size_t *length)
{
    size_t plain = strlen(c->body), room = plain + plain / 2 + 1024;
    unsigned char *out = malloc(room);
    z_stream z = {0};
    *length = room;
    switch (c->coding) {
    case MODEL_GZIP:
    case MODEL_DEFLATE:
        deflateInit2(&z, 6, Z_DEFLATED, c->coding == MODEL_GZIP ? 31 : 15, 8, Z_DEFAULT_STRATEGY);
        z.next_in = (Bytef *)(uintptr_t)c->body;
        z.avail_in = (uInt)plain;
        z.next_out = out;
        z.avail_out = (uInt)room;
        deflate(&z, Z_FINISH);
        *length = room - z.avail_out;
        deflateEnd(&z);
        break;
    case MODEL_ZSTD:
        *length = ZSTD_compress(out, room, c->body, plain, 3);
        break;
    case MODEL_BROTLI:
        brotli()(5, 22, 0, plain, (const uint8_t *)c->body, length, out);
        break;
    default:
        memcpy(out, c->body, plain);
        *length = plain;
    }
    return out;
}

static int put(int fd, const void *data, size_t length)
{
    const char *p = data;
    while (length > 0) {
        ssize_t n = send(fd, p, length, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        p += n;
        length -= (size_t)n;
    }
    return 1;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* 0: close the connection. */
static int answer(int fd, const model_case *c)
{
    static const char *const names[] = {"", "gzip", "deflate", "zstd", "br"};
    char head[1024], chunk[32];
    size_t length, n;
    unsigned char *body = encode(c, &length);
    n = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\nContent-Type: %s\r\n",
                         c->status ? c->status : 200, c->type ? c->type : "application/json");
    if (c->coding)
        n += (size_t)snprintf(head + n, sizeof(head) - n, "Content-Encoding: %s\r\n", names[c->coding]);
    if (c->piece)
        n += (size_t)snprintf(head + n, sizeof(head) - n, "Transfer-Encoding: chunked\r\n");
    else if (!c->no_length)
        n += (size_t)snprintf(head + n, sizeof(head) - n, "Content-Length: %zu\r\n", length);
    n += (size_t)snprintf(head + n, sizeof(head) - n, "\r\n");
    int good = put(fd, head, n);
    size_t stop = c->break_at && c->break_at < length ? c->break_at : length;
    for (size_t at = 0; good && at < stop;) {
        size_t piece = c->piece ? c->piece : stop;
        if (piece > stop - at)
            piece = stop - at;
        if (c->piece) {
            n = (size_t)snprintf(chunk, sizeof(chunk), "%zx\r\n", piece);
            good = put(fd, chunk, n);
        }
        good = good && put(fd, body + at, piece) && (!c->piece || put(fd, "\r\n", 2));
        at += piece;
        pause_ms(at == piece ? c->first_ms : 0);
    }
    if (good && c->piece && stop == length)
        good = put(fd, "0\r\n\r\n", 5);
    free(body);
    return good && stop == length && !c->no_length;
}

static void *serve(void *of)
{
    struct connection *k = of;
    model_server *s = k->server;
    char *text = malloc(MAX_REQUEST + 1);
    size_t length = 0;
    for (;;) {
        char *end = NULL;
        text[length] = '\0';
        while (!(end = strstr(text, "\r\n\r\n")) && length < MAX_REQUEST) {
            ssize_t n = recv(k->fd, text + length, MAX_REQUEST - length, 0);
            if (n <= 0)
                goto out;
            length += (size_t)n;
            text[length] = '\0';
        }
        if (!end)
            goto out;
        const char *announced = strcasestr(text, "\r\nContent-Length:");
        size_t whole =
            (size_t)(end + 4 - text) + (announced && announced < end ? strtoul(announced + 17, NULL, 10) : 0);
        int chunked = strcasestr(text, "\r\nTransfer-Encoding: chunked") != NULL;
        if (strcasestr(text, "\r\nExpect: 100-continue"))
            put(k->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        while (length < whole || (chunked && !strstr(end + 4, "\r\n0\r\n\r\n") && strncmp(end + 4, "0\r\n", 3) != 0)) {
            ssize_t n = recv(k->fd, text + length, MAX_REQUEST - length, 0);
            if (n <= 0)
                goto out;
            length += (size_t)n;
            text[length] = '\0';
        }
        const char *which = strstr(text, "case=");
        size_t index = which ? strtoul(which + 5, NULL, 10) : 0;
        if (index >= s->count)
            goto out;
        if (s->cases[index].hang) {
            (void)recv(k->fd, text, 1, 0); /* until the client gives up */
            goto out;
        }
        if (!answer(k->fd, &s->cases[index]))
            goto out;
        length = 0;
    }
out:
    atomic_store(&s->fds[k->slot], -1);
    close(k->fd);
    free(text);
    free(k);
    atomic_fetch_sub(&s->open, 1);
    return NULL;
}

static void *accept_all(void *of)
{
    model_server *s = of;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (atomic_load(&s->stopping)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        struct connection *k = fd >= 0 ? malloc(sizeof(*k)) : NULL;
        pthread_t thread;
        if (!k)
            continue;
        *k = (struct connection){s, fd, 0};
        while (k->slot < 63 && atomic_load(&s->fds[k->slot]) >= 0)
            k->slot++;
        atomic_store(&s->fds[k->slot], fd);
        atomic_fetch_add(&s->open, 1);
        if (pthread_create(&thread, NULL, serve, k) == 0)
            pthread_detach(thread);
    }
}

model_server *model_server_start(const model_case *cases, size_t count)
{
    model_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    s->cases = cases;
    s->count = count;
    for (int i = 0; i < 64; i++)
        atomic_store(&s->fds[i], -1);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(s->listener, 64) != 0 || getsockname(s->listener, (struct sockaddr *)&address, &length) != 0 ||
        pthread_create(&s->thread, NULL, accept_all, s) != 0) {
        free(s);
        return NULL;
    }
    s->port = ntohs(address.sin_port);
    return s;
}

void model_server_stop(model_server *s)
{
    atomic_store(&s->stopping, 1);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    for (int i = 0; i < 64; i++) {
        int fd = atomic_load(&s->fds[i]);
        if (fd >= 0)
            shutdown(fd, SHUT_RDWR);
    }
    for (int i = 0; i < 500 && atomic_load(&s->open) > 0; i++)
        pause_ms(10);
    free(s);
}

uint16_t model_server_port(const model_server *s)
{
    return s->port;
}

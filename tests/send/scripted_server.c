/* See scripted_server.h. One thread accepts, one thread a connection; a lock around everything that is remembered. */
#include "send/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#define MAX_REQUEST (32u << 20)
#define KEEP_REQUESTS 1000
#define BUCKETS 65536
#define MAX_CONNECTIONS 64

struct stored {
    char id[33];
    bool final;
    bool ran;
    char *body;
    struct stored *next;
};

struct scripted_server {
    pthread_mutex_t lock;
    pthread_t acceptor;
    int listener;
    uint16_t port;
    char url[64];
    bool stopping;
    int connections[MAX_CONNECTIONS];
    unsigned open_connections;
    pthread_cond_t closed;

    const scripted_answer *script;
    size_t script_length, script_next;
    scripted_answer otherwise;
    unsigned max_traces, max_bytes;
    unsigned rate;
    const char *poison, *reject;

    size_t requests, batches, stored, duplicates, running;
    char *kept[KEEP_REQUESTS];
    struct stored *buckets[BUCKETS];
};

struct request {
    char *data; /* headers and, after header_length, the body; NUL-terminated */
    size_t length, header_length;
};

static const char *header(const struct request *r, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);
    out[0] = '\0';
    for (const char *line = strstr(r->data, "\r\n"); line && line + 2 < r->data + r->header_length;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            line += strspn(line, " ");
            snprintf(out, size, "%.*s", (int)strcspn(line, "\r\n"), line);
            return out;
        }
    }
    return NULL;
}

static bool read_request(int fd, struct request *r)
{
    size_t capacity = 8192;
    size_t need = 0;
    *r = (struct request){.data = malloc(capacity + 1)};
    while (r->data) {
        if (r->length == capacity) {
            capacity *= 2;
            char *bigger = capacity > MAX_REQUEST ? NULL : realloc(r->data, capacity + 1);
            if (!bigger)
                break;
            r->data = bigger;
        }
        ssize_t n = recv(fd, r->data + r->length, capacity - r->length, 0);
        if (n <= 0)
            break;
        r->length += (size_t)n;
        r->data[r->length] = '\0';
        if (!r->header_length) {
            char *end = strstr(r->data, "\r\n\r\n");
            if (!end)
                continue;
            char value[32];
            r->header_length = (size_t)(end + 4 - r->data);
            need =
                r->header_length + (header(r, "content-length", value, sizeof(value)) ? strtoul(value, NULL, 10) : 0);
        }
        if (r->length >= need)
            return true;
    }
    free(r->data);
    r->data = NULL;
    return false;
}

static bool unpack(struct request *r)
{
    char value[32];
    if (!header(r, "content-encoding", value, sizeof(value)) || strcmp(value, "zstd") != 0)
        return true;
    const char *body = r->data + r->header_length;
    unsigned long long size = ZSTD_getFrameContentSize(body, r->length - r->header_length);
    if (size > MAX_REQUEST)
        return false;
    char *data = malloc(r->header_length + size + 1);
    if (!data)
        return false;
    memcpy(data, r->data, r->header_length);
    size_t n = ZSTD_decompress(data + r->header_length, size, body, r->length - r->header_length);
    if (ZSTD_isError(n)) {
        free(data);
        return false;
    }
    data[r->header_length + n] = '\0';
    free(r->data);
    r->data = data;
    r->length = r->header_length + n;
    return true;
}

static unsigned bucket_of(const char *id)
{
    return (unsigned)strtoul((char[]){id[0], id[1], id[2], id[3], 0}, NULL, 16);
}

static void store(scripted_server *s, const char *id, const char *body, size_t length, bool running)
{
    unsigned bucket = bucket_of(id);
    struct stored *t = s->buckets[bucket];
    while (t && strncmp(t->id, id, 32) != 0)
        t = t->next;
    if (!t) {
        t = calloc(1, sizeof(*t));
        if (!t)
            abort();
        snprintf(t->id, sizeof(t->id), "%.32s", id);
        t->next = s->buckets[bucket];
        s->buckets[bucket] = t;
    }
    if (running) {
        s->running += !t->ran;
        t->ran = true;
        if (t->final)
            return;
    } else if (t->final) {
        s->duplicates++;
        return;
    } else {
        t->final = true;
        s->stored++;
    }
    free(t->body);
    t->body = strndup(body, length);
}

/* Stores the lines; writes the answer's `rejected`. */
static void store_batch(scripted_server *s, const struct request *r, char *rejected, size_t size)
{
    size_t index = 0;
    rejected[0] = '\0';
    for (const char *line = r->data + r->header_length; *line; index++) {
        size_t length = strcspn(line, "\n");
        char *copy = strndup(line, length);
        const char *id = copy ? strstr(copy, "\"trace_id\":\"") : NULL;
        if (!copy || !id)
            abort();
        if (s->reject && strstr(copy, s->reject)) {
            size_t used = strlen(rejected);
            snprintf(rejected + used, size - used, "%s{\"index\":%zu,\"error\":\"not wanted\"}", used ? "," : "",
                     index);
        } else {
            store(s, id + 12, copy, length, strstr(copy, "\"status\":\"running\"") != NULL);
        }
        free(copy);
        line += length + (line[length] == '\n');
    }
}

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static bool answer(scripted_server *s, int fd, int status, const char *headers, const char *body)
{
    char offer[128] = "";
    char text[16384];
    pthread_mutex_lock(&s->lock);
    if (s->max_traces)
        snprintf(offer, sizeof(offer),
                 "Infinium-Batch: max_traces=%u; max_bytes=%u; encodings=zstd; extra=1; rate=%u\r\n", s->max_traces,
                 s->max_bytes, s->rate);
    pthread_mutex_unlock(&s->lock);
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s%s\r\n%s",
                     status, strlen(body), offer, headers ? headers : "", body);
    return n > 0 && (size_t)n < sizeof(text) && send_all(fd, text, (size_t)n);
}

/* False: the connection is to be closed. */
static bool serve_one(scripted_server *s, int fd, struct request *r)
{
    char rejected[8192] = "";
    char id[64];
    char body[9000];
    bool batch = strstr(r->data, "/traces HTTP/") != NULL;
    pthread_mutex_lock(&s->lock);
    if (s->requests < KEEP_REQUESTS)
        s->kept[s->requests] = strndup(r->data, r->length);
    s->requests++;
    s->batches += batch;
    scripted_answer a = s->script_next < s->script_length ? s->script[s->script_next++] : s->otherwise;
    if (a.kind == SCRIPTED_STORE && s->poison && strstr(r->data + r->header_length, s->poison))
        a = (scripted_answer){SCRIPTED_STATUS, 422, NULL, "{\"error\":\"poison\"}"};
    if (a.kind == SCRIPTED_STORE || a.kind == SCRIPTED_LOST) {
        if (batch)
            store_batch(s, r, rejected, sizeof(rejected));
        else if (header(r, "idempotency-key", id, sizeof(id)))
            store(s, id, r->data + r->header_length, r->length - r->header_length, false);
    }
    pthread_mutex_unlock(&s->lock);
    switch (a.kind) {
    case SCRIPTED_STORE:
        snprintf(body, sizeof(body), "{\"success\":true,\"message\":\"ok\",\"rejected\":[%s]}", rejected);
        return answer(s, fd, batch ? 200 : 201, NULL, body);
    case SCRIPTED_STATUS:
        return answer(s, fd, a.status, a.headers, a.body ? a.body : "");
    case SCRIPTED_HANG: {
        char byte;
        (void)!recv(fd, &byte, 1, 0); /* until the client gives up or the server stops */
        return false;
    }
    case SCRIPTED_RESET: {
        struct linger hard = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        return false;
    }
    case SCRIPTED_GARBAGE:
        (void)send_all(fd, "garbage\0\1\2\r\n\r\n", 14);
        return false;
    case SCRIPTED_LOST:
        return false;
    }
    return false;
}

struct connection {
    scripted_server *s;
    int fd;
    int place;
};

static void *serve(void *context)
{
    struct connection c = *(struct connection *)context;
    struct request r;
    free(context);
    bool go_on = true;
    while (go_on && read_request(c.fd, &r)) {
        go_on = unpack(&r) && serve_one(c.s, c.fd, &r);
        free(r.data);
    }
    pthread_mutex_lock(&c.s->lock);
    c.s->connections[c.place] = -1;
    close(c.fd);
    c.s->open_connections--;
    pthread_cond_broadcast(&c.s->closed);
    pthread_mutex_unlock(&c.s->lock);
    return NULL;
}

static void *accept_all(void *context)
{
    scripted_server *s = context;
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_mutex_lock(&s->lock);
        if (s->stopping || fd < 0) {
            pthread_mutex_unlock(&s->lock);
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        int place = 0;
        while (place < MAX_CONNECTIONS && s->connections[place] >= 0)
            place++;
        struct connection *c = place < MAX_CONNECTIONS ? malloc(sizeof(*c)) : NULL;
        pthread_t thread;
        if (c) {
            *c = (struct connection){s, fd, place};
            s->connections[place] = fd;
            s->open_connections++;
        }
        pthread_mutex_unlock(&s->lock);
        if (!c || pthread_create(&thread, NULL, serve, c) != 0)
            abort();
        pthread_detach(thread);
    }
}

scripted_server *scripted_server_start(uint16_t port)
{
    scripted_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof(address);
    int on = 1;
    if (!s)
        return NULL;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        s->connections[i] = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->closed, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(s->listener, (struct sockaddr *)&address, length) != 0 || listen(s->listener, 64) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &length) != 0) {
        if (s->listener >= 0)
            close(s->listener);
        free(s);
        return NULL;
    }
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/api/v1", s->port);
    if (pthread_create(&s->acceptor, NULL, accept_all, s) != 0)
        abort();
    return s;
}

void scripted_server_stop(scripted_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        if (s->connections[i] >= 0)
            shutdown(s->connections[i], SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
    pthread_mutex_lock(&s->lock);
    while (s->open_connections > 0)
        pthread_cond_wait(&s->closed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < KEEP_REQUESTS; i++)
        free(s->kept[i]);
    for (int i = 0; i < BUCKETS; i++) {
        for (struct stored *t = s->buckets[i], *next; t; t = next) {
            next = t->next;
            free(t->body);
            free(t);
        }
    }
    free(s);
}

uint16_t scripted_server_port(const scripted_server *s)
{
    return s->port;
}

const char *scripted_server_url(const scripted_server *s)
{
    return s->url;
}

void scripted_server_script(scripted_server *s, const scripted_answer *answers, size_t count)
{
    pthread_mutex_lock(&s->lock);
    s->script = answers;
    s->script_length = count;
    s->script_next = 0;
    pthread_mutex_unlock(&s->lock);
}

void scripted_server_otherwise(scripted_server *s, scripted_answer a)
{
    pthread_mutex_lock(&s->lock);
    s->otherwise = a;
    pthread_mutex_unlock(&s->lock);
}

void scripted_server_rate(scripted_server *s, unsigned rate)
{
    pthread_mutex_lock(&s->lock);
    s->rate = rate;
    pthread_mutex_unlock(&s->lock);
}

void scripted_server_offer(scripted_server *s, unsigned max_traces, unsigned max_bytes)
{
    pthread_mutex_lock(&s->lock);
    s->max_traces = max_traces;
    s->max_bytes = max_bytes;
    pthread_mutex_unlock(&s->lock);
}

void scripted_server_poison(scripted_server *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    s->poison = text;
    pthread_mutex_unlock(&s->lock);
}

void scripted_server_reject(scripted_server *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    s->reject = text;
    pthread_mutex_unlock(&s->lock);
}

static size_t locked(scripted_server *s, const size_t *value)
{
    pthread_mutex_lock(&s->lock);
    size_t copy = *value;
    pthread_mutex_unlock(&s->lock);
    return copy;
}

size_t scripted_server_requests(scripted_server *s)
{
    return locked(s, &s->requests);
}

size_t scripted_server_batches(scripted_server *s)
{
    return locked(s, &s->batches);
}

size_t scripted_server_stored(scripted_server *s)
{
    return locked(s, &s->stored);
}

size_t scripted_server_duplicates(scripted_server *s)
{
    return locked(s, &s->duplicates);
}

size_t scripted_server_running(scripted_server *s)
{
    return locked(s, &s->running);
}

size_t scripted_server_count(scripted_server *s, const char *text)
{
    size_t count = 0;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < BUCKETS; i++)
        for (struct stored *t = s->buckets[i]; t; t = t->next)
            count += t->final && t->body && strstr(t->body, text);
    pthread_mutex_unlock(&s->lock);
    return count;
}

const char *scripted_server_body(scripted_server *s, const char *id)
{
    pthread_mutex_lock(&s->lock);
    const struct stored *t = s->buckets[bucket_of(id)];
    while (t && strncmp(t->id, id, 32) != 0)
        t = t->next;
    const char *body = t && t->final ? t->body : NULL; /* a final body is never replaced */
    pthread_mutex_unlock(&s->lock);
    return body;
}

char *scripted_server_request(scripted_server *s, size_t n)
{
    char *copy = NULL;
    pthread_mutex_lock(&s->lock);
    if (n < KEEP_REQUESTS && s->kept[n])
        copy = strdup(s->kept[n]);
    pthread_mutex_unlock(&s->lock);
    return copy;
}

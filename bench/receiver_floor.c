/* The floor under the receiver's durable requests: libmicrohttpd on the receiver's own loop, and nothing else of the
 * receiver. A body is copied to the end of a buffer, its connection suspended; one thread writes what has come
 * together, syncs it and lets all of them go with a fixed answer. No look at a header, a key or a body.
 *
 *   receiver_floor FILE
 *
 * FILE is overwritten, 256 MB of it, again and again; prints "listening on http://127.0.0.1:PORT"; ends when its
 * standard input does. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/loop.h"

enum { BODY_MAX = 8192, GROUP_MAX = 16 * 1024 * 1024, FILE_BYTES = 256 * 1024 * 1024, PIECE = 1024 * 1024 };

struct post {
    struct post *next;
    struct MHD_Connection *connection;
    size_t length;
    bool waited;
    char body[BODY_MAX];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct post *first;
    char *bytes; /* what they have brought */
    size_t length;
    bool stopping;
} group = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static inf_http_loop loop;
static struct post *spare; /* the loop's own */
static int file;

static void *commit(void *context)
{
    char *bytes = malloc(GROUP_MAX);
    off_t at = 0;
    (void)context;
    pthread_mutex_lock(&group.lock);
    while (bytes && !group.stopping) {
        if (!group.first) {
            pthread_cond_wait(&group.work, &group.lock);
            continue;
        }
        struct post *first = group.first;
        char *full = group.bytes;
        size_t length = group.length;
        group.first = NULL;
        group.bytes = bytes;
        group.length = 0;
        pthread_mutex_unlock(&group.lock);
        if (at + (off_t)length > FILE_BYTES)
            at = 0;
        if (pwrite(file, full, length, at) != (ssize_t)length || fdatasync(file) != 0) {
            perror("receiver_floor");
            exit(1);
        }
        at += (off_t)length;
        bytes = full;
        while (first) {
            struct post *next = first->next;
            inf_http_loop_resume(&loop, first->connection);
            first = next;
        }
        pthread_mutex_lock(&group.lock);
    }
    pthread_mutex_unlock(&group.lock);
    free(bytes);
    return NULL;
}

static enum MHD_Result answer(struct MHD_Connection *connection)
{
    static char text[] = "{\"success\":true,\"message\":\"Trace accepted\"}";
    struct MHD_Response *response = MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_CREATED, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result take(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *data, size_t *size, void **state)
{
    struct post *p = *state;
    (void)context, (void)url, (void)method, (void)version;
    if (!p) {
        p = spare ? spare : malloc(sizeof *p);
        if (!p)
            return MHD_NO;
        spare = p == spare ? p->next : spare;
        p->connection = connection;
        p->length = 0;
        p->waited = false;
        *state = p;
        return MHD_YES;
    }
    if (*size > 0) {
        if (*size > BODY_MAX - p->length)
            return MHD_NO;
        memcpy(p->body + p->length, data, *size);
        p->length += *size;
        *size = 0;
        return MHD_YES;
    }
    if (p->waited)
        return answer(connection);
    p->waited = true;
    MHD_suspend_connection(connection);
    pthread_mutex_lock(&group.lock);
    memcpy(group.bytes + group.length, p->body, p->length); /* more connections than fit are not allowed */
    group.length += p->length;
    p->next = group.first;
    group.first = p;
    pthread_cond_signal(&group.work);
    pthread_mutex_unlock(&group.lock);
    return MHD_YES;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    struct post *p = *state;
    (void)context, (void)connection, (void)code;
    if (p) {
        p->next = spare;
        spare = p;
    }
    *state = NULL;
}

static int open_file(const char *path)
{
    static char piece[PIECE];
    memset(piece, 'x', sizeof piece);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (size_t n = 0; file >= 0 && n < FILE_BYTES; n += PIECE)
        if (write(file, piece, PIECE) != PIECE)
            return -1;
    return file >= 0 ? fsync(file) : -1;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof a;
    if (argc < 2 || open_file(argv[1]) != 0 || !(group.bytes = malloc(GROUP_MAX))) {
        fprintf(stderr, "usage: receiver_floor FILE\n");
        return 2;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&a, length) != 0 || listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&a, &length) != 0)
        return 1;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, take, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32 * 1024,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(GROUP_MAX / BODY_MAX), MHD_OPTION_END);
    if (!daemon || inf_http_loop_start(&loop, daemon) < 0 || pthread_create(&thread, NULL, commit, NULL) != 0)
        return 1;
    printf("listening on http://127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    pthread_mutex_lock(&group.lock);
    group.stopping = true;
    pthread_cond_signal(&group.work);
    pthread_mutex_unlock(&group.lock);
    pthread_join(thread, NULL);
    _exit(0);
}

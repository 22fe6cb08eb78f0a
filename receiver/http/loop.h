/* The threads that run the HTTP library: each has a daemon of the library to itself; all of them accept from one
 * listening socket. Private to receiver/http/. */
#ifndef INF_HTTP_LOOP_H
#define INF_HTTP_LOOP_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct inf_http_loop {
    struct MHD_Daemon
        *daemon; /* owned from a successful start on; with MHD_USE_EPOLL and without a thread of its own */
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    atomic_bool awake; /* wake_fd has been written to and not yet read */
    atomic_bool quiet; /* accept no more */
    bool is_quiet;     /* the thread's own */
    atomic_bool stop;
} inf_http_loop;

/* Starts the thread; `loop` is zeroed, and may be the daemon's context. 0, or a negative INF_E...: then the daemon is
 * still the caller's. */
int inf_http_loop_start(inf_http_loop *loop, struct MHD_Daemon *daemon);

/* Resumes a suspended connection of this loop. The library does not wake its epoll for it, so connections must not be
 * resumed in any other way. Any thread. */
void inf_http_loop_resume(inf_http_loop *loop, struct MHD_Connection *connection);

/* No connection is accepted any more, soon after. Any thread. */
void inf_http_loop_quiesce(inf_http_loop *loop);

/* Ends the thread and closes all connections, of which none may be suspended. The listening socket stays open if the
 * loop was told to be quiet before. */
void inf_http_loop_stop(inf_http_loop *loop);

#endif

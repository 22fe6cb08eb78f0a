/* The threads that run the HTTP library: each has a daemon of the library to itself; all of them accept from one
 * listening socket. Private to receiver/http/.
 *
 * A request can wait in two ways. Suspended: the library forgets the connection until it is resumed; that costs two
 * changes of its epoll set and one fruitless read. Parked: the access handler returns without an answer, and the
 * library calls it again in each run until there is one; for waits of milliseconds that come with every request. The
 * library says to parked requests that it must be run without waiting; the loop knows better. */
#ifndef INF_HTTP_LOOP_H
#define INF_HTTP_LOOP_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct inf_http_loop {
    struct MHD_Daemon
        *daemon; /* owned from a successful start on; with MHD_USE_EPOLL and without a thread of its own */
    void (*round_over)(struct inf_http_loop *loop); /* called on the thread after each run of the library; NULL: not */
    unsigned parked; /* the thread's own: requests that are complete, not suspended, and have no answer yet */
    bool moved;      /* the thread's own: in this run something happened to a request that is not parked */
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    atomic_bool awake; /* wake_fd has been written to and not yet read */
    atomic_bool quiet; /* accept no more */
    bool is_quiet;     /* the thread's own */
    atomic_bool stop;
} inf_http_loop;

/* Starts the thread; `loop` is zeroed but for `round_over`, and may be the daemon's context. 0, or a negative INF_E...:
 * then the daemon is still the caller's. */
int inf_http_loop_start(inf_http_loop *loop, struct MHD_Daemon *daemon);

/* Resumes a suspended connection of this loop. The library does not wake its epoll for it, so connections must not be
 * resumed in any other way. Any thread. */
void inf_http_loop_resume(inf_http_loop *loop, struct MHD_Connection *connection);

/* Has the library run soon, so that parked requests are looked at. Any thread. */
void inf_http_loop_wake(inf_http_loop *loop);

/* No connection is accepted any more, soon after. Any thread. */
void inf_http_loop_quiesce(inf_http_loop *loop);

/* Ends the thread and closes all connections, of which none may be suspended. The listening socket stays open if the
 * loop was told to be quiet before. */
void inf_http_loop_stop(inf_http_loop *loop);

#endif

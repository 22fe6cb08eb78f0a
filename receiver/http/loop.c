/* See loop.h.
 *
 * Why not the library's own threads: when a round of its epoll brings exactly 128 events, libmicrohttpd 0.9.75 waits
 * for more, up to the idle timeout, before it looks at those; with some hundred busy connections that stalls all of
 * them. Here the waiting is ours, on the library's epoll descriptor, and the library is only ever run without waiting.
 */
#include "http/loop.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "base/os.h"
#include "infinium.h"
#include "schedule.h"

enum { LONGEST_WAIT_MS = 10000, PARKED_WAIT_MS = 100 };

/* One system call for all that wake the loop before it has woken. */
static void wake(inf_http_loop *loop)
{
    uint64_t one = 1;
    if (!atomic_exchange(&loop->awake, true))
        (void)!inf_os.write(loop->wake_fd, &one, sizeof one); /* cannot be full */
}

/* While requests are parked the library always wants to be run at once. That is for nothing when the last run moved
 * none of the others: then there is an event to come, or whoever holds the parked ones wakes the loop. (Input of a
 * connection that the library has not read to its end may wait with them, until the next event.) */
static int wait_ms(const inf_http_loop *loop)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(loop->daemon, &ms) != MHD_YES || ms > LONGEST_WAIT_MS)
        return LONGEST_WAIT_MS;
    return ms == 0 && loop->parked > 0 && !loop->moved ? PARKED_WAIT_MS : (int)ms;
}

static void *run(void *context)
{
    inf_http_loop *loop = context;
    struct pollfd fds[2] = {{.fd = loop->epoll_fd, .events = POLLIN}, {.fd = loop->wake_fd, .events = POLLIN}};
    inf_schedule_short_turns();
    while (!atomic_load(&loop->stop)) {
        if (atomic_load(&loop->quiet) && !loop->is_quiet) {
            MHD_quiesce_daemon(loop->daemon);
            loop->is_quiet = true;
        }
        int timeout = wait_ms(loop);
        if (timeout > 0 && inf_os.poll(fds, 2, timeout) > 0 && fds[1].revents) {
            uint64_t value;
            (void)!inf_os.read(loop->wake_fd, &value, sizeof value);
            atomic_store(&loop->awake, false); /* whatever it was for is seen below */
        }
        loop->moved = false;
        MHD_run(loop->daemon);
        if (loop->round_over)
            loop->round_over(loop);
    }
    return NULL;
}

int inf_http_loop_start(inf_http_loop *loop, struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0)
        return INF_ESYS;
    loop->epoll_fd = info->epoll_fd;
    loop->wake_fd = inf_os.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return INF_ESYS;
    loop->daemon = daemon;
    if (pthread_create(&loop->thread, NULL, run, loop) == 0) {
        (void)pthread_setname_np(loop->thread, "http");
        return 0;
    }
    inf_os.close(loop->wake_fd);
    loop->daemon = NULL;
    return INF_ESYS;
}

void inf_http_loop_resume(inf_http_loop *loop, struct MHD_Connection *connection)
{
    MHD_resume_connection(connection);
    wake(loop);
}

void inf_http_loop_wake(inf_http_loop *loop)
{
    wake(loop);
}

void inf_http_loop_quiesce(inf_http_loop *loop)
{
    atomic_store(&loop->quiet, true);
    wake(loop);
}

void inf_http_loop_stop(inf_http_loop *loop)
{
    atomic_store(&loop->stop, true);
    wake(loop);
    pthread_join(loop->thread, NULL);
    if (atomic_load(&loop->quiet) && !loop->is_quiet)
        MHD_quiesce_daemon(loop->daemon);
    MHD_stop_daemon(loop->daemon);
    inf_os.close(loop->wake_fd);
    loop->daemon = NULL;
}

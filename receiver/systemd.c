/* See systemd.h. */
#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"
#include "infinium.h"

enum { FIRST_SOCKET = 3 };

static struct sockaddr_un notify_address;
static socklen_t notify_length; /* 0: nobody listens */
static uint64_t watchdog_ns;

/* The variable's number; 0 when it has none. */
static unsigned long long number_of(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return errno || *end ? 0 : value;
}

/* A variable that names a process is for that one only; an absent one is for everybody when `absent` says so. */
static bool is_for_us(const char *name, bool absent)
{
    return getenv(name) ? number_of(name) == (unsigned long long)getpid() : absent;
}

static void find_notify_socket(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path ? strlen(path) : 0;
    notify_length = 0;
    if (length < 2 || length >= sizeof notify_address.sun_path || (*path != '/' && *path != '@'))
        return;
    memset(&notify_address, 0, sizeof notify_address);
    notify_address.sun_family = AF_UNIX;
    memcpy(notify_address.sun_path, path, length);
    if (*path == '@')
        notify_address.sun_path[0] = 0; /* in the abstract name space */
    notify_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*path == '/'));
}

static int take_socket(int *socket, char *message, size_t size)
{
    unsigned long long count = is_for_us("LISTEN_PID", false) ? number_of("LISTEN_FDS") : 0;
    int listening = 0;
    socklen_t length = sizeof listening;
    if (count == 0)
        return 0;
    if (count > 1) {
        snprintf(message, size,
                 "systemd passed %llu sockets; the receiver takes one (its socket unit has one "
                 "ListenStream= too many)",
                 count);
        return INF_EINVAL;
    }
    if (inf_os.getsockopt(FIRST_SOCKET, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || !listening) {
        snprintf(message, size,
                 "what systemd passed is no socket that listens (its socket unit needs ListenStream= and "
                 "Accept=no)");
        return INF_EINVAL;
    }
    if (inf_os.fcntl(FIRST_SOCKET, F_SETFD, FD_CLOEXEC) < 0 || inf_os.fcntl(FIRST_SOCKET, F_SETFL, O_NONBLOCK) < 0)
        return inf_os_error(errno);
    *socket = FIRST_SOCKET;
    return 0;
}

int inf_systemd_begin(int *socket, char *message, size_t size)
{
    static const char *const names[] = {"LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES",
                                        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    *socket = 0;
    find_notify_socket();
    watchdog_ns = is_for_us("WATCHDOG_PID", true) ? number_of("WATCHDOG_USEC") * 1000u : 0;
    int rc = take_socket(socket, message, size);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    return rc;
}

bool inf_systemd_listens(void)
{
    return notify_length > 0;
}

void inf_systemd_notify(const char *format, ...)
{
    char text[1024];
    va_list args;
    if (notify_length == 0)
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int fd = inf_os.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || n < 0)
        return;
    if (inf_os.connect(fd, (struct sockaddr *)&notify_address, notify_length) == 0)
        (void)!inf_os.send(fd, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, MSG_NOSIGNAL);
    inf_os.close(fd);
}

uint64_t inf_systemd_watchdog_ns(void)
{
    return watchdog_ns;
}

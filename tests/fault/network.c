/* The socket calls of libcurl do not pass through inf_os: it calls the C library. A program's own functions of these
 * names come before the C library's, so these here do, for the sender's thread alone; the server of a test, in the same
 * process, is left in peace. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "fault/faults.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int socket(int domain, int type, int protocol);
EXPORTED int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length);
EXPORTED ssize_t send(int fd, const void *data, size_t length, int flags);
EXPORTED ssize_t recv(int fd, void *data, size_t length, int flags);
EXPORTED int poll(struct pollfd *fds, nfds_t count, int timeout);

static bool hit(bool *shorten)
{
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return strcmp(name, "infinium") == 0 && faults_hit(FAULT_NETWORK, shorten);
}

/* The function that would have been called. */
#define NEXT(name)                                                                                                     \
    static __typeof__(name) *next;                                                                                     \
    if (!next) {                                                                                                       \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                                        \
        memcpy((void *)&next, (void *)&symbol, sizeof(next));                                                          \
    }

int socket(int domain, int type, int protocol)
{
    NEXT(socket)
    return hit(NULL) ? -1 : next(domain, type, protocol);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    NEXT(connect)
    return hit(NULL) ? -1 : next(fd, address, length);
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
    NEXT(send)
    bool shorten = false;
    if (hit(&shorten))
        return -1;
    return next(fd, data, shorten && length > 1 ? length / 2 : length, flags);
}

ssize_t recv(int fd, void *data, size_t length, int flags)
{
    NEXT(recv)
    bool shorten = false;
    if (hit(&shorten))
        return -1;
    return next(fd, data, shorten && length > 1 ? 1 : length, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    NEXT(poll)
    return hit(NULL) ? -1 : next(fds, count, timeout);
}

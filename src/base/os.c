/* The real system behind the table of os.h. Knows nothing of what the calls are for. */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "infinium.h"

/* A program may have been started with its standard input, output or error closed, or close them later. What it still
 * prints must not land in a file or a connection of ours: none of them has a number below three. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int reason = errno;
    close(fd);
    errno = reason;
    return above;
}

unsigned inf_os_hold_standard(void)
{
    unsigned held = 0;
    for (int fd = open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = open("/dev/null", O_RDWR | O_CLOEXEC)) {
        if (fd > STDERR_FILENO) {
            close(fd);
            break;
        }
        held |= 1u << fd;
    }
    return held;
}

void inf_os_free_standard(unsigned held)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (held & 1u << fd)
            close(fd);
}

static int real_open(const char *path, int flags, mode_t mode)
{
    return above_standard(open(path, flags, mode));
}

static int real_socket(int family, int type, int protocol)
{
    return above_standard(socket(family, type, protocol));
}

static int real_eventfd(unsigned initial, int flags)
{
    return above_standard(eventfd(initial, flags));
}

static int real_stat(const char *path, struct stat *out)
{
    return stat(path, out);
}

static int real_lstat(const char *path, struct stat *out)
{
    return lstat(path, out);
}

static int real_fstat(int fd, struct stat *out)
{
    return fstat(fd, out);
}

static int real_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return bind(fd, address, length);
}

static int real_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

static int real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept4(fd, address, length, flags);
}

static int real_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    return getsockname(fd, address, length);
}

struct inf_os inf_os = {
    .open = real_open,
    .close = close,
    .read = read,
    .write = write,
    .pread = pread,
    .pwrite = pwrite,
    .pwritev = pwritev,
    .fsync = fsync,
    .fdatasync = fdatasync,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .flock = flock,
    .fcntl = fcntl,
    .fstat = real_fstat,
    .stat = real_stat,
    .lstat = real_lstat,
    .chmod = chmod,
    .mkdir = mkdir,
    .unlink = unlink,
    .rmdir = rmdir,
    .rename = rename,
    .opendir = opendir,
    .readdir = readdir,
    .closedir = closedir,
    .mmap = mmap,
    .munmap = munmap,
    .msync = msync,
    .madvise = madvise,
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .free = free,
    .getrandom = getrandom,
    .socket = real_socket,
    .setsockopt = setsockopt,
    .getsockopt = getsockopt,
    .bind = real_bind,
    .listen = listen,
    .accept4 = real_accept4,
    .connect = real_connect,
    .getsockname = real_getsockname,
    .send = send,
    .shutdown = shutdown,
    .recv = recv,
    .poll = poll,
    .eventfd = real_eventfd,
    .pipe2 = pipe2,
};

int inf_os_error(int system_errno)
{
    switch (system_errno) {
    case 0:
        return INF_OK;
    case ENOMEM:
        return INF_ENOMEM;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: /* a symbolic link where none may be */
        return INF_EACCES;
    case ENOENT:
    case ENOTDIR:
        return INF_ENOTFOUND;
    case EEXIST:
        return INF_EEXIST;
    case ENOSPC:
    case EDQUOT:
        return INF_ENOSPC;
    case EFBIG:
    case ENAMETOOLONG:
        return INF_E2BIG;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOLCK:
        return INF_ESYS;
    case EINVAL:
        return INF_EINVAL;
    default:
        return INF_EIO;
    }
}

int inf_os_write_all(int fd, const void *data, size_t length)
{
    const char *p = data;
    while (length > 0) {
        ssize_t n = inf_os.write(fd, p, length);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return inf_os_error(errno);
        }
        if (n == 0)
            return INF_EIO;
        p += n;
        length -= (size_t)n;
    }
    return INF_OK;
}

static int make_dir(const char *path)
{
    struct stat st;
    if (inf_os.mkdir(path, 0700) == 0)
        return INF_OK;
    int error = errno;
    /* Another errno than EEXIST may hide an existing directory too (EROFS, EACCES on a parent). */
    if (inf_os.stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? INF_OK : INF_EEXIST;
    return inf_os_error(error);
}

int inf_os_make_dirs(const char *path)
{
    char copy[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0)
        return INF_EINVAL;
    if (length >= sizeof(copy))
        return INF_E2BIG;
    memcpy(copy, path, length + 1);
    for (size_t i = 1; i < length; i++) {
        if (copy[i] != '/' || copy[i - 1] == '/')
            continue;
        copy[i] = '\0';
        int error = make_dir(copy);
        if (error)
            return error;
        copy[i] = '/';
    }
    return make_dir(copy);
}

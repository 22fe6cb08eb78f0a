/* Every file, memory and socket call of this project, behind one table of function pointers, so that a test can make
 * the Nth call fail, lie or lose what was not synced. Code above this room calls `inf_os.read(...)`, never `read(...)`.
 *
 * The functions have the meaning and the error convention of the system calls that they are named after (-1 and errno).
 * A test may replace members before it starts threads; nobody else writes to the table. Not in the table: what cannot
 * fail (clock_gettime) and what belongs to threads (pthread_*). */
#ifndef INF_BASE_OS_H
#define INF_BASE_OS_H

#include <dirent.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct inf_os {
    /* files */
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*read)(int fd, void *data, size_t length);
    ssize_t (*write)(int fd, const void *data, size_t length);
    ssize_t (*pread)(int fd, void *data, size_t length, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t length, off_t offset);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*ftruncate)(int fd, off_t length);
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
    int (*flock)(int fd, int operation);
    int (*fcntl)(int fd, int command, ...);
    int (*fstat)(int fd, struct stat *out);
    int (*stat)(const char *path, struct stat *out);
    int (*lstat)(const char *path, struct stat *out);
    int (*chmod)(const char *path, mode_t mode);
    int (*mkdir)(const char *path, mode_t mode);
    int (*unlink)(const char *path);
    int (*rmdir)(const char *path);
    int (*rename)(const char *from, const char *to);
    DIR *(*opendir)(const char *path);
    struct dirent *(*readdir)(DIR *dir);
    int (*closedir)(DIR *dir);

    /* memory */
    void *(*mmap)(void *address, size_t length, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *address, size_t length);
    int (*msync)(void *address, size_t length, int flags);
    int (*madvise)(void *address, size_t length, int advice);
    void *(*malloc)(size_t length);
    void *(*calloc)(size_t count, size_t length);
    void *(*realloc)(void *data, size_t length);
    void (*free)(void *data);

    /* randomness */
    ssize_t (*getrandom)(void *data, size_t length, unsigned flags);

    /* sockets */
    int (*socket)(int domain, int type, int protocol);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t length);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *length);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(int fd, int backlog);
    int (*accept4)(int fd, struct sockaddr *address, socklen_t *length, int flags);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t length);
    int (*getsockname)(int fd, struct sockaddr *address, socklen_t *length);
    ssize_t (*send)(int fd, const void *data, size_t length, int flags);
    ssize_t (*recv)(int fd, void *data, size_t length, int flags);
    int (*shutdown)(int fd, int how);
    int (*poll)(struct pollfd *fds, nfds_t count, int timeout_ms);
    int (*eventfd)(unsigned initial, int flags);
    int (*pipe2)(int fds[2], int flags);
};

extern struct inf_os inf_os;

/* While a library is called that opens descriptors which nobody can move: none gets the number of a standard stream that
 * the program has closed. Returns what to give to inf_os_free_standard(), soon. */
unsigned inf_os_hold_standard(void);
void inf_os_free_standard(unsigned held);

/* The INF_E... value for an errno. */
int inf_os_error(int system_errno);

/* Writes all of it, over short writes and EINTR. 0, or a negative INF_E... */
int inf_os_write_all(int fd, const void *data, size_t length);

/* Makes `path` and its missing parents, each with mode 0700. 0, or a negative INF_E... An existing directory is left as
 * it is. */
int inf_os_make_dirs(const char *path);

#endif

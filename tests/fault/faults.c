/* See faults.h. */
#include "fault/faults.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"

static struct inf_os real;
static atomic_int armed_group = -1;
static atomic_int armed_kind;
static atomic_bool armed_lasting;
static atomic_bool has_fired;
static atomic_uint_fast64_t armed_nth;
static atomic_uint_fast64_t calls;

static const int errnos[FAULT_KINDS] = {EIO, ENOSPC, EINTR, EMFILE, EIO};

const char *fault_kind_name(enum fault_kind kind)
{
    static const char *const names[FAULT_KINDS] = {"EIO", "ENOSPC", "EINTR", "EMFILE", "short"};
    return names[kind];
}

bool faults_hit(enum fault_group group, bool *shorten)
{
    if (atomic_load(&armed_group) != (int)group)
        return false;
    uint64_t call = atomic_fetch_add(&calls, 1) + 1;
    uint64_t nth = atomic_load(&armed_nth);
    if (call < nth || (call > nth && !atomic_load(&armed_lasting)))
        return false;
    atomic_store(&has_fired, true);
    int kind = atomic_load(&armed_kind);
    if (kind == FAULT_SHORT && shorten) {
        *shorten = true;
        return false;
    }
    errno = group == FAULT_MEMORY ? ENOMEM : errnos[kind];
    return true;
}

void faults_arm(enum fault_group group, enum fault_kind kind, uint64_t nth, bool lasting)
{
    atomic_store(&armed_group, -1);
    atomic_store(&calls, 0);
    atomic_store(&has_fired, false);
    atomic_store(&armed_kind, (int)kind);
    atomic_store(&armed_nth, nth);
    atomic_store(&armed_lasting, lasting);
    atomic_store(&armed_group, (int)group);
}

uint64_t faults_disarm(bool *fired)
{
    atomic_store(&armed_group, -1);
    *fired = atomic_load(&has_fired);
    return atomic_load(&calls);
}

static bool file(void)
{
    return faults_hit(FAULT_FILES, NULL);
}

static size_t shorter(size_t length)
{
    return length > 1 ? length / 2 : length;
}

/* FAILS(type, name, (parameters), (arguments)): a call of the group FAULT_FILES. */
#define FAILS(type, failure, name, parameters, arguments)                                                              \
    static type faulty_##name parameters                                                                               \
    {                                                                                                                  \
        return file() ? failure : real.name arguments;                                                                 \
    }

FAILS(int, -1, open, (const char *path, int flags, mode_t mode), (path, flags, mode))
FAILS(int, -1, fsync, (int fd), (fd))
FAILS(int, -1, fdatasync, (int fd), (fd))
FAILS(int, -1, ftruncate, (int fd, off_t length), (fd, length))
FAILS(int, -1, fallocate, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length))
FAILS(int, -1, flock, (int fd, int operation), (fd, operation))
FAILS(int, -1, fstat, (int fd, struct stat *out), (fd, out))
FAILS(int, -1, stat, (const char *path, struct stat *out), (path, out))
FAILS(int, -1, lstat, (const char *path, struct stat *out), (path, out))
FAILS(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
FAILS(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
FAILS(int, -1, unlink, (const char *path), (path))
FAILS(int, -1, rmdir, (const char *path), (path))
FAILS(int, -1, rename, (const char *from, const char *to), (from, to))
FAILS(DIR *, NULL, opendir, (const char *path), (path))
FAILS(struct dirent *, NULL, readdir, (DIR * dir), (dir))
FAILS(void *, MAP_FAILED, mmap, (void *address, size_t length, int protection, int flags, int fd, off_t offset),
      (address, length, protection, flags, fd, offset))
FAILS(int, -1, msync, (void *address, size_t length, int flags), (address, length, flags))
FAILS(int, -1, madvise, (void *address, size_t length, int advice), (address, length, advice))
FAILS(int, -1, eventfd, (unsigned initial, int flags), (initial, flags))
FAILS(int, -1, pipe2, (int fds[2], int flags), (fds, flags))
FAILS(int, -1, poll, (struct pollfd * fds, nfds_t count, int timeout_ms), (fds, count, timeout_ms))

/* A descriptor is closed whatever close() says. */
static int faulty_close(int fd)
{
    bool fails = file();
    int error = errno;
    int result = real.close(fd);
    errno = fails ? error : errno;
    return fails ? -1 : result;
}

#define MOVES(name, parameters, arguments)                                                                             \
    static ssize_t faulty_##name parameters                                                                            \
    {                                                                                                                  \
        bool shorten = false;                                                                                          \
        if (faults_hit(FAULT_FILES, &shorten))                                                                         \
            return -1;                                                                                                 \
        if (shorten)                                                                                                   \
            length = shorter(length);                                                                                  \
        return real.name arguments;                                                                                    \
    }

MOVES(read, (int fd, void *data, size_t length), (fd, data, length))
MOVES(write, (int fd, const void *data, size_t length), (fd, data, length))
MOVES(pread, (int fd, void *data, size_t length, off_t offset), (fd, data, length, offset))
MOVES(pwrite, (int fd, const void *data, size_t length, off_t offset), (fd, data, length, offset))

static ssize_t faulty_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    bool shorten = false;
    if (faults_hit(FAULT_FILES, &shorten))
        return -1;
    struct iovec first = parts[0];
    first.iov_len = shorter(first.iov_len);
    return shorten ? real.pwritev(fd, &first, 1, offset) : real.pwritev(fd, parts, count, offset);
}

MOVES(getrandom, (void *data, size_t length, unsigned flags), (data, length, flags))

static void *faulty_malloc(size_t length)
{
    return faults_hit(FAULT_MEMORY, NULL) ? NULL : real.malloc(length);
}

static void *faulty_calloc(size_t count, size_t length)
{
    return faults_hit(FAULT_MEMORY, NULL) ? NULL : real.calloc(count, length);
}

static void *faulty_realloc(void *data, size_t length)
{
    return faults_hit(FAULT_MEMORY, NULL) ? NULL : real.realloc(data, length);
}

void faults_install(void)
{
    real = inf_os;
#define PUT(name) inf_os.name = faulty_##name
    PUT(open);
    PUT(close);
    PUT(read);
    PUT(write);
    PUT(pread);
    PUT(pwrite);
    PUT(pwritev);
    PUT(fsync);
    PUT(fdatasync);
    PUT(ftruncate);
    PUT(fallocate);
    PUT(flock);
    PUT(fstat);
    PUT(stat);
    PUT(lstat);
    PUT(chmod);
    PUT(mkdir);
    PUT(unlink);
    PUT(rmdir);
    PUT(rename);
    PUT(opendir);
    PUT(readdir);
    PUT(mmap);
    PUT(msync);
    PUT(madvise);
    PUT(malloc);
    PUT(calloc);
    PUT(realloc);
    PUT(getrandom);
    PUT(eventfd);
    PUT(pipe2);
    PUT(poll);
#undef PUT
}

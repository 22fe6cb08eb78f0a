/* The directory of a writer and its lock: who owns which log.
 *
 * A writer lives as long as its lock file is flock()ed. Making a directory, making the lock file in it and locking that
 * are three steps, and somebody who looks for orphans may come in between. Whoever gets the lock first owns the
 * directory; after locking, each side checks that the locked file still has its name, because the other may have
 * locked, deleted everything and left in the meantime. A creator that lost starts again under another name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/id.h"
#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

#define TRIES 16

static int hex_digits(const char *text, unsigned count, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return INF_EBADMSG;
    }
    *out = value;
    return INF_OK;
}

bool writer_name_parse(const char *name, uint64_t *id)
{
    return strlen(name) == WRITER_NAME && name[0] == 'w' && name[1] == '-' && hex_digits(name + 2, 16, id) == 0;
}

bool segment_name_parse(const char *name, uint32_t *number)
{
    uint64_t value;
    if (strlen(name) != 12 || strcmp(name + 8, ".seg") != 0 || hex_digits(name, 8, &value) != 0 || value == 0)
        return false;
    *number = (uint32_t)value;
    return true;
}

int directory_check(const char *path)
{
    struct stat st;
    if (inf_os.stat(path, &st) != 0)
        return inf_os_error(errno);
    if (!S_ISDIR(st.st_mode))
        return INF_ENOTFOUND;
    return st.st_uid == geteuid() ? INF_OK : INF_EACCES;
}

static int lock_path(const char *writer, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/lock", writer);
    return n < 0 || n >= PATH_MAX ? INF_E2BIG : INF_OK;
}

/* Locks the lock file. 1, 0 when somebody else has it or it has lost its name, or a negative error. */
static int lock_file(const char *path, int flags, int *out)
{
    struct stat ours;
    struct stat named;
    int fd = inf_os.open(path, flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOENT || errno == EEXIST ? 0 : inf_os_error(errno);
    int result = 1;
    if (inf_os.flock(fd, LOCK_EX | LOCK_NB) != 0)
        result = errno == EWOULDBLOCK ? 0 : inf_os_error(errno);
    else if (inf_os.fstat(fd, &ours) != 0 || inf_os.lstat(path, &named) != 0)
        result = errno == ENOENT ? 0 : inf_os_error(errno);
    else if (ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
        result = 0;
    if (result == 1)
        *out = fd;
    else
        inf_os.close(fd);
    return result;
}

int writer_create(inf_journal *j, const char *dir)
{
    for (int i = 0; i < TRIES; i++) {
        char path[PATH_MAX];
        uint64_t id = j->writer_id ? j->writer_id : inf_random_u64();
        int n = snprintf(j->path, sizeof(j->path), "%s/w-%016llx", dir, (unsigned long long)id);
        if (n < 0 || (size_t)n >= sizeof(j->path) || lock_path(j->path, path))
            return INF_E2BIG;
        if (inf_os.mkdir(j->path, 0700) != 0) {
            if (errno == EEXIST)
                continue;
            return inf_os_error(errno);
        }
        int locked = lock_file(path, O_EXCL, &j->lock_fd);
        if (locked == 1) {
            j->writer_id = id;
            return INF_OK;
        }
        if (locked < 0) {
            inf_os.unlink(path);
            inf_os.rmdir(j->path);
            return locked;
        }
    }
    return INF_ESYS;
}

int writer_lock(const char *path, int *fd)
{
    char lock[PATH_MAX];
    struct stat st;
    if (lock_path(path, lock))
        return 0;
    if (inf_os.lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : inf_os_error(errno);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return 0;
    return lock_file(lock, 0, fd);
}

void writer_release(inf_journal *j)
{
    inf_os.flock(j->lock_fd, LOCK_UN);
    inf_os.close(j->lock_fd);
    j->lock_fd = -1;
}

void writer_remove(inf_journal *j)
{
    char path[PATH_MAX];
    if (lock_path(j->path, path) == 0)
        inf_os.unlink(path);
    inf_os.rmdir(j->path);
    writer_release(j);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int writer_list(const char *path, uint32_t **numbers, uint32_t *count)
{
    uint32_t capacity = 0;
    int error = INF_OK;
    *numbers = NULL;
    *count = 0;
    DIR *dir = inf_os.opendir(path);
    if (!dir)
        return inf_os_error(errno);
    for (struct dirent *entry; !error;) {
        uint32_t number;
        errno = 0;
        if (!(entry = inf_os.readdir(dir))) {
            error = inf_os_error(errno); /* part of a log would look like one that ends too early */
            break;
        }
        if (!segment_name_parse(entry->d_name, &number))
            continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            void *grown = capacity > SEGMENTS_MAX ? NULL : inf_os.realloc(*numbers, capacity * sizeof(**numbers));
            if (!grown) {
                error = capacity > SEGMENTS_MAX ? INF_E2BIG : INF_ENOMEM;
                break;
            }
            *numbers = grown;
        }
        (*numbers)[(*count)++] = number;
    }
    inf_os.closedir(dir);
    if (error) {
        inf_os.free(*numbers);
        *numbers = NULL;
        *count = 0;
    } else if (*count > 1) {
        qsort(*numbers, *count, sizeof(**numbers), by_number);
    }
    return error;
}

/* See directory.h. A lock that is only wanted for a moment (is a receiver there? drain what is left) is taken by the
 * command line too, so a start waits a little before it gives up. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "directory.h"
#include "infinium.h"
#include "ingest/drain.h"
#include "serve.h"

#define STATE_MAGIC 0x3173746174666e69ull
enum { STATE_BYTES = 4096, TAKE_TRIES = 100, TAKE_PAUSE_MS = 20 };

static void pause_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
    nanosleep(&t, NULL);
}

int inf_directory_join(char *out, size_t size, const char *dir, const char *name)
{
    int n = snprintf(out, size, "%s/%s", dir, name);
    return n > 0 && (size_t)n < size ? 0 : INF_EINVAL;
}

/* The lock file's text, "PID URL"; empty when there is none yet. */
static void read_holder(int fd, char *out, size_t size)
{
    ssize_t n = inf_os.pread(fd, out, size - 1, 0);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
}

int inf_directory_take(inf_directory *d, const char *path, bool make, char *holder, size_t holder_size)
{
    char file[1100];
    memset(d, 0, sizeof *d);
    d->lock = -1;
    int rc = make ? inf_os_make_dirs(path) : 0;
    if (rc == INF_EEXIST) /* as a file; for our callers this code says that somebody has the lock */
        rc = INF_EINVAL;
    if (rc == 0)
        rc = strlen(path) < sizeof d->path ? 0 : INF_EINVAL;
    if (rc == 0)
        rc = inf_directory_join(file, sizeof file, path, "receiver.lock");
    if (rc == 0)
        rc = inf_directory_join(d->journal, sizeof d->journal, path, "journal");
    if (rc < 0)
        return rc;
    memcpy(d->path, path, strlen(path) + 1);
    int fd = inf_os.open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return inf_os_error(errno);
    for (int i = 0; inf_os.flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            rc = inf_os_error(errno);
            inf_os.close(fd);
            return rc;
        }
        read_holder(fd, holder, holder_size);
        /* A receiver says who it is; a passing visitor does not and is gone at once. */
        if (*holder || i == TAKE_TRIES) {
            inf_os.close(fd);
            return INF_EEXIST;
        }
        pause_ms(TAKE_PAUSE_MS);
    }
    d->lock = fd;
    if (inf_os.ftruncate(fd, 0) < 0) {
        rc = inf_os_error(errno);
        inf_directory_release(d);
    }
    return rc;
}

int inf_directory_share(inf_directory *d)
{
    char file[1100];
    int rc = inf_directory_join(file, sizeof file, d->path, "receiver.state");
    if (rc < 0)
        return rc;
    int fd = inf_os.open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return inf_os_error(errno);
    void *map = MAP_FAILED;
    /* Allocated, not only sized: a full disk must not turn into a SIGBUS. */
    if (inf_os.fallocate(fd, 0, 0, STATE_BYTES) == 0)
        map = inf_os.mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    rc = map == MAP_FAILED ? inf_os_error(errno) : 0;
    inf_os.close(fd);
    if (rc < 0)
        return rc;
    d->state = map;
    atomic_store(&d->state->magic, 0);
    atomic_store(&d->state->accepted, 0);
    atomic_store(&d->state->stored, 0);
    atomic_store(&d->state->reloads_begun, 0);
    atomic_store(&d->state->reloads_done, 0);
    return 0;
}

void inf_directory_ready(inf_directory *d)
{
    atomic_store(&d->state->magic, STATE_MAGIC);
}

int inf_directory_announce(inf_directory *d, const char *url)
{
    char text[600];
    int n = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), url);
    if (n < 0 || (size_t)n >= sizeof text)
        return INF_EINVAL;
    if (inf_os.pwrite(d->lock, text, (size_t)n, 0) != n)
        return INF_EIO;
    return 0;
}

void inf_directory_release(inf_directory *d)
{
    if (d->state)
        inf_os.munmap(d->state, STATE_BYTES);
    if (d->lock >= 0) {
        if (inf_os.ftruncate(d->lock, 0) < 0)
            errno = 0; /* the text is only for people; the lock is what counts */
        inf_os.close(d->lock);
    }
    d->state = NULL;
    d->lock = -1;
}

int inf_directory_holder(const char *data_dir, char *holder, size_t holder_size)
{
    char file[1100];
    int rc = inf_directory_join(file, sizeof file, data_dir, "receiver.lock");
    if (rc < 0)
        return rc;
    int fd = inf_os.open(file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return errno == ENOENT ? 0 : inf_os_error(errno);
    if (inf_os.flock(fd, LOCK_SH | LOCK_NB) == 0) {
        inf_os.close(fd);
        return 0;
    }
    rc = errno == EWOULDBLOCK ? 1 : inf_os_error(errno);
    read_holder(fd, holder, holder_size);
    inf_os.close(fd);
    return rc;
}

int inf_receiver_find(const char *data_dir, char *url, size_t url_size)
{
    char holder[600] = "";
    int rc = inf_directory_holder(data_dir, holder, sizeof holder);
    const char *space = strchr(holder, ' ');
    if (rc == 1 && url && url_size) {
        int n = snprintf(url, url_size, "%s", space ? space + 1 : "");
        if (n < 0 || (size_t)n >= url_size)
            return INF_E2BIG;
    }
    return rc;
}

const inf_directory_state *inf_directory_look(const char *data_dir)
{
    char file[1100];
    if (inf_directory_join(file, sizeof file, data_dir, "receiver.state") < 0)
        return NULL;
    int fd = inf_os.open(file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    struct stat st;
    void *map = MAP_FAILED;
    if (inf_os.fstat(fd, &st) == 0 && st.st_size >= STATE_BYTES)
        map = inf_os.mmap(NULL, STATE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    inf_os.close(fd);
    return map == MAP_FAILED ? NULL : map;
}

void inf_directory_unlook(const inf_directory_state *state)
{
    if (state)
        inf_os.munmap((void *)state, STATE_BYTES);
}

static int drain_leftovers(const char *data_dir)
{
    inf_directory d;
    char holder[600] = "";
    uint64_t stored = 0;
    int rc = inf_directory_take(&d, data_dir, false, holder, sizeof holder);
    if (rc < 0)
        return rc;
    inf_store *store;
    rc = inf_store_open(&store, data_dir, 0);
    if (rc == 0)
        rc = inf_drain_leftovers(store, d.journal, &stored, NULL, NULL, NULL);
    inf_store_close(store);
    inf_directory_release(&d);
    return rc;
}

static bool anything_left(const char *data_dir)
{
    char dir[1100];
    if (inf_directory_join(dir, sizeof dir, data_dir, "journal") < 0)
        return false;
    DIR *d = inf_os.opendir(dir);
    if (!d)
        return false;
    bool found = false;
    for (struct dirent *e; !found && (e = inf_os.readdir(d));)
        found = e->d_name[0] != '.';
    inf_os.closedir(d);
    return found;
}

int inf_store_catch_up(const char *data_dir, int timeout_ms)
{
    uint64_t deadline = inf_mono_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
    uint64_t target = 0;
    bool asked = false;
    for (;;) {
        int running = inf_receiver_find(data_dir, NULL, 0);
        if (running < 0)
            return running;
        if (running == 0) {
            if (!anything_left(data_dir))
                return 0;
            int rc = drain_leftovers(data_dir);
            if (rc != INF_EEXIST)
                return rc;
        } else {
            const inf_directory_state *state = inf_directory_look(data_dir);
            if (state) {
                bool ready = atomic_load(&state->magic) == STATE_MAGIC;
                if (ready && !asked)
                    target = atomic_load(&state->accepted);
                asked = ready; /* a receiver that has begun anew counts from zero again */
                bool done = ready && atomic_load(&state->stored) >= target;
                inf_directory_unlook(state);
                if (done)
                    return 0;
            }
        }
        if (inf_mono_ns() >= deadline)
            return INF_ETIMEDOUT;
        pause_ms(2);
    }
}

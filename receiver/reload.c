/* See reload.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/os.h"
#include "infinium.h"
#include "reload.h"

#define REPORT_MAX (64 * 1024)
#define PAUSE_NS 5000000l

/* ---- the receiver's side ---- */

void inf_reload_offer(inf_directory *d)
{
    atomic_store(&d->state->reloads_done, 1);
    atomic_store(&d->state->reloads_begun, 1);
}

void inf_reload_begin(inf_directory *d, inf_buf *report)
{
    inf_buf_init(report, REPORT_MAX);
    atomic_fetch_add(&d->state->reloads_begun, 1);
}

void inf_reload_say(inf_buf *report, bool wrong, const char *text)
{
    inf_buf_put_text(report, wrong ? "wrong " : "ok ");
    for (; *text; text++)
        inf_buf_put_byte(report, *text == '\n' ? ' ' : *text);
    inf_buf_put_byte(report, '\n');
}

static int write_report(const inf_directory *d, const inf_buf *report)
{
    char file[1100], part[1100];
    if (inf_directory_join(file, sizeof file, d->path, "receiver.reload") < 0 ||
        inf_directory_join(part, sizeof part, d->path, "receiver.reload.part") < 0)
        return INF_EINVAL;
    int fd = inf_os.open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = fd < 0 ? inf_os_error(errno) : report->error;
    if (rc == 0 && report->length > 0)
        rc = inf_os_write_all(fd, report->data, report->length);
    if (fd >= 0)
        inf_os.close(fd);
    if (rc == 0 && inf_os.rename(part, file) < 0)
        rc = inf_os_error(errno);
    if (rc < 0) { /* an earlier one must not be taken for this one */
        inf_os.unlink(part);
        inf_os.unlink(file);
    }
    return rc;
}

void inf_reload_end(inf_directory *d, inf_buf *report)
{
    (void)write_report(d, report);
    inf_buf_free(report);
    atomic_store(&d->state->reloads_done, atomic_load(&d->state->reloads_begun));
}

/* ---- the other side ---- */

/* Has process `pid` the lock file open? Its number alone could be of another, in a container or after a restart of the
 * machine. 0, INF_EACCES, or INF_ESYS when it has not. */
static int is_holder(const char *data_dir, long pid)
{
    char file[1100], fds[64], one[sizeof fds + 300];
    struct stat lock, st;
    if (inf_directory_join(file, sizeof file, data_dir, "receiver.lock") < 0 || inf_os.stat(file, &lock) < 0)
        return INF_ESYS;
    snprintf(fds, sizeof fds, "/proc/%ld/fd", pid);
    DIR *dir = inf_os.opendir(fds);
    if (!dir)
        return errno == EACCES ? INF_EACCES : INF_ESYS;
    bool found = false;
    for (struct dirent *e; !found && (e = inf_os.readdir(dir));) {
        snprintf(one, sizeof one, "%s/%s", fds, e->d_name);
        found = inf_os.stat(one, &st) == 0 && st.st_dev == lock.st_dev && st.st_ino == lock.st_ino;
    }
    inf_os.closedir(dir);
    return found ? 0 : INF_ESYS;
}

/* How many reloads the receiver has begun and done; INF_EINVAL when it takes none. */
static int counts(const char *data_dir, uint64_t *begun, uint64_t *done)
{
    const inf_directory_state *state = inf_directory_look(data_dir);
    if (!state)
        return INF_EINVAL;
    *begun = atomic_load(&state->reloads_begun);
    *done = atomic_load(&state->reloads_done);
    inf_directory_unlook(state);
    return *begun ? 0 : INF_EINVAL;
}

static int read_report(const char *data_dir, inf_buf *report)
{
    char file[1100], text[4096];
    if (inf_directory_join(file, sizeof file, data_dir, "receiver.reload") < 0)
        return INF_EIO;
    int fd = inf_os.open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0)
        return INF_EIO;
    ssize_t n;
    while ((n = inf_os.read(fd, text, sizeof text)) > 0)
        inf_buf_put(report, text, (size_t)n);
    inf_os.close(fd);
    return n < 0 || report->error ? INF_EIO : 0;
}

/* 0 when the receiver is there and was sent the signal. */
static int send_signal(const char *data_dir, uint64_t *wanted)
{
    char holder[600] = "";
    uint64_t done;
    int rc = inf_directory_holder(data_dir, holder, sizeof holder);
    if (rc <= 0)
        return rc < 0 ? rc : INF_ENOTFOUND;
    long pid = strtol(holder, NULL, 10);
    if (pid <= 0)
        return INF_ETIMEDOUT; /* it starts, or a passing visitor has the lock */
    rc = counts(data_dir, wanted, &done);
    if (rc == 0)
        rc = is_holder(data_dir, pid);
    *wanted += 1;
    if (rc == 0 && kill((pid_t)pid, SIGHUP) < 0)
        rc = errno == EPERM ? INF_EACCES : INF_ENOTFOUND;
    return rc;
}

int inf_reload_ask(const char *data_dir, int timeout_ms, inf_buf *report)
{
    uint64_t deadline = inf_mono_ns() + (uint64_t)timeout_ms * 1000000u;
    uint64_t wanted = 0, begun, done = 0;
    int rc;
    inf_buf_init(report, REPORT_MAX);
    while ((rc = send_signal(data_dir, &wanted)) == INF_ETIMEDOUT && inf_mono_ns() < deadline)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    while (rc == 0 && done < wanted) {
        char holder[600];
        if (inf_mono_ns() >= deadline)
            rc = INF_ETIMEDOUT;
        else if (inf_directory_holder(data_dir, holder, sizeof holder) != 1)
            rc = INF_ENOTFOUND;
        else if ((rc = counts(data_dir, &begun, &done)) == 0 && done < wanted)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return rc == 0 ? read_report(data_dir, report) : rc;
}

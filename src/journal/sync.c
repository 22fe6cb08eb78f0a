/* Making the log durable: fdatasync of every segment that was appended to since the last time, fsync of the directory
 * when names in it changed. Syncs are serialised, so those who wait find their work done by the one before them.
 *
 * What is known to be durable ends where publishing had got to without a gap (the walk) BEFORE the fdatasync: a record
 * that was reserved by then but not written is not covered, although the tail was past it.
 *
 * A staged log is in memory until here: what was published since the last sync is written into the file, then synced.
 * When either fails, all of it is written again by the next sync, from that memory, which is kept until then. What is
 * behind a record that a producer has reserved and not published is not written, and whoever appended it may be the one
 * who syncs: so a sync of a staged log first waits until all that was reserved before it is published. That is a matter
 * of microseconds unless the producer has lost its processor. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

#define PAGE 4096u
#define PUBLISH_WAIT_NS 2000000000u /* for a producer that does not go on */
#define PUBLISH_YIELDS 20           /* before a wait sleeps */
#define PUBLISH_NAP_NS 50000

/* After a failed write-back the kernel calls the pages clean though the disk does not have them: a second fdatasync
 * would succeed and mean nothing. Writing to each page makes them dirty again. */
static void make_dirty_again(struct segment *s, uint32_t from, uint32_t upto)
{
    for (uint32_t at = from & ~(PAGE - 1); at < upto; at += PAGE)
        atomic_fetch_or_explicit(word_at(s->base, at), 0, memory_order_relaxed);
}

static int sync_path(const char *path, int flags, bool data_only)
{
    int fd = inf_os.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0)
        return inf_os_error(errno);
    int result = data_only ? inf_os.fdatasync(fd) : inf_os.fsync(fd);
    int error = result ? inf_os_error(errno) : INF_OK;
    inf_os.close(fd);
    return error;
}

/* Where in this segment what is published without a gap ends; *closed: no more can come, or nobody knows. Past damage
 * the walk does not go as long as that segment is there, so it may not have come to this one. With `lock` held. */
static uint32_t published_end(const inf_journal *j, uint32_t index, bool *closed)
{
    struct segment *s = segment_at(j, index);
    uint32_t offset = index == j->walk_index ? j->walk_offset : SEGMENT_HEADER;
    uint64_t count = 0;
    *closed = index < j->walk_index || segment_follow(s, &offset, &count) || s->damaged;
    if (s->damaged)
        return s->limit;
    if (!*closed)
        return offset;
    uint32_t sealed = atomic_load_explicit(&s->sealed, memory_order_acquire);
    return s->limit - sealed < RECORD_HEADER ? sealed : sealed + RECORD_HEADER; /* with the mark */
}

/* Whether all that was reserved before `tail` is published, but for what nobody can tell. */
static bool is_published(inf_journal *j, inf_position tail)
{
    bool published = true;
    pthread_mutex_lock(&j->lock);
    walk_advance(j);
    for (uint32_t index = j->walk_index; published && index <= j->last && index <= position_index(tail); index++) {
        bool closed;
        uint32_t end = published_end(j, index, &closed);
        published = closed || position_of(index, end) >= tail;
    }
    pthread_mutex_unlock(&j->lock);
    return published;
}

static int wait_until_published(inf_journal *j, inf_position tail)
{
    uint64_t until = inf_mono_ns() + PUBLISH_WAIT_NS;
    for (unsigned turn = 0; !is_published(j, tail); turn++) {
        if (inf_mono_ns() >= until)
            return INF_ETIMEDOUT;
        if (turn < PUBLISH_YIELDS)
            sched_yield();
        else
            (void)nanosleep(&(struct timespec){.tv_nsec = PUBLISH_NAP_NS}, NULL);
    }
    return INF_OK;
}

static int sync_segment(inf_journal *j, uint32_t index, uint32_t from)
{
    char path[PATH_MAX];
    int fd = -1;
    int error = INF_OK;
    struct segment *s = segment_at(j, index);
    pthread_mutex_lock(&j->lock);
    if (index < j->first || index > j->last || s->in_memory) { /* acknowledged meanwhile, or without a file */
        pthread_mutex_unlock(&j->lock);
        return INF_OK;
    }
    if (j->sync_failed && !s->base)
        error = segment_map(j, s);
    if (!error && j->sync_failed)
        make_dirty_again(s, s->staged ? 0 : from, s->staged ? SEGMENT_HEADER : s->limit);
    const struct segment staged = {.base = s->staged ? s->base : NULL, .limit = s->limit, .fd = s->fd};
    bool closed;
    uint32_t upto = staged.base ? published_end(j, index, &closed) : 0;
    if (s->fd >= 0) {
        fd = s->fd;
        s->pins++;
    } else if (!error) {
        error = segment_path(j, s->number, path);
    }
    pthread_mutex_unlock(&j->lock);
    if (error == INF_OK && staged.base)
        error = segment_write(&staged, from > SEGMENT_HEADER ? from : SEGMENT_HEADER, upto);
    if (error == INF_OK && fd < 0)
        error = sync_path(path, O_RDWR, true);
    else if (error == INF_OK && inf_os.fdatasync(fd) != 0)
        error = inf_os_error(errno);
    pthread_mutex_lock(&j->lock);
    if (fd >= 0)
        s->pins--;
    uint64_t reserve = atomic_load_explicit(&j->reserve, memory_order_acquire);
    if (!error && index == reserve_index(reserve) && reserve_offset(reserve) < s->limit)
        segment_refresh(s, (uint32_t)reserve_offset(reserve));
    if (error == INF_ENOTFOUND && index < j->first)
        error = INF_OK; /* acknowledged and deleted while we were about to open it */
    pthread_mutex_unlock(&j->lock);
    return error;
}

/* The names of the segments; the first time also those of the writer, of the journal's directory in its parent, and so
 * on: any of them may have been made a moment ago, by this process or by another. */
static int sync_names(inf_journal *j)
{
    int error = sync_path(j->path, O_RDONLY | O_DIRECTORY, false);
    if (error || j->parent_synced)
        return error;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", j->path);
    bool ours = true;
    for (char *slash; !error && (slash = strrchr(path, '/')); ours = false) {
        *slash = '\0';
        error = sync_path(*path ? path : "/", O_RDONLY | O_DIRECTORY, false);
        if (!ours && (error == INF_EACCES || error == INF_EINVAL || error == INF_ENOTFOUND)) {
            error = INF_OK; /* what cannot even be read was not made by this user */
            break;
        }
    }
    j->parent_synced = error == INF_OK;
    return error;
}

int inf_journal_sync(inf_journal *j)
{
    if (!j->in_files || j->adopted)
        return INF_OK;
    inf_position tail = inf_journal_tail(j);
    if (atomic_load_explicit(&j->synced, memory_order_acquire) >= tail)
        return INF_OK;
    int error = INF_OK;
    int late = j->staged ? wait_until_published(j, tail) : INF_OK;
    pthread_mutex_lock(&j->sync_lock);
    inf_position synced = atomic_load_explicit(&j->synced, memory_order_relaxed);
    if (synced < tail) {
        pthread_mutex_lock(&j->lock);
        walk_advance(j);
        inf_position covered = position_of(j->walk_index, j->walk_offset);
        bool names = j->dir_changed;
        j->dir_changed = false;
        uint32_t index = position_index(synced) > j->first ? position_index(synced) : j->first;
        uint32_t last = j->last;
        pthread_mutex_unlock(&j->lock);
        for (; index <= last && !error; index++)
            error = sync_segment(j, index, index == position_index(synced) ? position_offset(synced) : 0);
        int names_error = names ? sync_names(j) : INF_OK;
        if (names_error) {
            pthread_mutex_lock(&j->lock);
            j->dir_changed = true;
            pthread_mutex_unlock(&j->lock);
        }
        j->sync_failed = error != INF_OK;
        error = error ? error : names_error;
        if (!error && covered > synced)
            atomic_store_explicit(&j->synced, covered, memory_order_release);
        if (!error && covered < tail)
            error = late;
    }
    pthread_mutex_unlock(&j->sync_lock);
    return error;
}

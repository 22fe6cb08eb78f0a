/* The journal: a crash-safe log that many threads append to without a lock and one thread reads.
 *
 * PURPOSE. Between a program that must not wait and a network that may be down lies this log. An append is a copy into
 * a shared mapping of a file: when the process is killed, the page cache keeps it; inf_journal_sync() makes it outlive
 * the machine. The same code serves the client (small segments, a reader that sends) and the receiver (large segments,
 * group commit, a reader that stores).
 *
 * FORMAT. A log is a run of numbered segment files of one size: a header page, then records, each at a multiple of 8
 * bytes: 16 bytes of header (magic, type, length, CRC-32C, segment number) and the payload. docs/journal-format.md
 * draws them.
 *
 * WHAT MAKES A RECORD VALID. Its first word has the magic and a length that fits; its segment number is that of the
 * file; its CRC-32C matches. The CRC is taken over the writer's id, the segment number, the offset, the first word and
 * the payload. The place is in the sum, so no bytes are a valid record anywhere but where they were written: not those
 * that a recycled file held in its former life, not a payload in which somebody logged a piece of a journal.
 *
 * APPEND. One 64-bit word, `reserve`, holds the index of the current segment and the next free place in it. A producer
 * adds its size to it (one atomic addition) and owns the bytes from the old value on. It copies and sums in one pass,
 * writes CRC and number, and publishes by one release store of the first word, which was zero until then. It touches
 * nothing after.
 *
 * ROLL. The one producer whose addition crosses the end writes the end mark where its record would have begun (if 16
 * bytes are left) and then sets `sealed` to that place; those that come after it see that the place lies past the end.
 * All of them take the mutex, the first installs the next segment by storing a new `reserve`, and all try again. The
 * next segment has normally been prepared by inf_journal_maintain(): created, allocated, mapped, its pages present. How
 * many are prepared follows the rate: one where little is appended, up to eight where a segment lasts a millisecond.
 * They are made as spares, outside of the mutex, under a name that no segment of the log has, with a magic of zero.
 * While there is none to be had (log full, disk full) `reserve` stays past the end and appends are refused; the attempt
 * is made again by the next append (a failed creation not before 100 ms), so the log accepts records again as soon as
 * there is room.
 *
 * A producer may be stopped between reserving and publishing for as long as the scheduler likes. Its segment must stay
 * mapped, and no counter may be paid for that on the hot path. The records themselves are the counter: the WALK follows
 * them from the first byte of the log, stops at the first word that is zero, and passes a segment only when it has met
 * `sealed`. A segment that the walk has passed has no writer left, and only such a segment is unmapped, recycled or
 * deleted. The walk also tells how much has been appended, and what a sync may claim: everything before the walk's
 * place at the time of the fdatasync, not everything before the tail. A slot of the ring of segments outlives the
 * segment, so a late producer reads a slot that says no, never freed memory.
 *
 * READ. At a word that is zero the reader of a living log waits: the record is on its way. (If damage makes it
 * impossible to find the next record in a living log, the segment is marked: it is read as far as it goes and never
 * unmapped, since who still writes there can no longer be told.) The reader pins the segments from the acknowledged
 * place to its own.
 *
 * ACKNOWLEDGE. The acknowledged offset is stored in the header of its segment: no system call. Segments behind it are
 * deleted in ascending order, or recycled: magic zeroed, body zeroed, name changed, header written, in this order, so
 * that a death anywhere in between leaves a file that is seen to be empty.
 *
 * RECOVERY. A writer is alive while its lock file is locked. Who gets the lock of a dead one adopts its log: segments
 * in the order of their numbers, each from its acknowledged offset. There a zero word is either the end or a hole that
 * a dead thread left: the reader looks, 8 bytes at a time, for the next place where something valid begins, counts what
 * it passed over as one skip, and goes on; when there is nothing more, the segment has ended. A cut file is read as far
 * as it goes. A header that does not check out costs only the acknowledged offset: id and number are in the names, the
 * size is the file's, and the records speak for themselves.
 *
 * STAGED. The receiver syncs all the time, and only what is synced counts for it. There the mapping is memory, but for
 * the header's page, and a sync writes what was published since the last one into the file: whole pages, past the page
 * cache where the file system can. A store into a mapped page of a file would trap after each sync, and writing mapped
 * pages back costs several times as much. So a killed process leaves what it has synced. Only published records are
 * written, so a sync waits for those that are being written in front of others that are whole (two seconds, then it
 * fails). A segment leaves the memory once it is in the file, and is mapped from there when the reader comes to it
 * later.
 *
 * WITHOUT A DIRECTORY everything is the same in anonymous memory. When there is one after all (inf_journal_attach()),
 * the current segment is closed, the next one is a file, and what is in memory is written to files of its own, each
 * mapped in the place of the memory, once its writers are done. The writer's id, which is in every checksum, stays.
 *
 * FORK. A child has copies of the mappings and of the lock's descriptor. inf_journal_after_fork() drops both and never
 * unlocks: the lock belongs to the open file, which the parent shares.
 *
 * This file: open, housekeeping, counts, close, fork. append.c, read.c (reading, walk, retirement), sync.c, segment.c
 * (files and mappings), dir.c (directories and locks), adopt.c (the logs of others). */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

#define DEFAULT_SEGMENT (1u << 20)
#define DEFAULT_MAX (256ull << 20)
#define PAGE 4096u
#define POPULATE_AT_OPEN (64u << 10)
#define CALM_NS 2000000000u

int journal_absolute(const char *dir, char out[PATH_MAX])
{
    if (realpath(dir, out))
        return INF_OK;
    return inf_os_error(errno);
}

inf_journal *journal_new(uint32_t segment_bytes, uint32_t max_segments)
{
    uint32_t slots = 4;
    while (slots < max_segments + 2)
        slots *= 2;
    inf_journal *j = inf_os.calloc(1, sizeof(*j));
    struct segment *ring = inf_os.calloc(slots, sizeof(*ring));
    if (!j || !ring) {
        inf_os.free(j);
        inf_os.free(ring);
        return NULL;
    }
    for (uint32_t i = 0; i < slots; i++)
        ring[i].fd = -1;
    j->ring = ring;
    j->ring_mask = slots - 1;
    j->segment_bytes = segment_bytes;
    j->max_segments = max_segments;
    j->wanted = 1;
    j->stock_number = STOCK;
    j->lock_fd = -1;
    j->walk_index = 1;
    j->walk_offset = SEGMENT_HEADER;
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->sync_lock, NULL);
    /* Closed to producers until a segment is installed. */
    atomic_store(&j->reserve, reserve_of(0, segment_bytes) + 1);
    return j;
}

void journal_free(inf_journal *j)
{
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->sync_lock);
    inf_os.free(j->ring);
    inf_os.free(j);
}

static int open_in_files(inf_journal *j, const char *dir)
{
    char absolute[PATH_MAX];
    int error = inf_os_make_dirs(dir);
    if (!error)
        error = journal_absolute(dir, absolute);
    if (!error)
        error = directory_check(absolute);
    if (!error)
        error = writer_create(j, absolute);
    j->in_files = error == INF_OK;
    return error;
}

int inf_journal_attach(inf_journal *j, const char *dir)
{
    if (j->in_files || j->adopted)
        return INF_EINVAL;
    struct segment dropped[2 * AHEAD_MAX];
    unsigned n = 0;
    char absolute[PATH_MAX];
    int error = inf_os_make_dirs(dir);
    if (!error)
        error = journal_absolute(dir, absolute);
    if (!error)
        error = directory_check(absolute);
    if (!error)
        error = writer_create(j, absolute);
    if (error)
        return error;
    pthread_mutex_lock(&j->lock);
    for (; j->next_count > 0; j->next_count--) {
        struct segment *s = segment_at(j, j->last + j->next_count);
        dropped[n++] = (struct segment){.base = s->base, .limit = s->limit, .fd = -1};
        s->base = NULL;
    }
    while (j->spare_count > 0)
        dropped[n++] = j->spares[--j->spare_count];
    j->in_files = true;
    j->create_error = INF_OK;
    error = segment_prepare_next(j);
    if (error) {
        j->in_files = false;
        writer_remove(j);
    } else {
        /* As if a record that does not fit had been appended. */
        uint64_t reserve = atomic_fetch_add_explicit(&j->reserve, j->segment_bytes / 8, memory_order_acquire);
        if (reserve_offset(reserve) <= j->segment_bytes)
            seal(j, segment_at(j, reserve_index(reserve)), (uint32_t)reserve_offset(reserve));
        j->last++;
        j->next_count--;
        atomic_store_explicit(&j->reserve, reserve_of(j->last, SEGMENT_HEADER), memory_order_release);
        atomic_store_explicit(&j->full, false, memory_order_relaxed);
        j->move = true;
    }
    pthread_mutex_unlock(&j->lock);
    for (unsigned i = 0; i < n; i++)
        segment_drop(&dropped[i]);
    return error;
}

/* One segment that is in memory, though there is a directory, goes there. Returns it, pinned, to be synced: what is
 * behind it may count as durable already. The lock is held. */
static struct segment *move_to_file(inf_journal *j)
{
    walk_advance(j);
    for (uint32_t index = j->first; index < j->last && index < j->walk_index; index++) {
        struct segment *s = segment_at(j, index);
        if (!s->in_memory || !s->base || s->damaged)
            continue;
        if (segment_to_file(j, s) != INF_OK) {
            j->move_at_ns = inf_mono_ns() + CALM_NS;
            return NULL;
        }
        s->pins++;
        return s;
    }
    j->move = false;
    return NULL;
}

int inf_journal_open(inf_journal **out, const inf_journal_options *options)
{
    uint32_t segment_bytes = options->segment_bytes ? options->segment_bytes : DEFAULT_SEGMENT;
    uint64_t max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_MAX;
    if (segment_bytes < SEGMENT_MIN || segment_bytes > SEGMENT_MAX)
        return INF_EINVAL;
    segment_bytes = (segment_bytes + PAGE - 1) & ~(PAGE - 1);
    uint64_t max_segments = max_bytes / segment_bytes;
    if (max_segments < 2)
        max_segments = 2;
    if (max_segments > SEGMENTS_MAX)
        max_segments = SEGMENTS_MAX;
    inf_journal *j = journal_new(segment_bytes, (uint32_t)max_segments);
    if (!j)
        return INF_ENOMEM;
    j->staged = options->dir && options->staged;
    int error = options->dir ? open_in_files(j, options->dir) : INF_OK;
    if (!options->dir)
        j->writer_id = inf_random_u64() | 1; /* it may get a directory later, and is in every checksum until then */
    if (!error) {
        j->first = 1;
        error = segment_prepare_next(j);
        if (error && j->in_files)
            writer_remove(j);
    }
    if (error) {
        journal_free(j);
        return error;
    }
    j->last = 1;
    j->next_count = 0;
    j->seen_last = j->trimmed_last = 1;
    segment_populate(segment_at(j, 1), POPULATE_AT_OPEN);
    j->read_index = 1;
    j->read_offset = SEGMENT_HEADER;
    j->returned = position_of(1, SEGMENT_HEADER);
    atomic_store(&j->acked, j->returned);
    atomic_store(&j->synced, j->returned);
    atomic_store_explicit(&j->reserve, reserve_of(1, SEGMENT_HEADER), memory_order_release);
    *out = j;
    return INF_OK;
}

/* The next segment is made when the current one is a quarter full: a program that traces little never makes a second.
 */
static bool next_is_due(const inf_journal *j, uint64_t offset)
{
    return j->next_count == 0 && offset > j->segment_bytes / 4;
}

/* Clears the spares, outside of the lock: a producer that needs one meanwhile takes another or makes a new one. */
static void clear_spares(inf_journal *j)
{
    for (uint32_t i = 0; i < j->spare_count;) {
        if (atomic_load_explicit(&j->spares[i].sealed, memory_order_relaxed) == 0) {
            i++;
            continue;
        }
        struct segment s = j->spares[i];
        j->spares[i] = j->spares[--j->spare_count];
        j->clearing++;
        pthread_mutex_unlock(&j->lock);
        segment_clear(&s);
        pthread_mutex_lock(&j->lock);
        j->clearing--;
        j->spares[j->spare_count++] = s; /* on top: taken first */
        atomic_store_explicit(&j->full, false, memory_order_relaxed);
    }
}

/* What was kept ready for more than is appended now. The lock is held, and given up in between. */
static void give_back(inf_journal *j)
{
    for (;;) {
        struct segment s;
        bool drop = false;
        if (j->next_count > j->wanted) {
            drop = segment_unprepare(j, &s);
        } else if (j->wanted == 1 && j->spare_count > SPARES_IDLE) {
            s = j->spares[--j->spare_count];
            drop = true;
        } else {
            return;
        }
        if (!drop)
            continue;
        j->dir_changed |= j->in_files;
        pthread_mutex_unlock(&j->lock);
        segment_unlink(j, s.number);
        segment_drop(&s);
        pthread_mutex_lock(&j->lock);
    }
}

static void sync_pinned(inf_journal *j, struct segment *s)
{
    (void)inf_os.fdatasync(s->fd);
    pthread_mutex_lock(&j->lock);
    s->pins--;
    pthread_mutex_unlock(&j->lock);
}

/* Fills the next segment, a step at a time so that producers need not wait, and gets that to the disk, so that the
 * first sync of its records need not. Takes `lock`. */
static void fill_next(inf_journal *j)
{
    struct segment *s = NULL; /* once it is full, pinned */
    pthread_mutex_lock(&j->lock);
    uint32_t number = j->last + 1;
    while (!s && j->next_count && j->last + 1 == number) {
        struct segment *next = segment_at(j, number);
        segment_fill(next, next->filled + FILL_STEP);
        if (next->filled >= next->limit) {
            next->pins++;
            s = next;
        }
        pthread_mutex_unlock(&j->lock);
        sched_yield();
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    if (s)
        sync_pinned(j, s);
}

static bool room_for_spare(const inf_journal *j)
{
    return !j->create_error && j->last - j->first + 1 + j->next_count + j->spare_count + j->clearing < j->max_segments;
}

/* The lock is held, and given up in between. */
static bool add_spare(inf_journal *j)
{
    struct segment s;
    uint32_t number = j->stock_number;
    j->stock_number = number == UINT32_MAX ? STOCK : number + 1;
    j->clearing++;
    pthread_mutex_unlock(&j->lock);
    int error = segment_make_spare(j, number, &s);
    pthread_mutex_lock(&j->lock);
    j->clearing--;
    if (error)
        return false;
    j->spares[j->spare_count++] = s;
    atomic_store_explicit(&j->full, false, memory_order_relaxed);
    return true;
}

/* How many segments were filled since the last time says how many to have ready: making one costs as much as a thousand
 * appends. While nothing is filled for a while, one is enough. The lock is held, and given up in between. */
static void keep_ahead(inf_journal *j)
{
    uint64_t now = inf_mono_ns();
    uint32_t rolled = j->last - j->seen_last;
    j->seen_last = j->last;
    if (rolled > 0)
        j->rolled_at_ns = now;
    if (2 * rolled > j->wanted)
        j->wanted = 2 * rolled < AHEAD_MAX ? 2 * rolled : AHEAD_MAX;
    if (j->segment_bytes > FILL_AT_ONCE || j->segment_bytes < FOLIO)
        j->wanted = 1;
    if (j->wanted > 1 && now - j->rolled_at_ns > CALM_NS)
        j->wanted = 1;
    while (j->in_files && j->wanted > 1 && j->next_count + j->spare_count < j->wanted && room_for_spare(j)) {
        if (!add_spare(j)) {
            j->wanted = 1; /* no room for more than what is needed: whoever needs it tries himself, and says why not */
            break;
        }
    }
    while (j->wanted > 1 && j->next_count < j->wanted && j->spare_count > 0 && segment_prepare_next(j) == INF_OK) {
        pthread_mutex_unlock(&j->lock);
        pthread_mutex_lock(&j->lock);
    }
    give_back(j);
}

int inf_journal_maintain(inf_journal *j)
{
    if (j->adopted)
        return INF_OK;
    int error = INF_OK;
    segments_trim(j);
    pthread_mutex_lock(&j->lock);
    clear_spares(j);
    uint64_t reserve = atomic_load_explicit(&j->reserve, memory_order_acquire);
    uint64_t offset = reserve_offset(reserve);
    if (next_is_due(j, offset) && j->staged && j->spare_count == 0 && room_for_spare(j))
        (void)add_spare(j); /* which takes its time, and not the lock */
    if (next_is_due(j, offset))
        error = segment_prepare_next(j);
    if (!error)
        keep_ahead(j);
    struct segment *moved = j->move && inf_mono_ns() >= j->move_at_ns ? move_to_file(j) : NULL;
    reserve = atomic_load_explicit(&j->reserve, memory_order_acquire);
    offset = reserve_offset(reserve);
    struct segment *current = segment_at(j, j->last);
    uint64_t ahead = offset + POPULATE_AHEAD;
    if (current->base && reserve_index(reserve) == j->last && j->first <= j->last)
        segment_populate(current, ahead < j->segment_bytes ? (uint32_t)ahead : j->segment_bytes);
    if (j->next_count && ahead > j->segment_bytes)
        segment_populate(segment_at(j, j->last + 1), (uint32_t)(ahead - j->segment_bytes));
    bool fill = j->in_files && !j->staged && j->next_count && segment_at(j, j->last + 1)->filled < j->segment_bytes;
    pthread_mutex_unlock(&j->lock);
    if (fill)
        fill_next(j);
    if (moved)
        sync_pinned(j, moved);
    return error == INF_EFULL ? INF_OK : error;
}

bool inf_journal_wants_maintenance(inf_journal *j)
{
    if (j->adopted || pthread_mutex_trylock(&j->lock) != 0)
        return false;
    bool wants = next_is_due(j, reserve_offset(atomic_load_explicit(&j->reserve, memory_order_relaxed)));
    pthread_mutex_unlock(&j->lock);
    return wants;
}

size_t inf_journal_max_record(const inf_journal *j)
{
    return j->segment_bytes - SEGMENT_HEADER - RECORD_HEADER;
}

void inf_journal_get_stats(const inf_journal *journal, inf_journal_stats *out)
{
    inf_journal *j = (inf_journal *)journal; /* the walk and the lock are no part of what the caller sees */
    pthread_mutex_lock(&j->lock);
    if (!j->adopted)
        walk_advance(j);
    out->bytes = (uint64_t)(j->last - j->first + 1 + j->next_count + j->spare_count + j->clearing) * j->segment_bytes;
    out->appended = j->walked;
    out->refused_full = atomic_load_explicit(&j->refused_full, memory_order_relaxed);
    out->refused_error = j->refused;
    out->skipped = atomic_load_explicit(&j->skipped, memory_order_relaxed);
    pthread_mutex_unlock(&j->lock);
}

/* Nothing is left to be read or acknowledged. */
static bool is_finished(const inf_journal *j)
{
    inf_position acked = acked_settled(j);
    return j->adopted ? position_index(acked) > j->last : acked >= inf_journal_tail(j);
}

void inf_journal_close(inf_journal *j)
{
    if (!j)
        return;
    bool finished = is_finished(j);
    if (j->staged && !finished)
        (void)inf_journal_sync(j); /* what fails now was not acknowledged to anybody */
    uint32_t last = j->last;
    for (uint32_t index = j->first; index <= last; index++) {
        struct segment *s = segment_at(j, index);
        if (finished)
            segment_unlink(j, s->number);
        else if (j->in_files && s->in_memory && s->base)
            (void)segment_to_file(j, s);
        segment_drop(s);
    }
    for (uint32_t index = last + 1; index <= last + j->next_count; index++) {
        segment_unlink(j, index);
        segment_drop(segment_at(j, index));
    }
    for (uint32_t i = 0; i < j->spare_count; i++) {
        segment_unlink(j, j->spares[i].number);
        segment_drop(&j->spares[i]);
    }
    if (j->in_files) {
        if (finished)
            writer_remove(j);
        else
            writer_release(j);
    }
    journal_free(j);
}

void inf_journal_after_fork(inf_journal *j)
{
    if (!j)
        return;
    for (uint32_t i = 0; i <= j->ring_mask; i++)
        segment_drop(&j->ring[i]);
    for (uint32_t i = 0; i < j->spare_count; i++)
        segment_drop(&j->spares[i]);
    if (j->lock_fd >= 0)
        inf_os.close(j->lock_fd); /* never LOCK_UN: that would unlock the parent's */
    inf_os.free(j->ring);
    inf_os.free(j);
}

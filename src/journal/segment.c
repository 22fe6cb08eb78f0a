/* A segment as a file and as a mapping: made, recycled, mapped again, dropped. Knows nothing of records.
 *
 * Space is allocated when a file is made, so a full disk is an error here and never a SIGBUS at a producer's store.
 * Then zeros are written, though it reads as zeros already: a large write puts large folios into the page cache, which
 * are a third of the work of single pages to map, to sync and to drop, and no extent needs converting when records
 * come. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096u
#define RETRY_NS 100000000u /* a segment that could not be made is not tried again for so long */
#define SMALL_FOLIO 65536u  /* of large segments, which are synced often: a sync writes whole ones */

_Static_assert(sizeof(struct segment_header) <= SEGMENT_HEADER, "the header fits its page");
_Static_assert(offsetof(struct segment_header, crc) == 28, "no padding in the header");
_Static_assert(offsetof(struct segment_header, acked) == 64, "as docs/journal-format.md says");

int segment_path(const inf_journal *j, uint32_t number, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%08x.seg", j->path, (unsigned)number);
    return n < 0 || n >= PATH_MAX ? INF_E2BIG : INF_OK;
}

static uint32_t header_crc(const struct segment_header *header, uint64_t magic)
{
    uint32_t crc = inf_crc32c(0, &magic, sizeof(magic));
    return inf_crc32c(crc, &header->version, offsetof(struct segment_header, crc) - sizeof(magic));
}

static void header_write(const inf_journal *j, uint8_t *base, uint32_t number)
{
    struct segment_header *header = (struct segment_header *)(void *)base;
    header->version = SEGMENT_VERSION;
    header->segment_bytes = j->segment_bytes;
    header->writer_id = j->writer_id;
    header->number = number;
    header->crc = header_crc(header, SEGMENT_MAGIC); /* the member itself may be 0 at this time */
    atomic_store_explicit(&header->acked, acked_word(SEGMENT_HEADER), memory_order_relaxed);
    atomic_store_explicit(&header->magic, SEGMENT_MAGIC, memory_order_release);
}

bool segment_header_valid(const struct segment_header *header, uint64_t writer_id, uint32_t number)
{
    return atomic_load_explicit(&header->magic, memory_order_acquire) == SEGMENT_MAGIC &&
           header->version == SEGMENT_VERSION && header->writer_id == writer_id && header->number == number &&
           header->crc == header_crc(header, SEGMENT_MAGIC);
}

bool segment_header_foreign(const struct segment_header *header)
{
    uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
    return (magic & SEGMENT_MAGIC_FAMILY) == (SEGMENT_MAGIC & SEGMENT_MAGIC_FAMILY) &&
           (magic != SEGMENT_MAGIC || header->version != SEGMENT_VERSION) && header->crc == header_crc(header, magic);
}

void segment_populate(struct segment *s, uint32_t upto)
{
    if (upto > s->limit)
        upto = s->limit;
    upto &= ~(PAGE - 1);
    if (upto <= s->populated)
        return;
    uint8_t *from = s->base + s->populated;
    size_t length = upto - s->populated;
    s->populated = upto;
    if (inf_os.madvise(from, length, MADV_POPULATE_WRITE) == 0)
        return;
    /* An older kernel: touch each page with a write that changes nothing, even if a producer writes there as well. */
    for (size_t i = 0; i < length; i += PAGE)
        atomic_fetch_or_explicit(word_at(from, (uint32_t)i), 0, memory_order_relaxed);
}

static uint32_t folio_of(const struct segment *s)
{
    return s->limit > RECYCLE_MAX ? SMALL_FOLIO : FOLIO;
}

/* Some file systems take O_DIRECT when a file is opened and refuse a write: those do without. True: try again. */
static bool give_up_direct(int fd)
{
    int flags = inf_os.fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) && inf_os.fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

static int write_zeros(int fd, uint32_t from, uint32_t upto, uint32_t most)
{
    static uint8_t zeros[FILL_DIRECT] __attribute__((aligned(4096))); /* never written to */
    while (from < upto) {
        size_t take = upto - from < most ? upto - from : most;
        ssize_t n = inf_os.pwrite(fd, zeros, take, from);
        if (n < 0 && (errno == EINTR || (errno == EINVAL && give_up_direct(fd))))
            continue;
        if (n <= 0)
            return n < 0 ? inf_os_error(errno) : INF_EIO;
        from += (uint32_t)n;
    }
    return INF_OK;
}

int segment_write(const struct segment *s, uint32_t from, uint32_t upto)
{
    /* The last page in a copy: producers are writing behind what is published. */
    uint8_t last[PAGE] __attribute__((aligned(4096))) = {0};
    uint32_t whole = upto & ~(PAGE - 1);
    memcpy(last, s->base + whole, upto - whole);
    from &= ~(PAGE - 1);
    while (from < upto) {
        struct iovec parts[2] = {{.iov_base = s->base + from, .iov_len = whole - from},
                                 {.iov_base = last, .iov_len = whole < upto ? PAGE : 0}};
        int skip = from == whole;
        ssize_t n = inf_os.pwritev(s->fd, parts + skip, 2 - skip, from);
        if (n < 0 && (errno == EINTR || (errno == EINVAL && give_up_direct(s->fd))))
            continue;
        if (n < (ssize_t)PAGE)
            return n < 0 ? inf_os_error(errno) : INF_EIO;
        from += (uint32_t)n & ~(PAGE - 1); /* pages only, or it could not be written past the page cache */
    }
    return INF_OK;
}

void segment_fill(struct segment *s, uint32_t upto)
{
    if (upto > s->limit)
        upto = s->limit;
    if (s->fd < 0 || upto <= s->filled)
        return;
    /* It only makes what follows cheaper: the space is allocated and reads as zeros. */
    (void)write_zeros(s->fd, s->filled, upto, folio_of(s));
    s->filled = upto;
}

/* Where the file system cannot allocate, zeros are written: they take the space as well. */
static int allocate(struct segment *s, uint32_t length)
{
    int result;
    do
        result = inf_os.fallocate(s->fd, 0, 0, length);
    while (result != 0 && errno == EINTR);
    if (result == 0) {
        segment_fill(s, FILL_AT_ONCE);
        return INF_OK;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return inf_os_error(errno);
    s->filled = length;
    return write_zeros(s->fd, 0, length, folio_of(s));
}

/* A mapping in which no folio of the file lies across a boundary of the page tables: one trap maps all of a folio. */
static void *map_aligned(size_t length, int fd)
{
    size_t room = length + FOLIO;
    uint8_t *space = inf_os.mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        return inf_os.mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    size_t before = (size_t)(-(uintptr_t)space & (FOLIO - 1));
    uint8_t *base = inf_os.mmap(space + before, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    if (base == MAP_FAILED) {
        int error = errno;
        inf_os.munmap(space, room);
        errno = error;
        return MAP_FAILED;
    }
    if (before > 0)
        inf_os.munmap(space, before);
    if (before < FOLIO)
        inf_os.munmap(base + length, FOLIO - before);
    return base;
}

/* The header's page is the file's; the rest is memory, and written by sync.c: a store into a mapped page traps after
 * each sync, and a sync of mapped pages costs several times that of a write past the page cache. */
static void *map_staged(size_t length, int fd)
{
    uint8_t *base = inf_os.mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return base;
    if (inf_os.mmap(base, SEGMENT_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        int error = errno;
        inf_os.munmap(base, length);
        errno = error;
        return MAP_FAILED;
    }
    (void)inf_os.madvise(base, SEGMENT_HEADER, MADV_RANDOM); /* reads nothing of what follows it */
    if (length > RECYCLE_MAX)
        (void)inf_os.madvise(base + SEGMENT_HEADER, length - SEGMENT_HEADER, MADV_HUGEPAGE);
    return base;
}

static int open_new(const inf_journal *j, const char *path)
{
    int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    if (j->staged) {
        int fd = inf_os.open(path, flags | O_DIRECT, 0600);
        if (fd >= 0 || errno != EINVAL)
            return fd;
        inf_os.unlink(path); /* it may have been made nevertheless */
    }
    return inf_os.open(path, flags, 0600);
}

int segment_to_file(inf_journal *j, struct segment *s)
{
    char path[PATH_MAX];
    int error = segment_path(j, s->number, path);
    if (error)
        return error;
    int fd = inf_os.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return inf_os_error(errno);
    uint32_t written = 0;
    while (!error && written < s->limit) {
        ssize_t n = inf_os.pwrite(fd, s->base + written, s->limit - written, written);
        if (n > 0)
            written += (uint32_t)n;
        else if (n == 0 || errno != EINTR)
            error = n == 0 ? INF_EIO : inf_os_error(errno);
    }
    /* Where records have been handed out they stay: the mapping is exchanged in its place. */
    if (!error && inf_os.mmap(s->base, s->limit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
        error = inf_os_error(errno);
    if (error) {
        inf_os.close(fd);
        inf_os.unlink(path);
        return error;
    }
    s->fd = fd;
    s->in_memory = false;
    s->filled = s->limit;
    s->populated = s->limit;
    j->dir_changed = true;
    return INF_OK;
}

/* Does not look at `last`: may be called without the lock. */
static int create_file(const inf_journal *j, uint32_t number, struct segment *s)
{
    char path[PATH_MAX];
    int error = segment_path(j, number, path);
    if (error)
        return error;
    int fd = open_new(j, path);
    if (fd < 0)
        return inf_os_error(errno);
    s->fd = fd;
    error = allocate(s, j->segment_bytes);
    void *base = MAP_FAILED;
    if (!error) {
        base = j->staged ? map_staged(j->segment_bytes, fd) : map_aligned(j->segment_bytes, fd);
        if (base == MAP_FAILED)
            error = inf_os_error(errno);
    }
    if (error) {
        inf_os.close(fd);
        inf_os.unlink(path);
        s->fd = -1;
        return error;
    }
    s->base = base;
    return INF_OK;
}

static int create_memory(const inf_journal *j, struct segment *s)
{
    void *base = inf_os.mmap(NULL, j->segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return inf_os_error(errno);
    s->base = base;
    s->fd = -1;
    return INF_OK;
}

void segment_clear(struct segment *s)
{
    uint32_t used = atomic_load_explicit(&s->sealed, memory_order_relaxed);
    if (used == 0)
        return;
    if (used + RECORD_HEADER <= s->limit)
        used += RECORD_HEADER; /* the mark at the end */
    /* Through the file, so that no page is mapped for it: until it is used again it is no part of the process. */
    if (s->fd < 0 || write_zeros(s->fd, 0, sizeof(uint64_t), FOLIO) != INF_OK ||
        write_zeros(s->fd, SEGMENT_HEADER, used, folio_of(s)) != INF_OK) {
        atomic_store_explicit(&segment_header(s)->magic, 0, memory_order_release);
        memset(s->base + SEGMENT_HEADER, 0, used - SEGMENT_HEADER);
    }
    atomic_store_explicit(&s->sealed, 0, memory_order_relaxed);
}

void segment_refresh(struct segment *s, uint32_t from)
{
    from &= ~(FOLIO - 1);
    if (s->limit > RECYCLE_MAX || s->staged || !s->base || from >= s->limit)
        return;
    if (inf_os.madvise(s->base + from, s->limit - from, MADV_DONTNEED) == 0 && s->populated > from)
        s->populated = from;
}

/* Makes a spare segment the one with this number. The magic goes first and comes last, and the name changes before it
 * does: whatever is left by a death in between is seen to be empty. */
static int recycle(inf_journal *j, uint32_t number, struct segment *s)
{
    struct segment *old = &j->spares[j->spare_count - 1];
    segment_clear(old);
    if (j->in_files) {
        char from[PATH_MAX];
        char to[PATH_MAX];
        int error = segment_path(j, old->number, from);
        if (!error)
            error = segment_path(j, number, to);
        if (!error && inf_os.rename(from, to) != 0)
            error = inf_os_error(errno);
        if (error)
            return error;
    }
    s->base = old->base;
    s->fd = old->fd;
    s->filled = j->segment_bytes;
    j->spare_count--;
    return INF_OK;
}

int segment_make_spare(inf_journal *j, uint32_t number, struct segment *out)
{
    *out = (struct segment){.number = number, .limit = j->segment_bytes, .fd = -1};
    int error = create_file(j, number, out);
    /* Nobody waits for it: everything is written, and gets to the disk, so that the syncs of its records change nothing
     * but those. It only makes them cheaper. */
    if (!error && j->staged && write_zeros(out->fd, out->filled, out->limit, FILL_DIRECT) == INF_OK) {
        out->filled = out->limit;
        (void)inf_os.fdatasync(out->fd);
    }
    return error;
}

bool segment_unprepare(inf_journal *j, struct segment *out)
{
    struct segment *s = segment_at(j, j->last + j->next_count);
    *out = (struct segment){.base = s->base, .number = s->number, .limit = s->limit, .fd = s->fd};
    s->base = NULL;
    s->fd = -1;
    j->next_count--;
    if (j->spare_count + j->clearing >= SPARES_IDLE || j->segment_bytes > RECYCLE_MAX)
        return true;
    atomic_store_explicit(&segment_header(out)->magic, 0, memory_order_release); /* all else is zeros already */
    j->spares[j->spare_count++] = *out;
    return false;
}

int segment_prepare_next(inf_journal *j)
{
    uint32_t number = j->last + j->next_count + 1;
    if (number == 0 || number >= STOCK)
        return INF_E2BIG;
    if (!j->spare_count && j->last - j->first + 1 + j->next_count + j->clearing >= j->max_segments)
        return INF_EFULL;
    uint64_t now = inf_mono_ns();
    if (j->create_error && now < j->retry_at_ns)
        return j->create_error;
    struct segment fresh = {.number = number, .limit = j->segment_bytes, .fd = -1};
    int error = j->spare_count ? recycle(j, number, &fresh)
                : j->in_files  ? create_file(j, number, &fresh)
                               : create_memory(j, &fresh);
    j->create_error = error;
    if (error) {
        j->retry_at_ns = now + RETRY_NS;
        return error;
    }
    j->dir_changed |= j->in_files;
    header_write(j, fresh.base, number);
    struct segment *s = segment_at(j, number);
    s->base = fresh.base;
    s->number = number;
    s->limit = fresh.limit;
    s->start = SEGMENT_HEADER;
    s->populated = 0;
    s->filled = fresh.filled;
    s->released = 0;
    s->fd = fresh.fd;
    s->in_memory = fresh.fd < 0;
    s->staged = j->staged && fresh.fd >= 0;
    s->pins = 0;
    s->damaged = false;
    atomic_store_explicit(&s->sealed, 0, memory_order_relaxed);
    atomic_store_explicit(&s->done, 0, memory_order_relaxed);
    j->next_count++;
    return INF_OK;
}

int segment_map(inf_journal *j, struct segment *s)
{
    char path[PATH_MAX];
    struct stat st;
    int error = segment_path(j, s->number, path);
    if (error)
        return error;
    int fd = inf_os.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0)
        return inf_os_error(errno);
    void *base = MAP_FAILED;
    /* Beyond the end of the file a mapping faults: look at the size again. */
    if (inf_os.fstat(fd, &st) != 0)
        error = inf_os_error(errno);
    else if (st.st_size < (off_t)s->limit)
        error = INF_EBADMSG;
    if (!error) {
        base = inf_os.mmap(NULL, s->limit, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
            error = inf_os_error(errno);
    }
    if (error) {
        inf_os.close(fd);
        return error;
    }
    s->base = base;
    s->fd = fd;
    s->staged = false;
    s->populated = s->limit; /* for reading, pages come as they are touched */
    s->released = 0;
    return INF_OK;
}

void segment_drop(struct segment *s)
{
    if (s->base)
        inf_os.munmap(s->base, s->limit);
    if (s->fd >= 0)
        inf_os.close(s->fd);
    s->base = NULL;
    s->fd = -1;
}

void segment_unlink(const inf_journal *j, uint32_t number)
{
    char path[PATH_MAX];
    if (j->in_files && segment_path(j, number, path) == 0)
        inf_os.unlink(path);
}

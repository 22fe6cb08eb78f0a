/* Orphans: taking over a dead writer's log, and looking at any writer's log from outside. Everything read here may be
 * cut, damaged or made up: names, sizes and headers are checked before they are used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

struct glance {
    uint32_t limit;
    uint32_t start;
    bool cut;
    bool empty; /* was being made or recycled */
    bool foreign;
};

/* What a segment file says about itself. 0, or a negative error when it is not one of ours or cannot be read. */
static int glance_at(const char *path, uint64_t writer_id, uint32_t number, struct glance *out)
{
    struct stat st;
    int error = INF_OK;
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return inf_os_error(errno);
    union {
        struct segment_header header;
        uint8_t bytes[sizeof(struct segment_header)];
    } u;
    memset(u.bytes, 0, sizeof(u.bytes));
    ssize_t n = 0;
    if (inf_os.fstat(fd, &st) != 0)
        error = inf_os_error(errno);
    else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        error = INF_EACCES;
    else if ((n = inf_os.pread(fd, u.bytes, sizeof(u.bytes), 0)) < 0)
        error = inf_os_error(errno);
    inf_os.close(fd);
    if (error)
        return error;
    uint64_t size = (uint64_t)st.st_size & ~(uint64_t)7;
    out->limit = size > SEGMENT_MAX ? SEGMENT_MAX : (uint32_t)size;
    out->start = SEGMENT_HEADER;
    out->empty = st.st_size == 0 ||
                 ((size_t)n == sizeof(u.bytes) && atomic_load_explicit(&u.header.magic, memory_order_relaxed) == 0);
    out->cut = false;
    out->foreign = segment_header_foreign(&u.header);
    if (segment_header_valid(&u.header, writer_id, number)) {
        uint64_t word = atomic_load_explicit(&u.header.acked, memory_order_relaxed);
        uint32_t acked = (uint32_t)word;
        if (word == acked_word(acked) && acked > SEGMENT_HEADER && acked <= u.header.segment_bytes && acked % 8 == 0)
            out->start = acked;
        out->cut = out->limit < u.header.segment_bytes && out->start < u.header.segment_bytes;
        if (out->limit > u.header.segment_bytes)
            out->limit = u.header.segment_bytes & ~7u;
    } else {
        /* A damaged header hides only what was acknowledged; the records say themselves whether they are valid. */
        out->cut = out->limit < SEGMENT_HEADER + RECORD_HEADER && !out->empty;
    }
    if (out->start > out->limit && out->limit >= SEGMENT_HEADER)
        out->start = out->limit;
    return INF_OK;
}

/* Builds the journal of a writer whose lock is held in `fd`. 0; the lock is the journal's only then. */
static int adopt_locked(inf_journal **out, const char *path, uint64_t id, int fd)
{
    uint32_t *numbers;
    uint32_t count;
    int error = writer_list(path, &numbers, &count);
    if (error)
        return error;
    inf_journal *j = journal_new(SEGMENT_MIN, count + 1);
    if (!j) {
        inf_os.free(numbers);
        return INF_ENOMEM;
    }
    j->adopted = true;
    j->in_files = true;
    j->writer_id = id;
    snprintf(j->path, sizeof(j->path), "%s", path);
    uint64_t skipped = 0;
    for (uint32_t i = 0; i < count && !error; i++) {
        char file[PATH_MAX];
        struct glance glance;
        if (segment_path(j, numbers[i], file))
            continue;
        int look = glance_at(file, id, numbers[i], &glance);
        if (look == INF_EACCES || look == INF_ENOTFOUND)
            continue;
        if (look == INF_OK && glance.foreign)
            look = INF_EVERSION; /* all of it is for those who understand it */
        if (look) {
            error = look; /* no descriptor, no memory, a bad disk: another time */
            break;
        }
        if (glance.empty) {
            segment_unlink(j, numbers[i]);
            continue;
        }
        skipped += glance.cut;
        struct segment *s = segment_at(j, ++j->last);
        s->number = numbers[i];
        s->limit = glance.limit;
        s->start = glance.start;
        if (glance.limit > j->segment_bytes)
            j->segment_bytes = glance.limit;
    }
    inf_os.free(numbers);
    if (error) {
        journal_free(j);
        return error;
    }
    j->first = 1;
    j->read_index = 1;
    j->read_offset = j->last ? segment_at(j, 1)->start : SEGMENT_HEADER;
    j->returned = position_of(1, j->read_offset);
    atomic_store(&j->acked, j->returned);
    atomic_store(&j->skipped, skipped);
    j->lock_fd = fd;
    *out = j;
    return INF_OK;
}

static int adopt_writer(inf_journal **out, const char *path, uint64_t id)
{
    int fd;
    int locked = writer_lock(path, &fd);
    if (locked <= 0)
        return locked;
    inf_journal *j;
    int error = adopt_locked(&j, path, id, fd);
    if (error) {
        inf_os.close(fd);
        return error;
    }
    inf_record record;
    int found = inf_journal_next(j, &record);
    if (found > 0) {
        j->returned = atomic_load(&j->acked);
        inf_journal_rewind(j);
        *out = j;
        return 1;
    }
    inf_journal_close(j); /* with nothing in it, its directory goes */
    return found;
}

/* Calls `visit` for each writer's directory until it gives something else than 0. */
static int each_writer(const char *dir, int (*visit)(void *context, const char *path, uint64_t id), void *context)
{
    int error = directory_check(dir);
    if (error)
        return error == INF_ENOTFOUND ? 0 : error;
    DIR *listing = inf_os.opendir(dir);
    if (!listing)
        return inf_os_error(errno);
    int result = 0;
    int first_error = 0;
    for (struct dirent *entry; result == 0;) {
        char path[PATH_MAX];
        uint64_t id;
        errno = 0;
        if (!(entry = inf_os.readdir(listing))) {
            if (errno && !first_error)
                first_error = inf_os_error(errno);
            break;
        }
        if (!writer_name_parse(entry->d_name, &id))
            continue;
        int n = snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof(path))
            continue;
        result = visit(context, path, id);
        if (result < 0) { /* one writer that cannot be read does not hide the others */
            first_error = first_error ? first_error : result;
            result = 0;
        }
    }
    inf_os.closedir(listing);
    return result ? result : first_error;
}

static int visit_to_adopt(void *context, const char *path, uint64_t id)
{
    return adopt_writer(context, path, id);
}

int inf_journal_adopt(inf_journal **out, const char *dir)
{
    char absolute[PATH_MAX];
    int error = journal_absolute(dir, absolute);
    if (error)
        return error == INF_ENOTFOUND ? 0 : error;
    return each_writer(absolute, visit_to_adopt, out);
}

/* Counts the records behind the acknowledged place of one segment, as a bystander: the owner may change everything
 * while we look, so nothing here depends on what was read before. */
static uint64_t count_pending(uint8_t *base, uint64_t writer_id, uint32_t number, uint32_t limit, uint32_t start)
{
    uint64_t count = 0;
    uint64_t word;
    for (uint32_t at = start; record_look(writer_id, number, base, limit, at, &word) == FOUND_RECORD; count++)
        at += (uint32_t)record_size(word_length(word));
    return count;
}

static int visit_to_count(void *context, const char *path, uint64_t id)
{
    uint64_t *pending = context;
    uint32_t *numbers;
    uint32_t count;
    int error = writer_list(path, &numbers, &count);
    if (error)
        return error == INF_ENOTFOUND ? 0 : error;
    for (uint32_t i = 0; i < count; i++) {
        char file[PATH_MAX];
        struct glance glance;
        int n = snprintf(file, sizeof(file), "%s/%08x.seg", path, (unsigned)numbers[i]);
        if (n < 0 || (size_t)n >= sizeof(file) || glance_at(file, id, numbers[i], &glance) || glance.empty ||
            glance.foreign || glance.start >= glance.limit)
            continue;
        int fd = inf_os.open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
        if (fd < 0)
            continue;
        void *base = inf_os.mmap(NULL, glance.limit, PROT_READ, MAP_SHARED, fd, 0);
        inf_os.close(fd);
        if (base == MAP_FAILED)
            continue;
        *pending += count_pending(base, id, numbers[i], glance.limit, glance.start);
        inf_os.munmap(base, glance.limit);
    }
    inf_os.free(numbers);
    return 0;
}

int inf_journal_peek(const char *dir, uint64_t *pending)
{
    *pending = 0;
    return each_writer(dir, visit_to_count, pending);
}

/* The reader: following the log, acknowledging, and giving back what is done with. */
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

#define DROPS 8 /* segments given back under one hold of the lock */
#define RELEASE_STEP (2u << 20)

enum found record_look(uint64_t writer_id, uint32_t number, uint8_t *base, uint32_t limit, uint32_t offset,
                       uint64_t *word)
{
    uint32_t check[2];
    if (offset > limit || limit - offset < RECORD_HEADER)
        return FOUND_END;
    uint64_t w = atomic_load_explicit(word_at(base, offset), memory_order_acquire);
    if (w == 0)
        return FOUND_NOTHING;
    memcpy(check, base + offset + 8, sizeof(check));
    if (!word_has_magic(w) || check[1] != number || record_size(word_length(w)) > limit - offset)
        return FOUND_DAMAGE;
    uint32_t crc = record_crc(writer_id, number, offset, w);
    if (inf_crc32c(crc, base + offset + RECORD_HEADER, word_length(w)) != check[0])
        return FOUND_DAMAGE;
    *word = w;
    return word_type(w) == RECORD_END ? FOUND_END : FOUND_RECORD;
}

static uint32_t start_of(const inf_journal *j, uint32_t index)
{
    return j->adopted && index <= j->last ? segment_at(j, index)->start : SEGMENT_HEADER;
}

inf_position acked_settled(const inf_journal *j)
{
    inf_position acked = atomic_load_explicit(&j->acked, memory_order_acquire);
    for (;;) {
        uint32_t offset = position_offset(acked);
        const struct segment *s = segment_at(j, position_index(acked));
        uint32_t sealed = atomic_load_explicit(&s->sealed, memory_order_acquire);
        uint32_t done = atomic_load_explicit(&s->done, memory_order_acquire);
        if (!(sealed && offset == sealed) && !(done && offset >= done))
            return acked;
        acked = position_of(position_index(acked) + 1, start_of(j, position_index(acked) + 1));
    }
}

/* ---- what has been published ---- */

bool segment_follow(struct segment *s, uint32_t *offset, uint64_t *count)
{
    for (;;) {
        uint32_t sealed = atomic_load_explicit(&s->sealed, memory_order_acquire);
        if (sealed && sealed == *offset)
            return true;
        if (!s->base || s->damaged || s->limit - *offset < RECORD_HEADER)
            return false;
        uint64_t word = atomic_load_explicit(word_at(s->base, *offset), memory_order_acquire);
        if (word == 0 || (word_has_magic(word) && word_type(word) == RECORD_END))
            return false; /* the mark is there before `sealed` is */
        uint64_t size = record_size(word_length(word));
        if (!word_has_magic(word) || size > s->limit - *offset) {
            s->damaged = true;
            return false;
        }
        ++*count;
        *offset += (uint32_t)size;
    }
}

void walk_advance(inf_journal *j)
{
    while (j->walk_index <= j->last && segment_follow(segment_at(j, j->walk_index), &j->walk_offset, &j->walked)) {
        j->walk_index++;
        j->walk_offset = SEGMENT_HEADER;
    }
}

/* ---- giving back ---- */

/* Takes the lowest segment out of the log; true when `out` is to be dropped and its file deleted. */
static bool retire_first(inf_journal *j, struct segment *out)
{
    struct segment *s = segment_at(j, j->first);
    if (j->walk_index <= j->first) {
        j->walk_index = j->first + 1;
        j->walk_offset = SEGMENT_HEADER;
    }
    *out = (struct segment){.base = s->base, .number = s->number, .limit = s->limit, .fd = s->fd};
    atomic_store_explicit(&out->sealed, atomic_load_explicit(&s->sealed, memory_order_relaxed), memory_order_relaxed);
    s->base = NULL;
    s->fd = -1;
    j->first++;
    atomic_store_explicit(&j->full, false, memory_order_relaxed);
    /* A producer may still be writing somewhere behind the damage: rather lose the address range than fault. */
    if (s->damaged)
        out->base = NULL;
    uint32_t keep = j->wanted > j->next_count + SPARES_IDLE ? j->wanted - j->next_count : SPARES_IDLE;
    if (j->adopted || j->staged || (s->in_memory && j->in_files) || j->spare_count + j->clearing >= keep ||
        !out->base || j->segment_bytes > RECYCLE_MAX)
        return true;
    if (out->fd >= 0)
        (void)inf_os.madvise(out->base, out->limit, MADV_DONTNEED); /* no part of the process any more */
    j->spares[j->spare_count++] = *out;
    return false;
}

/* Whether nobody needs the mapping of this segment, which is not acknowledged. */
static bool mapping_idle(const inf_journal *j, uint32_t index, uint32_t acked_index)
{
    const struct segment *s = segment_at(j, index);
    if (s->in_memory || !s->base || s->pins || s->damaged || index == j->read_index ||
        (index >= acked_index && index < j->read_index))
        return false;
    if (s->staged && index >= position_index(atomic_load_explicit(&j->synced, memory_order_acquire)))
        return false;
    return j->adopted || (index < j->last && index < j->walk_index);
}

/* Pages of a large segment that are acknowledged leave the process (they stay in the page cache, or the file). */
static void release_pages(inf_journal *j, inf_position acked)
{
    if (j->staged) { /* what is not in the file yet stays */
        inf_position synced = atomic_load_explicit(&j->synced, memory_order_acquire);
        acked = acked < synced ? acked : synced;
    }
    uint32_t index = position_index(acked);
    if (j->segment_bytes <= RECYCLE_MAX || index < j->first || index > j->last)
        return;
    struct segment *s = segment_at(j, index);
    uint32_t upto = position_offset(acked) & ~(RELEASE_STEP - 1);
    if (!s->base || upto <= s->released || upto > s->limit)
        return;
    uint32_t from = s->released ? s->released : SEGMENT_HEADER;
    if (from < upto && inf_os.madvise(s->base + from, upto - from, MADV_DONTNEED) == 0)
        s->released = upto;
}

void segments_trim(inf_journal *j)
{
    bool more;
    do {
        struct segment dropped[DROPS];
        bool delete[DROPS];
        unsigned n = 0;
        pthread_mutex_lock(&j->lock);
        if (!j->adopted)
            walk_advance(j);
        j->trimmed_last = j->last;
        inf_position acked = acked_settled(j);
        uint32_t acked_index = position_index(acked);
        while (n < DROPS && j->first < acked_index && j->first < j->read_index) {
            struct segment *s = segment_at(j, j->first);
            if (s->pins || (!j->adopted && !atomic_load_explicit(&s->sealed, memory_order_acquire)))
                break;
            delete[n] = retire_first(j, &dropped[n]);
            n += delete[n];
        }
        unsigned retired = n;
        for (uint32_t index = j->in_files ? j->last : 0; index >= j->first && index > 0 && n < DROPS; index--) {
            if (!mapping_idle(j, index, acked_index))
                continue;
            struct segment *s = segment_at(j, index);
            dropped[n] = (struct segment){.base = s->base, .limit = s->limit, .fd = s->fd};
            delete[n++] = false;
            s->base = NULL;
            s->fd = -1;
        }
        release_pages(j, acked);
        if (retired && j->in_files)
            j->dir_changed = true;
        pthread_mutex_unlock(&j->lock);
        for (unsigned i = 0; i < n; i++) {
            if (delete[i])
                segment_unlink(j, dropped[i].number);
            segment_drop(&dropped[i]);
        }
        more = n == DROPS;
    } while (more);
}

/* ---- reading ---- */

/* Goes on to the next segment. What was handed out is all that this one holds. */
static void step(inf_journal *j)
{
    struct segment *s = segment_at(j, j->read_index);
    if (!atomic_load_explicit(&s->done, memory_order_relaxed)) {
        uint32_t done = position_index(j->returned) == j->read_index ? position_offset(j->returned) : s->start;
        atomic_store_explicit(&s->done, done, memory_order_release);
    }
    pthread_mutex_lock(&j->lock);
    j->read_index++;
    pthread_mutex_unlock(&j->lock);
    j->read_offset = start_of(j, j->read_index);
    j->read_base = NULL;
}

/* Whether records can no longer be added to the segment that is being read. */
static bool is_closed(const inf_journal *j)
{
    if (j->adopted)
        return true;
    return atomic_load_explicit(&segment_at(j, j->read_index)->sealed, memory_order_acquire) != 0 ||
           reserve_index(atomic_load_explicit(&j->reserve, memory_order_acquire)) > j->read_index;
}

/* Counts a stretch that is passed over, once, however often it is read. */
static void count_skipped(inf_journal *j)
{
    inf_position here = position_of(j->read_index, j->read_offset);
    if (here < j->skip_mark)
        return;
    j->skip_mark = here + 1;
    atomic_fetch_add_explicit(&j->skipped, 1, memory_order_relaxed);
}

/* Maps the segment to read. 1, 0 when it is not to be had (passed over), or a negative error. */
static int arrive(inf_journal *j)
{
    struct segment *s = segment_at(j, j->read_index);
    int error = INF_OK;
    pthread_mutex_lock(&j->lock);
    if (!s->base)
        error = s->limit < SEGMENT_HEADER + RECORD_HEADER ? INF_EBADMSG : segment_map(j, s);
    j->read_base = s->base;
    pthread_mutex_unlock(&j->lock);
    if (error == INF_ENOTFOUND || error == INF_EBADMSG || error == INF_EACCES) {
        count_skipped(j);
        step(j);
        return 0;
    }
    return error ? error : 1;
}

/* Looks for the next thing that checks out behind the place of reading. True when the place has moved. */
static bool resynchronise(inf_journal *j, struct segment *s, enum found found)
{
    if (!j->adopted) {
        pthread_mutex_lock(&j->lock);
        s->damaged = true;
        pthread_mutex_unlock(&j->lock);
    }
    bool closed = is_closed(j);
    for (uint32_t at = j->read_offset + 8; s->limit - at >= RECORD_HEADER && at < s->limit; at += 8) {
        uint64_t word = atomic_load_explicit(word_at(j->read_base, at), memory_order_relaxed);
        if (!word_has_magic(word))
            continue;
        enum found here = record_look(j->writer_id, s->number, j->read_base, s->limit, at, &word);
        if (here == FOUND_RECORD || here == FOUND_END) {
            count_skipped(j);
            j->read_offset = at;
            return true;
        }
    }
    if (!closed)
        return false;
    if (found == FOUND_DAMAGE)
        count_skipped(j);
    j->read_offset = s->limit;
    return true;
}

int inf_journal_next(inf_journal *j, inf_record *out)
{
    for (;;) {
        if (j->adopted ? j->read_index > j->last
                       : j->read_index > reserve_index(atomic_load_explicit(&j->reserve, memory_order_acquire)))
            return 0;
        struct segment *s = segment_at(j, j->read_index);
        if (!j->read_base) {
            int arrived = arrive(j);
            if (arrived < 0)
                return arrived;
            if (arrived == 0)
                continue;
        }
        uint64_t word;
        enum found found = record_look(j->writer_id, s->number, j->read_base, s->limit, j->read_offset, &word);
        switch (found) {
        case FOUND_RECORD:
            out->type = word_type(word);
            out->length = word_length(word);
            out->payload = j->read_base + j->read_offset + RECORD_HEADER;
            j->read_offset += (uint32_t)record_size(out->length);
            out->position = position_of(j->read_index, j->read_offset);
            out->origin = position_of(s->number, j->read_offset);
            if (out->position > j->returned)
                j->returned = out->position;
            return 1;
        case FOUND_END:
            if (!is_closed(j))
                return 0;
            step(j);
            break;
        case FOUND_NOTHING:
            if (!j->adopted)
                return 0;
            if (!resynchronise(j, s, found))
                return 0;
            break;
        case FOUND_DAMAGE:
            if (!resynchronise(j, s, found))
                return 0;
            break;
        }
    }
}

void inf_journal_rewind(inf_journal *j)
{
    inf_position acked = acked_settled(j);
    pthread_mutex_lock(&j->lock);
    j->read_index = position_index(acked);
    pthread_mutex_unlock(&j->lock);
    j->read_offset = position_offset(acked);
    j->read_base = NULL;
}

int inf_journal_ack(inf_journal *j, inf_position upto)
{
    inf_position acked = atomic_load_explicit(&j->acked, memory_order_relaxed);
    if (upto <= acked)
        return INF_OK;
    if (upto > j->returned)
        return INF_EINVAL;
    pthread_mutex_lock(&j->lock);
    for (uint32_t index = position_index(acked); index <= position_index(upto); index++) {
        struct segment *s = segment_at(j, index);
        if (index < j->first || !s->base)
            continue;
        uint32_t offset = index == position_index(upto) ? position_offset(upto) : s->limit;
        atomic_store_explicit(&segment_header(s)->acked, acked_word(offset), memory_order_release);
    }
    atomic_store_explicit(&j->acked, upto, memory_order_release);
    if (position_of(j->read_index, j->read_offset) < upto) {
        j->read_index = position_index(upto);
        j->read_offset = position_offset(upto);
        j->read_base = NULL;
    }
    pthread_mutex_unlock(&j->lock);
    segments_trim(j);
    return INF_OK;
}

inf_position inf_journal_reading(const inf_journal *j)
{
    return position_of(j->read_index, j->read_offset);
}

inf_position inf_journal_acked(const inf_journal *j)
{
    return acked_settled(j);
}

/* Appending: the producers' side. One atomic addition reserves, one release store publishes; the mutex is taken only by
 * those who find the segment full. */
#include <string.h>

#include "infinium.h"
#include "journal/internal.h"

/* Called by exactly one thread a segment: the one whose reservation crossed the end, or closed the log. The last thing
 * it touches is `sealed`, not the mapping, so a sealed segment whose records are all published has no writer left. */
void seal(inf_journal *j, struct segment *s, uint32_t offset)
{
    if (offset + RECORD_HEADER <= s->limit) {
        uint64_t word = record_word(RECORD_END, 0);
        uint32_t check[2] = {record_crc(j->writer_id, s->number, offset, word), s->number};
        memcpy(s->base + offset + 8, check, sizeof(check));
        atomic_store_explicit(word_at(s->base, offset), word, memory_order_release);
    }
    atomic_store_explicit(&s->sealed, offset, memory_order_release);
}

/* Installs the next segment after the one that was seen to be full. 0: try again. */
static int roll(inf_journal *j, uint32_t full_index)
{
    int error = INF_OK;
    bool alone = false;
    pthread_mutex_lock(&j->lock);
    uint64_t reserve = atomic_load_explicit(&j->reserve, memory_order_acquire);
    if (j->adopted) {
        error = INF_ECLOSED;
    } else if (reserve_index(reserve) == full_index) { /* nobody was faster */
        if (!j->next_count) {
            alone = j->in_files;
            error = segment_prepare_next(j);
        }
        if (!error) {
            j->last++;
            j->next_count--;
            alone |= j->in_files && j->last - j->trimmed_last > MAPPED_MAX;
            atomic_store_explicit(&j->reserve, reserve_of(j->last, SEGMENT_HEADER), memory_order_release);
        } else if (error == INF_EFULL) {
            atomic_fetch_add_explicit(&j->refused_full, 1, memory_order_relaxed);
            atomic_store_explicit(&j->full, true, memory_order_relaxed);
        } else {
            j->refused++;
        }
    }
    pthread_mutex_unlock(&j->lock);
    /* Housekeeping is behind (a sync takes long, or there is no processor for it): what is full must not stay mapped,
     * or the process grows by all that is written meanwhile. */
    if (alone && !error)
        segments_trim(j);
    return error;
}

int inf_journal_append(inf_journal *j, uint8_t type, const void *head, size_t head_length, const void *body,
                       size_t body_length, inf_position *end)
{
    const uint32_t limit = j->segment_bytes;
    const size_t room = limit - SEGMENT_HEADER - RECORD_HEADER;
    if (type == RECORD_END)
        return INF_EINVAL;
    if (head_length > room || body_length > room - head_length)
        return INF_E2BIG;
    const uint32_t length = (uint32_t)(head_length + body_length);
    const uint32_t size = (uint32_t)record_size(length);

    for (;;) {
        uint64_t reserve = atomic_load_explicit(&j->reserve, memory_order_relaxed);
        if (reserve_offset(reserve) <= limit) {
            reserve = atomic_fetch_add_explicit(&j->reserve, size / 8, memory_order_acquire);
            uint64_t offset = reserve_offset(reserve);
            struct segment *s = segment_at(j, reserve_index(reserve));
            if (offset + size <= limit) {
                uint8_t *at = s->base + offset;
                uint64_t word = record_word(type, length);
                uint64_t place[3];
                record_place(place, j->writer_id, reserve_index(reserve), (uint32_t)offset, word);
                uint32_t crc = inf_crc32c_record(place, at + RECORD_HEADER, head, head_length, body, body_length);
                uint32_t check[2] = {crc, reserve_index(reserve)};
                memcpy(at + 8, check, sizeof(check));
                atomic_store_explicit(word_at(s->base, (uint32_t)offset), word, memory_order_release);
                if (end)
                    *end = position_of(reserve_index(reserve), (uint32_t)offset + size);
                return INF_OK;
            }
            if (offset <= limit)
                seal(j, s, (uint32_t)offset);
        }
        if (atomic_load_explicit(&j->full, memory_order_relaxed)) {
            atomic_fetch_add_explicit(&j->refused_full, 1, memory_order_relaxed);
            return INF_EFULL;
        }
        int error = roll(j, reserve_index(reserve));
        if (error)
            return error;
    }
}

inf_position inf_journal_tail(const inf_journal *j)
{
    if (j->adopted)
        return position_of(j->last, segment_at(j, j->last)->limit);
    uint64_t reserve = atomic_load_explicit(&j->reserve, memory_order_acquire);
    uint64_t offset = reserve_offset(reserve);
    if (offset > j->segment_bytes) /* sealed: the next record opens the next segment */
        return position_of(reserve_index(reserve) + 1, SEGMENT_HEADER);
    return position_of(reserve_index(reserve), (uint32_t)offset);
}

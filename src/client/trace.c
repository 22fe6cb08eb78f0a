/* The open trace: what a traced call pays for. See trace.h.
 *
 * In steady state nothing here allocates, locks or makes a system call: the field buffer keeps its capacity, the clock
 * is read once at the start and once at the end, and the journal is memory. head.reserved counts the fields that did
 * not fit while the trace is open; it is zero in what is appended. This file knows how a trace is recorded, not how it
 * is sent. */
#include "client/trace.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "base/utf8.h"
#include "client/client.h"
#include "journal/journal.h"
#include "send/sender.h"

#define FIRST_CAPACITY 2048u
/* Kept free below the limit for the TRUNCATED field, so that it always fits. */
#define TRUNCATED_BYTES (INF_FIELD_HEADER + 8u)
#define LIMIT (INF_TRACE_MAX_BYTES - TRUNCATED_BYTES)
#define NO_GROUP UINT32_MAX

static void put_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

static void put_u64(uint8_t *to, uint64_t value)
{
    put_u32(to, (uint32_t)value);
    put_u32(to + 4, (uint32_t)(value >> 32));
}

static bool grow(inf_trace *t, size_t needed)
{
    size_t capacity = t->capacity ? t->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *fields = inf_os.realloc(t->fields, capacity);
    if (!fields)
        return false;
    t->fields = fields;
    t->capacity = (uint32_t)capacity;
    return true;
}

/* Room for `extra` bytes past the fields, within `limit`. */
static inline bool reserve(inf_trace *t, size_t extra, size_t limit)
{
    size_t needed = t->head.fields_length + extra;
    if (extra > limit || needed > limit)
        return false;
    return needed <= t->capacity || grow(t, needed);
}

static inline bool recording(inf_trace *t)
{
    return !t->sampled_out;
}

static void left_out(inf_trace *t)
{
    t->head.reserved++;
}

static void add_u64(inf_trace *t, uint8_t tag, uint64_t value, size_t limit)
{
    if (!recording(t))
        return;
    if (!reserve(t, INF_FIELD_HEADER + 8, limit)) {
        left_out(t);
        return;
    }
    uint8_t *p = t->fields + t->head.fields_length;
    p[0] = tag;
    put_u32(p + 1, 8);
    put_u64(p + INF_FIELD_HEADER, value);
    t->head.fields_length += INF_FIELD_HEADER + 8;
}

/* A head as it is stored. The struct has no padding and every supported machine is little-endian. */
_Static_assert(sizeof(inf_record_head) == 64, "the head is 64 bytes on disk");

_Static_assert(offsetof(inf_record_head, status) == 48 && offsetof(inf_record_head, fields_length) == 52,
               "status, version, flags and length are one word");

/* The head is changed in place for the time of the append and then put back. Its seventh word is stored in one piece,
 * because the journal reads it so, at once: a processor waits when it has to put a word together from several stores
 * that are still under way. */
static int append(inf_trace *t, uint8_t type, uint32_t from, uint64_t duration_ns, uint8_t status)
{
    inf_journal *journal = atomic_load_explicit(&t->client->route.journal, memory_order_relaxed);
    if (!journal)
        return INF_EFULL;
    inf_record_head *head = &t->head;
    uint32_t length = head->fields_length - from;
    uint64_t left_out = head->reserved;
    uint64_t before;
    uint64_t word = status | (uint64_t)head->version << 8 | (uint64_t)head->flags << 16 | (uint64_t)length << 32;
    memcpy(&before, (char *)head + offsetof(inf_record_head, status), sizeof(before));
    memcpy((char *)head + offsetof(inf_record_head, status), &word, sizeof(word));
    head->duration_ns = duration_ns;
    head->reserved = 0;
    int result = inf_journal_append(journal, type, head, sizeof(*head), t->fields + from, length, NULL);
    memcpy((char *)head + offsetof(inf_record_head, status), &before, sizeof(before));
    head->reserved = left_out;
    return result;
}

/* Time since the start, good to some milliseconds, for a few nanoseconds: enough for "it was last heard of at". */
static uint64_t rough_elapsed_ns(const inf_trace *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return ns > t->started_mono_ns ? ns - t->started_mono_ns : 0;
}

/* The trace belongs to this process and to a client. */
static inline bool mine(const inf_trace *t)
{
    return t->client && t->fork_generation == inf_generation();
}

void inf_trace_start(inf_trace *t, inf_client *client, const uint8_t *parent_id, const void *fields, size_t length)
{
    t->client = client;
    t->published = 0;
    t->sampled_out = false;
    t->mask = client ? client->mask_secrets : true;
    t->fork_generation = inf_generation();
    /* Before the clock: what the first trace pays for its journal is not the function's time. */
    if (client && atomic_load_explicit(&client->route.generation, memory_order_acquire) != t->fork_generation)
        inf_route_start(&client->route);
    t->started_mono_ns = inf_tick_ns();
    inf_id_make(t->head.trace_id);
    if (parent_id)
        memcpy(t->head.parent_id, parent_id, sizeof(t->head.parent_id));
    else
        memset(t->head.parent_id, 0, sizeof(t->head.parent_id));
    t->head.started_ns = inf_unix_from_mono(t->started_mono_ns);
    t->head.duration_ns = 0;
    t->head.status = INF_STATUS_RUNNING;
    t->head.version = INF_RECORD_VERSION;
    t->head.flags = 0;
    t->head.fields_length = 0;
    t->head.reserved = 0;
    if (client)
        atomic_fetch_add_explicit(&client->route.begun, 1, memory_order_relaxed);
    if (length > 0) {
        if (reserve(t, length, LIMIT)) {
            memcpy(t->fields, fields, length);
            t->head.fields_length = (uint32_t)length;
        } else {
            left_out(t);
        }
    }
}

char *inf_trace_text(inf_trace *t, uint8_t tag, size_t max)
{
    if (!recording(t))
        return NULL;
    if (max > LIMIT || !reserve(t, INF_FIELD_HEADER + max, LIMIT)) {
        left_out(t);
        return NULL;
    }
    uint8_t *p = t->fields + t->head.fields_length;
    p[0] = tag;
    return (char *)p + INF_FIELD_HEADER;
}

void inf_trace_text_end(inf_trace *t, size_t length)
{
    put_u32(t->fields + t->head.fields_length + 1, (uint32_t)length);
    t->head.fields_length += INF_FIELD_HEADER + (uint32_t)length;
}

void inf_trace_add_text(inf_trace *t, uint8_t tag, const char *text, size_t length)
{
    if (!recording(t))
        return;
    if (length > LIMIT || !reserve(t, INF_FIELD_HEADER + length, LIMIT)) {
        size_t left = LIMIT - t->head.fields_length;
        left_out(t);
        if (left <= INF_FIELD_HEADER)
            return;
        length = inf_utf8_floor(text, length, left - INF_FIELD_HEADER);
        if (length == 0 || !reserve(t, INF_FIELD_HEADER + length, LIMIT))
            return;
    }
    uint8_t *p = t->fields + t->head.fields_length;
    p[0] = tag;
    put_u32(p + 1, (uint32_t)length);
    if (length > 0)
        memcpy(p + INF_FIELD_HEADER, text, length);
    t->head.fields_length += INF_FIELD_HEADER + (uint32_t)length;
}

void inf_trace_add_int(inf_trace *t, uint8_t tag, int64_t value)
{
    add_u64(t, tag, (uint64_t)value, LIMIT);
}

void inf_trace_add_double(inf_trace *t, uint8_t tag, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    add_u64(t, tag, bits, LIMIT);
}

uint32_t inf_trace_group(inf_trace *t, uint8_t tag)
{
    if (!recording(t))
        return NO_GROUP;
    if (!reserve(t, INF_FIELD_HEADER, LIMIT)) {
        left_out(t);
        return NO_GROUP;
    }
    uint32_t mark = t->head.fields_length;
    uint8_t *p = t->fields + mark;
    p[0] = tag;
    put_u32(p + 1, 0);
    t->head.fields_length += INF_FIELD_HEADER;
    return mark;
}

void inf_trace_group_end(inf_trace *t, uint32_t mark)
{
    if (mark == NO_GROUP || !recording(t))
        return;
    put_u32(t->fields + mark + 1, t->head.fields_length - mark - INF_FIELD_HEADER);
}

bool inf_trace_insert_text(inf_trace *t, uint32_t group, uint8_t tag, const char *text, size_t length)
{
    if (group == NO_GROUP || !recording(t) || length > LIMIT || !reserve(t, INF_FIELD_HEADER + length, LIMIT))
        return false;
    uint32_t inner;
    memcpy(&inner, t->fields + group + 1, sizeof(inner));
    uint8_t *at = t->fields + group + INF_FIELD_HEADER + inner;
    uint32_t added = INF_FIELD_HEADER + (uint32_t)length;
    memmove(at + added, at, (size_t)(t->fields + t->head.fields_length - at));
    at[0] = tag;
    put_u32(at + 1, (uint32_t)length);
    memcpy(at + INF_FIELD_HEADER, text, length);
    put_u32(t->fields + group + 1, inner + added);
    t->head.fields_length += added;
    return true;
}

void inf_trace_publish(inf_trace *t)
{
    if (!recording(t) || !mine(t))
        return;
    int error;
    if (t->published == 0) {
        /* The BEGIN record says "since the start: 0": reading the clock for it would cost a fifth of the whole call. */
        error = append(t, INF_RECORD_BEGIN, 0, 0, INF_STATUS_RUNNING);
    } else if (t->published == t->head.fields_length) {
        return;
    } else {
        error = append(t, INF_RECORD_EVENT, t->published, rough_elapsed_ns(t), INF_STATUS_RUNNING);
    }
    /* A refused record is no loss yet: the END record holds everything. A BEGIN is tried again with the next publish.
     */
    if (error == INF_OK)
        t->published = t->head.fields_length;
}

void inf_trace_finish(inf_trace *t, enum inf_status status)
{
    t->head.duration_ns = inf_trace_elapsed_ns(t);
    t->head.status = (uint8_t)status;
    if (!recording(t) && !t->client)
        return;
    if (t->head.reserved > 0) {
        uint64_t count = t->head.reserved;
        t->head.reserved = 0;
        add_u64(t, INF_TAG_TRUNCATED, count, INF_TRACE_MAX_BYTES);
    }
    if (!mine(t))
        return;
    inf_route *route = &t->client->route;
    /* Counted before it is appended, so that the sender never settles a trace that has not ended. */
    atomic_fetch_add_explicit(&route->ended, 1, memory_order_release);
    if (!recording(t) || append(t, INF_RECORD_END, 0, t->head.duration_ns, t->head.status) != INF_OK)
        atomic_fetch_add_explicit(&route->refused, 1, memory_order_release);
}

uint64_t inf_trace_elapsed_ns(const inf_trace *t)
{
    return inf_tick_between(t->started_mono_ns, inf_tick_ns());
}

void inf_trace_clear(inf_trace *t)
{
    inf_os.free(t->fields);
    inf_os.free(t->backtraces);
    t->backtraces = NULL;
    t->fields = NULL;
    t->capacity = 0;
    t->head.fields_length = 0;
    t->published = 0;
}

/* See open.h. A hash table chained by trace id (ids are random: their first bytes are the hash), and a list in the
 * order of `hold`, whose first entry says how far the journal may be acknowledged. */
#include "send/open.h"

#include <string.h>

#include "base/os.h"
#include "infinium.h"
#include "send/fields.h"

#define FIRST_BUCKETS 256u
#define MAX_SPARES 1024u
#define MAX_FIELDS (512u << 10)

struct event {
    uint64_t position;
    uint32_t length;
    uint32_t reserved;
};

void inf_open_init(inf_open_table *o)
{
    memset(o, 0, sizeof(*o));
}

static void free_trace(inf_open_trace *t)
{
    inf_os.free(t->copy);
    inf_buf_free(&t->events);
    inf_os.free(t);
}

void inf_open_free(inf_open_table *o)
{
    while (o->oldest) {
        inf_open_trace *t = o->oldest;
        o->oldest = t->after;
        free_trace(t);
    }
    while (o->spare) {
        inf_open_trace *t = o->spare;
        o->spare = t->chain;
        inf_os.free(t);
    }
    inf_os.free(o->buckets);
    inf_open_init(o);
}

static uint32_t bucket(const inf_open_table *o, const uint8_t id[16])
{
    return inf_get_u32(id) & (o->bucket_count - 1);
}

static bool resize(inf_open_table *o)
{
    uint32_t count = o->bucket_count ? o->bucket_count * 4 : FIRST_BUCKETS;
    inf_open_trace **buckets = inf_os.calloc(count, sizeof(*buckets));
    if (!buckets)
        return o->bucket_count > 0; /* longer chains, then */
    inf_os.free(o->buckets);
    o->buckets = buckets;
    o->bucket_count = count;
    for (inf_open_trace *t = o->oldest; t; t = t->after) {
        uint32_t b = bucket(o, t->trace_id);
        t->chain = buckets[b];
        buckets[b] = t;
    }
    return true;
}

static inf_open_trace *find(const inf_open_table *o, const uint8_t id[16])
{
    if (o->count == 0)
        return NULL;
    for (inf_open_trace *t = o->buckets[bucket(o, id)]; t; t = t->chain)
        if (memcmp(t->trace_id, id, 16) == 0)
            return t;
    return NULL;
}

static void link_newest(inf_open_table *o, inf_open_trace *t)
{
    t->after = NULL;
    t->before = o->newest;
    if (o->newest)
        o->newest->after = t;
    else
        o->oldest = t;
    o->newest = t;
}

static void unlink_trace(inf_open_table *o, inf_open_trace *t)
{
    if (t->before)
        t->before->after = t->after;
    else
        o->oldest = t->after;
    if (t->after)
        t->after->before = t->before;
    else
        o->newest = t->before;
}

bool inf_open_room(inf_open_table *o)
{
    if (o->count >= INF_OPEN_MAX)
        return true; /* one more is not followed, which takes no room */
    if (o->count >= o->bucket_count && !resize(o))
        return false;
    if (!o->spare) {
        o->spare = inf_os.calloc(1, sizeof(*o->spare));
        o->spares += o->spare != NULL;
    }
    return o->spare != NULL;
}

static inf_open_trace *add(inf_open_table *o, const uint8_t id[16], inf_position before, uint64_t now_ns)
{
    if (o->count >= INF_OPEN_MAX || !inf_open_room(o)) {
        o->overflowed++;
        return NULL;
    }
    inf_open_trace *t = o->spare;
    o->spare = t->chain;
    o->spares--;
    memset(t, 0, sizeof(*t));
    memcpy(t->trace_id, id, 16);
    inf_buf_init(&t->events, MAX_FIELDS);
    t->hold = before;
    t->seen_ns = now_ns;
    t->held_ns = now_ns;
    uint32_t b = bucket(o, id);
    t->chain = o->buckets[b];
    o->buckets[b] = t;
    link_newest(o, t);
    o->count++;
    return t;
}

void inf_open_remove(inf_open_table *o, inf_open_trace *t)
{
    for (inf_open_trace **place = &o->buckets[bucket(o, t->trace_id)]; *place; place = &(*place)->chain) {
        if (*place == t) {
            *place = t->chain;
            break;
        }
    }
    unlink_trace(o, t);
    o->count--;
    inf_os.free(t->copy);
    inf_buf_free(&t->events);
    if (o->spares < MAX_SPARES) {
        t->chain = o->spare;
        o->spare = t;
        o->spares++;
    } else {
        inf_os.free(t);
    }
}

/* Drops the events that a carried record has in it already. */
static void drop_events(inf_open_trace *t, inf_position upto)
{
    size_t kept = 0;
    for (size_t i = 0; i + sizeof(struct event) <= t->events.length;) {
        struct event e;
        memcpy(&e, t->events.data + i, sizeof(e));
        size_t size = sizeof(e) + e.length;
        if (e.position > upto) {
            memmove(t->events.data + kept, t->events.data + i, size);
            kept += size;
        }
        i += size;
    }
    t->events.length = kept;
}

void inf_open_begin(inf_open_table *o, const inf_record *record, inf_position before, uint64_t now_ns)
{
    inf_record_head head;
    inf_fields fields;
    if (!inf_record_split(record->payload, record->length, &head, &fields))
        return;
    inf_open_trace *t = find(o, head.trace_id);
    if (!t) {
        t = add(o, head.trace_id, before, now_ns);
        if (!t)
            return;
    } else if (head.flags & INF_RECORD_CARRIED) {
        if (t->ended) {
            inf_open_remove(o, t);
            return;
        }
        drop_events(t, head.reserved);
        t->carrying = false;
        inf_os.free(t->copy);
        t->copy = NULL;
    }
    t->begin = record->payload;
    t->begin_length = record->length;
    if (head.duration_ns > t->latest_ns)
        t->latest_ns = head.duration_ns;
}

void inf_open_event(inf_open_table *o, const inf_record *record, inf_position before, uint64_t now_ns)
{
    inf_record_head head;
    inf_fields fields;
    if (!inf_record_split(record->payload, record->length, &head, &fields))
        return;
    inf_open_trace *t = find(o, head.trace_id);
    if (!t && !(t = add(o, head.trace_id, before, now_ns)))
        return;
    struct event e = {record->origin, record->length, 0};
    if (inf_buf_reserve(&t->events, sizeof(e) + record->length) == 0) {
        inf_buf_put(&t->events, &e, sizeof(e));
        inf_buf_put(&t->events, record->payload, record->length);
    } else {
        t->events.error = 0; /* past the limit of one trace, or no memory: what is there stays whole */
    }
    t->changed = true;
    if (head.duration_ns > t->latest_ns)
        t->latest_ns = head.duration_ns;
}

void inf_open_end(inf_open_table *o, const uint8_t trace_id[16])
{
    inf_open_trace *t = find(o, trace_id);
    if (!t)
        return;
    if (t->carrying)
        t->ended = true;
    else
        inf_open_remove(o, t);
}

uint8_t *inf_open_merge(const inf_open_trace *t, uint8_t status, uint32_t *length)
{
    inf_record_head head = {.version = INF_RECORD_VERSION};
    inf_fields fields;
    inf_buf out;
    inf_buf_init(&out, 2 * MAX_FIELDS + sizeof(head));
    memcpy(head.trace_id, t->trace_id, 16);
    inf_buf_put(&out, &head, sizeof(head));
    bool known = t->begin && inf_record_split(t->begin, t->begin_length, &head, &fields);
    if (known)
        inf_buf_put(&out, fields.p, (size_t)(fields.end - fields.p));
    for (size_t i = 0; i + sizeof(struct event) <= t->events.length;) {
        struct event e;
        inf_record_head event_head;
        memcpy(&e, t->events.data + i, sizeof(e));
        if (inf_record_split(t->events.data + i + sizeof(e), e.length, &event_head, &fields)) {
            if (!known)
                head = event_head;
            known = true;
            inf_buf_put(&out, fields.p, (size_t)(fields.end - fields.p));
        }
        i += sizeof(e) + e.length;
    }
    if (out.error || !out.data) {
        inf_buf_free(&out);
        return NULL;
    }
    head.status = status;
    head.flags = 0;
    head.reserved = 0;
    head.duration_ns = t->latest_ns;
    head.fields_length = (uint32_t)(out.length - sizeof(head));
    memcpy(out.data, &head, sizeof(head));
    *length = (uint32_t)out.length;
    return out.data; /* malloc'ed by the table of inf_os, as everything is */
}

int inf_open_carry(inf_open_table *o, inf_open_trace *t, inf_journal *journal, inf_position read)
{
    uint32_t length;
    uint8_t *copy = inf_open_merge(t, INF_STATUS_RUNNING, &length);
    if (!copy)
        return INF_ENOMEM;
    inf_record_head head;
    memcpy(&head, copy, sizeof(head));
    head.flags |= INF_RECORD_CARRIED;
    head.reserved = read;
    int error = inf_journal_append(journal, INF_RECORD_BEGIN, &head, sizeof(head), copy + sizeof(head),
                                   length - (uint32_t)sizeof(head), NULL);
    if (error) {
        inf_os.free(copy);
        return error;
    }
    inf_os.free(t->copy);
    t->copy = copy;
    t->begin = copy;
    t->begin_length = length;
    t->events.length = 0;
    t->carrying = true;
    t->hold =
        read; /* not the record's own place: the list stays in order, and all that is read from here on is later */
    unlink_trace(o, t);
    link_newest(o, t);
    return INF_OK;
}

/* What the sender does for one route: from journal records to requests, from answers to counters. See route.h.
 *
 * Two sources feed a route: the journal of this process, and, one after the other, journals that dead processes left. A
 * record is read once; its trace sits in a slot (slot.h), which points into the journal, until an answer settles it.
 * A journal is acknowledged up to the first thing that is not settled: the oldest trace in a slot, the oldest open
 * trace (open.h), or the reader's place. So a crash at any moment can only send again, never lose.
 *
 * A slot on the batch wire takes whatever has come until it can be sent. How much one request may hold starts small and
 * doubles with every full request that succeeds, and while a full one waits for the bucket, so that an unreachable
 * receiver costs little memory. The first half of the bucket's burst goes for quick answers, the rest for full
 * requests: a program that traces much must not spend its requests on few traces each. */
#include "send/route.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/os.h"
#include "send/batch.h"
#include "send/bucket.h"
#include "send/counts.h"
#include "send/native.h"
#include "send/open.h"
#include "send/reject.h"
#include "send/retry.h"
#include "send/slot.h"
#include "send/url.h"

#define SLOTS 4
#define FIRST_BATCH_BYTES (512u << 10)
#define ADOPT_EVERY_NS 30000000000u
#define SYNC_EVERY_NS 1000000000u
#define ATTACH_EVERY_NS 5000000000u
#define SHOW_AFTER_NS 1000000000u
#define SHOW_AGAIN_NS 2000000000u
#define SHOW_LOOK_NS 250000000u
#define CARRY_AFTER_NS 2000000000u
#define HURRY_EVERY_NS 1000000000u
#define PARALLEL_BYTES 65536u /* of journal not yet read: from then on single traces go several at a time */
#define READ_AGAIN_NS 100000000u
#define READ_AT_ONCE 100000 /* records in one turn, so that other routes get theirs */

struct source {
    inf_journal *journal;
    bool adopted;
    bool drained;           /* the last look found nothing more */
    uint64_t not_before_ns; /* it could not be read; not to be tried again before */
    inf_position read;
    inf_position acked;
    inf_position tail; /* at the last look */
    inf_open_table open;
};

struct inf_route_state {
    inf_route *route;
    struct source own, left;
    inf_slot slots[SLOTS];
    inf_bucket bucket;
    char *url_one, *url_batch;
    char *header_id, *header_key;

    bool known;   /* the server has answered something */
    bool batch;   /* it takes batches */
    bool failing; /* since the last success there was a failure: one request at a time */
    bool left_first;
    bool hurry; /* a flush came and no attempt was made for it yet */
    bool told;  /* the server itself said when to come back */
    inf_batch_offer offer;
    uint32_t batch_bytes;
    unsigned failures;
    uint64_t not_before_ns;
    uint64_t token_at_ns;
    uint64_t sent_at_ns; /* the last batch */
    bool moved;          /* callers have written since the last turn */

    uint64_t adopt_at_ns, sync_at_ns, show_at_ns, hurry_at_ns;
    uint64_t attach_at_ns; /* when a directory that could not be used is tried again; 0: not set */
    inf_position synced;
    inf_position last_tail;
    uint64_t settled; /* own traces, for open.h's marks */
    bool settled_now; /* in this turn */
    inf_log_cause said_unreachable, said_refused, said_set_aside, said_not_kept, said_unreadable;
    inf_log_cause said_unreadable_journal, said_version;
    long said_status;
};

static char *join(const char *a, const char *b)
{
    inf_buf text;
    inf_buf_init(&text, 16384);
    inf_buf_put_text(&text, a);
    inf_buf_put_text(&text, b);
    char *out = inf_buf_take(&text, NULL);
    inf_buf_free(&text);
    return out;
}

static char *agent_url(const inf_route *route, const char *last)
{
    inf_buf url;
    inf_buf_init(&url, 16384);
    inf_buf_put_text(&url, route->base_url);
    inf_buf_put_text(&url, "/agents/");
    for (const unsigned char *p = (const unsigned char *)route->agent_id; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_';
        if (plain)
            inf_buf_put_byte(&url, *p);
        else
            inf_buf_printf(&url, "%%%02X", *p);
    }
    inf_buf_put_text(&url, last);
    char *out = inf_buf_take(&url, NULL);
    inf_buf_free(&url);
    return out;
}

static void free_texts(inf_route_state *s)
{
    inf_os.free(s->url_one);
    inf_os.free(s->url_batch);
    inf_os.free(s->header_id);
    if (s->header_key)
        explicit_bzero(s->header_key, strlen(s->header_key));
    inf_os.free(s->header_key);
}

inf_route_state *inf_route_state_new(inf_route *route)
{
    inf_route_state *s = inf_os.calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->route = route;
    s->url_one = agent_url(route, "/trace");
    s->url_batch = agent_url(route, "/traces");
    s->header_id = join("x-agent-id: ", route->agent_id);
    s->header_key = join("x-agent-key: ", route->agent_secret);
    if (!s->url_one || !s->url_batch || !s->header_id || !s->header_key) {
        free_texts(s);
        inf_os.free(s);
        return NULL;
    }
    for (int i = 0; i < SLOTS; i++)
        inf_slot_init(&s->slots[i]);
    inf_open_init(&s->own.open);
    inf_open_init(&s->left.open);
    s->left.adopted = true;
    s->own.journal = atomic_load(&route->journal);
    if (s->own.journal)
        s->own.read = s->own.acked = inf_journal_acked(s->own.journal);
    s->batch_bytes = FIRST_BATCH_BYTES;
    inf_bucket_init(&s->bucket, route->requests_per_second, inf_mono_ns());
    return s;
}

void inf_route_state_free(inf_route_state *s, inf_engine *engine)
{
    if (!s)
        return;
    atomic_store(&s->route->in_flight, 0);
    for (int i = 0; i < SLOTS; i++) {
        inf_http_cancel(engine->http, &s->slots[i].transfer);
        inf_slot_free(&s->slots[i]);
    }
    inf_open_free(&s->own.open);
    inf_open_free(&s->left.open);
    if (s->left.journal)
        inf_journal_close(s->left.journal);
    free_texts(s);
    inf_os.free(s);
}

static struct source *source_of(inf_route_state *s, const inf_slot *slot)
{
    return slot->adopted ? &s->left : &s->own;
}

static void add_count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_release);
}

/* ---- reading ---- */

/* Takes the source's next ended trace into the slot. 1 when one was taken, 0 when there is none now. */
static int read_one(inf_route_state *s, struct source *from, inf_slot *slot, uint64_t now_ns, int *budget)
{
    while (*budget > 0 && now_ns >= from->not_before_ns) {
        inf_record record;
        if (!inf_open_room(&from->open))
            return 0; /* a record that is read and not noted would be acknowledged */
        /* Sampled before looking: what was published before the sample has been seen when nothing more is found, unless
         * the reader stands at a record that another thread is just writing. */
        inf_position tail = inf_journal_tail(from->journal);
        int found = inf_journal_next(from->journal, &record);
        if (found < 0) { /* not the end: to take what is open for unfinished would be wrong */
            from->not_before_ns = now_ns + READ_AGAIN_NS;
            inf_log_once(&s->said_unreadable_journal, INF_LOG_WARNING, "a journal cannot be read (%s); tried again",
                         inf_strerror(found));
            return 0;
        }
        if (found == 0) {
            from->drained = true;
            inf_position reading = inf_journal_reading(from->journal);
            from->tail = reading < tail ? reading : tail;
            return 0;
        }
        (*budget)--;
        from->drained = false;
        inf_position before = from->read;
        from->read = record.position;
        if (record.type == INF_RECORD_BEGIN) {
            inf_open_begin(&from->open, &record, before, now_ns);
        } else if (record.type == INF_RECORD_EVENT) {
            inf_open_event(&from->open, &record, before, now_ns);
        } else if (record.type == INF_RECORD_END) {
            inf_item item = {.payload = record.payload, .length = record.length, .hold = before};
            if (!inf_slot_add(slot, item, record.payload, record.length)) {
                inf_log_once(&s->said_unreadable, INF_LOG_WARNING, "a trace of another version is left out");
                continue;
            }
            inf_open_end(&from->open, slot->items[slot->count - 1].trace_id);
            return 1;
        }
    }
    return 0;
}

/* The oldest trace that a dead process left unfinished. */
static int take_interrupted(struct source *from, inf_slot *slot)
{
    while (from->open.oldest) {
        inf_open_trace *t = from->open.oldest;
        inf_position hold = t->hold;
        uint32_t length;
        uint8_t *merged = t->ended ? NULL : inf_open_merge(t, INF_STATUS_INTERRUPTED, &length);
        if (!merged && !t->ended)
            return 0; /* no memory now */
        inf_open_remove(&from->open, t);
        if (!merged)
            continue;
        inf_item item = {
            .payload = merged, .owned = merged, .length = length, .kind = INF_ITEM_INTERRUPTED, .hold = hold};
        if (inf_slot_add(slot, item, merged, length))
            return 1;
    }
    return 0;
}

static bool full(const inf_route_state *s, const inf_slot *slot)
{
    if (slot->count == 0)
        return false;
    if (!slot->batch)
        return true;
    uint32_t bytes = s->batch_bytes < s->offer.max_bytes ? s->batch_bytes : s->offer.max_bytes;
    return slot->count >= s->offer.max_traces || slot->lines.length >= bytes;
}

/* Puts traces of one source into the slot until it is full or there are no more. True when there is something in it. */
static bool fill(inf_route_state *s, struct source *from, inf_slot *slot, uint64_t now_ns, int *budget)
{
    if (!from->journal)
        return slot->count > 0;
    if (slot->state == INF_SLOT_EMPTY) {
        slot->adopted = from->adopted;
        slot->batch = s->batch;
        slot->state = INF_SLOT_FILLING;
    }
    while (!full(s, slot) && inf_slot_room(slot)) {
        if (read_one(s, from, slot, now_ns, budget))
            continue;
        if (from->adopted && from->drained && take_interrupted(from, slot))
            continue;
        break;
    }
    if (slot->count == 0)
        inf_slot_clear(slot);
    return slot->count > 0;
}

/* Traces that have been open for a while, as they are now. Only the batch wire knows of running traces. */
static bool show_running(inf_route_state *s, uint64_t now_ns)
{
    if (!s->batch || s->failing || now_ns < s->show_at_ns || !s->own.journal)
        return false;
    s->show_at_ns = now_ns + SHOW_LOOK_NS;
    inf_slot *slot = NULL;
    for (int i = 0; i < SLOTS && !slot; i++)
        if (s->slots[i].state == INF_SLOT_FILLING && s->slots[i].batch && !s->slots[i].adopted)
            slot = &s->slots[i];
    for (int i = 0; i < SLOTS && !slot; i++)
        if (s->slots[i].state == INF_SLOT_EMPTY)
            slot = &s->slots[i];
    if (!slot)
        return false;
    if (slot->state == INF_SLOT_EMPTY) {
        slot->batch = true;
        slot->state = INF_SLOT_FILLING;
    }
    for (inf_open_trace *t = s->own.open.oldest; t && !full(s, slot) && inf_slot_room(slot); t = t->after) {
        bool due = t->shown_ns == 0 ? now_ns - t->seen_ns >= SHOW_AFTER_NS
                                    : t->changed && now_ns - t->shown_ns >= SHOW_AGAIN_NS;
        uint32_t length;
        if (!due || t->ended)
            continue;
        uint8_t *merged = inf_open_merge(t, INF_STATUS_RUNNING, &length);
        if (!merged)
            break;
        inf_record_head head;
        memcpy(&head, merged, sizeof(head));
        uint64_t unix_ns = inf_unix_from_mono(now_ns);
        head.duration_ns = unix_ns > head.started_ns ? unix_ns - head.started_ns : 0;
        memcpy(merged, &head, sizeof(head));
        inf_item item = {.kind = INF_ITEM_RUNNING, .hold = UINT64_MAX};
        (void)inf_slot_add(slot, item, merged, length); /* shown again later if not now */
        inf_os.free(merged);
        t->shown_ns = now_ns;
        t->changed = false;
    }
    if (slot->count == 0)
        inf_slot_clear(slot);
    return slot->count > 0;
}

/* ---- settling ---- */

static void settle(inf_route_state *s, inf_slot *slot, inf_item *item)
{
    inf_route *route = s->route;
    if (item->kind == INF_ITEM_ENDED && !slot->adopted) {
        add_count(&route->acknowledged, 1);
        s->settled++;
    } else if (item->kind == INF_ITEM_ENDED) {
        add_count(&route->adopted, 1);
    } else if (item->kind == INF_ITEM_INTERRUPTED) {
        add_count(&route->interrupted, 1);
        add_count(&route->adopted, 1);
    }
    inf_os.free(item->owned);
    item->owned = NULL;
    s->settled_now = true;
}

/* The receiver will never take this trace. */
static void set_aside(inf_route_state *s, inf_slot *slot, inf_item *item, long status, const char *reason)
{
    inf_route *route = s->route;
    if (item->kind == INF_ITEM_RUNNING)
        return;
    inf_log_once(&s->said_set_aside, INF_LOG_WARNING,
                 "the receiver refuses a trace (status %ld: %s); it is set aside%s, others go on", status, reason,
                 route->directory ? " in rejected.ndjson" : "");
    if (route->directory) {
        inf_buf body;
        inf_record_head head;
        inf_fields fields;
        inf_buf_init(&body, 8u << 20);
        if (item->payload && inf_record_split(item->payload, item->length, &head, &fields))
            inf_native_body(&body, &head, fields, true);
        int error = body.error
                        ? body.error
                        : inf_reject_append(route->directory, item->trace_id, status, reason, body.data, body.length);
        inf_buf_free(&body);
        if (error)
            inf_log_once(&s->said_not_kept, INF_LOG_WARNING, "a refused trace could not be kept in rejected.ndjson: %s",
                         inf_strerror(error));
    }
    if (item->kind == INF_ITEM_ENDED && !slot->adopted) {
        add_count(&route->set_aside, 1);
        s->settled++;
    }
    inf_os.free(item->owned);
    item->owned = NULL;
    s->settled_now = true;
}

/* ---- answers ---- */

enum verdict { TAKEN, AGAIN, NOT_NOW, REFUSED };

/* The table "What the client does with an answer" of docs/wire.md. */
static enum verdict judge(const inf_http_answer *a)
{
    if (a->error || a->status < 200)
        return AGAIN;
    if (a->status < 300)
        return TAKEN;
    switch (a->status) {
    case 408:
    case 425:
    case 429:
        return AGAIN;
    case 401:
    case 403:
    case 404:
    case 405:
    case 407:
        return NOT_NOW;
    default:
        return a->status < 400 ? NOT_NOW : a->status < 500 ? REFUSED : AGAIN;
    }
}

static void back_off(inf_route_state *s, const inf_http_answer *a, uint64_t now_ns)
{
    s->failing = true;
    s->failures++;
    uint64_t wait_ms = inf_retry_delay_ms(s->failures, inf_random_u64());
    int64_t told_ms = a->retry_after[0] ? inf_retry_after_ms(a->retry_after, inf_unix_ns()) : -1;
    s->told = told_ms >= 0;
    if (s->told)
        wait_ms = (uint64_t)told_ms;
    s->not_before_ns = now_ns + wait_ms * 1000000;
    s->batch_bytes = FIRST_BATCH_BYTES;
}

static void succeeded(inf_route_state *s)
{
    s->failures = 0;
    s->failing = s->told = false;
    s->not_before_ns = 0;
    s->said_status = 0;
    bool was_unreachable = inf_log_over(&s->said_unreachable);
    bool was_refusing = inf_log_over(&s->said_refused);
    if (was_unreachable || was_refusing)
        inf_log(INF_LOG_INFO, "the receiver takes traces again");
}

struct rejection {
    inf_route_state *s;
    inf_slot *slot;
    bool *refused;
    long status;
};

static void note_rejected(void *context, size_t index, const char *reason)
{
    struct rejection *r = context;
    if (r->refused[index])
        return;
    r->refused[index] = true;
    set_aside(r->s, r->slot, &r->slot->items[r->slot->lo + index], r->status, reason);
}

/* False when the answer could not be read for want of memory: nothing is settled. */
static bool taken(inf_route_state *s, inf_slot *slot)
{
    inf_http_answer *a = &slot->transfer.answer;
    uint32_t count = slot->hi - slot->lo;
    bool *refused = NULL;
    bool whole = slot->on_batch && count == slot->count && full(s, slot);
    bool some_refused = a->body.length > 0 && memmem(a->body.data, a->body.length, "\"index\"", 7);
    if (slot->on_batch && (some_refused || a->body.error)) {
        refused = a->body.error ? NULL : inf_os.calloc(count, sizeof(*refused));
        struct rejection r = {s, slot, refused, a->status};
        if (!refused || inf_batch_each_rejected(a->body.data, a->body.length, count, note_rejected, &r) != INF_OK) {
            /* Some were refused and it cannot be told which: the receiver knows the others when they come again. */
            inf_os.free(refused);
            a->error = INF_ENOMEM;
            snprintf(a->reason, sizeof(a->reason), "%s", inf_strerror(a->error));
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        if (!refused || !refused[i])
            settle(s, slot, &slot->items[slot->lo + i]);
    inf_os.free(refused);
    slot->lo = slot->hi;
    slot->attempts = 0;
    if (whole && s->batch_bytes < s->offer.max_bytes)
        s->batch_bytes *= 2;
    succeeded(s);
    return true;
}

static void refused(inf_route_state *s, inf_slot *slot)
{
    inf_http_answer *a = &slot->transfer.answer;
    uint32_t count = slot->hi - slot->lo;
    slot->attempts = 0;
    succeeded(s); /* it does answer */
    if (count > 1) {
        slot->span = count / 2;
        return;
    }
    char reason[512];
    inf_answer_reason(a->body.data, a->body.length, a->status, reason, sizeof(reason));
    set_aside(s, slot, &slot->items[slot->lo], a->status, reason);
    slot->lo = slot->hi;
    slot->span = UINT32_MAX;
}

static void learn(inf_route_state *s, const inf_slot *slot)
{
    const inf_http_answer *a = &slot->transfer.answer;
    inf_batch_offer offer;
    if (a->error || a->status == 0)
        return;
    s->known = true;
    if (a->batch[0] && inf_batch_parse_offer(a->batch, &offer)) {
        s->offer = offer;
        s->batch = true;
        if (offer.rate > 0 && s->route->requests_per_second == INF_REQUESTS_PER_SECOND)
            s->bucket.rate = offer.rate; /* the limit spares the server, and it says what it can */
    }
}

/* How many of the request's traces are this process's own, and ended. */
static uint64_t own_traces(const inf_slot *slot)
{
    uint64_t n = 0;
    for (uint32_t i = slot->lo; i < slot->hi && !slot->adopted; i++)
        n += slot->items[i].kind == INF_ITEM_ENDED;
    return n;
}

static void take_answer(inf_route_state *s, inf_slot *slot, uint64_t now_ns)
{
    inf_http_answer *a = &slot->transfer.answer;
    slot->state = INF_SLOT_WAITING;
    atomic_fetch_sub(&s->route->in_flight, own_traces(slot));
    slot->attempts++;
    learn(s, slot);
    switch (judge(a)) {
    case TAKEN:
        if (!taken(s, slot))
            back_off(s, a, now_ns);
        break;
    case REFUSED:
        refused(s, slot);
        break;
    case NOT_NOW:
        if (slot->on_batch && (a->status == 404 || a->status == 405) && !a->batch[0]) {
            s->batch = false; /* another server is there now, which has no batches */
            break;
        }
        if (s->said_status != a->status)
            inf_log(INF_LOG_WARNING, "the receiver answers %ld; traces are kept and tried again later%s", a->status,
                    a->status == 401 || a->status == 403 ? " (agent id and secret?)" : "");
        s->said_status = a->status;
        back_off(s, a, now_ns);
        break;
    case AGAIN:
        if (a->error)
            inf_log_once(&s->said_unreachable, INF_LOG_WARNING,
                         "the receiver cannot be reached (%s); traces are kept and sent when it answers", a->reason);
        else
            inf_log_once(&s->said_refused, INF_LOG_WARNING,
                         "the receiver answers %ld; traces are kept and sent again later", a->status);
        back_off(s, a, now_ns);
        break;
    }
    if (slot->lo >= slot->count)
        inf_slot_clear(slot);
}

/* ---- requests ---- */

/* The body of a single trace, made from its record. */
static int encode_one(inf_slot *slot, const inf_item *item, bool extras)
{
    inf_record_head head;
    inf_fields fields;
    inf_buf_reset(&slot->body);
    if (!inf_record_split(item->payload, item->length, &head, &fields))
        return INF_EBADMSG;
    inf_native_body(&slot->body, &head, fields, extras);
    return slot->body.error;
}

static int start_one(inf_route_state *s, inf_engine *engine, inf_slot *slot)
{
    inf_item *item = &slot->items[slot->lo];
    char key[64] = "Idempotency-Key: ";
    inf_id_hex(item->trace_id, key + strlen(key));
    inf_buf extra;
    inf_buf_init(&extra, INF_EXTRA_HEADER_BYTES * 8);
    const char *headers[] = {s->header_id, s->header_key, "Content-Type: application/json", key, NULL, NULL};
    int error = encode_one(slot, item, false);
    if (!error && (!s->known || s->batch)) {
        inf_record_head head;
        inf_fields fields;
        (void)inf_record_split(item->payload, item->length, &head, &fields);
        inf_buf_put_text(&extra, "Infinium-Extra: ");
        inf_native_extra(&extra, &head, fields);
        headers[4] = inf_buf_text(&extra);
        error = extra.error;
    }
    inf_http_request request = {
        .method = "POST",
        .url = s->url_one,
        .headers = headers,
        .body = slot->body.data,
        .body_length = slot->body.length,
        .timeout_ms = s->route->timeout_ms,
        .verify_tls = s->route->verify_tls,
        .user_agent = s->route->user_agent,
    };
    slot->on_batch = false;
    if (!error)
        error = inf_http_start(engine->http, &slot->transfer, &request);
    inf_buf_free(&extra);
    return error;
}

static int start_batch(inf_route_state *s, inf_engine *engine, inf_slot *slot)
{
    const inf_item *first = &slot->items[slot->lo];
    const inf_item *last = &slot->items[slot->hi - 1];
    const uint8_t *body = slot->lines.data + first->line;
    size_t length = last->line + last->line_length - first->line;
    int error = INF_OK;
    if (first->line_length == 0) {
        error = encode_one(slot, first, true);
        body = slot->body.data;
        length = slot->body.length;
    } else if (s->offer.zstd && !inf_url_is_loopback(s->route->base_url)) {
        error = inf_batch_compress(&engine->zstd, &slot->body, body, length);
        body = slot->body.data;
        length = slot->body.length;
    }
    bool packed = first->line_length > 0 && body == slot->body.data;
    char counts[INF_COUNTS_SIZE + 32] = "Infinium-Counts: ";
    inf_counts now;
    inf_route_counts(s->route, &now);
    inf_counts_text(&now, counts + strlen(counts));
    const char *headers[] = {s->header_id,
                             s->header_key,
                             "Content-Type: application/x-ndjson",
                             counts,
                             packed ? "Content-Encoding: zstd" : NULL,
                             NULL};
    inf_http_request request = {
        .method = "POST",
        .url = s->url_batch,
        .headers = headers,
        .body = body,
        .body_length = length,
        .timeout_ms = s->route->timeout_ms,
        .verify_tls = s->route->verify_tls,
        .user_agent = s->route->user_agent,
    };
    slot->on_batch = true;
    return error ? error : inf_http_start(engine->http, &slot->transfer, &request);
}

/* Sends the slot's next part. False when it cannot go now. */
static bool start(inf_route_state *s, inf_engine *engine, inf_slot *slot, uint64_t now_ns)
{
    bool batch = slot->batch && s->batch;
    /* A running trace has no place on the platform wire, and it has nothing but its line. */
    while (slot->lo < slot->count && slot->items[slot->lo].kind == INF_ITEM_RUNNING &&
           (!batch || slot->items[slot->lo].line_length == 0))
        slot->lo++;
    if (slot->lo >= slot->count) {
        inf_slot_clear(slot);
        return true;
    }
    if (!engine->http_tried) {
        engine->http_tried = true;
        engine->http = inf_http_new();
    }
    uint64_t wait = engine->http ? inf_bucket_take(&s->bucket, now_ns) : ADOPT_EVERY_NS;
    if (wait > 0) {
        s->token_at_ns = now_ns + wait;
        if (slot->state == INF_SLOT_FILLING && batch && full(s, slot) && s->batch_bytes < s->offer.max_bytes)
            s->batch_bytes *= 2;
        return false;
    }
    if (batch)
        inf_slot_choose(slot, s->offer.max_traces, s->offer.max_bytes);
    else
        slot->hi = slot->lo + 1;
    uint64_t own = own_traces(slot);
    add_count(&s->route->in_flight, own);
    int error = batch ? start_batch(s, engine, slot) : start_one(s, engine, slot);
    if (error) {
        inf_http_answer *a = &slot->transfer.answer;
        atomic_fetch_sub(&s->route->in_flight, own);
        a->error = error;
        snprintf(a->reason, sizeof(a->reason), "%s", inf_strerror(error));
        a->retry_after[0] = '\0';
        slot->state = INF_SLOT_WAITING;
        back_off(s, a, now_ns);
        return false;
    }
    add_count(&s->route->requests, 1);
    if (slot->attempts > 0)
        add_count(&s->route->retries, 1);
    slot->state = INF_SLOT_SENT;
    return true;
}

static int in_flight(const inf_route_state *s)
{
    int n = 0;
    for (int i = 0; i < SLOTS; i++)
        n += s->slots[i].state == INF_SLOT_SENT;
    return n;
}

static inf_slot *slot_in(inf_route_state *s, enum inf_slot_state state)
{
    for (int i = 0; i < SLOTS; i++)
        if (s->slots[i].state == state)
            return &s->slots[i];
    return NULL;
}

/* The next slot to send: one that has been sent before, else one that is filled now. */
static inf_slot *next_slot(inf_route_state *s, uint64_t now_ns, int *budget)
{
    inf_slot *slot = slot_in(s, INF_SLOT_WAITING);
    if (slot)
        return slot;
    slot = slot_in(s, INF_SLOT_FILLING);
    if (slot) {
        fill(s, source_of(s, slot), slot, now_ns, budget);
        return slot->count > 0 ? slot : NULL;
    }
    slot = slot_in(s, INF_SLOT_EMPTY);
    if (!slot)
        return NULL;
    s->left_first = !s->left_first; /* in turns, so that neither journal starves the other */
    struct source *first = s->left_first ? &s->left : &s->own;
    struct source *second = s->left_first ? &s->own : &s->left;
    return fill(s, first, slot, now_ns, budget) || fill(s, second, slot, now_ns, budget) ? slot : NULL;
}

/* Is it better to let the slot gather more, because requests are scarce and traces are not? */
static bool better_later(inf_route_state *s, const inf_slot *slot, uint64_t now_ns)
{
    if (!slot->batch || slot->state != INF_SLOT_FILLING || !s->moved || full(s, slot) ||
        !inf_bucket_is_low(&s->bucket, now_ns))
        return false;
    uint64_t due_ns = s->sent_at_ns + (uint64_t)(1e9 / s->bucket.rate);
    if (now_ns >= due_ns)
        return false;
    s->token_at_ns = due_ns;
    return true;
}

static bool start_requests(inf_route_state *s, inf_engine *engine, uint64_t now_ns)
{
    bool started = false;
    int budget = READ_AT_ONCE;
    s->token_at_ns = UINT64_MAX;
    show_running(s, now_ns);
    while (now_ns >= s->not_before_ns) {
        int flying = in_flight(s);
        /* Without batches traces arrive in the order in which they ended, unless many wait. */
        bool many = s->own.tail > s->own.read && s->own.tail - s->own.read > PARALLEL_BYTES;
        int most = !s->known || s->failing ? 1 : s->batch ? 2 : many ? SLOTS : 1;
        if (flying >= most)
            break;
        inf_slot *slot = next_slot(s, now_ns, &budget);
        if (!slot)
            break;
        /* A second batch goes only when it is full: what is on its way gathers the next one. */
        if (flying > 0 && slot->batch && slot->state == INF_SLOT_FILLING && !full(s, slot))
            break;
        if (better_later(s, slot, now_ns) || !start(s, engine, slot, now_ns))
            break;
        if (slot->batch)
            s->sent_at_ns = now_ns;
        started = true;
    }
    return started;
}

/* ---- journals ---- */

static inf_position lesser(inf_position a, inf_position b)
{
    return a < b ? a : b;
}

/* Where the slots let the source be acknowledged. */
static inf_position slots_hold(inf_route_state *s, const struct source *from)
{
    inf_position hold = UINT64_MAX;
    for (int i = 0; i < SLOTS; i++)
        if (s->slots[i].state != INF_SLOT_EMPTY && s->slots[i].adopted == from->adopted)
            hold = lesser(hold, inf_slot_hold(&s->slots[i]));
    return hold;
}

static void carry_open(inf_route_state *s, inf_position upto, uint64_t now_ns)
{
    inf_open_table *o = &s->own.open;
    inf_open_trace *next;
    uint32_t left = o->count;
    for (inf_open_trace *t = o->oldest; t && left > 0 && t->hold < upto; t = next, left--) {
        next = t->after;
        if (t->ended || now_ns - t->held_ns < CARRY_AFTER_NS || t->held_mark == s->settled)
            continue;
        t->held_ns = now_ns;
        t->held_mark = s->settled;
        if (inf_open_carry(o, t, s->own.journal, s->own.read) != INF_OK)
            return; /* full or no memory: it stays where it is */
    }
}

static void acknowledge(inf_route_state *s, struct source *from, uint64_t now_ns)
{
    if (!from->journal)
        return;
    inf_position upto = lesser(from->read, slots_hold(s, from));
    if (!from->adopted && inf_open_hold(&from->open) < upto)
        carry_open(s, upto, now_ns);
    upto = lesser(upto, inf_open_hold(&from->open));
    if (upto > from->acked && inf_journal_ack(from->journal, upto) == INF_OK)
        from->acked = upto;
}

/* Tells flushes how far the own journal's ended traces are settled. */
static void publish_settled(inf_route_state *s)
{
    if (!s->own.journal)
        return;
    inf_position hold = slots_hold(s, &s->own);
    inf_position at = hold == UINT64_MAX ? (s->own.drained ? s->own.tail : s->own.read) : hold;
    if (at > atomic_load_explicit(&s->route->settled_position, memory_order_relaxed)) {
        atomic_store_explicit(&s->route->settled_position, at, memory_order_release);
        s->settled_now = true;
    }
}

/* Gives back a dead process's journal that is done with, and takes over the next one. */
static void adopt(inf_route_state *s, uint64_t now_ns)
{
    struct source *left = &s->left;
    if (left->journal) {
        if (!left->drained || left->open.count > 0 || slots_hold(s, left) != UINT64_MAX || left->acked != left->read)
            return;
        inf_journal_close(left->journal);
        left->journal = NULL;
        inf_open_free(&left->open);
        s->adopt_at_ns = 0; /* there may be more */
    }
    /* Also where no journal of one's own can be made: the disk may be full of what waits here. */
    const char *directory = s->route->directory ? s->route->directory : s->route->wanted_directory;
    if (!directory || now_ns < s->adopt_at_ns)
        return;
    s->adopt_at_ns = now_ns + ADOPT_EVERY_NS;
    int adopted = inf_journal_adopt(&left->journal, directory);
    if (adopted == INF_EVERSION)
        inf_log_once(&s->said_version, INF_LOG_WARNING, "%s holds a journal of another version; it is left alone",
                     directory);
    if (adopted == 1) {
        left->read = left->acked = inf_journal_acked(left->journal);
        left->drained = false;
        return;
    }
    left->journal = NULL;
    if (atomic_exchange(&s->route->adopting, false))
        s->settled_now = true;
}

/* A directory that could not be used at first may be usable by now: the disk is mounted, the rights are given. */
static void attach(inf_route_state *s, uint64_t now_ns)
{
    inf_route *route = s->route;
    if (s->attach_at_ns == 0)
        s->attach_at_ns = now_ns + ATTACH_EVERY_NS;
    if (now_ns < s->attach_at_ns)
        return;
    s->attach_at_ns = now_ns + ATTACH_EVERY_NS;
    if (inf_journal_attach(s->own.journal, route->wanted_directory) != INF_OK)
        return;
    inf_log(INF_LOG_WARNING, "the journal directory %s can be used now; traces are kept there",
            route->wanted_directory);
    route->directory = route->wanted_directory;
    route->wanted_directory = NULL;
}

/* True when callers have written since the last turn: segments may be wanted soon. */
static bool keep_house(inf_route_state *s, uint64_t now_ns)
{
    if (!s->own.journal)
        return false;
    if (s->route->wanted_directory)
        attach(s, now_ns);
    inf_journal_maintain(s->own.journal);
    inf_position tail = inf_journal_tail(s->own.journal);
    bool moved = tail != s->last_tail;
    s->last_tail = tail;
    if (tail != s->synced && now_ns >= s->sync_at_ns && s->route->directory) {
        s->sync_at_ns = now_ns + SYNC_EVERY_NS;
        s->synced = tail;
        (void)inf_journal_sync(s->own.journal); /* a failing disk shows when a segment cannot be made */
    }
    return moved;
}

inf_turn inf_route_turn(inf_route *route, inf_engine *engine, uint64_t now_ns)
{
    inf_route_state *s = route->state;
    inf_turn turn = {.due_ns = UINT64_MAX};
    inf_position read = s->own.read;
    s->settled_now = false;
    /* Somebody waits: no backoff keeps him longer than a second, and he may ask as often as he likes. */
    s->hurry |= atomic_exchange_explicit(&route->hurry, false, memory_order_relaxed);
    if (s->hurry && !s->told && now_ns >= s->hurry_at_ns) {
        s->hurry = false;
        s->hurry_at_ns = now_ns + HURRY_EVERY_NS;
        s->not_before_ns = 0;
    }
    turn.active = s->moved = keep_house(s, now_ns);
    for (int i = 0; i < SLOTS; i++) {
        inf_slot *slot = &s->slots[i];
        if (slot->state == INF_SLOT_SENT && !slot->transfer.running) {
            take_answer(s, slot, now_ns);
            turn.active = true;
        }
    }
    adopt(s, now_ns);
    turn.active |= start_requests(s, engine, now_ns);
    acknowledge(s, &s->own, now_ns);
    acknowledge(s, &s->left, now_ns);
    publish_settled(s);
    turn.active |= s->own.read != read;
    turn.settled = s->settled_now;
    if (slot_in(s, INF_SLOT_WAITING) || slot_in(s, INF_SLOT_FILLING)) {
        turn.due_ns = s->not_before_ns > now_ns ? s->not_before_ns : s->token_at_ns;
    } else if (s->not_before_ns > now_ns) {
        turn.due_ns = s->not_before_ns;
    }
    if (s->left.journal && s->left.drained && s->left.open.count == 0 && slots_hold(s, &s->left) == UINT64_MAX)
        turn.active = true; /* to be given back in the next turn */
    return turn;
}

/* See slot.h. */
#include "send/slot.h"

#include <string.h>

#include "base/os.h"
#include "infinium.h"
#include "send/native.h"

#define KEEP_BYTES (256u << 10)
#define MAX_LINES (128u << 20)

void inf_slot_init(inf_slot *s)
{
    memset(s, 0, sizeof(*s));
    inf_buf_init(&s->lines, MAX_LINES);
    inf_buf_init(&s->body, MAX_LINES);
    inf_http_answer_init(&s->transfer.answer);
    s->span = UINT32_MAX;
    s->hold = UINT64_MAX;
}

static void keep_little(inf_buf *b)
{
    inf_buf_reset(b);
    if (b->capacity > KEEP_BYTES)
        inf_buf_free(b);
}

void inf_slot_clear(inf_slot *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        inf_os.free(s->items[i].owned);
    s->state = INF_SLOT_EMPTY;
    s->count = s->lo = s->hi = s->attempts = s->hold_from = 0;
    s->hold = UINT64_MAX;
    s->span = UINT32_MAX;
    s->batch = s->on_batch = s->adopted = false;
    if (s->lines.capacity > KEEP_BYTES && s->lines.length < s->lines.capacity / 4)
        inf_buf_free(&s->lines); /* a quieter time */
    inf_buf_reset(&s->lines);
    keep_little(&s->body);
    keep_little(&s->transfer.answer.body);
}

void inf_slot_free(inf_slot *s)
{
    inf_slot_clear(s);
    inf_os.free(s->items);
    inf_buf_free(&s->lines);
    inf_buf_free(&s->body);
    inf_transfer_free(&s->transfer);
}

bool inf_slot_room(inf_slot *s)
{
    if (s->count < s->capacity)
        return true;
    uint32_t capacity = s->capacity ? s->capacity * 2 : 16;
    inf_item *items = inf_os.realloc(s->items, capacity * sizeof(*items));
    if (!items)
        return false;
    s->items = items;
    s->capacity = capacity;
    return true;
}

bool inf_slot_add(inf_slot *s, inf_item item, const uint8_t *payload, uint32_t length)
{
    inf_record_head head;
    inf_fields fields;
    if (!inf_record_split(payload, length, &head, &fields)) {
        inf_os.free(item.owned);
        return false;
    }
    memcpy(item.trace_id, head.trace_id, 16);
    item.line = item.line_length = 0;
    if (s->batch) {
        size_t start = s->lines.length;
        inf_native_body(&s->lines, &head, fields, true);
        inf_buf_put_byte(&s->lines, '\n');
        if (s->lines.error) {
            s->lines.length = start;
            s->lines.error = 0;
        } else {
            item.line = (uint32_t)start;
            item.line_length = (uint32_t)(s->lines.length - start);
        }
    }
    s->items[s->count++] = item;
    if (item.hold < s->hold)
        s->hold = item.hold;
    return true;
}

void inf_slot_choose(inf_slot *s, uint32_t max_traces, uint32_t max_bytes)
{
    uint32_t most = s->span < max_traces ? s->span : max_traces;
    uint64_t bytes = 0;
    s->hi = s->lo;
    while (s->hi < s->count && s->hi - s->lo < most) {
        if (s->items[s->hi].line_length == 0) { /* goes alone */
            s->hi += s->hi == s->lo;
            break;
        }
        bytes += s->items[s->hi].line_length;
        if (bytes > max_bytes && s->hi > s->lo)
            break;
        s->hi++;
    }
}

inf_position inf_slot_hold(inf_slot *s)
{
    if (s->hold_from != s->lo) { /* some were settled since: look again, at those that are left */
        s->hold = UINT64_MAX;
        for (uint32_t i = s->lo; i < s->count; i++)
            if (s->items[i].hold < s->hold)
                s->hold = s->items[i].hold;
        s->hold_from = s->lo;
    }
    return s->hold;
}

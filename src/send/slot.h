/* One request of a route, from the filling to the answer: the traces in it and the part of them that is being sent. */
#ifndef INF_SEND_SLOT_H
#define INF_SEND_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "journal/journal.h"
#include "send/http.h"

enum inf_item_kind {
    INF_ITEM_ENDED,
    INF_ITEM_RUNNING,     /* of this process, still open; nothing is owed for it */
    INF_ITEM_INTERRUPTED, /* of a dead process */
};

typedef struct inf_item {
    const uint8_t *payload; /* the record, in the journal or `owned`; NULL for a running trace */
    uint8_t *owned;
    uint32_t length;
    uint32_t line; /* where its line starts in the slot's lines */
    uint32_t line_length;
    uint8_t kind;
    uint8_t trace_id[16];
    inf_position hold; /* nothing past it may be acknowledged before this item is settled */
} inf_item;

enum inf_slot_state { INF_SLOT_EMPTY, INF_SLOT_FILLING, INF_SLOT_WAITING, INF_SLOT_SENT };

typedef struct inf_slot {
    enum inf_slot_state state;
    bool adopted;      /* its traces come from a dead process's journal */
    bool batch;        /* `lines` holds the items for the batch wire */
    bool on_batch;     /* how the request under way was sent */
    uint32_t attempts; /* of this part, answered without settling it */
    inf_item *items;
    uint32_t count, capacity;
    uint32_t lo, hi;    /* items before lo are settled; the request holds lo to hi */
    inf_position hold;  /* the smallest among the items from hold_from on */
    uint32_t hold_from; /* what lo was then */
    uint32_t span;      /* at most so many items a request, while a bad one is searched for */
    inf_buf lines;
    inf_buf body; /* compressed, or the platform wire's */
    inf_transfer transfer;
} inf_slot;

void inf_slot_init(inf_slot *s);
void inf_slot_free(inf_slot *s);

/* Empties the slot; keeps moderate memory. */
void inf_slot_clear(inf_slot *s);

/* Room for one more item, so that inf_slot_add() cannot fail for want of memory. */
bool inf_slot_room(inf_slot *s);

/* Adds an item (there must be room) and, for the batch wire, its line; without memory for the line the item is sent
 * alone later. Takes over `item.owned` in any case. False when the record cannot be read. */
bool inf_slot_add(inf_slot *s, inf_item item, const uint8_t *payload, uint32_t length);

/* Chooses lo..hi for the next request: at most `span` items and `max_bytes` of lines, at least one item. */
void inf_slot_choose(inf_slot *s, uint32_t max_traces, uint32_t max_bytes);

/* The smallest hold among the items that are not settled; UINT64_MAX: there are none. */
inf_position inf_slot_hold(inf_slot *s);

#endif

/* GET traces/{trace}/tree: the whole tree that a trace is in. From the trace up to its root, then down, level by level,
 * so that of a tree with too many traces the upper part is there. Parents are what the traces say they are: one may be
 * missing, another agent's, or, in a forged one, a trace's own descendant. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/query.h"
#include "api/summary.h"
#include "base/id.h"
#include "infinium.h"

enum { NODES_MAX = 1000, DEPTH_MAX = 1000, SLOTS = 4096, TEXT_MAX = 16 * 1024 * 1024 };

struct node {
    uint8_t id[16];
    uint64_t started_ns;
    size_t at; /* of its summary in the text */
    size_t length;
};

struct tree {
    inf_request *request;
    inf_store *store;
    struct node nodes[NODES_MAX];
    size_t count;
    uint16_t slots[SLOTS]; /* by id: place + 1 */
    bool truncated;
    inf_buf text;
};

static uint16_t *slot(struct tree *t, const uint8_t id[16])
{
    uint32_t hash;
    memcpy(&hash, id, sizeof hash);
    for (uint32_t i = hash;; i++) {
        uint16_t *s = &t->slots[i % SLOTS];
        if (*s == 0 || memcmp(t->nodes[*s - 1].id, id, 16) == 0)
            return s;
    }
}

static bool in_tree(struct tree *t, const uint8_t id[16])
{
    return *slot(t, id) != 0;
}

static int add(void *context, const inf_summary *summary)
{
    struct tree *t = context;
    if (in_tree(t, summary->trace_id) || !inf_access_sees(t->request, summary->agent_id))
        return 0;
    if (t->count == NODES_MAX) {
        t->truncated = true;
        return 0;
    }
    struct node *n = &t->nodes[t->count];
    memcpy(n->id, summary->trace_id, 16);
    n->started_ns = summary->started_ns;
    n->at = t->text.length;
    inf_json_writer w = inf_json_writer_on(&t->text);
    inf_summary_write(&w, summary);
    n->length = t->text.length - n->at;
    *slot(t, n->id) = (uint16_t)(++t->count);
    return t->text.error;
}

struct step {
    inf_request *request;
    uint8_t id[16];
    uint8_t parent_id[16];
    bool found;
};

static int look(void *context, const inf_summary *summary)
{
    struct step *s = context;
    if (!inf_access_sees(s->request, summary->agent_id))
        return 0;
    memcpy(s->id, summary->trace_id, 16);
    memcpy(s->parent_id, summary->parent_id, 16);
    s->found = true;
    return 0;
}

/* The topmost ancestor that is there and may be seen. INF_ENOTFOUND: not even the trace itself is. */
static int find_root(struct tree *t, const uint8_t id[16], uint8_t root[16])
{
    struct step s = {.request = t->request};
    int rc = inf_store_find(t->store, id, id, 1, look, &s);
    if (rc == 0 && !s.found)
        rc = INF_ENOTFOUND;
    memcpy(root, id, 16);
    for (int depth = 0; rc == 0 && depth < DEPTH_MAX && !inf_id_is_zero(s.parent_id); depth++) {
        uint8_t above[16];
        memcpy(above, s.parent_id, 16);
        if (memcmp(above, id, 16) == 0)
            break; /* a circle */
        s.found = false;
        rc = inf_store_find(t->store, above, above, 1, look, &s);
        if (rc < 0 || !s.found)
            break;
        memcpy(root, above, 16);
    }
    return rc;
}

static int collect(struct tree *t, const uint8_t root[16])
{
    int rc = inf_store_find(t->store, root, root, 1, add, t);
    for (size_t i = 0; rc == 0 && i < t->count && !t->truncated; i++)
        rc = inf_store_children(t->store, t->nodes[i].id, NODES_MAX + 1, add, t);
    return rc;
}

static int by_start(const void *one, const void *other)
{
    const struct node *a = one;
    const struct node *b = other;
    if (a->started_ns != b->started_ns)
        return a->started_ns < b->started_ns ? -1 : 1;
    return memcmp(a->id, b->id, 16);
}

static void answer(struct tree *t, const uint8_t root[16])
{
    char id[33];
    inf_id_hex(root, id);
    qsort(t->nodes, t->count, sizeof t->nodes[0], by_start);
    inf_json_writer w = inf_json_writer_on(&t->request->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "root");
    inf_json_put_text(&w, id);
    inf_json_key(&w, "truncated");
    inf_json_put_bool(&w, t->truncated);
    inf_json_key(&w, "traces");
    inf_json_begin_array(&w);
    for (size_t i = 0; i < t->count; i++)
        inf_json_put_raw(&w, t->text.data + t->nodes[i].at, t->nodes[i].length);
    inf_json_end_array(&w);
    inf_json_end_object(&w);
}

void inf_api_tree(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    uint8_t root[16];
    if (!inf_query_read(r, NULL, 0))
        return;
    if (inf_id_parse(r->segments[0], strlen(r->segments[0]), id) < 0) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no trace's id");
        return;
    }
    struct tree *t = calloc(1, sizeof *t);
    if (!t) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    t->request = r;
    t->store = worker->store;
    inf_buf_init(&t->text, TEXT_MAX);
    inf_intake_catch_up(r->receiver->intake);
    int rc = find_root(t, id, root);
    if (rc == 0)
        rc = collect(t, root);
    if (rc == INF_ENOTFOUND)
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such trace");
    else if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        answer(t, root);
    inf_buf_free(&t->text);
    free(t);
}

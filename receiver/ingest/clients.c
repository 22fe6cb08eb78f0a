/* See clients.h. */
#include "ingest/clients.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct inf_clients {
    pthread_mutex_t lock;
    unsigned count;
    inf_client_report reports[INF_CLIENTS_MAX];
};

static const struct {
    const char *name;
    size_t offset;
} members[] = {
#define X(name) {#name, offsetof(inf_client_counts, name)},
    INF_CLIENT_COUNTS(X)
#undef X
};

static bool set_member(inf_client_counts *out, const char *name, size_t length, uint64_t value)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strlen(members[i].name) == length && memcmp(members[i].name, name, length) == 0) {
            *(uint64_t *)((char *)out + members[i].offset) = value;
            return true;
        }
    }
    return false;
}

bool inf_client_counts_parse(const char *text, inf_client_counts *out)
{
    bool any = false;
    memset(out, 0, sizeof *out);
    while (*(text += strspn(text, " ;"))) {
        size_t name = strcspn(text, "=; ");
        if (text[name] != '=' || text[name + 1] < '0' || text[name + 1] > '9')
            return false;
        char *end;
        errno = 0;
        unsigned long long value = strtoull(text + name + 1, &end, 10);
        if (errno || (*end && *end != ';' && *end != ' '))
            return false;
        any = set_member(out, text, name, value) || any;
        text = end;
    }
    return any;
}

inf_clients *inf_clients_new(void)
{
    inf_clients *c = calloc(1, sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void inf_clients_free(inf_clients *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* The agent's own place, a free one, or the oldest. Batches are few: a walk is cheap. The lock is held. */
static inf_client_report *place_for(inf_clients *c, const uint8_t agent_id[16])
{
    inf_client_report *oldest = &c->reports[0];
    for (unsigned i = 0; i < c->count; i++) {
        inf_client_report *r = &c->reports[i];
        if (memcmp(r->agent_id, agent_id, 16) == 0)
            return r;
        if (r->received_ns < oldest->received_ns)
            oldest = r;
    }
    return c->count < INF_CLIENTS_MAX ? &c->reports[c->count++] : oldest;
}

void inf_clients_note(inf_clients *c, const uint8_t agent_id[16], const char *header, uint64_t now_ns)
{
    inf_client_counts counts;
    if (!header || !inf_client_counts_parse(header, &counts))
        return;
    pthread_mutex_lock(&c->lock);
    inf_client_report *r = place_for(c, agent_id);
    memcpy(r->agent_id, agent_id, 16);
    r->received_ns = now_ns;
    r->counts = counts;
    pthread_mutex_unlock(&c->lock);
}

void inf_clients_each(inf_clients *c, void (*each)(void *context, const inf_client_report *report), void *context)
{
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < c->count; i++)
        each(context, &c->reports[i]);
    pthread_mutex_unlock(&c->lock);
}

/* See connections.h. The lock guards the list and the counts, not what the connections are at: their own threads write
 * that. A connection leaves the list before its socket is closed, so what is shut here is still the same socket. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/os.h"
#include "http/connections.h"

enum { ADDRESSES = 4096, SLOWEST = 16 * 1024 /* bytes a second */ };
#define SECOND_NS 1000000000ull
#define CROWDED_NS (5 * SECOND_NS)

struct address {
    uint64_t key;
    unsigned count;
};

struct inf_connections {
    pthread_mutex_t lock;
    inf_connection *first;
    atomic_uint count;
    unsigned most;
    uint64_t seed;
    atomic_uint one_address;
    atomic_bool loopback;
    _Atomic uint64_t grace_ns;
    _Atomic uint64_t now_ns;
    inf_log_cause crowded;
    struct address addresses[ADDRESSES]; /* those that have connections; by open addressing */
    unsigned address_count;
};

inf_connections *inf_connections_new(unsigned most)
{
    inf_connections *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->most = most;
    c->seed = inf_random_u64();
    atomic_store(&c->now_ns, inf_mono_ns());
    atomic_store(&c->grace_ns, 30 * SECOND_NS);
    return c;
}

void inf_connections_free(inf_connections *c)
{
    if (!c)
        return;
    while (c->first) {
        inf_connection *next = c->first->next;
        free(c->first);
        c->first = next;
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void inf_connections_limit(inf_connections *c, unsigned one_address, bool loopback, uint64_t grace_s)
{
    atomic_store(&c->grace_ns, grace_s * SECOND_NS);
    atomic_store(&c->one_address, one_address);
    atomic_store(&c->loopback, loopback);
}

/* ---- how many an address has; the lock is held ---- */

/* Its place, or the free one where it would be. The table is never more than half full. */
static struct address *place(inf_connections *c, uint64_t key)
{
    size_t i = key % ADDRESSES;
    while (c->addresses[i].count && c->addresses[i].key != key)
        i = (i + 1) % ADDRESSES;
    return &c->addresses[i];
}

/* False: there are more addresses than are counted one by one. */
static bool add(inf_connections *c, uint64_t key)
{
    struct address *a = place(c, key);
    if (!a->count) {
        if (c->address_count >= ADDRESSES / 2)
            return false;
        c->address_count++;
        a->key = key;
    }
    a->count++;
    return true;
}

/* Moves up what stands behind a place that became free, or it would not be found any more. */
static void close_gap(inf_connections *c, size_t gap)
{
    for (size_t i = (gap + 1) % ADDRESSES; c->addresses[i].count; i = (i + 1) % ADDRESSES) {
        size_t home = c->addresses[i].key % ADDRESSES;
        if ((i + ADDRESSES - home) % ADDRESSES < (i + ADDRESSES - gap) % ADDRESSES)
            continue;
        c->addresses[gap] = c->addresses[i];
        c->addresses[i].count = 0;
        gap = i;
    }
}

static void take_away(inf_connections *c, uint64_t key)
{
    struct address *a = place(c, key);
    if (--a->count)
        return;
    c->address_count--;
    close_gap(c, (size_t)(a - c->addresses));
}

/* ---- the library's callbacks ---- */

enum MHD_Result inf_connections_accept(void *context, const struct sockaddr *address, socklen_t length)
{
    inf_connections *c = context;
    inf_peer peer;
    (void)length;
    unsigned limit = atomic_load(&c->one_address);
    inf_peer_of(address, &peer);
    if (!limit || (peer.loopback && !atomic_load(&c->loopback)))
        return MHD_YES;
    pthread_mutex_lock(&c->lock);
    bool fits = place(c, inf_peer_key(&peer, c->seed))->count < limit;
    pthread_mutex_unlock(&c->lock);
    return fits ? MHD_YES : MHD_NO;
}

static inf_connection *started(inf_connections *c, struct MHD_Connection *connection)
{
    inf_connection *n = calloc(1, sizeof *n);
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!n)
        return NULL;
    n->fd = fd ? fd->connect_fd : -1;
    inf_peer_of(from ? from->client_addr : NULL, &n->peer);
    n->key = inf_peer_key(&n->peer, c->seed);
    atomic_store(&n->since_ns, inf_mono_ns());
    pthread_mutex_lock(&c->lock);
    n->next = c->first;
    n->link = &c->first;
    if (n->next)
        n->next->link = &n->next;
    c->first = n;
    n->counted = add(c, n->key);
    pthread_mutex_unlock(&c->lock);
    return n;
}

static void ended(inf_connections *c, inf_connection *n)
{
    pthread_mutex_lock(&c->lock);
    *n->link = n->next;
    if (n->next)
        n->next->link = n->link;
    if (n->counted)
        take_away(c, n->key);
    pthread_mutex_unlock(&c->lock);
    free(n);
}

void inf_connections_notify(void *context, struct MHD_Connection *connection, void **state,
                            enum MHD_ConnectionNotificationCode code)
{
    inf_connections *c = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        atomic_fetch_add(&c->count, 1);
        *state = started(c, connection);
    } else {
        atomic_fetch_sub(&c->count, 1);
        if (*state)
            ended(c, *state);
        *state = NULL;
    }
}

/* ---- what they are at ---- */

inf_connection *inf_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void inf_connection_at(const inf_connections *c, inf_connection *n, enum inf_stage stage, uint64_t bytes)
{
    if (!n)
        return;
    if (stage == INF_STAGE_ANSWER)
        atomic_store_explicit(&n->used, true, memory_order_relaxed);
    /* too_long() reads the other way round: beside what it sees of before, a newer time does no harm. */
    atomic_store_explicit(&n->since_ns, inf_connections_now(c), memory_order_relaxed);
    atomic_store_explicit(&n->bytes, bytes, memory_order_release);
    atomic_store_explicit(&n->stage, stage, memory_order_release);
}

void inf_connection_more(const inf_connections *c, inf_connection *n, uint64_t bytes)
{
    uint64_t before = atomic_load_explicit(&n->bytes, memory_order_relaxed);
    if (atomic_load_explicit(&n->stage, memory_order_relaxed) == INF_STAGE_BODY)
        atomic_store_explicit(&n->bytes, before + bytes, memory_order_relaxed);
    else
        inf_connection_at(c, n, INF_STAGE_BODY, bytes); /* a part was worked on meanwhile */
}

static bool too_long(const inf_connection *n, uint64_t now, uint64_t grace, bool crowded)
{
    int stage = atomic_load_explicit(&n->stage, memory_order_acquire);
    uint64_t bytes = atomic_load_explicit(&n->bytes, memory_order_acquire);
    uint64_t since = atomic_load_explicit(&n->since_ns, memory_order_relaxed);
    uint64_t took = now > since ? now - since : 0;
    bool used = atomic_load_explicit(&n->used, memory_order_relaxed);
    switch (stage) {
    case INF_STAGE_HEADERS: /* a connection that was used may be idle before its next request */
        return took > (crowded && grace > CROWDED_NS ? CROWDED_NS : used ? 2 * grace : grace);
    case INF_STAGE_BODY:
    case INF_STAGE_ANSWER:
        return took > grace + bytes * (SECOND_NS / SLOWEST);
    default:
        return false;
    }
}

void inf_connections_tidy(inf_connections *c)
{
    uint64_t now = inf_mono_ns();
    bool crowded = atomic_load(&c->count) >= c->most - c->most / 10;
    uint64_t grace = atomic_load(&c->grace_ns);
    unsigned closed = 0;
    atomic_store_explicit(&c->now_ns, now, memory_order_relaxed);
    pthread_mutex_lock(&c->lock);
    for (inf_connection *n = c->first; n; n = n->next) {
        if (n->shut || !too_long(n, now, grace, crowded))
            continue;
        n->shut = true;
        closed++;
        inf_os.shutdown(n->fd, SHUT_RDWR); /* the library sees the end of it, and closes */
    }
    pthread_mutex_unlock(&c->lock);
    if (closed)
        inf_log(INF_LOG_INFO, "%u connection%s took too long and %s closed", closed, closed == 1 ? "" : "s",
                closed == 1 ? "was" : "were");
    if (crowded)
        inf_log_once(&c->crowded, INF_LOG_WARNING, "nearly all of the %u connections that there may be are taken",
                     c->most);
    else
        inf_log_over(&c->crowded);
}

uint64_t inf_connections_now(const inf_connections *c)
{
    return atomic_load_explicit(&c->now_ns, memory_order_relaxed);
}

unsigned inf_connections_count(const inf_connections *c)
{
    return atomic_load(&c->count);
}

/* The sender thread and what happens to it: start, flush, stop, fork, exit. See sender.h.
 *
 * One thread serves all routes. Callers never wake it: it looks at the journals every 2 ms while there is something to
 * do and ever more rarely, down to every 250 ms, when there is not. A flush wakes it.
 *
 * One lock guards the list of routes and the thread's life. It is never held across I/O or while a route works, so that
 * fork(), which takes it, is not delayed. Only the thread removes routes from the list (or, where there is no thread,
 * inf_route_stop()), so it may walk a copy of the list without the lock.
 *
 * In a forked child there is no thread; the child forgets its parent's journals, connections and counts without
 * touching them, and starts afresh with its next trace. At exit the thread gets a second to send what is pending. */
#include "send/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "send/batch.h"
#include "send/counts.h"
#include "send/route.h"

#define SHORTEST_WAIT_MS 2u
#define LONGEST_WAIT_MS 250u

/* With the rest of an exit not more than a second, on a busy machine too. */
#define EXIT_WAIT_MS 600  /* for traces to be taken */
#define EXIT_LEAVE_MS 800 /* from the exit's beginning, for the thread to end */
#define STOP_WAIT_MS 200  /* for the thread to let go of a route; it may be waiting for a disk */
#define DEFAULT_FLUSH_MS 30000
#define STACK_BYTES (512u << 10)

atomic_uint inf_fork_generation = 1;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t settled; /* something that a flush, a stop or the exit waits for */
    inf_route *routes;
    size_t count;
    int wake_fd;
    pthread_t thread;
    bool running; /* there is a thread */
    bool leaving; /* it is to end */
    bool exit_handled;
    inf_route **copy; /* the thread's own, as is `capacity` */
    size_t capacity;
    unsigned waiters;
    inf_engine engine; /* the thread's own while it runs */
    void *forsaken;    /* what a child could not free; kept so that it does not look lost */
} sender = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1};

static void at_exit(void);

/* ---- the loop ---- */

static void drain_wake(int fd)
{
    uint64_t value;
    while (inf_os.read(fd, &value, sizeof(value)) > 0) {
    }
}

static void wake(void)
{
    uint64_t one = 1;
    if (sender.wake_fd >= 0)
        (void)inf_os.write(sender.wake_fd, &one, sizeof(one)); /* full: it is awake already */
}

static void settle_stopped(inf_route *route);

/* Lets go of a route; the lock is held. */
static void detach(inf_route *route)
{
    for (inf_route **place = &sender.routes; *place; place = &(*place)->next) {
        if (*place == route) {
            *place = route->next;
            break;
        }
    }
    sender.count--;
    route->listed = false;
    inf_route_state_free(route->state, &sender.engine);
    route->state = NULL;
}

/* Copies the list, and lets go of the routes that are leaving; those that nobody waits for any more come out in *left.
 * The lock is held. */
static size_t copy_routes(inf_route **left)
{
    *left = NULL;
    for (inf_route *r = sender.routes, *next; r; r = next) {
        next = r->next;
        if (r->leaving) {
            detach(r);
            if (r->release) {
                r->next = *left;
                *left = r;
            }
            pthread_cond_broadcast(&sender.settled);
        }
    }
    if (sender.count > sender.capacity) {
        inf_route **bigger = inf_os.realloc(sender.copy, sender.count * 2 * sizeof(*bigger));
        if (!bigger)
            return 0; /* the next round tries again */
        sender.copy = bigger;
        sender.capacity = sender.count * 2;
    }
    size_t n = 0;
    for (inf_route *r = sender.routes; r; r = r->next)
        sender.copy[n++] = r;
    return n;
}

static void wait_a_while(unsigned wait_ms)
{
    bool moved = false;
    if (sender.engine.http)
        moved = inf_http_turn(sender.engine.http, sender.wake_fd, (int)wait_ms);
    if (!sender.engine.http) {
        struct pollfd fd = {.fd = sender.wake_fd, .events = POLLIN};
        (void)inf_os.poll(&fd, 1, (int)wait_ms);
    }
    if (!moved)
        drain_wake(sender.wake_fd);
}

static void *run(void *unused)
{
    (void)unused;
    unsigned idle_ms = SHORTEST_WAIT_MS;
    for (;;) {
        pthread_mutex_lock(&sender.lock);
        if (sender.leaving)
            break;
        inf_route *left;
        size_t count = copy_routes(&left);
        bool waiters = sender.waiters > 0;
        pthread_mutex_unlock(&sender.lock);
        for (inf_route *next; left; left = next) {
            next = left->next;
            settle_stopped(left);
            left->release(left);
        }

        bool active = false;
        bool settled = false;
        bool had_http = sender.engine.http_tried;
        uint64_t now = inf_mono_ns();
        uint64_t due = UINT64_MAX;
        for (size_t i = 0; i < count; i++) {
            inf_turn turn = inf_route_turn(sender.copy[i], &sender.engine, now);
            active |= turn.active;
            settled |= turn.settled;
            due = turn.due_ns < due ? turn.due_ns : due;
        }
        if (!had_http && sender.engine.http_tried)
            atexit(at_exit); /* exit handlers run last to first: ours before those of the libraries that curl brought */
        if (settled) {
            pthread_mutex_lock(&sender.lock);
            pthread_cond_broadcast(&sender.settled);
            pthread_mutex_unlock(&sender.lock);
        }
        idle_ms = active || waiters ? SHORTEST_WAIT_MS : idle_ms * 2 > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : idle_ms * 2;
        now = inf_mono_ns();
        uint64_t due_ms = due <= now ? 1 : (due - now) / 1000000 + 1;
        wait_a_while(due_ms < idle_ms ? (unsigned)due_ms : idle_ms);
    }
    /* The lock is held. What is under way stays in the journals. */
    sender.running = false;
    pthread_cond_broadcast(&sender.settled);
    pthread_mutex_unlock(&sender.lock);
    return NULL;
}

/* Starts the thread if there is none. The lock is held. */
static void start_thread(void)
{
    static inf_log_cause said;
    if (sender.running || sender.leaving)
        return;
    if (sender.wake_fd < 0) {
        sender.wake_fd = inf_os.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (sender.wake_fd < 0) {
            inf_log_once(&said, INF_LOG_ERROR, "the sender cannot start; traces stay in the journal");
            return;
        }
    }
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (!error) {
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
        /* The program's signals are the program's. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&sender.thread, &attributes, run, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (error) {
        inf_log_once(&said, INF_LOG_ERROR, "the sender cannot start; traces stay in the journal");
        return;
    }
    sender.running = true;
    (void)pthread_setname_np(sender.thread, "infinium");
}

/* ---- fork ---- */

static void before_fork(void)
{
    pthread_mutex_lock(&sender.lock);
    inf_http_before_fork();
}

static void after_fork_in_parent(void)
{
    inf_http_after_fork();
    pthread_mutex_unlock(&sender.lock);
}

static void forget_route(inf_route *route)
{
    inf_journal *journal = atomic_load(&route->journal);
    atomic_store(&route->journal, NULL);
    if (journal)
        inf_journal_after_fork(journal);
    atomic_store(&route->generation, 0);
    atomic_uint_fast64_t *counters[] = {
        &route->begun,     &route->ended,       &route->refused,  &route->acknowledged, &route->set_aside,
        &route->adopted,   &route->interrupted, &route->requests, &route->retries,      &route->settled_position,
        &route->in_flight,
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        atomic_store(counters[i], 0);
    atomic_store(&route->adopting, false);
    /* The thread may have been in the middle of changing its state: it cannot even be freed. */
    void **link = inf_os.malloc(2 * sizeof(*link));
    if (link) {
        link[0] = sender.forsaken;
        link[1] = route->state;
        sender.forsaken = link;
    }
    route->state = NULL;
    route->listed = route->leaving = false;
    route->next = NULL;
}

static atomic_uint waited_at_exit_ms; /* before exit(), for deliveries */

static void after_fork_in_child(void)
{
    inf_http_after_fork();
    atomic_fetch_add(&inf_fork_generation, 1);
    for (inf_route *r = sender.routes, *next; r; r = next) {
        next = r->next;
        forget_route(r);
    }
    sender.routes = NULL;
    sender.count = 0;
    sender.running = sender.leaving = false;
    sender.waiters = 0;
    void **link = inf_os.malloc(3 * sizeof(*link));
    if (link) {
        link[0] = sender.forsaken;
        link[1] = sender.engine.http;
        link[2] = sender.engine.zstd;
        sender.forsaken = link;
    }
    sender.engine = (inf_engine){0};
    sender.exit_handled = false;
    atomic_store(&waited_at_exit_ms, 0);
    if (sender.wake_fd >= 0)
        inf_os.close(sender.wake_fd);
    sender.wake_fd = -1;
    pthread_cond_t fresh = PTHREAD_COND_INITIALIZER; /* threads of the parent may have been waiting on the old one */
    sender.settled = fresh;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sender.settled, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_unlock(&sender.lock);
}

/* ---- waiting ---- */

static struct timespec deadline_after(int timeout_ms)
{
    uint64_t at = inf_mono_ns() + (uint64_t)timeout_ms * 1000000;
    return (struct timespec){(time_t)(at / 1000000000), (long)(at % 1000000000)};
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_acquire);
}

static uint64_t settled_count(const inf_route *route)
{
    return load(&route->acknowledged) + load(&route->set_aside) + load(&route->refused);
}

/* Both are needed: the position alone could pass a trace whose END is being appended at this moment, the count alone
 * could be reached with traces that ended later. */
static bool is_settled(inf_route *route, uint64_t ended, inf_position tail)
{
    return settled_count(route) >= ended && load(&route->settled_position) >= tail && !atomic_load(&route->adopting);
}

int inf_route_flush(inf_route *route, int timeout_ms)
{
    if (atomic_load(&route->generation) != inf_generation())
        return INF_OK; /* nothing began in this process */
    inf_journal *journal = atomic_load(&route->journal);
    uint64_t ended = load(&route->ended);
    inf_position tail = journal ? inf_journal_tail(journal) : 0;
    if (!journal && settled_count(route) >= ended)
        return INF_OK;
    struct timespec deadline = deadline_after(timeout_ms < 0 ? DEFAULT_FLUSH_MS : timeout_ms);
    int result = INF_OK;
    atomic_store(&route->hurry, true);
    pthread_mutex_lock(&sender.lock);
    start_thread();
    sender.waiters++;
    wake();
    while (!is_settled(route, ended, tail)) {
        if (!sender.running || pthread_cond_timedwait(&sender.settled, &sender.lock, &deadline) == ETIMEDOUT) {
            result = is_settled(route, ended, tail) ? INF_OK : INF_ETIMEDOUT;
            break;
        }
    }
    sender.waiters--;
    pthread_mutex_unlock(&sender.lock);
    return result;
}

void inf_route_counts(const inf_route *route, inf_counts *out)
{
    /* What is settled is read before what has ended, and that before what has begun: each can only be larger later. */
    out->acknowledged = load(&route->acknowledged);
    out->set_aside = load(&route->set_aside);
    out->refused = load(&route->refused);
    out->finished = load(&route->ended);
    out->begun = load(&route->begun);
    out->pending = out->finished - out->acknowledged - out->set_aside - out->refused;
    out->open = out->begun - out->finished;
    out->adopted = load(&route->adopted);
    out->interrupted = load(&route->interrupted);
    out->requests = load(&route->requests);
    out->retries = load(&route->retries);
    /* Read at another instant than the rest: the smaller of the two, so that it adds up. */
    uint64_t in_flight = load(&route->in_flight);
    out->sent = in_flight < out->pending ? in_flight : out->pending;
    out->queued = out->pending - out->sent;
}

/* The numbers of a client that goes, if not all of its traces have arrived. */
static void log_counts(const inf_route *route)
{
    inf_counts counts;
    char text[INF_COUNTS_SIZE];
    inf_route_counts(route, &counts);
    bool whole = counts.begun == counts.acknowledged;
    inf_counts_text(&counts, text);
    inf_log(whole ? INF_LOG_INFO : INF_LOG_WARNING, "traces of agent %.40s: %s", route->agent_id, text);
}

/* ---- exit ---- */

/* Traces that no receiver has yet; the lock is held. */
static uint64_t all_pending(uint64_t *in_memory)
{
    uint64_t pending = 0;
    *in_memory = 0;
    for (inf_route *r = sender.routes; r; r = r->next) {
        inf_counts counts;
        inf_route_counts(r, &counts);
        pending += counts.pending;
        if (!r->directory)
            *in_memory += counts.pending;
    }
    return pending;
}

void inf_sender_waited_at_exit(unsigned ms)
{
    atomic_fetch_add(&waited_at_exit_ms, ms < EXIT_LEAVE_MS ? ms : EXIT_LEAVE_MS);
}

static struct timespec deadline_at_exit(unsigned limit_ms)
{
    unsigned waited = atomic_load(&waited_at_exit_ms);
    return deadline_after(waited < limit_ms ? (int)(limit_ms - waited) : 0);
}

static void at_exit(void)
{
    struct timespec deadline = deadline_at_exit(EXIT_WAIT_MS);
    struct timespec last = deadline_at_exit(EXIT_LEAVE_MS);
    uint64_t in_memory = 0;
    pthread_mutex_lock(&sender.lock);
    if (sender.exit_handled) {
        pthread_mutex_unlock(&sender.lock);
        return;
    }
    sender.exit_handled = true;
    bool join = sender.running;
    uint64_t pending = all_pending(&in_memory);
    if (sender.running && pending > 0) {
        for (inf_route *r = sender.routes; r; r = r->next)
            atomic_store(&r->hurry, true);
        sender.waiters++;
        wake();
        while (sender.running && (pending = all_pending(&in_memory)) > 0 &&
               pthread_cond_timedwait(&sender.settled, &sender.lock, &deadline) != ETIMEDOUT) {
        }
        sender.waiters--;
    }
    /* Libraries that the thread uses are about to run their own exit handlers. */
    sender.leaving = true;
    wake();
    while (sender.running && pthread_cond_timedwait(&sender.settled, &sender.lock, &last) != ETIMEDOUT) {
    }
    join = join && !sender.running;
    pthread_mutex_unlock(&sender.lock);
    if (join)
        pthread_join(sender.thread, NULL); /* it has left its loop */
    pthread_mutex_lock(&sender.lock);
    for (inf_route *r = sender.routes; r; r = r->next)
        log_counts(r);
    pthread_mutex_unlock(&sender.lock);
    if (pending > in_memory)
        inf_log(INF_LOG_WARNING, "%llu traces stay in the journal; the next client of the same agent sends them",
                (unsigned long long)(pending - in_memory));
    if (in_memory > 0)
        inf_log(INF_LOG_WARNING, "%llu traces that were kept in memory are lost", (unsigned long long)in_memory);
}

static void init(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sender.settled, &attributes);
    pthread_condattr_destroy(&attributes);
    (void)inf_random_u64(); /* its fork handler must be there before ours */
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    atexit(at_exit);
}

void inf_sender_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init);
}

/* ---- routes ---- */

bool inf_route_has_leftovers(const inf_route *route)
{
    bool found = false;
    DIR *dir = route->directory ? inf_os.opendir(route->directory) : NULL;
    if (!dir)
        return false;
    for (struct dirent *entry; !found && (entry = inf_os.readdir(dir));)
        found = strncmp(entry->d_name, "w-", 2) == 0;
    inf_os.closedir(dir);
    return found;
}

static inf_journal *open_journal(inf_route *route)
{
    inf_journal *journal = NULL;
    if (route->wanted_directory) { /* the parent process could not use it */
        route->directory = route->wanted_directory;
        route->wanted_directory = NULL;
    }
    inf_journal_options options = {.dir = route->directory, .max_bytes = route->journal_max_bytes};
    int error = inf_journal_open(&journal, &options);
    if (error && route->directory) {
        inf_log_once(&route->said_memory, INF_LOG_WARNING,
                     "the journal directory %s cannot be used (%s); traces are kept in memory until they are sent "
                     "or it can be used",
                     (char *)route->directory, inf_strerror(error));
        route->wanted_directory = route->directory;
        route->directory = NULL;
        options.dir = NULL;
        error = inf_journal_open(&journal, &options);
    }
    if (error) {
        inf_log_once(&route->said_memory, INF_LOG_ERROR, "no journal can be kept (%s); traces are refused and counted",
                     inf_strerror(error));
        return NULL;
    }
    return journal;
}

void inf_route_start(inf_route *route)
{
    pthread_mutex_lock(&sender.lock);
    if (atomic_load(&route->generation) == inf_generation()) {
        pthread_mutex_unlock(&sender.lock);
        return;
    }
    inf_journal *journal = open_journal(route);
    atomic_store(&route->journal, journal);
    atomic_store(&route->adopting, journal && (route->directory || route->wanted_directory));
    route->state = journal ? inf_route_state_new(route) : NULL;
    if (route->state) {
        route->next = sender.routes;
        sender.routes = route;
        route->listed = true;
        sender.count++;
    } else if (journal) {
        atomic_store(&route->journal, NULL);
        atomic_store(&route->adopting, false);
        inf_journal_close(journal);
    }
    start_thread();
    wake();
    atomic_store_explicit(&route->generation, inf_generation(), memory_order_release);
    pthread_mutex_unlock(&sender.lock);
}

/* The thread has let go of it: the end of its journal and of its counts. */
static void settle_stopped(inf_route *route)
{
    inf_counts counts;
    inf_route_counts(route, &counts);
    inf_journal *journal = atomic_exchange(&route->journal, NULL);
    if (counts.pending > 0 && !route->directory) {
        atomic_fetch_add(&route->refused, counts.pending);
        inf_log(INF_LOG_WARNING, "%llu traces that were kept in memory are lost", (unsigned long long)counts.pending);
    }
    log_counts(route);
    if (journal)
        inf_journal_close(journal);
}

void inf_route_stop(inf_route *route, void (*release)(inf_route *route))
{
    if (atomic_load(&route->generation) != inf_generation()) {
        release(route);
        return;
    }
    struct timespec deadline = deadline_after(STOP_WAIT_MS);
    pthread_mutex_lock(&sender.lock);
    route->leaving = true;
    wake();
    while (route->listed && sender.running &&
           pthread_cond_timedwait(&sender.settled, &sender.lock, &deadline) != ETIMEDOUT) {
    }
    if (route->listed && sender.running) { /* the thread waits for a disk: what is left to do is its own now */
        route->release = release;
        pthread_mutex_unlock(&sender.lock);
        return;
    }
    if (route->listed)
        detach(route);
    pthread_mutex_unlock(&sender.lock);
    settle_stopped(route);
    release(route);
}

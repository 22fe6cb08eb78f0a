/* Putting a receiver together and taking it apart. The order of the ending matters: first nobody may start to wait,
 * then everybody who waits is answered, then the connections close, then what was accepted is stored. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auth/slow.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/listen.h"
#include "http/tls.h"
#include "infinium.h"
#include "receiver.h"
#include "systemd.h"

enum { PRICES_ROUNDS = 20 }; /* of the keeper, between two looks at the file of prices */
#define KEEP_NS 100000000l
#define SAY_NS 2000000000ull
#define EXTEND_US 30000000u
#define STUCK_NS 20000000000ull

static void stored(void *context)
{
    inf_receiver *receiver = context;
    if (receiver->hub)
        inf_hub_wake(receiver->hub);
}

static bool viewed(void *context)
{
    inf_receiver *receiver = context;
    return receiver->hub && inf_hub_viewers(receiver->hub) > 0;
}

static void wants_care(void *context)
{
    inf_receiver *r = context;
    pthread_mutex_lock(&r->keeper_lock);
    r->woken = true;
    pthread_cond_signal(&r->keeper_work);
    pthread_mutex_unlock(&r->keeper_lock);
}

static void log_line(void *context, bool wrong, const char *line)
{
    (void)context;
    inf_log(wrong ? INF_LOG_WARNING : INF_LOG_INFO, "%s", line);
}

/* A file of prices that has changed counts from now on. */
static void look_at_prices(inf_receiver *r, void (*say)(void *context, bool wrong, const char *line), void *context)
{
    char text[INF_RECEIVER_MESSAGE_SIZE], line[sizeof text + 80];
    int rc = inf_price_book_refresh(r->prices, text, sizeof text);
    if (rc == 0)
        return;
    if (rc > 0)
        inf_price_book_describe(r->prices, text, sizeof text);
    snprintf(line, sizeof line, rc > 0 ? "prices: %s" : "the new prices are not taken, the old ones go on: %s", text);
    say(context, rc < 0, line);
}

/* Housekeeping: agents that another process changed, and the journal's next segment. */
static void *keep(void *context)
{
    inf_receiver *r = context;
    inf_log_cause trouble = {0};
    unsigned lost = inf_keys_lost(r->keys);
    unsigned rounds = 0;
    (void)pthread_setname_np(pthread_self(), "keeper");
    pthread_mutex_lock(&r->keeper_lock);
    while (!r->stopping) {
        pthread_mutex_unlock(&r->keeper_lock);
        atomic_store(&r->kept_ns, inf_mono_ns());
        inf_intake_maintain(r->intake);
        if (atomic_load(&r->serving))
            inf_http_tidy(r->http);
        if (++rounds % PRICES_ROUNDS == 0)
            look_at_prices(r, log_line, NULL);
        int rc = inf_keys_refresh(r->keys);
        if (rc < 0)
            inf_log_once(&trouble, INF_LOG_WARNING, "the agents and keys cannot be read: %s", inf_strerror(rc));
        if (lost != inf_keys_lost(r->keys)) {
            lost = inf_keys_lost(r->keys);
            inf_hub_cut(r->hub);
        }
        pthread_mutex_lock(&r->keeper_lock);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += KEEP_NS;
        if (until.tv_nsec >= 1000000000l) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000l;
        }
        if (!r->stopping && !r->woken)
            pthread_cond_timedwait(&r->keeper_work, &r->keeper_lock, &until);
        r->woken = false;
    }
    pthread_mutex_unlock(&r->keeper_lock);
    return NULL;
}

static void init_locks(inf_receiver *r)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->keeper_work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&r->keeper_lock, NULL);
}

static int start_keeper(inf_receiver *r)
{
    r->keeping = pthread_create(&r->keeper, NULL, keep, r) == 0;
    return r->keeping ? 0 : INF_ESYS;
}

static void stop_keeper(inf_receiver *r)
{
    if (!r->keeping)
        return;
    pthread_mutex_lock(&r->keeper_lock);
    r->stopping = true;
    pthread_cond_signal(&r->keeper_work);
    pthread_mutex_unlock(&r->keeper_lock);
    pthread_join(r->keeper, NULL);
    r->keeping = false;
}

struct recovery {
    uint64_t pending; /* traces, as far as could be counted */
    uint64_t read;
    uint64_t began_ns, said_ns;
};

/* A long recovery says where it is, and asks systemd for more time. */
static void say_progress(void *context, uint64_t read)
{
    struct recovery *v = context;
    uint64_t now = inf_mono_ns();
    v->read = read;
    if (now - v->said_ns < SAY_NS)
        return;
    v->said_ns = now;
    inf_log(INF_LOG_INFO, "recovering: %" PRIu64 " of %" PRIu64 " trace%s accepted before", read, v->pending,
            v->pending == 1 ? "" : "s");
    inf_systemd_notify("STATUS=recovering: %" PRIu64 " of %" PRIu64 " trace%s\nEXTEND_TIMEOUT_USEC=%u", read,
                       v->pending, v->pending == 1 ? "" : "s", EXTEND_US);
}

/* A token is made only after the store. */
static void warn_of_lost_store(const char *dir)
{
    char store[PATH_MAX], token[PATH_MAX];
    struct stat st;
    if (inf_directory_join(store, sizeof store, dir, "infinium.db") < 0 ||
        inf_directory_join(token, sizeof token, dir, "read.token") < 0 || access(token, F_OK) != 0)
        return;
    bool there = stat(store, &st) == 0;
    if (there ? st.st_size == 0 : errno == ENOENT)
        inf_log(
            INF_LOG_ERROR,
            "%s is %s, in a directory that was used before: a new store begins without the traces, agents and keys of "
            "the old one. To go back to it: stop, put it or a backup there, start",
            store, there ? "empty" : "missing");
}

/* Makes the store when it is new, and takes over what an ended receiver left. */
static int recover(inf_receiver *r, char *message)
{
    inf_store *store;
    struct recovery v = {.began_ns = inf_mono_ns()};
    v.said_ns = v.began_ns;
    (void)inf_journal_peek(r->directory.journal, &v.pending);
    warn_of_lost_store(r->directory.path);
    int rc = inf_store_open(&store, r->directory.path, INF_STORE_CREATE);
    if (rc == 0)
        rc = inf_drain_leftovers(store, r->directory.journal, &r->recovered, &r->recovered_skipped, say_progress, &v);
    if (rc < 0)
        snprintf(message, INF_RECEIVER_MESSAGE_SIZE, "the store in %s cannot be used: %s (%s)", r->directory.path,
                 inf_store_message(store), inf_strerror(rc));
    else if (v.read > 0)
        inf_log(INF_LOG_INFO,
                "recovered %" PRIu64 " trace%s accepted before and not yet stored, in %.1f s (%" PRIu64
                " more in the journal were stored already)",
                r->recovered, r->recovered == 1 ? "" : "s", (double)(inf_mono_ns() - v.began_ns) / 1e9,
                v.read - r->recovered);
    inf_store_close(store);
    return rc;
}

static int take_directory(inf_receiver *r, const char *dir, char *message)
{
    char holder[600] = "";
    int rc = inf_directory_take(&r->directory, dir, true, holder, sizeof holder);
    if (rc == INF_EEXIST) {
        size_t pid = strcspn(holder, " ");
        snprintf(message, INF_RECEIVER_MESSAGE_SIZE, "another receiver, process %.*s%s%s, has the directory %s",
                 (int)pid, holder, holder[pid] ? " at" : "", holder + pid, dir);
    } else if (rc < 0) {
        snprintf(message, INF_RECEIVER_MESSAGE_SIZE, "the directory %s cannot be used: %s", dir,
                 rc == INF_EINVAL ? "it, or what it is in, is no directory" : inf_strerror(rc));
    }
    return rc;
}

int inf_serve_check(const inf_serve_options *options, char *message, size_t size)
{
    if (!options->tls_cert != !options->tls_key) {
        snprintf(message, size, "--tls-cert and --tls-key belong together: the certificate and its key");
        return INF_EINVAL;
    }
    int rc = options->passed_socket > 0 ? 0 : inf_listen_check(options, message, size);
    return rc < 0 ? rc : inf_judge_settings_check(options, message, size);
}

static int use_tls(inf_receiver *r, const inf_serve_options *options, char *message)
{
    snprintf(r->names, sizeof r->names, "%s", options->hosts ? options->hosts : "");
    r->tls = options->tls_cert != NULL;
    if (!r->tls)
        return 0;
    snprintf(r->certificate, sizeof r->certificate, "%s", options->tls_cert);
    snprintf(r->key, sizeof r->key, "%s", options->tls_key);
    return inf_tls_load(r->certificate, r->key, message, INF_RECEIVER_MESSAGE_SIZE);
}

/* Reads the certificate and its key again. On failure what was there stays. */
static void reload_tls(inf_receiver *r, void (*say)(void *context, bool wrong, const char *line), void *context)
{
    char message[INF_RECEIVER_MESSAGE_SIZE] = "", line[sizeof message + 80];
    int rc = inf_tls_load(r->certificate, r->key, message, sizeof message);
    snprintf(line, sizeof line, rc < 0 ? "%s; the certificate stays as it was" : "the TLS certificate was read again",
             *message ? message : inf_strerror(rc));
    say(context, rc < 0, line);
}

static int start(inf_receiver *r, const inf_serve_options *options, char *message)
{
    r->metrics = inf_metrics_new();
    r->clients = inf_clients_new();
    int rc = r->metrics && r->clients ? inf_serve_check(options, message, INF_RECEIVER_MESSAGE_SIZE) : INF_ENOMEM;
    /* What the options name is looked at before anything is made or locked. */
    if (rc == 0)
        rc = use_tls(r, options, message);
    if (rc == 0)
        rc = inf_price_book_open(&r->prices, options->prices, options->data_dir, message, INF_RECEIVER_MESSAGE_SIZE);
    if (rc == 0)
        rc = take_directory(r, options->data_dir, message);
    if (rc == 0)
        rc = inf_directory_share(&r->directory);
    if (rc == 0)
        rc = recover(r, message);
    if (rc == 0)
        inf_directory_ready(&r->directory);
    if (rc == 0)
        rc = inf_read_token(r->directory.path, r->read_token);
    if (rc == 0)
        rc = inf_admin_token(r->directory.path, r->admin_token);
    if (rc == 0)
        rc = inf_keys_open(&r->keys, r->directory.path);
    if (rc == 0)
        rc = inf_hub_open(&r->hub, r->directory.path);
    if (rc == 0)
        rc = inf_exports_open(&r->exports, r->directory.path);
    if (rc == 0)
        rc = inf_intake_open(&r->intake, &r->directory, options->journal_max_bytes,
                             (inf_drain_owner){.stored = stored, .viewed = viewed, .context = r}, wants_care);
    if (rc == 0)
        rc = inf_upkeep_start(&r->upkeep, r->directory.path, &r->upkeep_limits);
    if (rc == 0)
        rc = inf_judge_start(&r->judge, options, r->directory.path, r->prices, message, INF_RECEIVER_MESSAGE_SIZE);
    if (rc == 0)
        rc = start_keeper(r);
    if (rc == 0)
        rc = inf_workers_start(&r->workers, r);
    if (rc == 0)
        rc = inf_slow_start(&r->slow, r);
    if (rc == 0)
        rc = inf_http_listen(&r->http, r, options, message, INF_RECEIVER_MESSAGE_SIZE);
    atomic_store(&r->serving, rc == 0);
    if (rc == 0)
        rc = inf_directory_announce(&r->directory, r->url);
    return rc;
}

int inf_receiver_start(inf_receiver **out, const inf_serve_options *options, char message[INF_RECEIVER_MESSAGE_SIZE])
{
    char unused[INF_RECEIVER_MESSAGE_SIZE];
    if (!message)
        message = unused;
    message[0] = 0;
    *out = NULL;
    inf_receiver *r = calloc(1, sizeof *r);
    if (!r || !options->data_dir) {
        snprintf(message, INF_RECEIVER_MESSAGE_SIZE, "%s", r ? "no data directory is given" : "out of memory");
        free(r);
        return r ? INF_EINVAL : INF_ENOMEM;
    }
    r->directory.lock = -1;
    r->started_ns = inf_unix_ns();
    atomic_store(&r->kept_ns, inf_mono_ns());
    init_locks(r);
    inf_receiver_reload(r, options, log_line, NULL);
    int rc = start(r, options, message);
    if (rc < 0) {
        if (!*message)
            snprintf(message, INF_RECEIVER_MESSAGE_SIZE, "%s", inf_strerror(rc));
        inf_receiver_stop(r);
        return rc;
    }
    *out = r;
    return 0;
}

void inf_receiver_reload(inf_receiver *r, const inf_serve_options *options,
                         void (*say)(void *context, bool wrong, const char *line), void *context)
{
    atomic_store(&r->shutdown_s, options->shutdown_s);
    atomic_store(&r->upkeep_limits.days, options->retention_days);
    atomic_store(&r->upkeep_limits.bytes, (int64_t)options->retention_bytes);
    if (atomic_load(&r->serving)) {
        inf_http_limit(r->http, options);
        if (r->tls)
            reload_tls(r, say, context);
    }
    if (r->prices)
        look_at_prices(r, say, context);
}

void inf_receiver_stop(inf_receiver *r)
{
    if (!r)
        return;
    atomic_store(&r->ending, true);
    inf_http_quiesce(r->http);
    inf_slow_stop(r->slow);
    inf_workers_stop(r->workers);
    inf_judge_stop(r->judge); /* nobody reads its numbers any more */
    inf_intake_stop(r->intake);
    inf_hub_stop(r->hub);
    inf_exports_stop(r->exports);
    stop_keeper(r);
    inf_http_stop(r->http);
    if (r->tls)
        inf_tls_unload();
    inf_intake_close(r->intake, (int)atomic_load(&r->shutdown_s) * 1000);
    inf_upkeep_stop(r->upkeep);
    inf_hub_close(r->hub);
    inf_workers_close(r->workers);
    inf_slow_close(r->slow);
    inf_exports_close(r->exports);
    inf_keys_close(r->keys);
    inf_price_book_close(r->prices);
    inf_directory_release(&r->directory);
    inf_metrics_free(r->metrics);
    inf_clients_free(r->clients);
    pthread_cond_destroy(&r->keeper_work);
    pthread_mutex_destroy(&r->keeper_lock);
    free(r);
}

bool inf_receiver_moves(const inf_receiver *r)
{
    return inf_mono_ns() - atomic_load(&r->kept_ns) < STUCK_NS;
}

const char *inf_receiver_url(const inf_receiver *r)
{
    return r->url;
}

int inf_receiver_port(const inf_receiver *r)
{
    return r->port;
}

uint64_t inf_receiver_recovered(const inf_receiver *r)
{
    return r->recovered;
}

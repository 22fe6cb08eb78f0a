/* The SQLite store: opening, kept statements, errors. WAL, so that readers and the one writer do not wait for each
 * other; synchronous=FULL, so that a committed batch survives a power cut. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/os.h"
#include "store/sqlite_list.h"
#include "store/tally.h"

static const char file_name[] = "infinium.db";

static const char *const statement_sql[] = {
#define X(name, sql) sql,
    INF_STORE_STATEMENTS(X)
#undef X
};

const char *inf_store_message(const inf_store *store)
{
    return store && store->message[0] ? store->message : "no error";
}

int inf_sqlite_error(inf_store *store, int code)
{
    snprintf(store->message, sizeof store->message, "%s", sqlite3_errmsg(store->db));
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return INF_ENOMEM;
    case SQLITE_FULL:
        return INF_ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return INF_ETIMEDOUT;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return INF_EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return INF_EBADMSG;
    case SQLITE_CONSTRAINT:
        return INF_EEXIST;
    case SQLITE_TOOBIG:
        return INF_E2BIG;
    default:
        return INF_EIO;
    }
}

int inf_sqlite_prepare(inf_store *store, sqlite3_stmt **out, const char *sql)
{
    *out = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, out, NULL);
    return code == SQLITE_OK ? 0 : inf_sqlite_error(store, code);
}

sqlite3_stmt *inf_sqlite_statement(inf_store *store, enum inf_store_statement which)
{
    sqlite3_stmt **slot = &store->statements[which];
    if (!*slot) {
        int code = sqlite3_prepare_v3(store->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
        if (code != SQLITE_OK)
            inf_sqlite_error(store, code);
    }
    return *slot;
}

int inf_sqlite_finish(inf_store *store, sqlite3_stmt *statement)
{
    int step = sqlite3_step(statement);
    int rc = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : inf_sqlite_error(store, step);
    sqlite3_reset(statement);
    return rc;
}

int inf_sqlite_run(inf_store *store, enum inf_store_statement which)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, which);
    return s ? inf_sqlite_finish(store, s) : INF_EIO;
}

int inf_sqlite_end(inf_store *store, int rc)
{
    if (rc >= 0) {
        int committed = inf_sqlite_run(store, INF_STMT_COMMIT);
        rc = committed < 0 ? committed : rc;
    }
    if (rc < 0)
        inf_tally_drop(store); /* whoever rolled back: SQLite does it by itself on a full disk */
    if (rc < 0 && !sqlite3_get_autocommit(store->db)) {
        char why[sizeof store->message];
        memcpy(why, store->message, sizeof why);
        inf_sqlite_run(store, INF_STMT_ROLLBACK);
        memcpy(store->message, why, sizeof why);
    }
    return rc;
}

static int from_errno(inf_store *store, const char *what, const char *path)
{
    int error = errno;
    snprintf(store->message, sizeof store->message, "%s %s: %s", what, path, strerror(error));
    return error == ENOENT ? INF_ENOTFOUND : inf_os_error(error);
}

/* The database file is made here, not by SQLite, for its mode; -wal and -shm take the mode over. A file that is there
 * is never opened and closed here: closing any descriptor of it would drop the locks that this process's other handles
 * hold, and another process could then take its log away from under them. */
static int make_file(inf_store *store, const char *dir, const char *path, unsigned flags)
{
    struct stat st;
    if (inf_os.stat(path, &st) == 0)
        return 0;
    if (!(flags & INF_STORE_CREATE) || errno != ENOENT)
        return from_errno(store, "cannot open", path);
    int rc = inf_os_make_dirs(dir);
    if (rc < 0) {
        snprintf(store->message, sizeof store->message, "cannot make %s: %s", dir, inf_strerror(rc));
        return rc;
    }
    int fd = inf_os.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : from_errno(store, "cannot make", path);
    inf_os.close(fd);
    return 0;
}

enum { HURRIED_MS = 200 }; /* others of this process need no longer */

/* Waits for a lock, a little longer each time. 0: long enough. */
static int wait_for_lock(void *context, int times)
{
    inf_store *store = context;
    uint64_t now = inf_mono_ns();
    if (times == 0)
        store->waits_ns = now;
    int most_ms = atomic_load(&store->hurried) && store->busy_ms > HURRIED_MS ? HURRIED_MS : store->busy_ms;
    if (now - store->waits_ns >= (uint64_t)most_ms * 1000000)
        return 0;
    sqlite3_sleep(times < 20 ? times + 1 : 20);
    return 1;
}

void inf_store_release(inf_store *store)
{
    (void)sqlite3_db_release_memory(store->db);
}

void inf_store_hurry(inf_store *store)
{
    if (store)
        atomic_store(&store->hurried, true);
}

static int set_up(inf_store *store)
{
    static const char pragmas[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;"
                                  "PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 32000;"
                                  "PRAGMA trusted_schema = OFF;";
    store->busy_ms = INF_SQLITE_BUSY_MS;
    sqlite3_busy_handler(store->db, wait_for_lock, store);
    int code = sqlite3_exec(store->db, pragmas, NULL, NULL, NULL);
    if (code == SQLITE_OK && store->bulk) /* where indexes are large, each trace touches ten pages far apart */
        code = sqlite3_exec(store->db, "PRAGMA cache_size = -65536", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return inf_sqlite_error(store, code);
    int rc = inf_sqlite_register_words(store);
    if (rc == 0)
        rc = inf_sqlite_register_bound(store);
    if (rc == 0)
        rc = inf_sqlite_migrate(store);
    if (rc < 0)
        return rc;
    if (store->read_only && (code = sqlite3_exec(store->db, "PRAGMA query_only = ON", NULL, NULL, NULL)) != SQLITE_OK)
        return inf_sqlite_error(store, code);
    return inf_codec_new(&store->codec);
}

/* Counting what SQLite allocates takes a lock at every allocation, and nobody asks. Only possible before first use; in
 * vain, it costs what it did. */
static void before_first_use(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int inf_store_open(inf_store **out, const char *dir, unsigned flags)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    (void)pthread_once(&once, before_first_use);
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, file_name);
    if (n < 0 || (size_t)n >= sizeof path)
        return INF_EINVAL;
    inf_store *store = calloc(1, sizeof *store);
    if (!store)
        return INF_ENOMEM;
    inf_buf_init(&store->text, 2 * INF_STORE_BODY_MAX);
    store->read_only = (flags & INF_STORE_READ_ONLY) != 0;
    store->bulk = (flags & INF_STORE_BULK) != 0;
    int rc = make_file(store, dir, path, flags);
    if (rc == 0) {
        int code = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        rc = code == SQLITE_OK ? set_up(store) : store->db ? inf_sqlite_error(store, code) : INF_ENOMEM;
    }
    *out = store;
    return rc;
}

void inf_store_close(inf_store *store)
{
    if (!store)
        return;
    inf_search_tokenizer_free(store->tokenizer);
    for (int i = 0; i < INF_STMT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    inf_codec_free(store->codec);
    free(store->texts);
    inf_tally_free(store->tally);
    inf_json_free(store->json);
    inf_buf_free(&store->text);
    free(store);
}

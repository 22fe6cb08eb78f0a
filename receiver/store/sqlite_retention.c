/* Retention, backup and checkpoints: what is done to the store as a whole, in small steps where
 * others wait for the database. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "store/sqlite.h"
#include "store/tally.h"

enum { FEW = 1000, ROW_BYTES = 4096 /* of a trace's row, its words and places in indexes */ };
enum { BACKUP_PAGES = 512, WAL_LONG = 16000 /* pages: 64 MiB */, RESTART_MS = 50 };

static int one_number(inf_store *store, const char *sql, int64_t *out)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, sql);
    if (rc < 0)
        return rc;
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    else
        rc = inf_sqlite_error(store, sqlite3_errcode(store->db));
    sqlite3_finalize(s);
    return rc;
}

/* ---- retention ---- */

int inf_store_bytes(inf_store *store, int64_t *out)
{
    int64_t pages = 0, unused = 0, size = 0;
    int rc = one_number(store, "PRAGMA page_count", &pages);
    if (rc == 0)
        rc = one_number(store, "PRAGMA freelist_count", &unused);
    if (rc == 0)
        rc = one_number(store, "PRAGMA page_size", &size);
    *out = (pages - unused) * size;
    return rc;
}

/* Deletes sums of one width that are older than so many days: of each series the oldest buckets. */
static int purge_width(inf_store *store, int64_t width, int64_t last_minute)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(
        store, &s,
        "DELETE FROM rollups WHERE series = ?1 AND width = ?2 AND bucket < min(?3, (SELECT min(bucket) "
        "FROM rollups WHERE series = ?1 AND width = ?2) + ?4)");
    for (int series = 0; rc == 0 && series < INF_SERIES_COUNT; series++) {
        sqlite3_bind_int(s, 1, series);
        sqlite3_bind_int64(s, 2, width);
        sqlite3_bind_int64(s, 3, last_minute);
        sqlite3_bind_int64(s, 4, 60 * width);
        rc = inf_sqlite_finish(store, s);
    }
    sqlite3_finalize(s);
    return rc;
}

int inf_store_purge_sums(inf_store *store, uint64_t now_ns)
{
    enum { DAY_MINUTES = 1440, MINUTES_KEPT = 35, QUARTERS_KEPT = 400 };
    int64_t now = (int64_t)(now_ns / 60000000000ull);
    int rc = purge_width(store, inf_rollup_minutes[3], now - MINUTES_KEPT * DAY_MINUTES);
    return rc < 0 ? rc : purge_width(store, inf_rollup_minutes[2], now - QUARTERS_KEPT * DAY_MINUTES);
}

/* The oldest traces' numbers. A batch is small, so it is read before anything is changed. */
static int oldest(inf_store *store, uint64_t before_ns, int limit, uint64_t *sequences, int *count)
{
    sqlite3_stmt *s;
    int step;
    int rc = inf_sqlite_prepare(store, &s,
                                "SELECT seq FROM traces INDEXED BY traces_started WHERE started_ns < ?1 "
                                "ORDER BY started_ns LIMIT ?2");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, before_ns > INT64_MAX ? INT64_MAX : (sqlite3_int64)before_ns);
    sqlite3_bind_int(s, 2, limit);
    while ((step = sqlite3_step(s)) == SQLITE_ROW)
        sequences[(*count)++] = (uint64_t)sqlite3_column_int64(s, 0);
    if (step != SQLITE_DONE)
        rc = inf_sqlite_error(store, step);
    sqlite3_finalize(s);
    return rc;
}

/* The judgement of a trace goes before the trace does. */
static int remove_judgement(inf_store *store, uint64_t sequence)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_JUDGEMENT_DELETE);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
    return inf_sqlite_finish(store, s);
}

/* Where few traces are left: what deleting all of them would give back, generously; otherwise more than any excess. */
static int what_traces_take(inf_store *store, int64_t *bytes)
{
    char sql[300];
    int64_t count = 0;
    *bytes = INT64_MAX;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT 1 FROM traces LIMIT %d)", FEW + 1);
    int rc = one_number(store, sql, &count);
    if (rc < 0 || count > FEW)
        return rc;
    snprintf(sql, sizeof sql,
             "SELECT coalesce(sum(2 * length(body) + %d), 0) FROM (SELECT body FROM bodies ORDER BY seq DESC LIMIT %d)",
             ROW_BYTES, FEW + 1);
    return one_number(store, sql, bytes);
}

static int remove_some(inf_store *store, uint64_t before_ns, int64_t max_bytes, int max_rows, int *removed)
{
    enum { ROWS = 1000 };
    uint64_t sequences[ROWS];
    int count = 0;
    int64_t bytes = 0;
    int limit = max_rows < ROWS ? max_rows : ROWS;
    int64_t traces = 0;
    int rc = max_bytes > 0 ? inf_store_bytes(store, &bytes) : 0;
    bool too_much = max_bytes > 0 && bytes > max_bytes;
    if (rc == 0 && too_much)
        rc = what_traces_take(store, &traces);
    bool helps = too_much && traces >= bytes - max_bytes;
    if (rc == 0)
        rc = oldest(store, helps ? UINT64_MAX : before_ns, limit, sequences, &count);
    if (rc == 0 && too_much && !helps && count == 0)
        return INF_EFULL;
    for (int i = 0; rc == 0 && i < count; i++) {
        rc = remove_judgement(store, sequences[i]);
        if (rc == 0)
            rc = inf_sqlite_row_remove(store, sequences[i], true);
    }
    *removed = count;
    return rc == 0 ? inf_tally_write(store) : rc;
}

int inf_store_purge(inf_store *store, uint64_t before_ns, int64_t max_bytes, int max_rows, int *removed)
{
    *removed = 0;
    int rc = inf_sqlite_run(store, INF_STMT_BEGIN);
    if (rc < 0)
        return rc;
    rc = remove_some(store, before_ns, max_bytes, max_rows, removed);
    return inf_sqlite_end(store, rc);
}

/* ---- checkpoints ---- */

int inf_store_checkpoint(inf_store *store)
{
    int log = 0, done = 0;
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
    /* Writers begin the log anew only once all of it is in the database and no reader needs it. Where it got long, that
     * is asked for: nearly all has just been done, so whoever writes waits for the little that came since. */
    if (code == SQLITE_OK && log > WAL_LONG) {
        store->busy_ms = RESTART_MS; /* writers stand still while a reader is waited for */
        code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_RESTART, &log, &done);
        store->busy_ms = INF_SQLITE_BUSY_MS;
    }
    return code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY ? 0 : inf_sqlite_error(store, code);
}

/* ---- backup ---- */

static int copy_pages(inf_store *store, sqlite3_backup *copy, int (*progress)(void *, int, int), void *context)
{
    int code;
    while ((code = sqlite3_backup_step(copy, BACKUP_PAGES)) == SQLITE_OK || code == SQLITE_BUSY ||
           code == SQLITE_LOCKED) {
        int total = sqlite3_backup_pagecount(copy);
        int rc = progress ? progress(context, total - sqlite3_backup_remaining(copy), total) : 0;
        if (rc != 0)
            return rc;
        if (code != SQLITE_OK)
            sqlite3_sleep(20);
    }
    if (code != SQLITE_DONE)
        return inf_sqlite_error(store, code);
    int total = sqlite3_backup_pagecount(copy);
    return progress ? progress(context, total, total) : 0;
}

/* Everything of one moment: the transaction that is held meanwhile keeps writers from changing what is copied. */
static int copy_all(inf_store *store, sqlite3 *to, int (*progress)(void *, int, int), void *context)
{
    int64_t unused;
    int code = sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL);
    int rc =
        code == SQLITE_OK ? one_number(store, "SELECT count(*) FROM meta", &unused) : inf_sqlite_error(store, code);
    if (rc == 0) {
        sqlite3_backup *copy = sqlite3_backup_init(to, "main", store->db, "main");
        if (copy) {
            rc = copy_pages(store, copy, progress, context);
            code = sqlite3_backup_finish(copy);
        } else {
            code = sqlite3_errcode(to);
        }
        if (rc == 0 && code != SQLITE_OK) {
            snprintf(store->message, sizeof store->message, "%s", sqlite3_errmsg(to));
            rc = (code & 0xff) == SQLITE_FULL ? INF_ENOSPC : INF_EIO;
        }
    }
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int make_private(inf_store *store, const char *path)
{
    int fd = inf_os.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int error = errno;
        snprintf(store->message, sizeof store->message, "cannot make %s: %s", path, strerror(error));
        return error == EEXIST ? INF_EEXIST : inf_os_error(error);
    }
    inf_os.close(fd);
    return 0;
}

int inf_store_backup(inf_store *store, const char *path, int (*progress)(void *context, int done, int total),
                     void *context)
{
    sqlite3 *to = NULL;
    int rc = make_private(store, path);
    if (rc < 0)
        return rc;
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    rc = code == SQLITE_OK ? copy_all(store, to, progress, context) : INF_EIO;
    sqlite3_close(to);
    if (rc != 0)
        unlink(path);
    return rc;
}

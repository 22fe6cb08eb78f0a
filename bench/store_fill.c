/* Fills a store with made-up traces, 1,000 a transaction, and says what a trace costs in processor time and on disk.
 *
 *   bench_store_fill DIR COUNT [BODY_BYTES [SEED]]
 *   bench_store_fill --floor DIR COUNT [BODY_BYTES]     the floor: id and body into one bare SQLite table, synced alike
 *
 * Making the traces, and training a dictionary (once), are not counted. DIR must be new: rows that are there already
 * would not be stored again. SIGINT and SIGTERM end it early. */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store_data.h"

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static double process_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t bytes_in(const char *dir)
{
    uint64_t total = 0;
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            total += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    return total;
}

struct floor {
    sqlite3 *db;
    sqlite3_stmt *insert;
};

static int open_floor(struct floor *f, const char *dir)
{
    char path[4096];
    mkdir(dir, 0700);
    snprintf(path, sizeof path, "%s/floor.db", dir);
    return sqlite3_open(path, &f->db) == SQLITE_OK &&
                   sqlite3_exec(f->db,
                                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"
                                "CREATE TABLE t(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, body BLOB NOT NULL);",
                                NULL, NULL, NULL) == SQLITE_OK &&
                   sqlite3_prepare_v2(f->db, "INSERT INTO t(id, body) VALUES(?1, ?2)", -1, &f->insert, NULL) ==
                       SQLITE_OK
               ? 0
               : -1;
}

static int put_floor(struct floor *f, const inf_store_put *rows, size_t count)
{
    if (sqlite3_exec(f->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_blob(f->insert, 1, rows[i].summary.trace_id, 16, SQLITE_STATIC);
        sqlite3_bind_blob64(f->insert, 2, rows[i].body, rows[i].body_length, SQLITE_STATIC);
        if (sqlite3_step(f->insert) != SQLITE_DONE)
            return -1;
        sqlite3_reset(f->insert);
    }
    return sqlite3_exec(f->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
    bool floor_only = argc > 1 && strcmp(argv[1], "--floor") == 0;
    char **a = argv + 1 + floor_only;
    int n = argc - 1 - floor_only;
    if (n < 2) {
        fprintf(stderr, "usage: bench_store_fill [--floor] DIR COUNT [BODY_BYTES [SEED]]\n");
        return 2;
    }
    uint64_t total = strtoull(a[1], NULL, 10);
    data_source *d = data_new(n > 3 ? strtoull(a[3], NULL, 10) : 1, total, n > 2 ? strtoull(a[2], NULL, 10) : 1024);
    struct floor f = {0};
    inf_store *store = NULL;
    int rc = !d ? -1 : floor_only ? open_floor(&f, a[0]) : inf_store_open(&store, a[0], INF_STORE_CREATE);
    double cpu = 0, wall = 0, worst = 0, body = 0;
    uint64_t done = 0;
    inf_store_put *rows;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    for (size_t count; rc == 0 && !ended && (count = data_next(d, &rows)) > 0; done += count) {
        for (size_t i = 0; i < count; i++)
            body += (double)rows[i].body_length;
        double c = process_cpu(), w = data_clock();
        rc = floor_only ? put_floor(&f, rows, count) : inf_store_put_traces(store, rows, count);
        double took = data_clock() - w;
        cpu += process_cpu() - c;
        wall += took;
        worst = took > worst ? took : worst;
        if (!floor_only && rc == 0 && done % 4000 == 0 && done <= 100000)
            rc = inf_store_train(store) < 0 ? -1 : 0; /* as who keeps house would; not counted */
        if (done % 500000 == 0 && done > 0)
            fprintf(stderr, "%" PRIu64 " traces, %.1f us of processor each so far\n", done, cpu / (double)done * 1e6);
    }
    if (rc < 0) {
        fprintf(stderr, "failed: %d %s\n", rc, store ? inf_store_message(store) : f.db ? sqlite3_errmsg(f.db) : "");
        return 1;
    }
    inf_store_close(store);
    sqlite3_finalize(f.insert);
    sqlite3_close(f.db);
    double t = (double)done;
    printf("%s %" PRIu64 " traces of %.0f bytes: %.1f us of processor each = %.0f/s of one core; %.0f/s by the clock; "
           "slowest transaction %.0f ms; %.0f bytes each on disk\n",
           floor_only ? "floor:" : "store:", done, body / t, cpu / t * 1e6, t / cpu, t / wall, worst * 1e3,
           (double)bytes_in(a[0]) / t);
    data_free(d);
    return 0;
}

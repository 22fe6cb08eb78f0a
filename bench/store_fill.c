/* Fills a store with made-up traces and says what a trace costs in processor time and on disk, on the way as well.
 *
 *   bench_store_fill [OPTIONS] DIR COUNT [BODY_BYTES [SEED]]
 *     --batch ROWS   a transaction's; 1000 unless told
 *     --stop ROWS    end after so many of the COUNT, which are spread over a month
 *     --floor        the floor: id and body into one bare SQLite table, synced alike
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

struct arguments {
    bool floor_only;
    uint64_t batch, stop; /* rows a transaction; rows to make of all there are */
    const char *dir;
    uint64_t total, body_bytes, seed;
};

static bool read_arguments(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){.batch = 1000, .stop = UINT64_MAX, .body_bytes = 1024, .seed = 1};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--floor") == 0)
            out->floor_only = true;
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            out->batch = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--stop") == 0 && i + 1 < argc)
            out->stop = strtoull(argv[++i], NULL, 10);
        else
            return false;
    }
    if (argc - i < 2)
        return false;
    out->dir = argv[i];
    out->total = strtoull(argv[i + 1], NULL, 10);
    if (argc - i > 2)
        out->body_bytes = strtoull(argv[i + 2], NULL, 10);
    if (argc - i > 3)
        out->seed = strtoull(argv[i + 3], NULL, 10);
    return true;
}

/* What has been spent on storing. */
struct spent {
    uint64_t rows;
    double cpu, wall, worst;
};

/* A line for every so many traces: the rate since the last line, beside the one since the beginning. */
static void say_progress(const char *dir, const struct spent *all, struct spent *said)
{
    enum { EVERY = 100000 };
    if (all->rows / EVERY == said->rows / EVERY)
        return;
    double rows = (double)(all->rows - said->rows), cpu = all->cpu - said->cpu;
    fprintf(stderr,
            "%" PRIu64 " traces: lately %.1f us of processor each, %.0f/s by the clock; in all %.1f us, %.0f bytes\n",
            all->rows, cpu / rows * 1e6, rows / (all->wall - said->wall), all->cpu / (double)all->rows * 1e6,
            (double)bytes_in(dir) / (double)all->rows);
    *said = *all;
}

static int store_batch(const struct arguments *a, struct floor *f, inf_store *store, inf_store_put *rows, size_t count,
                       struct spent *all)
{
    double c = process_cpu(), w = data_clock();
    int rc = a->floor_only ? put_floor(f, rows, count) : inf_store_put_traces(store, rows, count);
    double took = data_clock() - w;
    all->cpu += process_cpu() - c;
    all->wall += took;
    all->worst = took > all->worst ? took : all->worst;
    bool train = all->rows / 4000 != (all->rows + count) / 4000 && all->rows <= 100000;
    all->rows += count;
    if (!a->floor_only && rc == 0 && train)
        rc = inf_store_train(store) < 0 ? -1 : 0; /* as who keeps house would; not counted */
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments a;
    if (!read_arguments(argc, argv, &a)) {
        fprintf(stderr, "usage: bench_store_fill [--floor] [--batch ROWS] [--stop ROWS] DIR COUNT [BODY_BYTES "
                        "[SEED]]\n");
        return 2;
    }
    data_source *d = data_new(a.seed, a.total, a.body_bytes, a.batch);
    struct floor f = {0};
    inf_store *store = NULL;
    int rc = !d             ? -1
             : a.floor_only ? open_floor(&f, a.dir)
                            : inf_store_open(&store, a.dir, INF_STORE_CREATE | INF_STORE_BULK);
    double body = 0;
    struct spent all = {0}, said = {0};
    inf_store_put *rows;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    for (size_t count; rc == 0 && !ended && all.rows < a.stop && (count = data_next(d, &rows)) > 0;) {
        for (size_t i = 0; i < count; i++)
            body += (double)rows[i].body_length;
        rc = store_batch(&a, &f, store, rows, count, &all);
        say_progress(a.dir, &all, &said);
    }
    if (rc < 0) {
        fprintf(stderr, "failed: %d %s\n", rc, store ? inf_store_message(store) : f.db ? sqlite3_errmsg(f.db) : "");
        return 1;
    }
    inf_store_close(store);
    sqlite3_finalize(f.insert);
    sqlite3_close(f.db);
    double t = (double)all.rows;
    printf("%s %" PRIu64 " traces of %.0f bytes: %.1f us of processor each = %.0f/s of one core; %.0f/s by the clock; "
           "slowest transaction %.0f ms; %.0f bytes each on disk\n",
           a.floor_only ? "floor:" : "store:", all.rows, body / t, all.cpu / t * 1e6, t / all.cpu, t / all.wall,
           all.worst * 1e3, (double)bytes_in(a.dir) / t);
    data_free(d);
    return 0;
}

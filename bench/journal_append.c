/* What an append costs its caller: one producer, records of 300 and of 600 bytes (a head of 64 and a body), CRC
 * included, a reader that acknowledges everything and the housekeeping in a second thread, as in a client. Twice: in
 * bursts of 400 records with a pause after each, as programs do, and without a pause, where the producer outruns the
 * housekeeping and has to make its segments itself. Time of the producer's thread on the processor, so that a busy
 * machine shows less.
 *
 *   bench_journal_append [DIR]      files in DIR (default: a directory of its own under $TMPDIR or /tmp), then memory
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "infinium.h"
#include "journal/journal.h"

enum { BURSTS = 300, BURST = 400, RUNS = 9, RUN = 20000 };

static atomic_bool stop;

static void *keep_house(void *argument)
{
    inf_journal *j = argument;
    inf_record record;
    while (!atomic_load(&stop)) {
        inf_position done = 0;
        for (int i = 0; i < 2000 && inf_journal_next(j, &record) == 1; i++)
            done = record.position;
        if (done)
            inf_journal_ack(j, done);
        inf_journal_maintain(j);
        if (!done)
            usleep(200);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t run(inf_journal *j, size_t length, int runs, int count, useconds_t pause, double *median, double *best)
{
    static uint8_t payload[1024];
    static double ns[BURSTS];
    uint64_t refused = 0;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 131);
    for (int r = 0; r < runs; r++) {
        uint64_t before = thread_ns();
        for (int i = 0; i < count; i++)
            refused += inf_journal_append(j, 1, payload, 64, payload + 64, length - 64, NULL) != 0;
        ns[r] = (double)(thread_ns() - before) / count;
        usleep(pause);
    }
    qsort(ns, (size_t)runs, sizeof(ns[0]), compare);
    *median = ns[runs / 2];
    *best = ns[0];
    return refused;
}

static int measure(const char *dir, size_t length)
{
    inf_journal *j;
    inf_journal_options options = {.dir = dir};
    int error = inf_journal_open(&j, &options);
    if (error) {
        fprintf(stderr, "%s: %s\n", dir ? dir : "memory", inf_strerror(error));
        return 1;
    }
    pthread_t thread;
    atomic_store(&stop, false);
    if (pthread_create(&thread, NULL, keep_house, j) != 0)
        return 1;
    double burst, burst_best, steady, steady_best;
    uint64_t refused = run(j, length, BURSTS, BURST, 2000, &burst, &burst_best);
    refused += run(j, length, RUNS, RUN, 20000, &steady, &steady_best);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    inf_journal_close(j);
    printf("append %zu B, %-6s  bursts: %6.1f ns median, %6.1f best   without a pause: %6.1f median, %6.1f best   "
           "refused: %llu\n",
           length, dir ? "files" : "memory", burst, burst_best, steady, steady_best, (unsigned long long)refused);
    return 0;
}

int main(int argc, char **argv)
{
    char own[256];
    const char *tmp = getenv("TMPDIR");
    snprintf(own, sizeof(own), "%s/infinium-bench-XXXXXX", tmp ? tmp : "/tmp");
    const char *dir = argc > 1 ? argv[1] : mkdtemp(own);
    static const size_t lengths[] = {300, 600};
    int failed = 0;
    for (size_t i = 0; i < 2; i++)
        failed |= measure(dir, lengths[i]);
    for (size_t i = 0; i < 2; i++)
        failed |= measure(NULL, lengths[i]);
    if (argc <= 1 && dir)
        rmdir(dir);
    return failed;
}

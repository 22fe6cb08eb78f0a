/* What LTTng-UST costs a caller for what one trace of ours holds: an event when the call begins, with its name and 100
 * bytes of input, and an event when it ends, with 100 bytes of output. Bursts of 1,000 with a pause between them, as in
 * bench_c_trace. A session with user-space events must be recording; with the argument `one` only the first event is
 * made. An event knows nothing of traces: ids, durations and who belongs to whom are left to whoever reads the files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench_tp.h"

#define BATCHES 200
#define EACH 1000

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    char input[101], output[101];
    double ns[BATCHES];
    int one = argc > 1 && strcmp(argv[1], "one") == 0;
    memset(input, 'i', 100);
    memset(output, 'o', 100);
    input[100] = output[100] = '\0';
    for (int b = 0; b < BATCHES + 5; b++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        double start = now_ns();
        for (int i = 0; i < EACH; i++) {
            lttng_ust_tracepoint(infinium_bench, begin, "Email Classifier", input);
            if (!one)
                lttng_ust_tracepoint(infinium_bench, end, output);
        }
        if (b >= 5)
            ns[b - 5] = (now_ns() - start) / EACH;
    }
    qsort(ns, BATCHES, sizeof(*ns), compare);
    printf("%-34s median %6.0f ns   best %6.0f ns   p99 %6.0f ns\n", one ? "one event" : "two events", ns[BATCHES / 2],
           ns[0], ns[BATCHES * 99 / 100]);
    printf("made %d\n", (BATCHES + 5) * EACH * (one ? 1 : 2));
    return 0;
}

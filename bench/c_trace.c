/* What a trace costs its caller in C: begin, input of 100 bytes, output of 100 bytes, end; the journal in files, nobody
 * listening, so that the sender only backs off. Prints the median, best and 99th percentile of batches of 1,000.
 *
 *   bench_c_trace [directory]        budget: 200 ns (median) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "infinium.h"

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

static void report(const char *what, double *ns)
{
    qsort(ns, BATCHES, sizeof(*ns), compare);
    printf("%-34s median %6.0f ns   best %6.0f ns   p99 %6.0f ns\n", what, ns[BATCHES / 2], ns[0],
           ns[BATCHES * 99 / 100]);
}

/* The same calls on a journal that is full: what an outage that outlasts the journal costs its program. */
static int refused(inf_options options, const char *input, const char *output)
{
    double ns[BATCHES];
    inf_client *client;
    inf_counts counts = {0};
    options.journal_max_bytes = 4u << 20;
    if (inf_open(&client, &options) != INF_OK)
        return 1;
    for (int b = 0; b < BATCHES;) {
        double start = now_ns();
        for (int i = 0; i < EACH; i++) {
            inf_trace *t = inf_trace_begin(client, "Email Classifier");
            inf_input("%s", input);
            inf_output("%s", output);
            inf_trace_end(t);
        }
        ns[b] = (now_ns() - start) / EACH;
        b += counts.refused > 0;
        inf_stats(client, &counts);
    }
    (void)inf_close(client, 0);
    report("the same, refused: journal full", ns);
    return 0;
}

static void batches(inf_client *client, const char *input, const char *output, double ns[BATCHES])
{
    for (int b = 0; b < BATCHES + 5; b++) {
        /* A program that traces without pause fills disks, not requests: between batches there is some other work. */
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        double start = now_ns();
        for (int i = 0; i < EACH; i++) {
            inf_trace *t = inf_trace_begin(client, "Email Classifier");
            inf_input("%s", input);
            inf_output("%s", output);
            inf_trace_end(t);
        }
        if (b >= 5) /* the first ones warm up */
            ns[b - 5] = (now_ns() - start) / EACH;
    }
}

int main(int argc, char **argv)
{
    char input[101], output[101];
    double ns[BATCHES];
    char directory[] = "/tmp/inf-bench-XXXXXX";
    memset(input, 'i', 100);
    memset(output, 'o', 100);
    input[100] = output[100] = '\0';
    if (argc < 2 && !mkdtemp(directory))
        return 1;
    inf_options options = {
        .agent_id = "11111111-2222-3333-4444-555555555555",
        .agent_secret = "not-a-real-secret",
        .base_url = "http://127.0.0.1:1/api/v1",
        .journal_dir = argc < 2 ? directory : argv[1],
        .journal_max_bytes = 1u << 30,
    };
    /* Prose, in which the search for secrets has something to look at. */
    static const char mail[] =
        "Subject: invoice no. 4711 is overdue - could somebody look at it by Friday? Best regards, B. Jones :)";
    _Static_assert(sizeof(mail) >= 100, "about as long");
    inf_client *client;
    if (inf_open(&client, &options) != INF_OK)
        return 1;
    batches(client, input, output, ns);
    report("begin, input, output, end", ns);
    batches(client, mail, mail, ns);
    report("the same, with prose", ns);
    inf_counts counts;
    inf_stats(client, &counts);
    (void)inf_close(client, 0);
    printf("%-34s %llu of %llu kept\n", "traces", (unsigned long long)counts.pending, (unsigned long long)counts.begun);
    if (refused(options, input, output) != 0)
        return 1;
    if (argc < 2) {
        char command[64];
        snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        if (system(command) != 0)
            return 1;
    }
    return counts.pending == counts.begun ? 0 : 1;
}

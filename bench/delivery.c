/* The whole way of a trace: threads of this process make traces through the C API, the sender delivers them, a receiver
 * acknowledges and stores them. Prints rates, what it cost this process on the processor, and whether each trace is in
 * the store exactly once, told by its id.
 *
 *   bench_delivery URL DATA_DIR AGENT_ID SECRET [TRACES [THREADS [TEXT_BYTES]]]
 *
 * URL is the receiver's address without a path, DATA_DIR its directory. Exit code 1 when a trace is missing. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/id.h"
#include "infinium.h"
#include "serve.h"
#include "store/store.h"

enum { MAX_THREADS = 64, MAX_TEXT = 2000, STORE_MS = 300000, FLUSH_MS = 120000 };

struct producer {
    pthread_t thread;
    inf_client *client;
    uint8_t (*ids)[16];
    size_t count;
    double cpu;
};

struct looking {
    uint8_t (*found)[16];
    size_t count, capacity;
};

static char input[MAX_TEXT + 1];
static char output[MAX_TEXT + 1];

static double seconds(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *produce(void *context)
{
    struct producer *p = context;
    char id[33];
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < p->count; i++) {
        inf_trace *t = inf_trace_begin(p->client, "Delivery");
        inf_input("%s", input);
        inf_output("%s", output);
        inf_trace_id(t, id);
        inf_trace_end(t);
        (void)inf_id_parse(id, 32, p->ids[i]);
    }
    p->cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static int note(void *context, const inf_summary *summary)
{
    struct looking *l = context;
    if (l->count == l->capacity)
        return INF_E2BIG;
    memcpy(l->found[l->count++], summary->trace_id, 16);
    return 0;
}

/* Every trace called "Delivery", a page at a time. */
static int look(const char *dir, struct looking *l)
{
    inf_store *store;
    int rc = inf_store_open(&store, dir, INF_STORE_READ_ONLY);
    char cursor[INF_STORE_CURSOR_SIZE] = "", next[INF_STORE_CURSOR_SIZE] = "";
    inf_store_filter filter = INF_STORE_FILTER_INIT;
    filter.name = "Delivery";
    filter.limit = 500;
    do {
        memcpy(cursor, next, sizeof cursor);
        filter.cursor = cursor[0] ? cursor : NULL;
        if (rc == 0)
            rc = inf_store_list(store, &filter, note, l, next);
    } while (rc == 0 && next[0]);
    inf_store_close(store);
    return rc;
}

/* How many of the ids are in the store exactly once. */
static size_t exactly_once(uint8_t (*ids)[16], size_t count, struct looking *l)
{
    size_t once = 0;
    qsort(ids, count, 16, by_id);
    qsort(l->found, l->count, 16, by_id);
    for (size_t i = 0, k = 0; i < count; i++) {
        while (k < l->count && memcmp(l->found[k], ids[i], 16) < 0)
            k++;
        size_t here = 0;
        while (k < l->count && memcmp(l->found[k], ids[i], 16) == 0) {
            here++;
            k++;
        }
        once += here == 1;
    }
    return once;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: bench_delivery URL DATA_DIR AGENT_ID SECRET [TRACES [THREADS [TEXT_BYTES]]]\n");
        return 2;
    }
    size_t traces = argc > 5 ? strtoul(argv[5], NULL, 10) : 200000;
    size_t threads = argc > 6 ? strtoul(argv[6], NULL, 10) : 1;
    size_t text = argc > 7 ? strtoul(argv[7], NULL, 10) : 100;
    if (traces < 1 || traces > 10000000 || threads < 1 || threads > MAX_THREADS || text > MAX_TEXT)
        return 2;
    char base[300], journal[] = "/tmp/inf-bench-XXXXXX";
    snprintf(base, sizeof base, "%s/api/v1", argv[1]);
    uint8_t(*ids)[16] = calloc(traces, 16);
    struct looking l = {calloc(2 * traces, 16), 0, 2 * traces};
    if (!ids || !l.found || !mkdtemp(journal))
        return 1;
    memset(input, 'i', text);
    memset(output, 'o', text);
    inf_options options = {.agent_id = argv[3],
                           .agent_secret = argv[4],
                           .base_url = base,
                           .journal_dir = journal,
                           .journal_max_bytes = 4ull << 30};
    inf_client *client;
    inf_counts counts;
    if (inf_open(&client, &options) != INF_OK)
        return 1;
    /* One trace ahead: the receiver pays for its first look at a secret once, and says that it takes batches. */
    inf_trace_end(inf_trace_begin(client, "First"));
    if (inf_flush(client, FLUSH_MS, &counts) != INF_OK)
        return 1;
    struct producer producers[MAX_THREADS];
    double start = seconds(CLOCK_MONOTONIC);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0, from = 0; i < threads; i++) {
        size_t count = traces / threads + (i < traces % threads);
        producers[i] = (struct producer){.client = client, .ids = ids + from, .count = count};
        from += count;
        if (pthread_create(&producers[i].thread, NULL, produce, &producers[i]) != 0)
            return 1;
    }
    double callers = 0;
    for (size_t i = 0; i < threads; i++) {
        pthread_join(producers[i].thread, NULL);
        callers += producers[i].cpu;
    }
    double made = seconds(CLOCK_MONOTONIC) - start;
    int flushed = inf_flush(client, FLUSH_MS, &counts);
    double delivered = seconds(CLOCK_MONOTONIC) - start;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    inf_close(client, 0);
    int caught_up = inf_store_catch_up(argv[2], STORE_MS);
    double stored = seconds(CLOCK_MONOTONIC) - start;
    int looked = look(argv[2], &l);
    size_t once = exactly_once(ids, traces, &l);
    double n = (double)traces;
    printf("{\"traces\": %zu, \"acknowledged\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"requests\": %" PRIu64
           ", \"retries\": %" PRIu64 ", \"in_store\": %zu, \"exactly_once\": %zu, \"flush\": %d, \"store\": %d, "
           "\"made_per_s\": %.0f, \"durable_per_s\": %.0f, \"stored_per_s\": %.0f, \"caller_cpu_s_per_10k\": %.4f, "
           "\"sender_cpu_s_per_10k\": %.4f}\n",
           traces, counts.acknowledged - 1, counts.refused, counts.requests, counts.retries, l.count, once, flushed,
           caught_up ? caught_up : looked, n / made, n / delivered, n / stored, callers / n * 1e4,
           (cpu - callers) / n * 1e4);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", journal);
    bool cleaned = system(command) == 0;
    free(ids);
    free(l.found);
    return cleaned && once == traces && l.count == traces ? 0 : 1;
}

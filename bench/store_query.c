/* How quickly a store that bench_store_fill has filled answers: each question many times with other values, p50 and p99
 * by the clock, beside the processor time of the median (which a busy machine stretches less).
 *
 *   bench_store_query DIR [ROUNDS [SEED]]
 *
 * Reading is by one handle in one process; what it reads is in memory as far as the machine keeps it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_data.h"

enum { ROUNDS_MAX = 1000 };

struct texts {
    char name[64], model[64], tag[32], session[40], user[40], words[64];
    uint8_t agent[16], id[16];
};

struct bench {
    inf_store *store;
    uint64_t total;
    uint64_t state;
    uint64_t seed;
    struct texts t;
    int rows; /* of the last question */
};

static uint64_t next(struct bench *b)
{
    b->state ^= b->state << 13;
    b->state ^= b->state >> 7;
    b->state ^= b->state << 17;
    return b->state;
}

static int on_row(void *context, const inf_summary *m)
{
    (void)m;
    ((struct bench *)context)->rows++;
    return 0;
}

static void list(struct bench *b, inf_store_filter *f)
{
    char cursor[INF_STORE_CURSOR_SIZE];
    f->limit = 50;
    int rc = inf_store_list(b->store, f, on_row, b, cursor);
    if (rc < 0) {
        fprintf(stderr, "failed: %d %s\n", rc, inf_store_message(b->store));
        exit(1);
    }
}

#define FILTER(b, ...)                                                                                                 \
    inf_store_filter f = INF_STORE_FILTER_INIT;                                                                        \
    __VA_ARGS__;                                                                                                       \
    list(b, &f)

static void newest(struct bench *b)
{
    FILTER(b, (void)0);
}

static void some_time(struct bench *b)
{
    FILTER(b, f.to_ns = DATA_END_NS - next(b) % DATA_SPAN_NS);
}

static void by_agent(struct bench *b)
{
    data_agent((uint32_t)(next(b) % DATA_AGENTS), b->t.agent);
    FILTER(b, f.agent_id = b->t.agent);
}

static void by_name(struct bench *b)
{
    data_name((uint32_t)(next(b) % DATA_NAMES), b->t.name);
    FILTER(b, f.name = b->t.name);
}

static void by_status(struct bench *b)
{
    FILTER(b, f.status = next(b) % 2 ? INF_STATUS_ERROR : INF_STATUS_INTERRUPTED);
}

static void by_model(struct bench *b)
{
    data_model((uint32_t)(next(b) % DATA_MODELS), b->t.model);
    FILTER(b, f.model = b->t.model);
}

static void by_tag(struct bench *b)
{
    data_tag((uint32_t)(next(b) % DATA_TAGS), b->t.tag);
    FILTER(b, f.tag = b->t.tag);
}

static void by_session(struct bench *b)
{
    data_session(next(b) % (b->total / 8), b->t.session);
    FILTER(b, f.session_id = b->t.session);
}

static void by_user(struct bench *b)
{
    data_user(next(b) % 50000, b->t.user);
    FILTER(b, f.user_id = b->t.user);
}

static void by_duration(struct bench *b)
{
    FILTER(b, f.min_duration_ns = (next(b) % 60 + 1) * 1000000000ull);
}

static void by_parent(struct bench *b)
{
    data_id((next(b) % b->total) ^ b->seed, b->t.id);
    FILTER(b, f.parent_id = b->t.id);
}

static void by_name_and_failure(struct bench *b)
{
    data_name((uint32_t)(next(b) % DATA_NAMES), b->t.name);
    FILTER(b, f.name = b->t.name, f.status = INF_STATUS_ERROR);
}

static void by_model_and_tag(struct bench *b)
{
    data_model((uint32_t)(next(b) % DATA_MODELS), b->t.model);
    data_tag((uint32_t)(next(b) % DATA_TAGS), b->t.tag);
    FILTER(b, f.model = b->t.model, f.tag = b->t.tag);
}

/* What seldom or never meets: an answer after a bounded look. */
static void filters_that_seldom_meet(struct bench *b)
{
    data_name((uint32_t)(next(b) % DATA_NAMES), b->t.name);
    data_model((uint32_t)(next(b) % DATA_MODELS), b->t.model);
    data_tag((uint32_t)(next(b) % DATA_TAGS), b->t.tag);
    FILTER(b, f.name = b->t.name, f.model = b->t.model, f.tag = b->t.tag, f.status = INF_STATUS_INTERRUPTED);
}

static void longer_than_all_but_few(struct bench *b)
{
    data_name((uint32_t)(next(b) % 4), b->t.name);
    FILTER(b, f.name = b->t.name, f.min_duration_ns = 90 * 1000000000ull, f.max_duration_ns = 90 * 1000000000ull + 1);
}

static void word(struct bench *b, uint32_t rank, char *out)
{
    char text[24];
    (void)b;
    data_word(rank, text);
    snprintf(out, 24, "%s", text);
}

static void word_common(struct bench *b)
{
    word(b, (uint32_t)(next(b) % 10), b->t.words);
    FILTER(b, f.text = b->t.words);
}

static void word_middle(struct bench *b)
{
    word(b, 200 + (uint32_t)(next(b) % 2000), b->t.words);
    FILTER(b, f.text = b->t.words);
}

static void word_rare(struct bench *b)
{
    word(b, 20000 + (uint32_t)(next(b) % 40000), b->t.words);
    FILTER(b, f.text = b->t.words);
}

static void word_none(struct bench *b)
{
    snprintf(b->t.words, sizeof b->t.words, "qq%" PRIx64, next(b));
    FILTER(b, f.text = b->t.words);
}

static void words_two(struct bench *b)
{
    char one[24], two[24];
    word(b, (uint32_t)(next(b) % 300), one);
    word(b, (uint32_t)(next(b) % 300), two);
    snprintf(b->t.words, sizeof b->t.words, "%s %s", one, two);
    FILTER(b, f.text = b->t.words);
}

static void words_common_and_rare(struct bench *b)
{
    char one[24], two[24];
    word(b, (uint32_t)(next(b) % 10), one);
    word(b, 20000 + (uint32_t)(next(b) % 40000), two);
    snprintf(b->t.words, sizeof b->t.words, "%s %s", one, two);
    FILTER(b, f.text = b->t.words);
}

static void word_and_name(struct bench *b)
{
    word(b, (uint32_t)(next(b) % 300), b->t.words);
    data_name((uint32_t)(next(b) % DATA_NAMES), b->t.name);
    FILTER(b, f.text = b->t.words, f.name = b->t.name);
}

static void beginning(struct bench *b)
{
    char text[24];
    word(b, 200 + (uint32_t)(next(b) % 2000), text);
    snprintf(b->t.words, sizeof b->t.words, "%.5s*", text);
    FILTER(b, f.text = b->t.words);
}

static void beginning_of_many(struct bench *b)
{
    char text[24];
    word(b, 200 + (uint32_t)(next(b) % 2000), text);
    snprintf(b->t.words, sizeof b->t.words, "%.1s*", text);
    FILTER(b, f.text = b->t.words);
}

static void phrase(struct bench *b)
{
    char one[24], two[24];
    word(b, (uint32_t)(next(b) % 100), one);
    word(b, (uint32_t)(next(b) % 100), two);
    snprintf(b->t.words, sizeof b->t.words, "\"%s %s\"", one, two);
    FILTER(b, f.text = b->t.words);
}

static void words_and_all_filters(struct bench *b)
{
    word(b, (uint32_t)(next(b) % 300), b->t.words);
    data_name((uint32_t)(next(b) % DATA_NAMES), b->t.name);
    data_model((uint32_t)(next(b) % DATA_MODELS), b->t.model);
    data_tag((uint32_t)(next(b) % DATA_TAGS), b->t.tag);
    FILTER(b, f.text = b->t.words, f.name = b->t.name, f.model = b->t.model, f.tag = b->t.tag);
}

static void word_of_a_day(struct bench *b)
{
    word(b, 20000 + (uint32_t)(next(b) % 40000), b->t.words);
    FILTER(b, f.text = b->t.words, f.from_ns = DATA_END_NS - DATA_DAY_NS);
}

static void one_trace(struct bench *b)
{
    inf_summary m;
    char *body = NULL;
    size_t length;
    data_id((next(b) % b->total) ^ b->seed, b->t.id);
    b->rows += inf_store_get(b->store, b->t.id, &m, &body, &length) == 0;
    free(body);
}

static int on_stats(void *context, const inf_stats_row *row)
{
    (void)row;
    ((struct bench *)context)->rows++;
    return 0;
}

static void stats(struct bench *b, uint64_t span_ns, uint64_t interval_s, enum inf_store_group group)
{
    inf_store_filter f = INF_STORE_FILTER_INIT;
    f.to_ns = DATA_END_NS;
    f.from_ns = DATA_END_NS - span_ns;
    int rc = inf_store_stats(b->store, &f, interval_s * 1000000000ull, group, 20, on_stats, b);
    if (rc < 0) {
        fprintf(stderr, "failed: %d %s\n", rc, inf_store_message(b->store));
        exit(1);
    }
}

static void stats_hour(struct bench *b)
{
    stats(b, DATA_DAY_NS / 24, 60, INF_GROUP_NONE);
}

static void stats_day(struct bench *b)
{
    stats(b, DATA_DAY_NS, 900, INF_GROUP_NONE);
}

static void stats_month(struct bench *b)
{
    stats(b, DATA_SPAN_NS, 10800, INF_GROUP_NONE);
}

static void stats_month_names(struct bench *b)
{
    stats(b, DATA_SPAN_NS, 86400, INF_GROUP_NAME);
}

static void stats_month_models(struct bench *b)
{
    stats(b, DATA_SPAN_NS, 86400, INF_GROUP_MODEL);
}

static int on_value(void *context, const char *value, int64_t traces)
{
    (void)value;
    (void)traces;
    ((struct bench *)context)->rows++;
    return 0;
}

static void values(struct bench *b)
{
    static const enum inf_store_field fields[] = {INF_FIELD_NAME, INF_FIELD_MODEL, INF_FIELD_TAG, INF_FIELD_SESSION,
                                                  INF_FIELD_USER};
    if (inf_store_values(b->store, fields[next(b) % 5], NULL, NULL, 20, on_value, b) < 0)
        exit(1);
}

static int on_session(void *context, const inf_session_row *row)
{
    (void)row;
    ((struct bench *)context)->rows++;
    return 0;
}

static void sessions(struct bench *b)
{
    inf_store_filter f = INF_STORE_FILTER_INIT;
    char cursor[INF_STORE_CURSOR_SIZE];
    f.limit = 50;
    if (inf_store_sessions(b->store, &f, on_session, b, cursor) < 0)
        exit(1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void run(struct bench *b, const char *what, void (*ask)(struct bench *b), int rounds)
{
    static double clocks[ROUNDS_MAX], cpus[ROUNDS_MAX];
    long rows = 0;
    for (int i = 0; i < rounds; i++) {
        b->rows = 0;
        double w = data_clock(), c = data_cpu();
        ask(b);
        cpus[i] = data_cpu() - c;
        clocks[i] = data_clock() - w;
        rows += b->rows;
    }
    qsort(clocks, (size_t)rounds, sizeof clocks[0], ascending);
    qsort(cpus, (size_t)rounds, sizeof cpus[0], ascending);
    int p99 = rounds - 1 - rounds / 100;
    printf("%-34s p50 %8.2f ms  p99 %8.2f ms  (processor %8.2f, %8.2f)  %6.1f rows\n", what, clocks[rounds / 2] * 1e3,
           clocks[p99] * 1e3, cpus[rounds / 2] * 1e3, cpus[p99] * 1e3, (double)rows / rounds);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct bench b = {.state = 88172645463325252ull};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store_query DIR [ROUNDS [SEED]]\n");
        return 2;
    }
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 200;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    b.seed = data_state(argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    double began = data_clock();
    int rc = inf_store_open(&b.store, argv[1], 0);
    if (rc == 0)
        newest(&b);
    double first = data_clock() - began;
    if (rc == 0)
        rc = inf_store_sequence(b.store, &b.total);
    if (rc < 0 || b.total < 8) {
        fprintf(stderr, "cannot open: %d %s\n", rc, inf_store_message(b.store));
        return 1;
    }
    printf("%" PRIu64 " traces; open and first list: %.1f ms\n", b.total, first * 1e3);
#define ASK(f) run(&b, #f, f, rounds)
    ASK(newest);
    ASK(some_time);
    ASK(by_agent);
    ASK(by_name);
    ASK(by_status);
    ASK(by_model);
    ASK(by_tag);
    ASK(by_session);
    ASK(by_user);
    ASK(by_duration);
    ASK(by_parent);
    ASK(by_name_and_failure);
    ASK(by_model_and_tag);
    ASK(filters_that_seldom_meet);
    ASK(longer_than_all_but_few);
    ASK(word_common);
    ASK(word_middle);
    ASK(word_rare);
    ASK(word_none);
    ASK(words_two);
    ASK(words_common_and_rare);
    ASK(word_and_name);
    ASK(words_and_all_filters);
    ASK(word_of_a_day);
    ASK(beginning);
    ASK(beginning_of_many);
    ASK(phrase);
    ASK(one_trace);
    ASK(stats_hour);
    ASK(stats_day);
    ASK(stats_month);
    ASK(stats_month_names);
    ASK(stats_month_models);
    ASK(values);
    ASK(sessions);
    inf_store_close(b.store);
    return 0;
}

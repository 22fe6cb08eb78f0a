/* The trace beside the earlier ones of its name: duration, tokens, cost, errors. The sample is the newest 200 finished
 * traces of this name and agent that started before it; at most 1,000 rows are looked at to find them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "checks/checks.h"
#include "infinium.h"

enum { SAMPLE_MAX = 200, ROWS_MAX = 1000, ENOUGH = 20, LATELY = 50, STOP = 1 };

struct sample {
    const inf_summary *trace;
    unsigned count;
    unsigned costs; /* of those with a known cost */
    double duration[SAMPLE_MAX];
    double tokens[SAMPLE_MAX];
    double cost[SAMPLE_MAX];
    bool failed[SAMPLE_MAX]; /* newest first */
    uint64_t oldest_ns;
};

static int note(void *context, const inf_summary *row)
{
    struct sample *s = context;
    if (row->status == INF_STATUS_RUNNING || memcmp(row->agent_id, s->trace->agent_id, 16) != 0 ||
        memcmp(row->trace_id, s->trace->trace_id, 16) == 0)
        return 0;
    s->duration[s->count] = (double)row->duration_ns / 1e9;
    s->tokens[s->count] = (double)row->prompt_tokens + (double)row->completion_tokens;
    s->failed[s->count] = row->status != INF_STATUS_OK;
    if (row->cost_nano_usd >= 0)
        s->cost[s->costs++] = (double)row->cost_nano_usd / 1e9;
    s->oldest_ns = row->started_ns;
    return ++s->count == SAMPLE_MAX ? STOP : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, unsigned count, double p)
{
    unsigned at = (unsigned)(p * (double)(count - 1) + 0.5);
    return sorted[at];
}

static void amount(double value, const char *unit, char out[INF_CHECK_DURATION_SIZE])
{
    if (*unit == 's')
        inf_check_duration(value, out);
    else if (*unit == '$')
        snprintf(out, INF_CHECK_DURATION_SIZE, "$%.4g", value);
    else
        snprintf(out, INF_CHECK_DURATION_SIZE, "%.0f %s", value, unit);
}

static void compare(inf_check_report *report, const char *id, const char *title, const char *unit, double value,
                    double *values, unsigned count, const char *with)
{
    char detail[400], now[INF_CHECK_DURATION_SIZE], usual[INF_CHECK_DURATION_SIZE], most[INF_CHECK_DURATION_SIZE];
    if (count < ENOUGH) {
        snprintf(detail, sizeof detail, "Only %u earlier traces say; %d are needed to know what is usual.", count,
                 ENOUGH);
        inf_check_put(report, id, title, INF_CHECK_NOT_CHECKED, NULL, 0, detail, with);
        return;
    }
    qsort(values, count, sizeof *values, ascending);
    double p50 = percentile(values, count, 0.5), p95 = percentile(values, count, 0.95);
    amount(value, unit, now);
    amount(p50, unit, usual);
    amount(p95, unit, most);
    /* Far out of what is usual, and twice it: of names that vary little, a little more is no news. */
    bool unusual = value > p95 && value >= 2 * p50;
    int n = p50 > 0
                ? snprintf(detail, sizeof detail, "%s: %.*fx this name's usual", now, value < 9.95 * p50, value / p50)
                : snprintf(detail, sizeof detail, "%s", now);
    snprintf(detail + n, sizeof detail - (size_t)n, " (median %s, 95 in 100 at most %s).", usual, most);
    inf_check_put(report, id, title, unusual ? INF_CHECK_WARN : INF_CHECK_PASS, NULL, 0, detail, with);
}

static void compare_errors(inf_check_report *report, const struct sample *s, const char *with)
{
    char detail[400];
    unsigned lately = 0, before = 0, recent = s->count < LATELY ? s->count : LATELY, rest = s->count - recent;
    if (s->count < ENOUGH) {
        snprintf(detail, sizeof detail, "Only %u earlier traces; %d are needed.", s->count, ENOUGH);
        inf_check_put(report, "error_rate", "Errors lately", INF_CHECK_NOT_CHECKED, NULL, 0, detail, with);
        return;
    }
    for (unsigned i = 0; i < s->count; i++)
        *(i < recent ? &lately : &before) += s->failed[i];
    double now = (double)lately / recent, then = rest ? (double)before / rest : 0;
    bool bad = now >= 0.1 && (rest < ENOUGH || now >= 2 * then);
    int n = snprintf(detail, sizeof detail, "%u of the %u traces before this one did not end well (%.0f %%)", lately,
                     recent, 100 * now);
    if (rest >= ENOUGH)
        snprintf(detail + n, sizeof detail - (size_t)n, "; of the %u before those, %u (%.0f %%).", rest, before,
                 100 * then);
    else
        snprintf(detail + n, sizeof detail - (size_t)n, ".");
    inf_check_put(report, "error_rate", "Errors lately", bad ? INF_CHECK_WARN : INF_CHECK_PASS, NULL, 0, detail, with);
}

int inf_check_history(inf_check_report *report, inf_store *store, const inf_summary *trace, const char *name)
{
    char with[200], since[INF_RFC3339_SIZE];
    struct sample *s = calloc(1, sizeof *s);
    if (!s)
        return INF_ENOMEM;
    s->trace = trace;
    inf_store_filter filter = INF_STORE_FILTER_INIT;
    filter.name = name;
    filter.to_ns = trace->started_ns;
    filter.limit = ROWS_MAX;
    int rc = trace->started_ns > 0 ? inf_store_list(store, &filter, note, s, NULL) : 0;
    if (rc < 0) {
        free(s);
        return rc;
    }
    if (s->count > 0) {
        inf_rfc3339(s->oldest_ns, 0, since);
        snprintf(with, sizeof with, "the %u finished traces of this name and agent before it, since %s", s->count,
                 since);
    } else {
        snprintf(with, sizeof with, "earlier traces of this name and agent: there are none");
    }
    compare(report, "duration", "Duration", "s", (double)trace->duration_ns / 1e9, s->duration, s->count, with);
    double tokens = (double)trace->prompt_tokens + (double)trace->completion_tokens;
    if (tokens > 0)
        compare(report, "tokens", "Tokens", "tokens", tokens, s->tokens, s->count, with);
    if (trace->cost_nano_usd >= 0)
        compare(report, "cost", "Cost", "$", (double)trace->cost_nano_usd / 1e9, s->cost, s->costs, with);
    compare_errors(report, s, with);
    free(s);
    return 0;
}

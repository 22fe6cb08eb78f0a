/* GET stats: numbers over time, out of the store's rollups. See stats.h. */
#include <string.h>

#include "api/api.h"
#include "api/query.h"
#include "api/stats.h"
#include "base/clock.h"
#include "infinium.h"

#define MINUTE_NS 60000000000ull
#define DAY_NS (24 * 60 * MINUTE_NS)
#define ALL_NS (INT64_MAX / MINUTE_NS * MINUTE_NS) /* 292 years */

uint64_t inf_stats_interval(uint64_t from_ns, uint64_t to_ns)
{
    static const uint16_t minutes[] = {1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080};
    enum { COUNT = sizeof minutes / sizeof minutes[0], WANTED = 120 };
    uint64_t range = to_ns - from_ns;
    for (int i = 0; i < COUNT; i++)
        if (range / (minutes[i] * MINUTE_NS) <= WANTED)
            return minutes[i] * MINUTE_NS;
    return (range / (30 * DAY_NS * WANTED) + 1) * 30 * DAY_NS;
}

static void time_of(inf_json_writer *w, const char *key, uint64_t ns)
{
    char text[INF_RFC3339_SIZE];
    inf_rfc3339(ns, 0, text);
    inf_json_key(w, key);
    inf_json_put_text(w, text);
}

static void number(inf_json_writer *w, const char *key, int64_t value)
{
    inf_json_key(w, key);
    inf_json_put_i64(w, value);
}

static void seconds(inf_json_writer *w, const char *key, const inf_stats_row *s, uint64_t ns)
{
    inf_json_key(w, key);
    if (s->traces == 0)
        inf_json_put_null(w);
    else
        inf_json_put_double(w, (double)ns / 1e9);
}

static void numbers(inf_json_writer *w, const inf_stats_row *s)
{
    number(w, "traces", s->traces);
    number(w, "errors", s->errors);
    number(w, "interrupted", s->interrupted);
    number(w, "llm_calls", s->llm_calls);
    seconds(w, "duration_p50_s", s, s->p50_ns);
    seconds(w, "duration_p95_s", s, s->p95_ns);
    seconds(w, "duration_p99_s", s, s->p99_ns);
    seconds(w, "duration_max_s", s, s->max_ns);
    number(w, "prompt_tokens", s->prompt_tokens);
    number(w, "completion_tokens", s->completion_tokens);
    number(w, "cached_tokens", s->cached_tokens);
    number(w, "cache_write_tokens", s->cache_write_tokens);
    number(w, "reasoning_tokens", s->reasoning_tokens);
    inf_json_key(w, "cost_usd");
    inf_json_put_double(w, s->cost_nano_usd > 0 ? (double)s->cost_nano_usd / 1e9 : 0);
}

static int write_bucket(void *context, const inf_stats_row *s)
{
    inf_json_writer *w = context;
    inf_json_begin_object(w);
    time_of(w, "start", s->start_ns);
    numbers(w, s);
    inf_json_end_object(w);
    return w->out->error;
}

static int write_group(void *context, const inf_stats_row *s)
{
    inf_json_writer *w = context;
    inf_json_begin_object(w);
    inf_json_key(w, "key");
    inf_json_put_text(w, s->key);
    numbers(w, s);
    inf_json_end_object(w);
    return w->out->error;
}

static int keep_total(void *context, const inf_stats_row *s)
{
    *(inf_stats_row *)context = *s;
    return 0;
}

/* Percentiles of a whole cannot be made from those of its parts: the store is asked for one bucket that holds all. */
int inf_stats_total(inf_store *store, const inf_store_filter *filter, inf_stats_row *out)
{
    memset(out, 0, sizeof *out);
    return inf_store_stats(store, filter, ALL_NS, INF_GROUP_NONE, 0, keep_total, out);
}

int inf_stats_write(inf_json_writer *w, inf_store *store, const inf_stats_question *q)
{
    inf_stats_row total;
    int rc = inf_stats_total(store, &q->filter, &total);
    if (rc < 0)
        return rc;
    inf_json_begin_object(w);
    time_of(w, "from", q->filter.from_ns);
    time_of(w, "to", q->filter.to_ns);
    number(w, "interval_s", (int64_t)(q->interval_ns / 1000000000));
    inf_json_key(w, "totals");
    inf_json_begin_object(w);
    numbers(w, &total);
    inf_json_end_object(w);
    inf_json_key(w, "buckets");
    inf_json_begin_array(w);
    rc = inf_store_stats(store, &q->filter, q->interval_ns, INF_GROUP_NONE, 0, write_bucket, w);
    inf_json_end_array(w);
    if (rc == 0 && q->group != INF_GROUP_NONE) {
        inf_json_key(w, "groups");
        inf_json_begin_array(w);
        rc = inf_store_stats(store, &q->filter, 0, q->group, q->limit, write_group, w);
        inf_json_end_array(w);
    }
    inf_json_end_object(w);
    return rc < 0 ? rc : w->out->error;
}

/* ---- GET stats ---- */

/* What is not given: the last day, about a hundred buckets. */
static bool settle(inf_request *r, inf_stats_question *question, int64_t interval_s)
{
    inf_store_filter *f = &question->filter;
    if (!f->to_ns)
        f->to_ns = inf_unix_ns();
    if (!f->from_ns)
        f->from_ns = f->to_ns > DAY_NS ? f->to_ns - DAY_NS : 1;
    if (f->from_ns >= f->to_ns) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "from is not before to");
        return false;
    }
    question->interval_ns = interval_s ? (uint64_t)interval_s * 1000000000 : inf_stats_interval(f->from_ns, f->to_ns);
    if (question->interval_ns % MINUTE_NS)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "interval is no whole number of minutes (it is given in seconds)");
    else if ((f->to_ns - f->from_ns) / question->interval_ns >= INF_STATS_BUCKETS_MAX)
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "interval is too short for that time: it would be over %d buckets",
                            INF_STATS_BUCKETS_MAX);
    return !r->refused;
}

void inf_api_stats(inf_request *r, inf_worker *worker)
{
    inf_query_traces q = INF_QUERY_TRACES_INIT;
    inf_stats_question question = {0};
    int64_t interval_s = 0;
    int group = -1;
    const inf_query_parameter parameters[] = {
        {"agent", INF_QUERY_ID, &q.agent, 0, 0, NULL},
        {"name", INF_QUERY_TEXT, &q.filter.name, 0, INF_QUERY_TEXT_MAX, NULL},
        {"model", INF_QUERY_TEXT, &q.filter.model, 0, INF_QUERY_TEXT_MAX, NULL},
        {"from", INF_QUERY_TIME, &q.filter.from_ns, 0, 0, NULL},
        {"to", INF_QUERY_TIME, &q.filter.to_ns, 0, 0, NULL},
        {"interval", INF_QUERY_INT, &interval_s, 60, 366 * 86400, NULL},
        {"group", INF_QUERY_CHOICE, &group, 0, 0, "name|model|agent"}, /* as enum inf_store_group counts, after none */
        {"limit", INF_QUERY_INT, &q.limit, 1, INF_QUERY_LIMIT_MAX, NULL},
    };
    if (!INF_QUERY_READ(r, parameters) || !inf_query_settle(r, &q))
        return;
    question.filter = q.filter;
    question.group = (enum inf_store_group)(group + 1);
    question.limit = (int)q.limit;
    if (!settle(r, &question, interval_s))
        return;
    inf_intake_catch_up(r->receiver->intake);
    inf_json_writer w = inf_json_writer_on(&r->answer);
    int rc = inf_stats_write(&w, worker->store, &question);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
}

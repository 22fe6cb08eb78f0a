/* See judgement.h; and what the judge is at (GET /judge). */
#include "api/judgement.h"

#include "api/query.h"
#include "base/clock.h"
#include "cost/trace.h"
#include "infinium.h"
#include "judge/judge.h"

static void text(inf_json_writer *w, const char *key, const char *value)
{
    inf_json_key(w, key);
    inf_json_put_text(w, value);
}

static void known(inf_json_writer *w, const char *key, int64_t value)
{
    inf_json_key(w, key);
    if (value < 0)
        inf_json_put_null(w);
    else
        inf_json_put_i64(w, value);
}

static void outcome(inf_json_writer *w, const inf_judgement *j)
{
    char at[INF_RFC3339_SIZE];
    bool judged = j->state == INF_JUDGEMENT_JUDGED;
    inf_rfc3339(j->judged_ns, 3, at);
    text(w, "verdict", judged ? inf_verdict_name(j->verdict) : NULL);
    inf_json_key(w, "score");
    if (judged)
        inf_json_put_double(w, j->score);
    else
        inf_json_put_null(w);
    text(w, "reason", judged ? j->reason : NULL);
    text(w, "error", judged ? NULL : j->error);
    text(w, "model", j->model);
    text(w, "judged_at", at);
    known(w, "prompt_tokens", j->prompt_tokens);
    known(w, "completion_tokens", j->completion_tokens);
    inf_json_key(w, "cost_usd");
    inf_cost_write(w, j->cost_nano_usd);
    inf_json_key(w, "latency_s");
    inf_json_put_fixed(w, (double)j->latency_ns / 1e9, 3);
}

int inf_judgement_write(inf_json_writer *w, inf_store *store, const inf_summary *trace)
{
    inf_judgement j;
    int rc = inf_store_judgement(store, trace->trace_id, trace->sequence, &j);
    if (rc < 0) {
        inf_json_put_null(w);
        return rc == INF_ENOTFOUND ? 0 : rc;
    }
    inf_json_begin_object(w);
    text(w, "state", inf_judgement_state_name(j.state));
    if (j.state != INF_JUDGEMENT_WAITING)
        outcome(w, &j);
    inf_json_end_object(w);
    return 0;
}

static void number(inf_json_writer *w, const char *key, uint64_t value)
{
    inf_json_key(w, key);
    inf_json_put_u64(w, value);
}

static void write_state(inf_json_writer *w, const inf_judge *judge)
{
    inf_judge_stats s;
    inf_judge_get_stats(judge, &s);
    inf_json_begin_object(w);
    text(w, "state", inf_judge_state_name(s.state));
    text(w, "model", inf_judge_model(judge));
    inf_json_key(w, "sends_texts");
    inf_json_put_bool(w, inf_judge_sends_texts(judge));
    number(w, "waiting", (uint64_t)s.waiting);
    number(w, "calls", s.calls);
    number(w, "calls_failed", s.calls_failed);
    inf_json_key(w, "judged");
    inf_json_begin_object(w);
    for (int i = 0; i < INF_VERDICTS; i++)
        number(w, inf_verdict_name((enum inf_verdict)i), s.verdicts[i]);
    inf_json_end_object(w);
    number(w, "failed", s.failed);
    inf_json_key(w, "passed_over");
    inf_json_begin_object(w);
    number(w, "queue_full", s.passed_full);
    number(w, "behind", s.passed_behind);
    inf_json_end_object(w);
    inf_json_key(w, "today");
    inf_json_begin_object(w);
    number(w, "calls", (uint64_t)s.day_calls);
    inf_json_key(w, "cost_usd");
    inf_cost_write(w, s.day_nano_usd);
    inf_json_end_object(w);
    inf_json_end_object(w);
}

void inf_api_judge(inf_request *r, inf_worker *worker)
{
    (void)worker;
    if (!inf_query_read(r, NULL, 0))
        return;
    if (r->access.scoped) {
        inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "this key is for one agent; the numbers are of all");
        return;
    }
    inf_json_writer w = inf_json_writer_on(&r->answer);
    write_state(&w, r->receiver->judge);
}

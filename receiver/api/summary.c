/* See summary.h. */
#include <string.h>

#include "api/judgement.h"
#include "api/scores.h"
#include "api/summary.h"
#include "base/clock.h"
#include "base/id.h"
#include "cost/trace.h"
#include "infinium.h"

static const char *const status_names[] = {"running", "ok", "error", "interrupted"}; /* as enum inf_status counts */

/* The keys that the summary gives a whole trace; a body's own members of these names are not repeated. */
static const char *const summary_keys[] = {
    "trace_id",
    "parent_id",
    "agent_id",
    "agent_name",
    "name",
    "status",
    "started_at",
    "duration_s",
    "llm_calls",
    "prompt_tokens",
    "completion_tokens",
    "model",
    "error_type",
    "error_message",
    "input_preview",
    "output_preview",
    "received_at",
    "tags",
    "session_id",
    "user_id",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
};

const char *inf_status_name(uint8_t status)
{
    return status < 4 ? status_names[status] : "error";
}

int inf_status_parse(const char *name)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(name, status_names[i]) == 0)
            return i;
    return -1;
}

static void text(inf_json_writer *w, const char *key, const char *value)
{
    inf_json_key(w, key);
    inf_json_put_text(w, value);
}

static void number(inf_json_writer *w, const char *key, int64_t value)
{
    inf_json_key(w, key);
    inf_json_put_i64(w, value);
}

static void time_of(inf_json_writer *w, const char *key, uint64_t ns)
{
    char out[INF_RFC3339_SIZE];
    inf_rfc3339(ns, 9, out);
    text(w, key, out);
}

static void members(inf_json_writer *w, const inf_summary *m)
{
    char id[37];
    inf_id_hex(m->trace_id, id);
    text(w, "trace_id", id);
    if (!inf_id_is_zero(m->parent_id))
        inf_id_hex(m->parent_id, id);
    text(w, "parent_id", inf_id_is_zero(m->parent_id) ? NULL : id);
    inf_id_uuid(m->agent_id, id);
    text(w, "agent_id", id);
    text(w, "agent_name", m->agent_name);
    text(w, "name", m->name);
    text(w, "status", inf_status_name(m->status));
    time_of(w, "started_at", m->started_ns);
    inf_json_key(w, "duration_s");
    inf_json_put_double(w, (double)m->duration_ns / 1e9);
    number(w, "llm_calls", m->llm_calls);
    number(w, "prompt_tokens", m->prompt_tokens);
    number(w, "completion_tokens", m->completion_tokens);
    text(w, "model", m->model);
    text(w, "error_type", m->error_type);
    text(w, "error_message", m->error_message);
    text(w, "input_preview", m->input_preview);
    text(w, "output_preview", m->output_preview);
    number(w, "cached_tokens", m->cached_tokens);
    number(w, "cache_write_tokens", m->cache_write_tokens);
    number(w, "reasoning_tokens", m->reasoning_tokens);
    inf_json_key(w, "cost_usd");
    if (m->cost_nano_usd < 0)
        inf_json_put_text(w, NULL);
    else
        inf_json_put_double(w, (double)m->cost_nano_usd / 1e9);
    text(w, "session_id", m->session_id);
    text(w, "user_id", m->user_id);
    inf_json_key(w, "tags");
    inf_json_put_raw(w, m->tags ? m->tags : "[]", m->tags ? strlen(m->tags) : 2);
}

void inf_summary_write(inf_json_writer *w, const inf_summary *summary)
{
    inf_json_begin_object(w);
    members(w, summary);
    inf_json_end_object(w);
}

void inf_summary_members(inf_json_writer *w, const inf_summary *summary)
{
    members(w, summary);
    time_of(w, "received_at", summary->received_ns);
}

static bool given_already(const char *key, size_t length)
{
    for (size_t i = 0; i < sizeof summary_keys / sizeof summary_keys[0]; i++)
        if (strlen(summary_keys[i]) == length && memcmp(summary_keys[i], key, length) == 0)
            return true;
    return false;
}

static bool is(const inf_json_iterator *member, const char *name)
{
    return member->key_length == strlen(name) && memcmp(member->key, name, member->key_length) == 0;
}

int inf_known_trace_write(inf_json_writer *w, inf_store *store, inf_pricer *pricer, const inf_summary *summary,
                          const char *body, size_t body_length, inf_json *parser)
{
    inf_json_value root;
    int rc = inf_json_parse(parser, body, body_length, 0, &root);
    if (rc < 0)
        return rc;
    inf_json_begin_object(w);
    inf_summary_members(w, summary);
    inf_json_iterator i = inf_json_iterate(root);
    bool scores = false;
    while (inf_json_type(root) == INF_JSON_OBJECT && inf_json_next(&i)) {
        bool scored = is(&i, "scores");
        if (given_already(i.key, i.key_length) || (store && (scored || is(&i, "call_costs") || is(&i, "judgement"))) ||
            (scored && (scores || inf_json_type(i.value) != INF_JSON_ARRAY)))
            continue;
        scores |= scored;
        inf_json_key_n(w, i.key, i.key_length);
        inf_json_write(i.value, w->out);
        w->comma = true;
    }
    if (store) {
        inf_json_key(w, "scores");
        rc = inf_scores_write(w, store, summary, &root);
    } else if (!scores) {
        inf_json_key(w, "scores");
        inf_json_begin_array(w);
        inf_json_end_array(w);
    }
    if (store && pricer) {
        inf_json_key(w, "call_costs");
        inf_cost_calls_write(w, pricer, root, summary->started_ns);
    }
    if (store && rc == 0) {
        inf_json_key(w, "judgement");
        rc = inf_judgement_write(w, store, summary);
    }
    inf_json_end_object(w);
    return rc;
}

int inf_whole_trace_write(inf_json_writer *w, const inf_summary *summary, const char *body, size_t body_length,
                          inf_json *parser)
{
    return inf_known_trace_write(w, NULL, NULL, summary, body, body_length, parser);
}

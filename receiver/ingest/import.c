/* See import.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "infinium.h"
#include "ingest/body.h"
#include "ingest/import.h"
#include "ingest/record.h"
#include "store/keys.h"
#include "store/scores.h"

enum { ROWS = 500, GATHER = 8 * 1024 * 1024, GATHER_ENOUGH = 4 * 1024 * 1024, AGENTS_MAX = 64, NAME_MAX_BYTES = 200 };

struct inf_import {
    inf_json *line;
    inf_body_reader body;
    inf_import_counts counts;
    inf_buf rejected;   /* elements of an array of JSON */
    const char *reason; /* of the first one */
    void (*refused)(void *context, uint64_t index, const char *reason);
    void *context;

    /* gathered, not stored: records of record.h, one after another */
    inf_buf records;
    struct {
        size_t at;
        size_t length;
        uint64_t index;
    } places[ROWS];
    size_t count;
    inf_store_put rows[ROWS];
    inf_buf scores; /* of these traces: a struct kept_score each, its name and its comment with their NULs */

    uint8_t known[AGENTS_MAX][16]; /* agents that are there, the last ones asked for */
    size_t known_count;
    bool skipping; /* the rest of a line that is too long */
};

struct kept_score {
    uint8_t trace_id[16], agent_id[16];
    double value;
    uint64_t created_ns;
    size_t name_size, comment_size; /* with the NUL; 0: none */
    bool by_agent, removed;
};

inf_import *inf_import_new(void)
{
    inf_import *im = calloc(1, sizeof *im);
    if (!im)
        return NULL;
    inf_buf_init(&im->records, GATHER);
    inf_buf_init(&im->scores, 2 * GATHER);
    inf_buf_init(&im->rejected, INF_IMPORT_REJECTED_MAX * 256);
    im->line = inf_json_new();
    if (im->line && inf_body_reader_init(&im->body) == 0)
        return im;
    inf_json_free(im->line);
    free(im);
    return NULL;
}

void inf_import_free(inf_import *im)
{
    if (!im)
        return;
    inf_json_free(im->line);
    inf_body_reader_free(&im->body);
    inf_buf_free(&im->records);
    inf_buf_free(&im->scores);
    inf_buf_free(&im->rejected);
    free(im);
}

void inf_import_tell(inf_import *im, void (*refused)(void *context, uint64_t index, const char *reason), void *context)
{
    im->refused = refused;
    im->context = context;
}

static void reject(inf_import *im, uint64_t index, const char *reason)
{
    if (!im->reason)
        im->reason = reason;
    if (im->refused)
        im->refused(im->context, index, reason);
    if (im->counts.rejected++ >= INF_IMPORT_REJECTED_MAX)
        return;
    inf_json_writer w = {&im->rejected, im->rejected.length > 0};
    inf_json_begin_object(&w);
    inf_json_key(&w, "index");
    inf_json_put_u64(&w, index);
    inf_json_key(&w, "error");
    inf_json_put_text(&w, reason);
    inf_json_end_object(&w);
}

/* ---- where the body stands in its line ---- */

static size_t skip_space(const char *text, size_t length, size_t at)
{
    while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r'))
        at++;
    return at;
}

/* Past the string that begins at `at`. The text is valid JSON. */
static size_t skip_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at + 1;
}

/* Past the value that begins at `at`. */
static size_t skip_value(const char *text, size_t length, size_t at)
{
    int depth = 0;
    while (at < length) {
        char c = text[at];
        if (c == '"') {
            at = skip_string(text, length, at);
            if (depth == 0)
                return at;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\r'))
            return at;
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        at++;
        if (depth == 0 && (c == '}' || c == ']'))
            return at;
    }
    return at;
}

/* The text of the line's member "body", as it is written: a parsed value would give its numbers another spelling. */
static bool find_body(const char *text, size_t length, const char **body, size_t *body_length)
{
    size_t at = skip_space(text, length, 0) + 1; /* past the brace */
    for (;;) {
        at = skip_space(text, length, at);
        if (at >= length || text[at] != '"')
            return false;
        size_t key = at;
        at = skip_string(text, length, at);
        bool found = at - key == 6 && memcmp(text + key, "\"body\"", 6) == 0;
        at = skip_space(text, length, at) + 1; /* past the colon */
        at = skip_space(text, length, at);
        size_t value = at;
        at = skip_value(text, length, at);
        if (found) {
            *body = text + value;
            *body_length = at - value;
            return at <= length && text[value] == '{';
        }
        at = skip_space(text, length, at);
        if (at >= length || text[at] != ',')
            return false;
        at++;
    }
}

/* ---- agents ---- */

static int same_agent(void *context, const inf_agent *agent)
{
    return memcmp(context, agent->id, 16) == 0 ? 1 : 0;
}

/* Makes sure that the store knows the agent, so that its traces have its name. */
static int know_agent(inf_import *im, inf_store *store, inf_json_value line, const uint8_t id[16])
{
    for (size_t i = 0; i < im->known_count; i++)
        if (memcmp(im->known[i], id, 16) == 0)
            return 0;
    uint8_t wanted[16];
    memcpy(wanted, id, 16);
    int rc = inf_store_agents(store, same_agent, wanted);
    if (rc == 0) {
        char name[NAME_MAX_BYTES + 1] = "imported";
        const char *text;
        size_t length;
        if (inf_json_get_string(line, "agent_name", &text, &length) && length > 0 && length <= NAME_MAX_BYTES &&
            !memchr(text, 0, length)) {
            memcpy(name, text, length);
            name[length] = 0;
        }
        inf_agent agent = {.name = name, .created_ns = inf_unix_ns()}; /* no iterations: no secret fits */
        memcpy(agent.id, id, 16);
        rc = inf_store_agent_add(store, &agent);
        im->counts.agents += rc == 0;
        rc = rc == INF_EEXIST ? 0 : rc;
    }
    if (rc < 0)
        return rc;
    memcpy(im->known[im->known_count < AGENTS_MAX ? im->known_count++ : 0], id, 16);
    return 0;
}

/* ---- storing ---- */

/* In one transaction, once their traces are stored. */
static int store_scores(inf_import *im, inf_store *store)
{
    if (im->scores.length == 0)
        return 0;
    int rc = inf_store_scores_begin(store);
    if (rc < 0)
        return rc;
    for (size_t at = 0; rc == 0 && at < im->scores.length;) {
        struct kept_score kept;
        memcpy(&kept, im->scores.data + at, sizeof kept);
        const char *name = (const char *)im->scores.data + at + sizeof kept;
        inf_trace_score score = {.name = name,
                                 .value = kept.value,
                                 .removed = kept.removed,
                                 .comment = kept.comment_size ? name + kept.name_size : NULL,
                                 .created_ns = kept.created_ns};
        rc = inf_store_score_set(store, kept.trace_id, kept.by_agent ? kept.agent_id : NULL, &score);
        if (rc == INF_EFULL) /* more than one trace may have: left out */
            rc = 0;
        at += sizeof kept + kept.name_size + kept.comment_size;
    }
    inf_buf_reset(&im->scores);
    return inf_store_scores_end(store, rc);
}

static int store_gathered(inf_import *im, inf_store *store)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < im->count; i++)
        rc = inf_ingest_decode(im->records.data + im->places[i].at, im->places[i].length, &im->rows[i]);
    if (rc == 0)
        rc = inf_store_put_traces(store, im->rows, im->count);
    for (size_t i = 0; rc == 0 && i < im->count; i++) {
        im->counts.duplicates += im->rows[i].duplicate;
        im->counts.accepted += !im->rows[i].duplicate;
    }
    im->count = 0;
    inf_buf_reset(&im->records);
    return rc == 0 ? store_scores(im, store) : rc;
}

static int gather(inf_import *im, inf_store *store, const inf_store_put *trace, uint64_t index)
{
    uint8_t head[INF_INGEST_HEAD_MAX];
    size_t head_length = inf_ingest_encode(&trace->summary, head);
    int rc = 0;
    if (im->count == ROWS || im->scores.length > GATHER ||
        im->records.length + head_length + trace->body_length > GATHER)
        rc = store_gathered(im, store);
    if (rc < 0)
        return rc;
    im->places[im->count].at = im->records.length;
    im->places[im->count].length = head_length + trace->body_length;
    im->places[im->count].index = index;
    inf_buf_put(&im->records, head, head_length);
    inf_buf_put(&im->records, trace->body, trace->body_length);
    im->count += !im->records.error;
    return im->records.error;
}

/* ---- lines ---- */

static bool get_id(inf_json_value line, const char *key, char text[40], uint8_t id[16])
{
    const char *given;
    size_t length;
    if (!inf_json_get_string(line, key, &given, &length) || length > 36 || inf_id_parse(given, length, id) < 0)
        return false;
    inf_id_hex(id, text);
    return true;
}

static void read_rest(inf_json_value line, inf_store_put *trace)
{
    double cost;
    if (inf_json_get_double(line, "cost_usd", &cost) && cost >= 0 && cost < 9e9)
        trace->summary.cost_nano_usd = (int64_t)(cost * 1e9 + 0.5);
}

static int read_score(inf_json_value value, inf_trace_score *score, char name[INF_SCORE_NAME_MAX + 1])
{
    const char *text;
    size_t length;
    *score = (inf_trace_score){.name = name};
    if (!inf_json_get_string(value, "name", &text, &length) || length == 0 || length > INF_SCORE_NAME_MAX ||
        memchr(text, 0, length) || !inf_json_get_double(value, "value", &score->value))
        return INF_EINVAL;
    memcpy(name, text, length);
    name[length] = 0;
    if (inf_json_get_string(value, "comment", &text, &length) && length <= INF_SCORE_COMMENT_MAX)
        score->comment = text;
    if (!inf_json_get_string(value, "created_at", &text, &length) ||
        inf_rfc3339_parse(text, length, &score->created_ns) < 0)
        score->created_ns = inf_unix_ns();
    score->by_agent = inf_json_get_string(value, "source", &text, &length) && strcmp(text, "agent") == 0;
    inf_json_get_bool(value, "removed", &score->removed);
    return 0;
}

static int keep_score(inf_import *im, const inf_trace_score *score, const uint8_t trace_id[16],
                      const uint8_t agent_id[16])
{
    struct kept_score kept;
    memset(&kept, 0, sizeof kept); /* its padding too: these are bytes of a buffer */
    memcpy(kept.trace_id, trace_id, 16);
    memcpy(kept.agent_id, agent_id, 16);
    kept.value = score->value;
    kept.created_ns = score->created_ns;
    kept.by_agent = score->by_agent;
    kept.removed = score->removed;
    kept.name_size = strlen(score->name) + 1;
    kept.comment_size = score->comment ? strlen(score->comment) + 1 : 0;
    inf_buf_put(&im->scores, &kept, sizeof kept);
    inf_buf_put(&im->scores, score->name, kept.name_size);
    inf_buf_put(&im->scores, score->comment, kept.comment_size);
    return im->scores.error;
}

/* Scores that are none are left out; they do not spoil the trace. */
static int take_scores(inf_import *im, inf_json_value line, const uint8_t trace_id[16], const uint8_t agent_id[16])
{
    inf_json_value scores;
    int rc = 0;
    if (!inf_json_get(line, "scores", &scores) || inf_json_type(scores) != INF_JSON_ARRAY)
        return 0;
    inf_json_iterator i = inf_json_iterate(scores);
    while (rc == 0 && inf_json_next(&i)) {
        char name[INF_SCORE_NAME_MAX + 1];
        inf_trace_score score;
        if (read_score(i.value, &score, name) == 0)
            rc = keep_score(im, &score, trace_id, agent_id);
    }
    return rc;
}

/* NULL, or why the line is refused; *rc: why the import ends. */
static const char *read_line(inf_import *im, inf_store *store, const char *text, size_t length, uint64_t index, int *rc)
{
    inf_json_value line;
    inf_body_source source = {.received_ns = inf_unix_ns()};
    inf_store_put trace;
    uint8_t trace_id[16];
    uint8_t agent_id[16];
    char id[40];
    char unused[40];
    const char *at;
    const char *reason = NULL;
    size_t n;
    if (length > INF_IMPORT_LINE_MAX)
        return "the line is longer than 4194304 bytes";
    if (inf_json_parse_padded(im->line, text, length, 0, &line) < 0)
        return inf_json_error(im->line);
    if (inf_json_type(line) != INF_JSON_OBJECT)
        return "the line is not a JSON object";
    if (!get_id(line, "trace_id", id, trace_id))
        return "the line has no trace_id of 32 hexadecimal digits";
    if (!get_id(line, "agent_id", unused, agent_id))
        return "the line has no agent_id that is a UUID";
    if (!find_body(text, length, &source.text, &source.length))
        return "the line has no body that is an object";
    if (inf_json_get_string(line, "received_at", &at, &n) && inf_rfc3339_parse(at, n, &source.received_ns) < 0)
        return "received_at is no RFC 3339 time";
    source.agent_id = agent_id;
    source.key = id;
    if (inf_body_read(&im->body, &source, &trace, &reason) != 0)
        return reason;
    if (memcmp(trace.summary.trace_id, trace_id, 16) != 0)
        return "the body's trace_id is another one than the line's";
    read_rest(line, &trace);
    *rc = know_agent(im, store, line, agent_id);
    if (*rc == 0)
        *rc = gather(im, store, &trace, index);
    if (*rc == 0)
        *rc = take_scores(im, line, trace_id, agent_id);
    return NULL;
}

static bool blank(const char *line, size_t length)
{
    return skip_space(line, length, 0) == length;
}

static int take_line(inf_import *im, inf_store *store, const char *line, size_t length)
{
    int rc = 0;
    if (blank(line, length))
        return 0;
    uint64_t index = im->counts.lines++;
    const char *reason = read_line(im, store, line, length, index, &rc);
    if (reason)
        reject(im, index, reason);
    return rc;
}

int inf_import_take(inf_import *im, inf_store *store, const char *text, size_t length, bool last, size_t *used)
{
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < length) {
        const char *stop = memchr(text + at, '\n', length - at);
        size_t end = stop ? (size_t)(stop - text) : length;
        bool endless = !stop && end - at > INF_IMPORT_LINE_MAX;
        if (!stop && !last && !endless && !im->skipping)
            break;
        if (!im->skipping)
            rc = take_line(im, store, text + at, end - at);
        im->skipping = !stop && (im->skipping || endless);
        at = end + (stop != NULL);
    }
    *used = at;
    if (rc == 0 && (last || im->records.length >= GATHER_ENOUGH))
        rc = store_gathered(im, store);
    return rc;
}

const inf_import_counts *inf_import_counted(const inf_import *im)
{
    return &im->counts;
}

/* What was stored is stored: that nobody could write it down changes nothing. */
void inf_import_note(const inf_import *import, inf_store *store, const inf_actor *actor, bool over)
{
    char detail[120] = "begun";
    const inf_import_counts *counts = &import->counts;
    if (over)
        snprintf(detail, sizeof detail, "%llu trace%s stored, %llu already there, %llu refused",
                 (unsigned long long)counts->accepted, counts->accepted == 1 ? "" : "s",
                 (unsigned long long)counts->duplicates, (unsigned long long)counts->rejected);
    inf_audit entry = {.who = actor->who, .origin = actor->origin, .action = "import", .subject = "", .detail = detail};
    if (inf_store_change_begin(store) == 0)
        inf_store_change_end(store, 0, &entry);
}

const char *inf_import_reason(const inf_import *im)
{
    return im->reason;
}

void inf_import_write(const inf_import *im, inf_json_writer *w)
{
    const inf_import_counts *c = &im->counts;
    inf_json_begin_object(w);
    inf_json_key(w, "success");
    inf_json_put_bool(w, true);
    inf_json_key(w, "accepted");
    inf_json_put_u64(w, c->accepted);
    inf_json_key(w, "duplicates");
    inf_json_put_u64(w, c->duplicates);
    inf_json_key(w, "rejected");
    inf_json_begin_array(w);
    if (im->rejected.length > 0)
        inf_json_put_raw(w, im->rejected.data, im->rejected.length);
    inf_json_end_array(w);
    inf_json_key(w, "rejected_count");
    inf_json_put_u64(w, c->rejected);
    inf_json_key(w, "agents_added");
    inf_json_put_u64(w, c->agents);
    inf_json_end_object(w);
}

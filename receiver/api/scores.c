/* Scores on traces: giving, taking away, and the one list of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/scores.h"
#include "base/clock.h"
#include "base/id.h"
#include "infinium.h"

/* ---- the list ---- */

enum { LISTED_MAX = 3 * INF_SCORES_MAX };

struct listed {
    char name[INF_SCORE_NAME_MAX + 1];
    char *comment;
    double value;
    uint64_t created_ns;
    const char *source;
    bool removed;
};

struct list {
    struct listed *rows;
    size_t count;
    int error;
};

static void put(struct list *l, const char *name, size_t length, double value, const char *comment, uint64_t created_ns,
                const char *source, bool removed)
{
    size_t i = 0;
    if (length > INF_SCORE_NAME_MAX || memchr(name, 0, length))
        return;
    while (i < l->count && (strncmp(l->rows[i].name, name, length) != 0 || l->rows[i].name[length]))
        i++;
    if (i == LISTED_MAX)
        return;
    struct listed *row = &l->rows[i];
    if (i == l->count)
        l->count++;
    free(row->comment);
    *row = (struct listed){.value = value, .created_ns = created_ns, .source = source, .removed = removed};
    memcpy(row->name, name, length);
    if (comment && !(row->comment = strdup(comment)))
        l->error = INF_ENOMEM;
}

static void from_body(struct list *l, const inf_summary *trace, inf_json_value root)
{
    inf_json_value scores;
    if (!inf_json_get(root, "scores", &scores) || inf_json_type(scores) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(scores);
    for (int n = 0; n < INF_SCORES_MAX && inf_json_next(&i); n++) {
        const char *name, *comment = NULL;
        size_t length, comment_length;
        double value;
        if (!inf_json_get_string(i.value, "name", &name, &length) || length == 0 ||
            !inf_json_get_double(i.value, "value", &value))
            continue;
        inf_json_get_string(i.value, "comment", &comment, &comment_length);
        put(l, name, length, value, comment, trace->received_ns, "trace", false);
    }
}

static int from_store(void *context, const inf_trace_score *score)
{
    struct list *l = context;
    put(l, score->name, strlen(score->name), score->value, score->comment, score->created_ns,
        score->by_agent ? "agent" : "admin", score->removed);
    return l->error;
}

int inf_scores_write(inf_json_writer *w, inf_store *store, const inf_summary *trace, const inf_json_value *root)
{
    struct list l = {.rows = calloc(LISTED_MAX, sizeof *l.rows)};
    if (!l.rows)
        return INF_ENOMEM;
    if (root)
        from_body(&l, trace, *root);
    int rc = inf_store_scores(store, trace->trace_id, trace->agent_id, from_store, &l);
    inf_json_begin_array(w);
    for (size_t i = 0; i < l.count; i++) {
        char created[INF_RFC3339_SIZE];
        const struct listed *row = &l.rows[i];
        if (row->removed)
            continue;
        inf_rfc3339(row->created_ns, 6, created);
        const char *const texts[][2] = {
            {"name", row->name}, {"comment", row->comment}, {"source", row->source}, {"created_at", created}};
        inf_json_begin_object(w);
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            inf_json_key(w, texts[t][0]);
            inf_json_put_text(w, texts[t][1]);
        }
        inf_json_key(w, "value");
        inf_json_put_double(w, row->value);
        inf_json_end_object(w);
    }
    inf_json_end_array(w);
    for (size_t i = 0; i < l.count; i++)
        free(l.rows[i].comment);
    free(l.rows);
    return rc < 0 ? rc : l.error;
}

/* ---- giving and taking away ---- */

static bool trace_id(inf_request *r, const char *text, uint8_t id[16])
{
    if (inf_id_parse(text, strlen(text), id) == 0)
        return true;
    inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no trace's id");
    return false;
}

static const char *text_reason(const char *text, size_t length, size_t most)
{
    if (length > most)
        return "too long";
    return memchr(text, 0, length) ? "holds a NUL" : NULL;
}

/* Points into the parser's document. False when it refused the request. */
static bool read_score(inf_request *r, inf_json *parser, inf_trace_score *score)
{
    inf_json_value root, member;
    size_t length;
    const char *reason;
    if (inf_json_parse(parser, r->body.data, r->body.length, 0, &root) < 0) {
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "the body is not JSON: %s", inf_json_error(parser));
        return false;
    }
    inf_json_iterator i = inf_json_iterate(root);
    while (inf_json_type(root) == INF_JSON_OBJECT && inf_json_next(&i)) {
        if (strcmp(i.key, "name") != 0 && strcmp(i.key, "value") != 0 && strcmp(i.key, "comment") != 0) {
            inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "a score has name, value and comment, and nothing else");
            return false;
        }
    }
    if (!inf_json_get_string(root, "name", &score->name, &length) || length == 0 ||
        (reason = text_reason(score->name, length, INF_SCORE_NAME_MAX))) {
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "name is not a string of 1 to %d bytes", INF_SCORE_NAME_MAX);
        return false;
    }
    if (!inf_json_get_double(root, "value", &score->value) || !isfinite(score->value)) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "value is not a number");
        return false;
    }
    if (!inf_json_get(root, "comment", &member) || inf_json_type(member) == INF_JSON_NULL)
        return true;
    if (inf_json_as_string(member, &score->comment, &length) &&
        !(reason = text_reason(score->comment, length, INF_SCORE_COMMENT_MAX)))
        return true;
    inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "comment is not a string of at most %d bytes", INF_SCORE_COMMENT_MAX);
    return false;
}

static void give(inf_request *r, inf_worker *worker, const uint8_t id[16], const uint8_t *agent_id)
{
    inf_trace_score score = {.created_ns = inf_unix_ns()};
    inf_body_reader *reader = inf_http_reader(r->receiver);
    if (!reader) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    if (read_score(r, reader->body, &score)) {
        int rc = inf_store_score_set(worker->store, id, agent_id, &score);
        if (rc == INF_EFULL) {
            inf_request_refusef(r, MHD_HTTP_CONFLICT, "the trace has %d scores already", INF_SCORES_MAX);
        } else if (rc < 0) {
            inf_api_store_failed(r, worker, rc);
        } else {
            r->status = MHD_HTTP_CREATED;
            inf_buf_put_text(&r->answer, "{\"success\":true}");
        }
    }
    inf_http_reader_done(r->receiver, reader);
}

void inf_api_score(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    if (trace_id(r, r->segments[0], id))
        give(r, worker, id, NULL);
}

struct owner {
    const uint8_t *agent_id;
    bool other;
};

static int look_at_owner(void *context, const inf_summary *trace)
{
    struct owner *o = context;
    o->other = memcmp(trace->agent_id, o->agent_id, 16) != 0;
    return 0;
}

/* An agent scores its own traces. One that has not arrived may still be: its score waits for it, and is shown only if
 * the trace turns out to be this agent's. */
void inf_api_score_by_agent(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    struct owner owner = {.agent_id = r->agent_id};
    if (!trace_id(r, r->segments[1], id))
        return;
    int rc = inf_store_find(worker->store, id, id, 1, look_at_owner, &owner);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else if (owner.other)
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such trace");
    else
        give(r, worker, id, r->agent_id);
}

/* What an agent gave, or the trace brought with it, is hidden: it cannot come back by a repeated delivery. */
void inf_api_score_remove(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_trace_score score = {.name = r->segments[1], .removed = true, .created_ns = inf_unix_ns()};
    if (!trace_id(r, r->segments[0], id))
        return;
    int rc = inf_store_score_set(worker->store, id, NULL, &score);
    if (rc < 0)
        inf_api_store_failed(r, worker, rc);
    else
        r->status = MHD_HTTP_NO_CONTENT;
}

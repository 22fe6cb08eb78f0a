/* See dump.h. */
#include <stdlib.h>
#include <string.h>

#include "api/dump.h"
#include "api/summary.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "infinium.h"
#include "store/scores.h"

/* The columns of CSV, in this order (docs/api.md). */
static const char csv_head[] =
    "trace_id,parent_id,agent_id,agent_name,name,status,started_at,duration_s,received_at,llm_calls,prompt_tokens,"
    "completion_tokens,cached_tokens,cache_write_tokens,reasoning_tokens,cost_usd,model,tags,session_id,user_id,"
    "error_type,error_message,input_preview,output_preview\r\n";

void inf_dump_init(inf_dump *dump, inf_store *store, const inf_store_filter *filter, enum inf_dump_format format)
{
    memset(dump, 0, sizeof *dump);
    dump->store = store;
    dump->filter = *filter;
    dump->filter.limit = INF_DUMP_PAGE;
    dump->format = format;
}

/* ---- CSV ---- */

static bool like_a_formula(const char *text)
{
    static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"}; /* = + - @ */
    unsigned char first = (unsigned char)*text;
    if (first == '=' || first == '+' || first == '-' || first == '@' || (first > 0 && first < 0x20))
        return true;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (strncmp(text, wide[i], 3) == 0)
            return true;
    return false;
}

void inf_dump_csv_cell(inf_buf *out, const char *text)
{
    if (!text)
        return;
    bool formula = like_a_formula(text);
    bool quoted = formula || strpbrk(text, ",\"\r\n") || *text == ' ';
    if (quoted)
        inf_buf_put_byte(out, '"');
    if (formula)
        inf_buf_put_byte(out, '\'');
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\"");
        inf_buf_put(out, at, n);
        at += n;
        if (*at) {
            inf_buf_put(out, "\"\"", 2);
            at++;
        }
    }
    if (quoted)
        inf_buf_put_byte(out, '"');
}

static void csv_text(inf_buf *out, const char *text)
{
    inf_dump_csv_cell(out, text);
    inf_buf_put_byte(out, ',');
}

static void csv_number(inf_buf *out, int64_t value)
{
    inf_buf_put_i64(out, value);
    inf_buf_put_byte(out, ',');
}

static void csv_double(inf_buf *out, double value)
{
    inf_json_writer w = inf_json_writer_on(out);
    inf_json_put_double(&w, value);
    inf_buf_put_byte(out, ',');
}

static void csv_id(inf_buf *out, const uint8_t id[16], bool uuid)
{
    char text[37] = "";
    if (uuid)
        inf_id_uuid(id, text);
    else if (!inf_id_is_zero(id))
        inf_id_hex(id, text);
    csv_text(out, text);
}

static void csv_time(inf_buf *out, uint64_t ns)
{
    char text[INF_RFC3339_SIZE];
    inf_rfc3339(ns, 9, text);
    csv_text(out, text);
}

static void csv_row(inf_buf *out, const inf_summary *m)
{
    csv_id(out, m->trace_id, false);
    csv_id(out, m->parent_id, false);
    csv_id(out, m->agent_id, true);
    csv_text(out, m->agent_name);
    csv_text(out, m->name);
    csv_text(out, inf_status_name(m->status));
    csv_time(out, m->started_ns);
    csv_double(out, (double)m->duration_ns / 1e9);
    csv_time(out, m->received_ns);
    csv_number(out, m->llm_calls);
    csv_number(out, m->prompt_tokens);
    csv_number(out, m->completion_tokens);
    csv_number(out, m->cached_tokens);
    csv_number(out, m->cache_write_tokens);
    csv_number(out, m->reasoning_tokens);
    if (m->cost_nano_usd >= 0)
        csv_double(out, (double)m->cost_nano_usd / 1e9);
    else
        csv_text(out, NULL);
    csv_text(out, m->model);
    csv_text(out, m->tags);
    csv_text(out, m->session_id);
    csv_text(out, m->user_id);
    csv_text(out, m->error_type);
    csv_text(out, m->error_message);
    csv_text(out, m->input_preview);
    inf_dump_csv_cell(out, m->output_preview);
    inf_buf_put(out, "\r\n", 2);
}

/* ---- NDJSON ---- */

/* A line end in valid JSON is space between its parts: none is inside a string. */
static void put_body(inf_buf *out, const char *body, size_t length)
{
    size_t start = out->length;
    inf_buf_put(out, body, length);
    if (out->error)
        return;
    for (const char *end = "\n\r"; *end; end++) {
        uint8_t *at = out->data + start;
        while ((at = memchr(at, *end, (size_t)(out->data + out->length - at))))
            *at = ' ';
    }
}

static int write_score(void *context, const inf_trace_score *score)
{
    inf_json_writer *w = context;
    char created[INF_RFC3339_SIZE];
    inf_rfc3339(score->created_ns, 9, created);
    inf_json_begin_object(w);
    inf_json_key(w, "name");
    inf_json_put_text(w, score->name);
    inf_json_key(w, "value");
    inf_json_put_double(w, score->value);
    inf_json_key(w, "comment");
    inf_json_put_text(w, score->comment);
    inf_json_key(w, "source");
    inf_json_put_text(w, score->by_agent ? "agent" : "admin");
    inf_json_key(w, "created_at");
    inf_json_put_text(w, created);
    if (score->removed) {
        inf_json_key(w, "removed"); /* it hides one that is in the body */
        inf_json_put_bool(w, true);
    }
    inf_json_end_object(w);
    return w->out->error;
}

static int ndjson_row(inf_dump *d, inf_buf *out, const uint8_t id[16])
{
    inf_summary m;
    char *body = NULL;
    size_t length = 0;
    int rc = inf_store_get(d->store, id, &m, &body, &length);
    if (rc == INF_ENOTFOUND)
        return 0; /* removed since its page was read */
    if (rc < 0)
        return rc;
    if (d->filter.status >= 0 && m.status != d->filter.status) {
        free(body);
        return 0; /* another form has come since */
    }
    inf_json_writer w = inf_json_writer_on(out);
    inf_json_begin_object(&w);
    inf_summary_members(&w, &m);
    inf_json_key(&w, "scores");
    inf_json_begin_array(&w);
    rc = inf_store_scores(d->store, m.trace_id, m.agent_id, write_score, &w);
    inf_json_end_array(&w);
    inf_json_key(&w, "body");
    put_body(out, body, length);
    w.comma = true;
    inf_json_end_object(&w);
    inf_buf_put_byte(out, '\n');
    free(body);
    d->written++;
    return rc < 0 ? rc : out->error;
}

/* ---- the walk ---- */

static int take_row(void *context, const inf_summary *summary)
{
    inf_dump *d = context;
    if (d->format == INF_DUMP_CSV) {
        csv_row(d->out, summary);
        d->written++;
        return d->out->error;
    }
    memcpy(d->ids[d->count++], summary->trace_id, 16);
    return 0;
}

static int next_page(inf_dump *d, inf_buf *out)
{
    char next[INF_STORE_CURSOR_SIZE];
    if (!d->begun && d->format == INF_DUMP_CSV)
        inf_buf_put(out, csv_head, sizeof csv_head - 1);
    d->begun = true;
    d->count = d->at = 0;
    d->out = out;
    d->filter.cursor = d->cursor[0] ? d->cursor : NULL;
    int rc = inf_store_list(d->store, &d->filter, take_row, d, next);
    memcpy(d->cursor, next, sizeof d->cursor);
    d->last_page = next[0] == 0;
    return rc;
}

int inf_dump_some(inf_dump *d, inf_buf *out)
{
    size_t start = out->length;
    while (out->length - start < INF_DUMP_ENOUGH) {
        int rc = 0;
        if (d->at < d->count)
            rc = ndjson_row(d, out, d->ids[d->at++]);
        else if (d->begun && d->last_page)
            return out->error;
        else if ((rc = next_page(d, out)) == 0 && out->length == start && d->count == 0)
            return 1; /* nothing among what was looked at: whoever waits can be told to stop */
        if (rc != 0)
            return rc < 0 ? rc : INF_EIO;
    }
    return out->error ? out->error : 1;
}

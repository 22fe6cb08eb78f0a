/* See body.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/os.h"
#include "base/utf8.h"
#include "cost/trace.h"
#include "infinium.h"
#include "ingest/body.h"

enum {
    TEXTS_SIZE = 24 * 1024,
    NAME_CHARS = 500,
    MESSAGE_CHARS = 500,
    PREVIEW_CHARS = 200,
    SHORT_CHARS = 100,
    TAG_CHARS = 200
};

#define SECOND 1000000000ull

/* What a body says, before defaults are filled in. */
struct reading {
    inf_body_reader *reader;
    inf_summary *summary;
    bool has_id;
    bool bad_id;
    bool has_start;
    bool has_status;
    bool has_duration_ns;
    bool has_end;
    uint64_t end_ns;
    double duration_s;
    bool has_errors;
    int64_t api_calls; /* llm_usage's own count; -1: not said */
    int64_t usage_calls;
    int64_t usage_prompt;
    int64_t usage_completion;
    int64_t step_calls;
    int64_t step_prompt;
    int64_t step_completion;
    int64_t usage_cached, usage_cache_write, usage_reasoning;
    int64_t step_cached, step_cache_write, step_reasoning;
    const char *usage_model;
    const char *step_model;
    const char *step_error_type;
    const char *step_error_message;
    bool has_steps, has_usage;
    inf_json_value steps, usage; /* for the cost, once it is known when the trace was */
};

int inf_body_reader_init(inf_body_reader *reader)
{
    memset(reader, 0, sizeof *reader);
    inf_buf_init(&reader->merged, INF_BODY_MAX + 8192);
    inf_buf_init(&reader->tags, 8 * INF_STORE_TAGS_MAX);
    reader->body = inf_json_new();
    reader->extra = inf_json_new();
    reader->texts = inf_os.malloc(TEXTS_SIZE);
    if (reader->body && reader->extra && reader->texts)
        return 0;
    inf_body_reader_free(reader);
    return INF_ENOMEM;
}

void inf_body_reader_free(inf_body_reader *reader)
{
    inf_json_free(reader->body);
    inf_json_free(reader->extra);
    inf_buf_free(&reader->merged);
    inf_buf_free(&reader->tags);
    inf_os.free(reader->texts);
    inf_pricer_end(&reader->pricer);
    memset(reader, 0, sizeof *reader);
}

/* A copy cut to `chars` characters. A NUL inside would end the text for everybody after us: it becomes a space. */
static const char *keep(inf_body_reader *reader, const char *text, size_t length, size_t chars)
{
    size_t n = inf_utf8_cut(text, length < chars * 4 ? length : inf_utf8_floor(text, length, chars * 4), chars);
    if (n + 1 > TEXTS_SIZE - reader->texts_used)
        return NULL;
    char *out = reader->texts + reader->texts_used;
    memcpy(out, text, n);
    for (char *nul = out; (nul = memchr(nul, 0, n - (size_t)(nul - out)));)
        *nul = ' ';
    out[n] = 0;
    reader->texts_used += n + 1;
    return out;
}

static const char *keep_string(inf_body_reader *reader, inf_json_value value, size_t chars)
{
    const char *text;
    size_t length;
    return inf_json_as_string(value, &text, &length) ? keep(reader, text, length, chars) : NULL;
}

static const char *keep_member(inf_body_reader *reader, inf_json_value object, const char *key, size_t chars)
{
    inf_json_value value;
    return inf_json_get(object, key, &value) ? keep_string(reader, value, chars) : NULL;
}

/* A count that is never negative and never absurd. */
#define COUNT_MAX (INT32_MAX * 1000ll)

static int64_t member_count(inf_json_value object, const char *key)
{
    int64_t n;
    return inf_json_get_i64(object, key, &n) && n > 0 ? n > COUNT_MAX ? COUNT_MAX : n : 0;
}

/* A trace's tokens are as bounded as one call's, however many calls it says that it made. */
static void add_count(int64_t *total, inf_json_value call, const char *key)
{
    *total += member_count(call, key);
    if (*total > COUNT_MAX)
        *total = COUNT_MAX;
}

/* RFC 3339; also, as UTC, what Python's isoformat() gives without an offset, and a date alone. */
static bool read_time(inf_json_value value, uint64_t *unix_ns)
{
    const char *text;
    size_t length;
    char whole[64];
    if (!inf_json_as_string(value, &text, &length) || length > 40)
        return false;
    if (inf_rfc3339_parse(text, length, unix_ns) == 0)
        return true;
    int n = snprintf(whole, sizeof whole, "%.*s%s", (int)length, text, length == 10 ? "T00:00:00Z" : "Z");
    return n > 0 && inf_rfc3339_parse(whole, (size_t)n, unix_ns) == 0;
}

static void read_error(struct reading *r, inf_json_value error, const char **type, const char **message)
{
    if (inf_json_type(error) == INF_JSON_OBJECT) {
        *type = keep_member(r->reader, error, "error_type", SHORT_CHARS);
        *message = keep_member(r->reader, error, "message", MESSAGE_CHARS);
    } else {
        *message = keep_string(r->reader, error, MESSAGE_CHARS);
    }
}

static void read_errors(struct reading *r, inf_json_value errors)
{
    if (inf_json_type(errors) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(errors);
    if (!inf_json_next(&i))
        return;
    r->has_errors = true;
    read_error(r, i.value, &r->summary->error_type, &r->summary->error_message);
}

static void read_steps(struct reading *r, inf_json_value steps)
{
    if (inf_json_type(steps) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(steps);
    bool has_error = false;
    while (inf_json_next(&i)) {
        inf_json_iterator step = inf_json_iterate(i.value);
        while (inf_json_type(i.value) == INF_JSON_OBJECT && inf_json_next(&step)) {
            bool null = inf_json_type(step.value) == INF_JSON_NULL;
            if (step.key_length == 5 && memcmp(step.key, "error", 5) == 0 && !null && !has_error) {
                has_error = true;
                read_error(r, step.value, &r->step_error_type, &r->step_error_message);
            } else if (step.key_length == 8 && memcmp(step.key, "llm_call", 8) == 0 &&
                       inf_json_type(step.value) == INF_JSON_OBJECT) {
                r->step_calls++;
                add_count(&r->step_prompt, step.value, "prompt_tokens");
                add_count(&r->step_completion, step.value, "completion_tokens");
                add_count(&r->step_cached, step.value, "cached_tokens");
                add_count(&r->step_cache_write, step.value, "cache_write_tokens");
                add_count(&r->step_reasoning, step.value, "reasoning_tokens");
                if (!r->step_model)
                    r->step_model = keep_member(r->reader, step.value, "model", SHORT_CHARS);
            }
        }
    }
    r->has_errors |= has_error;
}

static void read_usage(struct reading *r, inf_json_value usage)
{
    inf_json_value calls;
    if (inf_json_type(usage) != INF_JSON_OBJECT)
        return;
    r->usage_model = keep_member(r->reader, usage, "model", SHORT_CHARS);
    r->usage_prompt = member_count(usage, "prompt_tokens");
    r->usage_completion = member_count(usage, "completion_tokens");
    r->usage_cached = member_count(usage, "cached_tokens");
    r->usage_cache_write = member_count(usage, "cache_write_tokens");
    r->usage_reasoning = member_count(usage, "reasoning_tokens");
    int64_t n;
    if (inf_json_get_i64(usage, "api_calls_count", &n) && n >= 0 && n <= INT32_MAX)
        r->api_calls = n;
    if (inf_json_get(usage, "calls", &calls) && inf_json_type(calls) == INF_JSON_ARRAY)
        r->usage_calls = (int64_t)inf_json_size(calls);
}

static void read_status(struct reading *r, inf_json_value value)
{
    static const char *const names[] = {"running", "ok", "error", "interrupted"}; /* as enum inf_status counts */
    const char *text;
    size_t length;
    if (!inf_json_as_string(value, &text, &length))
        return;
    for (uint8_t i = 0; i < 4; i++) {
        if (length == strlen(names[i]) && memcmp(text, names[i], length) == 0) {
            r->has_status = true;
            r->summary->status = i;
        }
    }
}

/* Whether the string that stands last, from `start` on, stands in the array already. Between quotes no quote stands
 * bare, so what lies between separators is a whole string. */
static bool has_tag(const inf_buf *tags, size_t start)
{
    size_t length = tags->length - start;
    const uint8_t *last = tags->data + start;
    for (const uint8_t *at = tags->data + 1; at + length < last;) {
        const uint8_t *found = memmem(at, (size_t)(last - at), last, length);
        if (!found || found + length >= last)
            return false;
        if ((found[-1] == '[' || found[-1] == ',') && found[length] == ',')
            return true;
        at = found + 1;
    }
    return false;
}

/* The tags as JSON text again: strings only, none twice, as many as there is room for. */
static void read_tags(struct reading *r, inf_json_value value)
{
    inf_body_reader *reader = r->reader;
    inf_buf *tags = &reader->tags;
    if (inf_json_type(value) != INF_JSON_ARRAY || r->summary->tags)
        return;
    inf_buf_reset(tags);
    inf_json_writer w = inf_json_writer_on(tags);
    inf_json_begin_array(&w);
    inf_json_iterator i = inf_json_iterate(value);
    bool any = false;
    while (inf_json_next(&i)) {
        size_t before = tags->length;
        bool comma = w.comma;
        const char *text;
        size_t length;
        if (!inf_json_as_string(i.value, &text, &length) || length == 0)
            continue;
        inf_json_put_string(&w, text, inf_utf8_cut(text, length, TAG_CHARS));
        bool known = comma && has_tag(tags, before + 1);
        if (known || tags->length + 1 > INF_STORE_TAGS_MAX) {
            tags->length = before;
            w.comma = comma;
            if (known)
                continue;
            break;
        }
        any = true;
    }
    inf_json_end_array(&w);
    if (any && !tags->error)
        r->summary->tags = keep(reader, (const char *)tags->data, tags->length, INF_STORE_TAGS_MAX);
}

static void read_id(struct reading *r, inf_json_value value)
{
    const char *text;
    size_t length;
    if (inf_json_type(value) == INF_JSON_NULL)
        return;
    r->has_id = inf_json_as_string(value, &text, &length) && inf_id_parse(text, length, r->summary->trace_id) == 0;
    r->bad_id = !r->has_id;
}

static void read_member(struct reading *r, const char *key, size_t key_length, inf_json_value value)
{
    inf_summary *m = r->summary;
    const char *text;
    size_t length;
    int64_t integer;
#define IS(name) (key_length == sizeof name - 1 && memcmp(key, name, sizeof name - 1) == 0)
    if (IS("name") && !m->name) {
        m->name = keep_string(r->reader, value, NAME_CHARS);
    } else if (IS("input_summary")) {
        m->input_preview = keep_string(r->reader, value, PREVIEW_CHARS);
    } else if (IS("output_summary")) {
        m->output_preview = keep_string(r->reader, value, PREVIEW_CHARS);
    } else if (IS("steps")) {
        r->has_steps = true;
        r->steps = value;
        read_steps(r, value);
    } else if (IS("errors")) {
        read_errors(r, value);
    } else if (IS("llm_usage")) {
        r->has_usage = true;
        r->usage = value;
        read_usage(r, value);
    } else if (IS("current_datetime")) {
        r->has_end = read_time(value, &r->end_ns);
    } else if (IS("duration")) {
        double seconds;
        if (inf_json_as_double(value, &seconds) && isfinite(seconds) && seconds > 0 && seconds < 3.2e9)
            r->duration_s = seconds;
    } else if (IS("started_at")) {
        r->has_start = read_time(value, &m->started_ns);
    } else if (IS("duration_ns")) {
        if (inf_json_as_i64(value, &integer) && integer >= 0) {
            m->duration_ns = (uint64_t)integer;
            r->has_duration_ns = true;
        }
    } else if (IS("status")) {
        read_status(r, value);
    } else if (IS("session_id") && !m->session_id) {
        m->session_id = keep_string(r->reader, value, TAG_CHARS);
    } else if (IS("user_id") && !m->user_id) {
        m->user_id = keep_string(r->reader, value, TAG_CHARS);
    } else if (IS("tags")) {
        read_tags(r, value);
    } else if (IS("trace_id")) {
        read_id(r, value);
    } else if (IS("parent_id")) {
        if (inf_json_as_string(value, &text, &length) && inf_id_parse(text, length, m->parent_id) < 0)
            memset(m->parent_id, 0, 16);
    }
#undef IS
}

/* Appends the members of `extra` that the body lacks. 0 or an HTTP status. */
static int merge(struct reading *r, inf_json_value body, const inf_body_source *source, inf_store_put *out,
                 const char **reason)
{
    inf_json_value extra;
    inf_buf *merged = &r->reader->merged;
    if (inf_json_parse(r->reader->extra, source->extra, strlen(source->extra), 0, &extra) < 0 ||
        inf_json_type(extra) != INF_JSON_OBJECT) {
        *reason = "the header Infinium-Extra is not a JSON object";
        return 400;
    }
    inf_buf_reset(merged);
    size_t end = source->length;
    while (end > 0 && source->text[end - 1] != '}')
        end--;
    inf_buf_put(merged, source->text, end - 1);
    inf_json_iterator own = inf_json_iterate(body);
    inf_json_writer w = {merged, inf_json_next(&own)};
    inf_json_iterator i = inf_json_iterate(extra);
    while (inf_json_next(&i)) {
        char key[64];
        inf_json_value there;
        if (i.key_length >= sizeof key)
            continue;
        memcpy(key, i.key, i.key_length);
        key[i.key_length] = 0;
        if (inf_json_get(body, key, &there))
            continue;
        inf_json_key_n(&w, i.key, i.key_length);
        inf_json_write(i.value, merged);
        w.comma = true;
        read_member(r, i.key, i.key_length, i.value);
    }
    inf_buf_put_byte(merged, '}');
    if (merged->error) {
        *reason = "out of memory";
        return 503;
    }
    out->body = merged->data;
    out->body_length = merged->length;
    return 0;
}

/* Any other idempotency key than an id of ours still names one trace of this agent. */
static void id_from_key(const uint8_t agent_id[16], const char *key, uint8_t id[16])
{
    if (inf_id_parse(key, strlen(key), id) == 0)
        return;
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, 16, agent_id);
    sha256_update(&sha, strlen(key), (const uint8_t *)key);
    sha256_digest(&sha, 16, id);
}

static void fill_in(struct reading *r, const inf_body_source *source)
{
    inf_summary *m = r->summary;
    m->received_ns = source->received_ns;
    memcpy(m->agent_id, source->agent_id, 16);
    if (!r->has_duration_ns)
        m->duration_ns = (uint64_t)(r->duration_s * 1e9 + 0.5);
    if (!r->has_start)
        m->started_ns = !r->has_end ? source->received_ns : r->end_ns > m->duration_ns ? r->end_ns - m->duration_ns : 0;
    if (!r->has_status)
        m->status = r->has_errors ? INF_STATUS_ERROR : INF_STATUS_OK;
    if (!m->error_type && !m->error_message) {
        m->error_type = r->step_error_type;
        m->error_message = r->step_error_message;
    }
    m->llm_calls = r->api_calls >= 0 ? r->api_calls : r->usage_calls > 0 ? r->usage_calls : r->step_calls;
    m->prompt_tokens = r->usage_prompt > 0 ? r->usage_prompt : r->step_prompt;
    m->completion_tokens = r->usage_completion > 0 ? r->usage_completion : r->step_completion;
    m->cached_tokens = r->usage_cached > 0 ? r->usage_cached : r->step_cached;
    m->cache_write_tokens = r->usage_cache_write > 0 ? r->usage_cache_write : r->step_cache_write;
    m->reasoning_tokens = r->usage_reasoning > 0 ? r->usage_reasoning : r->step_reasoning;
    m->model = r->usage_model ? r->usage_model : r->step_model;
    m->cost_nano_usd = inf_cost_of_trace(&r->reader->pricer, r->has_steps ? &r->steps : NULL,
                                         r->has_usage ? &r->usage : NULL, m->started_ns);
    if (!r->has_id && source->key && *source->key)
        id_from_key(source->agent_id, source->key, m->trace_id);
    else if (!r->has_id)
        inf_id_make(m->trace_id);
}

static bool blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == 0;
}

int inf_body_read(inf_body_reader *reader, const inf_body_source *source, inf_store_put *out, const char **reason)
{
    memset(out, 0, sizeof *out);
    reader->texts_used = 0;
    if (source->length > INF_BODY_MAX) {
        *reason = "the trace is larger than 1114112 bytes";
        return 413;
    }
    inf_json_value root;
    int rc = inf_json_parse_padded(reader->body, source->text, source->length, 0, &root);
    if (rc < 0) {
        *reason = rc == INF_ENOMEM ? "out of memory" : inf_json_error(reader->body);
        return rc == INF_ENOMEM ? 503 : rc == INF_E2BIG ? 422 : 400;
    }
    if (inf_json_type(root) != INF_JSON_OBJECT) {
        *reason = "the body is not a JSON object";
        return 422;
    }
    struct reading r = {.reader = reader, .summary = &out->summary, .api_calls = -1};
    out->body = source->text;
    out->body_length = source->length;
    inf_json_iterator i = inf_json_iterate(root);
    while (inf_json_next(&i))
        read_member(&r, i.key, i.key_length, i.value);
    if (source->extra) {
        rc = merge(&r, root, source, out, reason);
        if (rc != 0)
            return rc;
    }
    if (!out->summary.name || blank(out->summary.name)) {
        *reason = "the trace has no name";
        return 422;
    }
    if (r.bad_id) {
        *reason = "trace_id is not 32 hexadecimal digits";
        return 422;
    }
    if (source->id_required && !r.has_id) {
        *reason = "the trace has no trace_id";
        return 422;
    }
    fill_in(&r, source);
    return 0;
}

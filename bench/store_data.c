/* See store_data.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store_data.h"

enum { BODY_MAX = 16 * 1024, TEXTS_MAX = 4096, PICKS = 1 << 16 };

struct slot {
    char body[BODY_MAX];
    char texts[TEXTS_MAX];
    size_t used;
};

struct data_source {
    uint64_t seed, state, total, made;
    size_t body_bytes;
    size_t batch;
    inf_store_put *rows;
    struct slot *slots;
    char (*words)[24];
    uint16_t picks[PICKS]; /* ranks of words, as often as they are used */
};

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static uint64_t next(data_source *d)
{
    return mix(d->state++);
}

static double fraction(data_source *d)
{
    return (double)(next(d) >> 11) / 9007199254740992.0;
}

/* A rank below `n`: rank r about as often as 1 / (r + 1). */
static uint32_t zipf(data_source *d, uint32_t n)
{
    uint32_t rank = (uint32_t)(exp(fraction(d) * log((double)n + 1)) - 1);
    return rank < n ? rank : n - 1;
}

void data_word(uint32_t rank, char out[24])
{
    static const char *const syllables[] = {"ka", "lo", "mi", "ner", "to", "sa", "ri",  "ven", "du", "pe", "al", "gor",
                                            "si", "ma", "tu", "be",  "no", "fi", "ran", "zo",  "le", "ha", "cu", "wi"};
    uint64_t x = rank < 24 ? rank : mix(rank) << 8 | rank % 24;
    int n = rank < 24 ? 1 : rank < 600 ? 2 : 3;
    out[0] = 0;
    size_t used = 0;
    for (int i = 0; i < n; i++, x >>= 5)
        used += (size_t)snprintf(out + used, 24 - used, "%s", syllables[x % 24]);
    if (rank >= 24)
        snprintf(out + used, 24 - used, "%c%c", 'a' + (int)(rank % 26), 'a' + (int)(rank / 26 % 26));
}

void data_name(uint32_t rank, char out[64])
{
    static const char *const verbs[] = {"answer", "summarize", "plan", "search", "extract", "classify"};
    char word[24];
    data_word(rank + 100, word);
    snprintf(out, 64, "%s_%s", verbs[rank % 6], word);
}

void data_model(uint32_t rank, char out[64])
{
    static const char *const families[] = {"gpt-4o", "claude-sonnet", "gemini-flash", "mistral"};
    snprintf(out, 64, "%s-%u", families[rank % 4], rank / 4 + 1);
}

void data_tag(uint32_t rank, char out[32])
{
    snprintf(out, 32, "%s-%u", rank % 2 ? "team" : "env", rank);
}

void data_session(uint64_t number, char out[40])
{
    snprintf(out, 40, "sess-%016llx", (unsigned long long)mix(number ^ 0x5e55));
}

void data_user(uint64_t number, char out[40])
{
    snprintf(out, 40, "user-%llu", (unsigned long long)number);
}

void data_agent(uint32_t number, uint8_t out[16])
{
    memset(out, 0xa0, 16);
    out[15] = (uint8_t)number;
}

void data_id(uint64_t number, uint8_t out[16])
{
    uint64_t a = mix(number), b = mix(a);
    memcpy(out, &a, 8);
    memcpy(out + 8, &b, 8);
}

uint64_t data_state(uint64_t seed)
{
    return mix(seed);
}

data_source *data_new(uint64_t seed, uint64_t total, size_t body_bytes, size_t batch)
{
    data_source *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->seed = d->state = mix(seed);
    d->total = total;
    d->body_bytes = body_bytes < BODY_MAX - 2048 ? body_bytes : BODY_MAX - 2048;
    d->batch = batch < 1 ? 1 : batch < DATA_BATCH_MAX ? batch : DATA_BATCH_MAX;
    d->rows = calloc(d->batch, sizeof *d->rows);
    d->slots = calloc(d->batch, sizeof *d->slots);
    d->words = calloc(DATA_WORDS, sizeof *d->words);
    if (!d->rows || !d->slots || !d->words) {
        data_free(d);
        return NULL;
    }
    for (uint32_t i = 0; i < DATA_WORDS; i++)
        data_word(i, d->words[i]);
    for (int i = 0; i < PICKS; i++)
        d->picks[i] = (uint16_t)zipf(d, DATA_WORDS);
    return d;
}

void data_free(data_source *d)
{
    if (!d)
        return;
    free(d->rows);
    free(d->slots);
    free(d->words);
    free(d);
}

static const char *keep(struct slot *s, const char *text)
{
    size_t n = strlen(text) + 1;
    if (n > sizeof s->texts - s->used)
        return NULL;
    char *out = s->texts + s->used;
    memcpy(out, text, n);
    s->used += n;
    return out;
}

/* Words of at least `bytes` together. A word in forty is as rare as words get: drawn evenly. */
static size_t prose(data_source *d, char *out, size_t bytes)
{
    size_t n = 0;
    while (n < bytes) {
        uint64_t x = next(d);
        for (int i = 0; i < 3 && n < bytes; i++, x >>= 20) {
            uint32_t rank = x % 40 == 0 ? (uint32_t)(x >> 6) % DATA_WORDS : d->picks[(x >> 2) % PICKS];
            const char *word = d->words[rank];
            size_t length = strlen(word);
            memcpy(out + n, word, length);
            n += length;
            out[n++] = x % 61 == 0 ? '.' : ' ';
        }
    }
    out[n] = 0;
    return n;
}

static void preview(char out[201], const char *text, size_t length)
{
    size_t n = length < 200 ? length : 200;
    memcpy(out, text, n);
    out[n] = 0;
}

static void append(struct slot *s, size_t *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(struct slot *s, size_t *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->body + *at, BODY_MAX - *at, format, args);
    va_end(args);
    *at += n > 0 ? (size_t)n : 0;
}

static void fill_numbers(data_source *d, inf_summary *m, uint64_t number)
{
    data_id(number ^ d->seed, m->trace_id);
    data_agent(zipf(d, DATA_AGENTS), m->agent_id);
    if (number % 5 == 4) /* belongs to one of the four before */
        data_id((number - 1 - next(d) % 4) ^ d->seed, m->parent_id);
    uint64_t step = DATA_SPAN_NS / d->total;
    m->started_ns = DATA_END_NS - DATA_SPAN_NS + step * number + next(d) % (step + 1);
    double u = fraction(d) + fraction(d) + fraction(d) + fraction(d) - 2; /* nearly normal */
    m->duration_ns = (uint64_t)(exp(log(0.9e9) + 2.2 * u));
    m->received_ns = m->started_ns + m->duration_ns + 20000000;
    uint64_t x = next(d) % 1000;
    m->status = x < 30 ? INF_STATUS_ERROR : x < 32 ? INF_STATUS_INTERRUPTED : INF_STATUS_OK;
    m->llm_calls = (int64_t)(next(d) % 4);
    m->prompt_tokens = m->llm_calls * (int64_t)(200 + next(d) % 4000);
    m->completion_tokens = m->llm_calls * (int64_t)(50 + next(d) % 800);
    m->cached_tokens = next(d) % 3 ? 0 : m->prompt_tokens / 2;
    m->cost_nano_usd = m->prompt_tokens * 2500 + m->completion_tokens * 10000;
}

static void fill(data_source *d, inf_store_put *p, struct slot *s, uint64_t number)
{
    inf_summary *m = &p->summary;
    char text[64], word[24], part[201];
    memset(p, 0, sizeof *p);
    s->used = 0;
    fill_numbers(d, m, number);
    data_name(zipf(d, DATA_NAMES), text);
    m->name = keep(s, text);
    data_model(zipf(d, DATA_MODELS), text);
    m->model = m->llm_calls ? keep(s, text) : NULL;
    data_session(number / 8 + next(d) % 20, text);
    m->session_id = next(d) % 10 < 6 ? keep(s, text) : NULL;
    data_user(zipf(d, 50000), text);
    m->user_id = next(d) % 10 < 6 ? keep(s, text) : NULL;
    if (next(d) % 2) {
        char tags[2][32];
        data_tag(zipf(d, DATA_TAGS / 2) * 2, tags[0]);
        data_tag(zipf(d, DATA_TAGS / 2) * 2 + 1, tags[1]);
        snprintf(part, sizeof part, "[\"%s\",\"%s\"]", tags[0], tags[1]);
        m->tags = keep(s, part);
    }
    size_t at = 0;
    size_t share = d->body_bytes > 500 ? (d->body_bytes - 420) / 4 : 20;
    append(s, &at, "{\"name\":\"%s\",\"duration\":%.3f,\"input_summary\":\"", m->name, (double)m->duration_ns / 1e9);
    size_t begin = at;
    at += prose(d, s->body + at, share);
    preview(part, s->body + begin, at - begin);
    m->input_preview = keep(s, part);
    append(s, &at, "\",\"output_summary\":\"");
    begin = at;
    at += prose(d, s->body + at, share * 2);
    preview(part, s->body + begin, at - begin);
    m->output_preview = keep(s, part);
    append(s, &at, "\",\"steps\":[{\"step_number\":1,\"action\":\"execution\",\"description\":\"Execute %s\"", m->name);
    if (m->llm_calls)
        append(
            s, &at,
            ",\"llm_call\":{\"model\":\"%s\",\"provider\":\"openai\",\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
            "\"latency_ms\":%llu}",
            m->model, (long long)m->prompt_tokens, (long long)m->completion_tokens,
            (unsigned long long)(m->duration_ns / 1000000));
    append(s, &at, ",\"output_preview\":\"");
    at += prose(d, s->body + at, share);
    append(s, &at,
           "\"}],\"environment\":{\"framework\":\"infinium\",\"sdk_version\":\"0.1.0\",\"runtime\":\"cpython\"}");
    if (m->status == INF_STATUS_ERROR) {
        data_word(zipf(d, DATA_WORDS), word);
        m->error_type = "ValueError";
        snprintf(text, sizeof text, "cannot read %s", word);
        m->error_message = keep(s, text);
        append(s, &at, ",\"errors\":[{\"error_type\":\"ValueError\",\"message\":\"%s\"}]", m->error_message);
    }
    if (m->session_id)
        append(s, &at, ",\"session_id\":\"%s\"", m->session_id);
    if (m->user_id)
        append(s, &at, ",\"user_id\":\"%s\"", m->user_id);
    if (m->tags)
        append(s, &at, ",\"tags\":%s", m->tags);
    append(s, &at, "}");
    p->body = s->body;
    p->body_length = at;
}

size_t data_next(data_source *d, inf_store_put **rows)
{
    size_t n = 0;
    for (; n < d->batch && d->made < d->total; n++)
        fill(d, &d->rows[n], &d->slots[n], d->made++);
    *rows = d->rows;
    return n;
}

double data_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double data_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

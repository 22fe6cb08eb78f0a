/* See record.h. */
#include <string.h>

#include "infinium.h"
#include "ingest/record.h"

enum { TEXTS = 9, HEAD = 152, VERSION = 2, ABSENT = 0xffff };
enum { TEXTS_1 = 6, HEAD_1 = 112 }; /* of version 1 */

/* The longest of each text, in bytes: 500 characters of name and message, 200 of the previews, at 4 bytes. */
static const uint16_t text_max[TEXTS] = {2000, 400, 400, 2000, 800, 800, 800, 800, INF_STORE_TAGS_MAX};

static const char **text_at(inf_summary *m, int i)
{
    const char **all[TEXTS] = {&m->name,           &m->model,      &m->error_type, &m->error_message, &m->input_preview,
                               &m->output_preview, &m->session_id, &m->user_id,    &m->tags};
    return all[i];
}

static void put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

size_t inf_ingest_encode(const inf_summary *summary, uint8_t out[INF_INGEST_HEAD_MAX])
{
    inf_summary m = *summary;
    memcpy(out, m.trace_id, 16);
    memcpy(out + 16, m.parent_id, 16);
    memcpy(out + 32, m.agent_id, 16);
    put_u64(out + 48, m.started_ns);
    put_u64(out + 56, m.duration_ns);
    put_u64(out + 64, m.received_ns);
    put_u64(out + 72, (uint64_t)m.llm_calls);
    put_u64(out + 80, (uint64_t)m.prompt_tokens);
    put_u64(out + 88, (uint64_t)m.completion_tokens);
    out[96] = m.status;
    out[97] = VERSION;
    out[98] = out[99] = 0;
    put_u64(out + 100, (uint64_t)m.cached_tokens);
    put_u64(out + 108, (uint64_t)m.cache_write_tokens);
    put_u64(out + 116, (uint64_t)m.reasoning_tokens);
    put_u64(out + 124, (uint64_t)m.cost_nano_usd);
    size_t length = HEAD;
    for (int i = 0; i < TEXTS; i++) {
        const char *text = *text_at(&m, i);
        size_t n = text ? strnlen(text, text_max[i]) : 0;
        unsigned stated = text ? (unsigned)n : ABSENT;
        out[132 + 2 * i] = (uint8_t)stated;
        out[133 + 2 * i] = (uint8_t)(stated >> 8);
        if (!text)
            continue;
        memcpy(out + length, text, n);
        out[length + n] = 0;
        length += n + 1;
    }
    out[150] = out[151] = 0;
    return length;
}

/* The texts, whose lengths stand at `lengths`, and behind them the body. */
static int read_texts(const uint8_t *record, size_t length, const uint8_t *lengths, int count, size_t at,
                      inf_store_put *out)
{
    for (int i = 0; i < count; i++) {
        size_t n = (size_t)lengths[2 * i] | (size_t)lengths[2 * i + 1] << 8;
        if (n == ABSENT)
            continue;
        if (n > text_max[i] || n >= length - at || record[at + n] != 0)
            return INF_EBADMSG;
        *text_at(&out->summary, i) = (const char *)record + at;
        at += n + 1;
    }
    out->body = record + at;
    out->body_length = length - at;
    return 0;
}

int inf_ingest_decode(const uint8_t *record, size_t length, inf_store_put *out)
{
    memset(out, 0, sizeof *out);
    if (length < HEAD_1 || record[96] > INF_STATUS_INTERRUPTED || record[97] < 1 || record[97] > VERSION ||
        (record[97] == VERSION && length < HEAD))
        return INF_EBADMSG;
    inf_summary *m = &out->summary;
    memcpy(m->trace_id, record, 16);
    memcpy(m->parent_id, record + 16, 16);
    memcpy(m->agent_id, record + 32, 16);
    m->started_ns = get_u64(record + 48);
    m->duration_ns = get_u64(record + 56);
    m->received_ns = get_u64(record + 64);
    m->llm_calls = (int64_t)get_u64(record + 72);
    m->prompt_tokens = (int64_t)get_u64(record + 80);
    m->completion_tokens = (int64_t)get_u64(record + 88);
    m->status = record[96];
    m->cost_nano_usd = -1;
    if (record[97] == 1)
        return read_texts(record, length, record + 100, TEXTS_1, HEAD_1, out);
    m->cached_tokens = (int64_t)get_u64(record + 100);
    m->cache_write_tokens = (int64_t)get_u64(record + 108);
    m->reasoning_tokens = (int64_t)get_u64(record + 116);
    m->cost_nano_usd = (int64_t)get_u64(record + 124);
    return read_texts(record, length, record + 132, TEXTS, HEAD, out);
}

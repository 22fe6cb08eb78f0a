/* See record.h. */
#include <string.h>

#include "infinium.h"
#include "ingest/record.h"

enum { TEXTS = 6, HEAD = 112, VERSION = 1, ABSENT = 0xffff };

/* The longest of each text, in bytes: 500 characters of name and message, 200 of the previews, at 4 bytes. */
static const uint16_t text_max[TEXTS] = {2000, 400, 400, 2000, 800, 800};

static const char **text_at(inf_summary *m, int i)
{
    const char **all[TEXTS] = {&m->name,          &m->model,         &m->error_type,
                               &m->error_message, &m->input_preview, &m->output_preview};
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
    size_t length = HEAD;
    for (int i = 0; i < TEXTS; i++) {
        const char *text = *text_at(&m, i);
        size_t n = text ? strnlen(text, text_max[i]) : 0;
        unsigned stated = text ? (unsigned)n : ABSENT;
        out[100 + 2 * i] = (uint8_t)stated;
        out[101 + 2 * i] = (uint8_t)(stated >> 8);
        if (!text)
            continue;
        memcpy(out + length, text, n);
        out[length + n] = 0;
        length += n + 1;
    }
    return length;
}

int inf_ingest_decode(const uint8_t *record, size_t length, inf_store_put *out)
{
    memset(out, 0, sizeof *out);
    if (length < HEAD || record[97] != VERSION || record[96] > INF_STATUS_INTERRUPTED)
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
    size_t at = HEAD;
    for (int i = 0; i < TEXTS; i++) {
        size_t n = (size_t)record[100 + 2 * i] | (size_t)record[101 + 2 * i] << 8;
        if (n == ABSENT)
            continue;
        if (n > text_max[i] || n >= length - at || record[at + n] != 0)
            return INF_EBADMSG;
        *text_at(m, i) = (const char *)record + at;
        at += n + 1;
    }
    out->body = record + at;
    out->body_length = length - at;
    return 0;
}

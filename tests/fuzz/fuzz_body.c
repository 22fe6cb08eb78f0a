/* The receiver's look at a trace's body, with the headers that come with it, and the record that it makes of it; and
 * that record's reader over arbitrary bytes. A first byte says which; then, for a body: the lengths of the two headers.
 */
#include "fuzz/fuzz.h"
#include "infinium.h"
#include "ingest/body.h"
#include "ingest/record.h"

#define PADDING INF_JSON_PADDING

static void read_body(const uint8_t *data, size_t size, bool id_required)
{
    static const uint8_t agent[16] = "agent agent agen";
    if (size < 2)
        return;
    size_t extra_length = data[0] < size - 2 ? data[0] : 0;
    size_t key_length = data[1] % 64 < size - 2 - extra_length ? data[1] % 64 : 0;
    char *extra = text_of(data + 2, extra_length);
    char *key = text_of(data + 2 + extra_length, key_length);
    size_t length = size - 2 - extra_length - key_length;
    char *text = calloc(1, length + PADDING);
    inf_body_reader reader;
    inf_store_put put, again;
    const char *reason = NULL;
    static uint8_t head[INF_INGEST_HEAD_MAX];
    MUST(text && inf_body_reader_init(&reader) == 0);
    memcpy(text, data + size - length, length);
    memset(&put, 0, sizeof(put));
    inf_body_source source = {.text = text,
                              .length = length,
                              .extra = extra_length ? extra : NULL,
                              .key = key_length ? key : NULL,
                              .agent_id = agent,
                              .received_ns = 1700000000000000000u,
                              .id_required = id_required};
    int status = inf_body_read(&reader, &source, &put, &reason);
    if (status == 0) {
        size_t n = inf_ingest_encode(&put.summary, head);
        MUST(n > 0 && n <= sizeof(head));
        MUST(inf_ingest_decode(head, n, &again) == 0);
        MUST(memcmp(again.summary.trace_id, put.summary.trace_id, 16) == 0);
        MUST(again.summary.status == put.summary.status);
    } else {
        MUST((status == 400 || status == 413 || status == 422 || status < 0) && reason);
    }
    inf_body_reader_free(&reader);
    free(text);
    free(key);
    free(extra);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 4 == 3) {
        char *copy = text_of(data + 1, size - 1);
        inf_store_put put;
        (void)inf_ingest_decode((const uint8_t *)copy, size - 1, &put);
        free(copy);
    } else {
        read_body(data + 1, size - 1, data[0] % 4 == 1);
    }
    return 0;
}

/* What a receiver answers: the header Infinium-Batch, Retry-After, the body with its refused lines, its reason; and
 * base URLs. The first byte says which. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "send/batch.h"
#include "send/retry.h"
#include "send/url.h"

static void refused(void *context, size_t index, const char *reason)
{
    MUST(index < *(size_t *)context);
    MUST(inf_utf8_valid(reason, strlen(reason)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = text_of(data + 1, size - 1);
    inf_batch_offer offer;
    char reason[64];
    size_t count = data[0];
    switch (data[0] % 4) {
    case 0:
        if (inf_batch_parse_offer(text, &offer))
            MUST(offer.max_traces > 0 && offer.max_bytes > 0);
        break;
    case 1: {
        int64_t ms = inf_retry_after_ms(text, 1700000000000000000u);
        MUST(ms >= -1 && ms <= INF_RETRY_AFTER_MAX_MS);
        break;
    }
    case 2:
        (void)inf_batch_each_rejected(text, size - 1, count, refused, &count);
        inf_answer_reason(text, size - 1, 422, reason, sizeof(reason));
        MUST(memchr(reason, '\0', sizeof(reason)));
        break;
    case 3:
        if (inf_url_valid(text, strlen(text))) {
            (void)inf_url_is_https(text);
            (void)inf_url_is_loopback(text);
        }
        break;
    }
    free(text);
    return 0;
}

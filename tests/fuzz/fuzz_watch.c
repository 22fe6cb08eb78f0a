/* What a watched HTTP exchange brings: addresses, requests, answers, server-sent events in pieces, chunked and packed
 * bodies. The first byte says which, the second how large the pieces are. */
#include "fuzz/fuzz.h"
#include "watch/body.h"
#include "watch/call.h"
#include "watch/sse.h"

struct taker {
    inf_call *call;
    inf_json *parser;
    size_t bytes;
};

static void take_event(void *context, const void *data, size_t length)
{
    struct taker *t = context;
    inf_call_event(t->call, t->parser, data, length);
    MUST(length <= INF_SSE_MAX_EVENT);
}

static void take_bytes(void *context, const void *data, size_t length)
{
    struct taker *t = context;
    char *copy = text_of(data, length); /* every byte can be read */
    t->bytes += length;
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hosts[] = {"api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"};
    static const char *const paths[] = {"/v1/chat/completions", "/v1/messages",
                                        "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse",
                                        "/v1/responses"};
    if (size < 3)
        return 0;
    inf_call call;
    struct taker t = {&call, inf_json_new(), 0};
    MUST(t.parser);
    inf_call_init(&call);
    call.content = true;
    unsigned piece = 1u + data[1];
    unsigned which = data[2] % 4;
    char *text = text_of(data + 3, size - 3);
    size_t length = size - 3;
    if (data[0] % 8 != 0)
        (void)inf_call_recognise(&call, hosts[which % 3], paths[which]);
    switch (data[0] % 8) {
    case 0:
        (void)inf_call_recognise(&call, hosts[which % 3], text);
        (void)inf_call_recognise(&call, text, paths[which]);
        break;
    case 1:
        inf_call_request(&call, t.parser, text, length);
        break;
    case 2:
        inf_call_answer(&call, t.parser, text, length);
        break;
    case 3:
    case 4: {
        inf_sse sse;
        inf_sse_init(&sse);
        for (size_t at = 0; at < length; at += piece)
            inf_sse_take(&sse, text + at, length - at < piece ? length - at : piece, take_event, &t);
        inf_sse_end(&sse, take_event, &t);
        inf_sse_free(&sse);
        break;
    }
    case 5: {
        inf_chunks chunks;
        inf_chunks_init(&chunks, which != 0);
        for (size_t at = 0; at < length; at += piece)
            inf_chunks_take(&chunks, text + at, length - at < piece ? length - at : piece, take_bytes, &t);
        MUST(t.bytes <= length);
        break;
    }
    default:
        (void)inf_body_unpack(data[0] % 8 == 6 ? INF_CODING_GZIP : (enum inf_coding)(1 + which), text, length,
                              take_bytes, &t);
        MUST(t.bytes <= INF_BODY_MAX_UNPACKED + 65536);
        break;
    }
    MUST(call.prompt_tokens >= -1 && call.completion_tokens >= -1);
    inf_call_free(&call);
    inf_json_free(t.parser);
    free(text);
    return 0;
}

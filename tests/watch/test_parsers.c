/* The readers of foreign bytes: however they are cut, the result is the same; whatever they are, nothing breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "watch/body.h"
#include "watch/call.h"
#include "watch/sse.h"

static void append(void *of, const void *data, size_t length)
{
    inf_buf_put(of, data, length);
}

/* Events come as "<data>". */
static void append_event(void *of, const void *data, size_t length)
{
    inf_buf_put_byte(of, '<');
    inf_buf_put(of, data, length);
    inf_buf_put_byte(of, '>');
}

static void events_of(const char *text, size_t length, size_t piece, inf_buf *out)
{
    inf_sse s;
    inf_sse_init(&s);
    inf_buf_reset(out);
    for (size_t at = 0; at < length; at += piece)
        inf_sse_take(&s, text + at, length - at < piece ? length - at : piece, append_event, out);
    inf_sse_end(&s, append_event, out);
    inf_sse_free(&s);
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *text, *events;
    } cases[] = {
        {"data: a\n\ndata: b\n\n", "<a><b>"},
        {"data:a\r\n\r\ndata:  b\r\rdata: c\n\n", "<a>< b><c>"},
        {"event: x\nid: 3\n: comment\ndata: one\ndata: two\n\n", "<one\ntwo>"},
        {"\n\n\n", ""},
        {"data\n\ndata:\n\n", "<>"},
        {"data: without an end", "<without an end>"},
        {"data: x\n\ndatas: y\n\nfoo\n\n", "<x>"},
    };
    inf_buf out;
    inf_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t piece = 1; piece <= strlen(cases[i].text); piece++) {
            events_of(cases[i].text, strlen(cases[i].text), piece, &out);
            assert_string_equal(inf_buf_text(&out), cases[i].events);
        }
    }
    /* One that is too long is left out; the next is not. */
    size_t length = INF_SSE_MAX_EVENT + 100;
    char *text = malloc(length + 32);
    memcpy(text, "data: ", 6);
    memset(text + 6, 'x', length - 6);
    memcpy(text + length, "\n\ndata: next\n\n", 15);
    events_of(text, length + 14, 65536, &out);
    assert_string_equal(inf_buf_text(&out), "<next>");
    free(text);
    inf_buf_free(&out);
}

static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *text, *body;
        bool possible, last;
    } cases[] = {
        {"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world", true, true},
        {"A\r\n0123456789\r\n00\r\nTrailer: x\r\n\r\n", "0123456789", true, true},
        {"5\r\nhello\r\n6\r\n wo", "hello wo", true, false},
        {"{\"a\":1}", "{\"a\":1}", true, false},
        {"data: x\n\n", "data: x\n\n", true, false},
        {"5\r\nhello", "5\r\nhello", false, false},
        {"12345678901234567890\r\n", "12345678901234567890\r\n", true, false},
    };
    inf_buf out;
    inf_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t length = strlen(cases[i].text);
        for (size_t piece = 1; piece <= length; piece++) {
            inf_chunks c;
            inf_chunks_init(&c, cases[i].possible);
            inf_buf_reset(&out);
            for (size_t at = 0; at < length; at += piece)
                inf_chunks_take(&c, cases[i].text + at, length - at < piece ? length - at : piece, append, &out);
            assert_string_equal(inf_buf_text(&out), cases[i].body);
            assert_int_equal(c.last, cases[i].last);
        }
    }
    inf_buf_free(&out);
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *host, *path, *provider, *model;
    } cases[] = {
        {"api.openai.com", "/v1/chat/completions", "openai", ""},
        {"x.openai.azure.com:443", "/openai/deployments/d/chat/completions?api-version=1", "azure", ""},
        {"api.x.ai", "/v1/responses", "xai", ""},
        {"max.ai", "/v1/chat/completions/", "openai", ""},
        {"api.groq.com", "/openai/v1/chat/completions", "groq", ""},
        {"api.anthropic.com", "/v1/messages", "anthropic", ""},
        {"g", "/v1beta/models/gemini-2.5-pro:generateContent?key=x", "google", "gemini-2.5-pro"},
        {"g", "/v1/publishers/google/models/m:streamGenerateContent", "google", "m"},
        {"g", "/v1/models/:generateContent", NULL, ""},
        {"g", "/v1/messages/batches", NULL, ""},
        {"g", "/v1/models", NULL, ""},
        {"", "", NULL, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        inf_call call;
        inf_call_init(&call);
        bool known = inf_call_recognise(&call, cases[i].host, cases[i].path);
        assert_int_equal(known, cases[i].provider != NULL);
        if (known) {
            assert_string_equal(call.provider, cases[i].provider);
            assert_string_equal(call.request_model, cases[i].model);
        }
        inf_call_free(&call);
    }
}

static void test_a_request_that_was_cut(void **state)
{
    (void)state;
    inf_json *parser = inf_json_new();
    inf_call call;
    inf_call_init(&call);
    call.style = INF_STYLE_OPENAI;
    static const char cut[] = "{\"messages\":[], \"model\" : \"gpt-4o\", \"x\": \"...";
    inf_call_request(&call, parser, cut, sizeof(cut) - 1);
    assert_string_equal(call.request_model, "gpt-4o");
    for (size_t n = 0; n < sizeof(cut); n++)
        inf_call_request(&call, parser, cut, n);
    inf_call_free(&call);
    inf_json_free(parser);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Answers and events with bytes changed, cut and repeated, to every style; compressed ones too. */
static void test_damaged_answers(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"c\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":"
        "{\"prompt_tokens\":1,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":1}}}",
        "{\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"usage\":{\"input_tokens\":9223372036854775807,"
        "\"cache_read_input_tokens\":9223372036854775807},\"content\":[{\"text\":\"t\"}]}}",
        "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"t\"}]}}],\"usageMetadata\":{\"promptTokenCount\":"
        "9223372036854775807,\"toolUsePromptTokenCount\":9223372036854775807,\"candidatesTokenCount\":1e300}}]",
        "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[{\"content\":[{\"text\":\"x\"}]}]}}",
        "{\"error\":{\"type\":\"t\",\"message\":\"m\"},\"contents\":[{\"parts\":[]}],\"messages\":[{\"role\":\"user\"}]"
        "}",
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV*-N-R\xb2R0\xac\x05\x00",
        "\x28\xb5\x2f\xfd\x04\x00\x51\x00\x00{\"a\":1}",
    };
    inf_json *parser = inf_json_new();
    inf_buf out;
    inf_buf_init(&out, 1 << 22);
    uint32_t seed = 20261123;
    for (int round = 0; round < 20000; round++) {
        char text[600];
        const char *from = seeds[next_random(&seed) % (sizeof(seeds) / sizeof(*seeds))];
        size_t length = strlen(from) > 20 ? strlen(from) : 20;
        memcpy(text, from, strlen(from));
        for (uint32_t changes = next_random(&seed) % 4; changes > 0; changes--) {
            size_t at = next_random(&seed) % length;
            if (next_random(&seed) % 3 == 0)
                length = at + 1;
            else
                text[at] = (char)next_random(&seed);
        }
        inf_call call;
        inf_call_init(&call);
        call.style = (enum inf_style)(1 + next_random(&seed) % 4);
        call.content = true;
        inf_call_request(&call, parser, text, length);
        inf_call_answer(&call, parser, text, length);
        inf_call_event(&call, parser, text, length);
        assert_true(call.output.length <= INF_CALL_OUTPUT_BYTES && call.input.length <= INF_CALL_INPUT_BYTES);
        assert_true(memchr(call.model, 0, sizeof(call.model)) && memchr(call.error_type, 0, sizeof(call.error_type)));
        inf_call_free(&call);
        inf_buf_reset(&out);
        (void)inf_body_unpack((enum inf_coding)(next_random(&seed) % 5), text, length, append, &out);
        inf_chunks c;
        inf_chunks_init(&c, true);
        inf_buf_reset(&out);
        inf_chunks_take(&c, text, length, append, &out);
        events_of(text, length, 1 + next_random(&seed) % 9, &out);
    }
    inf_buf_free(&out);
    inf_json_free(parser);
}

static void count(void *of, const void *data, size_t length)
{
    (void)data;
    *(size_t *)of += length;
}

/* A small packet that unpacks to more than is ever made of one. */
static void test_a_bomb(void **state)
{
    (void)state;
    static unsigned char zeros[1 << 16], packed[256 << 10];
    z_stream z = {0};
    size_t made = 0;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = packed;
    z.avail_out = sizeof(packed);
    for (int i = 0; i < 1024; i++) { /* 64 MiB */
        z.next_in = zeros;
        z.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&z, i == 1023 ? Z_FINISH : Z_NO_FLUSH), i == 1023 ? Z_STREAM_END : Z_OK);
    }
    deflateEnd(&z);
    assert_true(inf_body_unpack(INF_CODING_GZIP, packed, z.total_out, count, &made));
    assert_true(made >= INF_BODY_MAX_UNPACKED && made < INF_BODY_MAX_UNPACKED + (1 << 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),          cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_endpoints),       cmocka_unit_test(test_a_request_that_was_cut),
        cmocka_unit_test(test_damaged_answers), cmocka_unit_test(test_a_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

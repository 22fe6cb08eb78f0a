/* Records to bodies: the published captures, the extras, and what a hostile record may not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "client/trace.h"
#include "send/native.h"

static inf_trace t;

static void text(uint8_t tag, const char *value)
{
    inf_trace_add_text(&t, tag, value, strlen(value));
}

static void start(const char *ended_at, uint64_t duration_ns)
{
    uint64_t end;
    assert_int_equal(inf_rfc3339_parse(ended_at, strlen(ended_at), &end), 0);
    inf_trace_start(&t, NULL, NULL, NULL, 0);
    t.head.started_ns = end - duration_ns;
    t.head.duration_ns = duration_ns;
    t.head.status = INF_STATUS_OK;
    memset(t.head.trace_id, 0xab, 16);
}

/* Both parsed and written again, so that only white space may differ: the order of keys counts. */
static void assert_json(const char *actual, const char *expected)
{
    inf_json *a = inf_json_new(), *b = inf_json_new();
    inf_json_value x, y;
    inf_buf p, q;
    inf_buf_init(&p, 1 << 22);
    inf_buf_init(&q, 1 << 22);
    if (inf_json_parse(a, actual, strlen(actual), 0, &x) != 0)
        fail_msg("not JSON: %s: %s", inf_json_error(a), actual);
    assert_int_equal(inf_json_parse(b, expected, strlen(expected), 0, &y), 0);
    inf_json_write(x, &p);
    inf_json_write(y, &q);
    assert_string_equal(inf_buf_text(&p), inf_buf_text(&q));
    inf_buf_free(&p);
    inf_buf_free(&q);
    inf_json_free(a);
    inf_json_free(b);
}

static char *body(bool extras)
{
    char *json = inf_trace_json(&t, extras, NULL);
    assert_non_null(json);
    assert_null(strchr(json, '\n'));
    return json;
}

static void check(bool extras, const char *expected)
{
    char *json = body(extras);
    assert_json(json, expected);
    free(json);
    inf_trace_clear(&t);
}

static void put_llm_call(void)
{
    uint32_t g = inf_trace_group(&t, INF_TAG_LLM_CALL);
    text(INF_TAG_PROVIDER, "openai");
    text(INF_TAG_MODEL, "gpt-4o-2026");
    inf_trace_add_int(&t, INF_TAG_START, 500000);
    inf_trace_add_int(&t, INF_TAG_DURATION, 10900000);
    inf_trace_add_int(&t, INF_TAG_PROMPT_TOKENS, 11);
    inf_trace_add_int(&t, INF_TAG_COMPLETION_TOKENS, 7);
    inf_trace_add_double(&t, INF_TAG_TEMPERATURE, 0.2);
    text(INF_TAG_INPUT, "[system] Classify\n[user] I was charged twice");
    text(INF_TAG_OUTPUT, "echo: I was charged twice");
    text(INF_TAG_REQUEST_MODEL, "gpt-4o");
    text(INF_TAG_FINISH_REASON, "stop");
    inf_trace_group_end(&t, g);
}

static void test_blank_name(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", " \t"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (int function = 0; function < 2; function++) {
            start("2026-11-23T02:56:20.972348Z", 0);
            if (names[i])
                text(INF_TAG_NAME, names[i]);
            if (function)
                text(INF_TAG_FUNCTION, "classify");
            char *json = body(false);
            assert_memory_equal(json, function ? "{\"name\":\"classify\"," : "{\"name\":\"unnamed\",", 18);
            free(json);
            inf_trace_clear(&t);
        }
    }
}

static void test_captured_decorated_call(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.972348Z", 11800000);
    text(INF_TAG_NAME, "Email Classifier");
    text(INF_TAG_DESCRIPTION, "Auto-traced call to classify");
    text(INF_TAG_FUNCTION, "classify");
    text(INF_TAG_PYTHON_VERSION, "3.11.7");
    text(INF_TAG_SDK_VERSION, "1.2.0");
    text(INF_TAG_INPUT, "{'args': ('I was charged twice',), 'kwargs': {'tone': 'formal'}}");
    uint32_t g = inf_trace_group(&t, INF_TAG_PROMPT);
    text(INF_TAG_PROMPT_ID, "99999999-2222-3333-4444-555555555555");
    text(INF_TAG_NAME, "Greeting");
    inf_trace_add_int(&t, INF_TAG_VERSION, 2);
    text(INF_TAG_VARIABLE, "who");
    text(INF_TAG_FETCHED_AT, "2026-11-23T02:56:20.961506Z");
    inf_trace_group_end(&t, g);
    put_llm_call();
    text(INF_TAG_OUTPUT, "{'text': 'echo: I was charged twice'}");
    check(
        false,
        "{\"name\":\"Email Classifier\",\"description\":\"Auto-traced call to classify\","
        "\"current_datetime\":\"2026-11-23T02:56:20.972348Z\",\"duration\":0.012,"
        "\"input_summary\":\"{'args': ('I was charged twice',), 'kwargs': {'tone': 'formal'}}\","
        "\"output_summary\":\"{'text': 'echo: I was charged twice'}\","
        "\"steps\":[{\"step_number\":1,\"action\":\"execution\",\"description\":\"Execute "
        "classify\",\"duration_ms\":11,"
        "\"output_preview\":\"{'text': 'echo: I was charged twice'}\"},"
        "{\"step_number\":2,\"action\":\"llm_call\",\"description\":\"openai/gpt-4o-2026\",\"duration_ms\":10,"
        "\"input_preview\":\"[system] Classify\\n[user] I was charged twice\","
        "\"output_preview\":\"echo: I was charged twice\","
        "\"llm_call\":{\"model\":\"gpt-4o-2026\",\"provider\":\"openai\",\"prompt_tokens\":11,\"completion_tokens\":7,"
        "\"latency_ms\":10,\"temperature\":0.2}}],"
        "\"llm_usage\":{\"model\":\"gpt-4o-2026\",\"provider\":\"openai\",\"prompt_tokens\":11,\"completion_tokens\":7,"
        "\"total_tokens\":18,\"api_calls_count\":1,\"total_latency_ms\":10,"
        "\"calls\":[{\"model\":\"gpt-4o-2026\",\"provider\":\"openai\",\"prompt_tokens\":11,\"completion_tokens\":7,"
        "\"latency_ms\":10,\"temperature\":0.2}]},"
        "\"environment\":{\"python_version\":\"3.11.7\",\"sdk_version\":\"1.2.0\"},"
        "\"prompt_studio\":{\"prompts_used\":[{\"prompt_id\":\"99999999-2222-3333-4444-555555555555\","
        "\"prompt_name\":\"Greeting\",\"version\":2,\"source\":\"prompt_studio\",\"variables_used\":[\"who\"],"
        "\"fetched_at\":\"2026-11-23T02:56:20.961506Z\"}]}}");
}

static void test_captured_error(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.972348Z", 1600000);
    text(INF_TAG_NAME, "Risky");
    text(INF_TAG_DESCRIPTION, "");
    text(INF_TAG_FUNCTION, "risky");
    uint32_t g = inf_trace_group(&t, INF_TAG_ERROR);
    text(INF_TAG_ERROR_TYPE, "ValueError");
    text(INF_TAG_MESSAGE, "boom");
    text(INF_TAG_STACK_TRACE, "Traceback (most recent call last):\n  File ...\nValueError: boom\n");
    inf_trace_group_end(&t, g);
    t.head.status = INF_STATUS_ERROR;
#define ERROR_JSON                                                                                                     \
    "{\"error_type\":\"ValueError\",\"message\":\"boom\",\"recoverable\":false,\"retry_count\":0,"                     \
    "\"stack_trace\":\"Traceback (most recent call last):\\n  File ...\\nValueError: boom\\n\"}"
    check(false, "{\"name\":\"Risky\",\"description\":\"\",\"current_datetime\":\"2026-11-23T02:56:20.972348Z\","
                 "\"duration\":0.002,\"steps\":[{\"step_number\":1,\"action\":\"execution\","
                 "\"description\":\"Execute risky\",\"duration_ms\":1,\"error\":" ERROR_JSON "}],"
                 "\"errors\":[" ERROR_JSON "]}");
}

static void raw_member(const char *key, const char *json)
{
    uint32_t g = inf_trace_group(&t, INF_TAG_RAW_MEMBER);
    text(INF_TAG_KEY, key);
    text(INF_TAG_JSON, json);
    inf_trace_group_end(&t, g);
}

static void test_captured_send_task(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.956470Z", 1); /* 0: it would be taken for one that is still open */
    text(INF_TAG_NAME, "Classify");
    text(INF_TAG_DESCRIPTION, "d");
    text(INF_TAG_INPUT, "i");
    text(INF_TAG_OUTPUT, "o");
    raw_member("sections", "{\"customer\":\n{\"customer_name\":\"Acme\"}}");
    raw_member("llm_usage", "{\"model\":\"gpt-4o\"}");
    raw_member("duration", "2.4");
    raw_member("agent_type", "\"OLD\"");
    raw_member("agent_type", "\"DATA_ANALYST\"");
    check(false,
          "{\"name\":\"Classify\",\"description\":\"d\",\"current_datetime\":\"2026-11-23T02:56:20.956470Z\","
          "\"duration\":2.4,\"input_summary\":\"i\",\"output_summary\":\"o\",\"llm_usage\":{\"model\":\"gpt-4o\"},"
          "\"sections\":{\"customer\":{\"customer_name\":\"Acme\"}},\"agent_type\":\"DATA_ANALYST\"}");
}

static void test_none_and_long_output(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.956470Z", 1000000000);
    text(INF_TAG_NAME, "n");
    text(INF_TAG_FUNCTION, "f");
    text(INF_TAG_OUTPUT, "None");
    check(false, "{\"name\":\"n\",\"description\":\"Auto-traced call to f\","
                 "\"current_datetime\":\"2026-11-23T02:56:20.956470Z\",\"duration\":1.0,"
                 "\"steps\":[{\"step_number\":1,\"action\":\"execution\",\"description\":\"Execute f\","
                 "\"duration_ms\":1000,\"output_preview\":\"None\"}]}");

    char output[1700 * 2 + 1] = "";
    for (int i = 0; i < 1700; i++)
        memcpy(output + 2 * i, "\xc3\xa4", 3);
    start("2026-11-23T02:56:20.956470Z", 1000000000);
    text(INF_TAG_NAME, "n");
    text(INF_TAG_FUNCTION, "f");
    text(INF_TAG_OUTPUT, output);
    char *json = body(false);
    char *preview = strstr(json, "\"output_preview\":\"") + 18;
    assert_int_equal(strchr(preview, '"') - preview, 1497 * 2 + 3);
    assert_memory_equal(preview + 1497 * 2, "...\"", 4);
    free(json);
    inf_trace_clear(&t);
}

static void test_extras(void **state)
{
    (void)state;
    uint8_t parent[16];
    memset(parent, 0xcd, 16);
    start("2026-11-23T02:56:20.972348500Z", 11800000);
    memcpy(t.head.parent_id, parent, 16);
    text(INF_TAG_NAME, "n");
    text(INF_TAG_DESCRIPTION, "d");
    put_llm_call();
    text(INF_TAG_TAG, "a");
    text(INF_TAG_TAG, "b");
    text(INF_TAG_SESSION_ID, "s1");
    text(INF_TAG_USER_ID, "u1");
    text(INF_TAG_METADATA, "{\"k\": [1]}");
    uint32_t g = inf_trace_group(&t, INF_TAG_SCORE);
    text(INF_TAG_NAME, "quality");
    inf_trace_add_double(&t, INF_TAG_VALUE, 0.75);
    text(INF_TAG_MESSAGE, "fine");
    inf_trace_group_end(&t, g);
    check(true, "{\"name\":\"n\",\"description\":\"d\",\"current_datetime\":\"2026-11-23T02:56:20.972348Z\","
                "\"duration\":0.012,\"steps\":[{\"step_number\":1,\"action\":\"llm_call\","
                "\"description\":\"openai/gpt-4o-2026\",\"duration_ms\":10,"
                "\"input_preview\":\"[system] Classify\\n[user] I was charged twice\","
                "\"output_preview\":\"echo: I was charged twice\",\"llm_call\":{\"model\":\"gpt-4o-2026\","
                "\"provider\":\"openai\",\"prompt_tokens\":11,\"completion_tokens\":7,\"latency_ms\":10,"
                "\"temperature\":0.2,\"request_model\":\"gpt-4o\",\"finish_reasons\":[\"stop\"]},\"start_ns\":500000}],"
                "\"llm_usage\":{\"model\":\"gpt-4o-2026\",\"provider\":\"openai\",\"prompt_tokens\":11,"
                "\"completion_tokens\":7,\"total_tokens\":18,\"api_calls_count\":1,\"total_latency_ms\":10,"
                "\"calls\":[{\"model\":\"gpt-4o-2026\",\"provider\":\"openai\",\"prompt_tokens\":11,"
                "\"completion_tokens\":7,\"latency_ms\":10,\"temperature\":0.2}]},"
                "\"trace_id\":\"abababababababababababababababab\",\"parent_id\":\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\","
                "\"status\":\"ok\",\"started_at\":\"2026-11-23T02:56:20.960548500Z\",\"duration_ns\":11800000,"
                "\"tags\":[\"a\",\"b\"],\"session_id\":\"s1\",\"user_id\":\"u1\","
                "\"scores\":[{\"name\":\"quality\",\"value\":0.75,\"comment\":\"fine\"}],\"metadata\":{\"k\":[1]}}");
}

static void test_extra_header_is_short_ascii(void **state)
{
    (void)state;
    char wide[3000];
    memset(wide, 'x', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    for (int big = 0; big < 2; big++) {
        start("2026-11-23T02:56:20.972348500Z", 11800000);
        text(INF_TAG_SESSION_ID, "\xc3\xa4\xf0\x9f\x98\x80\x7f\r\nx-evil: 1");
        text(INF_TAG_TAG, "t");
        uint32_t g = inf_trace_group(&t, INF_TAG_RAW_MEMBER);
        text(INF_TAG_KEY, "metadata");
        char json[3100];
        snprintf(json, sizeof(json), "{\"k\":\"%s\"}", big ? wide : "v");
        text(INF_TAG_JSON, json);
        inf_trace_group_end(&t, g);
        inf_buf out;
        inf_buf_init(&out, 1 << 20);
        inf_native_extra(&out, &t.head, inf_fields_of(t.fields, t.head.fields_length));
        assert_int_equal(out.error, 0);
        assert_in_range(out.length, 100, INF_EXTRA_HEADER_BYTES);
        for (size_t i = 0; i < out.length; i++)
            assert_in_range(out.data[i], 0x20, 0x7e);
        assert_non_null(strstr(inf_buf_text(&out), "\\u00e4\\ud83d\\ude00"));
        assert_non_null(strstr(inf_buf_text(&out), "\"tags\":[\"t\"]"));
        assert_int_equal(strstr(inf_buf_text(&out), "metadata") != NULL, !big);
        assert_json(inf_buf_text(&out), inf_buf_text(&out));
        inf_buf_free(&out);
        inf_trace_clear(&t);
    }
}

static void test_llm_calls_in_order_of_start(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.972348500Z", 11800000);
    text(INF_TAG_NAME, "n");
    for (int i = 0; i < 100; i++) {
        uint32_t g = inf_trace_group(&t, INF_TAG_LLM_CALL);
        char model[16];
        snprintf(model, sizeof(model), "m%d", 99 - i);
        text(INF_TAG_MODEL, model);
        inf_trace_add_int(&t, INF_TAG_START, 99 - i);
        inf_trace_add_int(&t, INF_TAG_PROMPT_TOKENS, 2);
        inf_trace_group_end(&t, g);
    }
    char *json = body(false);
    char *at = json;
    for (int i = 0; i < 100; i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "{\"step_number\":%d,\"action\":\"llm_call\",\"description\":\"m%d\"",
                 i + 1, i);
        at = strstr(at, expected);
        if (!at)
            fail_msg("%s is not in %s", expected, json);
    }
    assert_non_null(strstr(json,
                           "\"llm_usage\":{\"model\":\"multiple\",\"provider\":\"multiple\",\"prompt_tokens\":200,"
                           "\"total_tokens\":200,\"api_calls_count\":100,\"calls\":["));
    free(json);
    inf_trace_clear(&t);
}

static void test_interrupted_says_so_on_both_wires(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.972348500Z", 0);
    text(INF_TAG_NAME, "n");
    t.head.status = INF_STATUS_INTERRUPTED;
    char *json = body(false);
    assert_non_null(strstr(json, "\"error_type\":\"Interrupted\""));
    free(json);
    json = body(true);
    assert_non_null(strstr(json, "\"status\":\"interrupted\""));
    assert_null(strstr(json, "\"errors\""));
    free(json);
    inf_trace_clear(&t);
}

/* Every prefix and every changed byte of a record gives JSON or nothing, and never more than is there. */
static void test_damaged_fields(void **state)
{
    (void)state;
    start("2026-11-23T02:56:20.972348500Z", 11800000);
    text(INF_TAG_NAME, "n");
    text(INF_TAG_FUNCTION, "f");
    put_llm_call();
    uint32_t g = inf_trace_group(&t, INF_TAG_ERROR);
    text(INF_TAG_ERROR_TYPE, "E");
    inf_trace_group_end(&t, g);
    uint32_t length = t.head.fields_length;
    inf_json *parser = inf_json_new();
    for (uint32_t i = 0; i < length; i++) {
        for (int value = 0; value < 256; value += 51) {
            uint8_t *exact = malloc(length); /* so that a sanitizer sees the end */
            assert_non_null(exact);
            memcpy(exact, t.fields, length);
            exact[i] = (uint8_t)value;
            inf_buf out;
            inf_json_value root;
            inf_buf_init(&out, 1 << 22);
            inf_native_body(&out, &t.head, inf_fields_of(exact, value ? length : i), true);
            /* Metadata and raw members are JSON by contract; a changed tag can make text into one. */
            if (exact[i] != INF_TAG_METADATA && exact[i] != INF_TAG_RAW_MEMBER)
                assert_int_equal(inf_json_parse(parser, out.data, out.length, 0, &root), 0);
            inf_buf_free(&out);
            free(exact);
        }
    }
    inf_json_free(parser);
    inf_trace_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blank_name),
        cmocka_unit_test(test_captured_decorated_call),
        cmocka_unit_test(test_captured_error),
        cmocka_unit_test(test_captured_send_task),
        cmocka_unit_test(test_none_and_long_output),
        cmocka_unit_test(test_extras),
        cmocka_unit_test(test_extra_header_is_short_ascii),
        cmocka_unit_test(test_llm_calls_in_order_of_start),
        cmocka_unit_test(test_interrupted_says_so_on_both_wires),
        cmocka_unit_test(test_damaged_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the C functions record, seen in the JSON of a trace that is built and not sent. */
#include "client/support.h"

#include "base/json_read.h"

static inf_json *parser;

static inf_json_value parse(char *json)
{
    inf_json_value root;
    assert_non_null(json);
    assert_int_equal(inf_json_parse(parser, json, strlen(json), 0, &root), 0);
    free(json);
    return root;
}

static inf_json_value get(inf_json_value v, const char *key)
{
    inf_json_value out;
    if (!inf_json_get(v, key, &out))
        fail_msg("no member %s", key);
    return out;
}

static inf_json_value at(inf_json_value array, size_t index)
{
    inf_json_iterator i = inf_json_iterate(array);
    while (inf_json_next(&i))
        if (index-- == 0)
            return i.value;
    fail_msg("the array is too short");
    return array;
}

static void assert_text(inf_json_value v, const char *key, const char *expected)
{
    const char *text;
    size_t length;
    if (!inf_json_get_string(v, key, &text, &length))
        fail_msg("no text %s", key);
    assert_string_equal(text, expected);
}

static void assert_number(inf_json_value v, const char *key, double expected)
{
    double number;
    if (!inf_json_get_double(v, key, &number))
        fail_msg("no number %s", key);
    assert_true(number == expected);
}

static bool has(inf_json_value v, const char *key)
{
    inf_json_value out;
    return inf_json_get(v, key, &out);
}

static void test_a_trace_without_a_client(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin_with(NULL, "Draft",
                                        &(inf_trace_options){.description = "d", .session_id = "s1", .user_id = "u1"});
    assert_ptr_equal(inf_current(), t);
    inf_input("%s and %d", "in", 7);
    inf_output_bytes("o\0ut", 4);
    inf_tag("alpha");
    inf_tag("beta");
    inf_tag(NULL);
    inf_score("quality", 0.75, "fine");
    assert_int_equal(inf_metadata("{\"run\": 3}"), INF_OK);
    assert_int_equal(inf_metadata("[1]"), INF_EINVAL);
    assert_int_equal(inf_metadata("{\"run\": "), INF_EBADMSG);
    assert_int_equal(inf_metadata(NULL), INF_EINVAL);
    inf_user_id("u2");
    char id[33];
    inf_trace_id(t, id);
    inf_json_value open = parse(inf_trace_json(t, 1, NULL));
    assert_text(open, "status", "running");
    size_t length = 0;
    char *json = inf_trace_end_json(t, 1, &length);
    assert_int_equal(length, strlen(json));
    inf_json_value v = parse(json);
    assert_null(inf_current());
    assert_text(v, "name", "Draft");
    assert_text(v, "description", "d");
    assert_text(v, "input_summary", "in and 7");
    assert_text(v, "session_id", "s1");
    assert_text(v, "user_id", "u2");
    assert_text(v, "trace_id", id);
    assert_text(v, "status", "ok");
    assert_int_equal(inf_json_size(get(v, "tags")), 2);
    assert_number(at(get(v, "scores"), 0), "value", 0.75);
    assert_text(at(get(v, "scores"), 0), "comment", "fine");
    assert_number(get(v, "metadata"), "run", 3);
    const char *text;
    assert_true(inf_json_get_string(v, "output_summary", &text, &length));
    assert_int_equal(length, 4);
    assert_memory_equal(text, "o\0ut", 4);
}

static void test_steps(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin(NULL, "steps");
    inf_step_input("no step is open: %d", 1);
    INF_STEP("search", "Search the index")
    {
        inf_step_input("%s", "query");
        inf_record_tool_call(&(inf_tool_call){
            .name = "index", .duration_ns = 2000000, .input = "q", .output = "3 hits", .http_status = 200});
        INF_STEP("rank", "Rank the hits")
        {
            inf_step_output("best of %d", 3);
            sleep_ms(2);
        }
        inf_step_error("Timeout", "one of %d shards", 2);
        inf_step_output("done");
        inf_record_tool_call(&(inf_tool_call){.name = "second", .error_type = "E", .error_message = "m"});
    }
    inf_step *open = inf_step_begin("open", NULL);
    assert_non_null(open);
    inf_error("Fatal", "in %s", "the last step");
    inf_json_value v = parse(inf_trace_end_json(t, 1, NULL)); /* ends the step too */
    inf_json_value steps = get(v, "steps");
    assert_int_equal(inf_json_size(steps), 4);
    inf_json_value search = at(steps, 0), rank = at(steps, 1), second = at(steps, 2), last = at(steps, 3);
    assert_text(search, "action", "search");
    assert_text(search, "description", "Search the index");
    assert_text(search, "input_preview", "query");
    assert_text(search, "output_preview", "done");
    assert_text(get(search, "error"), "message", "one of 2 shards");
    assert_text(get(search, "tool_call"), "tool_name", "index");
    assert_number(get(search, "tool_call"), "duration_ms", 2);
    assert_number(get(search, "tool_call"), "http_status", 200);
    assert_text(rank, "output_preview", "best of 3");
    int64_t ms;
    assert_true(inf_json_get_i64(rank, "duration_ms", &ms) && ms >= 2);
    assert_text(second, "action", "tool_call");
    assert_text(get(get(second, "tool_call"), "error"), "message", "m");
    assert_text(last, "action", "open");
    assert_text(get(last, "error"), "error_type", "Fatal");
    /* The step's own error is not the trace's; inf_error() is both. */
    assert_int_equal(inf_json_size(get(v, "errors")), 1);
    assert_text(at(get(v, "errors"), 0), "message", "in the last step");
}

static void test_steps_end_however_they_are_left(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin(NULL, "steps");
    for (int i = 0; i < 3; i++) {
        INF_STEP("s", "d")
        {
            if (i == 0)
                continue;
            if (i == 1)
                break;
            goto out;
        }
    }
out:;
    inf_step *a = inf_step_begin("a", "");
    inf_step *b = inf_step_begin("b", "");
    inf_step_end(a); /* out of order */
    inf_step_output("b's");
    inf_step_end(b);
    inf_json_value steps = get(parse(inf_trace_end_json(t, 1, NULL)), "steps");
    assert_int_equal(inf_json_size(steps), 5);
    assert_text(at(steps, 4), "output_preview", "b's");
    inf_step_end(inf_step_begin("no trace", ""));
    inf_step_end(NULL);
}

static void test_a_call_of_a_model(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin(NULL, "llm");
    inf_record_llm_call(&(inf_llm_call){
        .provider = "openai",
        .model = "gpt-4o-2026",
        .request_model = "gpt-4o",
        .prompt_tokens = 100,
        .completion_tokens = 20,
        .cached_tokens = 64,
        .cache_write_tokens = 8,
        .reasoning_tokens = 5,
        .latency_ns = 1500000,
        .time_to_first_chunk_ns = 500000,
        .has_temperature = 1,
        .max_tokens = 256,
        .stream = 1,
        .response_id = "resp-1",
        .finish_reason = "stop",
        .purpose = "label",
        .operation = "chat",
    });
    /* A program that was compiled when the struct ended after `model`. */
    inf_llm_call old;
    memset(&old, 0x5a, sizeof(old));
    old.provider = "p";
    old.model = "m";
    inf_record_llm_call_sized(&old, offsetof(inf_llm_call, prompt_tokens));
    inf_json_value v = parse(inf_trace_end_json(t, 1, NULL));
    inf_json_value call = get(at(get(v, "steps"), 1), "llm_call");
    if (!has(call, "response_id"))
        call = get(at(get(v, "steps"), 0), "llm_call");
    assert_text(call, "model", "gpt-4o-2026");
    assert_text(call, "request_model", "gpt-4o");
    assert_text(call, "response_id", "resp-1");
    assert_text(call, "purpose", "label");
    assert_text(call, "operation", "chat");
    assert_number(call, "prompt_tokens", 100);
    assert_number(call, "cached_tokens", 64);
    assert_number(call, "cache_write_tokens", 8);
    assert_number(call, "reasoning_tokens", 5);
    assert_number(call, "max_tokens", 256);
    assert_number(call, "temperature", 0);
    assert_number(call, "time_to_first_chunk_ms", 0.5);
    assert_number(call, "latency_ms", 1);
    inf_json_value usage = get(v, "llm_usage");
    assert_number(usage, "api_calls_count", 2);
    assert_number(usage, "prompt_tokens", 100);
}

__attribute__((noinline, visibility("default"))) void function_with_an_error(int number)
{
    inf_error("ValueError", "number %d", number);
    __asm__ volatile("");
}

static void test_errors_have_a_backtrace(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin(NULL, "errors");
    for (int i = 0; i < 6; i++)
        function_with_an_error(i);
    inf_input("after the errors");
    inf_json_value v = parse(inf_trace_end_json(t, 1, NULL));
    inf_json_value errors = get(v, "errors");
    assert_text(v, "status", "error");
    assert_text(v, "input_summary", "after the errors");
    assert_int_equal(inf_json_size(errors), 6);
    for (size_t i = 0; i < 6; i++) {
        const char *stack;
        size_t length;
        char message[32];
        snprintf(message, sizeof(message), "number %zu", i);
        assert_text(at(errors, i), "message", message);
        assert_int_equal(inf_json_get_string(at(errors, i), "stack_trace", &stack, &length), i < 4);
        if (i >= 4)
            continue;
        /* The first frame is the program's, not the library's. */
        assert_memory_equal(stack, "#0 ", 3);
        const char *line = strchr(stack, '\n');
        assert_non_null(line);
        if (!memmem(stack, (size_t)(line - stack), "function_with_an_error+0x", 25) &&
            !memmem(stack, (size_t)(line - stack), "test_record+0x", 14))
            fail_msg("the first frame is another one: %s", stack);
        assert_true(strstr(stack, "\n#1 ") && length < 16000);
    }
}

static void test_nothing_without_a_trace(void **state)
{
    (void)state;
    inf_input("x");
    inf_output_bytes("x", 1);
    inf_error(NULL, NULL);
    inf_tag("x");
    inf_score("x", 1, NULL);
    inf_record_tool_call(&(inf_tool_call){.name = "t"});
    inf_record_llm_call(&(inf_llm_call){.model = "m"});
    assert_null(inf_trace_end_json(NULL, 0, NULL));
    assert_null(inf_trace_json(NULL, 0, NULL));
    inf_trace_end(NULL);
}

static void test_no_send(void **state)
{
    (void)state;
    inf_client *client = open_client_with("http://127.0.0.1:1/api/v1", (inf_options){.journal_memory = 1});
    INF_TRACE_WITH(client, "not sent", &(inf_trace_options){.no_send = 1})
    {
        INF_TRACE(client, "sent")
        {
            inf_output("x");
        }
    }
    assert_int_equal(stats(client).begun, 1);
    inf_close(client, 0);
}

int functions_in_cxx(inf_client *use);
char *json_of_cxx(void);

static void test_exceptions_of_cxx(void **state)
{
    (void)state;
    scripted_server *s = scripted_server_start(0);
    scripted_server_offer(s, 100, 1 << 20);
    inf_client *client = open_client(scripted_server_url(s));
    trace_one(client, "first, on the platform wire");
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(functions_in_cxx(client), 0);
    assert_int_equal(inf_flush(client, 10000, NULL), INF_OK);
    assert_int_equal(scripted_server_stored(s), 7);
    assert_true(scripted_server_count(s, "\"error_type\":\"std::runtime_error\",\"message\":\"went wrong\"") >= 2);
    assert_true(scripted_server_count(s, "\"error_type\":\"int\"") >= 1);
    assert_int_equal(scripted_server_count(s, "\"message\":\"a C++ exception left the scope\""), 1);
    assert_true(scripted_server_count(s, "\"message\":\"a C++ exception left the step\"") >= 1);
    assert_true(scripted_server_count(s,
                                      "{\\\"depth\\\": 0, \\\"text\\\": \\\"went wrong\\\", \\\"c\\\": 3, \\\"p\\\": "
                                      "\\\"<8 bytes>\\\"}") >= 1);
    inf_json_value v = parse(json_of_cxx());
    assert_false(has(v, "errors")); /* the exception did not leave the trace */
    assert_text(get(at(get(v, "steps"), 0), "error"), "error_type", "exception");
    inf_close(client, 1000);
    scripted_server_stop(s);
}

int main(void)
{
    parser = inf_json_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trace_without_a_client),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_steps_end_however_they_are_left),
        cmocka_unit_test(test_a_call_of_a_model),
        cmocka_unit_test(test_errors_have_a_backtrace),
        cmocka_unit_test(test_nothing_without_a_trace),
        cmocka_unit_test(test_no_send),
        cmocka_unit_test_setup_teardown(test_exceptions_of_cxx, make_directory, remove_directory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inf_json_free(parser);
    return failed;
}

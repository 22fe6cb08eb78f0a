/* One exchange on the calling thread; batch offers; what an answer says; the file of what was refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "infinium.h"
#include "send/batch.h"
#include "send/call.h"
#include "send/reject.h"
#include "send/scripted_server.h"
#include "send/url.h"

static void test_call(void **state)
{
    (void)state;
    static const scripted_answer script[] = {
        {SCRIPTED_STATUS, 429, "Retry-After: 7\r\nInfinium-Batch: max_traces=5; max_bytes=1000\r\n",
         "{\"error\":\"slow\"}"},
        {SCRIPTED_HANG, 0, NULL, NULL},
        {SCRIPTED_RESET, 0, NULL, NULL},
    };
    scripted_server *s = scripted_server_start(0);
    scripted_server_script(s, script, 3);
    const char *headers[] = {"x-one: 1", NULL};
    inf_http_request request = {
        .method = "GET", .url = scripted_server_url(s), .headers = headers, .timeout_ms = 300, .user_agent = "test/1"};
    inf_http_answer answer;
    inf_http_answer_init(&answer);
    assert_int_equal(inf_http_call(&request, &answer), INF_OK);
    assert_int_equal(answer.status, 429);
    assert_string_equal(answer.retry_after, "7");
    assert_string_equal(answer.batch, "max_traces=5; max_bytes=1000");
    assert_string_equal(inf_buf_text(&answer.body), "{\"error\":\"slow\"}");
    char *r = scripted_server_request(s, 0);
    assert_ptr_equal(strstr(r, "GET /api/v1 HTTP/1.1\r\n"), r);
    assert_non_null(strstr(r, "x-one: 1\r\n"));
    assert_non_null(strstr(r, "User-Agent: test/1\r\n"));
    free(r);
    assert_int_equal(inf_http_call(&request, &answer), INF_ETIMEDOUT);
    assert_int_equal(answer.status, 0);
    request.timeout_ms = 10000; /* on a busy machine the reset may take its time */
    assert_int_equal(inf_http_call(&request, &answer), INF_ENET);
    assert_true(answer.reason[0] != '\0');
    request.url = "http://127.0.0.1:1/";
    assert_int_equal(inf_http_call(&request, &answer), INF_ENET);
    inf_http_answer_free(&answer);
    scripted_server_stop(s);
}

static void test_offers(void **state)
{
    (void)state;
    inf_batch_offer o;
    assert_true(inf_batch_parse_offer("max_traces=10000; max_bytes=8388608; encodings=zstd; extra=1", &o));
    assert_int_equal(o.max_traces, 10000);
    assert_int_equal(o.max_bytes, 8388608);
    assert_true(o.zstd && o.extra);
    assert_true(inf_batch_parse_offer("MAX_BYTES=100;max_traces=1;encodings=gzip, zstd ;new=x", &o));
    assert_true(o.zstd && !o.extra);
    assert_true(inf_batch_parse_offer("max_traces=99999999999999999999;max_bytes=99999999999", &o));
    assert_int_equal(o.max_bytes, 64 << 20);
    assert_int_equal(o.rate, 0);
    assert_true(inf_batch_parse_offer("max_traces=1;max_bytes=1;rate=100", &o));
    assert_int_equal(o.rate, 100);
    assert_true(inf_batch_parse_offer("max_traces=1;max_bytes=1;rate=99999", &o));
    assert_int_equal(o.rate, 1000);
    assert_true(inf_batch_parse_offer("max_traces=1;max_bytes=1;rate=fast", &o));
    assert_int_equal(o.rate, 0);
    static const char *const bad[] = {"",
                                      ";;;",
                                      "max_traces=10",
                                      "max_traces=0; max_bytes=5",
                                      "max_traces=-1;max_bytes=9",
                                      "max_traces; max_bytes",
                                      "max_traces=1x; max_bytes=5",
                                      "=;=",
                                      "encodings=zstd"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(inf_batch_parse_offer(bad[i], &o));
}

static void note(void *context, size_t index, const char *reason)
{
    inf_buf_printf(context, "%zu=%s;", index, reason);
}

static void test_rejected_lists(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *expected;
    } cases[] = {
        {"{\"rejected\":[{\"index\":1,\"error\":\"bad\"},{\"index\":0}]}", "1=bad;0=refused;"},
        {"{\"rejected\":[{\"index\":3,\"error\":\"beyond\"},{\"index\":-1},{\"index\":\"0\"},7,null]}", ""},
        {"{\"rejected\":{\"index\":1}}", ""},
        {"{\"rejected\":[]}", ""},
        {"[]", ""},
        {"garbage", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        inf_buf out;
        inf_buf_init(&out, 1000);
        inf_batch_each_rejected(cases[i].answer, strlen(cases[i].answer), 3, note, &out);
        assert_string_equal(inf_buf_text(&out), cases[i].expected);
        inf_buf_free(&out);
    }
    char reason[16];
    inf_answer_reason("{\"error\":\"a rather long reason\"}", 32, 422, reason, sizeof(reason));
    assert_string_equal(reason, "a rather long r");
    inf_answer_reason("<html>", 6, 413, reason, sizeof(reason));
    assert_string_equal(reason, "HTTP 413");
}

static void test_refused_file_is_private_and_bounded(void **state)
{
    (void)state;
    char directory[] = "/tmp/inf-test-XXXXXX", path[64], text[32] = "";
    uint8_t id[16] = {1};
    assert_non_null(mkdtemp(directory));
    size_t length = 1 << 20;
    char *body = malloc(length);
    assert_non_null(body);
    memset(body, ' ', length);
    body[0] = '0';
    int kept = 0, dropped = 0;
    for (int i = 0; i < 20; i++) {
        int error = inf_reject_append(directory, id, 422, "a \"reason\"", body, length);
        kept += error == 0;
        dropped += error == INF_EFULL;
    }
    assert_int_equal(kept, 15);
    assert_int_equal(dropped, 5);
    struct stat st;
    snprintf(path, sizeof(path), "%s/rejected.ndjson", directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_in_range(st.st_size, 15 << 20, INF_REJECT_MAX_BYTES);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/rejected.dropped", directory);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    fclose(f);
    assert_string_equal(text, "5\n");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_true(inf_reject_append(directory, id, 422, "r", "{}", 2) < 0);
    free(body);
}

static void test_urls(void **state)
{
    (void)state;
    assert_true(inf_url_is_loopback("http://127.0.0.1:80/x"));
    assert_true(inf_url_is_loopback("http://127.9.9.9"));
    assert_true(inf_url_is_loopback("https://LocalHost/x"));
    assert_true(inf_url_is_loopback("http://[::1]:80"));
    assert_false(inf_url_is_loopback("http://127.example.com"));
    assert_false(inf_url_is_loopback("http://localhost.example.com"));
    assert_false(inf_url_is_loopback("https://platform.i42m.ai/api/v1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),           cmocka_unit_test(test_offers),
        cmocka_unit_test(test_rejected_lists), cmocka_unit_test(test_refused_file_is_private_and_bounded),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The log of `infinium serve`: its forms, and that nothing secret is in it. */
#include "base/json_read.h"
#include "base/log.h"
#include "logging.h"
#include "receiver/running.h"

static int saved;
static char text[65536];

/* Runs `f` with standard error in a file, which is `text` afterwards. */
static void with_log(const inf_serve_options *options, void (*f)(void *context), void *context)
{
    char path[] = "/tmp/infinium-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    saved = dup(2);
    dup2(fd, 2);
    inf_logging_set(options);
    f(context);
    inf_log_set_sink(NULL, NULL);
    inf_log_set_level(INF_LOG_WARNING);
    inf_serve_options quiet = INF_SERVE_OPTIONS_INIT;
    inf_logging_set(&quiet); /* requests off */
    inf_log_set_sink(NULL, NULL);
    inf_log_set_level(INF_LOG_WARNING);
    dup2(saved, 2);
    close(saved);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = 0;
    close(fd);
}

static void say_some(void *context)
{
    (void)context;
    inf_log(INF_LOG_DEBUG, "small");
    inf_log(INF_LOG_INFO, "a \"quoted\"\nline");
    inf_log(INF_LOG_ERROR, "bad \xff bytes");
}

static void text_lines_have_time_and_level(void **state)
{
    (void)state;
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    with_log(&options, say_some, NULL);
    assert_null(strstr(text, "small"));
    assert_non_null(strstr(text, "Z info: a \"quoted\" line\n"));
    assert_int_equal(text[4], '-');
    options.quiet = true;
    with_log(&options, say_some, NULL);
    assert_null(strstr(text, "quoted"));
    assert_non_null(strstr(text, "Z error: bad "));
    options.quiet = false;
    options.log_level = 0;
    with_log(&options, say_some, NULL);
    assert_non_null(strstr(text, "Z debug: small\n"));
}

/* In the journal of systemd each line carries its priority instead. */
static void say_to_systemd(void *context)
{
    struct stat st;
    char stream[64];
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    (void)context;
    assert_int_equal(fstat(2, &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    inf_logging_set(&options);
    say_some(NULL);
    unsetenv("JOURNAL_STREAM");
}

static void systemd_gets_priorities(void **state)
{
    (void)state;
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    with_log(&options, say_to_systemd, NULL);
    assert_non_null(strstr(text, "<6>a \"quoted\" line\n<3>bad "));
}

/* Each line is one object; returns how many there are. */
static int check_json(void)
{
    inf_json *parser = inf_json_new();
    int lines = 0;
    for (char *line = text, *end; *line; line = end + 1, lines++) {
        static char padded[16384];
        inf_json_value root, member;
        end = strchr(line, '\n');
        size_t n = (size_t)(end - line);
        memset(padded, 0, sizeof padded);
        memcpy(padded, line, n);
        assert_int_equal(inf_json_parse(parser, padded, n, sizeof padded - n, &root), 0);
        assert_true(inf_json_get(root, "time", &member) && inf_json_get(root, "level", &member) &&
                    inf_json_get(root, "message", &member));
    }
    inf_json_free(parser);
    return lines;
}

static void json_lines_are_objects(void **state)
{
    (void)state;
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.log_format = 1;
    with_log(&options, say_some, NULL);
    assert_int_equal(check_json(), 2);
    assert_non_null(strstr(text, "\"message\":\"a \\\"quoted\\\" line\""));
}

static void ask_some(void *context)
{
    struct running *r = context;
    check_answer(post(r, JSON, "{\"name\":\"secret-name\",\"input_summary\":\"secret-input\"}"), 201, NULL);
    check_answer(get(r, "/api/v1/traces?name=secret-query"), 200, NULL);
    check_answer(
        http_ask(&r->c, "GET", "/login?token=secret-token", "Cookie: infinium_session=secret-cookie\r\n", NULL, 0), 403,
        NULL);
}

static void requests_are_logged_without_what_they_held(void **state)
{
    struct running *r = *state;
    inf_serve_options options = INF_SERVE_OPTIONS_INIT;
    options.log_requests = true;
    with_log(&options, ask_some, r);
    assert_non_null(strstr(text, "info: POST " POST_PATH " 201 "));
    assert_non_null(strstr(text, "ms 127.0.0.1 ingest " AGENT "\n"));
    assert_non_null(strstr(text, "info: GET /api/v1/traces 200 "));
    options.log_format = 1;
    with_log(&options, ask_some, r);
    assert_int_equal(check_json(), 3);
    assert_non_null(strstr(text, "\"message\":\"request\",\"method\":\"GET\",\"path\":\"/api/v1/traces\",\"from\":"
                                 "\"127.0.0.1\",\"role\":\"read\""));
    assert_non_null(strstr(text, "\"status\":403,\"duration_s\":"));
    assert_null(strstr(text, "secret-"));
    assert_null(strstr(text, SECRET));
    assert_null(strstr(text, r->bearer + 22));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_have_time_and_level),
        cmocka_unit_test(systemd_gets_priorities),
        cmocka_unit_test(json_lines_are_objects),
        cmocka_unit_test_setup_teardown(requests_are_logged_without_what_they_held, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

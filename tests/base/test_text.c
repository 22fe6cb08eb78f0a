/* UTF-8, buffers, ids, dates, errors and the log: the small topics of the base room. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "infinium.h"

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        size_t count; /* of the sanitised text */
        const char *sanitised;
    } cases[] = {
        {"", true, 0, ""},
        {"plain ascii, long enough", true, 24, "plain ascii, long enough"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true, 3, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true, 7, NULL},
        {"\x80", false, 1, "\xef\xbf\xbd"},
        {"\xc0\xaf", false, 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x9f\xbf", false, 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", false, 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", false, 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xe2\x82"
         "b",
         false, 3,
         "a\xef\xbf\xbd"
         "b"},
        {"a\xf0\x9f\x98", false, 2, "a\xef\xbf\xbd"},
        {"\xff\xfe", false, 2, "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[100];
        size_t length = strlen(cases[i].text);
        assert_int_equal(inf_utf8_valid(cases[i].text, length), cases[i].valid);
        size_t n = inf_utf8_sanitise(out, sizeof(out), cases[i].text, length);
        const char *expected = cases[i].sanitised ? cases[i].sanitised : cases[i].text;
        assert_int_equal(n, strlen(expected));
        assert_memory_equal(out, expected, n);
        assert_int_equal(inf_utf8_count(out, n), cases[i].count);
        for (size_t room = 0; room < n; room++) { /* a smaller room holds whole code points only */
            size_t m = inf_utf8_sanitise(out, room, cases[i].text, length);
            assert_true(m <= room && inf_utf8_valid(out, m));
            assert_memory_equal(out, expected, m);
        }
    }
}

static void test_utf8_cut(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 + 2 + 3 + 4 + 1 bytes */
    static const size_t cut[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t i = 0; i < COUNT_OF(cut); i++)
        assert_int_equal(inf_utf8_cut(text, 11, i), cut[i]);
    static const size_t floor[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t i = 0; i < COUNT_OF(floor); i++)
        assert_int_equal(inf_utf8_floor(text, 11, i), floor[i]);
}

static void test_buffer(void **state)
{
    (void)state;
    inf_buf b;
    inf_buf_init(&b, 300);
    assert_string_equal(inf_buf_text(&b), "");
    for (int i = 0; i < 100; i++)
        inf_buf_put(&b, "abc", 3);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.length, 300);
    assert_int_equal(strlen(inf_buf_text(&b)), 300);
    inf_buf_put_byte(&b, 'x');
    assert_int_equal(b.error, INF_E2BIG);
    inf_buf_put(&b, "", 0);
    assert_int_equal(b.length, 300);
    assert_null(inf_buf_take(&b, NULL));
    inf_buf_reset(&b);
    inf_buf_put_i64(&b, INT64_MIN);
    inf_buf_put_byte(&b, ' ');
    inf_buf_put_u64(&b, UINT64_MAX);
    inf_buf_printf(&b, " %d %s", 0, "end");
    assert_string_equal(inf_buf_text(&b), "-9223372036854775808 18446744073709551615 0 end");
    size_t length;
    char *text = inf_buf_take(&b, &length);
    assert_int_equal(length, strlen(text));
    inf_os.free(text);
    char large[290];
    memset(large, 'y', sizeof(large));
    inf_buf_printf(&b, "%.*s", 280, large); /* past the small buffer of printf */
    assert_int_equal(b.error, 0);
    assert_int_equal(b.length, 280);
    inf_buf_printf(&b, "%.*s", 280, large);
    assert_int_equal(b.error, INF_E2BIG);
    assert_int_equal(b.length, 280);
    inf_buf_free(&b);
}

static void *no_memory(void *data, size_t length)
{
    (void)data;
    (void)length;
    errno = ENOMEM;
    return NULL;
}

static void test_buffer_without_memory(void **state)
{
    (void)state;
    inf_buf b;
    inf_buf_init(&b, 1000);
    inf_buf_put_text(&b, "kept");
    void *(*realloc_before)(void *, size_t) = inf_os.realloc;
    inf_os.realloc = no_memory;
    char large[500] = {0};
    inf_buf_put(&b, large, sizeof(large));
    inf_os.realloc = realloc_before;
    assert_int_equal(b.error, INF_ENOMEM);
    assert_string_equal(inf_buf_text(&b), "kept");
    inf_buf_free(&b);
}

static void test_ids(void **state)
{
    (void)state;
    uint8_t id[16], other[16];
    char hex[33], uuid[37];
    assert_int_equal(inf_id_parse("00112233445566778899aAbBcCdDeEfF", 32, id), 0);
    inf_id_hex(id, hex);
    assert_string_equal(hex, "00112233445566778899aabbccddeeff");
    inf_id_uuid(id, uuid);
    assert_string_equal(uuid, "00112233-4455-6677-8899-aabbccddeeff");
    assert_int_equal(inf_id_parse(uuid, 36, other), 0);
    assert_memory_equal(id, other, 16);
    static const char *const bad[] = {
        "",
        "00112233445566778899aabbccddeef",
        "00112233445566778899aabbccddeeff0",
        "00112233445566778899aabbccddeefg",
        "00112233-4455-6677-8899_aabbccddeeff",
        "0011223-34455-6677-8899-aabbccddeeff",
        "00000000000000000000000000000000",
        "00112233445566778899aabbccddee f",
        "{0112233-4455-6677-8899-aabbccddeeff",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(inf_id_parse(bad[i], strlen(bad[i]), other), INF_EBADMSG);
    assert_memory_equal(id, other, 16);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void test_ids_differ(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    uint8_t(*ids)[16] = malloc(MANY * sizeof(*ids));
    assert_non_null(ids);
    for (int i = 0; i < MANY; i++)
        inf_id_make(ids[i]);
    qsort(ids, MANY, 16, compare_ids);
    for (int i = 1; i < MANY; i++)
        assert_true(memcmp(ids[i - 1], ids[i], 16) != 0);
    free(ids);
}

static void test_ids_differ_after_fork(void **state)
{
    (void)state;
    uint8_t mine[16], childs[16];
    int fds[2];
    inf_id_make(mine);
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        inf_id_make(childs);
        _exit(write(fds[1], childs, 16) == 16 ? 0 : 1);
    }
    inf_id_make(mine);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(fds[0], childs, 16), 16);
    assert_memory_not_equal(mine, childs, 16);
    close(fds[0]);
    close(fds[1]);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t unix_ns;
        int digits; /* -1: only read */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"2026-11-23T02:56:20.972348123Z", 1795402580972348123u, 9},
        {"2026-11-23T02:56:20.972348Z", 1795402580972348000u, 6},
        {"2000-02-29T23:59:59.999Z", 951868799999000000u, 3},
        {"2100-03-01T00:00:00Z", 4107542400000000000u, 0},
        {"2026-11-23t04:56:20.5+02:00", 1795402580500000000u, -1},
        {"2026-11-22 21:56:20-05:00", 1795402580000000000u, -1},
        {"2026-11-23T02:56:20.1234567899Z", 1795402580123456789u, -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t ns = 1;
        assert_int_equal(inf_rfc3339_parse(cases[i].text, strlen(cases[i].text), &ns), 0);
        assert_true(ns == cases[i].unix_ns);
        if (cases[i].digits < 0)
            continue;
        char out[INF_RFC3339_SIZE];
        size_t n = inf_rfc3339(ns, (unsigned)cases[i].digits, out);
        assert_int_equal(n, strlen(out));
        assert_string_equal(out, cases[i].text);
    }
    char out[INF_RFC3339_SIZE];
    assert_true(inf_rfc3339(UINT64_MAX, 9, out) < sizeof(out));
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T02:56:20",
        "2026-13-23T02:56:20Z",
        "2026-02-29T02:56:20Z",
        "2026-11-23T24:56:20Z",
        "2026-11-23T02:56:20.Z",
        "2026-11-23T02:56:20Zx",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "2026-11-23T02:56:20+2:00",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint64_t ns;
        assert_int_equal(inf_rfc3339_parse(bad[i], strlen(bad[i]), &ns), INF_EBADMSG);
    }
}

static void test_derived_wall_clock(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = inf_unix_ns();
        uint64_t derived = inf_unix_from_mono(inf_mono_ns());
        uint64_t after = inf_unix_ns();
        assert_true(derived + 1000000 > before && derived < after + 1000000);
    }
}

/* The clock of the hot path is the monotonic one, to some microseconds, on every processor, from its first use on. */
static void *watch_tick(void *result)
{
    uint64_t end = inf_mono_ns() + 1500000000u;
    uint64_t last = 0;
    for (uint64_t before = 0; before < end;) {
        before = inf_mono_ns();
        uint64_t tick = inf_tick_ns();
        uint64_t after = inf_mono_ns();
        (void)inf_unix_from_mono(tick);
        if (tick + 100000 < before || tick > after + 100000 || tick + 100000 < last)
            *(uint64_t *)result += 1;
        last = tick;
    }
    return NULL;
}

static void test_tick_follows_the_clock(void **state)
{
    (void)state;
    pthread_t threads[3];
    uint64_t wrong[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch_tick, &wrong[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
#if defined(__x86_64__)
    char source[32] = {0};
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
    if (file && fgets(source, sizeof(source), file) && strcmp(source, "tsc\n") == 0)
        assert_true(atomic_load(&inf_tick.rate) != 0); /* it was the counter that was watched */
    if (file)
        fclose(file);
#endif
    assert_int_equal(inf_tick_between(5, 7), 2);
    assert_int_equal(inf_tick_between(7, 5), 0);
}

static void test_errors(void **state)
{
    (void)state;
    assert_string_equal(inf_strerror(INF_OK), "no error");
    assert_string_equal(inf_strerror(INF_EFULL), "the journal has reached its size limit");
    assert_string_equal(inf_strerror(12345), "unknown error");
    assert_int_equal(inf_os_error(ENOSPC), INF_ENOSPC);
    assert_int_equal(inf_os_error(EPERM), INF_EACCES);
    assert_int_equal(inf_os_error(EIO), INF_EIO);
}

static int messages;
static char last_message[2000];

static void keep_message(void *context, enum inf_log_level level, const char *message)
{
    assert_int_equal(level, INF_LOG_WARNING);
    *(int *)context += 1;
    snprintf(last_message, sizeof(last_message), "%s", message);
}

static void test_log(void **state)
{
    (void)state;
    static inf_log_cause cause;
    inf_log_set_sink(keep_message, &messages);
    inf_log(INF_LOG_DEBUG, "dropped");
    assert_int_equal(messages, 0);
    for (int i = 0; i < 3; i++)
        inf_log_once(&cause, INF_LOG_WARNING, "number %d\nof two lines", i);
    assert_int_equal(messages, 1);
    assert_string_equal(last_message, "number 0 of two lines");
    assert_true(inf_log_over(&cause));
    assert_false(inf_log_over(&cause));
    inf_log_once(&cause, INF_LOG_WARNING, "again");
    assert_int_equal(messages, 2);
    inf_log_set_sink(NULL, NULL);
}

static void test_make_dirs(void **state)
{
    (void)state;
    char root[] = "/tmp/infinium-base-XXXXXX";
    assert_non_null(mkdtemp(root));
    char path[200];
    struct stat st;
    snprintf(path, sizeof(path), "%s/a//b/c", root);
    assert_int_equal(inf_os_make_dirs(path), 0);
    assert_int_equal(inf_os_make_dirs(path), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(path, sizeof(path), "%s/file", root);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(inf_os_make_dirs(path), INF_EEXIST);
    snprintf(path, sizeof(path), "rm -r %s", root);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_cut),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_buffer_without_memory),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ids_differ),
        cmocka_unit_test(test_ids_differ_after_fork),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_derived_wall_clock),
        cmocka_unit_test(test_tick_follows_the_clock),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_make_dirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

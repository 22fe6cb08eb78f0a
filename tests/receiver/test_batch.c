/* The batch wire: lines stand on their own, zstd, bombs. */
#include <zstd.h>

#include "receiver/running.h"

#define NDJSON KEYS "Content-Type: application/x-ndjson\r\n"
#define ZSTD_NDJSON NDJSON "Content-Encoding: zstd\r\n"
#define ID1 "11111111111111111111111111111111"
#define ID2 "22222222222222222222222222222222"

static answer batch(struct running *r, const char *headers, const void *body, size_t length)
{
    return http_ask(&r->c, "POST", BATCH_PATH, headers, body, length);
}

static void lines_stand_on_their_own(void **state)
{
    struct running *r = *state;
    static const char body[] = "{\"name\":\"a\",\"trace_id\":\"" ID1 "\"}\n"
                               "{\"name\":\"no id\"}\n"
                               "\r\n"
                               "not json\n"
                               "[]\n"
                               "{\"trace_id\":\"" ID1 "\"}\n"
                               "{\"name\":\"b\",\"trace_id\":\"" ID2 "\",\"tags\":[\"t\"],\"session_id\":\"s\"}";
    answer a = batch(r, NDJSON, body, sizeof body - 1);
    check_answer(a, 200, "\"accepted\":2");
    assert_non_null(strstr(a.body, "\"success\":true"));
    assert_non_null(strstr(a.body, "\"traceId\":\"22222222-2222-2222-2222-222222222222\""));
    assert_non_null(strstr(a.body, "{\"index\":1,\"error\":\"the trace has no trace_id\"}"));
    assert_non_null(strstr(a.body, "{\"index\":2,\"error\":\""));
    assert_non_null(strstr(a.body, "{\"index\":3,\"error\":\"the body is not a JSON object\"}"));
    assert_non_null(strstr(a.body, "{\"index\":4,\"error\":\"the trace has no name\"}"));
    assert_null(strstr(a.body, "\"index\":5"));
    assert_non_null(http_header(&a, "Infinium-Batch"));
    assert_int_equal(stored(r), 2);
    check_answer(get(r, "/api/v1/traces/" ID2), 200, "\"session_id\":\"s\"");
}

static void nothing_readable(void **state)
{
    struct running *r = *state;
    check_answer(batch(r, NDJSON, "\n\n", 2), 400, "no trace");
    answer a = batch(r, NDJSON, "nonsense\n", 9);
    check_answer(a, 400, "\"error\"");
    assert_int_equal(stored(r), 0);
}

static char *many(int count, size_t *length)
{
    char *body = malloc((size_t)count * 80 + 1);
    assert_non_null(body);
    *length = 0;
    for (int i = 0; i < count; i++)
        *length += (size_t)snprintf(body + *length, 81, "{\"name\":\"n%d\",\"trace_id\":\"%032x\"}\n", i, i + 1);
    return body;
}

static void compressed(void **state)
{
    struct running *r = *state;
    size_t length;
    char *body = many(5000, &length);
    size_t room = ZSTD_compressBound(length);
    void *packed = malloc(room);
    assert_non_null(packed);
    size_t n = ZSTD_compress(packed, room, body, length, 1);
    check_answer(batch(r, ZSTD_NDJSON, packed, n), 200, "\"accepted\":5000");
    assert_int_equal(stored(r), 5000);
    check_answer(batch(r, ZSTD_NDJSON, packed, n / 2), 400, "not valid zstd");
    check_answer(batch(r, ZSTD_NDJSON, packed, n), 200, "\"rejected\":[]");
    assert_int_equal(stored(r), 5000);
    free(packed);
    free(body);
}

static void too_many_traces(void **state)
{
    struct running *r = *state;
    size_t length;
    char *body = many(32769, &length);
    check_answer(batch(r, NDJSON, body, length), 413, "32768");
    free(body);
    body = many(1, &length);
    check_answer(batch(r, NDJSON, body, length), 200, "\"accepted\":1");
    assert_int_equal(stored(r), 1); /* nothing of the refused ones came before it in the journal */
    free(body);
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * 4;
}

static void bomb(void **state)
{
    struct running *r = *state;
    /* 1 GiB of zeros in some 100 KB. */
    static char zeros[1 << 20];
    size_t room = 1 << 20;
    char *packed = malloc(room);
    assert_non_null(packed);
    ZSTD_CStream *stream = ZSTD_createCStream();
    ZSTD_outBuffer out = {packed, room, 0};
    for (int i = 0; i < 1024; i++) {
        ZSTD_inBuffer in = {zeros, sizeof zeros, 0};
        while (in.pos < in.size)
            assert_false(
                ZSTD_isError(ZSTD_compressStream2(stream, &out, &in, i == 1023 ? ZSTD_e_end : ZSTD_e_continue)));
    }
    while (ZSTD_compressStream2(stream, &out, &(ZSTD_inBuffer){0}, ZSTD_e_end) > 0)
        ;
    ZSTD_freeCStream(stream);
    long before = resident_kib();
    for (int i = 0; i < 3; i++)
        check_answer(batch(r, ZSTD_NDJSON, packed, out.pos), 413, "decompressed body is larger");
    check_answer(http_ask(&r->c, "POST", POST_PATH, JSON "Content-Encoding: zstd\r\n", packed, out.pos), 413, NULL);
#ifndef __SANITIZE_ADDRESS__
    assert_in_range(resident_kib(), 0, before + 32 * 1024);
#else
    (void)before;
#endif
    free(packed);
    check_answer(post(r, JSON, "{\"name\":\"x\"}"), 201, NULL);
    assert_int_equal(stored(r), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines_stand_on_their_own), TEST(nothing_readable), TEST(compressed), TEST(too_many_traces), TEST(bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

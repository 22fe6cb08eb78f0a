#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/mask.h"
#include "model/mask_scan.h"

static char *masked(const char *text, bool cut)
{
    static char buffer[4096];
    size_t length = strlen(text);
    memcpy(buffer, text, length);
    buffer[inf_mask(buffer, length, sizeof(buffer) - 1, cut)] = '\0';
    return buffer;
}

static const char *const pairs[][2] = {
    {"{'password': 'hunter2'}", "{'password': '[masked]'}"},
    {"{'args': (), 'kwargs': {'password': 'x', 'user': 'ann'}}",
     "{'args': (), 'kwargs': {'password': '[masked]', 'user': 'ann'}}"},
    {"{\"apiKey\":\"abc\",\"n\":1}", "{\"apiKey\":\"[masked]\",\"n\":1}"},
    {"Account(api_key='a\\'b', name='x')", "Account(api_key='[masked]', name='x')"},
    {"'{\\\"token\\\": \\\"ab\\\\\\\"c\\\", \\\"n\\\": 1}'", "'{\\\"token\\\": \\\"[masked]\\\", \\\"n\\\": 1}'"},
    {"Login(password=SecretStr('***'), n=1)", "Login(password=[masked], n=1)"},
    {"{'credentials': {'a': [1, ')'], 'b': 2}, 'c': 3}", "{'credentials': [masked], 'c': 3}"},
    {"/x?access_token=abc&n=1", "/x?access_token=[masked]&n=1"},
    {"Authorization: Basic abc\nHost: x", "Authorization: [masked]\nHost: x"},
    {"Cookie: a=b; c=d\nHost: x", "Cookie: [masked]\nHost: x"},
    {"X-Api-Key: abc", "X-Api-Key: [masked]"},
    {"PASSWORD = b'abc'", "PASSWORD = b'[masked]'"},
    {"{'secret': 12, 'key': 12}", "{'secret': [masked], 'key': 12}"},
    {"{'token': <object at 0x1>, 'n': 1}", "{'token': [masked], 'n': 1}"},
    {"refused: Bearer abcdef0123456789abcdef", "refused: Bearer [masked]"},
    {"('Authorization', 'Basic YW5uOmh1bnRlcjI=')", "('Authorization', 'Basic [masked]')"},
    {"'sk-live-abcdef0123456789abcdef'", "'[masked]'"},
    {"key sk-ant-api03-aaaaaaaaaaaaaaaa.", "key [masked]."},
    {"ghp_abcdefghijklmnopqrst", "[masked]"},
    {"github_pat_11AAAAAAA0aaaaaaaaaaaaaaa_x", "[masked]"},
    {"xoxb-123456789-abc", "[masked]"},
    {"AKIAIOSFODNN7EXAMPLE", "[masked]"},
    {"AIzaSyA0123456789abcdefghijklmnopqrstuv", "[masked]"},
    {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[masked]"},
    {"postgres://ann:hunter2@db/x", "postgres://ann:[masked]@db/x"},
    {"a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- z", "a [masked] z"},
    {"password=a password=b", "password=[masked] password=[masked]"},
    {"{'password': '[masked]'}", "{'password': '[masked]'}"},
};

/* What looks similar and is not secret. */
static const char *const kept[] = {
    "",
    "{'args': ('abc',), 'kwargs': {}}",
    "{'prompt_tokens': 12, 'max_tokens': 5, 'tokenizer': 'x', 'total_tokens': 3}",
    "{'password': None, 'token': '', 'secret': True}",
    "the bearer of good news and basic information",
    "task-0123456789abcdef0123 risk-free sk-learn",
    "http://host:80/path and a@b",
    "secretary: Ann, author: Bob, std::secret::x, token == 5",
    "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
    "tokens: 5; keyboard=1; a_b_c-d-e",
};

static uint64_t expected_of(const char *block)
{
    uint64_t expected = 0;
    for (unsigned i = 0; i < INF_MASK_BLOCK; i++)
        expected |= (uint64_t)inf_mask_is_candidate(block[i], block[i + 1]) << i;
    return expected;
}

/* Whatever way of searching this processor has finds what the plain one finds: each pair of bytes, and noise. */
static void test_ways_of_searching_agree(void **state)
{
    (void)state;
    char block[INF_MASK_BLOCK + 1];
    unsigned ways = 0;
    for (inf_mask_scanner scan; (scan = inf_mask_scanner_at(ways)); ways++) {
        uint64_t found = 0;
        for (unsigned byte = 0; byte < 256; byte++) {
            for (unsigned next = 0; next < 256; next++) {
                memset(block, 'a', sizeof(block));
                block[(byte + next) % INF_MASK_BLOCK] = (char)byte;
                block[(byte + next) % INF_MASK_BLOCK + 1] = (char)next;
                scan(block, 1, &found);
                assert_int_equal(found, expected_of(block));
            }
        }
        srand(7);
        for (int round = 0; round < 2000; round++) {
            for (unsigned i = 0; i < sizeof(block); i++)
                block[i] = (char)(rand() >> 7);
            scan(block, 1, &found);
            assert_int_equal(found, expected_of(block));
        }
        char many[5 * INF_MASK_BLOCK + 1];
        memset(many, 'a', sizeof(many));
        many[4 * INF_MASK_BLOCK - 1] = '=';
        uint64_t words[5];
        scan(many, 5, words);
        for (int i = 0; i < 5; i++)
            assert_int_equal(words[i], i == 3 ? (uint64_t)1 << 63 : 0);
    }
    assert_true(ways >= 1);
    assert_null(inf_mask_scanner_at(ways));
}

/* Wherever it is, however long the text and whatever may be read behind it. */
static void test_a_secret_anywhere(void **state)
{
    (void)state;
    static char text[9000];
    static const char secret[] = " token=abcdefghi ";
    for (size_t length = sizeof(secret); length < sizeof(text); length += length < 300 ? 1 : 613) {
        size_t rooms[] = {length, length + 1, length + 63, length + 64, sizeof(text)};
        for (size_t r = 0; r < sizeof(rooms) / sizeof(*rooms); r++) {
            size_t room = rooms[r] < sizeof(text) ? rooms[r] : sizeof(text);
            for (size_t at = 0; at + sizeof(secret) - 1 <= length; at += length < 300 ? 7 : 211) {
                memset(text, '=', sizeof(text)); /* what is behind the text does not count */
                memset(text, 'a', length);
                assert_int_equal(inf_mask(text, length, room, false), length);
                memcpy(text + at, secret, sizeof(secret) - 1);
                size_t masked = inf_mask(text, length, room, false);
                assert_int_equal(masked, length - 1);
                assert_memory_equal(text + at, " token=[masked] ", 16);
            }
        }
    }
}

/* A copy says that nothing need be looked at when that is so, whatever the length and the place. */
static void test_copy(void **state)
{
    (void)state;
    char from[200], to[201];
    for (size_t length = 0; length < sizeof(from); length++) {
        memset(from, 'a', sizeof(from));
        memset(to, '#', sizeof(to));
        assert_true(inf_mask_copy(to, from, length));
        assert_memory_equal(to, from, length);
        assert_int_equal(to[length], '#');
        static const char odd[] = ":=-_JKBbz\xc3\x80\xff";
        for (size_t place = 0; place < length; place++) {
            for (size_t i = 0; i < sizeof(odd) - 1; i++) {
                bool last_letter = place + 1 == length && strchr("Bbz", odd[i]); /* nothing follows */
                from[place] = odd[i];
                assert_int_equal(inf_mask_copy(to, from, length), last_letter);
            }
            from[place] = 'z';
            if (place + 1 < length)
                from[place + 1] = 'c';
            assert_true(inf_mask_copy(to, from, length));
            assert_memory_equal(to, from, length);
            memset(from, 'a', sizeof(from));
        }
    }
}

/* The separator that the caller vouches for is passed over, and nothing else. */
static void test_harmless_separator(void **state)
{
    (void)state;
    char text[128] = "{'args': ('sk-live-abcdef0123456789',), 'kwargs': {'token': 'x'}}";
    size_t length = strlen(text);
    size_t separator = (size_t)(strstr(text, "kwargs'") - text) + strlen("kwargs'");
    text[inf_mask_but(text, length, sizeof(text) - 1, false, separator)] = '\0';
    assert_string_equal(text, "{'args': ('[masked]',), 'kwargs': {'token': '[masked]'}}");
    char short_first[128] = "{'args': {'token': 'x'}, 'kwargs': {'token': 'x'}}"; /* the mark moves what follows */
    length = strlen(short_first);
    separator = (size_t)(strstr(short_first, "kwargs'") - short_first) + strlen("kwargs'");
    short_first[inf_mask_but(short_first, length, sizeof(short_first) - 1, false, separator)] = '\0';
    assert_string_equal(short_first, "{'args': {'token': '[masked]'}, 'kwargs': {'token': '[masked]'}}");
    char named[64] = "{'token': 'x'}";
    length = strlen(named);
    assert_int_equal(inf_mask_but(named, length, sizeof(named), false, 8), length);
}

static void test_masked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        assert_string_equal(masked(pairs[i][0], false), pairs[i][1]);
}

static void test_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        assert_string_equal(masked(kept[i], false), kept[i]);
}

static void test_a_secret_that_has_only_begun(void **state)
{
    (void)state;
    assert_string_equal(masked("{'password': 'hun", true), "{'password': '[masked]");
    assert_string_equal(masked("('sk-liv", true), "('[masked]");
    assert_string_equal(masked("x: Bearer a", true), "x: Bearer [masked]");
    assert_string_equal(masked("https://ann:hun", true), "https://ann:[masked]");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const secret[] = {"password",      "DB_PASSWORD", "apiKey",   "x-api-key",
                                         "client_secret", "token",       "id-token", "passwd",
                                         "Authorization", "pwd",         "cookie",   "auth"};
    static const char *const open[] = {"", "a", "tokens", "author", "monkey", "keys", "secretary", "description"};
    for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
        assert_true(inf_mask_name(secret[i], strlen(secret[i])));
    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
        assert_false(inf_mask_name(open[i], strlen(open[i])));
}

/* Marks longer than their secrets, in a buffer that has no room for them. */
static void test_without_room(void **state)
{
    (void)state;
    char text[] = "pwd=a pwd=b pwd=c";
    size_t length = inf_mask(text, sizeof(text) - 1, sizeof(text) - 1, false);
    assert_int_equal(length, sizeof(text) - 1);
    assert_null(strpbrk(text, "abc"));
}

/* Any bytes, at any length: within the buffer (the sanitizer looks), and a second pass changes nothing that matters. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "password", "'",   "\"", "\\", ": ", "=",    "Bearer ", "sk-",
        "eyJ",      "://", "@",  "[",  "(",  "}",    ")",       "-----BEGIN A PRIVATE KEY-----",
        "ghp_",     "a",   "\n", " ",  "b'", "AKIA", "AIza",    "0123456789abcdef",
        "\xc3\xa9", "<"};
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        size_t length = 0;
        char *text = malloc(300);
        assert_non_null(text);
        while (length < 200) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            const char *part = parts[seed % (sizeof(parts) / sizeof(*parts))];
            memcpy(text + length, part, strlen(part));
            length += strlen(part);
        }
        size_t room = seed & 1024 ? length : 300;
        char *exact = realloc(text, room);
        assert_non_null(exact);
        assert_true(inf_mask(exact, length, room, seed & 2048) <= room);
        free(exact);
    }
}

static void test_linear(void **state)
{
    (void)state;
    static const char *const units[] = {"password",     "-",   "_", ":",        "://a", "Bearer ", "sk-",
                                        "'password': ", "eyJ", "b", "{'pwd': ["};
    size_t size = 1u << 20;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        size_t n = strlen(units[i]);
        for (size_t at = 0; at < size; at++)
            text[at] = units[i][at % n];
        clock_t began = clock();
        inf_mask(text, size, size, false);
        assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 1.0);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_of_searching_agree),
        cmocka_unit_test(test_harmless_separator),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_a_secret_anywhere),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_secret_that_has_only_begun),
        cmocka_unit_test(test_without_room),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

static void test_known_vectors(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t up[32];
    memset(ones, 0xff, sizeof(ones));
    for (int i = 0; i < 32; i++)
        up[i] = (uint8_t)i;
    const struct {
        const void *data;
        size_t length;
        uint32_t crc;
    } cases[] = {
        {"", 0, 0}, {"123456789", 9, 0xe3069283}, {zeros, 32, 0x8a9136aa}, {ones, 32, 0x62a8ab43}, {up, 32, 0x46dd794e},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(inf_crc32c(0, cases[i].data, cases[i].length), cases[i].crc);
        assert_int_equal(inf_crc32c_software(0, cases[i].data, cases[i].length), cases[i].crc);
    }
}

static void test_every_length_and_alignment(void **state)
{
    (void)state;
    enum { SIZE = 9000 };
    uint8_t *data = malloc(SIZE);
    uint8_t *copy = malloc(SIZE + 1);
    assert_non_null(data);
    assert_non_null(copy);
    srand(7);
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)rand();
    for (size_t length = 0; length < 8000; length += length < 1100 ? 1 : 97) {
        size_t at = length % 13;
        uint32_t expected = inf_crc32c_software(0, data + at, length);
        assert_int_equal(inf_crc32c(0, data + at, length), expected);
        copy[length] = 0xa5;
        assert_int_equal(inf_crc32c_copy(0, copy, data + at, length), expected);
        assert_memory_equal(copy, data + at, length);
        assert_int_equal(copy[length], 0xa5);
        uint64_t place[3] = {length, 0x0123456789abcdefu, ~length};
        size_t head = length % 7 == 0 ? 64 : length / 5;
        head = head < length ? head : length;
        memset(copy, 0, length);
        uint32_t record = inf_crc32c_software(inf_crc32c_software(0, place, sizeof(place)), data + at, length);
        assert_int_equal(inf_crc32c_record(place, copy, data + at, head, data + at + head, length - head), record);
        assert_memory_equal(copy, data + at, length);
        assert_int_equal(copy[length], 0xa5);
        size_t half = length / 3;
        assert_int_equal(inf_crc32c(inf_crc32c(0, data + at, half), data + at + half, length - half), expected);
    }
    free(data);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_vectors),
        cmocka_unit_test(test_every_length_and_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

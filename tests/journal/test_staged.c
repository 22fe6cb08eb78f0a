/* A staged log, several producers: a sync that succeeded has everything in the files that was appended before it, also
 * what lies behind a record that somebody else is still writing; whatever the file system can and the disk does. */
#include "journal_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "infinium.h"
#include "journal/internal.h"

enum { THREADS = 4, EACH = 300, LARGEST = 60000 };

static struct test_dir dir;
static inf_journal *journal;

static int set_up(void **state)
{
    (void)state;
    inf_journal_options options = {.segment_bytes = 1 << 20, .staged = true};
    test_dir_make(&dir);
    options.dir = dir.path;
    return inf_journal_open(&journal, &options);
}

static int tear_down(void **state)
{
    (void)state;
    inf_journal_close(journal);
    test_dir_remove(&dir);
    return 0;
}

static uint64_t in_files(void)
{
    uint64_t n = 0;
    assert_int_equal(inf_journal_peek(dir.path, &n), 0);
    return n;
}

/* What inf_journal_append() does, in two halves: a producer that loses its processor in the middle. */
static uint64_t reserve(uint32_t length)
{
    return atomic_fetch_add(&journal->reserve, record_size(length) / 8);
}

static void publish(uint64_t place, const void *payload, uint32_t length)
{
    uint32_t number = reserve_index(place), offset = (uint32_t)reserve_offset(place);
    uint8_t *base = segment_at(journal, number)->base;
    uint64_t word = record_word(1, length);
    uint32_t crc = record_crc(journal->writer_id, number, offset, word);
    uint32_t check[2] = {inf_crc32c(crc, payload, length), number};
    memcpy(base + offset + RECORD_HEADER, payload, length);
    memcpy(base + offset + 8, check, sizeof(check));
    atomic_store_explicit(word_at(base, offset), word, memory_order_release);
}

static void *publish_later(void *place)
{
    usleep(100000);
    publish(*(uint64_t *)place, "late", 4);
    return NULL;
}

static void test_behind_a_record_that_is_being_written(void **state)
{
    (void)state;
    pthread_t late;
    uint64_t place = reserve(4);
    assert_int_equal(inf_journal_append(journal, 1, "prompt", 6, NULL, 0, NULL), 0);
    assert_int_equal(pthread_create(&late, NULL, publish_later, &place), 0);
    int rc = inf_journal_sync(journal);
    uint64_t there = in_files();
    assert_int_equal(pthread_join(late, NULL), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(there, 2);
}

/* In a segment that is full the next one begins before everything is published. */
static void test_behind_a_segment_that_is_being_written(void **state)
{
    (void)state;
    static const uint8_t large[600000];
    pthread_t late;
    uint64_t place = reserve(4);
    for (int i = 0; i < 2; i++)
        assert_int_equal(inf_journal_append(journal, 1, NULL, 0, large, sizeof(large), NULL), 0);
    assert_int_equal(journal->last, 2);
    assert_int_equal(pthread_create(&late, NULL, publish_later, &place), 0);
    int rc = inf_journal_sync(journal);
    uint64_t there = in_files();
    assert_int_equal(pthread_join(late, NULL), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(there, 3);
}

/* Nobody is told that it succeeded; what is whole is written, and the next sync has the rest. */
static void test_a_record_that_stays_away(void **state)
{
    (void)state;
    assert_int_equal(inf_journal_append(journal, 1, "before", 6, NULL, 0, NULL), 0);
    uint64_t place = reserve(4);
    assert_int_equal(inf_journal_append(journal, 1, "behind", 6, NULL, 0, NULL), 0);
    uint64_t began = inf_mono_ns();
    assert_int_equal(inf_journal_sync(journal), INF_ETIMEDOUT);
    assert_in_range(inf_mono_ns() - began, 1000000000u, 10000000000u);
    assert_int_equal(in_files(), 1);
    publish(place, "late", 4);
    assert_int_equal(inf_journal_sync(journal), 0);
    assert_int_equal(in_files(), 3);
}

/* Memory that loses a bit costs what it hits. What is appended behind it gets into the files as before. */
static void test_behind_damage(void **state)
{
    (void)state;
    static const uint8_t large[600000];
    inf_record record;
    inf_position end = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(inf_journal_append(journal, 1, "text", 4, NULL, 0, &end), 0);
    segment_at(journal, 1)->base[position_offset(end) - 8] ^= 1;
    for (int i = 0; i < 2; i++)
        assert_int_equal(inf_journal_next(journal, &record), 1);
    assert_int_equal(inf_journal_next(journal, &record), 0);
    assert_true(segment_at(journal, 1)->damaged);
    for (int i = 0; i < 3; i++)
        assert_int_equal(inf_journal_append(journal, 1, NULL, 0, large, sizeof(large), NULL), 0);
    assert_int_equal(journal->last, 3);
    uint64_t before = inf_mono_ns();
    assert_int_equal(inf_journal_sync(journal), 0);
    assert_true(inf_mono_ns() - before < 1000000000u);
    assert_int_equal(in_files(), 4); /* two in front of the damage; none behind it in that segment; two in the others */
    while (inf_journal_next(journal, &record) == 1)
        assert_int_equal(inf_journal_ack(journal, record.position), 0);
    assert_int_equal(inf_journal_append(journal, 1, "text", 4, NULL, 0, NULL), 0);
    assert_int_equal(inf_journal_sync(journal), 0);
    assert_int_equal(in_files(), 1);
}

static int (*real_fdatasync)(int fd);
static int (*real_open)(const char *path, int flags, mode_t mode);

/* What was written before and not synced is not on the disk, and no other sync will bring it there. */
static int losing_fdatasync(int fd)
{
    static const uint8_t zeros[1 << 16];
    inf_os.fdatasync = real_fdatasync;
    int flags = fcntl(fd, F_GETFL);
    assert_int_equal(fcntl(fd, F_SETFL, flags & ~O_DIRECT), 0);
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), SEGMENT_HEADER), sizeof(zeros));
    assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
    errno = EIO;
    return -1;
}

static void test_a_sync_that_lost_what_it_was_for(void **state)
{
    (void)state;
    static const uint8_t pages[9000];
    real_fdatasync = inf_os.fdatasync;
    for (int i = 0; i < 3; i++)
        assert_int_equal(inf_journal_append(journal, 1, NULL, 0, pages, sizeof(pages), NULL), 0);
    inf_os.fdatasync = losing_fdatasync;
    assert_int_equal(inf_journal_sync(journal), INF_EIO);
    assert_int_equal(in_files(), 0);
    assert_int_equal(inf_journal_append(journal, 1, NULL, 0, pages, sizeof(pages), NULL), 0);
    assert_int_equal(inf_journal_sync(journal), 0);
    assert_int_equal(in_files(), 4);
}

/* As Linux does it where a file system has no such writes: the file is made, and then refused. */
static int indirect_open(const char *path, int flags, mode_t mode)
{
    int fd = real_open(path, flags & ~O_DIRECT, mode);
    if (fd < 0 || !(flags & O_DIRECT))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

static void test_files_that_cannot_be_opened_for_direct_writes(void **state)
{
    (void)state;
    static const uint8_t large[600000];
    real_open = inf_os.open;
    inf_os.open = indirect_open;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = inf_journal_append(journal, 1, NULL, 0, large, sizeof(large), NULL);
        rc = rc == 0 ? inf_journal_maintain(journal) : rc;
    }
    rc = rc == 0 ? inf_journal_sync(journal) : rc;
    inf_os.open = real_open;
    assert_int_equal(rc, 0);
    assert_int_equal(in_files(), 3);
}

/* The first word of the record that ends here, from the file. */
static uint64_t word_in_file(inf_position end, uint32_t size)
{
    char path[PATH_MAX];
    uint64_t word = 0;
    FILE *file = segment_path(journal, position_index(end), path) == 0 ? fopen(path, "re") : NULL;
    if (!file)
        return 0;
    if (fseek(file, (long)(position_offset(end) - size), SEEK_SET) != 0 || fread(&word, sizeof(word), 1, file) != 1)
        word = 0;
    fclose(file);
    return word;
}

static void *produce(void *argument)
{
    static const uint8_t body[LARGEST];
    uint32_t mine = *(uint32_t *)argument;
    for (uint32_t i = 0; i < EACH; i++) {
        uint32_t length = mine % 2 ? LARGEST - i : i;
        inf_position end;
        if (inf_journal_append(journal, 1, NULL, 0, body, length, &end) != 0 || inf_journal_sync(journal) != 0)
            return "not appended";
        if (word_in_file(end, (uint32_t)record_size(length)) != record_word(1, length))
            return "synced, and not there";
    }
    return NULL;
}

static void test_all_at_once(void **state)
{
    (void)state;
    pthread_t producers[THREADS];
    uint32_t numbers[THREADS];
    void *said[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(producers[i], &said[i]), 0);
    for (int i = 0; i < THREADS; i++)
        if (said[i])
            fail_msg("%s", (const char *)said[i]);
    assert_int_equal(in_files(), THREADS * EACH);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_behind_a_record_that_is_being_written),
        TEST(test_behind_a_segment_that_is_being_written),
        TEST(test_a_record_that_stays_away),
        TEST(test_behind_damage),
        TEST(test_a_sync_that_lost_what_it_was_for),
        TEST(test_files_that_cannot_be_opened_for_direct_writes),
        TEST(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

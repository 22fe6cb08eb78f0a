/* Logs of the dead: killed writers, damaged and cut files, several heirs, writers that live. */
#include "journal_dir.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "infinium.h"
#include "journal/journal.h"

static struct test_dir dir;

static int set_up(void **state)
{
    (void)state;
    test_dir_make(&dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_dir_remove(&dir);
    return 0;
}

enum { BODY = 300 };

static int append(inf_journal *j, uint64_t i)
{
    uint8_t body[BODY];
    memset(body, (int)i, sizeof(body));
    return inf_journal_append(j, 1, &i, sizeof(i), body, sizeof(body), NULL);
}

static uint64_t number_of(const inf_record *record)
{
    uint64_t i;
    assert_int_equal(record->length, sizeof(i) + BODY);
    memcpy(&i, record->payload, sizeof(i));
    for (size_t k = sizeof(i); k < record->length; k++)
        assert_int_equal(record->payload[k], (uint8_t)i);
    return i;
}

static inf_journal *open_journal(uint32_t segment_bytes)
{
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = segment_bytes};
    assert_int_equal(inf_journal_open(&j, &options), 0);
    return j;
}

/* Leaves a log of `count` records behind, `acked` of them acknowledged. */
static void leave(uint32_t segment_bytes, uint64_t count, uint64_t acked)
{
    inf_journal *j = open_journal(segment_bytes);
    inf_record record;
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(append(j, i), 0);
    for (uint64_t i = 0; i < acked; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
    }
    inf_journal_close(j);
}

static void segment_file(uint32_t number, char path[500])
{
    char writer[400];
    only_writer(&dir, writer);
    snprintf(path, 500, "%s/%08x.seg", writer, (unsigned)number);
}

static void test_nothing_to_adopt(void **state)
{
    (void)state;
    inf_journal *j = NULL;
    assert_int_equal(inf_journal_adopt(&j, "/tmp/there/is/no/such/directory"), 0);
    assert_int_equal(inf_journal_adopt(&j, dir.path), 0);
    inf_journal *own = open_journal(8192);
    assert_int_equal(append(own, 1), 0);
    assert_int_equal(inf_journal_adopt(&j, dir.path), 0); /* it lives, in this very process */
    inf_journal_close(own);
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 1); /* not read: still there */
}

static void test_adopted_log_continues_where_it_was_acknowledged(void **state)
{
    (void)state;
    leave(8192, 100, 42);
    inf_journal *j = NULL;
    inf_record record;
    uint64_t read = 42;
    uint64_t pending;
    for (int heir = 0; heir < 3; heir++) { /* each acknowledges some and dies */
        assert_int_equal(inf_journal_peek(dir.path, &pending), 0);
        assert_int_equal(pending, 100 - read);
        assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
        assert_int_equal(append(j, 1), INF_ECLOSED);
        assert_int_equal(inf_journal_maintain(j), 0);
        assert_int_equal(inf_journal_sync(j), 0);
        for (int i = 0; i < 15; i++) {
            assert_int_equal(inf_journal_next(j, &record), 1);
            assert_int_equal(number_of(&record), read++);
        }
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        assert_int_equal(inf_journal_next(j, &record), 1); /* read and not acknowledged: comes again */
        inf_journal_close(j);
    }
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    while (inf_journal_next(j, &record) == 1)
        assert_int_equal(number_of(&record), read++);
    assert_int_equal(read, 100);
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    inf_journal_stats stats;
    inf_journal_get_stats(j, &stats);
    assert_int_equal(stats.skipped, 0);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 0);
    assert_int_equal(inf_journal_adopt(&j, dir.path), 0);
}

static void *append_for_ever(void *argument)
{
    inf_journal *j = argument;
    static _Atomic uint64_t number;
    for (;;)
        append(j, number++);
    return NULL;
}

/* Four threads append without end; the process is killed somewhere in the middle. Everything that comes out must be
 * whole, and nothing that was appended before may be missing. */
static void test_killed_while_appending(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            inf_journal *j = NULL;
            inf_journal_options options = {.dir = dir.path, .segment_bytes = 65536, .max_bytes = 64 << 20};
            uint64_t mark = 1ull << 40;
            if (inf_journal_open(&j, &options) != 0)
                _exit(1);
            for (int i = 0; i < 50; i++)
                append(j, mark + (uint64_t)i);
            pthread_t thread;
            for (int i = 0; i < 4; i++)
                pthread_create(&thread, NULL, append_for_ever, j);
            for (int i = 50; i < 100; i++)
                append(j, mark + (uint64_t)i);
            if (write(fds[1], "x", 1) != 1)
                _exit(1);
            for (;;)
                inf_journal_maintain(j);
        }
        char byte;
        assert_int_equal(read(fds[0], &byte, 1), 1);
        usleep((useconds_t)(500 + 700 * round));
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(fds[0]);
        close(fds[1]);

        inf_journal *j = NULL;
        inf_record record;
        uint64_t marked = 0;
        uint64_t read = 0;
        assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
        while (inf_journal_next(j, &record) == 1) {
            uint64_t i = number_of(&record);
            if (i >> 40) {
                assert_int_equal(i & 0xffff, marked);
                marked++;
            }
            read++;
            if (read % 100 == 0)
                assert_int_equal(inf_journal_ack(j, record.position), 0);
        }
        assert_int_equal(marked, 100);
        inf_journal_stats stats;
        inf_journal_get_stats(j, &stats);
        assert_true(stats.skipped <= 4); /* at most one unfinished record a thread */
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
        assert_int_equal(count_writers(&dir), 0);
    }
}

static void flip(const char *path, off_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

enum { RECORD = 16 + 312 }; /* 308 bytes and their padding */

/* Whatever byte of a record is damaged, that record is missing and all others are there. */
static void test_damaged_record(void **state)
{
    (void)state;
    static const int bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 100, 16 + 307};
    for (size_t k = 0; k < COUNT_OF(bytes); k++) {
        leave(8192, 30, 0);
        char path[500];
        segment_file(1, path);
        flip(path, 4096 + 5 * RECORD + bytes[k]);
        inf_journal *j = NULL;
        inf_record record;
        assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
        for (int again = 0; again < 2; again++) {
            for (uint64_t i = 0; i < 30; i++) {
                if (i == 5)
                    continue;
                assert_int_equal(inf_journal_next(j, &record), 1);
                assert_int_equal(number_of(&record), i);
            }
            assert_int_equal(inf_journal_next(j, &record), 0);
            inf_journal_stats stats;
            inf_journal_get_stats(j, &stats);
            assert_int_equal(stats.skipped, 1);
            if (!again)
                inf_journal_rewind(j);
        }
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
        assert_int_equal(count_writers(&dir), 0);
    }
}

static void test_damaged_header(void **state)
{
    (void)state;
    static const int bytes[] = {0, 8, 12, 16, 24, 28, 64, 66};
    for (size_t k = 0; k < COUNT_OF(bytes); k++) {
        leave(8192, 30, 0);
        char path[500];
        segment_file(2, path);
        flip(path, bytes[k]);
        inf_journal *j = NULL;
        inf_record record;
        assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
        uint64_t last = 0;
        uint64_t read = 0;
        while (inf_journal_next(j, &record) == 1) {
            uint64_t i = number_of(&record);
            assert_true(i >= last && i < 30);
            last = i;
            read++;
        }
        assert_true(bytes[k] >= 64 ? read >= 20 : read == 30); /* 64: how much is acknowledged */
        assert_int_equal(last, 29);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
        assert_int_equal(count_writers(&dir), 0);
    }
}

static void test_cut_file(void **state)
{
    (void)state;
    static const off_t sizes[] = {0, 1, 100, 4096, 4100, 4096 + 16, 4096 + RECORD, 4096 + 3 * RECORD + 77, 8191};
    for (size_t k = 0; k < COUNT_OF(sizes); k++) {
        leave(8192, 30, 0); /* 12 records a segment */
        char path[500];
        segment_file(2, path);
        assert_int_equal(truncate(path, sizes[k]), 0);
        uint64_t kept = sizes[k] <= 4096 ? 0 : (uint64_t)(sizes[k] - 4096) / RECORD;
        inf_journal *j = NULL;
        inf_record record;
        uint64_t pending;
        assert_int_equal(inf_journal_peek(dir.path, &pending), 0);
        assert_int_equal(pending, 18 + kept);
        assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
        for (uint64_t i = 0; i < 30; i++) {
            if (i >= 12 + kept && i < 24)
                continue;
            assert_int_equal(inf_journal_next(j, &record), 1);
            assert_int_equal(number_of(&record), i);
        }
        assert_int_equal(inf_journal_next(j, &record), 0);
        inf_journal_stats stats;
        inf_journal_get_stats(j, &stats);
        if (kept != 12 && sizes[k] != 0)
            assert_in_range(stats.skipped, 1, 2);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
        assert_int_equal(count_writers(&dir), 0);
    }
}

static void test_missing_segment_and_strange_names(void **state)
{
    (void)state;
    leave(8192, 40, 0);
    char path[500], writer[400];
    segment_file(2, path);
    assert_int_equal(unlink(path), 0);
    only_writer(&dir, writer);
    static const char *const names[] = {"00000000.seg", "0000000g.seg", "1.seg", "notes", "00000001.seg.bak"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", writer, names[i]);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    snprintf(path, sizeof(path), "%s/fffffff0.seg", writer);
    assert_int_equal(mkdir(path, 0700), 0); /* a directory with a segment's name */
    snprintf(path, sizeof(path), "%s/fffffff1.seg", writer);
    assert_int_equal(symlink("/dev/zero", path), 0);
    inf_journal *j = NULL;
    inf_record record;
    int count = 0;
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    while (inf_journal_next(j, &record) == 1)
        count++;
    assert_int_equal(count, 28);
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 1); /* what is not ours is not deleted */
}

/* A payload that contains whole records, copied byte for byte from another place, and damage in front of it. */
static void test_look_alikes(void **state)
{
    (void)state;
    inf_journal *j = open_journal(65536);
    char path[500];
    segment_file(1, path);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(append(j, i), 0);
    uint8_t copy[3 * RECORD];
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, copy, sizeof(copy), 4096), (ssize_t)sizeof(copy));
    close(fd);
    assert_int_equal(inf_journal_append(j, 1, copy, sizeof(copy), NULL, 0, NULL), 0);
    assert_int_equal(append(j, 9), 0);
    inf_journal_close(j);
    flip(path, 4096 + 3 * RECORD + 4); /* the length of the record that holds them */
    inf_record record;
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    static const uint64_t expected[] = {0, 1, 2, 9};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        assert_int_equal(number_of(&record), expected[i]);
    }
    assert_int_equal(inf_journal_next(j, &record), 0);
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    inf_journal_close(j);
}

/* The bytes of a recycled segment: the log of a dead writer shows nothing that was acknowledged before. */
static void test_recycled_segment_shows_nothing_old(void **state)
{
    (void)state;
    inf_journal *j = open_journal(8192);
    inf_record record;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(append(j, i), 0);
        if (i < 997) {
            assert_int_equal(inf_journal_next(j, &record), 1);
            assert_int_equal(inf_journal_ack(j, record.position), 0);
            assert_int_equal(inf_journal_maintain(j), 0);
        }
    }
    inf_journal_close(j);
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    for (uint64_t i = 997; i < 1000; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        assert_int_equal(number_of(&record), i);
    }
    assert_int_equal(inf_journal_next(j, &record), 0);
    inf_journal_close(j);
}

/* Eight processes look for orphans while four live and four are dead: each dead log has exactly one heir. */
static void test_heirs_race(void **state)
{
    (void)state;
    enum { LOGS = 6, HEIRS = 8 };
    for (int i = 0; i < LOGS; i++)
        leave(8192, 20, 0);
    inf_journal *living = open_journal(8192);
    assert_int_equal(append(living, 1), 0);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pids[HEIRS];
    for (int i = 0; i < HEIRS; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        inf_journal_after_fork(living);
        inf_journal *j = NULL;
        inf_record record;
        int found;
        int kept = 0;
        while ((found = inf_journal_adopt(&j, dir.path)) == 1) {
            while (inf_journal_next(j, &record) == 1)
                if (write(fds[1], "r", 1) != 1)
                    _exit(2);
            if (inf_journal_ack(j, record.position) != 0)
                _exit(3);
            inf_journal_close(j);
            inf_journal_options options = {.dir = dir.path, .segment_bytes = 8192};
            if (inf_journal_open(&j, &options) != 0) /* others look while this one is being made */
                _exit(4);
            inf_journal_close(j);
            kept++;
        }
        _exit(found == 0 ? 0 : 5);
    }
    for (int i = 0; i < HEIRS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    close(fds[1]);
    char bytes[1000];
    ssize_t total = 0, n;
    while ((n = read(fds[0], bytes, sizeof(bytes))) > 0)
        total += n;
    close(fds[0]);
    assert_int_equal(total, LOGS * 20);
    inf_journal *j = NULL;
    assert_int_equal(inf_journal_adopt(&j, dir.path), 0);
    assert_int_equal(count_writers(&dir), 1);
    inf_record record;
    assert_int_equal(inf_journal_next(living, &record), 1);
    inf_journal_close(living);
}

/* Writers come and go while others look for orphans all the time: no creator loses its directory. */
static void test_creation_is_never_taken_for_an_orphan(void **state)
{
    (void)state;
    pid_t pids[4];
    for (int p = 0; p < 4; p++) {
        pids[p] = fork();
        if (pids[p] != 0)
            continue;
        for (int i = 0; i < 150; i++) {
            inf_journal *j = NULL;
            if (p < 2) {
                if (inf_journal_adopt(&j, dir.path) != 0)
                    _exit(1);
                continue;
            }
            inf_record record;
            inf_journal_options options = {.dir = dir.path, .segment_bytes = 8192};
            if (inf_journal_open(&j, &options) != 0 || append(j, 5) != 0 || inf_journal_next(j, &record) != 1 ||
                inf_journal_sync(j) != 0 || inf_journal_ack(j, record.position) != 0)
                _exit(2);
            inf_journal_close(j);
        }
        _exit(0);
    }
    for (int p = 0; p < 4; p++) {
        int status = -1;
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
    }
    inf_journal *j = NULL;
    assert_int_equal(inf_journal_adopt(&j, dir.path), 0);
    assert_int_equal(count_writers(&dir), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_to_adopt),
        TEST(test_adopted_log_continues_where_it_was_acknowledged),
        TEST(test_killed_while_appending),
        TEST(test_damaged_record),
        TEST(test_damaged_header),
        TEST(test_cut_file),
        TEST(test_missing_segment_and_strange_names),
        TEST(test_look_alikes),
        TEST(test_recycled_segment_shows_nothing_old),
        TEST(test_heirs_race),
        TEST(test_creation_is_never_taken_for_an_orphan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

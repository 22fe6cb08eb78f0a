/* One process, one journal: append, read, acknowledge, roll, refuse, forget. */
#include "journal_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
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

static inf_journal *open_journal(bool in_files, uint32_t segment_bytes, uint64_t max_bytes)
{
    inf_journal *j = NULL;
    inf_journal_options options = {
        .dir = in_files ? dir.path : NULL, .segment_bytes = segment_bytes, .max_bytes = max_bytes};
    assert_int_equal(inf_journal_open(&j, &options), 0);
    return j;
}

/* Record i is i itself, then a run of bytes whose length and content follow from i. */
static size_t make_body(uint64_t i, uint8_t *out)
{
    size_t length = (size_t)(i * 37 % 500);
    for (size_t k = 0; k < length; k++)
        out[k] = (uint8_t)(i + k);
    return length;
}

static int append(inf_journal *j, uint64_t i, inf_position *end)
{
    uint8_t body[500];
    return inf_journal_append(j, (uint8_t)(i % 200), &i, sizeof(i), body, make_body(i, body), end);
}

static void check_record(const inf_record *record, uint64_t i)
{
    uint8_t body[500];
    size_t length = make_body(i, body);
    uint64_t number;
    assert_int_equal(record->length, sizeof(i) + length);
    memcpy(&number, record->payload, sizeof(number));
    assert_int_equal(number, i);
    assert_int_equal(record->type, i % 200);
    assert_memory_equal(record->payload + sizeof(i), body, length);
}

static void test_append_read_acknowledge(void **state)
{
    for (int in_files = 0; in_files < 2; in_files++) {
        inf_journal *j = open_journal(in_files, 0, 0);
        inf_record record;
        assert_int_equal(inf_journal_next(j, &record), 0);
        assert_int_equal(inf_journal_append(j, 3, NULL, 0, NULL, 0, NULL), 0);
        assert_int_equal(inf_journal_next(j, &record), 1);
        assert_int_equal(record.length, 0);
        assert_int_equal(record.type, 3);
        for (uint64_t i = 0; i < 10; i++) {
            inf_position end = 0;
            assert_int_equal(append(j, i, &end), 0);
            assert_int_equal(inf_journal_next(j, &record), 1);
            check_record(&record, i);
            assert_true(record.position == end && end == inf_journal_tail(j));
            assert_int_equal(inf_journal_next(j, &record), 0);
        }
        assert_int_equal(inf_journal_append(j, 255, "", 0, "", 0, NULL), INF_EINVAL);
        assert_int_equal(inf_journal_ack(j, inf_journal_tail(j) + 8), INF_EINVAL);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        assert_true(inf_journal_acked(j) == inf_journal_tail(j));
        inf_journal_stats stats;
        inf_journal_get_stats(j, &stats);
        assert_int_equal(stats.appended, 11);
        assert_int_equal(stats.skipped, 0);
        assert_int_equal(stats.bytes, 1 << 20);
        inf_journal_close(j);
    }
    assert_int_equal(count_writers(&dir), 0); /* all was acknowledged */
    (void)state;
}

static void test_rewind(void **state)
{
    (void)state;
    inf_journal *j = open_journal(true, 8192, 0);
    inf_record record;
    inf_position middle = 0;
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(append(j, i, NULL), 0);
    for (uint64_t i = 0; i < 60; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_record(&record, i);
        if (i == 39)
            middle = record.position;
    }
    assert_int_equal(inf_journal_ack(j, middle), 0);
    for (int again = 0; again < 3; again++) {
        inf_journal_rewind(j);
        assert_int_equal(inf_journal_maintain(j), 0);
        for (uint64_t i = 40; i < 100; i++) {
            assert_int_equal(inf_journal_next(j, &record), 1);
            check_record(&record, i);
        }
        assert_int_equal(inf_journal_next(j, &record), 0);
    }
    /* A position that was handed out before the rewind may be acknowledged after it. */
    inf_position last = record.position;
    inf_journal_rewind(j);
    assert_int_equal(inf_journal_ack(j, last), 0);
    assert_int_equal(inf_journal_next(j, &record), 0);
    assert_true(inf_journal_acked(j) == inf_journal_tail(j));
    inf_journal_close(j);
}

static void test_segments_roll_and_are_recycled(void **state)
{
    (void)state;
    for (int in_files = 0; in_files < 2; in_files++) {
        inf_journal *j = open_journal(in_files, 8192, 16 * 8192);
        inf_record record;
        uint64_t read = 0;
        for (uint64_t i = 0; i < 20000; i++) {
            assert_int_equal(append(j, i, NULL), 0);
            if (i % 7 != 0)
                continue;
            while (inf_journal_next(j, &record) == 1)
                check_record(&record, read++);
            assert_int_equal(read, i + 1);
            assert_int_equal(inf_journal_ack(j, record.position), 0);
            if (i % 3 == 0)
                assert_int_equal(inf_journal_maintain(j), 0);
        }
        inf_journal_stats stats;
        inf_journal_get_stats(j, &stats);
        assert_int_equal(stats.appended, 20000);
        assert_int_equal(stats.skipped, 0);
        assert_int_equal(stats.refused_full, 0);
        assert_true(stats.bytes <= 4 * 8192);
        if (in_files)
            assert_true(count_segments(&dir) <= 4);
        inf_journal_close(j);
    }
}

/* A backlog of many segments: only a few stay mapped, and everything is read in the end. */
#define LARGE 100000u

static int append_large(inf_journal *j, uint64_t i)
{
    static uint8_t body[LARGE];
    memset(body, (int)(i % 251) + 1, sizeof(body));
    return inf_journal_append(j, 1, &i, sizeof(i), body, sizeof(body), NULL);
}

static void check_large(const inf_record *record, uint64_t i)
{
    uint64_t number;
    assert_int_equal(record->length, sizeof(i) + LARGE);
    memcpy(&number, record->payload, sizeof(number));
    assert_int_equal(number, i);
    for (uint32_t k = 0; k < LARGE; k++)
        assert_int_equal(record->payload[sizeof(i) + k], i % 251 + 1);
}

/* Where much is appended, more than one segment is kept ready, made of old ones where there are any; not for ever. */
static void test_segments_are_ready_ahead(void **state)
{
    (void)state;
    for (int in_files = 0; in_files < 2; in_files++) {
        inf_journal *j = open_journal(in_files, 0, 64u << 20);
        inf_journal_stats stats;
        inf_record record;
        uint64_t read = 0;
        uint64_t most = 0;
        for (uint64_t i = 0; i < 1000; i++) {
            assert_int_equal(append_large(j, i), 0);
            if (i % 40 != 39)
                continue;
            assert_int_equal(inf_journal_maintain(j), 0);
            inf_journal_get_stats(j, &stats);
            most = stats.bytes > most ? stats.bytes : most;
            while (inf_journal_next(j, &record) == 1)
                check_large(&record, read++);
            assert_int_equal(read, i + 1);
            assert_int_equal(inf_journal_ack(j, record.position), 0);
            if (i % 80 == 79)
                assert_int_equal(inf_journal_sync(j), 0);
        }
        inf_journal_get_stats(j, &stats);
        assert_int_equal(stats.skipped, 0);
        assert_true(most >= (in_files ? 10u : 5u) << 20); /* four or five are full, and as many again are ready */
        assert_true(most <= 16u << 20);
        usleep(2100000);
        assert_int_equal(inf_journal_maintain(j), 0);
        inf_journal_get_stats(j, &stats);
        assert_true(stats.bytes <= 4u << 20);
        if (in_files)
            assert_true(count_segments(&dir) <= 4);
        assert_int_equal(append_large(j, 1000), 0);
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_large(&record, 1000);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
        assert_int_equal(count_writers(&dir), 0);
    }
}

/* What a dead writer had ready is seen to be empty. */
static void test_what_was_ready_is_empty(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        inf_journal *j = open_journal(true, 0, 64u << 20);
        int failed = 0;
        for (uint64_t i = 0; i < 100; i++)
            failed |= append_large(j, i) != 0 || (i % 30 == 29 && inf_journal_maintain(j) != 0);
        _exit(failed || count_segments(&dir) < 15);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    uint64_t pending = 0;
    assert_int_equal(inf_journal_peek(dir.path, &pending), 0);
    assert_int_equal(pending, 100);
    inf_journal *j = NULL;
    inf_record record;
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_large(&record, i);
    }
    assert_int_equal(inf_journal_next(j, &record), 0);
    inf_journal_stats stats;
    inf_journal_get_stats(j, &stats);
    assert_int_equal(stats.skipped, 0);
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 0);
}

/* A journal that begins without a directory and gets one: all that is not acknowledged is there when its writer dies.
 */
static void test_directory_comes_later(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        inf_journal *j = open_journal(false, 0, 64u << 20);
        inf_record record;
        inf_position second = 0;
        int failed = 0;
        for (uint64_t i = 0; i < 45; i++)
            failed |= append_large(j, i) != 0 || (i == 30 && inf_journal_maintain(j) != 0);
        for (uint64_t i = 0; i < 30; i++) {
            failed |= inf_journal_next(j, &record) != 1;
            check_large(&record, i);
            if (i == 1)
                second = record.position;
        }
        failed |= inf_journal_ack(j, second) != 0;
        failed |= inf_journal_attach(j, "/proc/nobody/can/write/here") >= 0;
        failed |= append_large(j, 45) != 0;
        failed |= inf_journal_attach(j, dir.path) != 0;
        failed |= inf_journal_attach(j, dir.path) != INF_EINVAL;
        failed |= count_segments(&dir) != 1;
        failed |= append_large(j, 46) != 0;
        for (int i = 0; i < 10; i++)
            failed |= inf_journal_maintain(j) != 0;
        failed |= inf_journal_sync(j) != 0;
        check_large(&record, 29); /* what was handed out is where it was */
        for (uint64_t i = 30; i < 47; i++) {
            failed |= inf_journal_next(j, &record) != 1;
            check_large(&record, i);
        }
        failed |= inf_journal_next(j, &record) != 0;
        _exit(failed != 0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    inf_journal *j = NULL;
    inf_record record;
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    for (uint64_t i = 2; i < 47; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_large(&record, i);
    }
    assert_int_equal(inf_journal_next(j, &record), 0);
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 0);

    /* Closed before it has moved: the close moves it. And given back whole when all is acknowledged. */
    for (int acknowledged = 0; acknowledged < 2; acknowledged++) {
        j = open_journal(false, 0, 64u << 20);
        for (uint64_t i = 0; i < 25; i++)
            assert_int_equal(append_large(j, i), 0);
        assert_int_equal(inf_journal_attach(j, dir.path), 0);
        while (acknowledged && inf_journal_next(j, &record) == 1)
            assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
        assert_int_equal(count_writers(&dir), !acknowledged);
        if (acknowledged)
            continue;
        assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
        for (uint64_t i = 0; i < 25; i++) {
            assert_int_equal(inf_journal_next(j, &record), 1);
            check_large(&record, i);
        }
        assert_int_equal(inf_journal_next(j, &record), 0);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        inf_journal_close(j);
    }
}

static void test_backlog(void **state)
{
    (void)state;
    inf_journal *j = open_journal(true, 8192, 0);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_int_equal(append(j, i, NULL), 0);
        assert_int_equal(inf_journal_maintain(j), 0);
    }
    int mapped = 0;
    char line[1000];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        mapped += strstr(line, dir.path) != NULL;
    fclose(maps);
    assert_true(mapped >= 1 && mapped <= 4);
    assert_true(count_segments(&dir) > 100);
    inf_record record;
    for (uint64_t i = 0; i < 5000; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_record(&record, i);
        if (i % 500 == 499)
            assert_int_equal(inf_journal_ack(j, record.position), 0);
    }
    assert_int_equal(inf_journal_next(j, &record), 0);
    inf_journal_stats stats;
    inf_journal_get_stats(j, &stats);
    assert_int_equal(stats.appended, 5000);
    assert_true(count_segments(&dir) <= 4);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 0);
}

static void test_full_then_accepts_again(void **state)
{
    (void)state;
    for (int in_files = 0; in_files < 2; in_files++) {
        inf_journal *j = open_journal(in_files, 8192, 4 * 8192);
        inf_record record;
        uint64_t appended = 0;
        uint64_t read = 0;
        for (int round = 0; round < 5; round++) {
            int error;
            while ((error = append(j, appended, NULL)) == 0)
                appended++;
            assert_int_equal(error, INF_EFULL);
            for (int i = 0; i < 5; i++)
                assert_int_equal(append(j, appended, NULL), INF_EFULL);
            assert_int_equal(inf_journal_maintain(j), 0);
            inf_journal_stats stats;
            inf_journal_get_stats(j, &stats);
            assert_int_equal(stats.appended, appended);
            assert_int_equal(stats.refused_full, 6 * (round + 1));
            assert_int_equal(stats.bytes, 4 * 8192);
            while (inf_journal_next(j, &record) == 1)
                check_record(&record, read++);
            assert_int_equal(read, appended);
            assert_int_equal(inf_journal_ack(j, record.position), 0);
            assert_true(inf_journal_acked(j) == inf_journal_tail(j));
            assert_int_equal(inf_journal_next(j, &record), 0);
        }
        assert_true(appended > 100);
        inf_journal_close(j);
    }
    assert_int_equal(count_writers(&dir), 0);
}

static void test_largest_record(void **state)
{
    (void)state;
    inf_journal *j = open_journal(true, 8192, 0);
    size_t max = inf_journal_max_record(j);
    assert_int_equal(max, 8192 - 4112);
    uint8_t *body = malloc(max + 1);
    assert_non_null(body);
    for (size_t i = 0; i <= max; i++)
        body[i] = (uint8_t)(i * 7);
    inf_record record;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(inf_journal_append(j, 1, body, max + 1, NULL, 0, NULL), INF_E2BIG);
        assert_int_equal(inf_journal_append(j, 1, body, max, body, 1, NULL), INF_E2BIG);
        assert_int_equal(inf_journal_append(j, 1, body, SIZE_MAX, body, 2, NULL), INF_E2BIG);
        assert_int_equal(inf_journal_append(j, 1, body, 2, body, SIZE_MAX, NULL), INF_E2BIG);
        assert_int_equal(inf_journal_append(j, 1, body, max - (size_t)i, NULL, 0, NULL), 0);
        assert_int_equal(inf_journal_next(j, &record), 1);
        assert_int_equal(record.length, max - (size_t)i);
        assert_memory_equal(record.payload, body, record.length);
    }
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    free(body);
    inf_journal_close(j);
    assert_int_equal(count_writers(&dir), 0);
}

/* Records of every length around the end of a segment, so that each way to end one occurs. */
static void test_every_way_to_fill_a_segment(void **state)
{
    (void)state;
    static uint8_t body[4096];
    for (size_t first = 3900; first <= 4080; first++) {
        inf_journal *j = open_journal(false, 8192, 0);
        inf_record record;
        assert_int_equal(inf_journal_append(j, 1, body, first, NULL, 0, NULL), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(inf_journal_append(j, 2, body, 24, NULL, 0, NULL), 0);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(inf_journal_next(j, &record), 1);
            assert_int_equal(record.length, i ? 24 : first);
            assert_int_equal(inf_journal_ack(j, record.position), 0);
        }
        assert_int_equal(inf_journal_next(j, &record), 0);
        assert_true(inf_journal_acked(j) == inf_journal_tail(j));
        inf_journal_close(j);
    }
}

static void test_modes(void **state)
{
    (void)state;
    char path[400], file[800];
    struct stat st;
    inf_journal *j = open_journal(true, 0, 0);
    only_writer(&dir, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    static const char *const names[] = {"lock", "00000001.seg"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    assert_true((uint64_t)st.st_blocks * 512 >= (1 << 20)); /* allocated, not sparse */
    inf_journal_close(j);
}

static void test_bad_options(void **state)
{
    (void)state;
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = 100};
    assert_int_equal(inf_journal_open(&j, &options), INF_EINVAL);
    options.segment_bytes = UINT32_MAX;
    assert_int_equal(inf_journal_open(&j, &options), INF_EINVAL);
    options.segment_bytes = 0;
    options.dir = "/proc/self/no/such/place";
    assert_true(inf_journal_open(&j, &options) < 0);
    options.dir = "/dev/null";
    assert_true(inf_journal_open(&j, &options) < 0);
    assert_null(j);
}

static int stat_of_another_user(const char *path, struct stat *out)
{
    int result = stat(path, out);
    out->st_uid++;
    return result;
}

static void test_directory_of_another_user(void **state)
{
    (void)state;
    int (*before)(const char *, struct stat *) = inf_os.stat;
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir.path};
    inf_os.stat = stat_of_another_user;
    int opened = inf_journal_open(&j, &options);
    int adopted = inf_journal_adopt(&j, dir.path);
    inf_os.stat = before;
    assert_int_equal(opened, INF_EACCES);
    assert_int_equal(adopted, INF_EACCES);
}

static int disk_errno;

static int failing_fallocate(int fd, int mode, off_t offset, off_t length)
{
    (void)fd, (void)mode, (void)offset, (void)length;
    errno = disk_errno;
    return -1;
}

static void test_full_disk(void **state)
{
    (void)state;
    int (*before)(int, int, off_t, off_t) = inf_os.fallocate;
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = 8192};
    disk_errno = ENOSPC;
    inf_os.fallocate = failing_fallocate;
    assert_int_equal(inf_journal_open(&j, &options), INF_ENOSPC);
    assert_int_equal(count_writers(&dir), 0);
    inf_os.fallocate = before;
    j = open_journal(true, 8192, 0);
    uint64_t appended = 0;
    int error;
    inf_os.fallocate = failing_fallocate;
    while ((error = append(j, appended, NULL)) == 0)
        appended++;
    assert_int_equal(error, INF_ENOSPC);
    assert_int_equal(append(j, appended, NULL), INF_ENOSPC);
    assert_int_equal(count_segments(&dir), 1);
    inf_os.fallocate = before;
    usleep(150000); /* it is tried again after a tenth of a second */
    assert_int_equal(append(j, appended++, NULL), 0);
    inf_record record;
    for (uint64_t i = 0; i < appended; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_record(&record, i);
    }
    inf_journal_stats stats;
    inf_journal_get_stats(j, &stats);
    assert_int_equal(stats.refused_error, 2);
    disk_errno = EOPNOTSUPP; /* a file system that cannot allocate gets zeros */
    inf_os.fallocate = failing_fallocate;
    for (uint64_t i = appended; i < appended + 100; i++)
        assert_int_equal(append(j, i, NULL), 0);
    inf_os.fallocate = before;
    inf_journal_close(j);
}

static ssize_t failing_pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    (void)fd, (void)parts, (void)count, (void)at;
    errno = disk_errno;
    return -1;
}

static uint64_t pending(void)
{
    uint64_t n = 0;
    assert_int_equal(inf_journal_peek(dir.path, &n), 0);
    return n;
}

/* Into the files with a sync and not before; again when that has failed; and read back from there when it has left the
 * memory. */
static void test_staged(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    ssize_t (*before)(int, const struct iovec *, int, off_t) = inf_os.pwritev;
    inf_journal *j = NULL;
    inf_record record;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = 8192, .staged = true};
    assert_int_equal(inf_journal_open(&j, &options), 0);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(append(j, i, NULL), 0);
    assert_int_equal(pending(), 0);
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(pending(), 5);
    assert_int_equal(append(j, 5, NULL), 0);
    disk_errno = EIO;
    inf_os.pwritev = failing_pwritev;
    assert_int_equal(inf_journal_sync(j), INF_EIO);
    assert_int_equal(inf_journal_sync(j), INF_EIO);
    inf_os.pwritev = before;
    assert_int_equal(pending(), 5);
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(pending(), 6);
    for (uint64_t i = 6; i < COUNT; i++) {
        assert_int_equal(append(j, i, NULL), 0);
        if (i % 50 == 0)
            assert_int_equal(inf_journal_maintain(j), 0);
    }
    assert_int_equal(inf_journal_maintain(j), 0); /* gives back nothing that is not in a file */
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(inf_journal_maintain(j), 0);
    assert_int_equal(pending(), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_record(&record, i);
        if (i == COUNT / 2)
            assert_int_equal(inf_journal_ack(j, record.position), 0);
    }
    assert_int_equal(pending(), COUNT - COUNT / 2 - 1);
    assert_int_equal(append(j, COUNT, NULL), 0);
    inf_journal_close(j); /* takes it along */
    assert_int_equal(inf_journal_adopt(&j, dir.path), 1);
    for (uint64_t i = COUNT / 2 + 1; i <= COUNT; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        check_record(&record, i);
    }
    assert_int_equal(inf_journal_next(j, &record), 0);
    inf_journal_stats stats;
    inf_journal_get_stats(j, &stats);
    assert_int_equal(stats.skipped, 0);
    inf_journal_close(j);
}

/* A file system that takes O_DIRECT when a file is opened, and not when it is written to. */
static ssize_t indirect_pwrite(int fd, const void *data, size_t length, off_t at)
{
    if (fcntl(fd, F_GETFL) & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return pwrite(fd, data, length, at);
}

static ssize_t indirect_pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    if (fcntl(fd, F_GETFL) & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return pwritev(fd, parts, count, at);
}

/* Less than was asked for, and no whole number of pages. */
static ssize_t short_pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    struct iovec part = parts[0];
    if (part.iov_len < 8192)
        return pwritev(fd, parts, count, at);
    part.iov_len -= 512;
    return pwritev(fd, &part, 1, at);
}

static void test_staged_short_writes(void **state)
{
    (void)state;
    ssize_t (*before)(int, const struct iovec *, int, off_t) = inf_os.pwritev;
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = 1 << 20, .staged = true};
    inf_os.pwritev = short_pwritev;
    assert_int_equal(inf_journal_open(&j, &options), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(append(j, i, NULL), 0);
        if (i % 150 == 0)
            assert_int_equal(inf_journal_sync(j), 0);
    }
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(pending(), 1000);
    inf_os.pwritev = before;
    inf_journal_close(j);
}

static void test_staged_without_direct_writes(void **state)
{
    (void)state;
    ssize_t (*before)(int, const void *, size_t, off_t) = inf_os.pwrite;
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir.path, .segment_bytes = 8192, .staged = true};
    ssize_t (*before_parts)(int, const struct iovec *, int, off_t) = inf_os.pwritev;
    inf_os.pwrite = indirect_pwrite;
    inf_os.pwritev = indirect_pwritev;
    assert_int_equal(inf_journal_open(&j, &options), 0);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(append(j, i, NULL), 0);
        assert_int_equal(inf_journal_sync(j), 0);
    }
    assert_int_equal(pending(), 100);
    inf_os.pwrite = before;
    inf_os.pwritev = before_parts;
    inf_journal_close(j);
}

static int syncs;
static int sync_errno;

static int counting_fdatasync(int fd)
{
    syncs++;
    if (sync_errno) {
        errno = sync_errno;
        return -1;
    }
    return fdatasync(fd);
}

static void test_sync(void **state)
{
    (void)state;
    int (*before)(int) = inf_os.fdatasync;
    inf_os.fdatasync = counting_fdatasync;
    inf_journal *j = open_journal(true, 8192, 0);
    syncs = 0;
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(syncs, 0);
    assert_int_equal(append(j, 1, NULL), 0);
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(syncs, 1);
    assert_int_equal(inf_journal_sync(j), 0);
    assert_int_equal(syncs, 1);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(append(j, i, NULL), 0);
    assert_int_equal(inf_journal_maintain(j), 0); /* unmaps what is passed: synced by name */
    int segments = count_segments(&dir);
    assert_true(segments > 5);
    assert_int_equal(inf_journal_sync(j), 0);
    assert_true(syncs >= segments && syncs <= segments + 1);
    syncs = 0;
    assert_int_equal(append(j, 1, NULL), 0);
    sync_errno = EIO;
    assert_int_equal(inf_journal_sync(j), INF_EIO);
    assert_int_equal(inf_journal_sync(j), INF_EIO); /* what failed is not taken for done */
    sync_errno = 0;
    assert_int_equal(inf_journal_sync(j), 0);
    assert_true(syncs == 3 || syncs == 4); /* 4: the record went to a new segment */
    inf_os.fdatasync = before;
    inf_journal_close(j);
}

static void test_child_forgets(void **state)
{
    (void)state;
    for (int in_files = 0; in_files < 2; in_files++) {
        inf_journal *j = open_journal(in_files, 8192, 0);
        inf_journal *other = NULL;
        for (uint64_t i = 0; i < 100; i++)
            assert_int_equal(append(j, i, NULL), 0);
        pid_t pid = fork();
        if (pid == 0) {
            inf_journal_after_fork(j);
            inf_journal_options options = {.dir = in_files ? dir.path : NULL, .segment_bytes = 8192};
            inf_journal *own = NULL;
            int failed = inf_journal_open(&own, &options) != 0 || append(own, 7, NULL) != 0;
            /* the parent lives: nothing to adopt, though the child shared its lock */
            failed = failed || inf_journal_adopt(&other, dir.path) != 0;
            inf_record record;
            failed = failed || inf_journal_next(own, &record) != 1 || inf_journal_ack(own, record.position) != 0;
            if (!failed)
                inf_journal_close(own);
            _exit(failed);
        }
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(inf_journal_adopt(&other, dir.path), 0);
        inf_record record;
        for (uint64_t i = 0; i < 100; i++) {
            assert_int_equal(inf_journal_next(j, &record), 1);
            check_record(&record, i);
        }
        assert_int_equal(append(j, 100, NULL), 0);
        inf_journal_close(j);
    }
}

static void test_peek(void **state)
{
    (void)state;
    uint64_t pending = 1;
    assert_int_equal(inf_journal_peek("/tmp/there/is/no/such/directory", &pending), 0);
    assert_int_equal(pending, 0);
    inf_journal *j = open_journal(true, 8192, 0);
    inf_journal *k = open_journal(true, 8192, 0);
    assert_int_equal(append(k, 0, NULL), 0);
    inf_record record;
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(append(j, i, NULL), 0);
    assert_int_equal(inf_journal_peek(dir.path, &pending), 0);
    assert_int_equal(pending, 101);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(inf_journal_next(j, &record), 1);
        assert_int_equal(inf_journal_ack(j, record.position), 0);
        assert_int_equal(inf_journal_peek(dir.path, &pending), 0);
        assert_int_equal(pending, 100 - i);
    }
    inf_journal_close(j);
    inf_journal_close(k);
    assert_int_equal(inf_journal_peek(dir.path, &pending), 0);
    assert_int_equal(pending, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append_read_acknowledge),
        TEST(test_rewind),
        TEST(test_segments_roll_and_are_recycled),
        TEST(test_segments_are_ready_ahead),
        TEST(test_what_was_ready_is_empty),
        TEST(test_directory_comes_later),
        TEST(test_backlog),
        TEST(test_full_then_accepts_again),
        TEST(test_largest_record),
        TEST(test_every_way_to_fill_a_segment),
        TEST(test_modes),
        TEST(test_bad_options),
        TEST(test_directory_of_another_user),
        TEST(test_full_disk),
        TEST(test_staged),
        TEST(test_staged_without_direct_writes),
        TEST(test_staged_short_writes),
        TEST(test_sync),
        TEST(test_child_forgets),
        TEST(test_peek),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

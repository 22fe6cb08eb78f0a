/* Many producers, one reader, one housekeeper: every record is read exactly once, in the order of its thread. */
#include "journal_dir.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "infinium.h"
#include "journal/journal.h"

enum { THREADS = 8, EACH = 20000 };

static inf_journal *journal;
static atomic_bool stop;
static atomic_int full;

struct head {
    uint32_t thread;
    uint32_t number;
};

static void *produce(void *argument)
{
    uint8_t body[700];
    struct head head = {.thread = *(uint32_t *)argument};
    for (; head.number < EACH; head.number++) {
        size_t length = (head.number * 131u + head.thread * 17u) % sizeof(body);
        memset(body, (int)(head.number + head.thread), length);
        int error;
        while ((error = inf_journal_append(journal, 1, &head, sizeof(head), body, length, NULL)) == INF_EFULL) {
            atomic_fetch_add(&full, 1);
            sched_yield();
        }
        if (error)
            return "append failed";
    }
    return NULL;
}

static void *keep_house(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        if (inf_journal_maintain(journal) != 0 || inf_journal_sync(journal) != 0)
            return "housekeeping failed";
        inf_journal_stats stats;
        inf_journal_get_stats(journal, &stats);
        usleep(inf_journal_wants_maintenance(journal) ? 0 : 200);
    }
    return NULL;
}

static void run(const char *path, uint32_t segment_bytes, uint64_t max_bytes, bool staged)
{
    pthread_t producers[THREADS], housekeeper;
    uint32_t numbers[THREADS], next[THREADS] = {0};
    inf_journal_options options = {
        .dir = path, .segment_bytes = segment_bytes, .max_bytes = max_bytes, .staged = staged};
    assert_int_equal(inf_journal_open(&journal, &options), 0);
    atomic_store(&stop, false);
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &numbers[i]), 0);
    }
    assert_int_equal(pthread_create(&housekeeper, NULL, keep_house, NULL), 0);
    unsigned unacknowledged = 0;
    inf_position last = 0;
    uint8_t body[700];
    for (uint32_t read = 0; read < THREADS * EACH;) {
        inf_record record;
        int found = inf_journal_next(journal, &record);
        assert_true(found >= 0);
        if (found == 0) {
            assert_int_equal(inf_journal_ack(journal, last), 0);
            sched_yield();
            continue;
        }
        struct head head;
        assert_true(record.length >= sizeof(head));
        memcpy(&head, record.payload, sizeof(head));
        assert_true(head.thread < THREADS);
        assert_int_equal(head.number, next[head.thread]);
        next[head.thread]++;
        assert_int_equal(record.length - sizeof(head), (head.number * 131u + head.thread * 17u) % 700);
        memset(body, (int)(head.number + head.thread), sizeof(body));
        assert_memory_equal(record.payload + sizeof(head), body, record.length - sizeof(head));
        read++;
        last = record.position;
        if (++unacknowledged == 50 || read == THREADS * EACH) {
            assert_int_equal(inf_journal_ack(journal, record.position), 0);
            unacknowledged = 0;
        }
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(producers[i], &failed);
        assert_null(failed);
    }
    atomic_store(&stop, true);
    void *failed = NULL;
    pthread_join(housekeeper, &failed);
    assert_null(failed);
    assert_true(inf_journal_acked(journal) == inf_journal_tail(journal));
    inf_journal_stats stats;
    inf_journal_get_stats(journal, &stats);
    assert_int_equal(stats.appended, THREADS * EACH);
    assert_int_equal(stats.skipped, 0);
    inf_journal_close(journal);
}

static void test_files(void **state)
{
    (void)state;
    struct test_dir dir;
    test_dir_make(&dir);
    run(dir.path, 65536, 0, false);
    assert_int_equal(count_writers(&dir), 0);
    test_dir_remove(&dir);
}

/* Segments that are read from memory, and from the file; small ones, and such whose pages are given back in between. */
static void test_staged(void **state)
{
    static const uint32_t sizes[] = {16384, 65536, 8 << 20};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct test_dir dir;
        test_dir_make(&dir);
        run(dir.path, sizes[i], i == 0 ? 8 * sizes[i] : 0, true);
        assert_int_equal(count_writers(&dir), 0);
        test_dir_remove(&dir);
    }
}

static void test_memory(void **state)
{
    (void)state;
    run(NULL, 8192, 0, false);
}

static void test_small_and_often_full(void **state)
{
    (void)state;
    atomic_store(&full, 0);
    run(NULL, 8192, 3 * 8192, false);
    assert_true(atomic_load(&full) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_staged),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_small_and_often_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

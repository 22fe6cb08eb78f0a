/* A staged log, the Nth file call of which fails, for every N until a run comes through without a failure. Each run is
 * a process that appends, syncs, reads, acknowledges and prepares, and is gone without a word. Everything that a
 * successful sync had covered and nobody had acknowledged is in its files, once and whole.
 *
 * INF_TORTURE=1 tries every N, otherwise a sample. */
#include "journal_dir.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fault/faults.h"
#include "infinium.h"
#include "journal/journal.h"

enum { RECORDS = 120, MOST_CALLS = 20000 };

/* What the process says of itself, in memory that outlives it. */
struct said {
    _Atomic uint32_t synced[RECORDS], acked[RECORDS];
    atomic_bool fired, ended;
    _Atomic uint64_t calls;
};

static struct said *said;

/* Record i: its number, then what follows from it; some take several pages. */
static size_t make_record(uint32_t i, uint8_t out[12000])
{
    size_t length = sizeof(i) + (i % 10 == 9 ? 9000 + i : i * 37 % 500);
    memset(out, (int)i, length);
    memcpy(out, &i, sizeof(i));
    return length;
}

static void read_some(inf_journal *j, unsigned most)
{
    inf_record record;
    uint32_t ids[RECORDS];
    unsigned n = 0;
    while (n < most && inf_journal_next(j, &record) == 1)
        memcpy(&ids[n++], record.payload, sizeof(*ids));
    for (unsigned i = 0; i < n; i++)
        atomic_store(&said->acked[ids[i]], 1); /* before: an acknowledgement that is half done may count */
    if (n > 0)
        (void)inf_journal_ack(j, record.position);
}

static void live(const char *dir, enum fault_kind kind, uint64_t nth, bool lasting)
{
    static uint8_t bytes[12000];
    bool appended[RECORDS] = {false}, fired;
    inf_journal *j = NULL;
    inf_journal_options options = {.dir = dir, .segment_bytes = 32768, .max_bytes = 1 << 20, .staged = true};
    faults_install();
    faults_arm(FAULT_FILES, kind, nth, lasting);
    if (inf_journal_open(&j, &options) == INF_OK) {
        for (uint32_t i = 0; i < RECORDS; i++) {
            appended[i] = inf_journal_append(j, 1, NULL, 0, bytes, make_record(i, bytes), NULL) == INF_OK;
            if (i % 5 == 4 && inf_journal_sync(j) == INF_OK)
                for (uint32_t k = 0; k <= i; k++)
                    atomic_store(&said->synced[k], appended[k]);
            if (i % 7 == 6)
                (void)inf_journal_maintain(j);
            if (i % 20 == 19)
                read_some(j, 12);
        }
    }
    atomic_store(&said->calls, faults_disarm(&fired));
    atomic_store(&said->fired, fired);
    atomic_store(&said->ended, true);
    _exit(0);
}

static void check_what_is_left(const char *dir, const char *kind, uint64_t nth)
{
    static uint8_t bytes[12000];
    bool found[RECORDS] = {false};
    inf_journal *j;
    inf_record record;
    while (inf_journal_adopt(&j, dir) == 1) {
        inf_position end = 0;
        while (inf_journal_next(j, &record) == 1) {
            uint32_t i;
            assert_true(record.length >= sizeof(i));
            memcpy(&i, record.payload, sizeof(i));
            assert_true(i < RECORDS && !found[i]);
            found[i] = true;
            assert_int_equal(record.length, make_record(i, bytes));
            assert_memory_equal(record.payload, bytes, record.length);
            end = record.position;
        }
        assert_int_equal(inf_journal_ack(j, end), 0);
        inf_journal_close(j);
    }
    for (int i = 0; i < RECORDS; i++)
        if (atomic_load(&said->synced[i]) && !atomic_load(&said->acked[i]) && !found[i])
            fail_msg("%s at call %llu: record %d was synced and is not there", kind, (unsigned long long)nth, i);
}

static void for_every_call(enum fault_kind kind, bool lasting, uint64_t step)
{
    uint64_t nth = 1, synced = 0;
    do {
        struct test_dir dir;
        test_dir_make(&dir);
        memset((void *)said, 0, sizeof(*said));
        pid_t pid = fork();
        if (pid == 0)
            live(dir.path, kind, nth, lasting);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_true(atomic_load(&said->ended));
        check_what_is_left(dir.path, fault_kind_name(kind), nth);
        test_dir_remove(&dir);
        for (int i = 0; i < RECORDS; i++)
            synced += atomic_load(&said->synced[i]);
        nth += step;
        assert_true(nth < MOST_CALLS);
    } while (atomic_load(&said->fired));
    for (int i = 0; i < RECORDS; i++) /* of the last run, in which nothing failed */
        assert_true(atomic_load(&said->synced[i]));
    print_message("%s%s: up to call %llu, %llu records synced\n", fault_kind_name(kind), lasting ? ", lasting" : "",
                  (unsigned long long)(nth - step), (unsigned long long)synced);
}

static void test_nth_file_call(void **state)
{
    (void)state;
    bool torture = getenv("INF_TORTURE") != NULL;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        for_every_call((enum fault_kind)kind, false, torture ? 1 : 5 + (uint64_t)kind);
    for_every_call(FAULT_EIO, true, torture ? 1 : 13);
    for_every_call(FAULT_ENOSPC, true, torture ? 1 : 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nth_file_call)};
    said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return said == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* The machine loses its power. A journal is written, synced, read, acknowledged, recycled, left and adopted on a disk
 * that forgets (disk.h), by seed; at some call it crashes; what the disk then holds is recovered. Everything that a
 * successful sync had covered and nobody had acknowledged is there, every record that is handed out was appended, with
 * these bytes, and none is handed out twice.
 *
 * INF_TORTURE=1: 10,000 seeds, else 200. INF_SEED=N runs one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault/disk.h"
#include "infinium.h"
#include "journal/journal.h"

#define MOST_RECORDS 4096
#define MOST_BYTES 6000
#define STEPS 400

struct known {
    bool appended, synced, acked;
    bool found;
    unsigned writer;
};

struct world {
    char base[64], disk[96], image[96], dir[128], image_dir[128];
    uint64_t seed, random;
    struct known known[MOST_RECORDS];
    uint32_t count;
    inf_journal *journal, *left;
    unsigned writer;
    bool crashed;
    struct known frozen[MOST_RECORDS];
    uint32_t frozen_count;
};

static uint64_t current; /* seed; said when something fails */

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t below(struct world *w, uint64_t bound)
{
    return next(&w->random) % bound;
}

/* The bytes of record `id`: its id, then what follows from it. */
static size_t make_record(uint64_t seed, uint32_t id, uint8_t out[MOST_BYTES])
{
    uint64_t state = seed ^ ((uint64_t)id << 32);
    uint64_t kind = next(&state) % 8;
    size_t length = sizeof(id) + next(&state) % (kind == 0 ? MOST_BYTES - sizeof(id) : kind < 4 ? 1000 : 60);
    memcpy(out, &id, sizeof(id));
    for (size_t i = sizeof(id); i < length; i++)
        out[i] = kind == 7 ? 0 : (uint8_t)(next(&state) >> 56); /* zeros look like what was never written */
    return length;
}

static void freeze(void *context)
{
    struct world *w = context;
    memcpy(w->frozen, w->known, sizeof(w->known));
    w->frozen_count = w->count;
    disk_image(w->image, w->seed);
    w->crashed = true;
}

static void open_writer(struct world *w)
{
    inf_journal_options options = {.dir = w->dir,
                                   .segment_bytes = 8192u << below(w, 3),
                                   .max_bytes = 256u << 10,
                                   .staged = (w->seed + w->writer) % 2};
    if (inf_journal_open(&w->journal, &options) != INF_OK)
        w->journal = NULL;
    w->writer++;
}

static void append(struct world *w)
{
    uint8_t bytes[MOST_BYTES];
    if (!w->journal || w->count == MOST_RECORDS)
        return;
    uint32_t id = w->count;
    size_t length = make_record(w->seed, id, bytes);
    size_t head = below(w, length + 1);
    w->known[id] = (struct known){.appended = true, .writer = w->writer};
    w->count++; /* before: the crash may come in the middle */
    if (length > inf_journal_max_record(w->journal) ||
        inf_journal_append(w->journal, 1 + id % 200, bytes, head, bytes + head, length - head, NULL) != INF_OK)
        w->known[id].appended = false;
}

static void sync_writer(struct world *w)
{
    if (!w->journal)
        return;
    uint32_t count = w->count;
    if (inf_journal_sync(w->journal) != INF_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (w->known[i].appended && w->known[i].writer == w->writer)
            w->known[i].synced = true;
}

/* What a reader got is one of ours. */
static uint32_t check_record(const struct world *w, const struct known *known, uint32_t count, const inf_record *record)
{
    uint8_t bytes[MOST_BYTES];
    uint32_t id;
    assert_true(record->length >= sizeof(id));
    memcpy(&id, record->payload, sizeof(id));
    assert_true(id < count && known[id].appended);
    size_t length = make_record(w->seed, id, bytes);
    assert_int_equal(record->length, length);
    assert_memory_equal(record->payload, bytes, length);
    assert_int_equal(record->type, 1 + id % 200);
    return id;
}

static void read_some(struct world *w, inf_journal *j)
{
    inf_record record;
    uint32_t ids[64];
    unsigned n = 0;
    inf_position end = 0;
    uint64_t most = below(w, 64);
    while (n < most && inf_journal_next(j, &record) == 1) {
        ids[n++] = check_record(w, w->known, w->count, &record);
        end = record.position;
    }
    if (n == 0 || below(w, 3) == 0) {
        inf_journal_rewind(j);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        w->known[ids[i]].acked = true; /* before: an acknowledgement that is half done may count */
    assert_int_equal(inf_journal_ack(j, end), INF_OK);
}

static void step(struct world *w)
{
    switch (below(w, 16)) {
    default:
        for (uint64_t i = below(w, 8) + 1; i > 0; i--)
            append(w);
        break;
    case 0:
    case 1:
        sync_writer(w);
        break;
    case 2:
    case 3:
        if (w->journal)
            read_some(w, w->journal);
        break;
    case 4:
    case 5:
        if (w->journal)
            (void)inf_journal_maintain(w->journal);
        break;
    case 6:
        if (below(w, 4) == 0) {
            inf_journal_close(w->journal);
            open_writer(w);
        }
        break;
    case 7:
        if (w->left)
            read_some(w, w->left);
        else if (inf_journal_adopt(&w->left, w->dir) != 1)
            w->left = NULL;
        break;
    case 8:
        if (below(w, 8) == 0) {
            inf_journal_close(w->left);
            w->left = NULL;
        }
        break;
    }
}

static void recover(struct world *w)
{
    inf_journal *j;
    inf_record record;
    unsigned writers = 0;
    int found;
    while ((found = inf_journal_adopt(&j, w->image_dir)) == 1) {
        assert_true(++writers < 1000);
        inf_position end = 0;
        uint32_t records = 0;
        while ((found = inf_journal_next(j, &record)) == 1) {
            uint32_t id = check_record(w, w->frozen, w->frozen_count, &record);
            assert_false(w->frozen[id].found);
            w->frozen[id].found = true;
            end = record.position;
            assert_true(++records <= MOST_RECORDS);
        }
        assert_int_equal(found, 0);
        if (end)
            assert_int_equal(inf_journal_ack(j, end), INF_OK);
        inf_journal_close(j);
    }
    assert_int_equal(found, 0);
    for (uint32_t i = 0; i < w->frozen_count; i++) {
        const struct known *k = &w->frozen[i];
        if (k->synced && !k->acked && !k->found)
            print_message("record %u of writer %u was synced and is not there\n", i, k->writer);
        assert_true(!k->synced || k->acked || k->found);
    }
}

static void remove_tree(const char *path)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static void run_seed(uint64_t seed, uint64_t *recovered)
{
    static struct world world;
    struct world *w = &world;
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->random = seed * 2 + 1;
    bool shm = access("/dev/shm", W_OK) == 0;
    snprintf(w->base, sizeof(w->base), "%s/inf-crash-XXXXXX", shm ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->base));
    snprintf(w->disk, sizeof(w->disk), "%s/disk", w->base);
    snprintf(w->image, sizeof(w->image), "%s/image", w->base);
    assert_int_equal(mkdir(w->disk, 0700), 0);
    assert_int_equal(mkdir(w->image, 0700), 0);
    snprintf(w->dir, sizeof(w->dir), "%s/state/agent", w->disk);
    snprintf(w->image_dir, sizeof(w->image_dir), "%s/state/agent", w->image);
    disk_watch(w->disk);
    if (below(w, 4) == 0)
        disk_fail_syncs(4, seed);
    disk_crash_at(1 + below(w, 200), freeze, w);
    open_writer(w);
    for (unsigned i = 0; i < STEPS && !w->crashed; i++)
        step(w);
    disk_crash_at(0, NULL, NULL);
    if (!w->crashed)
        freeze(w);
    inf_journal_close(w->left);
    inf_journal_close(w->journal);
    disk_forget();
    recover(w);
    for (uint32_t i = 0; i < w->frozen_count; i++)
        *recovered += w->frozen[i].found;
    remove_tree(w->base);
}

static void test_power_cuts(void **state)
{
    (void)state;
    uint64_t recovered = 0;
    const char *one = getenv("INF_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : getenv("INF_TORTURE") ? 10000 : 200;
    for (uint64_t seed = first; seed < first + count; seed++) {
        current = seed;
        run_seed(seed, &recovered);
    }
    print_message("%llu crashes, %llu records recovered\n", (unsigned long long)count, (unsigned long long)recovered);
    assert_true(recovered > 0);
}

static int say_seed(void **state)
{
    (void)state;
    print_message("the last seed was INF_SEED=%llu\n", (unsigned long long)current);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_power_cuts, say_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

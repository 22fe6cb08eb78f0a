/* Journals that somebody else has had their hands on: flipped bits, cut files, zeroed and exchanged stretches, segments
 * under wrong names, foreign files, links, other owners, other versions. By seed. Every record that the damage did not
 * touch is handed out, once, in order and with its bytes; nothing else is; what is not ours stays as it is.
 *
 * INF_TORTURE=1: 5,000 seeds, else 100. INF_SEED=N runs one. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "infinium.h"
#include "journal/journal.h"
#include "journal_dir.h"

#define RECORDS 120
#define SEGMENT 8192u
#define HEADER 4096u
#define MOST_SEGMENTS 64
#define MOST_BYTES 2000

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t current;

struct place {
    uint32_t segment, start, end;
    bool touched, found;
};

struct log {
    struct test_dir dir;
    char writer[400];
    uint64_t random;
    uint32_t segments;
    struct place places[RECORDS];
    uint8_t bytes[MOST_SEGMENTS + 1][SEGMENT];
};

static size_t make_record(uint64_t seed, uint32_t id, uint8_t out[MOST_BYTES])
{
    uint64_t state = seed ^ ((uint64_t)id << 32);
    size_t length = 4 + next(&state) % (next(&state) % 4 ? 300 : MOST_BYTES - 4);
    memcpy(out, &id, 4);
    for (size_t i = 4; i < length; i++)
        out[i] = (uint8_t)next(&state);
    return length;
}

static uint64_t below(struct log *l, uint64_t bound)
{
    return next(&l->random) % bound;
}

static void segment_file(const struct log *l, uint32_t number, char path[440])
{
    snprintf(path, 440, "%s/%08x.seg", l->writer, (unsigned)number);
}

static void write_bytes(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

/* A dead writer's log, whole. */
static void make_log(struct log *l, uint64_t seed)
{
    inf_journal *j;
    uint8_t record[MOST_BYTES];
    memset(l, 0, sizeof(*l));
    l->random = seed * 2 + 1;
    test_dir_make(&l->dir);
    inf_journal_options options = {.dir = l->dir.path, .segment_bytes = SEGMENT};
    assert_int_equal(inf_journal_open(&j, &options), 0);
    for (uint32_t id = 0; id < RECORDS; id++) {
        inf_position end;
        size_t length = make_record(seed, id, record);
        assert_int_equal(inf_journal_append(j, 7, record, length, NULL, 0, &end), 0);
        struct place *p = &l->places[id];
        p->segment = (uint32_t)(end >> 32);
        p->end = (uint32_t)end;
        p->start = p->end - (uint32_t)((16 + length + 7) & ~(size_t)7);
        l->segments = p->segment;
    }
    inf_journal_close(j);
    only_writer(&l->dir, l->writer);
    assert_true(l->segments <= MOST_SEGMENTS);
    for (uint32_t s = 1; s <= l->segments; s++) {
        char path[440];
        segment_file(l, s, path);
        int fd = open(path, O_RDONLY);
        assert_true(fd >= 0);
        assert_int_equal(read(fd, l->bytes[s], SEGMENT), SEGMENT);
        close(fd);
    }
}

/* Records that have bytes from `from` to before `to` of the segment may be missing now. */
static void touch(struct log *l, uint32_t segment, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < RECORDS; i++)
        if (l->places[i].segment == segment && l->places[i].start < to && from < l->places[i].end)
            l->places[i].touched = true;
}

static void damage(struct log *l, uint32_t segment)
{
    char path[440], other_path[440];
    uint8_t *bytes = l->bytes[segment];
    uint32_t size = SEGMENT;
    segment_file(l, segment, path);
    switch (below(l, 8)) {
    case 0:
    case 1: /* flipped bits, anywhere */
        for (uint64_t n = 1 + below(l, 8); n > 0; n--) {
            uint32_t at = (uint32_t)below(l, SEGMENT);
            bytes[at] ^= (uint8_t)(1u << below(l, 8));
            touch(l, segment, at, at + 1);
        }
        break;
    case 2: { /* flipped bits in the header and in headers of records */
        uint32_t at = (uint32_t)below(l, 80);
        bytes[at] ^= (uint8_t)(1u << below(l, 8));
        uint32_t i = (uint32_t)below(l, RECORDS);
        if (l->places[i].segment == segment) {
            at = l->places[i].start + (uint32_t)below(l, 16);
            bytes[at] ^= (uint8_t)(1u << below(l, 8));
            touch(l, segment, at, at + 1);
        }
        break;
    }
    case 3: { /* a cut: in the header, at a record, within one, anywhere */
        uint32_t i = (uint32_t)below(l, RECORDS);
        uint32_t in = l->places[i].segment == segment ? l->places[i].start : HEADER;
        uint32_t sizes[] = {0,  (uint32_t)below(l, 100),     HEADER,
                            in, in + (uint32_t)below(l, 24), (uint32_t)below(l, SEGMENT)};
        size = sizes[below(l, 6)];
        touch(l, segment, size, SEGMENT);
        break;
    }
    case 4: { /* zeros, as a disk gives them for what was never written */
        uint32_t from = (uint32_t)below(l, SEGMENT / 512) * 512;
        uint32_t length = 512u << below(l, 4);
        if (length > SEGMENT - from)
            length = SEGMENT - from;
        memset(bytes + from, 0, length);
        touch(l, segment, from, from + length);
        if (from == 0)
            touch(l, segment, 0, SEGMENT); /* a file without magic is one that was being made */
        break;
    }
    case 5: { /* a stretch of another segment */
        uint32_t other = 1 + (uint32_t)below(l, l->segments);
        uint32_t from = HEADER + (uint32_t)below(l, (SEGMENT - HEADER) / 512) * 512;
        if (other == segment)
            return;
        memcpy(bytes + from, l->bytes[other] + from, 512);
        touch(l, segment, from, from + 512);
        break;
    }
    case 6: /* a copy under another name: not where it was written, so nothing in it counts */
        segment_file(l, l->segments + 1 + (uint32_t)below(l, 5), other_path);
        write_bytes(other_path, bytes, SEGMENT);
        return;
    case 7: /* longer than it was */
        write_bytes(path, bytes, SEGMENT);
        assert_int_equal(truncate(path, SEGMENT + (off_t)below(l, 10000)), 0);
        return;
    }
    write_bytes(path, bytes, size);
}

static void run_seed(uint64_t seed, uint64_t *kept)
{
    static struct log log;
    struct log *l = &log;
    inf_journal *j;
    inf_record record;
    uint8_t expected[MOST_BYTES];
    uint64_t pending;
    current = seed;
    make_log(l, seed);
    for (uint64_t n = 1 + below(l, 3); n > 0; n--)
        damage(l, 1 + (uint32_t)below(l, l->segments));
    assert_int_equal(inf_journal_peek(l->dir.path, &pending), 0);
    assert_true(pending <= RECORDS);
    int found = inf_journal_adopt(&j, l->dir.path);
    int64_t last = -1;
    if (found == 1) {
        inf_position end = 0;
        while ((found = inf_journal_next(j, &record)) == 1) {
            uint32_t id;
            assert_true(record.length >= 4);
            memcpy(&id, record.payload, 4);
            assert_true(id < RECORDS && (int64_t)id > last);
            last = id;
            size_t length = make_record(seed, id, expected);
            assert_int_equal(record.length, length);
            assert_memory_equal(record.payload, expected, length);
            l->places[id].found = true;
            end = record.position;
        }
        assert_int_equal(found, 0);
        if (end)
            assert_int_equal(inf_journal_ack(j, end), 0);
        inf_journal_close(j);
    }
    assert_int_equal(found, 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        *kept += l->places[i].found;
        assert_true(l->places[i].found || l->places[i].touched);
    }
    assert_int_equal(inf_journal_adopt(&j, l->dir.path), 0); /* done with */
    assert_int_equal(count_writers(&l->dir), 0);
    test_dir_remove(&l->dir);
}

static void test_damage_costs_only_what_it_touched(void **state)
{
    (void)state;
    uint64_t kept = 0;
    const char *one = getenv("INF_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : getenv("INF_TORTURE") ? 5000 : 100;
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed, &kept);
    print_message("%llu damaged logs, %llu records recovered\n", (unsigned long long)count, (unsigned long long)kept);
}

static int say_seed(void **state)
{
    (void)state;
    print_message("the last seed was INF_SEED=%llu\n", (unsigned long long)current);
    return 0;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* Things with the names of ours that are not ours. */
static void test_foreign_things_stay(void **state)
{
    (void)state;
    struct log *l = calloc(1, sizeof(*l));
    struct test_dir outside;
    char path[600], target[100], command[700];
    inf_journal *j;
    inf_record record;
    assert_non_null(l);
    test_dir_make(&outside);
    make_log(l, 1);
    snprintf(target, sizeof(target), "%s/precious", outside.path);
    write_bytes(target, "precious", 8);

    snprintf(path, sizeof(path), "%s/w-00000000000000ff", l->dir.path); /* a link where a writer would be */
    assert_int_equal(symlink(outside.path, path), 0);
    snprintf(path, sizeof(path), "%s/w-00000000000000fe", l->dir.path); /* a file */
    write_bytes(path, "x", 1);
    snprintf(path, sizeof(path), "%s/w-00000000000000fd", l->dir.path); /* a writer whose lock is a link */
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/w-00000000000000fd/lock", l->dir.path);
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof(path), "%s/notes.txt", l->dir.path);
    write_bytes(path, "notes", 5);
    snprintf(path, sizeof(path), "%s/00000100.seg", l->writer); /* segments that are a link, a directory, a pipe */
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof(path), "%s/00000101.seg", l->writer);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/00000102.seg", l->writer);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/notes.txt", l->writer);
    write_bytes(path, "notes", 5);

    unsigned records = 0;
    assert_int_equal(inf_journal_adopt(&j, l->dir.path), 1);
    while (inf_journal_next(j, &record) == 1)
        records++;
    assert_int_equal(records, RECORDS);
    assert_int_equal(inf_journal_ack(j, record.position), 0);
    inf_journal_close(j);
    assert_true(inf_journal_adopt(&j, l->dir.path) <= 0);
    assert_true(exists(path));
    snprintf(path, sizeof(path), "%s/notes.txt", l->dir.path);
    assert_true(exists(path));
    snprintf(command, sizeof(command), "test \"$(cat '%s')\" = precious", target);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof(path), "%s/00000001.seg", l->writer);
    assert_false(exists(path)); /* ours is done with */
    test_dir_remove(&l->dir);
    test_dir_remove(&outside);
    free(l);
}

static void test_other_owners(void **state)
{
    (void)state;
    struct log *l = calloc(1, sizeof(*l));
    inf_journal *j;
    inf_journal_options options = {0};
    assert_non_null(l);
    if (geteuid() != 0) { /* nobody else can give a file away */
        free(l);
        skip();
    }
    make_log(l, 1);
    assert_int_equal(chown(l->writer, 65534, 65534), 0);
    assert_int_equal(inf_journal_adopt(&j, l->dir.path), 0);
    assert_int_equal(chown(l->writer, 0, 0), 0);
    char path[440];
    segment_file(l, 1, path);
    assert_int_equal(chown(path, 65534, 65534), 0); /* one segment is somebody else's: it is passed over */
    assert_int_equal(inf_journal_adopt(&j, l->dir.path), 1);
    inf_record record;
    assert_int_equal(inf_journal_next(j, &record), 1);
    uint32_t id;
    memcpy(&id, record.payload, sizeof(id));
    assert_true(id > 0);
    inf_journal_close(j);
    assert_int_equal(chown(l->dir.path, 65534, 65534), 0);
    options.dir = l->dir.path;
    assert_int_equal(inf_journal_open(&j, &options), INF_EACCES);
    assert_int_equal(inf_journal_adopt(&j, l->dir.path), INF_EACCES);
    assert_int_equal(chown(l->dir.path, 0, 0), 0);
    assert_int_equal(chown(path, 0, 0), 0);
    test_dir_remove(&l->dir);
    free(l);
}

/* A log of a later version of the format: left alone, byte for byte, and said. */
static void test_other_versions(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
    } changes[] = {{8, 2}, {7, '2'}, {11, 1}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct log *l = calloc(1, sizeof(*l));
        inf_journal *j;
        char path[440];
        assert_non_null(l);
        make_log(l, 1);
        uint8_t *bytes = l->bytes[2];
        bytes[changes[i].at] = changes[i].byte;
        uint32_t crc = inf_crc32c(0, bytes, 28);
        memcpy(bytes + 28, &crc, sizeof(crc));
        segment_file(l, 2, path);
        write_bytes(path, bytes, SEGMENT);
        assert_int_equal(inf_journal_adopt(&j, l->dir.path), INF_EVERSION);
        for (uint32_t s = 1; s <= l->segments; s++) {
            uint8_t now[SEGMENT];
            segment_file(l, s, path);
            int fd = open(path, O_RDONLY);
            assert_int_equal(read(fd, now, SEGMENT), SEGMENT);
            close(fd);
            assert_memory_equal(now, l->bytes[s], SEGMENT);
        }
        /* Beside it, what is understood is adopted, and what is new is written. */
        inf_journal_options options = {.dir = l->dir.path, .segment_bytes = SEGMENT};
        assert_int_equal(inf_journal_open(&j, &options), 0);
        assert_int_equal(inf_journal_append(j, 1, "now!", 4, NULL, 0, NULL), 0);
        inf_journal_close(j);
        assert_int_equal(inf_journal_adopt(&j, l->dir.path), 1);
        inf_journal_close(j);
        test_dir_remove(&l->dir);
        free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_damage_costs_only_what_it_touched, say_seed),
        cmocka_unit_test(test_foreign_things_stay),
        cmocka_unit_test(test_other_owners),
        cmocka_unit_test(test_other_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

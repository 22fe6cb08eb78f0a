/* Recovery of a dead writer's log. The first byte says whether the rest is a segment file as it is, or a list of
 * changes {segment, offset, offset, byte} to a log of whole records; four of these bytes a change. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "infinium.h"
#include "journal/journal.h"

#define SEGMENT 8192u
#define SEGMENTS 3
#define WRITER 0x0123456789abcdefull

static char dir[64], writer[128];
static uint8_t whole[SEGMENTS][SEGMENT];

static void write_segment(unsigned number, const void *bytes, size_t size)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%08x.seg", writer, number);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

static void clean_up(void)
{
    char path[200];
    for (unsigned i = 1; i <= SEGMENTS; i++) {
        snprintf(path, sizeof(path), "%s/%08x.seg", writer, i);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/lock", writer);
    unlink(path);
    rmdir(writer);
}

static void end(void)
{
    clean_up();
    rmdir(dir);
}

/* A log of our own, to be changed. Its writer's id goes into every checksum, so the directory keeps its name. */
static void start(void)
{
    inf_journal *j;
    inf_record record;
    uint8_t bytes[1000];
    bool shm = access("/dev/shm", W_OK) == 0;
    snprintf(dir, sizeof(dir), "%s/inf-fuzz-XXXXXX", shm ? "/dev/shm" : "/tmp");
    MUST(mkdtemp(dir));
    inf_journal_options options = {.dir = dir, .segment_bytes = SEGMENT};
    MUST(inf_journal_open(&j, &options) == 0);
    for (unsigned i = 0; i < 20; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        MUST(inf_journal_append(j, (uint8_t)i, bytes, i * 50, NULL, 0, NULL) == 0);
    }
    inf_journal_close(j);
    MUST(inf_journal_adopt(&j, dir) == 1); /* only to learn its name */
    MUST(inf_journal_next(j, &record) == 1);
    inf_journal_close(j);
    char command[200];
    snprintf(command, sizeof(command), "ls -d %s/w-*", dir);
    FILE *names = popen(command, "r");
    MUST(names && fgets(writer, sizeof(writer), names));
    pclose(names);
    writer[strcspn(writer, "\n")] = '\0';
    for (unsigned i = 0; i < SEGMENTS; i++) {
        char path[200];
        snprintf(path, sizeof(path), "%s/%08x.seg", writer, i + 1);
        int fd = open(path, O_RDONLY);
        MUST(fd >= 0 && read(fd, whole[i], SEGMENT) == SEGMENT);
        close(fd);
    }
    atexit(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inf_journal *j;
    inf_record record;
    uint64_t pending;
    if (!writer[0])
        start();
    if (size == 0)
        return 0;
    mkdir(writer, 0700);
    if (data[0] % 2 == 0) {
        write_segment(1, data + 1, size - 1);
    } else {
        static uint8_t changed[SEGMENTS][SEGMENT];
        memcpy(changed, whole, sizeof(whole));
        for (size_t i = 1; i + 4 <= size; i += 4)
            changed[data[i] % SEGMENTS][(data[i + 1] << 8 | data[i + 2]) % SEGMENT] = data[i + 3];
        for (unsigned i = 0; i < SEGMENTS; i++)
            write_segment(i + 1, changed[i], data[0] & 2 && i == 1 ? size * 64 % SEGMENT : SEGMENT);
    }
    MUST(inf_journal_peek(dir, &pending) == 0);
    int found = inf_journal_adopt(&j, dir);
    if (found == 1) {
        unsigned count = 0;
        unsigned sum = 0;
        inf_position end_of_last = 0;
        while ((found = inf_journal_next(j, &record)) == 1) {
            MUST(++count < 10000);
            MUST(record.position > end_of_last);
            end_of_last = record.position;
            for (uint32_t i = 0; i < record.length; i++)
                sum += record.payload[i];
            if (count % 3 == 0)
                MUST(inf_journal_ack(j, record.position) == 0);
            if (count == 5)
                inf_journal_rewind(j), end_of_last = 0;
        }
        MUST(found == 0 && sum != 1u << 31);
        inf_journal_close(j);
    }
    clean_up();
    return 0;
}

/* `infinium doctor` on directories that were damaged on purpose, and `infinium backup`. */
#include <sqlite3.h>
#include <sys/wait.h>

#include "commands.h"
#include "examine.h"
#include "receiver/running.h"

static char report[16384];

static void note(void *context, const cli_finding *f)
{
    static const char *const levels[] = {"ok", "note", "repaired", "wrong"};
    size_t n = strlen(report);
    (void)context;
    snprintf(report + n, sizeof report - n, "%s %s: %s\n%s\n", levels[f->level], f->where, f->text,
             f->advice ? f->advice : "");
}

static int examine(const struct running *r, bool repair)
{
    report[0] = 0;
    return cli_examine(r->dir, repair, note, NULL);
}

#define check_report(text)                                                                                             \
    do {                                                                                                               \
        if (!strstr(report, text))                                                                                     \
            fail_msg("'%s' is not in:\n%s", text, report);                                                             \
    } while (0)

/* A directory that was used: a few traces stored, the receiver ended. */
static int make_used(void **state)
{
    set_up(state);
    struct running *r = *state;
    for (int i = 0; i < 20; i++)
        check_answer(post(r, JSON, "{\"name\":\"n\",\"input_summary\":\"some text\"}"), 201, NULL);
    stop(r);
    return 0;
}

static int unmake_used(void **state)
{
    struct running *r = *state;
    if (r->receiver)
        stop(r);
    remove_tree(r->dir);
    free(r);
    return 0;
}

static const char *file_in(const struct running *r, const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", r->dir, name);
    return path;
}

/* Writes `length` bytes of `byte` at `at`. */
static void flip(const char *path, off_t at, int byte, size_t length)
{
    char data[4096];
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    memset(data, byte, sizeof data);
    for (size_t done = 0; done < length; done += sizeof data)
        assert_true(pwrite(fd, data, length - done < sizeof data ? length - done : sizeof data, at + (off_t)done) > 0);
    close(fd);
}

static void a_healthy_directory_is_said_to_be_so(void **state)
{
    struct running *r = *state;
    assert_int_equal(examine(r, false), 0);
    check_report("ok files: no file is open to others");
    check_report("ok journal: nothing waits in it");
    check_report("ok store: its pages and indexes are whole, and its sums are those of its traces");
    check_report("ok store: the newest 20 traces can be read");
    assert_null(strstr(report, "wrong"));
    start_with(r, NULL);
    assert_int_equal(examine(r, false), 0);
    check_report("ok directory: a receiver runs on it at http://127.0.0.1:");
    check_report("ok journal: the running receiver has it");
}

static void modes_are_found_and_put_right(void **state)
{
    struct running *r = *state;
    assert_int_equal(chmod(r->dir, 0755), 0);
    assert_int_equal(chmod(file_in(r, "infinium.db"), 0644), 0);
    assert_int_equal(chmod(file_in(r, "read.token"), 0640), 0);
    assert_int_equal(examine(r, false), 3);
    check_report("wrong files: read.token is open to others (640)");
    assert_int_equal(examine(r, true), 0);
    check_report("repaired directory: ");
    check_report("repaired files: infinium.db was open to others (644); now it is 600");
    assert_int_equal(examine(r, false), 0);
}

static void a_damaged_token_is_found_and_removed(void **state)
{
    struct running *r = *state;
    flip(file_in(r, "admin.token"), 10, '!', 5);
    assert_int_equal(examine(r, false), 1);
    check_report("wrong files: admin.token holds no token");
    assert_int_equal(examine(r, true), 0);
    check_report("repaired files: admin.token held no token and was removed");
    start_with(r, NULL); /* makes a new one */
    assert_int_equal(examine(r, false), 0);
}

static void strangers_are_noted(void **state)
{
    struct running *r = *state;
    close(open(file_in(r, "notes.txt"), O_WRONLY | O_CREAT, 0600));
    close(open(file_in(r, "journal/core"), O_WRONLY | O_CREAT, 0600));
    assert_int_equal(examine(r, false), 0);
    check_report("note files: notes.txt is none of the receiver's");
    check_report("note journal: journal/core is none of the receiver's");
}

/* The only file of the one log in the journal. */
static void find_segment(const struct running *r, char out[400])
{
    char path[200];
    DIR *dir;
    out[0] = 0;
    snprintf(path, sizeof path, "%s/journal", r->dir);
    assert_non_null(dir = opendir(path));
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, "w-", 2) == 0)
            snprintf(out, 400, "%s/%s/00000001.seg", path, e->d_name);
    closedir(dir);
    assert_int_equal(access(out, R_OK), 0);
}

/* A receiver that was killed with its store held: what it accepted is in the journal. */
static void leave_traces(struct running *r)
{
    fflush(NULL);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        sqlite3 *other;
        start_with(r, NULL);
        sqlite3_open(file_in(r, "infinium.db"), &other);
        if (sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        for (int i = 0; i < 5; i++)
            post(r, JSON, "{\"name\":\"left behind\"}");
        _exit(write(ready[1], "x", 1) == 1 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(ready[1]);
}

static void what_is_left_in_the_journal_is_found_and_stored(void **state)
{
    struct running *r = *state;
    leave_traces(r);
    assert_int_equal(examine(r, false), 0);
    check_report("note journal: 5 accepted traces are not stored yet");
    assert_int_equal(examine(r, false), 0); /* to look changes nothing */
    check_report("note journal: 5 accepted traces are not stored yet");
    assert_int_equal(examine(r, true), 0);
    check_report("repaired journal: 5 accepted traces were stored");
    check_report("ok store: the newest 25 traces can be read");
    assert_int_equal(examine(r, false), 0);
    check_report("ok journal: nothing waits in it");
}

static void a_damaged_journal_is_said_and_the_rest_of_it_saved(void **state)
{
    struct running *r = *state;
    char segment[400];
    leave_traces(r);
    find_segment(r, segment);
    flip(segment, 4096 + 300, 0xee, 40); /* inside the second record or so */
    assert_int_equal(examine(r, false), 1);
    check_report("wrong journal: 1 stretch of it is damaged");
    check_report("note journal: 4 accepted traces are not stored yet");
    assert_int_equal(examine(r, true), 1); /* one is lost, and that is said */
    check_report("repaired journal: 4 accepted traces were stored");
    assert_int_equal(examine(r, false), 0);
}

static void flipped_bytes_in_the_store_are_found(void **state)
{
    struct running *r = *state;
    struct stat st;
    assert_int_equal(stat(file_in(r, "infinium.db"), &st), 0);
    assert_true(st.st_size > 6 * 4096);
    flip(file_in(r, "infinium.db"), 2 * 4096, 0x5a, (size_t)st.st_size - 2 * 4096);
    assert_true(examine(r, false) > 0);
    check_report("wrong store: ");
    flip(file_in(r, "infinium.db"), 0, 0x5a, 100);
    assert_int_equal(examine(r, true), 1);
    check_report("wrong store: infinium.db is no database");
}

/* What can be counted anew is no reason to go back to a backup. */
static void miscounted_values_are_no_damage(void **state)
{
    struct running *r = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file_in(r, "infinium.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE facets SET traces = traces + 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(examine(r, false), 1);
    check_report("are not counted right\n--repair counts anew\n");
    assert_null(strstr(report, "backup"));
    assert_int_equal(examine(r, true), 0);
    check_report("counted anew");
    assert_int_equal(examine(r, false), 0);
}

static void a_missing_store_is_found(void **state)
{
    struct running *r = *state;
    assert_int_equal(unlink(file_in(r, "infinium.db")), 0);
    assert_int_equal(examine(r, true), 1);
    check_report("wrong store: infinium.db is missing");
    assert_int_equal(access(file_in(r, "infinium.db"), F_OK), -1); /* nothing is made in its place */
}

static void no_directory_is_wrong(void **state)
{
    struct running *r = *state;
    struct running none = {.dir = "/tmp/infinium-nowhere"};
    assert_int_equal(examine(&none, true), 1);
    snprintf(none.dir, sizeof none.dir, "%.40s/read.token", r->dir);
    assert_int_equal(examine(&none, false), 1);
    check_report("is no directory");
}

static void a_backup_is_a_store(void **state)
{
    struct running *r = *state;
    struct running other = {.c.fd = -1};
    char file[100];
    make_dir(&other);
    start_with(r, NULL);
    check_answer(post(r, JSON, "{\"name\":\"newest\"}"), 201, NULL);
    snprintf(file, sizeof file, "%s/infinium.db", other.dir);
    char *argv[] = {"backup", "--data", r->dir, file, NULL};
    assert_int_equal(cmd_backup(4, argv), 0);
    assert_int_equal(cmd_backup(4, argv), 1); /* never over something */
    stop(r);
    assert_int_equal(examine(&other, false), 0);
    check_report("ok store: the newest 21 traces can be read");
    remove_tree(other.dir);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_used, unmake_used)
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_directory_is_said_to_be_so),
        TEST(modes_are_found_and_put_right),
        TEST(a_damaged_token_is_found_and_removed),
        TEST(strangers_are_noted),
        TEST(what_is_left_in_the_journal_is_found_and_stored),
        TEST(a_damaged_journal_is_said_and_the_rest_of_it_saved),
        TEST(flipped_bytes_in_the_store_are_found),
        TEST(miscounted_values_are_no_damage),
        TEST(a_missing_store_is_found),
        TEST(no_directory_is_wrong),
        TEST(a_backup_is_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

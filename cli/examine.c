/* See examine.h. */
#include "examine.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/json_read.h"
#include "data.h"
#include "directory.h"
#include "infinium.h"
#include "ingest/record.h"
#include "journal/journal.h"
#include "output.h"
#include "serve.h"
#include "store/store.h"

#define MIBIBYTES (1024.0 * 1024)
#define SPACE_LEAST (64ull * 1024 * 1024) /* bytes: a few segments of the journal */
#define WAL_LARGE (256 * 1024 * 1024)
#define LOGS_MAX 64
#define SAMPLE 100
#define DRAIN_MS 600000
#define CIFS_MAGIC 0xff534d42
#define FUSE_MAGIC 0x65735546
#define XFS_MAGIC 0x58465342
#define PATH_SIZE (CLI_PATH_SIZE + 300)
#define RESTORE                                                                                                        \
    "stop the receiver, move infinium.db, infinium.db-wal and infinium.db-shm away, and put a backup (`infinium "      \
    "backup`) in their place"

typedef struct examination {
    const char *dir;
    bool repair;
    bool running; /* a receiver has the directory */
    int wrong;
    void (*say)(void *context, const cli_finding *finding);
    void *context;
} examination;

static void say(examination *e, enum cli_finding_level level, const char *where, const char *advice, const char *format,
                ...) __attribute__((format(printf, 5, 6)));

static void say(examination *e, enum cli_finding_level level, const char *where, const char *advice, const char *format,
                ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_finding finding = {level, where, text, advice};
    e->wrong += level == CLI_FINDING_WRONG;
    e->say(e->context, &finding);
}

static void path_of(const examination *e, const char *name, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s", e->dir, name);
}

/* ---- the directory ---- */

/* False when nothing else can be looked at. */
static bool look_at_directory(examination *e)
{
    struct stat st;
    if (stat(e->dir, &st) < 0) {
        say(e, CLI_FINDING_WRONG, "directory", "`infinium serve --data DIR` makes it", "%s: %s", e->dir,
            strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        say(e, CLI_FINDING_WRONG, "directory", "give the data directory with --data DIR", "%s is no directory", e->dir);
        return false;
    }
    if (st.st_uid != geteuid())
        say(e, CLI_FINDING_NOTE, "directory", "run this as that user, so that everything can be looked at",
            "%s belongs to user %u, and this is user %u", e->dir, (unsigned)st.st_uid, (unsigned)geteuid());
    if (!(st.st_mode & 077))
        say(e, CLI_FINDING_OK, "directory", NULL, "%s is there, and its owner's alone", e->dir);
    else if (e->repair && chmod(e->dir, 0700) == 0)
        say(e, CLI_FINDING_REPAIRED, "directory", NULL, "%s was open to others (%03o); now it is 700", e->dir,
            (unsigned)st.st_mode & 0777);
    else
        say(e, CLI_FINDING_WRONG, "directory", "chmod 700, or --repair", "%s is open to others (%03o)", e->dir,
            (unsigned)st.st_mode & 0777);
    return true;
}

static void look_at_disk(examination *e)
{
    static const struct {
        long magic;
        const char *name;
        const char *trouble; /* NULL: fine */
    } kinds[] = {
        {TMPFS_MAGIC, "tmpfs", "it is memory: everything is gone with the next start of the machine"},
        {NFS_SUPER_MAGIC, "NFS", "locks and mapped files cannot be relied on over the network"},
        {CIFS_MAGIC, "SMB", "locks and mapped files cannot be relied on over the network"},
        {FUSE_MAGIC, "FUSE", "whether locks, mapped files and fdatasync can be relied on depends on what is behind"},
        {EXT4_SUPER_MAGIC, "ext4", NULL},
        {XFS_MAGIC, "XFS", NULL},
        {BTRFS_SUPER_MAGIC, "btrfs", NULL},
        {OVERLAYFS_SUPER_MAGIC, "overlayfs", "it is a container's own layer: a volume outlives the container"}};
    struct statfs kind;
    struct statvfs space;
    if (statfs(e->dir, &kind) < 0 || statvfs(e->dir, &space) < 0) {
        say(e, CLI_FINDING_WRONG, "directory", NULL, "its file system cannot be looked at: %s", strerror(errno));
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((long)(unsigned)kind.f_type == kinds[i].magic && kinds[i].trouble)
            say(e, CLI_FINDING_NOTE, "directory", NULL, "the file system is %s: %s", kinds[i].name, kinds[i].trouble);
    uint64_t left = (uint64_t)space.f_bavail * space.f_frsize;
    if (left < SPACE_LEAST)
        say(e, CLI_FINDING_WRONG, "directory", "make room: nothing can be accepted on a full disk",
            "%.1f MiB are left on its file system", (double)left / MIBIBYTES);
    else
        say(e, CLI_FINDING_OK, "directory", NULL, "%.0f MiB are left on its file system", (double)left / MIBIBYTES);
    if (access(e->dir, W_OK) < 0)
        say(e, CLI_FINDING_WRONG, "directory", "give it to the user that the receiver runs as",
            "it cannot be written: %s", strerror(errno));
}

/* ---- its files ---- */

static const char *const private_files[] = {"infinium.db", "infinium.db-wal", "infinium.db-shm", "read.token",
                                            "admin.token", "receiver.lock",   "receiver.state",  "receiver.reload"};
enum { PRIVATE_FILES = sizeof private_files / sizeof private_files[0] };

static void look_at_mode(examination *e, const char *name)
{
    char path[PATH_SIZE];
    struct stat st;
    path_of(e, name, path);
    if (lstat(path, &st) < 0)
        return;
    if (!S_ISREG(st.st_mode))
        say(e, CLI_FINDING_WRONG, "files", "move it away", "%s is no file", name);
    else if ((st.st_mode & 077) && e->repair && chmod(path, 0600) == 0)
        say(e, CLI_FINDING_REPAIRED, "files", NULL, "%s was open to others (%03o); now it is 600", name,
            (unsigned)st.st_mode & 0777);
    else if (st.st_mode & 077)
        say(e, CLI_FINDING_WRONG, "files", "chmod 600, or --repair", "%s is open to others (%03o)", name,
            (unsigned)st.st_mode & 0777);
}

static void look_at_token(examination *e, const char *name)
{
    char path[PATH_SIZE], text[128];
    path_of(e, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return; /* the next start makes it */
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        say(e, CLI_FINDING_WRONG, "files", NULL, "%s cannot be read: %s", name, strerror(error));
        return;
    }
    text[n] = 0;
    size_t digits = 0;
    while (isxdigit((unsigned char)text[digits]))
        digits++;
    if (digits == 64 && (!text[64] || strcmp(text + 64, "\n") == 0))
        return;
    if (e->repair && !e->running && unlink(path) == 0)
        say(e, CLI_FINDING_REPAIRED, "files", "give the new one to the scripts that use it",
            "%s held no token and was removed; the next start makes a new one", name);
    else
        say(e, CLI_FINDING_WRONG, "files",
            "stop the receiver and remove it, or --repair: the next start makes a new one", "%s holds no token", name);
}

static bool is_ours(const char *name)
{
    if (strcmp(name, "journal") == 0 || name[0] == '.')
        return true;
    for (int i = 0; i < PRIVATE_FILES; i++)
        if (strcmp(private_files[i], name) == 0)
            return true;
    return false;
}

static void look_at_files(examination *e)
{
    int before = e->wrong;
    for (int i = 0; i < PRIVATE_FILES; i++)
        look_at_mode(e, private_files[i]);
    look_at_token(e, "read.token");
    look_at_token(e, "admin.token");
    DIR *dir = opendir(e->dir);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (!is_ours(entry->d_name))
            say(e, CLI_FINDING_NOTE, "files", "move it away if you know that nobody needs it",
                "%s is none of the receiver's", entry->d_name);
    if (dir)
        closedir(dir);
    if (e->wrong == before)
        say(e, CLI_FINDING_OK, "files", NULL, "no file is open to others");
}

/* ---- the journal ---- */

struct logs {
    inf_journal *open[LOGS_MAX];
    int count;
    uint64_t records, unreadable, skipped;
};

static void read_log(struct logs *l, inf_journal *journal)
{
    inf_record record;
    inf_store_put put;
    inf_journal_stats stats;
    while (inf_journal_next(journal, &record) == 1) {
        l->records++;
        l->unreadable += record.type == INF_RECORD_INGEST && inf_ingest_decode(record.payload, record.length, &put) < 0;
    }
    inf_journal_get_stats(journal, &stats);
    l->skipped += stats.skipped;
}

/* Reads what dead receivers left, and leaves it: a log is given back only after all were taken, or it would be taken
 * again. */
static int read_logs(struct logs *l, const char *dir)
{
    int rc = 0;
    while (l->count < LOGS_MAX && (rc = inf_journal_adopt(&l->open[l->count], dir)) == 1)
        read_log(l, l->open[l->count++]);
    for (int i = 0; i < l->count; i++)
        inf_journal_close(l->open[i]);
    return rc == 1 || rc == INF_ENOTFOUND ? 0 : rc;
}

static bool is_writer(const char *name)
{
    return strlen(name) == 18 && strncmp(name, "w-", 2) == 0 && strspn(name + 2, "0123456789abcdef") == 16;
}

static void look_for_strangers(examination *e, const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && !is_writer(entry->d_name))
            say(e, CLI_FINDING_NOTE, "journal", "move it away if you know that nobody needs it",
                "journal/%s is none of the receiver's", entry->d_name);
    if (dir)
        closedir(dir);
}

static void store_what_is_left(examination *e, uint64_t records)
{
    int rc = inf_store_catch_up(e->dir, DRAIN_MS);
    if (rc == 0)
        say(e, CLI_FINDING_REPAIRED, "journal", NULL, "%" PRIu64 " accepted trace%s stored", records,
            records == 1 ? " was" : "s were");
    else
        say(e, CLI_FINDING_WRONG, "journal", "see what is wrong with the store",
            "what waits in it cannot be stored: %s", inf_strerror(rc));
}

static void look_at_journal(examination *e)
{
    char path[PATH_SIZE], holder[600];
    struct logs l = {.count = 0};
    inf_directory d;
    path_of(e, "journal", path);
    look_for_strangers(e, path);
    if (e->running) {
        say(e, CLI_FINDING_OK, "journal", NULL, "the running receiver has it");
        return;
    }
    int rc = inf_directory_take(&d, e->dir, false, holder, sizeof holder);
    if (rc == 0) {
        rc = read_logs(&l, path);
        inf_directory_release(&d);
    }
    if (rc == INF_EVERSION)
        say(e, CLI_FINDING_WRONG, "journal", "start the version that wrote it, once",
            "another version wrote parts of it");
    else if (rc < 0)
        say(e, CLI_FINDING_WRONG, "journal", NULL, "it cannot be read: %s", inf_strerror(rc));
    if (l.skipped > 0)
        say(e, CLI_FINDING_WRONG, "journal",
            "what was in there is lost, the rest is not; look at the disk. It is gone once the rest is stored "
            "(--repair, or "
            "a start)",
            "%" PRIu64 " stretch%s of it %s damaged and passed over", l.skipped, l.skipped == 1 ? "" : "es",
            l.skipped == 1 ? "is" : "are");
    if (l.unreadable > 0)
        say(e, CLI_FINDING_WRONG, "journal", "they are left out when the rest is stored",
            "%" PRIu64 " of its records %s whole but no trace%s", l.unreadable, l.unreadable == 1 ? "is" : "are",
            CLI_S(l.unreadable));
    if (l.records > 0 && e->repair)
        store_what_is_left(e, l.records);
    else if (l.records > 0)
        say(e, CLI_FINDING_NOTE, "journal", "the next start stores them; --repair does it now",
            "%" PRIu64 " accepted trace%s not stored yet", l.records, l.records == 1 ? " is" : "s are");
    else if (rc >= 0 && l.skipped == 0)
        say(e, CLI_FINDING_OK, "journal", NULL, "nothing waits in it");
}

/* ---- the store ---- */

static bool is_database(examination *e)
{
    char path[PATH_SIZE], head[16] = "";
    path_of(e, "infinium.db", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        path_of(e, "read.token", path);
        if (access(path, F_OK) == 0)
            say(e, CLI_FINDING_WRONG, "store", RESTORE, "infinium.db is missing");
        else
            say(e, CLI_FINDING_NOTE, "store", NULL, "there is none yet; the first start makes it");
        return false;
    }
    /* Not while the database is in use: closing a descriptor of it would drop the locks of this process, of which there
     * are none yet. */
    ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        say(e, CLI_FINDING_WRONG, "store", NULL, "infinium.db cannot be read: %s", strerror(error));
    else if (n != sizeof head || memcmp(head, "SQLite format 3", sizeof head) != 0)
        say(e, CLI_FINDING_WRONG, "store", RESTORE, "infinium.db is no database: its head is damaged or another's");
    else
        return true;
    return false;
}

static int say_damage(void *context, const char *text)
{
    say(context, CLI_FINDING_WRONG, "store",
        "`infinium export` saves what can still be read. Then " RESTORE ", and `infinium import` what the backup lacks",
        "%s", text);
    return 0;
}

/* Nothing is lost: the traces say it all. */
static int say_miscounted(void *context, const char *text)
{
    say(context, CLI_FINDING_WRONG, "store", "--repair counts anew", "%s", text);
    return 0;
}

static int say_recounted(void *context, const char *text)
{
    say(context, CLI_FINDING_REPAIRED, "store", NULL, "%s", text);
    return 0;
}

/* A large store takes minutes. */
static int show_life(void *context)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fputc('.', stderr);
    return 0;
}

struct sample {
    uint8_t ids[SAMPLE][16];
    int count;
};

static int note_id(void *context, const inf_summary *summary)
{
    struct sample *s = context;
    if (s->count < SAMPLE)
        memcpy(s->ids[s->count++], summary->trace_id, 16);
    return 0;
}

/* The newest traces' bodies: are they there, and JSON? */
static void look_at_bodies(examination *e, inf_store *store)
{
    struct sample s = {.count = 0};
    inf_store_filter newest = INF_STORE_FILTER_INIT;
    inf_json *parser = inf_json_new();
    int bad = 0;
    newest.limit = SAMPLE;
    int rc = parser ? inf_store_list(store, &newest, note_id, &s, NULL) : INF_ENOMEM;
    for (int i = 0; rc == 0 && i < s.count; i++) {
        inf_summary summary;
        inf_json_value root;
        char *body = NULL;
        size_t length;
        int got = inf_store_get(store, s.ids[i], &summary, &body, &length);
        bad += got < 0 || inf_json_parse(parser, body, length, 0, &root) < 0;
        free(body);
    }
    inf_json_free(parser);
    if (rc < 0)
        say(e, CLI_FINDING_WRONG, "store", RESTORE, "the list cannot be read: %s (%s)", inf_strerror(rc),
            inf_store_message(store));
    else if (bad > 0)
        say(e, CLI_FINDING_WRONG, "store", RESTORE, "%d of the newest %d traces cannot be read", bad, s.count);
    else
        say(e, CLI_FINDING_OK, "store", NULL, "the newest %d trace%s can be read", s.count, CLI_S(s.count));
}

static void look_at_log(examination *e, inf_store *store)
{
    char path[PATH_SIZE];
    struct stat st;
    path_of(e, "infinium.db-wal", path);
    if (stat(path, &st) < 0 || st.st_size < WAL_LARGE)
        return;
    if (e->repair && inf_store_checkpoint(store) == 0)
        say(e, CLI_FINDING_REPAIRED, "store", NULL, "its log of %.0f MiB was moved into the database",
            (double)st.st_size / MIBIBYTES);
    else
        say(e, CLI_FINDING_NOTE, "store", "--repair moves it into the database, if no reader holds it",
            "its log has %.0f MiB", (double)st.st_size / MIBIBYTES);
}

static void look_at_store(examination *e)
{
    inf_store *store = NULL;
    if (!is_database(e))
        return;
    int rc = inf_store_open(&store, e->dir, 0);
    if (rc < 0 && strstr(inf_store_message(store), "newer version")) {
        say(e, CLI_FINDING_WRONG, "store", "use that version", "%s", inf_store_message(store));
    } else if (rc < 0) {
        say(e, CLI_FINDING_WRONG, "store", RESTORE, "it cannot be opened: %s (%s)", inf_strerror(rc),
            inf_store_message(store));
    } else {
        inf_check_calls calls = {say_damage, say_miscounted, say_recounted, show_life, e};
        int found = inf_store_check(store, &calls, e->repair);
        if (found < 0)
            say(e, CLI_FINDING_WRONG, "store", RESTORE, "it cannot be checked: %s (%s)", inf_strerror(found),
                inf_store_message(store));
        else if (found == 0)
            say(e, CLI_FINDING_OK, "store", NULL,
                "its pages and indexes are whole, and its sums are those of its traces");
        look_at_bodies(e, store);
        look_at_log(e, store);
    }
    inf_store_close(store);
}

int cli_examine(const char *dir, bool repair, void (*tell)(void *context, const cli_finding *finding), void *context)
{
    char url[512];
    examination e = {.dir = dir, .repair = repair, .say = tell, .context = context};
    if (!look_at_directory(&e))
        return e.wrong;
    e.running = inf_receiver_find(dir, url, sizeof url) == 1;
    if (e.running)
        say(&e, CLI_FINDING_OK, "directory", NULL, "a receiver runs on it at %s", url);
    look_at_disk(&e);
    look_at_files(&e);
    look_at_journal(&e);
    look_at_store(&e);
    return e.wrong;
}

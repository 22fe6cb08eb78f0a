/* See disk.h. */
#include "fault/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

#define PAGE 4096u
#define SECTOR 512u
#define MOST_NODES 4096
#define MOST_CHANGES 8192
#define NAME_BYTES 64

/* A file or a directory, kept open so that its inode number is not used again. */
struct node {
    ino_t ino;
    int fd;
    bool directory;
    uint8_t *durable;
    size_t durable_size;
    size_t written_from, written_to; /* by pwritev() since the last sync; 0, 0: nothing */
};

struct entry {
    int parent, child;
    char name[NAME_BYTES];
};

enum change_kind { LINK, UNLINK, RENAME };

/* What happened to a directory's names since its last fsync. */
struct change {
    enum change_kind kind;
    int parent, child;
    char name[NAME_BYTES], to[NAME_BYTES];
};

static struct inf_os real;
static char root[PATH_MAX];
static struct node nodes[MOST_NODES];
static int node_count;
static struct entry entries[MOST_NODES]; /* durable */
static int entry_count;
static struct change changes[MOST_CHANGES];
static int change_count;
static uint64_t calls, crash_at;
static void (*crash_function)(void *);
static void *crash_context;
static unsigned sync_fails_one_in;
static uint64_t sync_random;

static uint64_t image_seed;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fail(const char *what)
{
    fprintf(stderr, "disk.c: %s (errno %d, seed %llu)\n", what, errno, (unsigned long long)image_seed);
    abort();
}

static bool watched(const char *path)
{
    size_t length = strlen(root);
    return length > 0 && strncmp(path, root, length) == 0;
}

static void tick(void)
{
    int error = errno;
    if (crash_function && ++calls == crash_at) {
        void (*function)(void *) = crash_function;
        crash_function = NULL;
        function(crash_context);
    }
    errno = error;
}

static int find_node(ino_t ino)
{
    for (int i = node_count - 1; i >= 0; i--)
        if (nodes[i].ino == ino)
            return i;
    return -1;
}

static int node_of_path(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? find_node(st.st_ino) : -1;
}

static int add_node(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || node_count == MOST_NODES)
        fail("add_node");
    nodes[node_count] = (struct node){.ino = st.st_ino, .fd = fd, .directory = S_ISDIR(st.st_mode)};
    return node_count++;
}

/* Splits a path: the node of its directory, and its name. */
static int split(const char *path, char name[NAME_BYTES])
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    snprintf(name, NAME_BYTES, "%s", slash + 1);
    int node = node_of_path(parent);
    if (node < 0)
        fail("a directory that is not known");
    return node;
}

static struct change *add_change(enum change_kind kind, const char *path, int child)
{
    if (change_count == MOST_CHANGES)
        fail("too many changes");
    struct change *c = &changes[change_count++];
    *c = (struct change){.kind = kind, .child = child};
    c->parent = split(path, c->name);
    return c;
}

/* ---- names in a list of entries ---- */

static void remove_entry(struct entry *list, int *count, int parent, const char *name)
{
    for (int i = 0; i < *count; i++) {
        if (list[i].parent == parent && strcmp(list[i].name, name) == 0) {
            list[i] = list[--*count];
            return;
        }
    }
}

static void apply(struct entry *list, int *count, const struct change *c)
{
    if (c->kind != LINK)
        remove_entry(list, count, c->parent, c->name);
    if (c->kind == UNLINK)
        return;
    const char *name = c->kind == RENAME ? c->to : c->name;
    remove_entry(list, count, c->parent, name);
    if (*count == MOST_NODES)
        fail("too many entries");
    struct entry *e = &list[(*count)++];
    *e = (struct entry){.parent = c->parent, .child = c->child};
    snprintf(e->name, sizeof(e->name), "%s", name);
}

/* ---- the calls ---- */

static int disk_open(const char *path, int flags, mode_t mode)
{
    bool made = watched(path) && (flags & O_CREAT) && access(path, F_OK) != 0;
    if (made)
        tick();
    int fd = real.open(path, flags, mode);
    if (made && fd >= 0)
        add_change(LINK, path, add_node(path));
    return fd;
}

static int disk_mkdir(const char *path, mode_t mode)
{
    bool ours = watched(path);
    if (ours)
        tick();
    int result = real.mkdir(path, mode);
    if (ours && result == 0)
        add_change(LINK, path, add_node(path));
    return result;
}

static int removed(const char *path, int (*function)(const char *))
{
    bool ours = watched(path);
    int node = ours ? node_of_path(path) : -1;
    if (ours)
        tick();
    int result = function(path);
    if (result == 0 && node >= 0)
        add_change(UNLINK, path, node);
    return result;
}

static int disk_unlink(const char *path)
{
    return removed(path, real.unlink);
}

static int disk_rmdir(const char *path)
{
    return removed(path, real.rmdir);
}

static int disk_rename(const char *from, const char *to)
{
    bool ours = watched(from);
    int node = ours ? node_of_path(from) : -1;
    if (ours)
        tick();
    int result = real.rename(from, to);
    if (result == 0 && node >= 0) {
        struct change *c = add_change(RENAME, from, node);
        snprintf(c->to, sizeof(c->to), "%s", strrchr(to, '/') + 1);
    }
    return result;
}

static void read_whole(const struct node *n, uint8_t **data, size_t *size)
{
    struct stat st;
    if (fstat(n->fd, &st) != 0)
        fail("fstat");
    *size = (size_t)st.st_size;
    *data = malloc(*size + 1);
    if (!*data || pread(n->fd, *data, *size, 0) != (ssize_t)*size)
        fail("read");
}

static int node_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? find_node(st.st_ino) : -1;
}

static ssize_t disk_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    int node = node_of(fd);
    if (node >= 0)
        tick();
    ssize_t n = real.pwritev(fd, parts, count, offset);
    if (node >= 0 && n > 0) {
        struct node *w = &nodes[node];
        if (w->written_to == 0 || (size_t)offset < w->written_from)
            w->written_from = (size_t)offset;
        if ((size_t)(offset + n) > w->written_to)
            w->written_to = (size_t)(offset + n);
    }
    return n;
}

/* What was written is gone, and no later sync brings it to the disk. */
static void lose(struct node *n)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", n->fd);
    size_t length = n->written_to - n->written_from;
    uint8_t *old = calloc(1, length + 1);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (!old || fd < 0)
        fail("lose");
    if (n->durable_size > n->written_from) {
        size_t have = n->durable_size - n->written_from;
        memcpy(old, n->durable + n->written_from, have < length ? have : length);
    }
    if (pwrite(fd, old, length, (off_t)n->written_from) != (ssize_t)length)
        fail("lose");
    close(fd);
    free(old);
}

static int synced(int fd)
{
    int node = node_of(fd);
    if (node < 0)
        return 0;
    tick();
    bool fails = sync_fails_one_in > 0 && next(&sync_random) % sync_fails_one_in == 0;
    if (fails && nodes[node].written_to > 0 && next(&sync_random) % 2)
        lose(&nodes[node]);
    nodes[node].written_from = nodes[node].written_to = 0;
    if (fails) {
        errno = EIO;
        return -1;
    }
    struct node *n = &nodes[node];
    if (!n->directory) {
        free(n->durable);
        read_whole(n, &n->durable, &n->durable_size);
        return 0;
    }
    int kept = 0;
    for (int i = 0; i < change_count; i++) {
        if (changes[i].parent == node)
            apply(entries, &entry_count, &changes[i]);
        else
            changes[kept++] = changes[i];
    }
    change_count = kept;
    return 0;
}

static int disk_ftruncate(int fd, off_t length)
{
    tick();
    return real.ftruncate(fd, length);
}

static int disk_fallocate(int fd, int mode, off_t offset, off_t length)
{
    tick();
    return real.fallocate(fd, mode, offset, length);
}

static void install(void)
{
    real = inf_os;
    inf_os.open = disk_open;
    inf_os.mkdir = disk_mkdir;
    inf_os.unlink = disk_unlink;
    inf_os.rmdir = disk_rmdir;
    inf_os.rename = disk_rename;
    inf_os.pwritev = disk_pwritev;
    inf_os.fsync = synced;
    inf_os.fdatasync = synced;
    inf_os.ftruncate = disk_ftruncate;
    inf_os.fallocate = disk_fallocate;
}

void disk_watch(const char *path)
{
    if (!real.open)
        install();
    snprintf(root, sizeof(root), "%s", path);
    node_count = entry_count = change_count = 0;
    add_node(path);
}

void disk_forget(void)
{
    for (int i = 0; i < node_count; i++) {
        close(nodes[i].fd);
        free(nodes[i].durable);
    }
    node_count = entry_count = change_count = 0;
    root[0] = '\0';
    crash_function = NULL;
    sync_fails_one_in = 0;
}

void disk_crash_at(uint64_t call, void (*on_crash)(void *context), void *context)
{
    calls = 0;
    crash_at = call;
    crash_function = on_crash;
    crash_context = context;
}

void disk_fail_syncs(unsigned one_in, uint64_t seed)
{
    sync_fails_one_in = one_in;
    sync_random = seed;
}

/* ---- the image ---- */

static void write_file(const struct node *n, const char *path, uint64_t *random)
{
    uint8_t *now;
    size_t size;
    read_whole(n, &now, &size);
    size_t old_size = n->durable_size;
    size_t larger = size > old_size ? size : old_size;
    uint8_t *mixed = calloc(1, larger + 1);
    if (!mixed)
        fail("memory");
    for (size_t page = 0; page < larger; page += PAGE) {
        uint64_t choice = next(random) % 4; /* 0: old, 1 and 2: new, 3: torn */
        for (size_t at = page; at < page + PAGE && at < larger; at += SECTOR) {
            bool new = choice == 3 ? next(random) % 2 : choice > 0;
            const uint8_t *from = new ? now : n->durable;
            size_t have = new ? size : old_size;
            if (at < have)
                memcpy(mixed + at, from + at, have - at < SECTOR ? have - at : SECTOR);
        }
    }
    size_t result = size;
    if (size != old_size) {
        size_t least = size < old_size ? size : old_size;
        uint64_t choice = next(random) % 3;
        result = choice == 0 ? size : choice == 1 ? old_size : least + next(random) % (larger - least + 1);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || (result > 0 && write(fd, mixed, result) != (ssize_t)result))
        fail("image");
    close(fd);
    free(mixed);
    free(now);
}

static void write_directory(const struct entry *list, int count, int node, const char *path, uint64_t *random)
{
    for (int i = 0; i < count; i++) {
        char below[PATH_MAX];
        if (list[i].parent != node)
            continue;
        int n = snprintf(below, sizeof(below), "%s/%s", path, list[i].name);
        if (n < 0 || (size_t)n >= sizeof(below))
            fail("path");
        if (!nodes[list[i].child].directory)
            write_file(&nodes[list[i].child], below, random);
        else if (mkdir(below, 0700) == 0)
            write_directory(list, count, list[i].child, below, random);
        else
            fail("mkdir");
    }
}

void disk_image(const char *image, uint64_t seed)
{
    static struct entry list[MOST_NODES];
    int count = entry_count;
    image_seed = seed;
    memcpy(list, entries, sizeof(*list) * (size_t)entry_count);
    for (int i = 0; i < change_count; i++)
        if (next(&seed) % 2)
            apply(list, &count, &changes[i]);
    write_directory(list, count, 0, image, &seed);
}

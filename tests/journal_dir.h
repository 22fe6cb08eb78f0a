/* A journal directory of a test's own, and looking into it. */
#ifndef INF_TESTS_JOURNAL_DIR_H
#define INF_TESTS_JOURNAL_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

struct test_dir {
    char path[64];
};

static inline void test_dir_make(struct test_dir *d)
{
    snprintf(d->path, sizeof(d->path), "%s", "/tmp/infinium-journal-XXXXXX");
    assert_non_null(mkdtemp(d->path));
}

static inline void test_dir_remove(struct test_dir *d)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf '%s'", d->path);
    assert_int_equal(system(command), 0);
}

/* How many names in `path` begin with `prefix` and end with `suffix`; the last of them in `name`. */
static inline int count_names(const char *path, const char *prefix, const char *suffix, char name[300])
{
    int count = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || length < strlen(suffix) ||
            strcmp(entry->d_name + length - strlen(suffix), suffix) != 0)
            continue;
        count++;
        if (name)
            snprintf(name, 300, "%s", entry->d_name);
    }
    closedir(dir);
    return count;
}

static inline int count_writers(const struct test_dir *d)
{
    return count_names(d->path, "w-", "", NULL);
}

/* The path of the only writer's directory. */
static inline void only_writer(const struct test_dir *d, char path[400])
{
    char name[300];
    assert_int_equal(count_names(d->path, "w-", "", name), 1);
    snprintf(path, 400, "%s/%s", d->path, name);
}

static inline int count_segments(const struct test_dir *d)
{
    char path[400];
    only_writer(d, path);
    return count_names(path, "", ".seg", NULL);
}

#endif

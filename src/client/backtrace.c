/* See backtrace.h.
 *
 * A line is "#0  function+0x1c in program", the innermost first; a function that the dynamic symbol table does not name
 * is "program+0x1234", which addr2line understands. Names are kept in a table of the process, one line for each return
 * address that has been seen; it is emptied when a library has been unloaded, whose addresses may come to mean another
 * one. */
#include "client/backtrace.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/utf8.h"

#define MAX_ERRORS 4
#define MAX_FRAMES 24
#define MAX_SKIP 4
#define LINE_SIZE 160
#define CACHE_LINES 256 /* a power of two */

struct inf_backtraces {
    unsigned count;
    struct {
        uint32_t group;
        unsigned frames;
        void *addresses[MAX_FRAMES];
    } list[MAX_ERRORS];
};

static struct {
    pthread_mutex_t lock;
    unsigned long long unloaded;
    struct {
        const void *address;
        char text[LINE_SIZE];
    } * lines; /* CACHE_LINES, made with the first error */
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int see_unloaded(struct dl_phdr_info *info, size_t size, void *out)
{
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof(info->dlpi_subs))
        *(unsigned long long *)out = info->dlpi_subs;
    return 1; /* the first module says it for all */
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void describe(const void *address, char out[LINE_SIZE])
{
    Dl_info info;
    /* A return address is behind the call, which may be the last instruction of its function. */
    const char *call = (const char *)address - 1;
    if (!dladdr(call, &info) || !info.dli_fname)
        snprintf(out, LINE_SIZE, "%p", address);
    else if (info.dli_sname)
        snprintf(out, LINE_SIZE, "%.90s+0x%zx in %.40s", info.dli_sname,
                 (size_t)((const char *)address - (const char *)info.dli_saddr), last_part(info.dli_fname));
    else
        snprintf(out, LINE_SIZE, "%.100s+0x%zx", last_part(info.dli_fname),
                 (size_t)(call - (const char *)info.dli_fbase));
}

/* The cache's lock is held. */
static const char *line_of(const void *address, char scratch[LINE_SIZE])
{
    if (!cache.lines) {
        describe(address, scratch);
        return scratch;
    }
    size_t slot = ((uintptr_t)address * 0x9E3779B97F4A7C15u >> 40) % CACHE_LINES;
    if (cache.lines[slot].address != address) {
        cache.lines[slot].address = address;
        describe(address, cache.lines[slot].text);
    }
    return cache.lines[slot].text;
}

static size_t symbolise(void *const *addresses, unsigned frames, char *out, size_t size)
{
    size_t used = 0;
    char scratch[LINE_SIZE];
    unsigned long long unloaded = 0;
    pthread_mutex_lock(&cache.lock);
    dl_iterate_phdr(see_unloaded, &unloaded); /* takes a lock of the loader, which is to be free at a fork, too */
    if (!cache.lines)
        cache.lines = inf_os.calloc(CACHE_LINES, sizeof(*cache.lines));
    else if (unloaded != cache.unloaded)
        memset(cache.lines, 0, CACHE_LINES * sizeof(*cache.lines));
    cache.unloaded = unloaded;
    for (unsigned i = 0; i < frames; i++) {
        int n = snprintf(out + used, size - used, "#%-2u %s\n", i, line_of(addresses[i], scratch));
        if (n < 0 || (size_t)n >= size - used)
            break;
        used += (size_t)n;
    }
    pthread_mutex_unlock(&cache.lock);
    return used;
}

static void lock_cache(void)
{
    pthread_mutex_lock(&cache.lock);
}

static void unlock_cache(void)
{
    pthread_mutex_unlock(&cache.lock);
}

/* Another thread may hold the lock while this one forks. */
static void install_fork(void)
{
    (void)pthread_atfork(lock_cache, unlock_cache, unlock_cache);
}

void inf_backtrace_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void *addresses[2];
    (void)pthread_once(&once, install_fork);
    (void)backtrace(addresses, 2);
}

__attribute__((noinline)) void inf_backtrace_take(inf_trace *t, uint32_t group, unsigned skip)
{
    void *addresses[MAX_FRAMES + MAX_SKIP];
    if (!t->backtraces && !(t->backtraces = inf_os.calloc(1, sizeof(*t->backtraces))))
        return;
    struct inf_backtraces *b = t->backtraces;
    if (b->count >= MAX_ERRORS)
        return;
    int frames = backtrace(addresses, MAX_FRAMES + MAX_SKIP);
    skip++; /* this function */
    if (frames <= (int)skip)
        return;
    unsigned left = (unsigned)frames - skip;
    if (left > MAX_FRAMES)
        left = MAX_FRAMES;
    memcpy(b->list[b->count].addresses, addresses + skip, left * sizeof(*addresses));
    b->list[b->count].frames = left;
    b->list[b->count].group = group;
    b->count++;
}

void inf_backtrace_settle(inf_trace *t)
{
    struct inf_backtraces *b = t->backtraces;
    if (!b)
        return;
    char text[MAX_FRAMES * LINE_SIZE];
    /* From the last group to the first: inserting moves what is behind. */
    while (b->count > 0) {
        b->count--;
        size_t length = symbolise(b->list[b->count].addresses, b->list[b->count].frames, text, sizeof(text));
        if (length > 0 && inf_utf8_valid(text, length))
            (void)inf_trace_insert_text(t, b->list[b->count].group, INF_TAG_STACK_TRACE, text, length - 1);
    }
}

/* See book.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "cost/book.h"
#include "cost/builtin.h"
#include "infinium.h"

struct inf_price_edition {
    inf_prices *prices;
    unsigned holders; /* under the book's lock; the book itself is one */
};

/* What tells one state of a file from another. */
struct state {
    bool there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct inf_price_book {
    pthread_mutex_t lock;
    _Atomic(struct inf_price_edition *) current;
    char path[1100];
    bool named; /* the user named the file: it must be there */
    bool from_file;
    struct state state;
};

static struct state look(const char *path)
{
    struct stat s;
    struct state out = {0};
    if (inf_os.stat(path, &s) != 0)
        return out;
    out = (struct state){true, s.st_dev, s.st_ino, s.st_size, s.st_mtim};
    return out;
}

static bool same(const struct state *a, const struct state *b)
{
    return a->there == b->there && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static int read_file(const char *path, char **out, size_t *length, char *message, size_t size)
{
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        snprintf(message, size, "%s: %s", path, strerror(errno));
        return inf_os_error(errno);
    }
    struct stat s;
    int rc = inf_os.fstat(fd, &s) != 0 ? inf_os_error(errno) : 0;
    if (rc == 0 && (!S_ISREG(s.st_mode) || s.st_size > INF_PRICES_FILE_MAX))
        rc = INF_EINVAL;
    size_t room = rc == 0 ? (size_t)s.st_size : 0;
    char *text = rc == 0 ? inf_os.malloc(room + 1) : NULL;
    size_t n = 0;
    while (text && n < room) {
        ssize_t got = inf_os.read(fd, text + n, room - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = inf_os_error(errno);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    inf_os.close(fd);
    if (rc == 0 && !text)
        rc = INF_ENOMEM;
    if (rc < 0) {
        inf_os.free(text);
        snprintf(message, size, "%s: %s", path, rc == INF_EINVAL ? "not a file of prices" : inf_strerror(rc));
        return rc;
    }
    *out = text;
    *length = n;
    return 0;
}

/* The table of the file, or the built-in one when there is no file. */
static int load(const struct inf_price_book *book, const struct state *state, inf_prices **out, char *message,
                size_t size)
{
    char reason[300];
    char *text = NULL;
    size_t length = 0;
    int rc;
    if (!state->there && book->named) {
        snprintf(message, size, "%s: there is no such file", book->path);
        return INF_ENOTFOUND;
    }
    if (!state->there) {
        rc = inf_prices_parse(out, inf_prices_builtin, inf_prices_builtin_end - inf_prices_builtin, reason,
                              sizeof reason);
        if (rc < 0)
            snprintf(message, size, "the built-in prices: %s", reason);
        return rc;
    }
    rc = read_file(book->path, &text, &length, message, size);
    if (rc < 0)
        return rc;
    rc = inf_prices_parse(out, text, length, reason, sizeof reason);
    if (rc < 0)
        snprintf(message, size, "%s: %s", book->path, reason);
    inf_os.free(text);
    return rc;
}

static void let_go(struct inf_price_edition *edition) /* under the lock */
{
    if (edition && --edition->holders == 0) {
        inf_prices_free(edition->prices);
        inf_os.free(edition);
    }
}

/* Under the lock. */
static int replace(inf_price_book *book, const struct state *state, char *message, size_t size)
{
    inf_prices *prices;
    int rc = load(book, state, &prices, message, size);
    if (rc < 0)
        return rc;
    struct inf_price_edition *edition = inf_os.calloc(1, sizeof *edition);
    if (!edition) {
        inf_prices_free(prices);
        snprintf(message, size, "out of memory");
        return INF_ENOMEM;
    }
    *edition = (struct inf_price_edition){prices, 1};
    let_go(atomic_exchange(&book->current, edition));
    book->from_file = state->there;
    return 1;
}

int inf_price_book_open(inf_price_book **out, const char *file, const char *data_dir, char *message, size_t size)
{
    *out = NULL;
    inf_price_book *book = inf_os.calloc(1, sizeof *book);
    if (!book) {
        snprintf(message, size, "out of memory");
        return INF_ENOMEM;
    }
    pthread_mutex_init(&book->lock, NULL);
    book->named = file && *file;
    int n = book->named ? snprintf(book->path, sizeof book->path, "%s", file)
                        : snprintf(book->path, sizeof book->path, "%s/prices.json", data_dir);
    int rc = n < 0 || (size_t)n >= sizeof book->path ? INF_E2BIG : 0;
    if (rc < 0)
        snprintf(message, size, "the path of the file of prices is too long");
    book->state = look(book->path);
    if (rc == 0)
        rc = replace(book, &book->state, message, size);
    if (rc < 0) {
        inf_price_book_close(book);
        return rc;
    }
    *out = book;
    return 0;
}

void inf_price_book_close(inf_price_book *book)
{
    if (!book)
        return;
    let_go(atomic_load(&book->current));
    pthread_mutex_destroy(&book->lock);
    inf_os.free(book);
}

int inf_price_book_refresh(inf_price_book *book, char *message, size_t size)
{
    struct state now = look(book->path);
    int rc = 0;
    pthread_mutex_lock(&book->lock);
    if (!same(&now, &book->state)) {
        book->state = now;
        rc = replace(book, &now, message, size);
    }
    pthread_mutex_unlock(&book->lock);
    return rc;
}

void inf_price_book_describe(inf_price_book *book, char *out, size_t size)
{
    pthread_mutex_lock(&book->lock);
    const inf_prices *prices = atomic_load(&book->current)->prices;
    unsigned models = inf_prices_models(prices);
    snprintf(out, size, "%s: %s (%u model%s)", book->from_file ? book->path : "built in",
             *inf_prices_source(prices) ? inf_prices_source(prices) : "source not said", models,
             models == 1 ? "" : "s");
    pthread_mutex_unlock(&book->lock);
}

const inf_prices *inf_pricer_begin(inf_pricer *pricer)
{
    inf_price_book *book = pricer->book;
    pricer->cache.lookups = 0;
    if (!book)
        return NULL;
    if (pricer->edition != atomic_load(&book->current)) {
        pthread_mutex_lock(&book->lock);
        let_go(pricer->edition);
        pricer->edition = atomic_load(&book->current);
        pricer->edition->holders++;
        pricer->cache.prices = NULL; /* a new table may lie where an old one lay */
        pthread_mutex_unlock(&book->lock);
    }
    return pricer->edition->prices;
}

void inf_pricer_end(inf_pricer *pricer)
{
    if (!pricer->edition)
        return;
    pthread_mutex_lock(&pricer->book->lock);
    let_go(pricer->edition);
    pricer->edition = NULL;
    pthread_mutex_unlock(&pricer->book->lock);
}

/* The tokenizer of the index of words: unicode61's words (SQLite's own, without accents), each of them once a trace.
 * The index keeps no positions, so a repeated word would only cost time; and text of ASCII alone, which most is, needs
 * no tables of Unicode. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "store/sqlite.h"

enum { SLOTS = 8192, WORD_MAX = 256 };
#define STAMP_MASK UINT64_C(0xffffff)

typedef struct words {
    fts5_tokenizer unicode;
    Fts5Tokenizer *tokenizer; /* of unicode61 */
    /* The words of this text that were given out: the upper bits of their hash, whose lower ones find the slot. It
     * counts when its own lower bits are the text's stamp. */
    uint64_t seen[SLOTS];
    uint32_t stamp;
    uint32_t used;
} words;

/* A text on its way through. */
typedef struct passing {
    words *words;
    void *context;
    int (*token)(void *context, int flags, const char *token, int length, int start, int end);
    bool once; /* repeated words are left out */
} passing;

static uint64_t mix(uint64_t h, uint64_t more)
{
    h = (h ^ more) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static uint64_t hash(const char *text, int length)
{
    uint64_t h = 0;
    for (int i = 0; i < length; i += 8) {
        uint64_t eight = 0;
        memcpy(&eight, text + i, length - i < 8 ? (size_t)(length - i) : 8);
        h = mix(h, eight);
    }
    return h;
}

/* Whether the word comes for the first time. When the table is half full, every word counts as new: no harm is done. */
static bool is_new(words *w, uint64_t h)
{
    uint64_t entry = (h & ~STAMP_MASK) | w->stamp;
    size_t at = h % SLOTS;
    for (; (w->seen[at] & STAMP_MASK) == w->stamp; at = (at + 1) % SLOTS)
        if (w->seen[at] == entry)
            return false;
    if (w->used < SLOTS / 2) {
        w->seen[at] = entry;
        w->used++;
    }
    return true;
}

static void next_text(words *w)
{
    if (++w->stamp > STAMP_MASK) {
        memset(w->seen, 0, sizeof w->seen);
        w->stamp = 1;
    }
    w->used = 0;
}

static int pass(void *context, int flags, const char *token, int length, int start, int end)
{
    passing *p = context;
    if (length > WORD_MAX) /* what ASCII alone gives is no longer: a word is one word, whatever stands beside it */
        length = (int)inf_utf8_floor(token, (size_t)length, WORD_MAX);
    if (p->once && !is_new(p->words, hash(token, length)))
        return SQLITE_OK;
    return p->token(p->context, flags, token, length, start, end);
}

static bool is_ascii(const char *text, int length)
{
    uint64_t all = 0;
    int i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t eight;
        memcpy(&eight, text + i, 8);
        all |= eight;
    }
    for (; i < length; i++)
        all |= (uint64_t)(uint8_t)text[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* Eight characters of ASCII, the first in the lowest byte. */
static uint64_t load(const char *at, const char *end)
{
    uint64_t eight = 0;
    if (end - at >= 8)
        memcpy(&eight, at, 8);
    else
        memcpy(&eight, at, (size_t)(end - at));
    return le64toh(eight);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The upper bit of each byte that is between the two, of bytes below 128. */
static uint64_t between(uint64_t eight, unsigned first, unsigned last)
{
    return (eight + EACH(0x80 - first)) & ~(eight + EACH(0x7f - last)) & EACH(0x80);
}

static bool is_separator(char c)
{
    unsigned small = (unsigned)c | 0x20;
    return !(small - 'a' < 26 || (unsigned)c - '0' < 10);
}

/* The letters and digits at `at`, small, of a word of at most WORD_MAX bytes; its length. *h: their hash. */
static int fold(const char *at, const char *end, char word[WORD_MAX + 8], uint64_t *h)
{
    int n = 0, count = 8;
    for (*h = 0; count == 8 && n < WORD_MAX; n += count) {
        uint64_t eight = load(at + n, end);
        uint64_t letters = between(eight | EACH(0x20), 'a', 'z');
        uint64_t others = ~(letters | between(eight, '0', '9')) & EACH(0x80);
        eight |= letters >> 2;
        if (others) {
            count = __builtin_ctzll(others) / 8;
            eight &= (UINT64_C(1) << 8 * count) - 1;
        }
        *h = mix(*h, eight);
        eight = htole64(eight);
        memcpy(word + n, &eight, 8);
    }
    return n;
}

static int tokenize_ascii(passing *p, const char *text, int length)
{
    char word[WORD_MAX + 8];
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        if (is_separator(*at)) {
            at++;
            continue;
        }
        const char *start = at;
        uint64_t h;
        int n = fold(at, end, word, &h);
        at += n;
        while (n == WORD_MAX && at < end && !is_separator(*at))
            at++;
        if (p->once && !is_new(p->words, h))
            continue;
        int rc = p->token(p->context, 0, word, n, (int)(start - text), (int)(at - text));
        if (rc != SQLITE_OK)
            return rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    return SQLITE_OK;
}

static int tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text, int length,
                    int (*token)(void *, int, const char *, int, int, int))
{
    words *w = (words *)tokenizer;
    passing p = {w, context, token, (flags & FTS5_TOKENIZE_DOCUMENT) != 0};
    next_text(w);
    if (is_ascii(text, length))
        return tokenize_ascii(&p, text, length);
    return w->unicode.xTokenize(w->tokenizer, &p, flags, text, length, pass);
}

static void discard(Fts5Tokenizer *tokenizer)
{
    words *w = (words *)tokenizer;
    if (w->tokenizer)
        w->unicode.xDelete(w->tokenizer);
    free(w);
}

static int create(void *context, const char **arguments, int count, Fts5Tokenizer **out)
{
    static const char *options[] = {"remove_diacritics", "2"};
    fts5_api *api = context;
    void *unicode_context;
    (void)arguments, (void)count;
    words *w = calloc(1, sizeof *w);
    if (!w)
        return SQLITE_NOMEM;
    int code = api->xFindTokenizer(api, "unicode61", &unicode_context, &w->unicode);
    if (code == SQLITE_OK)
        code = w->unicode.xCreate(unicode_context, options, 2, &w->tokenizer);
    if (code != SQLITE_OK) {
        discard((Fts5Tokenizer *)w);
        return code;
    }
    *out = (Fts5Tokenizer *)w;
    return SQLITE_OK;
}

int inf_sqlite_register_words(inf_store *store)
{
    static fts5_tokenizer tokenizer = {create, discard, tokenize};
    fts5_api *api = NULL;
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "SELECT fts5(?1)");
    if (rc < 0)
        return rc;
    sqlite3_bind_pointer(s, 1, &api, "fts5_api_ptr", NULL);
    sqlite3_step(s);
    sqlite3_finalize(s);
    int code = api ? api->xCreateTokenizer(api, "words", api, &tokenizer, NULL) : SQLITE_ERROR;
    return code == SQLITE_OK ? 0 : inf_sqlite_error(store, code);
}

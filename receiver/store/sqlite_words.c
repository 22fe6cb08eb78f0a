/* The tokenizer of the index of words: unicode61's words (SQLite's own, without accents), each of them once a trace.
 * The index keeps no positions, so a repeated word would only cost time; and text of ASCII alone, which most is, needs
 * no tables of Unicode. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

enum { SLOTS = 8192, WORD_MAX = 256 };

typedef struct words {
    fts5_tokenizer unicode;
    Fts5Tokenizer *tokenizer; /* of unicode61 */
    /* The words of this text that were given out, by their hash: a slot counts when its stamp is the text's. */
    uint64_t seen[SLOTS];
    uint32_t stamps[SLOTS];
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

static uint64_t hash(const char *text, int length)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < length; i++)
        h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

/* Whether the word comes for the first time. When the table is half full, every word counts as new: no harm is done. */
static bool is_new(words *w, const char *text, int length)
{
    uint64_t h = hash(text, length);
    size_t at = h % SLOTS;
    for (; w->stamps[at] == w->stamp; at = (at + 1) % SLOTS)
        if (w->seen[at] == h)
            return false;
    if (w->used < SLOTS / 2) {
        w->seen[at] = h;
        w->stamps[at] = w->stamp;
        w->used++;
    }
    return true;
}

static void next_text(words *w)
{
    if (++w->stamp == 0) {
        memset(w->stamps, 0, sizeof w->stamps);
        w->stamp = 1;
    }
    w->used = 0;
}

static int pass(void *context, int flags, const char *token, int length, int start, int end)
{
    passing *p = context;
    if (p->once && !is_new(p->words, token, length))
        return SQLITE_OK;
    return p->token(p->context, flags, token, length, start, end);
}

/* Small letters of letters and digits; 0 of all else in ASCII. */
static const char folded[128] = {
    ['0'] = '0', '1', '2', '3', '4',         '5', '6', '7', '8', '9', ['A'] = 'a', 'b', 'c', 'd', 'e', 'f',
    'g',         'h', 'i', 'j', 'k',         'l', 'm', 'n', 'o', 'p', 'q',         'r', 's', 't', 'u', 'v',
    'w',         'x', 'y', 'z', ['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g',         'h', 'i', 'j', 'k', 'l',
    'm',         'n', 'o', 'p', 'q',         'r', 's', 't', 'u', 'v', 'w',         'x', 'y', 'z',
};

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

static int tokenize_ascii(passing *p, const char *text, int length)
{
    char word[WORD_MAX];
    for (int at = 0; at < length;) {
        int n = 0, start;
        char c;
        while (at < length && !folded[(uint8_t)text[at]])
            at++;
        start = at;
        while (at < length && (c = folded[(uint8_t)text[at]])) {
            if (n < WORD_MAX)
                word[n++] = c;
            at++;
        }
        int rc = n > 0 ? pass(p, 0, word, n, start, at) : SQLITE_OK;
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

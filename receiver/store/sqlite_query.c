/* Search queries. They are taken apart by the index's own tokenizer, so that a word is here what it is there; and a
 * trace's text is gone through with it to find phrases, of which the index, having no positions, knows nothing. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_query.h"

struct inf_search_tokenizer {
    fts5_tokenizer methods;
    Fts5Tokenizer *words;
};

void inf_search_tokenizer_free(inf_search_tokenizer *t)
{
    if (t && t->words)
        t->methods.xDelete(t->words);
    free(t);
}

static int find_api(inf_store *store, fts5_api **api)
{
    sqlite3_stmt *s;
    *api = NULL;
    int rc = inf_sqlite_prepare(store, &s, "SELECT fts5(?1)");
    if (rc < 0)
        return rc;
    sqlite3_bind_pointer(s, 1, api, "fts5_api_ptr", NULL);
    sqlite3_step(s);
    sqlite3_finalize(s);
    return *api ? 0 : INF_EIO;
}

static int make_tokenizer(inf_store *store)
{
    fts5_api *api;
    void *context;
    if (store->tokenizer)
        return 0;
    int rc = find_api(store, &api);
    if (rc < 0)
        return rc;
    inf_search_tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return INF_ENOMEM;
    int code = api->xFindTokenizer(api, "words", &context, &t->methods);
    if (code == SQLITE_OK)
        code = t->methods.xCreate(context, NULL, 0, &t->words);
    if (code != SQLITE_OK) {
        t->words = NULL;
        inf_search_tokenizer_free(t);
        return code == SQLITE_NOMEM ? INF_ENOMEM : INF_EIO;
    }
    store->tokenizer = t;
    return 0;
}

static int tokenize(inf_store *store, void *context, const char *text, size_t length,
                    int (*token)(void *, int, const char *, int, int, int))
{
    inf_search_tokenizer *t = store->tokenizer;
    int code = t->methods.xTokenize(t->words, context, FTS5_TOKENIZE_QUERY, text, (int)length, token);
    return code == SQLITE_OK || code == SQLITE_DONE ? 0 : code == SQLITE_NOMEM ? INF_ENOMEM : INF_EIO;
}

/* ---- what was typed ---- */

struct typed {
    inf_search_query *query;
    const char *text;
    int at;     /* as far as quotes were counted */
    int quotes; /* before it */
};

static int take_word(void *context, int flags, const char *token, int length, int start, int end)
{
    struct typed *t = context;
    inf_search_query *q = t->query;
    (void)flags;
    for (; t->at < start; t->at++)
        t->quotes += t->text[t->at] == '"';
    if (q->count == INF_QUERY_WORDS_MAX || length <= 0 || q->used + (size_t)length > sizeof q->memory)
        return SQLITE_DONE;
    memcpy(q->memory + q->used, token, (size_t)length);
    q->words[q->count++] = (inf_search_word){.text = q->memory + q->used,
                                             .length = length,
                                             .beginning = t->text[end] == '*',
                                             .phrase = t->quotes % 2 ? t->quotes : 0};
    q->used += (size_t)length;
    return SQLITE_OK;
}

static void mark_phrases(inf_search_query *q)
{
    for (int i = 0; i < q->count;) {
        int end = i + 1;
        while (q->words[i].phrase && end < q->count && q->words[end].phrase == q->words[i].phrase)
            end++;
        if (end - i > 1) {
            for (int k = i; k < end; k++)
                q->verified |= UINT32_C(1) << k;
            q->starts |= UINT32_C(1) << i;
            q->ends |= UINT32_C(1) << (end - 1);
        }
        i = end;
    }
}

int inf_query_parse(inf_store *store, const char *text, inf_search_query *q)
{
    struct typed t = {.query = q, .text = text};
    q->count = 0;
    q->used = 0;
    q->verified = q->starts = q->ends = 0;
    size_t length = strlen(text);
    int rc = length > INT32_MAX ? INF_E2BIG : make_tokenizer(store);
    if (rc == 0)
        rc = tokenize(store, &t, text, length, take_word);
    mark_phrases(q);
    return rc;
}

void inf_query_verify(inf_search_query *q, int word)
{
    uint32_t bit = UINT32_C(1) << word;
    if (q->verified & bit)
        return; /* its phrase says it */
    q->verified |= bit;
    q->starts |= bit;
    q->ends |= bit;
}

/* ---- what a text has ---- */

struct reading {
    const inf_store *store;
    const inf_search_query *query;
    int field;
    uint32_t state; /* the words that the last ones were, each after those before it in its phrase */
    uint32_t found; /* of query->ends */
};

static bool is_word(const inf_search_word *w, const char *token, int length)
{
    return (w->beginning ? length >= w->length : length == w->length) && memcmp(w->text, token, (size_t)w->length) == 0;
}

static int read_word(void *context, int flags, const char *token, int length, int start, int end)
{
    struct reading *r = context;
    const inf_search_query *q = r->query;
    uint32_t here = 0;
    (void)flags, (void)end;
    for (; r->field < r->store->text_fields && (size_t)start >= r->store->text_ends[r->field]; r->field++)
        r->state = 0; /* no phrase goes from one field into the next */
    uint32_t wanted = (r->state << 1 & ~q->starts) | q->starts;
    for (uint32_t left = wanted & q->verified; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        if (is_word(&q->words[i], token, length))
            here |= UINT32_C(1) << i;
    }
    r->state = here;
    r->found |= here & q->ends;
    return r->found == q->ends ? SQLITE_DONE : SQLITE_OK;
}

int inf_query_holds(inf_store *store, const inf_search_query *q)
{
    struct reading r = {.store = store, .query = q};
    if (!q->ends)
        return 1;
    int rc = tokenize(store, &r, (const char *)store->text.data, store->text.length, read_word);
    return rc < 0 ? rc : r.found == q->ends;
}

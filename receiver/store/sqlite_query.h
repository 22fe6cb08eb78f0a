/* What a reader typed into a search, and whether a text is what they mean. Private to receiver/store/. */
#ifndef INF_STORE_SQLITE_QUERY_H
#define INF_STORE_SQLITE_QUERY_H

#include "store/sqlite.h"

enum { INF_QUERY_WORDS_MAX = 32 };

typedef struct inf_search_word {
    const char *text; /* as the index has it, in the query's memory */
    int length;
    bool beginning; /* any word that begins with it */
    int phrase;     /* words of one phrase have the same number; 0: of none */
} inf_search_word;

typedef struct inf_search_query {
    inf_search_word words[INF_QUERY_WORDS_MAX];
    int count;
    char memory[4096];
    size_t used;
    /* The words that only a text can say: those of phrases, and what inf_query_verify() was called for. A bit each;
     * `starts` and `ends` of what has to follow each other. */
    uint32_t verified, starts, ends;
} inf_search_query;

/* Takes the words out of what was typed; *query has none when there are none. What is past the limits is left out,
 * which makes the search wider. */
int inf_query_parse(inf_store *store, const char *text, inf_search_query *query);
/* The index cannot say whether this word is there. */
void inf_query_verify(inf_search_query *query, int word);
/* 1: store->text, just made by inf_sqlite_words_text(), has what the index cannot say; 0: not. */
int inf_query_holds(inf_store *store, const inf_search_query *query);

#endif

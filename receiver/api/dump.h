/* Traces as lines of text, for `GET export` and `infinium export`: NDJSON that an import takes back, and CSV for
 * spreadsheets. Knows the store and the summary, nothing of HTTP.
 *
 * A dump walks the list page by page and holds no read transaction in between, so however long it takes, the store's
 * log can be checkpointed. What that means: every trace that was there when it began, and is not removed meanwhile,
 * comes once, in the form that it has when its line is written; a trace that arrives meanwhile may come or not.
 *
 * A line of NDJSON is the trace's summary (as in a list), `received_at`, `scores` (those that were given apart from it,
 * also those that hide one of the body) and, last, `body`: the body as it was accepted, byte for byte but for line ends
 * between its members, which become spaces. */
#ifndef INF_API_DUMP_H
#define INF_API_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

enum inf_dump_format { INF_DUMP_NDJSON, INF_DUMP_CSV }; /* as INF_DUMP_FORMATS counts */
#define INF_DUMP_FORMATS "ndjson|csv"

enum { INF_DUMP_PAGE = 250, INF_DUMP_ENOUGH = 128 * 1024 };
#define INF_DUMP_LINE_MAX (32u * 1024 * 1024) /* what the buffer must have room for past INF_DUMP_ENOUGH */

typedef struct inf_dump {
    inf_store *store;
    inf_store_filter filter; /* its text belongs to the caller and outlives the dump; cursor and limit are not used */
    enum inf_dump_format format;
    uint64_t written; /* traces */

    /* private */
    char cursor[INF_STORE_CURSOR_SIZE];
    uint8_t ids[INF_DUMP_PAGE][16];
    size_t count;
    size_t at;
    bool begun;
    bool last_page;
    inf_buf *out;
} inf_dump;

void inf_dump_init(inf_dump *dump, inf_store *store, const inf_store_filter *filter, enum inf_dump_format format);

/* Appends some of the lines that are left, INF_DUMP_ENOUGH bytes or a little more. 1: there may be more; 0: that was
 * the end; or negative, then what was appended in this call is worth nothing. */
int inf_dump_some(inf_dump *dump, inf_buf *out);

/* One cell of CSV: quoted where it must be, and such that no spreadsheet takes it for a formula: text that begins with
 * one of = + - @, their full-width forms, or a control character gets an apostrophe before it. NULL is an empty cell.
 */
void inf_dump_csv_cell(inf_buf *out, const char *text);

#endif

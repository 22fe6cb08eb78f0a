/* The table of prices that counts now, and how it changes while the receiver runs: the file that was named, or
 * DIR/prices.json, or the built-in one. A file that cannot be read, or says something wrong, leaves the table that
 * there was. Who prices holds a table while it needs it, so that a new one never takes an old one away under its hands.
 */
#ifndef INF_COST_BOOK_H
#define INF_COST_BOOK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "cost/prices.h"

typedef struct inf_price_book inf_price_book;

/* `file`: NULL: DIR/prices.json if it is there when asked, else the built-in table. A named file that is not good is an
 * error: INF_EINVAL or INF_ENOTFOUND, the reason in `message`. So is a DIR/prices.json that is there and not good. */
int inf_price_book_open(inf_price_book **out, const char *file, const char *data_dir, char *message, size_t size);
void inf_price_book_close(inf_price_book *book);

/* Looks whether the file has changed (another time, size or inode; gone; new) and reads it if so; one call of the
 * system when not. Any thread. 1: another table counts now; 0: none; negative: the new file is not good, `message` says
 * why, and the old table goes on. The same file is not complained of twice. */
int inf_price_book_refresh(inf_price_book *book, char *message, size_t size);

/* What counts now, in words: "built in: genai-prices 0.2.3, 2026-11-26 (1687 models)". */
void inf_price_book_describe(inf_price_book *book, char *out, size_t size);

/* One thread's hold on a table. Zeroed at first. */
typedef struct inf_pricer {
    inf_price_book *book; /* NULL: nothing has a price */
    struct inf_price_edition *edition;
    inf_price_cache cache;
} inf_pricer;

/* The newest table, to be called before each trace: costs one atomic load when nothing has changed. */
const inf_prices *inf_pricer_begin(inf_pricer *pricer);
/* Lets go of the table. */
void inf_pricer_end(inf_pricer *pricer);

#endif

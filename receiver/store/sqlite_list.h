/* Which traces are wanted, shared by the two ways to walk to them: lists in the order of their start (sqlite_list.c)
 * and searches in the order of their arrival (sqlite_scan.c). Private to receiver/store/. */
#ifndef INF_STORE_SQLITE_LIST_H
#define INF_STORE_SQLITE_LIST_H

#include "store/sqlite.h"

enum { INF_SQL_MAX = 6144 };

/* What one call may look at before it answers with what it has. It always looks at something, so that who follows the
 * cursors comes to an end. */
enum { INF_LOOK_ROWS = 20000, INF_LOOK_MS = 40 };

void inf_bound_begin(inf_bound *bound, const inf_store_filter *filter);
/* One more row was looked at, or as much time as `rows` take has passed: true when it is enough. */
bool inf_bound_look(inf_bound *bound, uint32_t rows);
/* The same as inf_enough() in SQL, which counts one row a call. */
int inf_sqlite_register_bound(inf_store *store);

/* The filters of a list, in the order in which they lead when nothing else is known. */
enum inf_list_field {
    INF_LIST_PARENT,
    INF_LIST_SESSION,
    INF_LIST_USER,
    INF_LIST_TAG,
    INF_LIST_STATUS,
    INF_LIST_NAME,
    INF_LIST_MODEL,
    INF_LIST_AGENT,
    INF_LIST_SHORTEST,
    INF_LIST_LONGEST,
    INF_LIST_FIELDS,
    INF_LIST_STARTED = INF_LIST_FIELDS /* none of them leads */
};

struct inf_list {
    const inf_store_filter *filter;
    enum inf_list_field lead; /* whose index the rows are read from */
    int64_t estimate;         /* of rows that the lead leaves; negative: not known */
    bool paged;
    uint64_t started_ns; /* the cursor, if paged */
    uint8_t id[16];
};

/* Chooses the lead. `weigh`: also where there is no choice, for the estimate. */
int inf_list_choose(inf_store *store, struct inf_list *list, bool weigh);
bool inf_list_is_set(const inf_store_filter *filter, enum inf_list_field field);
/* "FROM ..." by the lead: rows are `g` where tags lead, otherwise `t`. `whole`: `t` is wanted in any case. */
void inf_list_add_table(char *sql, const struct inf_list *list, bool whole);
/* "WHERE ..." of the lead and the range of time. */
void inf_list_add_lead(char *sql, const struct inf_list *list);
/* "1 AND ..." of everything but `but` (INF_LIST_STARTED: of everything). */
void inf_list_add_conditions(char *sql, const struct inf_list *list, enum inf_list_field but);
void inf_list_add(char *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));
void inf_list_bind(sqlite3_stmt *statement, const struct inf_list *list);
/* Binds where the statement has such a parameter. */
void inf_list_bind_number(sqlite3_stmt *statement, const char *name, uint64_t number);
bool inf_list_read_hex(const char *text, uint64_t *out);

/* inf_store_list() of a filter with text (sqlite_scan.c). */
int inf_sqlite_search(inf_store *store, const inf_store_filter *filter, inf_store_row row, void *context,
                      char next_cursor[INF_STORE_CURSOR_SIZE]);

#endif

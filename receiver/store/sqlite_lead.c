/* Which of a list's filters leads: whose index the rows are read from, while the others are looked at row by row. It is
 * the one that leaves fewest rows. SQLite has no figures to choose by (ANALYZE of ten million rows takes minutes); the
 * sums beside the traces (tally.h) have: they say how many traces a value has, and, day by day, how many in a range. */
#include <string.h>

#include "store/sqlite_list.h"
#include "store/tally.h"

enum { DAYS_MAX = 400, DAY_MINUTES = 1440 };
#define MINUTE_NS UINT64_C(60000000000)

static bool can_lead(const inf_store_filter *f, enum inf_list_field field)
{
    bool nearly_all = field == INF_LIST_STATUS && f->status == INF_STATUS_OK; /* has no index */
    return field < INF_LIST_SHORTEST && inf_list_is_set(f, field) && !nearly_all;
}

static int two_numbers(inf_store *store, sqlite3_stmt *s, int64_t *one, int64_t *two)
{
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        *one = sqlite3_column_int64(s, 0);
        *two = sqlite3_column_int64(s, 1);
    }
    int rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
    sqlite3_reset(s);
    return rc;
}

/* The traces of a value, of all times. */
static int count_facet(inf_store *store, enum inf_store_field field, const char *value, int64_t *out)
{
    int64_t unused;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_FACET_COUNT);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int(s, 1, (int)field);
    sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
    return two_numbers(store, s, out, &unused);
}

static int count_session(inf_store *store, const char *session_id, int64_t *out)
{
    int64_t unused;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_SESSION_COUNT);
    if (!s)
        return INF_EIO;
    sqlite3_bind_text(s, 1, session_id, -1, SQLITE_STATIC);
    return two_numbers(store, s, out, &unused);
}

/* The days that the range touches and sums are there for, the last of them. */
static int days_of(inf_store *store, const inf_store_filter *f, int64_t *first, int64_t *last)
{
    *first = *last = -1;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_ROLLUP_DAYS);
    if (!s)
        return INF_EIO;
    int rc = two_numbers(store, s, first, last);
    int64_t from = (int64_t)(f->from_ns / MINUTE_NS / DAY_MINUTES * DAY_MINUTES);
    int64_t to = f->to_ns ? (int64_t)((f->to_ns - 1) / MINUTE_NS) : *last;
    if (from > *first)
        *first = from;
    if (to < *last)
        *last = to;
    if (*last - *first > (int64_t)DAYS_MAX * DAY_MINUTES)
        *first = (*last / DAY_MINUTES - DAYS_MAX) * DAY_MINUTES;
    return rc;
}

/* The traces of one row of the sums a day; of `status` the ended ones that did not end well. */
static int count_days(inf_store *store, const inf_store_filter *f, enum inf_list_field field, int64_t *out)
{
    static const uint8_t any[16];
    int64_t first, last, name = INF_LABEL_ANY, model = INF_LABEL_ANY;
    enum inf_series series = field == INF_LIST_NAME    ? INF_SERIES_NAME
                             : field == INF_LIST_MODEL ? INF_SERIES_MODEL
                             : field == INF_LIST_AGENT ? INF_SERIES_AGENT
                                                       : INF_SERIES_ALL;
    int rc = days_of(store, f, &first, &last);
    if (field == INF_LIST_NAME)
        name = inf_label_find(store, f->name);
    if (field == INF_LIST_MODEL)
        model = inf_label_find(store, f->model);
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_ROLLUP_COUNT);
    if (rc < 0 || !s)
        return rc < 0 ? rc : INF_EIO;
    for (; rc == 0 && first <= last; first += DAY_MINUTES) {
        int64_t all = 0, failed = 0;
        sqlite3_bind_int(s, 1, (int)series);
        sqlite3_bind_int64(s, 2, first);
        sqlite3_bind_blob(s, 3, field == INF_LIST_AGENT ? f->agent_id : any, 16, SQLITE_STATIC);
        sqlite3_bind_int64(s, 4, name);
        sqlite3_bind_int64(s, 5, model);
        rc = two_numbers(store, s, &all, &failed);
        *out += field == INF_LIST_STATUS ? failed : all;
    }
    return rc;
}

static int estimate(inf_store *store, const inf_store_filter *f, enum inf_list_field field, int64_t *out)
{
    bool range = f->from_ns || f->to_ns;
    *out = 0;
    switch (field) {
    case INF_LIST_SESSION:
        return count_session(store, f->session_id, out);
    case INF_LIST_USER:
        return count_facet(store, INF_FIELD_USER, f->user_id, out);
    case INF_LIST_TAG:
        return count_facet(store, INF_FIELD_TAG, f->tag, out);
    case INF_LIST_NAME:
        return range ? count_days(store, f, field, out) : count_facet(store, INF_FIELD_NAME, f->name, out);
    case INF_LIST_MODEL:
        return range ? count_days(store, f, field, out) : count_facet(store, INF_FIELD_MODEL, f->model, out);
    case INF_LIST_STATUS:
        return f->status == INF_STATUS_RUNNING ? 0 : count_days(store, f, field, out); /* few run at a time */
    case INF_LIST_AGENT:
        return count_days(store, f, field, out);
    default:
        return 0; /* those inside one trace */
    }
}

int inf_list_choose(inf_store *store, struct inf_list *list, bool weigh)
{
    int set = 0;
    list->lead = INF_LIST_STARTED;
    list->estimate = -1;
    for (int field = 0; field < INF_LIST_FIELDS; field++)
        set += can_lead(list->filter, (enum inf_list_field)field);
    for (int field = 0; field < INF_LIST_FIELDS; field++) {
        int64_t rows = 0;
        if (!can_lead(list->filter, (enum inf_list_field)field))
            continue;
        int rc = set > 1 || weigh ? estimate(store, list->filter, (enum inf_list_field)field, &rows) : 0;
        if (rc < 0)
            return rc;
        if (list->lead != INF_LIST_STARTED && rows >= list->estimate)
            continue;
        list->lead = (enum inf_list_field)field;
        list->estimate = rows;
    }
    return 0;
}

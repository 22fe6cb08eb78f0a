/* Numbers of many traces as JSON, the same for `GET stats` and `infinium stats`. */
#ifndef INF_API_STATS_H
#define INF_API_STATS_H

#include "base/json_write.h"
#include "store/store.h"

#define INF_STATS_BUCKETS_MAX 5000

typedef struct inf_stats_question {
    inf_store_filter filter; /* from and to are set; agent, name, model */
    uint64_t interval_ns;
    enum inf_store_group group; /* INF_GROUP_NONE: no groups */
    int limit;                  /* of groups */
} inf_stats_question;

/* An interval that gives about a hundred buckets, a whole number of minutes. */
uint64_t inf_stats_interval(uint64_t from_ns, uint64_t to_ns);

/* Writes the whole answer as one object. 0, or a negative error of the store. */
int inf_stats_write(inf_json_writer *writer, inf_store *store, const inf_stats_question *question);

/* All of it as one row; 0 traces when there is nothing. */
int inf_stats_total(inf_store *store, const inf_store_filter *filter, inf_stats_row *out);

#endif

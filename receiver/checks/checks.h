/* What the receiver can say about a finished trace by itself: deterministic checks, computed when somebody asks
 * (docs/checks.md). Bounded: at most 1,000 summaries of earlier traces are read, and at most 100 wishes of each kind.
 * Knows the store and a trace's body; nothing of HTTP. */
#ifndef INF_CHECKS_CHECKS_H
#define INF_CHECKS_CHECKS_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "store/store.h"

enum inf_check_status { INF_CHECK_PASS, INF_CHECK_WARN, INF_CHECK_FAIL, INF_CHECK_NOT_CHECKED, INF_CHECK_STATUSES };

/* "pass", "warn", "fail", "not_checked". */
const char *inf_check_status_name(enum inf_check_status status);

/* A list of checks being written. */
typedef struct inf_check_report {
    inf_json_writer *w;
    unsigned counts[INF_CHECK_STATUSES];
} inf_check_report;

/* One check. `subject`: the wish that was checked, or NULL. `compared_with`: what it was held against, or NULL. */
void inf_check_put(inf_check_report *report, const char *id, const char *title, enum inf_check_status status,
                   const char *subject, size_t subject_length, const char *detail, const char *compared_with);

/* Writes the array of all checks of a trace that has ended. `root` is its body. 0, or a negative error of the store.
 * The summary's texts may lie in the handle: they are copied before it is used. */
int inf_checks_write(inf_check_report *report, inf_store *store, const inf_summary *trace, inf_json_value root);

/* The parts (each a file of its own). */
void inf_check_errors(inf_check_report *report, const inf_summary *trace, inf_json_value root);
void inf_check_repeats(inf_check_report *report, inf_json_value root);
void inf_check_outcome(inf_check_report *report, const inf_summary *trace, inf_json_value root);
int inf_check_history(inf_check_report *report, inf_store *store, const inf_summary *trace, const char *name);

/* Does the body hold an expected outcome with something in it? */
bool inf_check_has_outcome(inf_json_value root);

/* "12.3 ms", "1.24 s", "3 min 5 s". */
#define INF_CHECK_DURATION_SIZE 40
void inf_check_duration(double seconds, char out[INF_CHECK_DURATION_SIZE]);

#endif

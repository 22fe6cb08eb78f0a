/* See checks.h. */
#include <stdio.h>
#include <string.h>

#include "checks/checks.h"

const char *inf_check_status_name(enum inf_check_status status)
{
    static const char *const names[] = {"pass", "warn", "fail", "not_checked"};
    return names[status];
}

void inf_check_put(inf_check_report *report, const char *id, const char *title, enum inf_check_status status,
                   const char *subject, size_t subject_length, const char *detail, const char *compared_with)
{
    inf_json_writer *w = report->w;
    report->counts[status]++;
    inf_json_begin_object(w);
    inf_json_key(w, "id");
    inf_json_put_text(w, id);
    inf_json_key(w, "title");
    inf_json_put_text(w, title);
    inf_json_key(w, "status");
    inf_json_put_text(w, inf_check_status_name(status));
    inf_json_key(w, "subject");
    if (subject)
        inf_json_put_string(w, subject, subject_length);
    else
        inf_json_put_null(w);
    inf_json_key(w, "detail");
    inf_json_put_text(w, detail);
    inf_json_key(w, "compared_with");
    inf_json_put_text(w, compared_with);
    inf_json_end_object(w);
}

void inf_check_duration(double seconds, char out[INF_CHECK_DURATION_SIZE])
{
    if (seconds < 1)
        snprintf(out, INF_CHECK_DURATION_SIZE, "%.3g ms", seconds * 1000);
    else if (seconds < 100)
        snprintf(out, INF_CHECK_DURATION_SIZE, "%.3g s", seconds);
    else
        snprintf(out, INF_CHECK_DURATION_SIZE, "%.0f min %.0f s", (double)(int64_t)(seconds / 60),
                 seconds - 60 * (double)(int64_t)(seconds / 60));
}

int inf_checks_write(inf_check_report *report, inf_store *store, const inf_summary *trace, inf_json_value root)
{
    char name[2048];
    inf_summary own = *trace;
    snprintf(name, sizeof name, "%s", trace->name ? trace->name : "");
    own.name = name;
    inf_json_begin_array(report->w);
    inf_check_errors(report, trace, root);
    inf_check_repeats(report, root);
    inf_check_outcome(report, trace, root);
    int rc = inf_check_history(report, store, &own, name);
    inf_json_end_array(report->w);
    return rc < 0 ? rc : report->w->out->error;
}

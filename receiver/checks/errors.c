/* How the trace ended, and errors that it went on after. */
#include <stdio.h>
#include <string.h>

#include "checks/checks.h"

static bool has_error(inf_json_value object)
{
    inf_json_value error;
    return inf_json_get(object, "error", &error) && inf_json_type(error) != INF_JSON_NULL;
}

/* A step's own error, or that of the tool that it called. */
static unsigned count_steps_with_errors(inf_json_value root)
{
    inf_json_value steps, tool;
    unsigned count = 0;
    if (!inf_json_get(root, "steps", &steps) || inf_json_type(steps) != INF_JSON_ARRAY)
        return 0;
    inf_json_iterator i = inf_json_iterate(steps);
    while (inf_json_next(&i))
        count += has_error(i.value) || (inf_json_get(i.value, "tool_call", &tool) && has_error(tool));
    return count;
}

void inf_check_errors(inf_check_report *report, const inf_summary *trace, inf_json_value root)
{
    char detail[900];
    unsigned failed = count_steps_with_errors(root);
    enum inf_check_status status = INF_CHECK_PASS;
    if (trace->status == INF_STATUS_INTERRUPTED) {
        status = INF_CHECK_FAIL;
        snprintf(detail, sizeof detail, "The program ended before the trace did.");
    } else if (trace->status == INF_STATUS_ERROR) {
        status = INF_CHECK_FAIL;
        snprintf(detail, sizeof detail, "The trace ended with an error: %s%s%.500s",
                 trace->error_type ? trace->error_type : "", trace->error_type && trace->error_message ? ": " : "",
                 trace->error_message ? trace->error_message : "");
    } else if (failed) {
        status = INF_CHECK_WARN;
        snprintf(detail, sizeof detail, "%u step%s had an error; the trace went on and ended well.", failed,
                 failed == 1 ? "" : "s");
    } else {
        snprintf(detail, sizeof detail, "The trace ended well, and so did each of its steps.");
    }
    inf_check_put(report, "errors", "Errors", status, NULL, 0, detail, NULL);
}

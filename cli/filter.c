/* See filter.h. */
#include "filter.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/summary.h"
#include "base/clock.h"
#include "base/id.h"

#define LONGEST_SECONDS 1e9

int cli_filter_time(const cli_syntax *syntax, const char *option, const char *text, uint64_t *out)
{
    if (!text || inf_rfc3339_parse(text, strlen(text), out) == 0)
        return -1;
    return cli_usage_error(syntax->command, "%s wants a time like 2026-11-23T08:00:00Z, not '%s'", option, text);
}

static int take_seconds(const cli_syntax *syntax, const char *option, const char *text, uint64_t *out)
{
    if (!text)
        return -1;
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !isfinite(seconds) || seconds < 0 || seconds > LONGEST_SECONDS)
        return cli_usage_error(syntax->command, "%s wants seconds, like 2.5, not '%s'", option, text);
    *out = (uint64_t)(seconds * 1e9 + 0.5);
    return -1;
}

static int take_id(const cli_syntax *syntax, const char *option, const char *text, uint8_t id[16], const uint8_t **out)
{
    if (!text)
        return -1;
    if (inf_id_parse(text, strlen(text), id) != 0)
        return cli_usage_error(syntax->command, "%s wants a UUID or 32 hexadecimal digits, not '%s'", option, text);
    *out = id;
    return -1;
}

int cli_filter_read(const cli_syntax *syntax, cli_filter *f, inf_store_filter *out)
{
    int code;
    *out = (inf_store_filter)INF_STORE_FILTER_INIT;
    out->name = f->name;
    out->model = f->model;
    out->tag = f->tag;
    out->session_id = f->session;
    out->user_id = f->user;
    out->text = f->search;
    if (f->status && (out->status = inf_status_parse(f->status)) < 0)
        return cli_usage_error(syntax->command, "no status '%s'; there are ok, error, running and interrupted",
                               f->status);
    if ((code = take_id(syntax, "--agent", f->agent, f->agent_id, &out->agent_id)) >= 0 ||
        (code = take_id(syntax, "--parent", f->parent, f->parent_id, &out->parent_id)) >= 0 ||
        (code = take_seconds(syntax, "--min-duration", f->min_duration, &out->min_duration_ns)) >= 0 ||
        (code = take_seconds(syntax, "--max-duration", f->max_duration, &out->max_duration_ns)) >= 0 ||
        (code = cli_filter_time(syntax, "--from", f->from, &out->from_ns)) >= 0)
        return code;
    return cli_filter_time(syntax, "--to", f->to, &out->to_ns);
}

/* Traces as rows: see rows.h. */
#include "rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/summary.h"
#include "base/id.h"
#include "options.h"
#include "output.h"

#define LINE_LIMIT (1 << 20)

int cli_print_summary_json(const inf_summary *summary)
{
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_summary_write(&w, summary);
    return cli_print_line(&line);
}

static const cli_column columns[] = {
    {"trace", 12, false}, {"started", 19, false}, {"duration", 10, true}, {"status", 11, false},
    {"llm", 3, true},     {"tokens", 7, true},    {"agent", 12, false},   {"name", 0, false},
};

void cli_print_summary_header(void)
{
    cli_header(columns, CLI_COUNT(columns));
}

const char *cli_status_colour(uint8_t status)
{
    static const char *const colours[] = {CLI_YELLOW, CLI_GREEN, CLI_RED, CLI_YELLOW};
    return cli_colour(stdout) && status < CLI_COUNT(colours) ? colours[status] : NULL;
}

void cli_print_summary_row(const inf_summary *s)
{
    char id[33], started[CLI_TIME_SIZE], duration[CLI_DURATION_SIZE], calls[24] = "", tokens[24] = "";
    inf_id_hex(s->trace_id, id);
    id[12] = 0;
    cli_time(s->started_ns, started);
    cli_duration(s->duration_ns, duration);
    if (s->llm_calls > 0)
        snprintf(calls, sizeof calls, "%" PRId64, s->llm_calls);
    if (s->prompt_tokens + s->completion_tokens > 0)
        snprintf(tokens, sizeof tokens, "%" PRId64, s->prompt_tokens + s->completion_tokens);
    const char *cells[] = {id,
                           started,
                           s->status == INF_STATUS_RUNNING ? "" : duration,
                           inf_status_name(s->status),
                           calls,
                           tokens,
                           s->agent_name ? s->agent_name : "",
                           s->name ? s->name : ""};
    for (size_t i = 0; i < CLI_COUNT(columns); i++)
        cli_cell(&columns[i], cells[i], i == 3 ? cli_status_colour(s->status) : NULL);
    putchar('\n');
}

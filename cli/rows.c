/* Traces as rows: see rows.h. */
#include "rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"

#define LINE_LIMIT (1 << 20)

int cli_print_line(inf_buf *line)
{
    inf_buf_put_byte(line, '\n');
    int error = line->error;
    if (!error && fwrite(line->data, 1, line->length, stdout) != line->length)
        error = INF_EIO;
    inf_buf_free(line);
    return error;
}

static void put_id(inf_json_writer *w, const char *key, const uint8_t id[16], bool as_uuid)
{
    char text[37];
    if (as_uuid)
        inf_id_uuid(id, text);
    else
        inf_id_hex(id, text);
    inf_json_key(w, key);
    inf_json_put_text(w, inf_id_is_zero(id) ? NULL : text);
}

static void put_text(inf_json_writer *w, const char *key, const char *text)
{
    inf_json_key(w, key);
    inf_json_put_text(w, text);
}

static void put_i64(inf_json_writer *w, const char *key, int64_t value)
{
    inf_json_key(w, key);
    inf_json_put_i64(w, value);
}

void cli_summary_members(inf_json_writer *w, const inf_summary *s)
{
    char started[INF_RFC3339_SIZE];
    inf_rfc3339(s->started_ns, 9, started);
    put_id(w, "trace_id", s->trace_id, false);
    put_id(w, "parent_id", s->parent_id, false);
    put_id(w, "agent_id", s->agent_id, true);
    put_text(w, "agent_name", s->agent_name);
    put_text(w, "name", s->name);
    put_text(w, "status", cli_status_name(s->status));
    put_text(w, "started_at", started);
    inf_json_key(w, "duration_s");
    inf_json_put_fixed(w, (double)s->duration_ns / 1e9, 9);
    put_i64(w, "llm_calls", s->llm_calls);
    put_i64(w, "prompt_tokens", s->prompt_tokens);
    put_i64(w, "completion_tokens", s->completion_tokens);
    put_text(w, "model", s->model);
    put_text(w, "error_type", s->error_type);
    put_text(w, "error_message", s->error_message);
    put_text(w, "input_preview", s->input_preview);
    put_text(w, "output_preview", s->output_preview);
}

int cli_print_summary_json(const inf_summary *summary)
{
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_json_begin_object(&w);
    cli_summary_members(&w, summary);
    inf_json_end_object(&w);
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
                           cli_status_name(s->status),
                           calls,
                           tokens,
                           s->agent_name ? s->agent_name : "",
                           s->name ? s->name : ""};
    for (size_t i = 0; i < CLI_COUNT(columns); i++)
        cli_cell(&columns[i], cells[i], i == 3 ? cli_status_colour(s->status) : NULL);
    putchar('\n');
}

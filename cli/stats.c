/* `infinium stats`: numbers of many traces, out of the store's rollups. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/stats.h"
#include "base/clock.h"
#include "commands.h"
#include "data.h"
#include "filter.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"

#define DAY_NS 86400000000000u
#define ANSWER_LIMIT (16 * 1024 * 1024)

static const cli_column columns[] = {
    {"traces", 10, true}, {"errors", 8, true},  {"p50", 10, true},    {"p95", 10, true}, {"p99", 10, true},
    {"calls", 9, true},   {"tokens", 12, true}, {"cost $", 12, true}, {"", 0, false},
};

static void print_row(const inf_stats_row *s, const char *title)
{
    char traces[24], errors[24], calls[24], tokens[24], cost[40] = "";
    char p50[CLI_DURATION_SIZE] = "", p95[CLI_DURATION_SIZE] = "", p99[CLI_DURATION_SIZE] = "";
    snprintf(traces, sizeof traces, "%" PRId64, s->traces);
    snprintf(errors, sizeof errors, "%" PRId64, s->errors);
    snprintf(calls, sizeof calls, "%" PRId64, s->llm_calls);
    snprintf(tokens, sizeof tokens, "%" PRId64, s->prompt_tokens + s->completion_tokens);
    if (s->cost_nano_usd > 0)
        snprintf(cost, sizeof cost, "%.4f", (double)s->cost_nano_usd / 1e9);
    if (s->traces > 0) {
        cli_duration(s->p50_ns, p50);
        cli_duration(s->p95_ns, p95);
        cli_duration(s->p99_ns, p99);
    }
    const char *cells[] = {traces, errors, p50, p95, p99, calls, tokens, cost, title};
    for (size_t i = 0; i < CLI_COUNT(columns); i++)
        cli_cell(&columns[i], cells[i], NULL);
    putchar('\n');
}

static int print_group(void *context, const inf_stats_row *s)
{
    (void)context;
    print_row(s, s->key && *s->key ? s->key : "-"); /* "": traces without a model */
    return cli_printed();
}

static int print_bucket(void *context, const inf_stats_row *s)
{
    char start[CLI_TIME_SIZE];
    (void)context;
    cli_time(s->start_ns, start);
    print_row(s, start);
    return cli_printed();
}

static int print_table(inf_store *store, const inf_stats_question *q)
{
    inf_stats_row total;
    int error = inf_stats_total(store, &q->filter, &total);
    if (error)
        return error;
    if (total.traces == 0) {
        puts("no traces");
        return 0;
    }
    cli_header(columns, CLI_COUNT(columns));
    if (q->group == INF_GROUP_NONE)
        error = inf_store_stats(store, &q->filter, q->interval_ns, INF_GROUP_NONE, 0, print_bucket, NULL);
    else
        error = inf_store_stats(store, &q->filter, 0, q->group, q->limit, print_group, NULL);
    if (error)
        return error;
    print_row(&total, "all");
    return cli_printed();
}

static int print_json(inf_store *store, const inf_stats_question *q)
{
    inf_buf line;
    inf_buf_init(&line, ANSWER_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    int error = inf_stats_write(&w, store, q);
    int printed = cli_print_line(&line);
    return error ? error : printed;
}

static int read_question(const cli_syntax *syntax, const char *by, int64_t minutes, int64_t limit,
                         inf_stats_question *q)
{
    static const char *const groups[] = {"time", "name", "model", "agent"}; /* as enum inf_store_group counts */
    size_t group = 0;
    while (group < CLI_COUNT(groups) && strcmp(by, groups[group]) != 0)
        group++;
    if (group == CLI_COUNT(groups))
        return cli_usage_error(syntax->command, "no '--by %s'; there are time, name, model and agent", by);
    q->group = (enum inf_store_group)group;
    if (minutes && q->group != INF_GROUP_NONE)
        return cli_usage_error(syntax->command, "--interval belongs to --by time");
    q->limit = (int)(limit > 10000 ? 10000 : limit);
    if (!q->filter.to_ns)
        q->filter.to_ns = inf_unix_ns();
    if (!q->filter.from_ns)
        q->filter.from_ns = q->filter.to_ns > DAY_NS ? q->filter.to_ns - DAY_NS : 1;
    if (q->filter.from_ns >= q->filter.to_ns)
        return cli_usage_error(syntax->command, "--from is not before --to");
    q->interval_ns = minutes > 0 && minutes < 1000000 ? (uint64_t)minutes * 60000000000u
                                                      : inf_stats_interval(q->filter.from_ns, q->filter.to_ns);
    return -1;
}

struct wish {
    inf_stats_question question;
    bool json;
};

static int print(void *context, inf_store *store, const char *dir)
{
    const struct wish *wish = context;
    (void)dir;
    int error = wish->json ? print_json(store, &wish->question) : print_table(store, &wish->question);
    return error ? cli_store_error(store, error, "reading the numbers") : CLI_DONE;
}

int cmd_stats(int argc, char **argv)
{
    const char *data = NULL, *by = "name";
    struct wish wish = {0};
    int64_t minutes = 0, limit = 50;
    cli_filter chosen = {0};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--by", CLI_TEXT, &by, "WHAT", "a row each name, model, agent, or time (default: name)", NULL},
        {"--interval", CLI_INT, &minutes, "MINUTES", "with --by time: of a row (default: about 100 rows)", NULL},
        {"--from", CLI_TEXT, &chosen.from, "TIME", "started at or after, RFC 3339 (default: a day ago)", NULL},
        {"--to", CLI_TEXT, &chosen.to, "TIME", "started before, RFC 3339 (default: now)", NULL},
        {"--agent", CLI_TEXT, &chosen.agent, "UUID", "only traces of this agent", NULL},
        {"--name", CLI_TEXT, &chosen.name, "NAME", "only traces of this name", NULL},
        {"--model", CLI_TEXT, &chosen.model, "MODEL", "only traces with this model", NULL},
        {"--limit", CLI_INT, &limit, "N", "at most N names, models or agents (default: 50)", NULL},
        CLI_JSON_OPTION(&wish.json, "one JSON object, as the API gives it"),
    };
    const cli_syntax syntax = {
        .command = "infinium stats",
        .about = "Shows how many traces there were, how many failed, how long they took, and what they used.\n"
                 "Durations as percentiles. Quick however many traces there are: it reads sums by the minute, not the "
                 "traces.",
        .examples = "  infinium stats\n"
                    "  infinium stats --by model --from 2026-11-01T00:00:00Z\n"
                    "  infinium stats --by time --interval 60 --name \"Email Classifier\"\n"
                    "  infinium stats --json | jq .totals.cost_usd\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0 || (code = cli_filter_read(&syntax, &chosen, &wish.question.filter)) >= 0 ||
        (code = read_question(&syntax, by, minutes, limit, &wish.question)) >= 0)
        return code;
    return cli_with_store_caught_up(data, INF_STORE_READ_ONLY, print, &wish);
}

/* `infinium ls`: traces, newest first. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "data.h"
#include "filter.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"

#define PAGE_ROWS 500
#define TABLE_ROWS 50 /* of a table for people, when they do not say */

typedef struct listing {
    bool json, count_only;
    inf_store_filter filter;
    int64_t limit; /* rows; 0: all; negative: as is usual */
    int64_t printed;
    bool more;
} listing;

static int print_row(void *context, const inf_summary *summary)
{
    listing *l = context;
    if (l->json) {
        int error = cli_print_summary_json(summary);
        if (error)
            return error;
    } else {
        if (l->printed == 0)
            cli_print_summary_header();
        cli_print_summary_row(summary);
    }
    l->printed++;
    return cli_printed();
}

/* Prints at most `limit` rows (0: all), a page of the store at a time. */
static int print_rows(inf_store *store, int64_t limit, listing *l)
{
    inf_store_filter filter = l->filter;
    char cursor[INF_STORE_CURSOR_SIZE] = "", next[INF_STORE_CURSOR_SIZE] = "";
    do {
        int64_t left = limit ? limit - l->printed : PAGE_ROWS;
        filter.limit = left < PAGE_ROWS ? (int)left : PAGE_ROWS;
        memcpy(cursor, next, sizeof cursor);
        filter.cursor = cursor[0] ? cursor : NULL;
        int error = inf_store_list(store, &filter, print_row, l, next);
        if (error)
            return error;
    } while (next[0] && (limit == 0 || l->printed < limit));
    l->more = next[0] != 0;
    return 0;
}

static int list(void *context, inf_store *store, const char *dir)
{
    listing *l = context;
    (void)dir;
    if (l->count_only) {
        int64_t count = inf_store_count(store, &l->filter);
        if (count < 0)
            return cli_store_error(store, (int)count, "counting the traces");
        printf("%" PRId64 "\n", count);
        return CLI_DONE;
    }
    int error = print_rows(store, l->limit >= 0 ? l->limit : l->json ? 0 : TABLE_ROWS, l);
    if (error)
        return cli_store_error(store, error, "listing the traces");
    if (!l->json && l->printed == 0)
        puts("no traces");
    if (!l->json && l->more)
        printf("... and older ones; --limit N shows more, --limit 0 all\n");
    return CLI_DONE;
}

int cmd_ls(int argc, char **argv)
{
    const char *data = NULL;
    cli_filter chosen = {0};
    listing l = {.limit = -1};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        CLI_FILTER_OPTIONS(&chosen),
        {"--limit", CLI_INT, &l.limit, "N", "at most N, 0 for all (default: 50, with --json all)", NULL},
        {"--count", CLI_FLAG, &l.count_only, NULL, "print only how many there are", NULL},
        CLI_JSON_OPTION(&l.json, "one JSON object a line"),
    };
    const cli_syntax syntax = {
        .command = "infinium ls",
        .about = "Lists traces, newest first.\n"
                 "A receiver may be running on the directory or not.",
        .examples = "  infinium ls --status error\n"
                    "  infinium ls --name \"Email Classifier\" --limit 5\n"
                    "  infinium ls --search \"connection refused\" --from 2026-11-23T08:00:00Z\n"
                    "  infinium ls --tag production --model gpt-4o --min-duration 2.5\n"
                    "  infinium ls --json | jq -r 'select(.duration_s > 1) | .trace_id'\n"
                    "  infinium ls --count\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0 || (code = cli_filter_read(&syntax, &chosen, &l.filter)) >= 0)
        return code;
    return cli_with_store_caught_up(data, INF_STORE_READ_ONLY, list, &l);
}

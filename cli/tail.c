/* `infinium tail`: traces as they arrive, until Ctrl-C. Reads the store's changes, so it needs no receiver's address.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"

#define POLL_MS 100
#define PAGE_ROWS 500

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

typedef struct following {
    bool json, all;
    int64_t printed, limit;
    uint64_t sequence;
} following;

static int print_row(void *context, const inf_summary *summary)
{
    following *f = context;
    f->sequence = summary->sequence;
    if (f->json) {
        int error = cli_print_summary_json(summary);
        if (error)
            return error;
    } else {
        cli_print_summary_row(summary);
    }
    f->printed++;
    if (cli_flush() != 0)
        return INF_EIO;
    return f->limit && f->printed == f->limit ? 1 : 0;
}

static int follow(void *context, inf_store *store, const char *dir)
{
    following *f = context;
    (void)dir;
    int result = f->all ? 0 : inf_store_sequence(store, &f->sequence);
    if (result)
        return cli_store_error(store, result, "reading the store");
    if (!f->json) {
        cli_print_summary_header();
        cli_flush();
    }
    while (!ended) {
        result = inf_store_changes(store, f->sequence, PAGE_ROWS, print_row, f);
        if (result > 0 || cli_output_unread())
            return CLI_DONE;
        if (result < 0)
            return cli_store_error(store, result, "following the traces");
        struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    return CLI_DONE;
}

int cmd_tail(int argc, char **argv)
{
    const char *data = NULL;
    following f = {0};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--limit", CLI_INT, &f.limit, "N", "end after N traces (default: never)", NULL},
        {"--all", CLI_FLAG, &f.all, NULL, "begin with the traces that are there already", NULL},
        CLI_JSON_OPTION(&f.json, "one JSON object a line"),
    };
    const cli_syntax syntax = {
        .command = "infinium tail",
        .about = "Prints traces as they arrive or change, until Ctrl-C.",
        .examples = "  infinium tail\n"
                    "  infinium tail --json --limit 1\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;

    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return cli_with_store(data, INF_STORE_READ_ONLY, follow, &f);
}

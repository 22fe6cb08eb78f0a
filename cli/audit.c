/* `infinium audit`: who changed agents and keys, when and from where. */
#include <stdio.h>

#include "base/clock.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"
#include "store/keys.h"

#define LINE_LIMIT 8192

typedef struct audit_listing {
    bool json;
    int printed;
} audit_listing;

static const cli_column columns[] = {{"at", 19, false},   {"action", 14, false}, {"subject", 36, false},
                                     {"from", 15, false}, {"who", 40, false},    {"detail", 0, false}};

static int print_json(const inf_audit *entry)
{
    char at[INF_RFC3339_SIZE];
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_rfc3339(entry->at_ns, 3, at);
    const char *members[][2] = {{"at", at},
                                {"who", entry->who},
                                {"from", entry->origin},
                                {"action", entry->action},
                                {"subject", entry->subject},
                                {"detail", entry->detail}};
    inf_json_begin_object(&w);
    for (size_t i = 0; i < CLI_COUNT(members); i++) {
        inf_json_key(&w, members[i][0]);
        inf_json_put_text(&w, members[i][1]);
    }
    inf_json_end_object(&w);
    return cli_print_line(&line);
}

static int print_row(void *context, const inf_audit *entry)
{
    audit_listing *l = context;
    char at[CLI_TIME_SIZE];
    l->printed++;
    if (l->json)
        return print_json(entry);
    cli_time(entry->at_ns, at);
    if (l->printed == 1)
        cli_header(columns, CLI_COUNT(columns));
    const char *cells[] = {
        at, entry->action, entry->subject, entry->origin, entry->who, entry->detail ? entry->detail : ""};
    for (size_t i = 0; i < CLI_COUNT(columns); i++)
        cli_cell(&columns[i], cells[i], NULL);
    putchar('\n');
    return ferror(stdout) ? INF_EIO : 0;
}

int cmd_audit(int argc, char **argv)
{
    const char *data = NULL;
    int64_t limit = 50;
    audit_listing l = {0};
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--limit", CLI_INT, &limit, "N", "entries at most (default: 50)", NULL},
        {"--json", CLI_FLAG, &l.json, NULL, "one JSON object a line", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium audit",
        .arguments = "",
        .about = "Shows who created, rotated or revoked agents and keys, and who logged in; the newest first.",
        .examples = "  infinium audit --limit 10\n",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (limit < 1 || limit > INF_STORE_AUDIT_MAX)
        return cli_usage_error(syntax.command, "--limit is a number from 1 to %d", INF_STORE_AUDIT_MAX);
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    code = cli_open_store(&store, data, INF_STORE_READ_ONLY, false, dir);
    if (code < 0) {
        int error = inf_store_audit(store, 0, (int)limit, print_row, &l);
        code = error ? cli_store_error(store, error, "reading the audit log") : CLI_DONE;
        if (!l.json && !error && l.printed == 0)
            puts("nothing was changed yet");
    }
    inf_store_close(store);
    return code;
}

/* `infinium audit`: who changed agents and keys, when and from where. */
#include "commands.h"
#include "data.h"
#include "listing.h"
#include "options.h"
#include "store/keys.h"

static const cli_column columns[] = {{"at", 19, false},   {"action", 15, false}, {"subject", 36, false},
                                     {"from", 15, false}, {"who", 40, false},    {"detail", 0, false}};

static int print_json(const inf_audit *entry)
{
    cli_object o;
    cli_object_begin(&o);
    cli_object_time(&o, "at", entry->at_ns, 3);
    cli_object_text(&o, "who", entry->who);
    cli_object_text(&o, "from", entry->origin);
    cli_object_text(&o, "action", entry->action);
    cli_object_text(&o, "subject", entry->subject);
    cli_object_text(&o, "detail", entry->detail);
    return cli_object_print(&o);
}

static int print_row(void *context, const inf_audit *entry)
{
    cli_listing *l = context;
    char at[CLI_TIME_SIZE];
    if (l->json)
        return print_json(entry);
    cli_time(entry->at_ns, at);
    const char *cells[] = {
        at, entry->action, entry->subject, entry->origin, entry->who, entry->detail ? entry->detail : ""};
    return cli_listing_row(l, cells);
}

struct reading {
    cli_listing listing; /* first: rows are read for it */
    int64_t limit;
};

static int read_rows(inf_store *store, cli_listing *l)
{
    const struct reading *r = (const struct reading *)l;
    return inf_store_audit(store, 0, (int)r->limit, print_row, l);
}

static int print(void *context, inf_store *store, const char *dir)
{
    (void)dir;
    return cli_listing_print(context, store, read_rows, "reading the audit log", "nothing was changed yet");
}

int cmd_audit(int argc, char **argv)
{
    const char *data = NULL;
    struct reading r = {.listing = {.columns = columns, .column_count = CLI_COUNT(columns)}, .limit = 50};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--limit", CLI_INT, &r.limit, "N", "entries at most (default: 50)", NULL},
        CLI_JSON_OPTION(&r.listing.json, "one JSON object a line"),
    };
    const cli_syntax syntax = {
        .command = "infinium audit",
        .about = "Shows who created, rotated or revoked agents and keys, and who logged in; the newest first.",
        .examples = "  infinium audit --limit 10\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (r.limit < 1 || r.limit > INF_STORE_AUDIT_MAX)
        return cli_usage_error(syntax.command, "--limit is a number from 1 to %d", INF_STORE_AUDIT_MAX);
    return cli_with_store(data, INF_STORE_READ_ONLY, print, &r);
}

/* See listing.h. */
#include "listing.h"

#include <stdio.h>

#include "data.h"
#include "options.h"

int cli_listing_row(cli_listing *l, const char *const *cells)
{
    if (l->printed++ == 0)
        cli_header(l->columns, l->column_count);
    for (size_t i = 0; i < l->column_count; i++)
        cli_cell(&l->columns[i], cells[i], NULL);
    putchar('\n');
    return cli_printed();
}

int cli_listing_print(cli_listing *l, inf_store *store, int (*read)(inf_store *store, cli_listing *l),
                      const char *doing, const char *none)
{
    int error = read(store, l);
    if (error)
        return cli_store_error(store, error, doing);
    if (!l->json && l->printed == 0 && none)
        puts(none);
    return CLI_DONE;
}

struct list {
    const cli_list_command *command;
    cli_listing listing;
};

static int print(void *context, inf_store *store, const char *dir)
{
    struct list *l = context;
    (void)dir;
    return cli_listing_print(&l->listing, store, l->command->read, l->command->doing, l->command->none);
}

int cli_list(const cli_list_command *c, int argc, char **argv)
{
    const char *data = NULL;
    struct list l = {.command = c, .listing = {.columns = c->columns, .column_count = c->column_count}};
    const cli_option options[] = {CLI_DATA_OPTION(&data), CLI_JSON_OPTION(&l.listing.json, "one JSON object a line")};
    const cli_syntax syntax = {.command = c->command, .about = c->about, .examples = c->examples, CLI_OPTIONS(options)};
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    return code >= 0 ? code : cli_with_store(data, INF_STORE_READ_ONLY, print, &l);
}

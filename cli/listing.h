/* Lists of what a data directory has besides traces (agents, keys, prompts, the audit log): a table for people, an
 * object a line for scripts. */
#ifndef INF_CLI_LISTING_H
#define INF_CLI_LISTING_H

#include "object.h"
#include "output.h"
#include "store/store.h"

typedef struct cli_listing {
    const cli_column *columns;
    size_t column_count;
    bool json;
    int printed;
} cli_listing;

/* A row of the table, after the heading if it is the first. 0, or INF_EIO. */
int cli_listing_row(cli_listing *l, const char *const *cells);

/* Reads the rows with `read`, which prints each, and then says `none` (may be NULL) to people if there was none.
 * Returns the exit code, after saying what failed while `doing`. */
int cli_listing_print(cli_listing *l, inf_store *store, int (*read)(inf_store *store, cli_listing *l),
                      const char *doing, const char *none);

/* A whole `infinium THING list`. */
typedef struct cli_list_command {
    const char *command, *about, *examples;
    const cli_column *columns;
    size_t column_count;
    int (*read)(inf_store *store, cli_listing *l);
    const char *doing; /* "listing the agents" */
    const char *none;
} cli_list_command;

int cli_list(const cli_list_command *c, int argc, char **argv);

#endif

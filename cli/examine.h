/* What `infinium doctor` looks at: the data directory, its files' modes, the journal, the store. Looks only, unless it
 * is told to repair; beside a running receiver it leaves the journal alone. */
#ifndef INF_CLI_EXAMINE_H
#define INF_CLI_EXAMINE_H

#include <stdbool.h>

enum cli_finding_level {
    CLI_FINDING_OK,
    CLI_FINDING_NOTE, /* to be known, nothing wrong */
    CLI_FINDING_REPAIRED,
    CLI_FINDING_WRONG
};

typedef struct cli_finding {
    enum cli_finding_level level;
    const char *where; /* "directory", "files", "journal", "store" */
    const char *text;
    const char *advice; /* what to do; NULL: nothing */
} cli_finding;

/* Says everything that it finds, in a fixed order; returns how many things are wrong and stay so. */
int cli_examine(const char *dir, bool repair, void (*say)(void *context, const cli_finding *finding), void *context);

#endif

/* How far a long command is, on one line of standard error, twice a second; nothing where that is no terminal. */
#ifndef INF_CLI_PROGRESS_H
#define INF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_progress {
    const char *verb; /* "exported" */
    bool shown;
    bool terminal;
    uint64_t bytes;
    uint64_t began_ns;
    uint64_t last_ns;
} cli_progress;

cli_progress cli_progress_begin(const char *verb);
/* `traces` so far, and `bytes` more than at the last call. */
void cli_progress_show(cli_progress *progress, uint64_t traces, size_t bytes);
/* Clears the line. */
void cli_progress_end(cli_progress *progress);

#endif

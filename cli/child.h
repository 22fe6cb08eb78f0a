/* The demo's program: a child process whose output is passed on line by line, marked, while the demo does other things.
 */
#ifndef INF_CLI_CHILD_H
#define INF_CLI_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct cli_child {
    pid_t pid;
    int output;      /* read end of its output and error output; -1 once closed */
    char line[1024]; /* begun, not ended */
    size_t length;
    bool exited;
    int exit_code; /* 128 + signal when a signal ended it */
} cli_child;

/* Starts `argv` (looked up in PATH) with this process's environment. 0, or an errno. */
int cli_child_start(cli_child *child, char *const argv[]);

/* Passes on what the child has printed and notices its end; waits at most timeout_ms for either. Returns false when
 * there is nothing more to come. */
bool cli_child_poll(cli_child *child, int timeout_ms);

/* Ends the child and waits for it. */
void cli_child_end(cli_child *child);

#endif

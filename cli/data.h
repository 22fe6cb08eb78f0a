/* The data directory as the commands see it: where it is, opening its store, and what an ID on the command line means.
 */
#ifndef INF_CLI_DATA_H
#define INF_CLI_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* For tables of options. */
#define CLI_DATA_OPTION(value)                                                                                         \
    {                                                                                                                  \
        "--data", CLI_TEXT, value, "DIR",                                                                              \
            "the receiver's data directory (default: $XDG_STATE_HOME/infinium/data or ~/.local/state/infinium/data)",  \
            "INFINIUM_DATA"                                                                                            \
    }

#define CLI_PATH_SIZE 4096

/* `given` (may be NULL), else $XDG_STATE_HOME/infinium/<what>, else ~/.local/state/infinium/<what>. 0, or INF_E2BIG,
 * INF_ENOTFOUND (no home). */
int cli_state_dir(const char *given, const char *what, char out[CLI_PATH_SIZE]);

/* Opens the store of `given` (as above) for reading or, with INF_STORE_CREATE, for writing. With `catch_up`, everything
 * acknowledged before the call can be read afterwards. Returns -1 and *out, else an exit code after saying why. */
int cli_open_store(inf_store **out, const char *given, unsigned flags, bool catch_up, char dir[CLI_PATH_SIZE]);

/* The same around the work that needs it: opens, works, closes. `work` returns the exit code. */
typedef int (*cli_store_work)(void *context, inf_store *store, const char *dir);
int cli_with_store(const char *given, unsigned flags, cli_store_work work, void *context);
int cli_with_store_caught_up(const char *given, unsigned flags, cli_store_work work, void *context);

/* Prints why a store function failed; returns CLI_FAILED. Says nothing where it was standard output that took no more:
 * main() does. */
int cli_store_error(inf_store *store, int error, const char *what);

/* Where the receiver of `dir` listens; one that is just starting is waited for, some seconds at most. False: none does.
 */
bool cli_receiver_url(const char *dir, char *url, size_t size);

/* Whatever was just changed about agents and keys is known to the receiver of `dir`, if one runs, when this returns. */
void cli_wait_for_receiver(const char *dir);

/* Whether `text` can be a trace's id, or its beginning: -1, else an exit code after saying what is wrong with it. */
int cli_check_trace(const char *command, const char *text);

/* A trace's id from 32 hexadecimal digits, a UUID or the beginning of either that only one trace has (4 digits or
 * more); cli_check_trace() has passed it. Returns -1 and *out, else an exit code after saying why. */
int cli_find_trace(inf_store *store, const char *text, uint8_t out[16]);

#endif

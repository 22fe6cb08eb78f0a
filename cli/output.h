/* What people read in a terminal: durations, times, aligned columns, colour only where a terminal shows it. Text of a
 * trace is printed with its control characters replaced, so that no trace can move somebody's cursor. */
#ifndef INF_CLI_OUTPUT_H
#define INF_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_DURATION_SIZE 32
#define CLI_TIME_SIZE 32

/* "12.3 ms", "1.24 s", "2 m 03 s", "1 h 04 m". */
void cli_duration(uint64_t ns, char out[CLI_DURATION_SIZE]);
/* Local time, "2026-11-23 08:12:33". */
void cli_time(uint64_t unix_ns, char out[CLI_TIME_SIZE]);

/* Is `file` a terminal that shows colour (and NO_COLOR is not set)? */
bool cli_colour(FILE *file);

/* Writes at most `width` code points of `text` (0: all), control characters as '.', cut text with an ellipsis at its
 * end; line ends become spaces when `one_line`. Returns the code points written. */
size_t cli_text(FILE *file, const char *text, size_t width, bool one_line);

typedef struct cli_column {
    const char *title;
    int width;       /* 0: the last one, as wide as its text */
    bool from_right; /* numbers */
} cli_column;

/* One cell, padded to its column; `colour` is an escape sequence or NULL. Cells are separated by two spaces. */
void cli_cell(const cli_column *column, const char *text, const char *colour);
void cli_header(const cli_column *columns, size_t count);

/* "1 trace", "2 traces": printf("%d trace%s", n, CLI_S(n)) */
#define CLI_S(n) ((n) == 1 ? "" : "s")

/* After printing: 0, or INF_EIO when standard output takes no more. The command then ends and says nothing of it. */
int cli_printed(void);
/* The same after writing out what was printed so far. */
int cli_flush(void);
/* Writes out what is left. What a command that ended with `code` exits with: when something could not be written,
 * CLI_FAILED after saying why, which a reader that went away (`| head`) needs no word about. */
int cli_output_end(int code);
/* Nobody reads standard output any more, and that is as it should be: no failure from here on. True if so. */
bool cli_output_unread(void);

#define CLI_RED "\033[31m"
#define CLI_GREEN "\033[32m"
#define CLI_YELLOW "\033[33m"
#define CLI_DIM "\033[2m"
#define CLI_BOLD "\033[1m"
#define CLI_PLAIN "\033[0m"

#endif

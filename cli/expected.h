/* What a demo's programs are expected to leave at the receiver: a list of (count, status, name), ticked off as traces
 * arrive. */
#ifndef INF_CLI_EXPECTED_H
#define INF_CLI_EXPECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_EXPECTED_MAX 64
#define CLI_EXPECTED_NAME 128

typedef struct cli_expected {
    struct cli_expectation {
        char name[CLI_EXPECTED_NAME];
        uint8_t status; /* enum inf_status */
        long wanted, seen;
    } rows[CLI_EXPECTED_MAX];
    size_t count;
} cli_expected;

/* Reads a file of lines `COUNT STATUS NAME`; empty lines and what begins with '#' are skipped. Returns -1, else an exit
 * code after saying what is wrong and in which line. */
int cli_expected_read(cli_expected *out, const char *path);

/* One more row; false when there is no room. */
bool cli_expected_add(cli_expected *e, long wanted, uint8_t status, const char *name);

/* A trace has arrived or changed to its final status. */
void cli_expected_see(cli_expected *e, uint8_t status, const char *name);

bool cli_expected_complete(const cli_expected *e);

/* Prints a line on standard error for each row that did not arrive as often as wanted. Returns how many those are. */
int cli_expected_report(const cli_expected *e);

#endif

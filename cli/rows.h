/* Traces as rows: a line of JSON for scripts, a line of a table for people. */
#ifndef INF_CLI_ROWS_H
#define INF_CLI_ROWS_H

#include <stdbool.h>

#include "object.h"
#include "store/store.h"

/* One object and a line end on standard output. 0, or a negative INF_E... */
int cli_print_summary_json(const inf_summary *summary);

void cli_print_summary_header(void);
void cli_print_summary_row(const inf_summary *summary);

/* The colour of a status, or NULL where standard output shows none. */
const char *cli_status_colour(uint8_t status);

#endif

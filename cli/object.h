/* One JSON object on a line of standard output, for scripts: begin, its members, print. */
#ifndef INF_CLI_OBJECT_H
#define INF_CLI_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json_write.h"

typedef struct cli_object {
    inf_buf line;
    inf_json_writer w; /* for members that are no text, number, yes or no, or time; points to `line`: do not copy */
} cli_object;

void cli_object_begin(cli_object *o);
void cli_object_text(cli_object *o, const char *key, const char *text); /* NULL: null */
void cli_object_number(cli_object *o, const char *key, int64_t number);
void cli_object_bool(cli_object *o, const char *key, bool value);
/* RFC 3339 with so many digits of a second; 0 ns: null. */
void cli_object_time(cli_object *o, const char *key, uint64_t unix_ns, int digits);
/* Ends it, prints it and frees it; must be called. 0, or a negative INF_E... */
int cli_object_print(cli_object *o);

/* Writes the buffer and a line end to standard output, and frees it. 0, or a negative INF_E... */
int cli_print_line(inf_buf *line);

#endif

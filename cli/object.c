/* See object.h. */
#include "object.h"

#include <stdio.h>

#include "base/clock.h"
#include "infinium.h"
#include "output.h"

#define LINE_LIMIT (1 << 20) /* bytes; names are a few hundred */

void cli_object_begin(cli_object *o)
{
    inf_buf_init(&o->line, LINE_LIMIT);
    o->w = inf_json_writer_on(&o->line);
    inf_json_begin_object(&o->w);
}

void cli_object_text(cli_object *o, const char *key, const char *text)
{
    inf_json_key(&o->w, key);
    inf_json_put_text(&o->w, text);
}

void cli_object_number(cli_object *o, const char *key, int64_t number)
{
    inf_json_key(&o->w, key);
    inf_json_put_i64(&o->w, number);
}

void cli_object_bool(cli_object *o, const char *key, bool value)
{
    inf_json_key(&o->w, key);
    inf_json_put_bool(&o->w, value);
}

void cli_object_time(cli_object *o, const char *key, uint64_t unix_ns, int digits)
{
    char text[INF_RFC3339_SIZE];
    inf_rfc3339(unix_ns, digits, text);
    cli_object_text(o, key, unix_ns ? text : NULL);
}

int cli_object_print(cli_object *o)
{
    inf_json_end_object(&o->w);
    return cli_print_line(&o->line);
}

int cli_print_line(inf_buf *line)
{
    inf_buf_put_byte(line, '\n');
    int error = line->error;
    if (!error) {
        fwrite(line->data, 1, line->length, stdout);
        error = cli_printed();
    }
    inf_buf_free(line);
    return error;
}

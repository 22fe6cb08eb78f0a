/* `infinium doctor`: is the data directory well? */
#include <stdio.h>

#include "base/json_write.h"
#include "commands.h"
#include "data.h"
#include "examine.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"

#define REPORT_LIMIT (1024 * 1024)

struct report {
    bool json;
    bool colour;
    inf_json_writer w;
};

static const char *const level_names[] = {"ok", "note", "repaired", "wrong"};
static const char *const level_colours[] = {CLI_GREEN, CLI_DIM, CLI_YELLOW, CLI_RED};

static void report_one(void *context, const cli_finding *f)
{
    struct report *r = context;
    if (r->json) {
        inf_json_begin_object(&r->w);
        inf_json_key(&r->w, "level");
        inf_json_put_text(&r->w, level_names[f->level]);
        inf_json_key(&r->w, "where");
        inf_json_put_text(&r->w, f->where);
        inf_json_key(&r->w, "text");
        inf_json_put_text(&r->w, f->text);
        inf_json_key(&r->w, "advice");
        inf_json_put_text(&r->w, f->advice);
        inf_json_end_object(&r->w);
        return;
    }
    printf("%s%-8s%s  %-9s  ", r->colour ? level_colours[f->level] : "", level_names[f->level],
           r->colour ? "\033[0m" : "", f->where);
    cli_text(stdout, f->text, 0, true);
    putchar('\n');
    if (f->advice)
        printf("%-10s%-11s%s\n", "", "", f->advice);
}

int cmd_doctor(int argc, char **argv)
{
    const char *data = NULL;
    bool repair = false, json = false;
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--repair", CLI_FLAG, &repair, NULL,
         "put right what can be: modes, damaged tokens, traces left in the journal", NULL},
        CLI_JSON_OPTION(&json, "one JSON object"),
    };
    const cli_syntax syntax = {
        .command = "infinium doctor",
        .about = "Checks a receiver's data directory: who may read it, room on the disk, the journal, the store.\n"
                 "The exit code is 0 when nothing is wrong, or everything was repaired, and else 1.",
        .examples = "  infinium doctor\n"
                    "  infinium doctor --data /var/lib/infinium --repair\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    char dir[CLI_PATH_SIZE];
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (cli_state_dir(data, "data", dir) != 0)
        return cli_error("no data directory: give one with --data DIR or INFINIUM_DATA");
    inf_buf out;
    inf_buf_init(&out, REPORT_LIMIT);
    struct report r = {.json = json, .colour = cli_colour(stdout), .w = inf_json_writer_on(&out)};
    inf_json_begin_object(&r.w);
    inf_json_key(&r.w, "findings");
    inf_json_begin_array(&r.w);
    int wrong = cli_examine(dir, repair, report_one, &r);
    inf_json_end_array(&r.w);
    inf_json_key(&r.w, "wrong");
    inf_json_put_i64(&r.w, wrong);
    inf_json_key(&r.w, "data");
    inf_json_put_text(&r.w, dir);
    inf_json_end_object(&r.w);
    int error = json ? cli_print_line(&out) : 0;
    inf_buf_free(&out);
    if (error)
        return cli_store_error(NULL, error, "printing");
    return wrong ? CLI_FAILED : CLI_DONE;
}

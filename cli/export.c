/* `infinium export`: traces as NDJSON or CSV. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/dump.h"
#include "base/clock.h"
#include "commands.h"
#include "data.h"
#include "filter.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "progress.h"

typedef struct target {
    const char *path; /* NULL: standard output */
    char part[CLI_PATH_SIZE];
    FILE *file;
} target;

/* Traces are nobody else's to read; and a file of this name is there only once it is whole. */
static int open_target(target *t, const char *path)
{
    t->path = path && strcmp(path, "-") != 0 ? path : NULL;
    t->file = stdout;
    if (!t->path)
        return -1;
    if ((size_t)snprintf(t->part, sizeof t->part, "%s.part", path) >= sizeof t->part)
        return cli_error("the path %s is too long", path);
    int fd = open(t->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    t->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (t->file)
        return -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return cli_error("cannot write %s: %s", t->path, strerror(error));
}

static int close_target(target *t, int code)
{
    if (!t->path)
        return code;
    bool fine = fflush(t->file) == 0 && fsync(fileno(t->file)) == 0;
    int error = errno;
    fine = fclose(t->file) == 0 && fine;
    if (code == CLI_DONE && (!fine || rename(t->part, t->path) != 0))
        code = cli_error("cannot write %s: %s", t->path, strerror(fine ? errno : error));
    if (code != CLI_DONE)
        unlink(t->part);
    return code;
}

/* Why nothing more goes into the target. Of standard output main() says it. */
static int cannot_write(const target *t)
{
    if (t->path)
        return cli_error("cannot write %s: %s", t->path, strerror(errno));
    cli_printed();
    return CLI_FAILED;
}

static int write_all(inf_dump *dump, target *t)
{
    inf_buf text;
    inf_buf_init(&text, INF_DUMP_ENOUGH + INF_DUMP_LINE_MAX);
    cli_progress progress = cli_progress_begin("exported");
    int more;
    bool written = true;
    do {
        inf_buf_reset(&text);
        more = inf_dump_some(dump, &text);
        if (more >= 0)
            written = fwrite(text.data ? text.data : (const void *)"", 1, text.length, t->file) == text.length;
        if (written)
            cli_progress_show(&progress, dump->written, text.length);
    } while (more == 1 && written);
    int error = errno;
    cli_progress_end(&progress);
    inf_buf_free(&text);
    if (more < 0)
        return cli_store_error(dump->store, more, "reading the traces");
    errno = error;
    return written ? CLI_DONE : cannot_write(t);
}

struct wish {
    inf_store_filter filter;
    bool csv;
    const char *output;
};

static int export(void *context, inf_store *store, const char *dir)
{
    const struct wish *wish = context;
    inf_dump dump;
    target t;
    (void)dir;
    int code = open_target(&t, wish->output);
    if (code >= 0)
        return code;
    inf_dump_init(&dump, store, &wish->filter, wish->csv ? INF_DUMP_CSV : INF_DUMP_NDJSON);
    code = close_target(&t, write_all(&dump, &t));
    if (code == CLI_DONE && t.path)
        fprintf(stderr, "%" PRIu64 " trace%s in %s\n", dump.written, CLI_S(dump.written), t.path);
    return code;
}

int cmd_export(int argc, char **argv)
{
    const char *data = NULL, *format = "ndjson", *output = NULL;
    cli_filter chosen = {0};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--format", CLI_TEXT, &format, "FORMAT",
         "ndjson (all of a trace, the default) or csv (a row a trace, for spreadsheets)", NULL},
        {"--output", CLI_TEXT, &output, "FILE", "write here (default: standard output)", NULL},
        {"-o", CLI_TEXT, &output, "FILE", "the same", NULL},
        CLI_FILTER_OPTIONS(&chosen),
    };
    const cli_syntax syntax = {
        .command = "infinium export",
        .about = "Writes traces, newest first, as NDJSON or CSV.\n"
                 "`infinium import` takes NDJSON back. A receiver may be running on the directory or not.",
        .examples = "  infinium export -o traces.ndjson\n"
                    "  infinium export --format csv --from 2026-11-01T00:00:00Z -o november.csv\n"
                    "  infinium export --status error | zstd > errors.ndjson.zst\n"
                    "  infinium export | jq -r 'select(.cost_usd > 0.1) | .body.input_summary'\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    struct wish wish;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code < 0 && strcmp(format, "ndjson") != 0 && strcmp(format, "csv") != 0)
        code = cli_usage_error(syntax.command, "no format '%s'; there are ndjson and csv", format);
    if (code >= 0 || (code = cli_filter_read(&syntax, &chosen, &wish.filter)) >= 0)
        return code;
    wish.csv = *format == 'c';
    wish.output = output;
    return cli_with_store_caught_up(data, INF_STORE_READ_ONLY, export, &wish);
}

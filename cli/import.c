/* `infinium import FILE`: what `infinium export` wrote, back into a data directory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "ingest/import.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "rows.h"

enum {
    READ_BYTES = 1024 * 1024,
    ROOM = INF_IMPORT_LINE_MAX + 2 * READ_BYTES,
    ANSWER_LIMIT = 1024 * 1024,
    TOLD_MAX = 20
};

typedef struct source {
    const char *name;
    int fd;
    char *text; /* ROOM bytes, and padding */
    size_t length;
    bool json; /* the numbers, in the end */
} source;

static void tell(void *context, uint64_t index, const char *reason)
{
    int *told = context;
    if (++*told <= TOLD_MAX)
        fprintf(stderr, "trace %" PRIu64 " of the file is refused: %s\n", index + 1, reason);
    else if (*told == TOLD_MAX + 1)
        fprintf(stderr, "further ones are not told\n");
}

/* 1: there is more; 0: the end; -1 with errno. */
static int read_more(source *s)
{
    ssize_t n;
    do
        n = read(s->fd, s->text + s->length, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        s->length += (size_t)n;
    return n > 0 ? 1 : (int)n;
}

static int take_all(inf_import *import, inf_store *store, source *s)
{
    cli_progress progress = cli_progress_begin("imported");
    inf_actor actor;
    inf_actor_local(&actor);
    int more = 1;
    int error = 0;
    while (more == 1 && !error) {
        size_t used = 0;
        size_t before = s->length;
        more = read_more(s);
        if (more < 0)
            break;
        bool begun = inf_import_counted(import)->lines > 0;
        error = inf_import_take(import, store, s->text, s->length, more == 0, &used);
        if (!begun && more && inf_import_counted(import)->lines > 0) /* who breaks it off has left a trace, too */
            inf_import_note(import, store, &actor, false);
        cli_progress_show(&progress, inf_import_counted(import)->accepted, s->length - before);
        memmove(s->text, s->text + used, s->length - used);
        s->length -= used;
    }
    cli_progress_end(&progress);
    if (inf_import_counted(import)->lines > 0)
        inf_import_note(import, store, &actor, true);
    if (more < 0)
        return cli_error("cannot read %s: %s", s->name, strerror(errno));
    return error ? cli_store_error(store, error, "storing the traces") : -1;
}

static int report(const inf_import *import, bool json)
{
    const inf_import_counts *c = inf_import_counted(import);
    if (json) {
        inf_buf line;
        inf_buf_init(&line, ANSWER_LIMIT);
        inf_json_writer w = inf_json_writer_on(&line);
        inf_import_write(import, &w);
        int error = cli_print_line(&line);
        if (error)
            return cli_store_error(NULL, error, "printing the numbers");
    } else {
        printf("imported %" PRIu64 " trace%s; %" PRIu64 " %s there already, %" PRIu64 " %s refused\n", c->accepted,
               CLI_S(c->accepted), c->duplicates, c->duplicates == 1 ? "was" : "were", c->rejected,
               c->rejected == 1 ? "was" : "were");
        if (c->agents)
            printf("%" PRIu64 " agent%s added, without a secret; `infinium agent list` shows %s\n", c->agents,
                   c->agents == 1 ? " was" : "s were", c->agents == 1 ? "it" : "them");
    }
    return c->rejected ? CLI_FAILED : CLI_DONE;
}

static int import_file(void *context, inf_store *store, const char *dir)
{
    source *s = context;
    int told = 0;
    (void)dir;
    inf_import *import = inf_import_new();
    s->text = malloc(ROOM + INF_JSON_PADDING);
    int code = -1;
    if (!import || !s->text)
        code = cli_error("out of memory");
    if (code < 0) {
        if (!s->json)
            inf_import_tell(import, tell, &told);
        code = take_all(import, store, s);
    }
    if (code < 0)
        code = report(import, s->json);
    free(s->text);
    inf_import_free(import);
    return code;
}

int cmd_import(int argc, char **argv)
{
    const char *data = NULL;
    bool json = false;
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        CLI_JSON_OPTION(&json, "the numbers as one JSON object"),
    };
    const cli_syntax syntax = {
        .command = "infinium import",
        .about = "Takes back the NDJSON that `infinium export` wrote.\n"
                 "FILE - is standard input. What is there already is left, so importing twice does no harm. A receiver "
                 "may be running on the directory or not.",
        .examples = "  infinium import traces.ndjson\n"
                    "  zstd -dc traces.ndjson.zst | infinium import - --data /srv/infinium\n",
        CLI_OPTIONS(options),
        CLI_ONE("FILE"),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    source s = {.name = arguments.values[0], .fd = STDIN_FILENO, .json = json};
    if (strcmp(s.name, "-") != 0)
        s.fd = open(s.name, O_RDONLY | O_CLOEXEC);
    if (s.fd < 0)
        return cli_error("cannot read %s: %s", s.name, strerror(errno));
    code = cli_with_store(data, INF_STORE_CREATE, import_file, &s);
    if (s.fd != STDIN_FILENO)
        close(s.fd);
    return code;
}

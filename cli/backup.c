/* `infinium backup`: a copy of the store, while the receiver goes on. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"

#define SHOW_NS 500000000ull

struct shown {
    uint64_t last_ns;
    bool any;
};

static int show(void *context, int done, int total)
{
    struct shown *s = context;
    uint64_t now = inf_mono_ns();
    if (total > 0 && now - s->last_ns >= SHOW_NS) {
        fprintf(stderr, "\r%d %% copied", (int)(100.0 * done / total));
        s->last_ns = now;
        s->any = true;
    }
    return 0;
}

int cmd_backup(int argc, char **argv)
{
    const char *data = NULL;
    const cli_option options[] = {{"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT}};
    const cli_syntax syntax = {
        .command = "infinium backup",
        .arguments = "FILE",
        .about =
            "Copies the store, as it is at this moment, into the new FILE, while the receiver takes traces and\n"
            "shows them. To restore it: stop the receiver, move DIR/infinium.db, -wal and -shm away, copy FILE to\n"
            "DIR/infinium.db, start the receiver.",
        .examples = "  infinium backup /backup/infinium-$(date +%F).db\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    struct shown shown = {.last_ns = inf_mono_ns()};
    code = cli_open_store(&store, data, 0, true, dir);
    if (code < 0) {
        const char *file = arguments.values[0];
        struct stat st;
        int error = inf_store_backup(store, file, isatty(2) ? show : NULL, &shown);
        if (shown.any)
            fputs("\r               \r", stderr);
        if (error == INF_EEXIST)
            code = cli_error("%s exists already; choose another name, or remove it", file);
        else if (error)
            code = cli_store_error(store, error, "the backup");
        else if (stat(file, &st) == 0)
            printf("%s: %.1f MiB\n", file, (double)st.st_size / (1024.0 * 1024));
        if (code < 0)
            code = CLI_DONE;
    }
    inf_store_close(store);
    return code;
}

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

static int copy(void *context, inf_store *store, const char *dir)
{
    const char *file = context;
    struct shown shown = {.last_ns = inf_mono_ns()};
    struct stat st;
    (void)dir;
    int error = inf_store_backup(store, file, isatty(2) ? show : NULL, &shown);
    if (shown.any)
        fputs("\r               \r", stderr);
    if (error == INF_EEXIST)
        return cli_error("%s exists already; choose another name, or remove it", file);
    if (error)
        return cli_store_error(store, error, "the backup");
    if (stat(file, &st) == 0)
        printf("%s: %.1f MiB\n", file, (double)st.st_size / (1024.0 * 1024));
    return CLI_DONE;
}

int cmd_backup(int argc, char **argv)
{
    const char *data = NULL;
    const cli_option options[] = {CLI_DATA_OPTION(&data)};
    const cli_syntax syntax = {
        .command = "infinium backup",
        .about = "Copies the store, as it is at this moment, into the new FILE.\n"
                 "The receiver goes on meanwhile. To restore it: stop the receiver, move DIR/infinium.db, -wal and "
                 "-shm away, copy FILE to DIR/infinium.db, start the receiver.",
        .examples = "  infinium backup /backup/infinium-$(date +%F).db\n",
        CLI_OPTIONS(options),
        CLI_ONE("FILE"),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    return code >= 0 ? code : cli_with_store_caught_up(data, 0, copy, (void *)arguments.values[0]);
}

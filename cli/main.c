/* The `infinium` command: a table of subcommands. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"
#include "output.h"

static const cli_action commands[] = {
    {"serve", "run the receiver and its page", cmd_serve},
    {"reload", "have the receiver read its settings again, and hear what became of them", cmd_reload},
    {"agent", "create, list, rotate and revoke agents", cmd_agent},
    {"key", "create, list, rotate and revoke keys of readers and administrators", cmd_key},
    {"audit", "show who changed agents and keys", cmd_audit},
    {"login", "print a link that logs a browser in", cmd_login},
    {"prompt", "create, list, show, publish, rotate and delete prompts", cmd_prompt},
    {"ls", "list traces", cmd_ls},
    {"show", "show one trace", cmd_show},
    {"tail", "follow traces as they arrive", cmd_tail},
    {"stats", "numbers of many traces: how many, how long, what they cost", cmd_stats},
    {"export", "write traces as NDJSON or CSV", cmd_export},
    {"import", "take back what `export` wrote", cmd_import},
    {"demo", "receiver, page and sample traces in one go", cmd_demo},
    {"journal", "show or deliver what programs have left in the journal", cmd_journal},
    {"doctor", "check the data directory, and repair it", cmd_doctor},
    {"backup", "copy the store while it is used", cmd_backup},
    {"version", "print the version", cmd_version},
};

/* A descriptor that was closed by whoever started us must not become one of our files, which prints would then go to:
 * it fails instead. */
static void open_standard(int fd, int flags)
{
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) < 0)
        _exit(CLI_FAILED);
}

int main(int argc, char **argv)
{
    /* A reader that went away (`infinium ls | head`) is no error of ours: writes fail, and that ends us quietly. */
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    open_standard(STDIN_FILENO, O_WRONLY);
    open_standard(STDOUT_FILENO, O_RDONLY);
    open_standard(STDERR_FILENO, O_RDWR);
    const cli_group group = {
        .command = "infinium",
        .about = "Infinium: tracing for AI agents.",
        .examples = "  infinium demo\n"
                    "  eval \"$(infinium agent create 'Mail desk')\"\n"
                    "  infinium ls --status error\n",
        .actions = commands,
        .count = CLI_COUNT(commands),
    };
    return cli_output_end(cli_dispatch(&group, argc, argv));
}

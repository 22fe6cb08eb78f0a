/* The `infinium` command: a table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static const cli_action commands[] = {
    {"serve", "run the receiver and its page", cmd_serve},
    {"agent", "create, list, rotate and revoke agents", cmd_agent},
    {"key", "create, list, rotate and revoke keys of readers and administrators", cmd_key},
    {"audit", "show who changed agents and keys", cmd_audit},
    {"login", "print a link that logs a browser in", cmd_login},
    {"prompt", "create, list, show, publish and rotate prompts", cmd_prompt},
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

int main(int argc, char **argv)
{
    /* A reader that went away (`infinium ls | head`) is no error of ours: writes fail, and that ends us quietly. */
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    int code = cli_dispatch("infinium", "Infinium: tracing for AI agents.", commands, CLI_COUNT(commands), argc, argv);
    if (fflush(stdout) != 0 && code == CLI_DONE)
        return CLI_FAILED;
    return code;
}

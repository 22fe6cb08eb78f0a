/* The `infinium` command: a table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static const struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "run the receiver and its page", cmd_serve},
    {"agent", "create, list and revoke agents", cmd_agent},
    {"ls", "list traces", cmd_ls},
    {"show", "show one trace", cmd_show},
    {"tail", "follow traces as they arrive", cmd_tail},
    {"demo", "receiver, page and sample traces in one go", cmd_demo},
    {"version", "print the version", cmd_version},
};

static void print_help(void)
{
    puts("Infinium: tracing for AI agents.\n\nusage: infinium COMMAND [options]\n\ncommands:");
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n`infinium COMMAND --help` shows a command's options and examples.");
}

static int unknown_command(const char *given)
{
    const char *names[CLI_COUNT(commands)];
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        names[i] = commands[i].name;
    const char *nearest = cli_nearest(given, names, CLI_COUNT(names));
    if (nearest)
        return cli_usage_error("infinium", "unknown command '%s'; did you mean 'infinium %s'?", given, nearest);
    return cli_usage_error("infinium", "unknown command '%s'", given);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help();
        return CLI_WRONG_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return CLI_DONE;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(name);
}

int main(int argc, char **argv)
{
    /* A reader that went away (`infinium ls | head`) is no error of ours: writes fail, and that ends us quietly. */
    signal(SIGPIPE, SIG_IGN);
    int code = run(argc, argv);
    if (fflush(stdout) != 0 && code == CLI_DONE)
        return CLI_FAILED;
    return code;
}

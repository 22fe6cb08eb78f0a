/* `infinium version` */
#include <stdbool.h>
#include <stdio.h>

#include "commands.h"
#include "infinium.h"
#include "options.h"

int cmd_version(int argc, char **argv)
{
    bool json = false;
    const cli_option options[] = {{"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL}};
    const cli_syntax syntax = {
        .command = "infinium version",
        .arguments = "",
        .about = "Prints the version.",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    printf(json ? "{\"version\":\"%s\"}\n" : "infinium %s\n", INF_VERSION);
    return CLI_DONE;
}

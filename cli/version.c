/* `infinium version` */
#include <stdbool.h>
#include <stdio.h>

#include "commands.h"
#include "infinium.h"
#include "options.h"

int cmd_version(int argc, char **argv)
{
    bool json = false;
    const cli_option options[] = {CLI_JSON_OPTION(&json, "one JSON object")};
    const cli_syntax syntax = {
        .command = "infinium version",
        .about = "Prints the version.",
        .examples = "  infinium version\n"
                    "  infinium version --json | jq -r .version\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    printf(json ? "{\"version\":\"%s\"}\n" : "infinium %s\n", INF_VERSION);
    return CLI_DONE;
}

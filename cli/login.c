/* `infinium login`: a new link for the page of a running receiver. */
#include <stdio.h>

#include "auth/login.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "serve.h"

#define URL_SIZE 512

int cmd_login(int argc, char **argv)
{
    const char *data = NULL;
    const cli_option options[] = {{"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT}};
    const cli_syntax syntax = {
        .command = "infinium login",
        .arguments = "",
        .about = "Prints a link that logs a browser in at the receiver of DIR, once, within an hour.",
        .examples = "  infinium login\n",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    inf_store *store;
    char dir[CLI_PATH_SIZE], url[URL_SIZE], token[INF_TOKEN_SIZE];
    code = cli_open_store(&store, data, 0, false, dir);
    if (code < 0 && inf_receiver_find(dir, url, sizeof url) != 1)
        code = cli_error("no receiver is running on %s; `infinium serve` starts one, and prints a link", dir);
    if (code < 0) {
        int error = inf_login_create(store, token);
        code = error ? cli_store_error(store, error, "making a link") : CLI_DONE;
    }
    if (code == CLI_DONE)
        printf("%s/login?token=%s\n", url, token);
    inf_store_close(store);
    return code;
}

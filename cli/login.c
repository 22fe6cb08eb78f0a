/* `infinium login`: a new link for the page of a running receiver. */
#include <stdio.h>

#include "auth/actor.h"
#include "auth/login.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"

#define URL_SIZE 512

static int make_link(void *context, inf_store *store, const char *dir)
{
    char url[URL_SIZE], token[INF_TOKEN_SIZE];
    (void)context;
    if (!cli_receiver_url(dir, url, sizeof url))
        return cli_error("no receiver is running on %s; `infinium serve` starts one, and prints a link", dir);
    int error = inf_login_create(store, token);
    if (error)
        return cli_store_error(store, error, "making a link");
    printf("%s/login?token=%s\n", url, token);
    return CLI_DONE;
}

static int end_all(void *context, inf_store *store, const char *dir)
{
    inf_actor actor;
    (void)context;
    inf_actor_local(&actor);
    int ended = inf_login_end_all(store, &actor);
    if (ended < 0)
        return cli_store_error(store, ended, "ending the sessions");
    cli_wait_for_receiver(dir);
    printf("ended %d session%s and link%s\n", ended, CLI_S(ended), CLI_S(ended));
    return CLI_DONE;
}

int cmd_login(int argc, char **argv)
{
    const char *data = NULL;
    bool end = false;
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--end-all", CLI_FLAG, &end, NULL, "end all sessions of the page, and all links, instead", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium login",
        .about = "Prints a link that logs a browser in at the receiver of DIR, once, within an hour.",
        .examples = "  infinium login\n"
                    "  infinium login --end-all\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    return code >= 0 ? code : cli_with_store(data, 0, end ? end_all : make_link, NULL);
}

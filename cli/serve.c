/* `infinium serve`: the receiver, on the data directory that the options name. */
#include "serve.h"

#include <stdio.h>

#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"

#define MEBIBYTE (1024 * 1024)

int cmd_serve(int argc, char **argv)
{
    const char *data = NULL, *address = "127.0.0.1:8321";
    int64_t threads = 0, connections = 0, journal_mib = 0;
    bool quiet = false;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--listen", CLI_TEXT, &address, "HOST:PORT", "where to listen (default: 127.0.0.1:8321); port 0 picks one",
         "INFINIUM_LISTEN"},
        {"--threads", CLI_INT, &threads, "N", "threads that serve HTTP (default: as many as processors, at most 4)",
         "INFINIUM_THREADS"},
        {"--connections", CLI_INT, &connections, "N", "connections at once, at most (default: 4096)",
         "INFINIUM_CONNECTIONS"},
        {"--journal-mib", CLI_INT, &journal_mib, "N", "accepted and not yet stored, at most (default: 1024 MiB)",
         "INFINIUM_SERVE_JOURNAL_MIB"},
        {"--quiet", CLI_FLAG, &quiet, NULL, "print only the address and the log-in link", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium serve",
        .arguments = "",
        .about = "Runs the receiver: takes traces from agents, keeps them in DIR, shows them on a page.\n"
                 "Prints `listening on http://HOST:PORT` and a link that logs a browser in. SIGTERM ends it cleanly.",
        .examples = "  infinium serve\n"
                    "  infinium serve --data ./traces --listen 127.0.0.1:0\n",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (threads > 256 || connections > 1000000 || journal_mib > INT64_C(1) << 30)
        return cli_usage_error(syntax.command, "that number is too large");
    char dir[CLI_PATH_SIZE];
    if (cli_state_dir(data, "data", dir) != 0)
        return cli_error("no data directory: give one with --data DIR or INFINIUM_DATA");
    inf_serve_options serve = INF_SERVE_OPTIONS_INIT;
    serve.data_dir = dir;
    serve.listen = address;
    serve.threads = (int)threads;
    serve.connections = (int)connections;
    serve.journal_max_bytes = (uint64_t)journal_mib * MEBIBYTE;
    serve.quiet = quiet;
    return inf_serve(&serve) == 0 ? CLI_DONE : CLI_FAILED;
}

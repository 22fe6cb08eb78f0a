/* `infinium serve`: the receiver. Its options are the table in receiver/config.h. */
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"

#define PRINT_LIMIT (256 * 1024)

struct given {
    const char *flags[INF_CONFIG_ROWS];
    const char *file;
    bool print;
    char names[INF_CONFIG_ROWS][48];
    char helps[INF_CONFIG_ROWS][400];
    cli_option options[INF_CONFIG_ROWS + 2];
    size_t count;
};

static void add_row(struct given *g, size_t index)
{
    const inf_config_row *row = &inf_config_rows[index];
    char def[300];
    if (row->kind == INF_KIND_SECRET)
        return;
    inf_config_default(row, def, sizeof def);
    snprintf(g->names[index], sizeof g->names[index], "--%s", row->name);
    snprintf(g->helps[index], sizeof g->helps[index], *def && row->kind != INF_KIND_SWITCH ? "%s (default: %s)" : "%s",
             row->help, def);
    g->options[g->count++] = (cli_option){.name = g->names[index],
                                          .kind = row->kind == INF_KIND_SWITCH ? CLI_GIVEN_SWITCH : CLI_GIVEN,
                                          .value = &g->flags[index],
                                          .placeholder = row->placeholder,
                                          .help = g->helps[index],
                                          .environment = row->environment};
}

static void add_options(struct given *g)
{
    for (size_t i = 0; i < INF_CONFIG_ROWS; i++)
        add_row(g, i);
    g->options[g->count++] = (cli_option){
        "--config", CLI_TEXT, &g->file, "FILE", "a file of settings, lines of `name = value`", "INFINIUM_CONFIG"};
    g->options[g->count++] =
        (cli_option){"--print-config", CLI_FLAG, &g->print, NULL, "print all settings and where each comes from", NULL};
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static int print_config(const inf_config *config, const char *file)
{
    inf_buf out;
    inf_buf_init(&out, PRINT_LIMIT);
    inf_config_print(config, file, &out);
    int error = out.error;
    if (!error)
        fwrite(out.data, 1, out.length, stdout);
    inf_buf_free(&out);
    return error ? cli_error("printing: %s", inf_strerror(error)) : CLI_DONE;
}

static int serve(struct given *g, const inf_config *config)
{
    char dir[CLI_PATH_SIZE];
    inf_serve_options options = config->options;
    inf_config_sources sources = {.flags = g->flags, .environment = environment, .file = g->file};
    if (cli_state_dir(options.data_dir, "data", dir) != 0)
        return cli_error("no data directory: give one with --data DIR or INFINIUM_DATA");
    char message[INF_RECEIVER_MESSAGE_SIZE];
    inf_serve_options asked = options;
    if (getenv("LISTEN_FDS")) /* a socket that systemd passes is taken in place of the address */
        asked.passed_socket = STDERR_FILENO + 1;
    int rc = inf_serve_check(&asked, message, sizeof message);
    if (rc < 0)
        return rc == INF_ENET ? cli_error("%s", message) : cli_usage_error("infinium serve", "%s", message);
    options.data_dir = g->flags[INF_CONFIG_ID_data_dir] = dir; /* where it is does not change with a reload */
    rc = inf_serve(&options, &sources);
    clearerr(stdout); /* whether anybody read its two lines says nothing of how it ended */
    return rc == 0 ? CLI_DONE : CLI_FAILED;
}

int cmd_serve(int argc, char **argv)
{
    static struct given g; /* not small */
    add_options(&g);
    const cli_syntax syntax = {
        .command = "infinium serve",
        .about = "Runs the receiver: takes traces from agents, keeps them in DIR, shows them on a page.\n"
                 "Prints `listening on http://HOST:PORT` and a link that logs a browser in. SIGTERM ends it cleanly, "
                 "SIGHUP has it read its settings again.",
        .examples = "  infinium serve\n"
                    "  infinium serve --data ./traces --listen 127.0.0.1:0\n"
                    "  infinium serve --config /etc/infinium/infinium.conf --print-config\n",
        .options = g.options,
        .option_count = g.count,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config config;
    inf_config_sources sources = {.flags = g.flags, .environment = environment, .file = g.file};
    if (inf_config_load(&config, &sources, message) < 0)
        code = cli_usage_error(syntax.command, "%s", message);
    else if (g.print)
        code = print_config(&config, g.file);
    else
        code = serve(&g, &config);
    inf_config_free(&config);
    return code;
}

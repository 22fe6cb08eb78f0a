/* `infinium reload`: has the running receiver read its settings again, and says what came of it. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "reload.h"

#define WAIT_MS 30000 /* a receiver that is busy, or starts */

/* The report's lines: what is well on standard output, what is wrong as errors. */
static int print_report(char *text)
{
    int code = CLI_DONE;
    for (char *next; *text; text = next) {
        size_t length = strcspn(text, "\n");
        next = text + length + (text[length] == '\n');
        text[length] = 0;
        if (strncmp(text, "wrong ", 6) == 0)
            code = cli_error("%s", text + 6);
        else if (strncmp(text, "ok ", 3) == 0)
            puts(text + 3);
    }
    return code;
}

static int fail(int error, const char *dir)
{
    switch (error) {
    case INF_ENOTFOUND:
        return cli_error("no receiver is running on %s", dir);
    case INF_EINVAL:
        return cli_error(
            "the receiver on %s is inside another program (`infinium demo`) and has no settings to read again", dir);
    case INF_EACCES:
        return cli_error("the receiver on %s is another user's; run this as that user or as root", dir);
    case INF_ESYS:
        return cli_error("the receiver on %s cannot be reached from here (it may be in a container): send SIGHUP to it "
                         "there",
                         dir);
    case INF_ETIMEDOUT:
        return cli_error("the receiver on %s did not answer within %d s; its log says why", dir, WAIT_MS / 1000);
    case INF_EIO:
        return cli_error("the receiver on %s has read its settings again, but could not write down what came of it; "
                         "its log says",
                         dir);
    default:
        return cli_error("%s: %s", dir, inf_strerror(error));
    }
}

int cmd_reload(int argc, char **argv)
{
    const char *data = NULL;
    const cli_option options[] = {CLI_DATA_OPTION(&data)};
    const cli_syntax syntax = {
        .command = "infinium reload",
        .about = "Has the receiver of DIR read its settings, its certificate and its file of prices again.\n"
                 "Says what it took over, what waits for the next start, or why it changed nothing. SIGHUP to the "
                 "receiver does the same, and the log says it.",
        .examples = "  infinium reload\n"
                    "  infinium reload --data /var/lib/infinium\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    char dir[CLI_PATH_SIZE];
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (cli_state_dir(data, "data", dir) != 0)
        return cli_error("no data directory: give one with --data DIR or INFINIUM_DATA");
    inf_buf report;
    int error = inf_reload_ask(dir, WAIT_MS, &report);
    if (error == 0)
        inf_buf_put_byte(&report, 0);
    code = error ? fail(error, dir) : print_report((char *)report.data);
    inf_buf_free(&report);
    return code;
}

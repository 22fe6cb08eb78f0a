/* `infinium demo`: a receiver on a free port, an agent, a program that is traced (or a few samples), and its traces in
 * a table as they arrive. In a terminal it goes on serving until Ctrl-C; elsewhere it ends, with success only when
 * every expected trace has arrived. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/agents.h"
#include "auth/login.h"
#include "base/clock.h"
#include "child.h"
#include "commands.h"
#include "data.h"
#include "expected.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"
#include "samples.h"
#include "serve.h"

#define POLL_MS 50
#define WAIT_S 30
#define QUIET_MS 1500 /* without expectations: so long nothing new, and it is taken for all */
#define PAGE_ROWS 500
#define LOOPBACK "127.0.0.1,localhost,::1"

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

typedef struct demo {
    char dir[CLI_PATH_SIZE];
    bool own_dir;     /* made here, removed here */
    bool stay;        /* serve until Ctrl-C */
    uint64_t wait_ms; /* after the program's end, for what it left */
    inf_receiver *receiver;
    inf_store *store;
    char id[INF_AGENT_ID_SIZE], secret[INF_AGENT_SECRET_SIZE];
    char base_url[256];
    char journal[CLI_PATH_SIZE + 32];
    uint64_t sequence;
    int64_t shown;
    cli_expected expected;
} demo;

static int make_directory(demo *d, const char *given)
{
    if (given) {
        if (snprintf(d->dir, sizeof d->dir, "%s", given) >= (int)sizeof d->dir)
            return cli_error("the data directory's name is too long");
        return -1;
    }
    const char *temporary = getenv("TMPDIR");
    int length =
        snprintf(d->dir, sizeof d->dir, "%s/infinium-demo-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (length >= (int)sizeof d->dir || !mkdtemp(d->dir))
        return cli_error("no temporary directory: %s", strerror(errno));
    d->own_dir = true;
    return -1;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int start_receiver(demo *d, inf_serve_options *options)
{
    char reason[INF_RECEIVER_MESSAGE_SIZE] = "";
    options->data_dir = d->dir;
    int error = inf_receiver_start(&d->receiver, options, reason);
    if (error)
        return cli_error("the receiver did not start: %s", *reason ? reason : inf_strerror(error));
    const char *url = inf_receiver_url(d->receiver);
    if (snprintf(d->base_url, sizeof d->base_url, "%s/api/v1", url) >= (int)sizeof d->base_url)
        return cli_error("the receiver's address is too long");
    printf("listening on %s\n", url);
    cli_flush();
    error = inf_store_open(&d->store, d->dir, 0);
    if (!error)
        error = inf_store_sequence(d->store, &d->sequence);
    if (!error)
        error = inf_agent_create(d->store, "Demo", NULL, NULL, d->id, d->secret);
    return error ? cli_store_error(d->store, error, "creating the demo's agent") : -1;
}

/* A proxy of the user's must not get between the program and a receiver on the same machine. */
static int bypass_proxy(const char *variable)
{
    char value[1024];
    const char *now = getenv(variable);
    if (now && *now && snprintf(value, sizeof value, "%s,%s", now, LOOPBACK) < (int)sizeof value)
        return setenv(variable, value, 1);
    return setenv(variable, LOOPBACK, 1);
}

static int set_environment(demo *d)
{
    snprintf(d->journal, sizeof d->journal, "%s/client-journal", d->dir);
    if (setenv("INFINIUM_AGENT_ID", d->id, 1) != 0 || setenv("INFINIUM_AGENT_SECRET", d->secret, 1) != 0 ||
        setenv("INFINIUM_BASE_URL", d->base_url, 1) != 0 || setenv("INFINIUM_JOURNAL_DIR", d->journal, 1) != 0 ||
        bypass_proxy("no_proxy") != 0 || bypass_proxy("NO_PROXY") != 0)
        return cli_error("setting the program's environment: %s", strerror(errno));
    return -1;
}

static int show_row(void *context, const inf_summary *summary)
{
    demo *d = context;
    d->sequence = summary->sequence;
    if (summary->status == INF_STATUS_RUNNING)
        return 0;
    if (d->shown++ == 0)
        cli_print_summary_header();
    cli_print_summary_row(summary);
    cli_expected_see(&d->expected, summary->status, summary->name ? summary->name : "");
    return 0;
}

/* Prints what has arrived since the last call. Returns how many rows, or a negative INF_E... */
static int64_t show_new(demo *d)
{
    int64_t before = d->shown;
    int error = inf_store_changes(d->store, d->sequence, PAGE_ROWS, show_row, d);
    cli_flush();
    return error ? error : d->shown - before;
}

static int run_program(demo *d, char **command)
{
    cli_child child;
    printf("running %s%s\n", command[0], command[1] ? " ..." : "");
    cli_flush();
    int error = cli_child_start(&child, command);
    if (error)
        return cli_error("%s: %s", command[0], strerror(error));
    while (!ended && cli_child_poll(&child, POLL_MS))
        if (show_new(d) < 0)
            break;
    cli_child_end(&child);
    if (child.exit_code != 0 && !ended)
        return cli_error("%s ended with exit code %d", command[0], child.exit_code);
    return -1;
}

static void wait_for_rest(demo *d, bool expects)
{
    uint64_t begun = inf_mono_ns(), last = begun;
    for (;;) {
        int64_t rows = show_new(d);
        uint64_t now = inf_mono_ns();
        if (rows > 0)
            last = now;
        bool done = expects ? cli_expected_complete(&d->expected) : (now - last) / 1000000 > QUIET_MS;
        if (ended || rows < 0 || done || (now - begun) / 1000000 > d->wait_ms)
            return;
        struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}

static void serve_until_signal(demo *d)
{
    printf("\nServing until Ctrl-C. In another terminal: infinium ls --data %s\n", d->dir);
    cli_flush();
    while (!ended) {
        show_new(d);
        struct timespec pause = {.tv_nsec = 4 * POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}

static int print_link(demo *d)
{
    char token[INF_TOKEN_SIZE];
    int error = inf_login_create(d->store, token);
    if (error)
        return cli_store_error(d->store, error, "making a log-in link");
    printf("\nthe page: %s/login?token=%s\n", inf_receiver_url(d->receiver), token);
    cli_flush();
    return -1;
}

/* Runs everything; returns the exit code. */
static int run(demo *d, const char *data, inf_serve_options *options, const char *expect, char **command)
{
    int code = expect ? cli_expected_read(&d->expected, expect) : -1;
    if (code < 0)
        code = make_directory(d, data);
    if (code < 0)
        code = start_receiver(d, options);
    if (code < 0)
        code = set_environment(d);
    if (code >= 0)
        return code;

    if (command) {
        code = run_program(d, command);
    } else {
        int error = cli_send_samples(d->id, d->secret, d->base_url, d->journal, &d->expected);
        if (error)
            code = cli_error("sending the samples: %s", inf_strerror(error));
    }
    bool expects = d->expected.count > 0;
    wait_for_rest(d, expects);
    if (!ended && cli_expected_report(&d->expected) > 0)
        code = CLI_FAILED;
    else if (!ended && expects)
        printf("\nall expected traces arrived (%" PRId64 " in all)\n", d->shown);
    if (print_link(d) >= 0)
        code = CLI_FAILED;
    if (d->stay && !ended)
        serve_until_signal(d);
    return code < 0 ? CLI_DONE : code;
}

int cmd_demo(int argc, char **argv)
{
    const char *data = NULL, *expect = NULL;
    char message[INF_RECEIVER_MESSAGE_SIZE];
    inf_serve_options serve = INF_SERVE_OPTIONS_INIT;
    serve.listen = "127.0.0.1:0";
    serve.quiet = true;
    bool once = false;
    int64_t wait_s = WAIT_S;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", "keep the traces here (default: a temporary directory)", NULL},
        {"--listen", CLI_TEXT, &serve.listen, "HOST:PORT", "where to listen (default: 127.0.0.1, a free port)", NULL},
        {"--expect", CLI_TEXT, &expect, "FILE", "traces that must arrive: lines `COUNT STATUS NAME`", NULL},
        {"--wait", CLI_INT, &wait_s, "SECONDS", "for traces after the program's end, at most (default: 30)", NULL},
        {"--once", CLI_FLAG, &once, NULL, "end when all has arrived, in a terminal too", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium demo",
        .arguments = "[-- COMMAND ...]",
        .about = "Shows receiver, page and traces in one go.\n"
                 "Starts a receiver, creates an agent and runs COMMAND with INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET "
                 "and INFINIUM_BASE_URL set; without a COMMAND it sends a few samples. Prints the traces as they "
                 "arrive, then a link to the page. In a terminal it goes on serving until Ctrl-C.",
        .examples = "  infinium demo\n"
                    "  infinium demo --data ./traces -- python my_agent.py\n",
        CLI_OPTIONS(options),
        .takes_rest = true,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    int wrong = inf_serve_check(&serve, message, sizeof message);
    if (wrong)
        return wrong == INF_ENET ? cli_error("%s", message) : cli_usage_error(syntax.command, "%s", message);

    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    demo *d = calloc(1, sizeof *d);
    if (!d)
        return cli_error("%s", inf_strerror(INF_ENOMEM));
    d->wait_ms = (uint64_t)(wait_s < 3600 ? wait_s : 3600) * 1000;
    const char *ci = getenv("CI");
    d->stay = !once && !(ci && *ci) && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    code = run(d, data, &serve, expect, arguments.rest);
    inf_store_close(d->store);
    inf_receiver_stop(d->receiver);
    if (d->own_dir)
        nftw(d->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(d);
    return code;
}

/* `infinium journal status|flush`: what traced programs have left on this machine and not yet delivered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "object.h"
#include "options.h"
#include "output.h"

#define KIBIBYTE 1024
#define FLUSH_S 30
#define JOURNAL_OPTION(value)                                                                                          \
    {                                                                                                                  \
        "--journal", CLI_TEXT, value, "DIR",                                                                           \
            "the journal (default: $XDG_STATE_HOME/infinium/journal or ~/.local/state/infinium/journal)",              \
            "INFINIUM_JOURNAL_DIR"                                                                                     \
    }
#define PATH_SIZE (CLI_PATH_SIZE + 2 * (NAME_MAX + 1))

/* What is in one agent's directory. */
typedef struct agent_journal {
    const char *agent; /* the directory's name */
    int64_t running;   /* writers whose process lives */
    int64_t left;      /* writers of dead processes, with something not delivered */
    uint64_t bytes;    /* that their files take */
    int64_t set_aside; /* traces that a receiver refused for good */
} agent_journal;

/* A writer that lives holds its lock; asking for a shared one tells without taking anything away. */
static bool writer_lives(const char *writer)
{
    char path[PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s/lock", writer);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool lives = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return lives;
}

static uint64_t bytes_in(const char *path)
{
    uint64_t bytes = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat info;
        if (fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
            bytes += (uint64_t)info.st_blocks * 512;
    }
    closedir(dir);
    return bytes;
}

static int64_t lines_in(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int64_t lines = 0;
    char data[4096];
    for (size_t length; (length = fread(data, 1, sizeof data, file)) > 0;)
        for (size_t i = 0; i < length; i++)
            lines += data[i] == '\n';
    fclose(file);
    return lines;
}

static void look_at_agent(const char *path, agent_journal *out)
{
    char inner[PATH_SIZE];
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int length = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof inner)
            continue;
        if (strncmp(entry->d_name, "w-", 2) == 0) {
            out->bytes += bytes_in(inner);
            if (writer_lives(inner))
                out->running++;
            else
                out->left++;
        } else if (strcmp(entry->d_name, "rejected.ndjson") == 0) {
            out->set_aside = lines_in(inner);
        }
    }
    closedir(dir);
}

static const cli_column columns[] = {
    {"agent", 36, false}, {"running", 7, true}, {"left", 5, true}, {"KiB", 9, true}, {"set aside", 9, true},
};

static void print_agent_row(const agent_journal *a)
{
    char running[24], left[24], kib[24], set_aside[24];
    snprintf(running, sizeof running, "%" PRId64, a->running);
    snprintf(left, sizeof left, "%" PRId64, a->left);
    snprintf(kib, sizeof kib, "%" PRIu64, a->bytes / KIBIBYTE);
    snprintf(set_aside, sizeof set_aside, "%" PRId64, a->set_aside);
    const char *cells[] = {a->agent, running, left, kib, set_aside};
    for (size_t i = 0; i < CLI_COUNT(columns); i++)
        cli_cell(&columns[i], cells[i], NULL);
    putchar('\n');
}

static int print_agent_json(const agent_journal *a)
{
    cli_object o;
    cli_object_begin(&o);
    cli_object_text(&o, "agent", a->agent);
    cli_object_number(&o, "running", a->running);
    cli_object_number(&o, "left", a->left);
    cli_object_number(&o, "bytes", (int64_t)a->bytes);
    cli_object_number(&o, "set_aside", a->set_aside);
    return cli_object_print(&o);
}

static int print_status(const char *path, bool json)
{
    DIR *dir = opendir(path);
    if (!dir && errno != ENOENT)
        return cli_error("%s: %s", path, strerror(errno));
    int rows = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inner[PATH_SIZE];
        if (entry->d_name[0] == '.')
            continue;
        int length = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof inner)
            continue;
        agent_journal a = {.agent = entry->d_name};
        look_at_agent(inner, &a);
        if (!json && rows == 0)
            cli_header(columns, CLI_COUNT(columns));
        rows++;
        if (!json)
            print_agent_row(&a);
        else if (print_agent_json(&a) != 0)
            break;
    }
    if (dir)
        closedir(dir);
    if (!json && rows == 0)
        printf("nothing in %s\n", path);
    return CLI_DONE;
}

static int journal_status(int argc, char **argv)
{
    const char *dir = NULL;
    bool json = false;
    const cli_option options[] = {
        JOURNAL_OPTION(&dir),
        CLI_JSON_OPTION(&json, "one JSON object an agent and line"),
    };
    const cli_syntax syntax = {
        .command = "infinium journal status",
        .about = "Shows what is in the journal, for each agent.\n"
                 "That is: how many programs write a journal now (running), how many have ended and left something "
                 "undelivered (left), and how many traces a receiver refused for good (set aside).",
        .examples = "  infinium journal status\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    char path[CLI_PATH_SIZE];
    if (cli_state_dir(dir, "journal", path) != 0)
        return cli_error("no journal directory: give one with --journal DIR or INFINIUM_JOURNAL_DIR");
    return print_status(path, json);
}

static int journal_flush(int argc, char **argv)
{
    inf_options client_options = INF_OPTIONS_INIT;
    int64_t seconds = FLUSH_S;
    const cli_option options[] = {
        JOURNAL_OPTION(&client_options.journal_dir),
        {"--agent-id", CLI_TEXT, &client_options.agent_id, "UUID", "whose traces", "INFINIUM_AGENT_ID"},
        {"--base-url", CLI_TEXT, &client_options.base_url, "URL",
         "where to send them (default: https://platform.i42m.ai/api/v1, as of every client)", "INFINIUM_BASE_URL"},
        {"--timeout", CLI_INT, &seconds, "SECONDS", "at most so long (default: 30)", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium journal flush",
        .about = "Delivers what programs of one agent have left, as the agent's next program would.\n"
                 "The secret is read from INFINIUM_AGENT_SECRET, so that it is not seen in a list of processes.",
        .examples = "  infinium journal flush --timeout 5\n",
        CLI_OPTIONS(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    inf_client *client;
    int error = inf_open(&client, &client_options);
    if (error == INF_EINVAL)
        return cli_usage_error(syntax.command,
                               "INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET or INFINIUM_BASE_URL is not set "
                               "or not valid");
    if (error)
        return cli_error("%s", inf_strerror(error));
    inf_counts counts = {0};
    int timeout_ms = (int)(seconds < 86400 ? seconds : 86400) * 1000;
    error = inf_flush(client, timeout_ms, &counts);
    inf_close(client, 0);
    printf("delivered %" PRIu64 " trace%s, %" PRIu64 " of them interrupted\n", counts.adopted, CLI_S(counts.adopted),
           counts.interrupted);
    if (error)
        return cli_error("not everything could be delivered: %s; it stays in the journal", inf_strerror(error));
    return CLI_DONE;
}

static const cli_action actions[] = {
    {"status", "show what is in the journal, for each agent", journal_status},
    {"flush", "deliver what an agent's programs have left", journal_flush},
};

int cmd_journal(int argc, char **argv)
{
    const cli_group group = {
        .command = "infinium journal",
        .about = "The journal: what traced programs have written on this machine.",
        .examples = "  infinium journal status\n"
                    "  infinium journal flush --timeout 5\n",
        .actions = actions,
        .count = CLI_COUNT(actions),
    };
    return cli_dispatch(&group, argc, argv);
}

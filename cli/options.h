/* What every subcommand shares on its command line: a table of options, `--help`, and messages that say what to type.
 * Long options only, as `--name value` or `--name=value`, before or after other arguments; `--` ends them. An option
 * that is not given takes its environment variable's value, where it has one. Knows nothing of what a command does. */
#ifndef INF_CLI_OPTIONS_H
#define INF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_WRONG_USAGE = 2 }; /* exit codes */

enum cli_kind {
    CLI_FLAG, /* bool */
    CLI_TEXT, /* const char *, points into argv or the environment */
    CLI_INT,  /* int64_t, not negative */
    /* const char *, as it is given; the environment is only shown, and read by the command itself */
    CLI_GIVEN,
    CLI_GIVEN_SWITCH, /* likewise; "yes" when the option stands alone, another value only after a "=" */
};

typedef struct cli_option {
    const char *name; /* with its "--" */
    enum cli_kind kind;
    void *value;             /* as the kind says; keeps what it holds when the option is not given */
    const char *placeholder; /* "DIR"; NULL for flags */
    const char *help;
    const char *environment; /* or NULL */
} cli_option;

#define CLI_MAX_ARGUMENTS 8

/* For tables of options. */
#define CLI_JSON_OPTION(value, help)                                                                                   \
    {                                                                                                                  \
        "--json", CLI_FLAG, value, NULL, help, NULL                                                                    \
    }
/* For a cli_syntax: its options, and that it takes exactly one argument. */
#define CLI_OPTIONS(table) .options = (table), .option_count = CLI_COUNT(table)
#define CLI_ONE(name) .arguments = (name), .least = 1, .most = 1

typedef struct cli_syntax {
    const char *command;   /* "infinium ls" */
    const char *arguments; /* "ID"; NULL: it takes none */
    const char *about;     /* what it is for, in one line; what else is to be said, as lines of any length */
    const char *examples;  /* lines, each with its line end */
    const cli_option *options;
    size_t option_count;
    int least, most; /* other arguments than options */
    bool takes_rest; /* what follows "--" is a command */
} cli_syntax;

typedef struct cli_arguments {
    const char *values[CLI_MAX_ARGUMENTS];
    int count;
    char **rest; /* NULL, or NULL-terminated, what follows "--" */
} cli_arguments;

/* Fills the options' values and `out`. Returns -1 when the command may go on, else the exit code: after `--help`, or
 * after saying on standard error what is wrong. argv[0] is the subcommand's own name. */
int cli_parse(const cli_syntax *syntax, int argc, char **argv, cli_arguments *out);

/* Prints what `--help` prints. */
void cli_help(const cli_syntax *syntax);

/* "error: <message>" and "see: <command> --help" on standard error. Returns CLI_WRONG_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "error: <message>" on standard error. Returns CLI_FAILED. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

typedef struct cli_action {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the action's own name */
} cli_action;

typedef struct cli_group {
    const char *command;  /* "infinium agent" */
    const char *about;    /* one line */
    const char *examples; /* lines, each with its line end */
    const cli_action *actions;
    size_t count;
} cli_group;

/* Runs the action that argv[1] names; otherwise shows what there is. */
int cli_dispatch(const cli_group *group, int argc, char **argv);

#define CLI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

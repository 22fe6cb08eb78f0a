/* The command line's options: see options.h. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

#define MAX_OPTIONS 96
#define MAX_ACTIONS 32
#define HELP_AT 25
#define HELP_COLUMNS 100
#define NEAREST_MAX 24 /* longer words are no misprints of ours */

int cli_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_FAILED;
}

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nsee: %s --help\n", command);
    va_end(args);
    return CLI_WRONG_USAGE;
}

/* Words of `text`, up to its line end, from column `at` on, further lines indented to where the first began. */
static void print_wrapped(const char *text, int at)
{
    int column = at;
    for (bool first = true; *text && *text != '\n'; first = false) {
        int n = (int)strcspn(text, " \n");
        if (!first && column + 1 + n > HELP_COLUMNS) {
            printf("\n%*s", at, "");
            column = at;
        } else if (!first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n;
        text += *text == ' ';
    }
}

static void print_option(const char *name, const char *placeholder, const char *help, const char *environment)
{
    char left[64], right[600];
    snprintf(left, sizeof left, "%s%s%s", name, placeholder ? " " : "", placeholder ? placeholder : "");
    snprintf(right, sizeof right, environment ? "%s [%s]" : "%s", help, environment);
    printf("  %-22s ", left);
    if (strlen(left) > 22)
        printf("\n%*s", HELP_AT, "");
    print_wrapped(right, HELP_AT);
    putchar('\n');
}

static void print_about(const char *about)
{
    for (const char *line = about; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        print_wrapped(line, 0);
        putchar('\n');
    }
}

static void print_end(const char *examples)
{
    printf("\nexit codes: %d done, %d it could not be done, %d wrong option or argument\n", CLI_DONE, CLI_FAILED,
           CLI_WRONG_USAGE);
    if (examples)
        printf("\nexamples:\n%s", examples);
}

void cli_help(const cli_syntax *syntax)
{
    print_about(syntax->about);
    printf("\nusage: %s%s%s%s\n\noptions:\n", syntax->command, syntax->arguments ? " " : "",
           syntax->arguments ? syntax->arguments : "", syntax->option_count ? " [options]" : "");
    for (size_t i = 0; i < syntax->option_count; i++) {
        const cli_option *o = &syntax->options[i];
        print_option(o->name, o->placeholder, o->help, o->environment);
    }
    print_option("--help", NULL, "show this", NULL);
    print_end(syntax->examples);
}

static int set_value(const cli_syntax *syntax, const cli_option *option, const char *source, const char *text)
{
    if (option->kind == CLI_FLAG) {
        *(bool *)option->value = true;
    } else if (option->kind != CLI_INT) {
        *(const char **)option->value = text;
    } else {
        char *end;
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (errno || end == text || *end || number < 0)
            return cli_usage_error(syntax->command, "%s wants a number, not '%s'", source, text);
        *(int64_t *)option->value = number;
    }
    return -1;
}

static int unknown_option(const cli_syntax *syntax, const char *given, size_t length)
{
    const char *names[MAX_OPTIONS + 1];
    size_t count = 0;
    for (size_t i = 0; i < syntax->option_count && count < MAX_OPTIONS; i++)
        names[count++] = syntax->options[i].name;
    names[count++] = "--help";
    char word[NEAREST_MAX + 2];
    snprintf(word, sizeof word, "%.*s", (int)length, given);
    const char *nearest = inf_nearest(word, names, count);
    if (nearest)
        return cli_usage_error(syntax->command, "unknown option '%.*s'; did you mean '%s'?", (int)length, given,
                               nearest);
    return cli_usage_error(syntax->command, "unknown option '%.*s'", (int)length, given);
}

/* Takes the option at argv[*index] and moves *index to the last word it used. */
static int take_option(const cli_syntax *syntax, int argc, char **argv, int *index)
{
    const char *word = argv[*index];
    size_t length = strcspn(word, "=");
    const cli_option *option = NULL;
    for (size_t i = 0; i < syntax->option_count; i++)
        if (strlen(syntax->options[i].name) == length && memcmp(syntax->options[i].name, word, length) == 0)
            option = &syntax->options[i];
    if (!option)
        return unknown_option(syntax, word, length);
    const char *text = word[length] ? word + length + 1 : NULL;
    if (option->kind == CLI_FLAG) {
        if (text)
            return cli_usage_error(syntax->command, "%s takes no value", option->name);
    } else if (!text && option->kind == CLI_GIVEN_SWITCH) {
        text = "yes";
    } else if (!text) {
        if (*index + 1 >= argc)
            return cli_usage_error(syntax->command, "%s wants a value: %s %s", option->name, option->name,
                                   option->placeholder);
        text = argv[++*index];
    }
    return set_value(syntax, option, option->name, text);
}

static int take_environment(const cli_syntax *syntax)
{
    for (size_t i = 0; i < syntax->option_count; i++) {
        const cli_option *o = &syntax->options[i];
        bool ours = o->environment && o->kind != CLI_GIVEN && o->kind != CLI_GIVEN_SWITCH;
        const char *text = ours ? getenv(o->environment) : NULL;
        if (text && *text) {
            int code = set_value(syntax, o, o->environment, text);
            if (code >= 0)
                return code;
        }
    }
    return -1;
}

int cli_parse(const cli_syntax *syntax, int argc, char **argv, cli_arguments *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cli_help(syntax);
            return CLI_DONE;
        }
    }
    int code = take_environment(syntax);
    bool only_arguments = false;
    for (int i = 1; i < argc && code < 0; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            if (syntax->takes_rest) {
                out->rest = i + 1 < argc ? argv + i + 1 : NULL;
                break;
            }
            only_arguments = true;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1]) {
            code = take_option(syntax, argc, argv, &i);
        } else if (out->count >= syntax->most || out->count >= CLI_MAX_ARGUMENTS) {
            code = cli_usage_error(syntax->command, "unexpected argument '%s'", argv[i]);
        } else {
            out->values[out->count++] = argv[i];
        }
    }
    if (code < 0 && out->count < syntax->least)
        code = cli_usage_error(syntax->command, "%s is missing: %s %s", syntax->arguments, syntax->command,
                               syntax->arguments);
    return code;
}

static void print_actions(const cli_group *group)
{
    printf("%s\n\nusage: %s COMMAND [options]\n\ncommands:\n", group->about, group->command);
    for (size_t i = 0; i < group->count; i++)
        printf("  %-10s %s\n", group->actions[i].name, group->actions[i].summary);
    printf("\n`%s COMMAND --help` shows a command's options and examples.\n", group->command);
    print_end(group->examples);
}

static int unknown_command(const cli_group *group, const char *given)
{
    const char *names[MAX_ACTIONS];
    size_t known = group->count < MAX_ACTIONS ? group->count : MAX_ACTIONS;
    for (size_t i = 0; i < known; i++)
        names[i] = group->actions[i].name;
    const char *nearest = inf_nearest(given, names, known);
    if (nearest)
        return cli_usage_error(group->command, "unknown command '%s'; did you mean '%s %s'?", given, group->command,
                               nearest);
    return cli_usage_error(group->command, "unknown command '%s'", given);
}

int cli_dispatch(const cli_group *group, int argc, char **argv)
{
    bool help =
        argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0);
    if (argc < 2 || help) {
        print_actions(group);
        return help ? CLI_DONE : CLI_WRONG_USAGE;
    }
    for (size_t i = 0; i < group->count; i++)
        if (strcmp(argv[1], group->actions[i].name) == 0)
            return group->actions[i].run(argc - 1, argv + 1);
    return unknown_command(group, argv[1]);
}

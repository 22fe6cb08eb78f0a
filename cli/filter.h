/* Which traces: the options that `ls` and `export` have in common, and what they mean to the store. */
#ifndef INF_CLI_FILTER_H
#define INF_CLI_FILTER_H

#include "options.h"
#include "store/store.h"

typedef struct cli_filter {
    const char *agent, *name, *status, *from, *to, *min_duration, *max_duration;
    const char *model, *tag, *session, *user, *search, *parent;
    uint8_t agent_id[16], parent_id[16];
} cli_filter;

/* For option tables: CLI_FILTER_OPTIONS(&f) */
#define CLI_FILTER_OPTIONS(f)                                                                                          \
    {"--name", CLI_TEXT, &(f)->name, "NAME", "only traces of this name", NULL},                                        \
        {"--status", CLI_TEXT, &(f)->status, "STATUS", "only ok, error, running or interrupted ones", NULL},           \
        {"--agent", CLI_TEXT, &(f)->agent, "UUID", "only traces of this agent", NULL},                                 \
        {"--from", CLI_TEXT, &(f)->from, "TIME", "started at or after, RFC 3339", NULL},                               \
        {"--to", CLI_TEXT, &(f)->to, "TIME", "started before, RFC 3339", NULL},                                        \
        {"--min-duration", CLI_TEXT, &(f)->min_duration, "SECONDS", "at least so long", NULL},                         \
        {"--max-duration", CLI_TEXT, &(f)->max_duration, "SECONDS", "at most so long", NULL},                          \
        {"--model", CLI_TEXT, &(f)->model, "MODEL", "with this model", NULL},                                          \
        {"--tag", CLI_TEXT, &(f)->tag, "TAG", "with this tag", NULL},                                                  \
        {"--session", CLI_TEXT, &(f)->session, "ID", "of this session", NULL},                                         \
        {"--user", CLI_TEXT, &(f)->user, "ID", "of this user", NULL},                                                  \
        {"--search",                                                                                                   \
         CLI_TEXT,                                                                                                     \
         &(f)->search,                                                                                                 \
         "WORDS",                                                                                                      \
         "with these words in name, input, output or error; abc* is a beginning, \"in quotes\" a phrase",              \
         NULL},                                                                                                        \
    {                                                                                                                  \
        "--parent", CLI_TEXT, &(f)->parent, "ID", "children of this trace", NULL                                       \
    }

/* Fills a filter, which points into `f` and the options' text. Returns -1, else an exit code after saying what is
 * wrong. */
int cli_filter_read(const cli_syntax *syntax, cli_filter *f, inf_store_filter *out);

/* A time given as an option; text NULL leaves *out alone. Likewise -1 or an exit code. */
int cli_filter_time(const cli_syntax *syntax, const char *option, const char *text, uint64_t *out);

#endif

/* See subject.h. */
#include "subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "auth/agents.h"
#include "base/id.h"
#include "data.h"
#include "infinium.h"

struct work {
    cli_subject *subject;
    int (*run)(cli_subject *s);
};

static int run(void *context, inf_store *store, const char *dir)
{
    struct work *w = context;
    w->subject->store = store;
    w->subject->dir = dir;
    return w->run(w->subject);
}

int cli_on_subject(cli_subject *s, const cli_syntax *syntax, const char *data, const char *wrong_id,
                   int (*work)(cli_subject *s))
{
    if (inf_id_parse(s->text, strlen(s->text), s->id) != 0)
        return cli_usage_error(syntax->command, "'%s' is %s", s->text, wrong_id);
    inf_id_uuid(s->id, s->uuid);
    inf_actor_local(&s->actor);
    return cli_with_store(data, 0, run, &(struct work){s, work});
}

int cli_rotate(const cli_subject_command *c, int argc, char **argv, int (*work)(cli_subject *s))
{
    const char *data = NULL;
    bool json = false;
    int64_t overlap = INF_OVERLAP_DEFAULT_S;
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--overlap", CLI_INT, &overlap, "SECONDS", "how long the earlier one is good (default: 86400, a day)", NULL},
        CLI_JSON_OPTION(&json, "one JSON object"),
    };
    const cli_syntax syntax = {
        .command = c->command, .about = c->about, .examples = c->examples, CLI_OPTIONS(options), CLI_ONE("UUID")};
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (overlap > INF_OVERLAP_MAX_S)
        return cli_usage_error(syntax.command, "--overlap is at most %u seconds", INF_OVERLAP_MAX_S);
    cli_subject s = {.text = arguments.values[0], .overlap = (unsigned)overlap, .json = json};
    return cli_on_subject(&s, &syntax, data, c->wrong_id, work);
}

struct revocation {
    const char *noun;
    int (*revoke)(inf_store *store, const inf_actor *actor, const uint8_t id[16]);
};

static int revoke(cli_subject *s)
{
    const struct revocation *r = s->context;
    char doing[40];
    int error = r->revoke(s->store, &s->actor, s->id);
    snprintf(doing, sizeof doing, "revoking the %s", r->noun);
    if (error == INF_ENOTFOUND)
        return cli_error("there is no %s %s", r->noun, s->text);
    if (error)
        return cli_store_error(s->store, error, doing);
    cli_wait_for_receiver(s->dir);
    printf("revoked %s\n", s->text);
    return CLI_DONE;
}

int cli_subject_alone(const cli_subject_command *c, int argc, char **argv, int (*work)(cli_subject *s), void *context)
{
    const char *data = NULL;
    const cli_option options[] = {CLI_DATA_OPTION(&data)};
    const cli_syntax syntax = {
        .command = c->command, .about = c->about, .examples = c->examples, CLI_OPTIONS(options), CLI_ONE("UUID")};
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    cli_subject s = {.text = arguments.values[0], .context = context};
    return cli_on_subject(&s, &syntax, data, c->wrong_id, work);
}

int cli_revoke(const cli_subject_command *c, int argc, char **argv,
               int (*call)(inf_store *store, const inf_actor *actor, const uint8_t id[16]))
{
    struct revocation r = {.noun = c->noun, .revoke = call};
    return cli_subject_alone(c, argc, argv, revoke, &r);
}

/* `infinium agent create|list|rotate|revoke` */
#include <stdio.h>

#include "auth/agents.h"
#include "base/id.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "listing.h"
#include "options.h"
#include "subject.h"

#define URL_SIZE 256

static int print_created(const char *dir, const char *name, const char *id, const char *secret, bool json)
{
    if (json) {
        cli_object o;
        cli_object_begin(&o);
        cli_object_text(&o, "agent_id", id);
        cli_object_text(&o, "agent_secret", secret);
        if (name)
            cli_object_text(&o, "name", name);
        int error = cli_object_print(&o);
        return error ? cli_store_error(NULL, error, "printing the agent") : CLI_DONE;
    }
    char url[URL_SIZE];
    bool running = cli_receiver_url(dir, url, sizeof url);
    printf("# The secret is shown this once; only a hash of it is kept.\n"
           "export INFINIUM_AGENT_ID=%s\n"
           "export INFINIUM_AGENT_SECRET='%s'\n",
           id, secret);
    if (running)
        printf("export INFINIUM_BASE_URL=%s/api/v1\n", url);
    else
        printf("# No receiver listens for %s yet. Once one does: export INFINIUM_BASE_URL=http://HOST:PORT/api/v1\n",
               dir);
    return CLI_DONE;
}

struct creation {
    const char *name, *id, *secret;
    bool json;
};

static int create(void *context, inf_store *store, const char *dir)
{
    const struct creation *c = context;
    char id[INF_AGENT_ID_SIZE], secret[INF_AGENT_SECRET_SIZE];
    int error = inf_agent_create(store, c->name, c->id, c->secret, id, secret);
    if (error == INF_EEXIST)
        return cli_error("there is an agent %s already", c->id);
    return error ? cli_store_error(store, error, "creating the agent")
                 : print_created(dir, c->name, id, secret, c->json);
}

static int agent_create(int argc, char **argv)
{
    const char *data = NULL;
    struct creation c = {0};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--id", CLI_TEXT, &c.id, "UUID", "the agent's id (default: made at random)", NULL},
        {"--secret", CLI_TEXT, &c.secret, "SECRET", "its secret, 8 characters or more (default: made at random)", NULL},
        CLI_JSON_OPTION(&c.json, "one JSON object"),
    };
    const cli_syntax syntax = {
        .command = "infinium agent create",
        .about = "Creates an agent and prints its id and secret.\n"
                 "The secret is shown this once. A receiver that is running knows the agent at once. What is printed "
                 "are lines for a shell (eval), which set INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET and, while a "
                 "receiver runs, INFINIUM_BASE_URL.",
        .examples = "  infinium agent create \"Mail desk\"\n"
                    "  eval \"$(infinium agent create test)\"\n",
        CLI_OPTIONS(options),
        CLI_ONE("NAME"),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    c.name = arguments.values[0];
    const char *reason = inf_agent_create_reason(c.name, c.id, c.secret);
    if (reason)
        return cli_usage_error(syntax.command, "%s", reason);
    return cli_with_store(data, INF_STORE_CREATE, create, &c);
}

/* ---- list ---- */

static const cli_column columns[] = {
    {"agent", 36, false}, {"created", 19, false}, {"last seen", 19, false}, {"state", 8, false}, {"name", 0, false}};

static int print_json(const inf_agent *agent, const char *id)
{
    cli_object o;
    cli_object_begin(&o);
    cli_object_text(&o, "agent_id", id);
    cli_object_text(&o, "name", agent->name);
    cli_object_time(&o, "created_at", agent->created_ns, 3);
    cli_object_bool(&o, "revoked", agent->revoked);
    cli_object_time(&o, "last_seen_at", agent->last_used_ns, 3);
    return cli_object_print(&o);
}

static int print_row(void *context, const inf_agent *agent)
{
    cli_listing *l = context;
    char id[37], created[CLI_TIME_SIZE], seen[CLI_TIME_SIZE];
    inf_id_uuid(agent->id, id);
    if (l->json)
        return print_json(agent, id);
    cli_time(agent->created_ns, created);
    cli_time(agent->last_used_ns, seen);
    const char *cells[] = {id, created, agent->last_used_ns ? seen : "", agent->revoked ? "revoked" : "active",
                           agent->name};
    return cli_listing_row(l, cells);
}

static int print_rows(inf_store *store, cli_listing *l)
{
    return inf_store_agents(store, print_row, l);
}

static int agent_list(int argc, char **argv)
{
    static const cli_list_command command = {
        .command = "infinium agent list",
        .about = "Lists the agents, oldest first.\n"
                 "When one was last seen is written down once a minute, the first time within two seconds.",
        .examples = "  infinium agent list\n",
        .columns = columns,
        .column_count = CLI_COUNT(columns),
        .read = print_rows,
        .doing = "listing the agents",
        .none = "no agents; `infinium agent create NAME` makes one",
    };
    return cli_list(&command, argc, argv);
}

/* ---- rotate, revoke ---- */

#define WRONG_ID "no agent id (a UUID)"

static int rotate(cli_subject *s)
{
    char secret[INF_AGENT_SECRET_SIZE];
    int error = inf_agent_rotate(s->store, &s->actor, s->id, s->overlap, secret);
    if (error == INF_ENOTFOUND)
        return cli_error("there is no agent %s, or it is revoked", s->text);
    if (error)
        return cli_store_error(s->store, error, "giving the agent a new secret");
    if (!s->json && s->overlap)
        printf("# The earlier secret is good for %u second%s more.\n", s->overlap, CLI_S(s->overlap));
    int code = print_created(s->dir, NULL, s->uuid, secret, s->json);
    cli_wait_for_receiver(s->dir);
    return code;
}

static int agent_rotate(int argc, char **argv)
{
    static const cli_subject_command command = {
        .command = "infinium agent rotate",
        .about = "Gives an agent a new secret and prints it.\n"
                 "The earlier one is good for a while more, so that programs can be changed one after the other; with "
                 "--overlap 0 every earlier secret is refused from now on.",
        .examples = "  infinium agent rotate 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11\n"
                    "  infinium agent rotate 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11 --overlap 0\n",
        .wrong_id = WRONG_ID,
    };
    return cli_rotate(&command, argc, argv, rotate);
}

static int agent_revoke(int argc, char **argv)
{
    static const cli_subject_command command = {
        .command = "infinium agent revoke",
        .about = "Revokes an agent: from now on its requests are refused.\n"
                 "Its traces stay.",
        .examples = "  infinium agent revoke 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11\n",
        .noun = "agent",
        .wrong_id = WRONG_ID,
    };
    return cli_revoke(&command, argc, argv, inf_agent_revoke);
}

static const cli_action actions[] = {
    {"create", "create an agent, print its id and secret", agent_create},
    {"list", "list the agents", agent_list},
    {"rotate", "give an agent a new secret", agent_rotate},
    {"revoke", "refuse an agent's requests from now on", agent_revoke},
};

int cmd_agent(int argc, char **argv)
{
    const cli_group group = {
        .command = "infinium agent",
        .about = "Agents: who may send traces.",
        .examples = "  infinium agent create \"Mail desk\"\n"
                    "  infinium agent list\n",
        .actions = actions,
        .count = CLI_COUNT(actions),
    };
    return cli_dispatch(&group, argc, argv);
}

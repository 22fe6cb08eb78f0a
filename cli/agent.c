/* `infinium agent create|list|rotate|revoke` */
#include <stdio.h>
#include <string.h>

#include "auth/agents.h"
#include "base/clock.h"
#include "base/id.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"
#include "serve.h"

#define LINE_LIMIT 8192
#define URL_SIZE 256

static int print_created(const char *dir, const char *name, const char *id, const char *secret, bool json)
{
    if (json) {
        inf_buf line;
        inf_buf_init(&line, LINE_LIMIT);
        inf_json_writer w = inf_json_writer_on(&line);
        inf_json_begin_object(&w);
        inf_json_key(&w, "agent_id");
        inf_json_put_text(&w, id);
        inf_json_key(&w, "agent_secret");
        inf_json_put_text(&w, secret);
        if (name) {
            inf_json_key(&w, "name");
            inf_json_put_text(&w, name);
        }
        inf_json_end_object(&w);
        int error = cli_print_line(&line);
        return error ? cli_error("printing the agent: %s", inf_strerror(error)) : CLI_DONE;
    }
    char url[URL_SIZE];
    bool running = inf_receiver_find(dir, url, sizeof url) == 1;
    printf("# The secret is shown this once; only a hash of it is kept.\n"
           "export INFINIUM_AGENT_ID=%s\n"
           "export INFINIUM_AGENT_SECRET='%s'\n",
           id, secret);
    if (running)
        printf("export INFINIUM_BASE_URL=%s/api/v1\n", url);
    else
        printf("# No receiver is running on %s. Once it is: export INFINIUM_BASE_URL=http://HOST:PORT/api/v1\n", dir);
    return CLI_DONE;
}

static int agent_create(int argc, char **argv)
{
    const char *data = NULL, *id = NULL, *secret = NULL;
    bool json = false;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--id", CLI_TEXT, &id, "UUID", "the agent's id (default: made at random)", NULL},
        {"--secret", CLI_TEXT, &secret, "SECRET", "its secret, 8 characters or more (default: made at random)", NULL},
        {"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium agent create",
        .arguments = "NAME",
        .about = "Creates an agent and prints its id and secret. A receiver that is running knows it at once.",
        .examples = "  infinium agent create \"Mail desk\"\n"
                    "  eval \"$(infinium agent create test)\"\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    const char *name = arguments.values[0];
    const char *reason = inf_agent_create_reason(name, id, secret);
    if (reason)
        return cli_usage_error(syntax.command, "%s", reason);

    inf_store *store;
    char dir[CLI_PATH_SIZE], made_id[INF_AGENT_ID_SIZE], made_secret[INF_AGENT_SECRET_SIZE];
    code = cli_open_store(&store, data, INF_STORE_CREATE, false, dir);
    if (code < 0) {
        int error = inf_agent_create(store, name, id, secret, made_id, made_secret);
        if (error == INF_EEXIST)
            code = cli_error("there is an agent %s already", id);
        else if (error)
            code = cli_store_error(store, error, "creating the agent");
        else
            code = print_created(dir, name, made_id, made_secret, json);
    }
    inf_store_close(store);
    return code;
}

typedef struct agent_listing {
    bool json;
    int printed;
} agent_listing;

static const cli_column columns[] = {
    {"agent", 36, false}, {"created", 19, false}, {"last seen", 19, false}, {"state", 8, false}, {"name", 0, false}};

static int print_agent(void *context, const inf_agent *agent)
{
    agent_listing *l = context;
    char id[37], created[INF_RFC3339_SIZE];
    inf_id_uuid(agent->id, id);
    l->printed++;
    if (!l->json) {
        char local[CLI_TIME_SIZE], seen[CLI_TIME_SIZE];
        cli_time(agent->created_ns, local);
        cli_time(agent->last_used_ns, seen);
        if (l->printed == 1)
            cli_header(columns, CLI_COUNT(columns));
        const char *cells[] = {id, local, agent->last_used_ns ? seen : "", agent->revoked ? "revoked" : "active",
                               agent->name};
        for (size_t i = 0; i < CLI_COUNT(columns); i++)
            cli_cell(&columns[i], cells[i], NULL);
        putchar('\n');
        return ferror(stdout) ? INF_EIO : 0;
    }
    inf_rfc3339(agent->created_ns, 3, created);
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_json_begin_object(&w);
    inf_json_key(&w, "agent_id");
    inf_json_put_text(&w, id);
    inf_json_key(&w, "name");
    inf_json_put_text(&w, agent->name);
    inf_json_key(&w, "created_at");
    inf_json_put_text(&w, created);
    inf_json_key(&w, "revoked");
    inf_json_put_bool(&w, agent->revoked);
    inf_rfc3339(agent->last_used_ns, 3, created);
    inf_json_key(&w, "last_seen_at");
    inf_json_put_text(&w, agent->last_used_ns ? created : NULL);
    inf_json_end_object(&w);
    return cli_print_line(&line);
}

static int agent_list(int argc, char **argv)
{
    const char *data = NULL;
    agent_listing l = {0};
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--json", CLI_FLAG, &l.json, NULL, "one JSON object a line", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium agent list",
        .arguments = "",
        .about = "Lists the agents, oldest first.",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    code = cli_open_store(&store, data, INF_STORE_READ_ONLY, false, dir);
    if (code < 0) {
        int error = inf_store_agents(store, print_agent, &l);
        code = error ? cli_store_error(store, error, "listing the agents") : CLI_DONE;
        if (!l.json && !error && l.printed == 0)
            puts("no agents; `infinium agent create NAME` makes one");
    }
    inf_store_close(store);
    return code;
}

static int no_agent(const char *text)
{
    return cli_error("there is no agent %s, or it is revoked", text);
}

static int rotate(inf_store *store, const char *dir, const char *text, const uint8_t id[16], unsigned overlap,
                  bool json)
{
    char secret[INF_AGENT_SECRET_SIZE], uuid[37];
    inf_actor actor;
    inf_actor_local(&actor);
    inf_id_uuid(id, uuid);
    int error = inf_agent_rotate(store, &actor, id, overlap, secret);
    if (error == INF_ENOTFOUND)
        return no_agent(text);
    if (error)
        return cli_store_error(store, error, "giving the agent a new secret");
    if (!json && overlap)
        printf("# The earlier secret is good for %u seconds more.\n", overlap);
    return print_created(dir, NULL, uuid, secret, json);
}

static int agent_rotate(int argc, char **argv)
{
    const char *data = NULL;
    bool json = false;
    int64_t overlap = INF_OVERLAP_DEFAULT_S;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--overlap", CLI_INT, &overlap, "SECONDS", CLI_OVERLAP_HELP, NULL},
        {"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium agent rotate",
        .arguments = "UUID",
        .about =
            "Gives an agent a new secret and prints it. The earlier one is good for a while more, so that programs\n"
            "can be changed one after the other; with --overlap 0 every earlier secret is refused from now on.",
        .examples = "  infinium agent rotate 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11\n"
                    "  infinium agent rotate 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11 --overlap 0\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    uint8_t id[16];
    const char *text = arguments.values[0];
    if (inf_id_parse(text, strlen(text), id) != 0)
        return cli_usage_error(syntax.command, "'%s' is no agent id (a UUID)", text);
    if (overlap > INF_OVERLAP_MAX_S)
        return cli_usage_error(syntax.command, "--overlap is at most %u seconds", INF_OVERLAP_MAX_S);
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    code = cli_open_store(&store, data, 0, false, dir);
    if (code < 0)
        code = rotate(store, dir, text, id, (unsigned)overlap, json);
    inf_store_close(store);
    if (code == CLI_DONE)
        cli_wait_for_receiver(dir);
    return code;
}

static int agent_revoke(int argc, char **argv)
{
    const char *data = NULL;
    const cli_option options[] = {{"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT}};
    const cli_syntax syntax = {
        .command = "infinium agent revoke",
        .arguments = "UUID",
        .about = "Revokes an agent: from now on its requests are refused. Its traces stay.",
        .examples = "  infinium agent revoke 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    uint8_t id[16];
    const char *text = arguments.values[0];
    if (inf_id_parse(text, strlen(text), id) != 0)
        return cli_usage_error(syntax.command, "'%s' is no agent id (a UUID)", text);
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    code = cli_open_store(&store, data, 0, false, dir);
    if (code < 0) {
        inf_actor actor;
        inf_actor_local(&actor);
        int error = inf_agent_revoke(store, &actor, id);
        if (error == INF_ENOTFOUND)
            code = cli_error("there is no agent %s", text);
        else
            code = error ? cli_store_error(store, error, "revoking the agent") : CLI_DONE;
        if (code == CLI_DONE)
            cli_wait_for_receiver(dir);
        if (code == CLI_DONE)
            printf("revoked %s\n", text);
    }
    inf_store_close(store);
    return code;
}

static const cli_action actions[] = {
    {"create", "create an agent, print its id and secret", agent_create},
    {"list", "list the agents", agent_list},
    {"rotate", "give an agent a new secret", agent_rotate},
    {"revoke", "refuse an agent's requests from now on", agent_revoke},
};

int cmd_agent(int argc, char **argv)
{
    return cli_dispatch("infinium agent", "Agents: who may send traces.", actions, CLI_COUNT(actions), argc, argv);
}

/* `infinium key create|list|rotate|revoke` */
#include <stdio.h>
#include <string.h>

#include "auth/agents.h"
#include "auth/bearer.h"
#include "base/clock.h"
#include "base/id.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"

#define LINE_LIMIT 8192

static int print_key(const char *id, const char *key, bool json)
{
    if (!json) {
        printf("# The key %s is shown this once; only a hash of it is kept.\n"
               "# Send it as `Authorization: Bearer ...`.\n%s\n",
               id, key);
        return CLI_DONE;
    }
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_json_begin_object(&w);
    inf_json_key(&w, "key_id");
    inf_json_put_text(&w, id);
    inf_json_key(&w, "key");
    inf_json_put_text(&w, key);
    inf_json_end_object(&w);
    int error = cli_print_line(&line);
    return error ? cli_error("printing the key: %s", inf_strerror(error)) : CLI_DONE;
}

static int create(const char *data, const inf_bearer_wish *wish, const char *agent, bool json)
{
    inf_store *store;
    inf_actor actor;
    char dir[CLI_PATH_SIZE], id[37], key[INF_BEARER_SIZE];
    inf_actor_local(&actor);
    int code = cli_open_store(&store, data, INF_STORE_CREATE, false, dir);
    if (code < 0) {
        int error = inf_bearer_create(store, &actor, wish, id, key);
        if (error == INF_ENOTFOUND)
            code = cli_error("there is no agent %s", agent);
        else
            code = error ? cli_store_error(store, error, "creating the key") : print_key(id, key, json);
    }
    inf_store_close(store);
    return code;
}

static int key_create(int argc, char **argv)
{
    const char *data = NULL, *role = "read", *agent = NULL;
    int64_t days = 0;
    bool json = false;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--role", CLI_TEXT, &role, "ROLE", "read (the default) or admin", NULL},
        {"--agent", CLI_TEXT, &agent, "UUID", "reads the traces of this agent alone (default: of all)", NULL},
        {"--days", CLI_INT, &days, "N", "expires after so many days (default: never)", NULL},
        {"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium key create",
        .arguments = "NAME",
        .about = "Creates a key that reads traces, or one that administers, and prints it.",
        .examples =
            "  infinium key create dashboard\n"
            "  infinium key create \"Mail desk report\" --agent 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11 --days 90\n"
            "  infinium key create deploy --role admin --json\n",
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
    bool admin = strcmp(role, "admin") == 0;
    const char *reason = inf_name_reason(arguments.values[0]);
    if (reason)
        return cli_usage_error(syntax.command, "%s", reason);
    if (!admin && strcmp(role, "read") != 0)
        return cli_usage_error(syntax.command, "'%s' is neither read nor admin", role);
    if (admin && agent)
        return cli_usage_error(syntax.command, "an administrator's key cannot be of one agent");
    if (agent && inf_id_parse(agent, strlen(agent), id) != 0)
        return cli_usage_error(syntax.command, "'%s' is no agent id (a UUID)", agent);
    if (days > INF_KEY_LIFETIME_MAX_S / 86400)
        return cli_usage_error(syntax.command, "--days is at most %u", INF_KEY_LIFETIME_MAX_S / 86400);
    inf_bearer_wish wish = {.role = admin ? INF_ROLE_ADMIN : INF_ROLE_READ,
                            .agent_id = agent ? id : NULL,
                            .name = arguments.values[0],
                            .expires_in_s = (unsigned)days * 86400};
    return create(data, &wish, agent, json);
}

/* ---- list ---- */

typedef struct key_listing {
    bool json;
    int printed;
    uint64_t now_ns;
} key_listing;

static const cli_column columns[] = {{"key", 36, false},     {"role", 6, false},       {"agent", 36, false},
                                     {"created", 19, false}, {"last used", 19, false}, {"state", 8, false},
                                     {"name", 0, false}};

static void put_time(inf_json_writer *w, const char *key, uint64_t ns)
{
    char text[INF_RFC3339_SIZE];
    inf_rfc3339(ns, 3, text);
    inf_json_key(w, key);
    inf_json_put_text(w, ns ? text : NULL);
}

static int print_json(const inf_key *key, const char *id, const char *agent)
{
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_json_begin_object(&w);
    inf_json_key(&w, "key_id");
    inf_json_put_text(&w, id);
    inf_json_key(&w, "role");
    inf_json_put_text(&w, inf_role_name((enum inf_role)key->role));
    inf_json_key(&w, "agent_id");
    inf_json_put_text(&w, key->scoped ? agent : NULL);
    inf_json_key(&w, "name");
    inf_json_put_text(&w, key->name);
    put_time(&w, "created_at", key->created_ns);
    put_time(&w, "expires_at", key->expires_ns);
    inf_json_key(&w, "revoked");
    inf_json_put_bool(&w, key->revoked);
    put_time(&w, "last_used_at", key->last_used_ns);
    inf_json_end_object(&w);
    return cli_print_line(&line);
}

static int print_row(void *context, const inf_key *key)
{
    key_listing *l = context;
    char id[37], agent[37], created[CLI_TIME_SIZE], used[CLI_TIME_SIZE];
    inf_id_uuid(key->id, id);
    inf_id_uuid(key->agent_id, agent);
    l->printed++;
    if (l->json)
        return print_json(key, id, agent);
    bool expired = key->expires_ns && key->expires_ns <= l->now_ns;
    cli_time(key->created_ns, created);
    cli_time(key->last_used_ns, used);
    if (l->printed == 1)
        cli_header(columns, CLI_COUNT(columns));
    const char *cells[] = {
        id,       inf_role_name((enum inf_role)key->role), key->scoped ? agent : "all",
        created,  key->last_used_ns ? used : "",           key->revoked ? "revoked" : expired ? "expired" : "active",
        key->name};
    for (size_t i = 0; i < CLI_COUNT(columns); i++)
        cli_cell(&columns[i], cells[i], NULL);
    putchar('\n');
    return ferror(stdout) ? INF_EIO : 0;
}

static int key_list(int argc, char **argv)
{
    const char *data = NULL;
    key_listing l = {.now_ns = inf_unix_ns()};
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--json", CLI_FLAG, &l.json, NULL, "one JSON object a line", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium key list",
        .arguments = "",
        .about = "Lists the keys, oldest first; a rotated agent's earlier secrets (role ingest) among them.",
        .examples = "  infinium key list\n",
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
        int error = inf_store_keys(store, print_row, &l);
        code = error ? cli_store_error(store, error, "listing the keys") : CLI_DONE;
        if (!l.json && !error && l.printed == 0)
            puts("no keys; `infinium key create NAME` makes one");
    }
    inf_store_close(store);
    return code;
}

/* ---- rotate, revoke ---- */

/* Parses a key's id, and opens the store. -1, or an exit code after saying why. */
static int open_for(const cli_syntax *syntax, const char *text, const char *data, uint8_t id[16], inf_store **store,
                    char dir[CLI_PATH_SIZE])
{
    *store = NULL;
    if (inf_id_parse(text, strlen(text), id) != 0)
        return cli_usage_error(syntax->command, "'%s' is no key's id (a UUID)", text);
    return cli_open_store(store, data, 0, false, dir);
}

static int key_rotate(int argc, char **argv)
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
        .command = "infinium key rotate",
        .arguments = "UUID",
        .about =
            "Makes a new key that may do what the old one may, and prints it. The old one is good for a while more.",
        .examples = "  infinium key rotate 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --overlap 3600\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (overlap > INF_OVERLAP_MAX_S)
        return cli_usage_error(syntax.command, "--overlap is at most %u seconds", INF_OVERLAP_MAX_S);
    uint8_t id[16];
    inf_store *store;
    char dir[CLI_PATH_SIZE], new_id[37], key[INF_BEARER_SIZE];
    code = open_for(&syntax, arguments.values[0], data, id, &store, dir);
    if (code < 0) {
        inf_actor actor;
        inf_actor_local(&actor);
        int error = inf_bearer_rotate(store, &actor, id, (unsigned)overlap, new_id, key);
        if (error == INF_ENOTFOUND)
            code = cli_error("there is no key %s, or it is no good any more", arguments.values[0]);
        else
            code = error ? cli_store_error(store, error, "rotating the key") : print_key(new_id, key, json);
    }
    inf_store_close(store);
    if (code == CLI_DONE)
        cli_wait_for_receiver(dir);
    return code;
}

static int key_revoke(int argc, char **argv)
{
    const char *data = NULL;
    const cli_option options[] = {{"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT}};
    const cli_syntax syntax = {
        .command = "infinium key revoke",
        .arguments = "UUID",
        .about = "Revokes a key: from now on it is refused.",
        .examples = "  infinium key revoke 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10\n",
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
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    code = open_for(&syntax, arguments.values[0], data, id, &store, dir);
    if (code < 0) {
        inf_actor actor;
        inf_actor_local(&actor);
        int error = inf_bearer_revoke(store, &actor, id);
        if (error == INF_ENOTFOUND)
            code = cli_error("there is no key %s", arguments.values[0]);
        else
            code = error ? cli_store_error(store, error, "revoking the key") : CLI_DONE;
    }
    inf_store_close(store);
    if (code == CLI_DONE) {
        cli_wait_for_receiver(dir);
        printf("revoked %s\n", arguments.values[0]);
    }
    return code;
}

static const cli_action actions[] = {
    {"create", "create a key that reads, or one that administers, and print it", key_create},
    {"list", "list the keys", key_list},
    {"rotate", "replace a key; the old one is good for a while more", key_rotate},
    {"revoke", "refuse a key from now on", key_revoke},
};

int cmd_key(int argc, char **argv)
{
    return cli_dispatch("infinium key", "Keys: who may read traces, and who may administer.", actions,
                        CLI_COUNT(actions), argc, argv);
}

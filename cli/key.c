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
#include "listing.h"
#include "options.h"
#include "subject.h"

static int print_key(const char *id, const char *key, bool json)
{
    if (!json) {
        printf("# The key %s is shown this once; only a hash of it is kept.\n"
               "# Send it as `Authorization: Bearer ...`.\n%s\n",
               id, key);
        return CLI_DONE;
    }
    cli_object o;
    cli_object_begin(&o);
    cli_object_text(&o, "key_id", id);
    cli_object_text(&o, "key", key);
    int error = cli_object_print(&o);
    return error ? cli_store_error(NULL, error, "printing the key") : CLI_DONE;
}

struct creation {
    const inf_bearer_wish *wish;
    const char *agent;
    bool json;
};

static int create(void *context, inf_store *store, const char *dir)
{
    const struct creation *c = context;
    inf_actor actor;
    char id[37], key[INF_BEARER_SIZE];
    (void)dir;
    inf_actor_local(&actor);
    int error = inf_bearer_create(store, &actor, c->wish, id, key);
    if (error == INF_ENOTFOUND)
        return cli_error("there is no agent %s", c->agent);
    return error ? cli_store_error(store, error, "creating the key") : print_key(id, key, c->json);
}

static int key_create(int argc, char **argv)
{
    const char *data = NULL, *role = "read", *agent = NULL;
    int64_t days = 0;
    bool json = false;
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--role", CLI_TEXT, &role, "ROLE", "read (the default) or admin", NULL},
        {"--agent", CLI_TEXT, &agent, "UUID", "reads the traces of this agent alone (default: of all)", NULL},
        {"--days", CLI_INT, &days, "N", "expires after so many days (default: never)", NULL},
        CLI_JSON_OPTION(&json, "one JSON object"),
    };
    const cli_syntax syntax = {
        .command = "infinium key create",
        .about = "Creates a key that reads traces, or one that administers, and prints it.",
        .examples =
            "  infinium key create dashboard\n"
            "  infinium key create \"Mail desk report\" --agent 6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11 --days 90\n"
            "  infinium key create deploy --role admin --json\n",
        CLI_OPTIONS(options),
        CLI_ONE("NAME"),
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
    return cli_with_store(data, INF_STORE_CREATE, create, &(struct creation){&wish, agent, json});
}

/* ---- list ---- */

static const cli_column columns[] = {{"key", 36, false},     {"role", 6, false},       {"agent", 36, false},
                                     {"created", 19, false}, {"last used", 19, false}, {"state", 8, false},
                                     {"name", 0, false}};

static int print_json(const inf_key *key, const char *id, const char *agent)
{
    cli_object o;
    cli_object_begin(&o);
    cli_object_text(&o, "key_id", id);
    cli_object_text(&o, "role", inf_role_name((enum inf_role)key->role));
    cli_object_text(&o, "agent_id", key->scoped ? agent : NULL);
    cli_object_text(&o, "name", key->name);
    cli_object_time(&o, "created_at", key->created_ns, 3);
    cli_object_time(&o, "expires_at", key->expires_ns, 3);
    cli_object_bool(&o, "revoked", key->revoked);
    cli_object_time(&o, "last_used_at", key->last_used_ns, 3);
    return cli_object_print(&o);
}

static int print_row(void *context, const inf_key *key)
{
    cli_listing *l = context;
    char id[37], agent[37], created[CLI_TIME_SIZE], used[CLI_TIME_SIZE];
    inf_id_uuid(key->id, id);
    inf_id_uuid(key->agent_id, agent);
    if (l->json)
        return print_json(key, id, agent);
    bool expired = key->expires_ns && key->expires_ns <= inf_unix_ns();
    cli_time(key->created_ns, created);
    cli_time(key->last_used_ns, used);
    const char *cells[] = {
        id,       inf_role_name((enum inf_role)key->role), key->scoped ? agent : "all",
        created,  key->last_used_ns ? used : "",           key->revoked ? "revoked" : expired ? "expired" : "active",
        key->name};
    return cli_listing_row(l, cells);
}

static int print_rows(inf_store *store, cli_listing *l)
{
    return inf_store_keys(store, print_row, l);
}

static int key_list(int argc, char **argv)
{
    static const cli_list_command command = {
        .command = "infinium key list",
        .about = "Lists the keys, oldest first.\n"
                 "A rotated agent's earlier secrets (role ingest) are among them. When one was last used is written "
                 "down once a minute, the first time within two seconds.",
        .examples = "  infinium key list\n",
        .columns = columns,
        .column_count = CLI_COUNT(columns),
        .read = print_rows,
        .doing = "listing the keys",
        .none = "no keys; `infinium key create NAME` makes one",
    };
    return cli_list(&command, argc, argv);
}

/* ---- rotate, revoke ---- */

#define WRONG_ID "no key's id (a UUID)"

static int rotate(cli_subject *s)
{
    char id[37], key[INF_BEARER_SIZE];
    int error = inf_bearer_rotate(s->store, &s->actor, s->id, s->overlap, id, key);
    if (error == INF_ENOTFOUND)
        return cli_error("there is no key %s, or it is no good any more", s->text);
    if (error)
        return cli_store_error(s->store, error, "rotating the key");
    int code = print_key(id, key, s->json);
    cli_wait_for_receiver(s->dir);
    return code;
}

static int key_rotate(int argc, char **argv)
{
    static const cli_subject_command command = {
        .command = "infinium key rotate",
        .about = "Makes a new key that may do what the old one may, and prints it.\n"
                 "The old one is good for a while more.",
        .examples = "  infinium key rotate 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --overlap 3600\n",
        .wrong_id = WRONG_ID,
    };
    return cli_rotate(&command, argc, argv, rotate);
}

static int key_revoke(int argc, char **argv)
{
    static const cli_subject_command command = {
        .command = "infinium key revoke",
        .about = "Revokes a key: from now on it is refused.",
        .examples = "  infinium key revoke 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10\n",
        .noun = "key",
        .wrong_id = WRONG_ID,
    };
    return cli_revoke(&command, argc, argv, inf_bearer_revoke);
}

static const cli_action actions[] = {
    {"create", "create a key that reads, or one that administers, and print it", key_create},
    {"list", "list the keys", key_list},
    {"rotate", "replace a key; the old one is good for a while more", key_rotate},
    {"revoke", "refuse a key from now on", key_revoke},
};

int cmd_key(int argc, char **argv)
{
    const cli_group group = {
        .command = "infinium key",
        .about = "Keys: who may read traces, and who may administer.",
        .examples = "  infinium key create dashboard\n"
                    "  infinium key list\n",
        .actions = actions,
        .count = CLI_COUNT(actions),
    };
    return cli_dispatch(&group, argc, argv);
}

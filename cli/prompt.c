/* `infinium prompt create|list|show|publish|rotate|delete` */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/prompts.h"
#include "base/id.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "listing.h"
#include "options.h"
#include "subject.h"

/* The content: the file's, or standard input's for "-". NULL after saying why. Freed by the caller. */
static char *read_content(const cli_syntax *syntax, const char *name, const char *path, int *code)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *content = file ? malloc(INF_PROMPT_CONTENT_MAX + 2) : NULL;
    if (!content) {
        *code = cli_error("%s: %s", path, strerror(file ? ENOMEM : errno));
        if (file && file != stdin)
            fclose(file);
        return NULL;
    }
    size_t n = fread(content, 1, INF_PROMPT_CONTENT_MAX + 1, file);
    content[n] = 0;
    bool failed = ferror(file) != 0;
    if (file != stdin)
        fclose(file);
    const char *reason = failed ? "it cannot be read" : inf_prompt_reason(name, content, n);
    if (!reason)
        return content;
    *code = failed ? cli_error("%s: %s", path, reason) : cli_usage_error(syntax->command, "%s", reason);
    free(content);
    return NULL;
}

static int print_made(const char *id, const char *key, int version, bool json)
{
    if (!json) {
        if (key)
            printf("# The key is shown this once; only a hash of it is kept.\nprompt_id=%s\nprompt_key=%s\n", id, key);
        if (version > 0)
            printf("version=%d\n", version);
        return CLI_DONE;
    }
    cli_object o;
    cli_object_begin(&o);
    cli_object_text(&o, "prompt_id", id);
    if (key)
        cli_object_text(&o, "key", key);
    if (version > 0)
        cli_object_number(&o, "version", version);
    int error = cli_object_print(&o);
    return error ? cli_store_error(NULL, error, "printing") : CLI_DONE;
}

static int prompt_error(inf_store *store, int error, const char *id, const char *what)
{
    if (error == INF_ENOTFOUND)
        return cli_error("there is no prompt %s", id);
    if (error == INF_EFULL)
        return cli_error("%s: there are too many of them", what);
    return cli_store_error(store, error, what);
}

/* ---- create and publish ---- */

/* What both are told, and the content that they read. */
struct version {
    const char *data, *argument;
    char *content; /* freed by the caller */
    bool json;
};

/* Parses, and reads the content; with `named`, the argument is the name of a new prompt. -1, or the exit code. */
static int read_version(struct version *v, const cli_syntax *syntax, bool named, int argc, char **argv)
{
    const char *file = "-";
    const cli_option options[] = {
        CLI_DATA_OPTION(&v->data),
        {"--file", CLI_TEXT, &file, "FILE", "its content (default: standard input)", NULL},
        CLI_JSON_OPTION(&v->json, "one JSON object"),
    };
    cli_syntax whole = *syntax;
    whole.options = options;
    whole.option_count = CLI_COUNT(options);
    cli_arguments arguments;
    int code = cli_parse(&whole, argc, argv, &arguments);
    if (code < 0) {
        v->argument = arguments.values[0];
        v->content = read_content(syntax, named ? v->argument : NULL, file, &code);
    }
    return code;
}

static int create(void *context, inf_store *store, const char *dir)
{
    const struct version *v = context;
    inf_actor actor;
    char id[37], key[INF_PROMPT_KEY_SIZE];
    (void)dir;
    inf_actor_local(&actor);
    int error = inf_prompt_create(store, &actor, v->argument, v->content, id, key);
    return error ? prompt_error(store, error, id, "creating the prompt") : print_made(id, key, 1, v->json);
}

static int prompt_create(int argc, char **argv)
{
    const cli_syntax syntax = {
        .command = "infinium prompt create",
        .about = "Creates a prompt with its version 1, and prints its id and its key.",
        .examples = "  infinium prompt create Greeting --file greeting.txt\n"
                    "  echo 'Hello {{name}}' | infinium prompt create Greeting\n",
        CLI_ONE("NAME"),
    };
    struct version v = {0};
    int code = read_version(&v, &syntax, true, argc, argv);
    if (code < 0)
        code = cli_with_store(v.data, INF_STORE_CREATE, create, &v);
    free(v.content);
    return code;
}

#define WRONG_ID "no prompt's id (a UUID)"

static int publish(cli_subject *s)
{
    const struct version *v = s->context;
    int number;
    int error = inf_prompt_publish(s->store, &s->actor, s->id, v->content, &number);
    return error ? prompt_error(s->store, error, s->text, "publishing the prompt")
                 : print_made(s->uuid, NULL, number, v->json);
}

static int prompt_publish(int argc, char **argv)
{
    const cli_syntax syntax = {
        .command = "infinium prompt publish",
        .about = "Publishes the next version of a prompt: from now on it is the latest.",
        .examples = "  infinium prompt publish 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --file greeting.txt\n",
        CLI_ONE("UUID"),
    };
    struct version v = {0};
    int code = read_version(&v, &syntax, false, argc, argv);
    cli_subject s = {.text = v.argument, .context = &v};
    if (code < 0)
        code = cli_on_subject(&s, &syntax, v.data, WRONG_ID, publish);
    free(v.content);
    return code;
}

/* ---- rotate ---- */

static int rotate(cli_subject *s)
{
    char key[INF_PROMPT_KEY_SIZE];
    int error = inf_prompt_rotate(s->store, &s->actor, s->id, s->overlap, key);
    return error ? prompt_error(s->store, error, s->text, "rotating the prompt's key")
                 : print_made(s->uuid, key, 0, s->json);
}

static int prompt_rotate(int argc, char **argv)
{
    static const cli_subject_command command = {
        .command = "infinium prompt rotate",
        .about = "Makes a new key for a prompt and prints it.\n"
                 "The old ones are good for a while more.",
        .examples = "  infinium prompt rotate 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --overlap 0\n",
        .wrong_id = WRONG_ID,
    };
    return cli_rotate(&command, argc, argv, rotate);
}

/* ---- delete ---- */

static int delete (cli_subject *s)
{
    int error = inf_prompt_remove(s->store, &s->actor, s->id);
    if (error)
        return prompt_error(s->store, error, s->text, "deleting the prompt");
    printf("deleted %s\n", s->text);
    return CLI_DONE;
}

static int prompt_delete(int argc, char **argv)
{
    static const cli_subject_command command = {
        .command = "infinium prompt delete",
        .about = "Deletes a prompt with all its versions and keys: programs that fetch it are refused from now on.",
        .examples = "  infinium prompt delete 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10\n",
        .wrong_id = WRONG_ID,
    };
    return cli_subject_alone(&command, argc, argv, delete, NULL);
}

/* ---- list and show ---- */

static const cli_column columns[] = {
    {"prompt", 36, false}, {"version", 7, true}, {"changed", 19, false}, {"name", 0, false}};

static int print_row(void *context, const inf_prompt *prompt)
{
    cli_listing *l = context;
    char id[37], changed[CLI_TIME_SIZE], version[16];
    inf_id_uuid(prompt->id, id);
    if (!l->json) {
        cli_time(prompt->changed_ns, changed);
        snprintf(version, sizeof version, "%d", prompt->version);
        const char *const cells[] = {id, version, changed, prompt->name};
        return cli_listing_row(l, cells);
    }
    cli_object o;
    cli_object_begin(&o);
    cli_object_text(&o, "prompt_id", id);
    cli_object_text(&o, "name", prompt->name);
    cli_object_number(&o, "version", prompt->version);
    cli_object_time(&o, "changed_at", prompt->changed_ns, 6);
    return cli_object_print(&o);
}

static int print_rows(inf_store *store, cli_listing *l)
{
    return inf_store_prompts(store, print_row, l);
}

static int prompt_list(int argc, char **argv)
{
    static const cli_list_command command = {
        .command = "infinium prompt list",
        .about = "Lists the prompts.",
        .examples = "  infinium prompt list\n",
        .columns = columns,
        .column_count = CLI_COUNT(columns),
        .read = print_rows,
        .doing = "listing the prompts",
        .none = "no prompts; `infinium prompt create NAME` makes one",
    };
    return cli_list(&command, argc, argv);
}

static int print_content(void *context, const inf_prompt_version *version)
{
    (void)context;
    size_t length = strlen(version->content);
    fwrite(version->content, 1, length, stdout);
    if (length == 0 || version->content[length - 1] != '\n')
        putchar('\n');
    return cli_printed();
}

static int show(cli_subject *s)
{
    const int64_t *version = s->context;
    int error = inf_store_prompt_version(s->store, s->id, (int)*version, print_content, NULL);
    if (error == INF_ENOTFOUND)
        return cli_error("there is no such prompt, or no such version of it");
    return error ? cli_store_error(s->store, error, "reading the prompt") : CLI_DONE;
}

static int prompt_show(int argc, char **argv)
{
    const char *data = NULL;
    int64_t version = 0;
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        {"--version", CLI_INT, &version, "N", "which version (default: the latest)", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium prompt show",
        .about = "Prints the content of a prompt.",
        .examples = "  infinium prompt show 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --version 1\n",
        CLI_OPTIONS(options),
        CLI_ONE("UUID"),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (version > INF_PROMPT_VERSIONS_MAX)
        return cli_usage_error(syntax.command, "there are at most %d versions", INF_PROMPT_VERSIONS_MAX);
    cli_subject s = {.text = arguments.values[0], .context = &version};
    return cli_on_subject(&s, &syntax, data, WRONG_ID, show);
}

static const cli_action actions[] = {
    {"create", "create a prompt and its key", prompt_create},
    {"list", "list the prompts", prompt_list},
    {"show", "print the content of a version", prompt_show},
    {"publish", "publish the next version", prompt_publish},
    {"rotate", "make a new key; the old ones are good for a while more", prompt_rotate},
    {"delete", "delete a prompt, its versions and its keys", prompt_delete},
};

int cmd_prompt(int argc, char **argv)
{
    const cli_group group = {
        .command = "infinium prompt",
        .about = "Prompts: texts with versions, which programs fetch with a key.",
        .examples = "  infinium prompt create Greeting --file greeting.txt\n"
                    "  infinium prompt list\n",
        .actions = actions,
        .count = CLI_COUNT(actions),
    };
    return cli_dispatch(&group, argc, argv);
}

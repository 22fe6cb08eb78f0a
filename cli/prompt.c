/* `infinium prompt create|list|show|publish|rotate` */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/prompts.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"

#define LINE_LIMIT (2 * INF_PROMPT_CONTENT_MAX * 6)

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
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_json_begin_object(&w);
    inf_json_key(&w, "prompt_id");
    inf_json_put_text(&w, id);
    if (key) {
        inf_json_key(&w, "key");
        inf_json_put_text(&w, key);
    }
    if (version > 0) {
        inf_json_key(&w, "version");
        inf_json_put_i64(&w, version);
    }
    inf_json_end_object(&w);
    int error = cli_print_line(&line);
    return error ? cli_error("printing: %s", inf_strerror(error)) : CLI_DONE;
}

static int prompt_error(inf_store *store, int error, const char *id, const char *what)
{
    if (error == INF_ENOTFOUND)
        return cli_error("there is no prompt %s", id);
    if (error == INF_EFULL)
        return cli_error("%s: there are too many of them", what);
    return cli_store_error(store, error, what);
}

static int prompt_create(int argc, char **argv)
{
    const char *data = NULL, *file = "-";
    bool json = false;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--file", CLI_TEXT, &file, "FILE", "its content (default: standard input)", NULL},
        {"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium prompt create",
        .arguments = "NAME",
        .about = "Creates a prompt with its version 1, and prints its id and its key.",
        .examples = "  infinium prompt create Greeting --file greeting.txt\n"
                    "  echo 'Hello {{name}}' | infinium prompt create Greeting\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    char *content = read_content(&syntax, arguments.values[0], file, &code);
    if (!content)
        return code;
    inf_store *store;
    inf_actor actor;
    char dir[CLI_PATH_SIZE], id[37], key[INF_PROMPT_KEY_SIZE];
    inf_actor_local(&actor);
    code = cli_open_store(&store, data, INF_STORE_CREATE, false, dir);
    if (code < 0) {
        int error = inf_prompt_create(store, &actor, arguments.values[0], content, id, key);
        code = error ? prompt_error(store, error, id, "creating the prompt") : print_made(id, key, 1, json);
    }
    inf_store_close(store);
    free(content);
    return code;
}

/* Opens the store for a prompt that is named by its id; -1, or the exit code. */
static int open_for(const cli_syntax *syntax, const char *text, const char *data, uint8_t id[16], inf_store **store)
{
    char dir[CLI_PATH_SIZE];
    *store = NULL;
    if (strlen(text) != 36 || inf_id_parse(text, 36, id) != 0)
        return cli_usage_error(syntax->command, "'%s' is no prompt's id (a UUID)", text);
    return cli_open_store(store, data, 0, false, dir);
}

static int prompt_publish(int argc, char **argv)
{
    const char *data = NULL, *file = "-";
    bool json = false;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--file", CLI_TEXT, &file, "FILE", "its content (default: standard input)", NULL},
        {"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium prompt publish",
        .arguments = "UUID",
        .about = "Publishes the next version of a prompt: from now on it is the latest.",
        .examples = "  infinium prompt publish 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --file greeting.txt\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    char *content = read_content(&syntax, NULL, file, &code);
    if (!content)
        return code;
    uint8_t id[16];
    inf_store *store;
    inf_actor actor;
    int version;
    inf_actor_local(&actor);
    code = open_for(&syntax, arguments.values[0], data, id, &store);
    if (code < 0) {
        int error = inf_prompt_publish(store, &actor, id, content, &version);
        code = error ? prompt_error(store, error, arguments.values[0], "publishing the prompt")
                     : print_made(arguments.values[0], NULL, version, json);
    }
    inf_store_close(store);
    free(content);
    return code;
}

static int prompt_rotate(int argc, char **argv)
{
    const char *data = NULL;
    int64_t overlap = INF_OVERLAP_DEFAULT_S;
    bool json = false;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--overlap", CLI_INT, &overlap, "SECONDS", "how long the old keys stay good (default: a day)", NULL},
        {"--json", CLI_FLAG, &json, NULL, "one JSON object", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium prompt rotate",
        .arguments = "UUID",
        .about = "Makes a new key for a prompt and prints it. The old ones are good for a while more.",
        .examples = "  infinium prompt rotate 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --overlap 0\n",
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
    inf_actor actor;
    char key[INF_PROMPT_KEY_SIZE];
    inf_actor_local(&actor);
    code = open_for(&syntax, arguments.values[0], data, id, &store);
    if (code < 0) {
        int error = inf_prompt_rotate(store, &actor, id, (unsigned)overlap, key);
        code = error ? prompt_error(store, error, arguments.values[0], "rotating the prompt's key")
                     : print_made(arguments.values[0], key, 0, json);
    }
    inf_store_close(store);
    return code;
}

/* ---- list and show ---- */

typedef struct prompt_listing {
    bool json;
    int printed;
} prompt_listing;

static const cli_column columns[] = {
    {"prompt", 36, false}, {"version", 7, true}, {"changed", 19, false}, {"name", 0, false}};

static int list_row(void *context, const inf_prompt *prompt)
{
    prompt_listing *l = context;
    char id[37], changed[CLI_TIME_SIZE], version[16], time[INF_RFC3339_SIZE];
    inf_id_uuid(prompt->id, id);
    if (!l->json) {
        if (l->printed++ == 0)
            cli_header(columns, CLI_COUNT(columns));
        cli_time(prompt->changed_ns, changed);
        snprintf(version, sizeof version, "%d", prompt->version);
        const char *const cells[] = {id, version, changed, prompt->name};
        for (size_t i = 0; i < CLI_COUNT(cells); i++)
            cli_cell(&columns[i], cells[i], NULL);
        printf("\n");
        return 0;
    }
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_rfc3339(prompt->changed_ns, 6, time);
    inf_json_begin_object(&w);
    inf_json_key(&w, "prompt_id");
    inf_json_put_text(&w, id);
    inf_json_key(&w, "name");
    inf_json_put_text(&w, prompt->name);
    inf_json_key(&w, "version");
    inf_json_put_i64(&w, prompt->version);
    inf_json_key(&w, "changed_at");
    inf_json_put_text(&w, time);
    inf_json_end_object(&w);
    return cli_print_line(&line);
}

static int prompt_list(int argc, char **argv)
{
    const char *data = NULL;
    prompt_listing l = {0};
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--json", CLI_FLAG, &l.json, NULL, "one JSON object a line", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium prompt list",
        .arguments = "",
        .about = "Lists the prompts.",
        .examples = "  infinium prompt list\n",
        .options = options,
        .option_count = CLI_COUNT(options),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    code = cli_open_store(&store, data, 0, false, dir);
    if (code < 0) {
        int error = inf_store_prompts(store, list_row, &l);
        code = error ? cli_store_error(store, error, "listing the prompts") : CLI_DONE;
    }
    inf_store_close(store);
    return code;
}

static int print_content(void *context, const inf_prompt_version *version)
{
    (void)context;
    size_t length = strlen(version->content);
    if (fwrite(version->content, 1, length, stdout) != length)
        return INF_EIO;
    if (length == 0 || version->content[length - 1] != '\n')
        putchar('\n');
    return 0;
}

static int prompt_show(int argc, char **argv)
{
    const char *data = NULL;
    int64_t version = 0;
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "DIR", CLI_DATA_HELP, CLI_DATA_ENVIRONMENT},
        {"--version", CLI_INT, &version, "N", "which version (default: the latest)", NULL},
    };
    const cli_syntax syntax = {
        .command = "infinium prompt show",
        .arguments = "UUID",
        .about = "Prints the content of a prompt.",
        .examples = "  infinium prompt show 0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10 --version 1\n",
        .options = options,
        .option_count = CLI_COUNT(options),
        .least = 1,
        .most = 1,
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (version > INF_PROMPT_VERSIONS_MAX)
        return cli_usage_error(syntax.command, "there are at most %d versions", INF_PROMPT_VERSIONS_MAX);
    uint8_t id[16];
    inf_store *store;
    code = open_for(&syntax, arguments.values[0], data, id, &store);
    if (code < 0) {
        int error = inf_store_prompt_version(store, id, (int)version, print_content, NULL);
        if (error == INF_ENOTFOUND)
            code = cli_error("there is no such prompt, or no such version of it");
        else
            code = error ? cli_store_error(store, error, "reading the prompt") : CLI_DONE;
    }
    inf_store_close(store);
    return code;
}

static const cli_action actions[] = {
    {"create", "create a prompt and its key", prompt_create},
    {"list", "list the prompts", prompt_list},
    {"show", "print the content of a version", prompt_show},
    {"publish", "publish the next version", prompt_publish},
    {"rotate", "make a new key; the old ones are good for a while more", prompt_rotate},
};

int cmd_prompt(int argc, char **argv)
{
    return cli_dispatch("infinium prompt", "Prompts: texts with versions, which programs fetch with a key.", actions,
                        CLI_COUNT(actions), argc, argv);
}

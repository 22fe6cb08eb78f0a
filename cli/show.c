/* `infinium show ID`: one trace, whole. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/summary.h"
#include "base/id.h"
#include "base/json_read.h"
#include "commands.h"
#include "data.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "rows.h"
#include "store/judgements.h"

#define LINE_LIMIT (64 * 1024 * 1024)

static int print_json(inf_store *store, const inf_summary *summary, const char *body, size_t length, inf_json *parser)
{
    inf_buf line;
    inf_buf_init(&line, LINE_LIMIT);
    inf_json_writer w = inf_json_writer_on(&line);
    int error = inf_known_trace_write(&w, store, NULL, summary, body, length, parser);
    if (error) {
        inf_buf_free(&line);
        return cli_error("the trace's body cannot be read: %s", inf_json_error(parser));
    }
    error = cli_print_line(&line);
    return error ? cli_store_error(NULL, error, "printing the trace") : CLI_DONE;
}

static void title(const char *text)
{
    bool colour = cli_colour(stdout);
    printf("%s%-10s%s", colour ? CLI_DIM : "", text, colour ? CLI_PLAIN : "");
}

static const char *member(inf_json_value object, const char *key)
{
    const char *text;
    size_t length;
    return inf_json_get_string(object, key, &text, &length) ? text : NULL;
}

static void print_text(const char *label, const char *text)
{
    if (!text)
        return;
    title(label);
    cli_text(stdout, text, 0, false);
    putchar('\n');
}

static void print_indented(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char line[1024];
        snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1), text);
        fputs("          ", stdout);
        cli_text(stdout, line, 0, true);
        putchar('\n');
        text += length + (text[length] == '\n');
    }
}

static void print_error(inf_json_value error)
{
    const char *type = member(error, "error_type"), *message = member(error, "message");
    const char *stack = member(error, "stack_trace");
    title("error");
    cli_text(stdout, type ? type : "?", 0, true);
    fputs(": ", stdout);
    cli_text(stdout, message ? message : "", 0, true);
    putchar('\n');
    if (stack)
        print_indented(stack);
}

static void print_step(inf_json_value step, int64_t position)
{
    int64_t number = position, duration_ms = -1, prompt = 0, completion = 0;
    inf_json_value call, error;
    const char *action = member(step, "action"), *description = member(step, "description");
    const char *input = member(step, "input_preview"), *output = member(step, "output_preview");
    inf_json_get_i64(step, "step_number", &number);
    printf("  %3" PRId64 "  ", number);
    size_t written = cli_text(stdout, action ? action : "", 14, true);
    printf("%*s", (int)(16 - written), "");
    written = cli_text(stdout, description ? description : "", 40, true);
    printf("%*s", (int)(42 - written), "");
    if (inf_json_get_i64(step, "duration_ms", &duration_ms) && duration_ms >= 0) {
        char duration[CLI_DURATION_SIZE];
        cli_duration((uint64_t)duration_ms * 1000000u, duration);
        printf("%10s", duration_ms ? duration : "< 1 ms");
    }
    if (inf_json_get(step, "llm_call", &call)) {
        bool known = inf_json_get_i64(call, "prompt_tokens", &prompt);
        known |= inf_json_get_i64(call, "completion_tokens", &completion);
        if (known)
            printf("  %" PRId64 " + %" PRId64 " tokens", prompt, completion);
    }
    putchar('\n');
    const char *previews[] = {input, output};
    for (int i = 0; i < 2; i++) {
        if (!previews[i])
            continue;
        printf("       %s ", i ? "<-" : "->");
        cli_text(stdout, previews[i], 100, true);
        putchar('\n');
    }
    if (inf_json_get(step, "error", &error)) {
        const char *type = member(error, "error_type"), *message = member(error, "message");
        fputs("       !! ", stdout);
        cli_text(stdout, type ? type : "", 40, true);
        fputs(": ", stdout);
        cli_text(stdout, message ? message : "", 100, true);
        putchar('\n');
    }
}

static void print_people(const inf_summary *s, inf_json_value root)
{
    char id[33], parent[33], agent[37], started[CLI_TIME_SIZE], duration[CLI_DURATION_SIZE];
    const char *colour = cli_status_colour(s->status);
    inf_id_hex(s->trace_id, id);
    inf_id_hex(s->parent_id, parent);
    inf_id_uuid(s->agent_id, agent);
    cli_time(s->started_ns, started);
    cli_duration(s->duration_ns, duration);
    title("name");
    cli_text(stdout, s->name ? s->name : "", 0, true);
    putchar('\n');
    title("status");
    printf("%s%s%s\n", colour ? colour : "", inf_status_name(s->status), colour ? CLI_PLAIN : "");
    title("trace");
    printf("%s\n", id);
    if (!inf_id_is_zero(s->parent_id)) {
        title("parent");
        printf("%s\n", parent);
    }
    title("agent");
    cli_text(stdout, s->agent_name ? s->agent_name : "", 0, true);
    printf(" (%s)\n", agent);
    title("started");
    printf("%s\n", started);
    if (s->status != INF_STATUS_RUNNING) {
        title("took");
        printf("%s\n", duration);
    }
    if (s->llm_calls > 0) {
        title("llm");
        printf("%" PRId64 " call%s, %" PRId64 " + %" PRId64 " tokens", s->llm_calls, CLI_S(s->llm_calls),
               s->prompt_tokens, s->completion_tokens);
        if (s->model) {
            fputs(", ", stdout);
            cli_text(stdout, s->model, 0, true);
        }
        putchar('\n');
    }
    print_text("input", member(root, "input_summary"));
    print_text("output", member(root, "output_summary"));
    inf_json_value list;
    if (inf_json_get(root, "errors", &list))
        for (inf_json_iterator i = inf_json_iterate(list); inf_json_next(&i);)
            print_error(i.value);
    if (inf_json_get(root, "steps", &list) && inf_json_size(list) > 0) {
        title("steps");
        putchar('\n');
        int64_t position = 0;
        for (inf_json_iterator i = inf_json_iterate(list); inf_json_next(&i);)
            print_step(i.value, ++position);
    }
}

/* What a model thought of it (docs/judge.md). Ends what the summary's texts point to. */
static int print_judgement(inf_store *store, const inf_summary *summary)
{
    inf_judgement j;
    int error = inf_store_judgement(store, summary->trace_id, summary->sequence, &j);
    if (error)
        return error == INF_ENOTFOUND ? CLI_DONE : cli_store_error(store, error, "reading its judgement");
    title("judge");
    if (j.state == INF_JUDGEMENT_WAITING) {
        puts("waits to be judged");
        return CLI_DONE;
    }
    if (j.state == INF_JUDGEMENT_JUDGED)
        printf("%s, %.2f", inf_verdict_name(j.verdict), j.score);
    else
        fputs("no verdict", stdout);
    fputs(" (", stdout);
    cli_text(stdout, j.model ? j.model : "?", 0, true);
    fputs("): ", stdout);
    const char *text = j.state == INF_JUDGEMENT_JUDGED ? j.reason : j.error;
    cli_text(stdout, text ? text : "", 0, true);
    putchar('\n');
    return CLI_DONE;
}

struct wish {
    const char *text; /* the id, or how it begins */
    bool json;
};

static int show(void *context, inf_store *store, const char *dir)
{
    const struct wish *wish = context;
    uint8_t id[16];
    inf_summary summary;
    char *body = NULL;
    size_t length;
    (void)dir;
    int code = cli_find_trace(store, wish->text, id);
    if (code >= 0)
        return code;
    int error = inf_store_get(store, id, &summary, &body, &length);
    if (error)
        return cli_store_error(store, error, "reading the trace");
    inf_json_value root;
    code = CLI_DONE;
    inf_json *parser = inf_json_new();
    if (!parser)
        code = cli_error("%s", inf_strerror(INF_ENOMEM));
    else if (wish->json)
        code = print_json(store, &summary, body, length, parser);
    else if (inf_json_parse(parser, body, length, 0, &root) != 0)
        code = cli_error("the trace's body cannot be read: %s", inf_json_error(parser));
    else {
        print_people(&summary, root);
        code = print_judgement(store, &summary);
    }
    if (cli_printed() != 0)
        code = CLI_FAILED;
    inf_json_free(parser);
    free(body);
    return code;
}

int cmd_show(int argc, char **argv)
{
    const char *data = NULL;
    struct wish wish = {0};
    const cli_option options[] = {
        CLI_DATA_OPTION(&data),
        CLI_JSON_OPTION(&wish.json, "the whole trace as one JSON object"),
    };
    const cli_syntax syntax = {
        .command = "infinium show",
        .about = "Shows one trace.\n"
                 "ID is 32 hexadecimal digits, a UUID, or the beginning of one, 4 digits or more.",
        .examples = "  infinium show 1f3a\n"
                    "  infinium show 1f3a09bd12c84c5e9f0a6b1d2c3e4f50 --json | jq .steps\n",
        CLI_OPTIONS(options),
        CLI_ONE("ID"),
    };
    cli_arguments arguments;
    int code = cli_parse(&syntax, argc, argv, &arguments);
    if (code >= 0)
        return code;
    wish.text = arguments.values[0];
    code = cli_check_trace(syntax.command, wish.text); /* before the store is looked for: nothing is touched */
    if (code >= 0)
        return code;
    return cli_with_store_caught_up(data, INF_STORE_READ_ONLY, show, &wish);
}

/* See config.h: settings as text, for people and for docs/configuration.md. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

static void print_seconds(int64_t seconds, char *out, size_t size)
{
    if (seconds > 0 && seconds % 86400 == 0)
        snprintf(out, size, "%" PRId64 "d", seconds / 86400);
    else if (seconds > 0 && seconds % 3600 == 0)
        snprintf(out, size, "%" PRId64 "h", seconds / 3600);
    else
        snprintf(out, size, "%" PRId64 "s", seconds);
}

static void print_size(uint64_t bytes, char *out, size_t size)
{
    static const char units[] = "\0KMGT";
    int u = 0;
    while (u < 4 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        u++;
    }
    snprintf(out, size, u ? "%" PRIu64 "%c" : "%" PRIu64, bytes, units[u]);
}

static void print_choice(const inf_config_row *row, int index, char *out, size_t size)
{
    const char *at = row->placeholder;
    for (; index > 0 && strchr(at, '|'); index--)
        at = strchr(at, '|') + 1;
    snprintf(out, size, "%.*s", (int)strcspn(at, "|"), at);
}

static void print_number(const inf_config_row *row, int64_t number, char *out, size_t size)
{
    switch (row->kind) {
    case INF_KIND_SECONDS:
        print_seconds(number, out, size);
        break;
    case INF_KIND_SIZE:
        print_size((uint64_t)number, out, size);
        break;
    case INF_KIND_SWITCH:
        snprintf(out, size, "%s", number ? "yes" : "no");
        break;
    case INF_KIND_CHOICE:
        print_choice(row, (int)number, out, size);
        break;
    default:
        snprintf(out, size, "%" PRId64, number);
    }
}

void inf_config_value(const inf_config_row *row, const inf_serve_options *options, char *out, size_t size)
{
    const void *place = (const char *)options + row->offset;
    const char *text;
    switch (row->kind) {
    case INF_KIND_TEXT:
        text = *(const char *const *)place;
        snprintf(out, size, "%s", text ? text : "");
        break;
    case INF_KIND_SECRET:
        text = *(const char *const *)place;
        snprintf(out, size, "%s", text ? "(set, not shown)" : "");
        break;
    case INF_KIND_SWITCH:
        print_number(row, *(const bool *)place, out, size);
        break;
    case INF_KIND_CHOICE:
        print_number(row, *(const int *)place, out, size);
        break;
    case INF_KIND_MIB:
        print_number(row, (int64_t)(*(const uint64_t *)place / INF_MIB), out, size);
        break;
    case INF_KIND_COUNT:
    case INF_KIND_SECONDS:
    case INF_KIND_SIZE:
        print_number(row, *(const int64_t *)place, out, size);
        break;
    }
}

void inf_config_default(const inf_config_row *row, char *out, size_t size)
{
    if (row->kind == INF_KIND_TEXT || row->kind == INF_KIND_SECRET)
        snprintf(out, size, "%s", row->default_text ? row->default_text : "");
    else
        print_number(row, row->default_number, out, size);
}

void inf_config_allowed(const inf_config_row *row, char *out, size_t size)
{
    char least[32], most[32];
    switch (row->kind) {
    case INF_KIND_TEXT:
    case INF_KIND_SECRET:
        snprintf(out, size, "a text of %" PRId64 " to %" PRId64 " bytes without control characters", row->least,
                 row->most);
        return;
    case INF_KIND_SWITCH:
        snprintf(out, size, "yes or no");
        return;
    case INF_KIND_CHOICE: {
        size_t n = 0;
        snprintf(out, size, "one of ");
        for (const char *p = row->placeholder; *p; p++) {
            n = strlen(out);
            snprintf(out + n, size - n, *p == '|' ? ", " : "%c", *p);
        }
        return;
    }
    default:
        print_number(row, row->least, least, sizeof least);
        print_number(row, row->most, most, sizeof most);
        snprintf(out, size, "a number%s from %s to %s",
                 row->kind == INF_KIND_MIB       ? " of MiB"
                 : row->kind == INF_KIND_SECONDS ? " of seconds (or with s, m, h, d)"
                 : row->kind == INF_KIND_SIZE    ? " of bytes (or with K, M, G, T)"
                                                 : "",
                 least, most);
    }
}

/* ---- --print-config ---- */

static void print_from(const inf_config *config, size_t index, const char *file, inf_buf *out)
{
    const inf_config_row *row = &inf_config_rows[index];
    switch (config->from[index]) {
    case INF_FROM_FLAG:
        inf_buf_printf(out, "# --%s\n", row->name);
        break;
    case INF_FROM_ENVIRONMENT:
        inf_buf_printf(out, "# %s in the environment\n", row->environment);
        break;
    case INF_FROM_FILE:
        inf_buf_printf(out, "# %s line %u\n", file, config->line[index]);
        break;
    case INF_FROM_DEFAULT:
        inf_buf_put_text(out, "# default\n");
        break;
    }
}

void inf_config_print(const inf_config *config, const char *file, inf_buf *out)
{
    for (size_t i = 0; i < INF_CONFIG_ROWS; i++) {
        const inf_config_row *row = &inf_config_rows[i];
        char value[1200];
        inf_config_value(row, &config->options, value, sizeof value);
        print_from(config, i, file, out);
        if (row->kind == INF_KIND_SECRET || !*value)
            inf_buf_printf(out, "# %s = %s\n", row->name, value);
        else if (strchr(value, '"'))
            inf_buf_printf(out, "# %s = %s (a quote cannot stand in a file)\n", row->name, value);
        else if (row->kind == INF_KIND_TEXT && strpbrk(value, " #"))
            inf_buf_printf(out, "%s = \"%s\"\n", row->name, value);
        else
            inf_buf_printf(out, "%s = %s\n", row->name, value);
    }
}

/* ---- docs/configuration.md ---- */

static const char *const headings[] = {
#define H(text) text,
#define X(kind, member, name, environment, placeholder, def, least, most, when, help) NULL,
    INF_CONFIG(X, H)
#undef X
#undef H
};

static void page_text(inf_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|')
            inf_buf_put_byte(out, '\\');
        inf_buf_put_byte(out, (uint8_t)*p);
    }
}

static void page_row(inf_buf *out, const inf_config_row *row)
{
    char allowed[160], def[300];
    inf_config_allowed(row, allowed, sizeof allowed);
    inf_config_default(row, def, sizeof def);
    inf_buf_printf(out, "| `%s` | ", row->name);
    if (row->kind == INF_KIND_SECRET)
        inf_buf_put_text(out, "none");
    else
        inf_buf_printf(out, "`--%s`", row->name);
    inf_buf_printf(out, " | `%s` | ", row->environment);
    page_text(out, allowed);
    inf_buf_printf(out, *def ? " | `%s` | %s | " : " | %s | %s | ", *def ? def : "not set",
                   row->reload ? "reload" : "start");
    page_text(out, row->help);
    inf_buf_put_text(out, " |\n");
}

static const char page_head[] =
    "# Configuration of the receiver\n"
    "\n"
    "<!-- Made from the table in receiver/config.h by tests/receiver/test_config.c; a change there is what changes "
    "this page. "
    "-->\n"
    "\n"
    "`infinium serve` takes each setting from its flag, else from its environment variable, else from the file that "
    "`--config "
    "FILE`\n"
    "or `INFINIUM_CONFIG` names, else it has its default. `infinium serve --print-config`, with the same flags and "
    "environment,\n"
    "prints what holds and where each value came from, as a file that can be read again; secrets are left out.\n"
    "\n"
    "The file is lines of `name = value`. `#` at the front of a line or after a blank begins a comment; a value in "
    "double "
    "quotes is\n"
    "taken as it is. A name that is not in the tables below, a name that comes twice, or a value that is not allowed "
    "ends the "
    "start\n"
    "with the line and what would be right. The file holds at most 64 KiB.\n"
    "\n"
    "```\n"
    "# /etc/infinium/infinium.conf\n"
    "data = /var/lib/infinium\n"
    "listen = 127.0.0.1:8321\n"
    "journal-mib = 4096\n"
    "log-format = json\n"
    "```\n"
    "\n"
    "*reload*: `infinium reload`, `systemctl reload infinium`, or SIGHUP, reads file and environment again, takes over "
    "what changed, and "
    "logs "
    "it. A\n"
    "file with a mistake changes nothing and is logged. *start*: a changed value waits for the next start, which is "
    "logged "
    "too.\n"
    "Secrets have no flag, because everybody on the machine sees command lines.\n";

void inf_config_page(inf_buf *out)
{
    size_t row = 0;
    inf_buf_put_text(out, page_head);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++) {
        if (headings[i])
            inf_buf_printf(out,
                           "\n## %s\n\n| name | flag | environment | allowed | default | taken over | what |\n"
                           "|---|---|---|---|---|---|---|\n",
                           headings[i]);
        else
            page_row(out, &inf_config_rows[row++]);
    }
}

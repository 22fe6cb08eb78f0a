/* See config.h: reading settings out of flags, the environment and a file. The file is lines of `name = value`; '#' at
 * the front of a line or after white space begins a comment; a value in double quotes is taken as it is. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/os.h"
#include "infinium.h"

#define TEXT_OF_TEXT(value) (value)
#define TEXT_OF_SECRET(value) (value)
#define TEXT_OF_SWITCH(value) NULL
#define TEXT_OF_COUNT(value) NULL
#define TEXT_OF_SECONDS(value) NULL
#define TEXT_OF_MIB(value) NULL
#define TEXT_OF_SIZE(value) NULL
#define TEXT_OF_CHOICE(value) NULL
#define NUMBER_OF_TEXT(value) 0
#define NUMBER_OF_SECRET(value) 0
#define NUMBER_OF_SWITCH(value) (value)
#define NUMBER_OF_COUNT(value) (value)
#define NUMBER_OF_SECONDS(value) (value)
#define NUMBER_OF_MIB(value) (value)
#define NUMBER_OF_SIZE(value) (value)
#define NUMBER_OF_CHOICE(value) (value)
#define WHEN_START false
#define WHEN_RELOAD true

const inf_config_row inf_config_rows[INF_CONFIG_ROWS] = {
#define X(kind, member, name, environment, placeholder, def, least, most, when, help)                                  \
    {INF_KIND_##kind,                                                                                                  \
     name,                                                                                                             \
     environment,                                                                                                      \
     placeholder,                                                                                                      \
     TEXT_OF_##kind(def),                                                                                              \
     NUMBER_OF_##kind(def),                                                                                            \
     least,                                                                                                            \
     most,                                                                                                             \
     WHEN_##when,                                                                                                      \
     help,                                                                                                             \
     offsetof(inf_serve_options, member)},
    INF_CONFIG(X, INF_CONFIG_NO_HEADING)
#undef X
};

/* ---- one setting ---- */

typedef struct unit {
    char letter;
    int64_t factor;
} unit;

static const unit second_units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {0, 0}};
static const unit byte_units[] = {
    {'k', 1 << 10}, {'m', 1 << 20}, {'g', 1 << 30}, {'t', INT64_C(1) << 40}, {0, 0},
};

/* A number with an optional unit, all of `text`. */
static bool read_number(const char *text, const unit *units, int64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno)
        return false;
    int64_t factor = 1;
    if (*end && units) {
        while (units->letter && units->letter != tolower((unsigned char)*end))
            units++;
        if (!units->letter)
            return false;
        factor = units->factor;
        end++;
    }
    if (*end || number > INT64_MAX / factor)
        return false;
    *out = number * factor;
    return true;
}

static bool read_switch(const char *text, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        *out = strcasecmp(text, yes[i]) == 0;
        if (*out || strcasecmp(text, no[i]) == 0)
            return true;
    }
    return false;
}

static bool read_choice(const inf_config_row *row, const char *text, int *out)
{
    size_t length = strlen(text);
    int index = 0;
    for (const char *at = row->placeholder; length > 0; index++) {
        size_t n = strcspn(at, "|");
        if (n == length && memcmp(at, text, n) == 0) {
            *out = index;
            return true;
        }
        if (!at[n])
            break;
        at += n + 1;
    }
    return false;
}

static bool is_text(const inf_config_row *row, const char *text)
{
    size_t length = strlen(text);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return length >= (size_t)row->least && length <= (size_t)row->most;
}

/* False when `text` is no value of this setting. Writes nothing then. */
static bool set(const inf_config_row *row, inf_serve_options *options, const char *text)
{
    void *place = (char *)options + row->offset;
    const unit *units = row->kind == INF_KIND_SECONDS ? second_units : row->kind == INF_KIND_SIZE ? byte_units : NULL;
    int64_t number;
    switch (row->kind) {
    case INF_KIND_TEXT:
    case INF_KIND_SECRET:
        if (!is_text(row, text))
            return false;
        *(const char **)place = text;
        return true;
    case INF_KIND_SWITCH:
        return read_switch(text, place);
    case INF_KIND_CHOICE:
        return read_choice(row, text, place);
    case INF_KIND_COUNT:
    case INF_KIND_SECONDS:
    case INF_KIND_MIB:
    case INF_KIND_SIZE:
        if (!read_number(text, units, &number) || number < row->least || number > row->most)
            return false;
        if (row->kind == INF_KIND_COUNT || row->kind == INF_KIND_SECONDS)
            *(int64_t *)place = number;
        else
            *(uint64_t *)place = (uint64_t)number * (row->kind == INF_KIND_MIB ? INF_MIB : 1);
        return true;
    }
    return false;
}

static int refuse(char message[INF_CONFIG_MESSAGE_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char message[INF_CONFIG_MESSAGE_SIZE], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, INF_CONFIG_MESSAGE_SIZE, format, args);
    va_end(args);
    for (char *p = message; *p; p++) /* it quotes what may be anything */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return INF_EINVAL;
}

/* `where` names the place: "--threads", "INFINIUM_THREADS", "FILE line 3: threads". */
static int take(inf_config *config, size_t index, enum inf_config_from from, const char *where, const char *text,
                char message[INF_CONFIG_MESSAGE_SIZE])
{
    const inf_config_row *row = &inf_config_rows[index];
    char allowed[160];
    if (set(row, &config->options, text)) {
        config->from[index] = from;
        return 0;
    }
    inf_config_allowed(row, allowed, sizeof allowed);
    if (row->kind == INF_KIND_SECRET)
        return refuse(message, "%s: this value is not %s", where, allowed);
    return refuse(message, "%s: '%.100s' is not %s", where, text, allowed);
}

/* ---- the file ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = 0;
    return text;
}

/* Cuts a comment off a value, and its quotes. */
static char *read_value(char *text)
{
    text = trim(text);
    if (*text == '"') {
        char *end = strchr(text + 1, '"');
        char *rest = end ? end + 1 + strspn(end + 1, " \t\r") : NULL;
        if (end && (!*rest || *rest == '#')) {
            *end = 0;
            return text + 1;
        }
    }
    for (char *p = text; *p; p++) {
        if (*p == '#' && (p == text || p[-1] == ' ' || p[-1] == '\t')) {
            *p = 0;
            break;
        }
    }
    return trim(text);
}

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < INF_CONFIG_ROWS && strcmp(inf_config_rows[i].name, name) != 0)
        i++;
    return i;
}

static int unknown(const char *where, const char *name, char message[INF_CONFIG_MESSAGE_SIZE])
{
    const char *names[INF_CONFIG_ROWS];
    for (size_t i = 0; i < INF_CONFIG_ROWS; i++)
        names[i] = inf_config_rows[i].name;
    const char *near = inf_nearest(name, names, INF_CONFIG_ROWS);
    if (near)
        return refuse(message, "%s: there is no setting '%.60s'; did you mean '%s'?", where, name, near);
    return refuse(message, "%s: there is no setting '%.60s'", where, name);
}

static int take_line(inf_config *config, const char *file, unsigned number, char *line,
                     char message[INF_CONFIG_MESSAGE_SIZE])
{
    char where[300];
    snprintf(where, sizeof where, "%.200s line %u", file, number);
    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    char *equals = strchr(line, '=');
    if (!equals || equals == line)
        return refuse(message, "%s: '%.100s' is not `name = value`", where, line);
    *equals = 0;
    char *name = trim(line);
    size_t index = find(name);
    if (index == INF_CONFIG_ROWS)
        return unknown(where, name, message);
    if (config->line[index])
        return refuse(message, "%s: %s is there already, on line %u", where, name, config->line[index]);
    config->line[index] = number;
    snprintf(where, sizeof where, "%.200s line %u: %s", file, number, name);
    return take(config, index, INF_FROM_FILE, where, read_value(equals + 1), message);
}

/* `text` is cut into lines and must last as long as the configuration. */
static int take_lines(inf_config *config, const char *file, char *text, size_t length,
                      char message[INF_CONFIG_MESSAGE_SIZE])
{
    int rc = 0;
    unsigned number = 0;
    if (memchr(text, 0, length))
        return refuse(message, "%.200s: this is no text", file);
    for (char *line = text; rc == 0 && *line;) {
        char *end = line + strcspn(line, "\n");
        char *next = *end ? end + 1 : end;
        *end = 0;
        rc = take_line(config, file, ++number, line, message);
        line = next;
    }
    return rc;
}

static int read_file(const char *path, char *out, size_t *length)
{
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return inf_os_error(errno);
    ssize_t n = 1;
    *length = 0;
    while (n > 0 && *length <= INF_CONFIG_FILE_MAX) {
        n = inf_os.read(fd, out + *length, INF_CONFIG_FILE_MAX + 1 - *length);
        if (n > 0)
            *length += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    int rc = n < 0 ? inf_os_error(errno) : 0;
    inf_os.close(fd);
    return rc;
}

/* ---- all of it ---- */

static int take_environment(inf_config *config, const inf_config_sources *sources,
                            char message[INF_CONFIG_MESSAGE_SIZE])
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && sources->environment && i < INF_CONFIG_ROWS; i++) {
        const char *text = sources->environment(inf_config_rows[i].environment);
        if (text && *text)
            rc = take(config, i, INF_FROM_ENVIRONMENT, inf_config_rows[i].environment, text, message);
    }
    return rc;
}

static int take_flags(inf_config *config, const inf_config_sources *sources, char message[INF_CONFIG_MESSAGE_SIZE])
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && sources->flags && i < INF_CONFIG_ROWS; i++) {
        char where[64];
        snprintf(where, sizeof where, "--%s", inf_config_rows[i].name);
        if (sources->flags[i])
            rc = take(config, i, INF_FROM_FLAG, where, sources->flags[i], message);
    }
    return rc;
}

static void begin(inf_config *config, char message[INF_CONFIG_MESSAGE_SIZE])
{
    memset(config, 0, sizeof *config);
    config->options = (inf_serve_options)INF_SERVE_OPTIONS_INIT;
    message[0] = 0;
}

static int load(inf_config *config, const inf_config_sources *sources, const char *name, size_t length,
                char message[INF_CONFIG_MESSAGE_SIZE])
{
    int rc = 0;
    if (length > INF_CONFIG_FILE_MAX)
        return refuse(message, "%.200s: larger than %d bytes", name, INF_CONFIG_FILE_MAX);
    if (config->text)
        rc = take_lines(config, name, config->text, length, message);
    if (rc == 0)
        rc = take_environment(config, sources, message);
    if (rc == 0)
        rc = take_flags(config, sources, message);
    return rc;
}

static int out_of_memory(char message[INF_CONFIG_MESSAGE_SIZE])
{
    snprintf(message, INF_CONFIG_MESSAGE_SIZE, "out of memory");
    return INF_ENOMEM;
}

int inf_config_load(inf_config *config, const inf_config_sources *sources, char message[INF_CONFIG_MESSAGE_SIZE])
{
    size_t length = 0;
    begin(config, message);
    if (sources->file) {
        config->text = inf_os.calloc(1, INF_CONFIG_FILE_MAX + 2);
        if (!config->text)
            return out_of_memory(message);
        int rc = read_file(sources->file, config->text, &length);
        if (rc < 0) {
            refuse(message, "the file %.200s cannot be read: %s", sources->file, inf_strerror(rc));
            return rc;
        }
    }
    return load(config, sources, sources->file, length, message);
}

int inf_config_load_text(inf_config *config, const inf_config_sources *sources, const char *name, const char *text,
                         size_t length, char message[INF_CONFIG_MESSAGE_SIZE])
{
    begin(config, message);
    config->text = inf_os.calloc(1, length + 1);
    if (!config->text)
        return out_of_memory(message);
    memcpy(config->text, text, length);
    return load(config, sources, name, length, message);
}

void inf_config_free(inf_config *config)
{
    inf_os.free(config->text);
    config->text = NULL;
}

/* ---- reload ---- */

static size_t size_of(const inf_config_row *row)
{
    switch (row->kind) {
    case INF_KIND_TEXT:
    case INF_KIND_SECRET:
        return sizeof(const char *);
    case INF_KIND_SWITCH:
        return sizeof(bool);
    case INF_KIND_CHOICE:
        return sizeof(int);
    case INF_KIND_COUNT:
    case INF_KIND_SECONDS:
    case INF_KIND_MIB:
    case INF_KIND_SIZE:
        return sizeof(int64_t);
    }
    return 0;
}

static bool same(const inf_config_row *row, const void *a, const void *b)
{
    if (row->kind != INF_KIND_TEXT && row->kind != INF_KIND_SECRET)
        return memcmp(a, b, size_of(row)) == 0;
    const char *one = *(const char *const *)a, *two = *(const char *const *)b;
    return one == two || (one && two && strcmp(one, two) == 0);
}

int inf_config_take_over(inf_serve_options *running, const inf_serve_options *wanted,
                         void (*say)(void *context, const char *line), void *context)
{
    int changed = 0;
    for (size_t i = 0; i < INF_CONFIG_ROWS; i++) {
        const inf_config_row *row = &inf_config_rows[i];
        char before[300], after[300], line[700];
        void *to = (char *)running + row->offset;
        const void *from = (const char *)wanted + row->offset;
        bool alike = same(row, to, from);
        inf_config_value(row, running, before, sizeof before);
        inf_config_value(row, wanted, after, sizeof after);
        if (row->reload)
            memcpy(to, from, size_of(row)); /* texts too that are equal: the old ones go away */
        if (alike)
            continue;
        changed += row->reload;
        if (row->kind == INF_KIND_SECRET)
            snprintf(line, sizeof line, "%s: changed", row->name);
        else
            snprintf(line, sizeof line, "%s: %s -> %s", row->name, *before ? before : "(not set)",
                     *after ? after : "(not set)");
        if (!row->reload) {
            size_t n = strlen(line);
            snprintf(line + n, sizeof line - n, " is taken over at the next start only");
        }
        say(context, line);
    }
    return changed;
}

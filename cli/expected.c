/* The demo's expectations: see expected.h. */
#include "expected.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/summary.h"
#include "options.h"

#define LINE_SIZE 512

bool cli_expected_add(cli_expected *e, long wanted, uint8_t status, const char *name)
{
    if (e->count == CLI_EXPECTED_MAX)
        return false;
    struct cli_expectation *row = &e->rows[e->count];
    int length = snprintf(row->name, sizeof row->name, "%s", name);
    if (length < 1 || (size_t)length >= sizeof row->name)
        return false;
    row->wanted = wanted;
    row->status = status;
    row->seen = 0;
    e->count++;
    return true;
}

/* Cuts the next word off `*text`. */
static char *next_word(char **text)
{
    char *word = *text + strspn(*text, " \t");
    char *end = word + strcspn(word, " \t");
    *text = *end ? end + 1 : end;
    *end = 0;
    return word;
}

static bool read_line(cli_expected *e, char *line)
{
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] == '#' || line[strspn(line, " \t")] == 0)
        return true;
    char *rest = line, *end;
    char *number = next_word(&rest);
    long wanted = strtol(number, &end, 10);
    int status = inf_status_parse(next_word(&rest));
    rest += strspn(rest, " \t");
    return *number && !*end && wanted > 0 && status >= 0 && cli_expected_add(e, wanted, (uint8_t)status, rest);
}

int cli_expected_read(cli_expected *out, const char *path)
{
    out->count = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return cli_error("%s: %s", path, strerror(errno));
    char line[LINE_SIZE];
    int number = 0, code = -1;
    while (code < 0 && fgets(line, sizeof line, file)) {
        number++;
        if (!read_line(out, line))
            code = cli_error("%s, line %d: wanted `COUNT STATUS NAME`, as in `2 ok Email Classifier`", path, number);
    }
    if (code < 0 && ferror(file))
        code = cli_error("%s cannot be read", path);
    fclose(file);
    return code;
}

void cli_expected_see(cli_expected *e, uint8_t status, const char *name)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->rows[i].status == status && strcmp(e->rows[i].name, name) == 0)
            e->rows[i].seen++;
}

bool cli_expected_complete(const cli_expected *e)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->rows[i].seen < e->rows[i].wanted)
            return false;
    return true;
}

int cli_expected_report(const cli_expected *e)
{
    int missing = 0;
    for (size_t i = 0; i < e->count; i++) {
        const struct cli_expectation *row = &e->rows[i];
        if (row->seen >= row->wanted)
            continue;
        fprintf(stderr, "missing: %s (%s), %ld of %ld arrived\n", row->name, inf_status_name(row->status), row->seen,
                row->wanted);
        missing++;
    }
    return missing;
}

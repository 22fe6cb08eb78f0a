/* The data directory for the commands: see data.h. */
#include "data.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "infinium.h"
#include "options.h"
#include "output.h"
#include "serve.h"

#define CATCH_UP_MS 10000
#define LEAST_DIGITS 4
#define LOOK_NS 20000000l /* for the address of a receiver that is starting */
#define LOOKS 250
#define RECEIVER_LOOKS_NS 300000000l /* a running receiver looks at agents and keys ten times a second */

int cli_state_dir(const char *given, const char *what, char out[CLI_PATH_SIZE])
{
    int length;
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (given && *given)
        length = snprintf(out, CLI_PATH_SIZE, "%s", given);
    else if (state && *state)
        length = snprintf(out, CLI_PATH_SIZE, "%s/infinium/%s", state, what);
    else if (home && *home)
        length = snprintf(out, CLI_PATH_SIZE, "%s/.local/state/infinium/%s", home, what);
    else
        return INF_ENOTFOUND;
    return length < 0 || length >= CLI_PATH_SIZE ? INF_E2BIG : 0;
}

int cli_store_error(inf_store *store, int error, const char *what)
{
    if (cli_printed() != 0)
        return CLI_FAILED;
    const char *message = store ? inf_store_message(store) : "";
    if (*message)
        return cli_error("%s: %s (%s)", what, inf_strerror(error), message);
    return cli_error("%s: %s", what, inf_strerror(error));
}

int cli_open_store(inf_store **out, const char *given, unsigned flags, bool catch_up, char dir[CLI_PATH_SIZE])
{
    *out = NULL;
    int error = cli_state_dir(given, "data", dir);
    if (error)
        return cli_error("no data directory: give one with --data DIR or INFINIUM_DATA");
    error = inf_store_open(out, dir, flags);
    if (error == INF_ENOTFOUND)
        return cli_error("there is no data in %s; `infinium serve --data %s` makes it", dir, dir);
    if (error)
        return cli_store_error(*out, error, dir);
    if (!catch_up)
        return -1;
    error = inf_store_catch_up(dir, CATCH_UP_MS);
    if (error)
        fprintf(stderr, "warning: the newest traces may be missing: %s\n", inf_strerror(error));
    return -1;
}

static int with_store(const char *given, unsigned flags, bool catch_up, cli_store_work work, void *context)
{
    inf_store *store;
    char dir[CLI_PATH_SIZE];
    int code = cli_open_store(&store, given, flags, catch_up, dir);
    if (code < 0)
        code = work(context, store, dir);
    inf_store_close(store);
    return code;
}

int cli_with_store(const char *given, unsigned flags, cli_store_work work, void *context)
{
    return with_store(given, flags, false, work, context);
}

int cli_with_store_caught_up(const char *given, unsigned flags, cli_store_work work, void *context)
{
    return with_store(given, flags, true, work, context);
}

typedef struct found {
    uint8_t id[16];
    int count;
} found;

static int note_found(void *context, const inf_summary *summary)
{
    found *f = context;
    if (f->count++ == 0)
        memcpy(f->id, summary->trace_id, 16);
    return 0;
}

/* The digits of an id or its beginning, dashes left out: their number, or -1 when there is anything else. */
static int digits_of(const char *text, char out[33])
{
    int count = 0;
    for (; *text; text++) {
        if (*text == '-')
            continue;
        if (!isxdigit((unsigned char)*text) || count == 32)
            return -1;
        out[count++] = *text;
    }
    out[count] = 0;
    return count;
}

static void fill_id(const char *digits, int count, char filler, uint8_t out[16])
{
    char full[33];
    memset(full, filler, 32);
    full[32] = 0;
    memcpy(full, digits, (size_t)count);
    if (inf_id_parse(full, 32, out) != 0) /* only "all zero" is left to fail */
        memset(out, 0, 16);
}

int cli_check_trace(const char *command, const char *text)
{
    char digits[33];
    if (digits_of(text, digits) >= LEAST_DIGITS)
        return -1;
    return cli_usage_error(command,
                           "'%s' is no trace id: 32 hexadecimal digits, a UUID, or at least the first %d digits", text,
                           LEAST_DIGITS);
}

int cli_find_trace(inf_store *store, const char *text, uint8_t out[16])
{
    char digits[33];
    int count = digits_of(text, digits);
    uint8_t low[16], high[16];
    fill_id(digits, count, '0', low);
    fill_id(digits, count, 'f', high);
    found f = {.count = 0};
    int error = inf_store_find(store, low, high, 2, note_found, &f);
    if (error)
        return cli_store_error(store, error, "looking for the trace");
    if (f.count == 0)
        return cli_error("there is no trace %s", text);
    if (f.count > 1)
        return cli_error("more than one trace begins with %s; give more digits", text);
    memcpy(out, f.id, 16);
    return -1;
}

bool cli_receiver_url(const char *dir, char *url, size_t size)
{
    for (int i = 0; i < LOOKS; i++) {
        if (inf_receiver_find(dir, url, size) != 1)
            return false;
        if (*url)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return false;
}

void cli_wait_for_receiver(const char *dir)
{
    if (inf_receiver_find(dir, NULL, 0) == 1)
        nanosleep(&(struct timespec){.tv_nsec = RECEIVER_LOOKS_NS}, NULL);
}

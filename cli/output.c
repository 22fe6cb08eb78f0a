/* Output for people: see output.h. */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "infinium.h"
#include "options.h"

static int output_errno; /* why standard output failed, the first time */

void cli_duration(uint64_t ns, char out[CLI_DURATION_SIZE])
{
    double seconds = (double)ns / 1e9;
    if (ns < 1000000)
        snprintf(out, CLI_DURATION_SIZE, "%.0f us", seconds * 1e6);
    else if (ns < 1000000000)
        snprintf(out, CLI_DURATION_SIZE, ns < 100000000 ? "%.1f ms" : "%.0f ms", seconds * 1e3);
    else if (seconds < 60)
        snprintf(out, CLI_DURATION_SIZE, "%.2f s", seconds);
    else if (seconds < 3600)
        snprintf(out, CLI_DURATION_SIZE, "%" PRIu64 " m %02" PRIu64 " s", ns / 1000000000 / 60, ns / 1000000000 % 60);
    else
        snprintf(out, CLI_DURATION_SIZE, "%" PRIu64 " h %02" PRIu64 " m", ns / 1000000000 / 3600,
                 ns / 1000000000 / 60 % 60);
}

void cli_time(uint64_t unix_ns, char out[CLI_TIME_SIZE])
{
    time_t seconds = (time_t)(unix_ns / 1000000000u);
    struct tm parts;
    if (!localtime_r(&seconds, &parts) || strftime(out, CLI_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(out, CLI_TIME_SIZE, "?");
}

bool cli_colour(FILE *file)
{
    const char *none = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    int saved = errno; /* isatty() sets it, and cli_printed() wants that of the printing */
    bool shown = isatty(fileno(file)) && !(none && *none) && !(terminal && strcmp(terminal, "dumb") == 0);
    errno = saved;
    return shown;
}

/* C0, DEL, C1 (two bytes in UTF-8) and bytes that are no UTF-8 do not reach a terminal. */
static bool is_control(const unsigned char *p, size_t length)
{
    return length == 0 || (length == 1 && (p[0] < 0x20 || p[0] == 0x7f)) ||
           (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

size_t cli_text(FILE *file, const char *text, size_t width, bool one_line)
{
    size_t left = strlen(text), written = 0;
    bool cut = width && inf_utf8_count(text, left) > width;
    while (left > 0) {
        if (cut && written + 1 == width) {
            fputs("\xe2\x80\xa6", file);
            return written + 1;
        }
        size_t length = inf_utf8_sequence(text, left);
        size_t step = length ? length : 1;
        if (*text == '\n' || *text == '\t')
            fputc(one_line ? ' ' : *text, file);
        else if (is_control((const unsigned char *)text, length))
            fputc('.', file);
        else
            fwrite(text, 1, step, file);
        text += step;
        left -= step;
        written++;
    }
    return written;
}

static void pad(int count)
{
    for (int i = 0; i < count; i++)
        putchar(' ');
}

void cli_cell(const cli_column *column, const char *text, const char *colour)
{
    size_t width = (size_t)column->width;
    size_t length = inf_utf8_count(text, strlen(text));
    int missing = width > length ? (int)(width - length) : 0;
    if (column->from_right)
        pad(missing);
    if (colour)
        fputs(colour, stdout);
    cli_text(stdout, text, width, true);
    if (colour)
        fputs(CLI_PLAIN, stdout);
    if (column->width == 0)
        return;
    if (!column->from_right)
        pad(missing);
    pad(2);
}

void cli_header(const cli_column *columns, size_t count)
{
    const char *dim = cli_colour(stdout) ? CLI_DIM : NULL;
    for (size_t i = 0; i < count; i++)
        cli_cell(&columns[i], columns[i].title, dim);
    putchar('\n');
}

int cli_printed(void)
{
    if (!ferror(stdout))
        return 0;
    if (!output_errno)
        output_errno = errno;
    return INF_EIO;
}

int cli_flush(void)
{
    fflush(stdout);
    return cli_printed();
}

int cli_output_end(int code)
{
    errno = 0;
    if (cli_flush() == 0)
        return code;
    if (output_errno != EPIPE)
        cli_error("cannot write to standard output: %s", output_errno ? strerror(output_errno) : "not all was written");
    return code == CLI_DONE ? CLI_FAILED : code;
}

bool cli_output_unread(void)
{
    if (cli_printed() == 0 || output_errno != EPIPE)
        return false;
    clearerr(stdout);
    return true;
}

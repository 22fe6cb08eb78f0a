/* See progress.h. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "output.h"

#define EVERY_NS 500000000u

cli_progress cli_progress_begin(const char *verb)
{
    uint64_t now = inf_mono_ns();
    return (cli_progress){.verb = verb, .terminal = isatty(STDERR_FILENO) == 1, .began_ns = now, .last_ns = now};
}

void cli_progress_show(cli_progress *p, uint64_t traces, size_t bytes)
{
    p->bytes += bytes;
    uint64_t now = inf_mono_ns();
    if (!p->terminal || now - p->last_ns < EVERY_NS)
        return;
    double seconds = (double)(now - p->began_ns) / 1e9;
    p->last_ns = now;
    p->shown = true;
    fprintf(stderr, "\r\033[K%s %" PRIu64 " trace%s, %.1f MB, %.0f a second", p->verb, traces, CLI_S(traces),
            (double)p->bytes / 1e6, (double)traces / seconds);
    fflush(stderr);
}

void cli_progress_end(cli_progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}

/* What every example program does around its work: open a client from the environment, close it. Needs
 * INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET and INFINIUM_BASE_URL (`infinium demo` sets them). */
#ifndef EXAMPLES_PROGRAM_H
#define EXAMPLES_PROGRAM_H

#include <infinium.h>
#include <stdio.h>

static inline inf_client *program_open(const char *name)
{
    inf_client *client;
    int error = inf_open(&client, NULL);
    if (error)
        fprintf(stderr, "%s: %s (INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET)\n", name, inf_strerror(error));
    return error ? NULL : client;
}

/* The exit code. */
static inline int program_close(const char *name, inf_client *client, int failed)
{
    int error = inf_close(client, 10000);
    if (error)
        fprintf(stderr, "%s: %s; what is left stays in the journal\n", name, inf_strerror(error));
    return failed != 0;
}

#endif

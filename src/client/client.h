/* The client behind the public handle. Private to this room. */
#ifndef INF_CLIENT_CLIENT_H
#define INF_CLIENT_CLIENT_H

#include "infinium.h"
#include "send/sender.h"

struct inf_client {
    inf_route route;
    bool mask_secrets;
};

/* Where the journals of `agent_id` are: malloc'ed path, or NULL (*error says INF_ENOMEM or INF_ENOTFOUND: no home).
 * `configured` is the caller's directory or NULL for the environment's. */
char *inf_journal_directory(const char *configured, const char *agent_id, int *error);

/* True when the environment or the option says that no files are to be kept. */
bool inf_journal_in_memory(int option);

#endif

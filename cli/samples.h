/* A few traces made through libinfinium, for a demo without a program of one's own. */
#ifndef INF_CLI_SAMPLES_H
#define INF_CLI_SAMPLES_H

#include "expected.h"

/* Sends them and adds what they are to `expected`. 0, or a negative INF_E... */
int cli_send_samples(const char *agent_id, const char *secret, const char *base_url, const char *journal_dir,
                     cli_expected *expected);

#endif

/* How `infinium serve` logs: one line a record on standard error, as text for people or as JSON for collectors. What is
 * logged by the rooms (base/log.h) and what a request was, if requests are logged. No secret and nothing of a trace
 * goes in. */
#ifndef INF_LOGGING_H
#define INF_LOGGING_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

/* Takes over the process's log. May be called again, from any thread, when the settings have changed. */
void inf_logging_set(const inf_serve_options *options);

#endif

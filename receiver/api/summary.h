/* A trace's summary as JSON, the same for the API, the events and the command line (docs/wire.md, "Reading"). */
#ifndef INF_API_SUMMARY_H
#define INF_API_SUMMARY_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "store/store.h"

/* "running", "ok", "error", "interrupted". */
const char *inf_status_name(uint8_t status);
/* The enum inf_status of a name, or -1. */
int inf_status_parse(const char *name);

/* Writes the summary as one object. */
void inf_summary_write(inf_json_writer *writer, const inf_summary *summary);

/* Writes the summary's members, and received_at, into an object that is open. */
void inf_summary_members(inf_json_writer *writer, const inf_summary *summary);

/* Writes the whole trace as one object: the summary's members, received_at, and every other member of the body;
 * `scores` is always there.
 * `parser` is used for the body. 0, or a negative error when the body does not parse. */
int inf_whole_trace_write(inf_json_writer *writer, const inf_summary *summary, const char *body, size_t body_length,
                          inf_json *parser);

/* What the receiver knows of a trace besides: writes the members "scores", "call_costs" and "judgement", and the body's own scores,
 * which are in the former, are left out. `pricer` may be NULL: no costs. */
struct inf_pricer;
int inf_known_trace_write(inf_json_writer *writer, inf_store *store, struct inf_pricer *pricer,
                          const inf_summary *summary, const char *body, size_t body_length, inf_json *parser);

#endif

/* Scores of one trace, from wherever they came, as one list. */
#ifndef INF_API_SCORES_H
#define INF_API_SCORES_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "store/scores.h"

/* Writes an array of {"name", "value", "comment"|null, "source", "created_at"}, in the order in which the names first
 * came. source: "trace" (in the body, `root`; may be NULL), "agent" (sent apart with the agent's key), "admin". Of two
 * with one name the later counts. 0, or a negative error of the store. */
int inf_scores_write(inf_json_writer *writer, inf_store *store, const inf_summary *trace, const inf_json_value *root);

#endif

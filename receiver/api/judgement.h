/* What a model thought of a trace, for those who read it. */
#ifndef INF_API_JUDGEMENT_H
#define INF_API_JUDGEMENT_H

#include "base/json_write.h"
#include "store/judgements.h"

/* Writes the judgement of this form of the trace: {"state": "waiting"|"judged"|"failed", ...}, or null when there is
 * none. 0, or a negative error of the store. The texts of `trace` may lie in the handle: they are gone afterwards. */
int inf_judgement_write(inf_json_writer *writer, inf_store *store, const inf_summary *trace);

#endif

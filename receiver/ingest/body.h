/* From a trace's JSON to its summary: the one parse of an accepted body. Knows the published fields and the batch
 * wire's extra members (docs/wire.md); everything else is left as it is, for the body is kept verbatim. */
#ifndef INF_INGEST_BODY_H
#define INF_INGEST_BODY_H

#include "base/buf.h"
#include "base/json_read.h"
#include "cost/book.h"
#include "store/store.h"

#define INF_BODY_MAX (1024 * 1024 + 64 * 1024) /* bytes of one trace */

/* What reading needs, reused from body to body; one thread at a time. */
typedef struct inf_body_reader {
    inf_json *body;
    inf_json *extra;
    inf_buf merged; /* the body with the extra members in it */
    inf_buf tags;
    inf_pricer pricer; /* its book is set after the init; without one no trace has a cost */
    char *texts;       /* what the summary points into */
    size_t texts_used;
} inf_body_reader;

int inf_body_reader_init(inf_body_reader *reader);
void inf_body_reader_free(inf_body_reader *reader);

typedef struct inf_body_source {
    const char *text; /* INF_JSON_PADDING readable bytes past it */
    size_t length;
    const char *extra; /* header Infinium-Extra, or NULL */
    const char *key;   /* header Idempotency-Key, or NULL */
    const uint8_t *agent_id;
    uint64_t received_ns;
    bool id_required; /* batch wire */
} inf_body_source;

/* Fills the summary and body of `out`, which point into the source and the reader until its next use. 0, or the HTTP
 * status to refuse it with (400, 413, 422) and why, static text, in *reason. */
int inf_body_read(inf_body_reader *reader, const inf_body_source *source, inf_store_put *out, const char **reason);

#endif

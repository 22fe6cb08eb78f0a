/* What the two wires share. Private to receiver/ingest/. */
#ifndef INF_INGEST_UNPACK_H
#define INF_INGEST_UNPACK_H

#include "http/request.h"

/* Makes the request's body plain text of at most `limit` bytes, followed by INF_JSON_PADDING readable ones. False when
 * it refused the request. */
bool inf_ingest_unpack(inf_request *request, size_t limit);

/* Refuses because inf_intake_append() gave `rc`. */
void inf_ingest_refuse_append(inf_request *request, int rc);

#endif

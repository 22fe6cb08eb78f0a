/* What the handlers of the reading API share. Private to receiver/api/. */
#ifndef INF_API_API_H
#define INF_API_API_H

#include "http/request.h"

/* 500, with the store's own words. */
void inf_api_store_failed(inf_request *request, const inf_worker *worker, int rc);

/* Query arguments; false when one is wrong and 400 stands. An absent one leaves its default: ns as it is, 50 rows. */
bool inf_api_time(inf_request *request, const char *name, uint64_t *ns);
bool inf_api_limit(inf_request *request, int *limit);

#endif

/* What the handlers of the reading API share. Private to receiver/api/. */
#ifndef INF_API_API_H
#define INF_API_API_H

#include "base/json_write.h"
#include "http/request.h"

/* 500, with the store's own words. */
void inf_api_store_failed(inf_request *request, const inf_worker *worker, int rc);

/* A member with an RFC 3339 time; null for 0. */
void inf_api_put_time(inf_json_writer *writer, const char *key, uint64_t ns);

/* 201 with an id and what is shown this once; the running receiver knows it from now on. */
void inf_api_created(inf_request *request, const char *id_key, const char *id, const char *secret_key,
                     const char *secret);

/* {"<name>": [ at the front of the answer, once what was acknowledged before is in the store (or a second is over). */
inf_json_writer inf_api_page_begin(inf_request *request, const char *name);

/* The end of such a page: where the next one begins ("" for nowhere), or, when `rc` is negative, why there is none. Of
 * pages that may be short and yet not the last, `looked_back`, it says how far back the next one begins. */
void inf_api_page_end(inf_request *request, const inf_worker *worker, inf_json_writer *writer, const char *next,
                      bool looked_back, int rc);

#endif

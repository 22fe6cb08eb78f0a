/* Which resource a path names, and what may be done with it. Private to receiver/http/. */
#ifndef INF_HTTP_ROUTE_H
#define INF_HTTP_ROUTE_H

#include "http/request.h"

/* Sets route, def and what the path holds; refuses (404, 405) what there is not. `method` may be HEAD, which is GET
 * without a body. */
void inf_route_find(inf_request *request, const char *url, const char *method);

/* Calls the route's handler, here or on a worker's thread; the body is complete and nothing refused. May suspend. */
void inf_route_run(inf_request *request);

/* THREAD STREAM: suspends, calls the handler with the part of the body that is there, and goes on with the body. */
void inf_route_run_part(inf_request *request);

#endif

/* GET openapi.json: the description of this API, docs/openapi.json, out of the binary. */
#include <string.h>

#include "http/request.h"
#include "openapi.inc"

void inf_api_openapi(inf_request *r, inf_worker *worker)
{
    (void)worker;
    const char *known = inf_request_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool same = known && strstr(known, openapi_etag);
    r->response = MHD_create_response_from_buffer(same ? 0 : sizeof openapi, (void *)openapi, MHD_RESPMEM_PERSISTENT);
    if (!r->response) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    r->status = same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_ETAG, openapi_etag);
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
}

/* The page's files, out of the binary. */
#include <string.h>

#include "http/page.h"
#include "http/request.h"

#ifndef INF_HAVE_PAGE
static const unsigned char plain[] =
    "<!doctype html><html lang=\"en\"><title>Infinium</title><h1>Infinium receiver</h1>"
    "<p>This receiver was built without its page. Build it with npm installed and <code>-DINF_PAGE=ON</code>; the API "
    "is at "
    "<code>/api/v1</code>, and <code>infinium ls</code> shows the traces.</html>\n";
const inf_page_file inf_page_files[] = {
    {"/", "text/html; charset=utf-8", plain, sizeof plain - 1, "\"plain\"", NULL, 0},
};
const size_t inf_page_count = 1;
#endif

/* Addresses of the page's views (ui/src/route.ts): one document, which reads its state out of the address. */
static bool is_view(const char *url)
{
    static const char *const views[] = {"/traces", "/overview", "/agents", "/prompts"};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (strcmp(url, views[i]) == 0)
            return true;
    return strncmp(url, "/traces/", 8) == 0;
}

static const inf_page_file *find(const char *url)
{
    const char *path = is_view(url) ? "/" : url;
    for (size_t i = 0; i < inf_page_count; i++)
        if (strcmp(inf_page_files[i].path, path) == 0)
            return &inf_page_files[i];
    return NULL;
}

bool inf_files_have(const char *url)
{
    return find(url) != NULL;
}

static bool takes_gzip(const inf_request *r)
{
    const char *accepted = inf_request_header(r, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    return accepted && strstr(accepted, "gzip");
}

void inf_files_serve(inf_request *r, inf_worker *worker)
{
    (void)worker;
    const inf_page_file *file = find(r->url);
    if (!file) {
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
        return;
    }
    const char *known = inf_request_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool same = known && strstr(known, file->etag);
    bool gzip = file->gzip && takes_gzip(r);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(same   ? 0
                                        : gzip ? file->gzip_length
                                               : file->length,
                                        (void *)(gzip ? file->gzip : file->bytes), MHD_RESPMEM_PERSISTENT);
    if (!response) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return;
    }
    bool asset = strncmp(file->path, "/assets/", 8) == 0;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, file->etag);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                            asset ? "public, max-age=31536000, immutable" : "no-cache");
    MHD_add_response_header(response, "Content-Security-Policy", INF_PAGE_CSP);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    if (gzip && !same)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    r->status = same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    r->response = response;
}

/* See headers.h. */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "http/headers.h"

static const char *const once[] = {
    MHD_HTTP_HEADER_CONTENT_LENGTH,
    MHD_HTTP_HEADER_TRANSFER_ENCODING,
    MHD_HTTP_HEADER_HOST,
    MHD_HTTP_HEADER_AUTHORIZATION,
    MHD_HTTP_HEADER_CONTENT_ENCODING,
    "x-agent-id",
    "x-agent-key",
    "x-prompt-id",
    "x-prompt-key",
    "x-csrf-token",
    "idempotency-key",
};
enum { LENGTH, TRANSFER, ONCE_COUNT = sizeof once / sizeof once[0] };

struct seen {
    unsigned which; /* a bit for each of once */
    const char *doubt;
};

static enum MHD_Result look(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct seen *seen = context;
    (void)kind;
    if (strpbrk(name, " \t")) {
        seen->doubt = "a header's name holds a blank";
        return MHD_NO;
    }
    for (unsigned i = 0; i < ONCE_COUNT; i++) {
        if (strcasecmp(name, once[i]) != 0)
            continue;
        if (seen->which & 1u << i)
            seen->doubt = "a header that may be there once is there twice";
        else if (i == TRANSFER && (!value || strcasecmp(value, "chunked") != 0))
            seen->doubt = "the only Transfer-Encoding that is understood is chunked";
        seen->which |= 1u << i;
        break;
    }
    return seen->doubt ? MHD_NO : MHD_YES;
}

const char *inf_headers_doubt(struct MHD_Connection *connection)
{
    struct seen seen = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &seen);
    bool both = seen.which & 1u << LENGTH && seen.which & 1u << TRANSFER;
    return !seen.doubt && both ? "the request has both Content-Length and Transfer-Encoding" : seen.doubt;
}

static bool is_whole_url(const char *target)
{
    return strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0;
}

const char *inf_headers_path(const char *target)
{
    if (!is_whole_url(target))
        return target;
    const char *path = strchr(target + 8, '/');
    return path ? path : "/";
}

size_t inf_headers_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    if ((*text == '/' || is_whole_url(text)) && strstr(text, "%00"))
        return strlen(text);
    return MHD_http_unescape(text);
}

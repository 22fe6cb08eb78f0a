/* See api.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "infinium.h"

void inf_api_store_failed(inf_request *r, const inf_worker *worker, int rc)
{
    inf_request_refusef(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "the store cannot be used: %s (%s)", inf_strerror(rc),
                        inf_store_message(worker->store));
}

bool inf_api_time(inf_request *r, const char *name, uint64_t *ns)
{
    const char *text = inf_request_argument(r, name);
    if (!text || !*text)
        return true;
    if (inf_rfc3339_parse(text, strlen(text), ns) == 0) {
        *ns = *ns ? *ns : 1;
        return true;
    }
    inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "%s is not an RFC 3339 time", name);
    return false;
}

bool inf_api_limit(inf_request *r, int *limit)
{
    const char *text = inf_request_argument(r, "limit");
    *limit = 50;
    if (!text || !*text)
        return true;
    char *end;
    long value = strtol(text, &end, 10);
    *limit = (int)value;
    if (isdigit((unsigned char)*text) && !*end && value >= 1 && value <= 500)
        return true;
    inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "limit is not a number from 1 to 500");
    return false;
}

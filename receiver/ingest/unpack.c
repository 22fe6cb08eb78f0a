/* Content-Encoding. The limit bounds the text while it is being made, whatever the compressed bytes claim. */
#include <string.h>
#include <strings.h>

#include <zstd.h>

#include "ingest/unpack.h"

enum { STEP = 64 * 1024, WINDOW_LOG_MAX = 23 };

/* One or more frames, to the end. 0, or the HTTP status to refuse with. */
static int decompress(ZSTD_DStream *stream, const inf_buf *packed, inf_buf *out, size_t limit)
{
    ZSTD_inBuffer in = {packed->data, packed->length, 0};
    size_t left = 1;
    while (in.pos < in.size || left > 0) {
        if (inf_buf_reserve(out, STEP))
            return MHD_HTTP_SERVICE_UNAVAILABLE;
        ZSTD_outBuffer to = {out->data + out->length, STEP, 0};
        size_t before = in.pos;
        left = ZSTD_decompressStream(stream, &to, &in);
        if (ZSTD_isError(left))
            return MHD_HTTP_BAD_REQUEST;
        out->length += to.pos;
        if (out->length > limit)
            return MHD_HTTP_CONTENT_TOO_LARGE;
        if (left > 0 && to.pos == 0 && in.pos == before)
            return MHD_HTTP_BAD_REQUEST; /* cut off */
        if (left == 0 && in.pos == in.size)
            break;
    }
    return 0;
}

/* What the first frame says of its own size, if it does: a bomb that admits to be one costs nothing. */
static bool says_too_large(const inf_buf *packed, size_t limit)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed->data, packed->length);
    return size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR && size > limit;
}

static void unpack(inf_request *r, size_t limit)
{
    inf_buf plain;
    inf_buf_init(&plain, INF_REQUEST_BODY_MAX);
    ZSTD_DStream *stream = ZSTD_createDStream();
    int status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (says_too_large(&r->body, limit))
        status = MHD_HTTP_CONTENT_TOO_LARGE;
    else if (stream && !ZSTD_isError(ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
        status = decompress(stream, &r->body, &plain, limit);
    ZSTD_freeDStream(stream);
    if (status == 0 && inf_buf_reserve(&plain, INF_JSON_PADDING))
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (status != 0) {
        inf_buf_free(&plain);
        if (status == MHD_HTTP_BAD_REQUEST)
            inf_request_refuse(r, (unsigned)status, "the body is not valid zstd");
        else if (status == MHD_HTTP_CONTENT_TOO_LARGE)
            inf_request_refusef(r, (unsigned)status, "the decompressed body is larger than %zu bytes", limit);
        else
            inf_request_refuse(r, (unsigned)status, "out of memory");
        return;
    }
    inf_buf_free(&r->body);
    r->body = plain;
}

bool inf_ingest_unpack(inf_request *r, size_t limit)
{
    const char *coding = inf_request_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (r->body.length == 0)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body is empty");
    else if (coding && strcasecmp(coding, "zstd") == 0)
        unpack(r, limit);
    return !r->refused;
}

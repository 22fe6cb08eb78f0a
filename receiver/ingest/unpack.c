/* Content-Encoding. The limit bounds the text while it is being made, whatever the compressed bytes claim. */
#include <string.h>
#include <strings.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "ingest/unpack.h"

/* What the text may take: what the only frame says of itself, else the limit. */
static size_t room_for(const inf_buf *packed, size_t limit)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed->data, packed->length);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        ZSTD_findFrameCompressedSize(packed->data, packed->length) != packed->length)
        return limit;
    return size > limit ? SIZE_MAX : (size_t)size; /* a bomb that admits to be one costs nothing */
}

/* All at once, into memory that is large enough for what is allowed: a stream would need its window besides. One or
 * more frames, to the end. 0, or the HTTP status to refuse with. */
static int decompress(inf_request *r, inf_buf *out, size_t limit)
{
    size_t room = room_for(&r->body, limit);
    if (room == SIZE_MAX)
        return MHD_HTTP_CONTENT_TOO_LARGE;
    ZSTD_DCtx *context = ZSTD_createDCtx();
    int status = 0;
    if (!context || !inf_request_reserve(r, room) || inf_buf_reserve(out, room + INF_JSON_PADDING))
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
    size_t n = status == 0 ? ZSTD_decompressDCtx(context, out->data, room, r->body.data, r->body.length) : 0;
    if (ZSTD_isError(n))
        status =
            ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST;
    else
        out->length = n;
    ZSTD_freeDCtx(context);
    return status;
}

static void unpack(inf_request *r, size_t limit)
{
    inf_buf plain;
    inf_buf_init(&plain, INF_REQUEST_BODY_MAX);
    int status = decompress(r, &plain, limit);
    if (status != 0) {
        inf_buf_free(&plain);
        if (status == MHD_HTTP_BAD_REQUEST)
            inf_request_refuse(r, (unsigned)status, "the body is not valid zstd");
        else if (status == MHD_HTTP_CONTENT_TOO_LARGE)
            inf_request_refusef(r, (unsigned)status, "the decompressed body is larger than %zu bytes", limit);
        else
            inf_request_refuse(r, (unsigned)status, "out of memory, or too many bodies are being received");
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

/* See body.h. gzip and deflate by zlib, zstd by zstd; brotli's library is loaded if it is there, as only a libcurl that
 * has it asks for that coding. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "base/os.h"
#include "watch/body.h"

#define PIECE 16384

enum inf_coding inf_coding_of(const char *value, size_t length)
{
    static const struct {
        const char *name;
        enum inf_coding coding;
    } names[] = {
        {"identity", INF_CODING_NONE}, {"gzip", INF_CODING_GZIP}, {"x-gzip", INF_CODING_GZIP},
        {"deflate", INF_CODING_GZIP},  {"zstd", INF_CODING_ZSTD}, {"br", INF_CODING_BROTLI},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i].name) == length && strncasecmp(names[i].name, value, length) == 0)
            return names[i].coding;
    return INF_CODING_OTHER;
}

/* `window`: 47 for gzip and zlib by their headers, -15 for deflate without one. */
static bool inflate_all(int window, const void *data, size_t length, inf_body_sink sink, void *context)
{
    z_stream z = {0};
    unsigned char piece[PIECE];
    size_t made = 0;
    if (inflateInit2(&z, window) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)length;
    int result = Z_OK;
    while (result == Z_OK && made < INF_BODY_MAX_UNPACKED) {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        result = inflate(&z, Z_NO_FLUSH);
        size_t n = sizeof(piece) - z.avail_out;
        if (n > 0)
            sink(context, piece, n);
        made += n;
    }
    inflateEnd(&z);
    return made > 0;
}

static bool unpack_zstd(const void *data, size_t length, inf_body_sink sink, void *context)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    char piece[PIECE];
    size_t made = 0;
    ZSTD_inBuffer in = {data, length, 0};
    if (!z)
        return false;
    while (made < INF_BODY_MAX_UNPACKED) {
        ZSTD_outBuffer out = {piece, sizeof(piece), 0};
        size_t result = ZSTD_decompressStream(z, &out, &in);
        if (ZSTD_isError(result) || out.pos == 0)
            break;
        sink(context, piece, out.pos);
        made += out.pos;
    }
    ZSTD_freeDCtx(z);
    return made > 0;
}

/* int BrotliDecoderDecompress(size_t, const uint8_t *, size_t *, uint8_t *): 1 is success. */
typedef int brotli_function(size_t, const uint8_t *, size_t *, uint8_t *);

static brotli_function *brotli;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_brotli(void)
{
    void *library = dlopen("libbrotlidec.so.1", RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, "BrotliDecoderDecompress") : NULL;
    memcpy(&brotli, &symbol, sizeof(brotli)); /* ISO C has no conversion from object to function pointers */
}

static bool unpack_brotli(const void *data, size_t length, inf_body_sink sink, void *context)
{
    pthread_once(&once, load_brotli);
    size_t made = INF_BODY_MAX;
    uint8_t *out = brotli ? inf_os.malloc(made) : NULL;
    bool good = out && brotli(length, data, &made, out) == 1;
    if (good)
        sink(context, out, made);
    inf_os.free(out);
    return good;
}

bool inf_body_unpack(enum inf_coding coding, const void *data, size_t length, inf_body_sink sink, void *context)
{
    switch (coding) {
    case INF_CODING_GZIP:
        return inflate_all(47, data, length, sink, context) || inflate_all(-15, data, length, sink, context);
    case INF_CODING_ZSTD:
        return unpack_zstd(data, length, sink, context);
    case INF_CODING_BROTLI:
        return unpack_brotli(data, length, sink, context);
    default:
        return false;
    }
}

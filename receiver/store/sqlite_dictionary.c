/* See dictionary.h. Training is done by who keeps house, off the way of what is written: bodies are sampled evenly from
 * the newest part of the store, every eighth is kept apart, and the dictionary is taken only if it shortens those. */
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* a prepared dictionary's parameters */
#include <zdict.h>
#include <zstd.h>

#include "base/clock.h"
#include "store/dictionary.h"
#include "store/sqlite.h"

enum { COMPRESS_FROM = 64, COMPRESS_FROM_BARE = 512, LEVEL = 1, KNOWN = 8 };
enum { DICTIONARY_SIZE = 32 * 1024, DICTIONARY_MAX = 1024 * 1024 };
enum { SAMPLES = 2000, SAMPLE_MAX = 16 * 1024, SAMPLED_ROWS = 200000, KEPT_APART = 8 };
/* Not again before so many further traces and so much time, and only for a gain of one part in GAIN. */
enum { AGAIN_ROWS = 1000000, GAIN = 20 };
#define AGAIN_NS (7 * 86400000000000ull)

/* With a dictionary a match is sought at every fourth place, in a table twice as large: a quarter less time for bodies
 * a twentieth longer. Made for bodies of BODY_USUAL bytes. */
enum { STRIDE = 4, TABLE_LOG = 14, BODY_USUAL = 4096 };
enum { LITERALS_PACKED = 1 }; /* the name in zstd.h differs by version */

struct known {
    int64_t id;
    ZSTD_DDict *dictionary;
};

struct inf_codec {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    ZSTD_CDict *dictionary; /* the newest; NULL: none */
    int64_t id;
    struct known known[KNOWN]; /* for reading */
    int oldest;
    void *scratch;
    size_t scratch_size;
};

static ZSTD_CCtx *new_compressor(void)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    if (!c)
        return NULL;
    /* The row says the length and the dictionary. */
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 0);
    /* A stride would leave literals as they are, and they are most of a text. */
    ZSTD_CCtx_setParameter(c, ZSTD_c_literalCompressionMode, LITERALS_PACKED);
    return c;
}

static ZSTD_CDict *prepare(const void *dictionary, size_t length)
{
    ZSTD_compressionParameters p = ZSTD_getCParams(LEVEL, BODY_USUAL, length);
    p.targetLength = STRIDE;
    p.hashLog = TABLE_LOG;
    return ZSTD_createCDict_advanced(dictionary, length, ZSTD_dlm_byCopy, ZSTD_dct_auto, p, ZSTD_defaultCMem);
}

int inf_codec_new(inf_codec **out)
{
    inf_codec *c = *out = calloc(1, sizeof *c);
    if (!c)
        return INF_ENOMEM;
    c->compressor = new_compressor();
    c->decompressor = ZSTD_createDCtx();
    return c->compressor && c->decompressor ? 0 : INF_ENOMEM;
}

void inf_codec_free(inf_codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->compressor);
    ZSTD_freeDCtx(c->decompressor);
    ZSTD_freeCDict(c->dictionary);
    for (int i = 0; i < KNOWN; i++)
        ZSTD_freeDDict(c->known[i].dictionary);
    free(c->scratch);
    free(c);
}

/* ---- dictionaries in the store ---- */

/* The bytes of dictionary `id` in a statement that the caller finalizes. INF_EBADMSG: there is none. */
static int open_dictionary(inf_store *store, int64_t id, sqlite3_stmt **s, const void **bytes, size_t *length)
{
    int rc = inf_sqlite_prepare(store, s, "SELECT body FROM dictionaries WHERE id = ?1");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(*s, 1, id);
    int step = sqlite3_step(*s);
    if (step != SQLITE_ROW)
        return step == SQLITE_DONE ? INF_EBADMSG : inf_sqlite_error(store, step);
    *bytes = sqlite3_column_blob(*s, 0);
    *length = (size_t)sqlite3_column_bytes(*s, 0);
    return *bytes && *length <= DICTIONARY_MAX ? 0 : INF_EBADMSG;
}

static int newest(inf_store *store, int64_t *id, uint64_t *created_ns, uint64_t *sequence)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_DICTIONARY_NEWEST);
    if (!s)
        return INF_EIO;
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
    *id = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *created_ns = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 1) : 0;
    *sequence = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 2) : 0;
    sqlite3_reset(s);
    return rc;
}

int inf_codec_refresh(inf_store *store)
{
    inf_codec *c = store->codec;
    int64_t id;
    uint64_t created_ns, sequence;
    int rc = newest(store, &id, &created_ns, &sequence);
    if (rc < 0 || id == c->id)
        return rc;
    sqlite3_stmt *s;
    const void *bytes;
    size_t length;
    rc = open_dictionary(store, id, &s, &bytes, &length);
    ZSTD_CDict *fresh = rc == 0 ? prepare(bytes, length) : NULL;
    sqlite3_finalize(s);
    if (rc == 0 && !fresh)
        rc = INF_ENOMEM;
    if (rc < 0)
        return rc;
    ZSTD_CCtx_refCDict(c->compressor, fresh);
    ZSTD_freeCDict(c->dictionary);
    c->dictionary = fresh;
    c->id = id;
    return 0;
}

/* For reading, from the few that were used last. */
static int find(inf_store *store, int64_t id, const ZSTD_DDict **out)
{
    inf_codec *c = store->codec;
    for (int i = 0; i < KNOWN; i++) {
        if (c->known[i].dictionary && c->known[i].id == id) {
            *out = c->known[i].dictionary;
            return 0;
        }
    }
    sqlite3_stmt *s;
    const void *bytes;
    size_t length;
    int rc = open_dictionary(store, id, &s, &bytes, &length);
    ZSTD_DDict *fresh = rc == 0 ? ZSTD_createDDict(bytes, length) : NULL;
    sqlite3_finalize(s);
    if (rc == 0 && !fresh)
        rc = INF_ENOMEM;
    if (rc < 0)
        return rc;
    struct known *k = &c->known[c->oldest];
    c->oldest = (c->oldest + 1) % KNOWN;
    ZSTD_freeDDict(k->dictionary);
    *k = (struct known){id, fresh};
    *out = fresh;
    return 0;
}

/* ---- bodies ---- */

int inf_codec_encode(inf_store *store, const void *body, size_t size, const void **bytes, size_t *length)
{
    inf_codec *c = store->codec;
    *bytes = body;
    *length = size;
    if (size < (c->dictionary ? COMPRESS_FROM : COMPRESS_FROM_BARE))
        return INF_ENCODING_PLAIN;
    size_t bound = ZSTD_compressBound(size);
    if (bound > c->scratch_size) {
        void *grown = realloc(c->scratch, bound);
        if (!grown)
            return INF_ENCODING_PLAIN;
        c->scratch = grown;
        c->scratch_size = bound;
    }
    size_t n = ZSTD_compress2(c->compressor, c->scratch, c->scratch_size, body, size);
    if (ZSTD_isError(n) || n > size / 10 * 9)
        return INF_ENCODING_PLAIN;
    *bytes = c->scratch;
    *length = n;
    return INF_ENCODING_ZSTD + (int)c->id;
}

int inf_codec_decode(inf_store *store, int encoding, const void *bytes, size_t length, void *out, size_t size)
{
    inf_codec *c = store->codec;
    if (encoding == INF_ENCODING_PLAIN) {
        if (length != size)
            return INF_EBADMSG;
        if (size > 0)
            memcpy(out, bytes, size);
        return 0;
    }
    const ZSTD_DDict *dictionary = NULL;
    int rc = encoding < 0 ? INF_EBADMSG : encoding > INF_ENCODING_ZSTD ? find(store, encoding - 1, &dictionary) : 0;
    if (rc < 0)
        return rc;
    size_t n = ZSTD_decompress_usingDDict(c->decompressor, out, size, bytes, length, dictionary);
    return n == size ? 0 : INF_EBADMSG;
}

/* ---- training ---- */

struct samples {
    uint8_t *bytes;
    size_t used;
    size_t sizes[SAMPLES];
    unsigned count;
};

static int sequence_from(inf_store *store, sqlite3_stmt *s, uint64_t from, uint64_t *out)
{
    sqlite3_bind_int64(s, 1, (sqlite3_int64)from);
    int step = sqlite3_step(s);
    *out = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
}

static int collect(inf_store *store, uint64_t newest_row, struct samples *out)
{
    uint64_t first = newest_row > SAMPLED_ROWS ? newest_row - SAMPLED_ROWS : 1;
    uint64_t stride = (newest_row - first) / SAMPLES + 1;
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s, "SELECT seq FROM bodies WHERE seq >= ?1 ORDER BY seq LIMIT 1");
    uint64_t at = first;
    while (rc == 0 && out->count < SAMPLES && at <= newest_row) {
        uint64_t sequence;
        char *body = NULL;
        size_t length = 0;
        rc = sequence_from(store, s, at, &sequence);
        if (rc < 0 || sequence == 0)
            break;
        rc = inf_sqlite_body_get(store, sequence, &body, &length);
        if (rc == 0 && length > 0) {
            size_t n = length < SAMPLE_MAX ? length : SAMPLE_MAX;
            memcpy(out->bytes + out->used, body, n);
            out->used += n;
            out->sizes[out->count++] = n;
        }
        free(body);
        if (rc == INF_EBADMSG)
            rc = 0; /* gone meanwhile */
        at = sequence + stride;
    }
    sqlite3_finalize(s);
    return rc;
}

/* What the samples from `first` on take up, together, with the dictionary; 0: unknown. */
static size_t compressed(const struct samples *all, unsigned first, const void *dictionary, size_t length)
{
    static const size_t room = SAMPLE_MAX * 2;
    ZSTD_CCtx *compressor = new_compressor();
    ZSTD_CDict *prepared = dictionary ? prepare(dictionary, length) : NULL;
    if (compressor && prepared)
        ZSTD_CCtx_refCDict(compressor, prepared);
    uint8_t *out = malloc(room);
    const uint8_t *at = all->bytes;
    size_t total = 0;
    for (unsigned i = 0; i < all->count; at += all->sizes[i++]) {
        if (i < first || !out || !compressor || (dictionary && !prepared))
            continue;
        size_t n = ZSTD_compress2(compressor, out, room, at, all->sizes[i]);
        total += ZSTD_isError(n) ? all->sizes[i] : n;
    }
    free(out);
    ZSTD_freeCCtx(compressor);
    ZSTD_freeCDict(prepared);
    return total;
}

static int keep(inf_store *store, const void *bytes, size_t length, uint64_t sequence)
{
    sqlite3_stmt *s;
    int rc = inf_sqlite_prepare(store, &s,
                                "INSERT INTO dictionaries(id, created_ns, sequence, body) "
                                "VALUES((SELECT coalesce(max(id), 0) + 1 FROM dictionaries), ?1, ?2, ?3)");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)inf_unix_ns());
    sqlite3_bind_int64(s, 2, (sqlite3_int64)sequence);
    sqlite3_bind_blob64(s, 3, bytes, length, SQLITE_STATIC);
    rc = inf_sqlite_finish(store, s);
    sqlite3_finalize(s);
    return rc;
}

/* 1: a dictionary was made that beats the one there is. */
static int train(inf_store *store, struct samples *all, int64_t id, uint64_t sequence)
{
    uint8_t *fresh = malloc(DICTIONARY_SIZE);
    if (!fresh)
        return INF_ENOMEM;
    unsigned taught = all->count - all->count / KEPT_APART;
    size_t n = ZDICT_trainFromBuffer(fresh, DICTIONARY_SIZE, all->bytes, all->sizes, taught);
    int rc = 0;
    if (!ZDICT_isError(n)) {
        sqlite3_stmt *s = NULL;
        const void *old = NULL;
        size_t old_length = 0;
        if (id > 0)
            rc = open_dictionary(store, id, &s, &old, &old_length);
        size_t before = rc == 0 ? compressed(all, taught, old, old_length) : 0;
        sqlite3_finalize(s);
        size_t after = compressed(all, taught, fresh, n);
        if (rc == 0 && after > 0 && after < before - before / GAIN)
            rc = keep(store, fresh, n, sequence) < 0 ? INF_EIO : 1;
    }
    free(fresh);
    return rc;
}

int inf_store_train(inf_store *store)
{
    int64_t id;
    uint64_t created_ns, at, sequence = 0;
    int rc = newest(store, &id, &created_ns, &at);
    if (rc == 0)
        rc = inf_store_sequence(store, &sequence);
    bool due = id > 0 ? sequence - at >= AGAIN_ROWS && inf_unix_ns() - created_ns >= AGAIN_NS : sequence >= SAMPLES;
    if (rc < 0 || !due || store->trained_at == sequence)
        return rc;
    if (store->trained_at && sequence - store->trained_at < AGAIN_ROWS / 10)
        return 0; /* it was tried, and there was nothing to gain */
    struct samples *all = calloc(1, sizeof *all);
    if (all)
        all->bytes = malloc((size_t)SAMPLES * SAMPLE_MAX);
    rc = all && all->bytes ? collect(store, sequence, all) : INF_ENOMEM;
    if (rc == 0 && all->count >= SAMPLES / 4) {
        rc = train(store, all, id, sequence);
        if (rc == 0)
            store->trained_at = sequence;
    }
    if (all)
        free(all->bytes);
    free(all);
    return rc;
}

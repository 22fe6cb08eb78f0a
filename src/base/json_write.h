/* Writes JSON into a buffer, append-only, minified. Commas and colons are the writer's business; that objects and
 * arrays are closed and members have keys is the caller's. Errors are the buffer's: check out->error at the end.
 *
 *   inf_json_writer w = inf_json_writer_on(&buf);
 *   inf_json_begin_object(&w);
 *   inf_json_key(&w, "name");
 *   inf_json_put_text(&w, "x");
 *   inf_json_end_object(&w); */
#ifndef INF_BASE_JSON_WRITE_H
#define INF_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct inf_json_writer {
    inf_buf *out;
    bool comma; /* the next key or array element needs one before it */
} inf_json_writer;

static inline inf_json_writer inf_json_writer_on(inf_buf *out)
{
    inf_json_writer w = {out, false};
    return w;
}

static inline void inf_json_separate(inf_json_writer *w)
{
    if (w->comma)
        inf_buf_put_byte(w->out, ',');
    w->comma = true;
}

static inline void inf_json_begin_object(inf_json_writer *w)
{
    inf_json_separate(w);
    inf_buf_put_byte(w->out, '{');
    w->comma = false;
}

static inline void inf_json_end_object(inf_json_writer *w)
{
    inf_buf_put_byte(w->out, '}');
    w->comma = true;
}

static inline void inf_json_begin_array(inf_json_writer *w)
{
    inf_json_separate(w);
    inf_buf_put_byte(w->out, '[');
    w->comma = false;
}

static inline void inf_json_end_array(inf_json_writer *w)
{
    inf_buf_put_byte(w->out, ']');
    w->comma = true;
}

/* Text is UTF-8; what is not valid comes out as U+FFFD. Only what JSON demands is escaped ('"', '\', below U+0020). */
void inf_json_put_string(inf_json_writer *w, const void *text, size_t length);

/* NUL-terminated; NULL gives null. */
void inf_json_put_text(inf_json_writer *w, const char *text);

void inf_json_key_n(inf_json_writer *w, const void *key, size_t length);

/* A name of ours, in which there is nothing to escape. */
static inline void inf_json_key(inf_json_writer *w, const char *key)
{
    size_t length = strlen(key);
    inf_buf *out = w->out;
    if (inf_buf_reserve(out, length + 4))
        return;
    uint8_t *p = out->data + out->length;
    if (w->comma)
        *p++ = ',';
    *p++ = '"';
    memcpy(p, key, length);
    p[length] = '"';
    p[length + 1] = ':';
    out->length = (size_t)(p + length + 2 - out->data);
    w->comma = false;
}

void inf_json_put_i64(inf_json_writer *w, int64_t value);
void inf_json_put_u64(inf_json_writer *w, uint64_t value);

/* The shortest text that reads back as the same value; NaN and infinities, which JSON has not, give null. */
void inf_json_put_double(inf_json_writer *w, double value);

/* Thousandths as a floating-point number: the text that inf_json_put_double(w, thousandths / 1000.0) writes, for less.
 */
void inf_json_put_thousandths(inf_json_writer *w, uint64_t thousandths);

/* `digits` (0 to 9) digits after the point, rounded; for durations in seconds and the like. */
void inf_json_put_fixed(inf_json_writer *w, double value, unsigned digits);

void inf_json_put_bool(inf_json_writer *w, bool value);
void inf_json_put_null(inf_json_writer *w);

/* Bytes that are JSON already. */
void inf_json_put_raw(inf_json_writer *w, const void *json, size_t length);

#ifdef __cplusplus
}
#endif
#endif

/* Reads JSON: a whole document is parsed and checked (grammar, UTF-8, depth), then walked. A parser is reused from
 * document to document and keeps its memory. One thread at a time per parser; values belong to the parser and are valid
 * until its next parse. Text comes out unescaped. A number that neither 64 bits nor a double hold is read as a string. Of two members with one key, the look-ups find the first. */
#ifndef INF_BASE_JSON_READ_H
#define INF_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct inf_json inf_json;

/* A value of a parsed document; copy it freely. */
typedef struct inf_json_value {
    uint64_t opaque[2];
} inf_json_value;

enum inf_json_type {
    INF_JSON_NULL = 0,
    INF_JSON_BOOL = 1,
    INF_JSON_INT = 2,    /* fits an int64_t */
    INF_JSON_UINT = 3,   /* above INT64_MAX */
    INF_JSON_DOUBLE = 4, /* written with a point or an exponent */
    INF_JSON_STRING = 5,
    INF_JSON_ARRAY = 6,
    INF_JSON_OBJECT = 7,
};

#define INF_JSON_PADDING 64 /* bytes past the text that may be read */
#define INF_JSON_DEPTH 64   /* the usual limit */

/* NULL without memory. */
inf_json *inf_json_new(void);
void inf_json_free(inf_json *parser);

/* Parses `length` bytes, of which it makes a copy. `max_depth` nested arrays and objects are allowed (0: 64;
 * an empty innermost one is not counted).
 * 0 and *root; or INF_EBADMSG (inf_json_error() says why), INF_E2BIG (over 2 GiB or too deep), INF_ENOMEM. */
int inf_json_parse(inf_json *parser, const void *text, size_t length, unsigned max_depth, inf_json_value *root);

/* The same without the copy: INF_JSON_PADDING bytes past the text must be readable (any content). The text may be
 * changed or freed after the parse. */
int inf_json_parse_padded(inf_json *parser, const void *text, size_t length, unsigned max_depth, inf_json_value *root);

/* Why the last parse failed, in words; static text. */
const char *inf_json_error(const inf_json *parser);

enum inf_json_type inf_json_type(inf_json_value value);

/* Each gives false, and leaves *out alone, when the value is of another type. The text is NUL-terminated after `length`
 * bytes but may hold NULs itself. as_i64 takes whole doubles too (3.0); as_double takes integers. */
bool inf_json_as_string(inf_json_value value, const char **text, size_t *length);
bool inf_json_as_i64(inf_json_value value, int64_t *out);
bool inf_json_as_double(inf_json_value value, double *out);
bool inf_json_as_bool(inf_json_value value, bool *out);

/* A member of an object. False when there is none, or `object` is no object. */
bool inf_json_get(inf_json_value object, const char *key, inf_json_value *out);
bool inf_json_get_string(inf_json_value object, const char *key, const char **text, size_t *length);
bool inf_json_get_i64(inf_json_value object, const char *key, int64_t *out);
bool inf_json_get_double(inf_json_value object, const char *key, double *out);
bool inf_json_get_bool(inf_json_value object, const char *key, bool *out);

/* Elements of an array or members of an object; 0 for other types. */
size_t inf_json_size(inf_json_value value);

/* Walks an array or an object in document order; another type has nothing in it.
 *   inf_json_iterator i = inf_json_iterate(value);
 *   while (inf_json_next(&i)) ... i.value, and in an object i.key, i.key_length */
typedef struct inf_json_iterator {
    inf_json_value value;
    const char *key;
    size_t key_length;
    uint64_t opaque[5];
} inf_json_iterator;
inf_json_iterator inf_json_iterate(inf_json_value value);
bool inf_json_next(inf_json_iterator *iterator);

/* Appends the value, minified, to `out` (whose error is set on failure). Numbers keep their value and kind, not their
 * spelling. */
void inf_json_write(inf_json_value value, inf_buf *out);

#ifdef __cplusplus
}
#endif
#endif

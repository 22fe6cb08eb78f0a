/* Numbers that JSON allows and readers do not: integers beyond 64 bits and doubles beyond the largest. Python writes
 * the former, many parsers refuse the whole document for either. Pure: text in, text out. */
#ifndef INF_BASE_JSON_NUMBER_H
#define INF_BASE_JSON_NUMBER_H

#include <stdbool.h>

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* True when an int64_t, a uint64_t or a finite double holds the number that these characters are. */
bool inf_json_number_fits(const char *text, size_t length);

/* Appends the JSON text, with quotation marks around each number that does not fit. The grammar is not checked. Returns
 * how many there were. */
size_t inf_json_quote_numbers(inf_buf *out, const void *json, size_t length);

#ifdef __cplusplus
}
#endif
#endif

/* A trace record as the published JSON body (docs/wire.md, platform wire), with the batch wire's extra members when
 * asked for. Pure: bytes in, text out. */
#ifndef INF_SEND_NATIVE_H
#define INF_SEND_NATIVE_H

#include <stdbool.h>

#include "base/buf.h"
#include "model/record.h"
#include "send/fields.h"

#define INF_EXTRA_HEADER_BYTES 2000

/* Appends the body, one line, to `out` (whose error is set on failure). */
void inf_native_body(inf_buf *out, const inf_record_head *head, inf_fields fields, bool with_extras);

/* Appends the value of the Infinium-Extra header: ASCII JSON of at most INF_EXTRA_HEADER_BYTES, without those members
 * that would make it longer (metadata first). */
void inf_native_extra(inf_buf *out, const inf_record_head *head, inf_fields fields);

const char *inf_native_status(uint8_t status);

#endif

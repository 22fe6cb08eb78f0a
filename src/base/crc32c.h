/* CRC-32C (Castagnoli): SSE4.2 where the processor has it, tables elsewhere. Any thread, no state.
 * A checksum in parts: crc = inf_crc32c(0, a, n); crc = inf_crc32c(crc, b, m). */
#ifndef INF_BASE_CRC32C_H
#define INF_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32C of what `crc` was made of, followed by these bytes. */
uint32_t inf_crc32c(uint32_t crc, const void *data, size_t length);

/* The same without special instructions, for tests and for processors without them. */
uint32_t inf_crc32c_software(uint32_t crc, const void *data, size_t length);

/* Copies and sums in one pass: memcpy(to, from, length) and inf_crc32c(crc, from, length). */
uint32_t inf_crc32c_copy(uint32_t crc, void *to, const void *from, size_t length);

/* What a record of the journal needs, in one call: the sum of `place`, then of both parts, which are copied to `to`,
 * one behind the other. */
uint32_t inf_crc32c_record(const uint64_t place[3], void *to, const void *head, size_t head_length, const void *body,
                           size_t body_length);

#endif

/* Secrets and their hashes. Only a salted PBKDF2-HMAC-SHA-256 hash of a secret is ever kept: one that we make has 256
 * random bits, one that the user brings may be weaker. */
#ifndef INF_AUTH_SECRET_H
#define INF_AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INF_SECRET_TEXT 65 /* of one that we make: 64 hexadecimal digits and a NUL */

/* A new secret. INF_ESYS: the system has no randomness. */
int inf_secret_make(char out[INF_SECRET_TEXT]);

/* A new id for an agent or a key: a version 4 UUID, for those who look. */
void inf_secret_id(uint8_t out[16]);

/* A fresh salt and the hash under it: milliseconds of processor time on purpose. */
int inf_secret_hash(const char *secret, uint8_t salt[16], uint8_t hash[32], uint32_t *iterations);

/* The same time again; the comparison takes constant time. Any thread. */
bool inf_secret_verify(const char *secret, size_t length, const uint8_t salt[16], const uint8_t hash[32],
                       uint32_t iterations);

#endif

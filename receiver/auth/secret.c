/* See secret.h. */
#include <string.h>

#include <nettle/memops.h>
#include <nettle/pbkdf2.h>

#include "auth/secret.h"
#include "base/id.h"

enum { ITERATIONS = 100000, BYTES = 32 };

int inf_secret_make(char out[INF_SECRET_TEXT])
{
    uint8_t random[BYTES];
    int rc = inf_random_secret(random, sizeof random);
    if (rc == 0)
        inf_hex(random, sizeof random, out);
    return rc;
}

void inf_secret_id(uint8_t out[16])
{
    inf_id_make(out);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

int inf_secret_hash(const char *secret, uint8_t salt[16], uint8_t hash[32], uint32_t *iterations)
{
    int rc = inf_random_secret(salt, 16);
    if (rc < 0)
        return rc;
    *iterations = ITERATIONS;
    pbkdf2_hmac_sha256(strlen(secret), (const uint8_t *)secret, ITERATIONS, 16, salt, 32, hash);
    return 0;
}

bool inf_secret_verify(const char *secret, size_t length, const uint8_t salt[16], const uint8_t hash[32],
                       uint32_t iterations)
{
    uint8_t derived[32];
    if (iterations == 0)
        return false;
    pbkdf2_hmac_sha256(length, (const uint8_t *)secret, iterations, 16, salt, sizeof derived, derived);
    return memeql_sec(derived, hash, sizeof derived) != 0;
}

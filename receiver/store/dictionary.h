/* How bodies are kept: compressed with a dictionary that was trained on the store's own traces, once there are enough
 * of them. A dictionary stays for as long as the store does, since rows refer to it. Private to receiver/store/;
 * belongs to one handle. */
#ifndef INF_STORE_DICTIONARY_H
#define INF_STORE_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

typedef struct inf_store inf_store;
typedef struct inf_codec inf_codec;

/* bodies.encoding */
enum { INF_ENCODING_PLAIN = 0, INF_ENCODING_ZSTD = 1 /* N + 1: with dictionary N, which count from 1 */ };

int inf_codec_new(inf_codec **out);
void inf_codec_free(inf_codec *codec);

/* Takes the newest dictionary for what is encoded from now on; inside a transaction. */
int inf_codec_refresh(inf_store *store);
/* Never fails: what cannot be compressed, or is not worth it, stays plain. The bytes are the codec's or the body's own.
 */
int inf_codec_encode(inf_store *store, const void *body, size_t size, const void **bytes, size_t *length);
/* Into `size` bytes, which the body is said to have. INF_EBADMSG: it is not that body. */
int inf_codec_decode(inf_store *store, int encoding, const void *bytes, size_t length, void *out, size_t size);

#endif

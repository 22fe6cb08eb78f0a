/* A growable byte buffer with a hard limit and a sticky error: after a failure every further append does nothing, so a
 * writer may check once, at the end. What was written before the failure stays readable. One thread at a time.
 *
 *   inf_buf b;
 *   inf_buf_init(&b, 1 << 20);
 *   inf_buf_put(&b, data, length); ...
 *   if (b.error) ...                    the first negative INF_E... (INF_E2BIG: the limit; INF_ENOMEM)
 *   inf_buf_free(&b); */
#ifndef INF_BASE_BUF_H
#define INF_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct inf_buf {
    uint8_t *data; /* NULL while capacity is 0; owned by the buffer */
    size_t length;
    size_t capacity; /* never above the limit; one more byte is allocated */
    size_t limit;    /* `length` never exceeds it */
    int error;       /* 0, or the first error */
} inf_buf;

/* An empty buffer; allocates nothing. */
void inf_buf_init(inf_buf *b, size_t limit);

/* Frees the memory; the buffer is empty and usable again with the same limit. */
void inf_buf_free(inf_buf *b);

/* Empties the buffer and forgets the error; keeps the memory. */
static inline void inf_buf_reset(inf_buf *b)
{
    b->length = 0;
    b->error = 0;
}

/* Slow path of inf_buf_reserve(). */
int inf_buf_grow(inf_buf *b, size_t extra);

/* Room for `extra` bytes at data + length. 0, or the buffer's error. */
static inline int inf_buf_reserve(inf_buf *b, size_t extra)
{
    if (b->error)
        return b->error;
    if (extra <= b->capacity - b->length)
        return 0;
    return inf_buf_grow(b, extra);
}

static inline void inf_buf_put(inf_buf *b, const void *data, size_t length)
{
    if (length == 0 || inf_buf_reserve(b, length))
        return;
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

static inline void inf_buf_put_byte(inf_buf *b, uint8_t byte)
{
    if (inf_buf_reserve(b, 1))
        return;
    b->data[b->length++] = byte;
}

/* NUL-terminated text, without its NUL. */
static inline void inf_buf_put_text(inf_buf *b, const char *text)
{
    inf_buf_put(b, text, strlen(text));
}

void inf_buf_put_u64(inf_buf *b, uint64_t value);
void inf_buf_put_i64(inf_buf *b, int64_t value);

void inf_buf_printf(inf_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void inf_buf_vprintf(inf_buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* The content as a NUL-terminated string, valid until the next append. Cannot fail. The NUL does not count for
 * `length`. */
const char *inf_buf_text(inf_buf *b);

/* Gives the content, NUL-terminated, to the caller (free with inf_os.free) and leaves the buffer empty. NULL when the
 * buffer has an error (which stays). */
char *inf_buf_take(inf_buf *b, size_t *length);

#ifdef __cplusplus
}
#endif
#endif

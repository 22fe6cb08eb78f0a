/* The slow paths of buf.h. */
#include "base/buf.h"

#include <stdio.h>

#include "base/os.h"
#include "infinium.h"

#define FIRST_CAPACITY 256

void inf_buf_init(inf_buf *b, size_t limit)
{
    *b = (inf_buf){.limit = limit};
}

void inf_buf_free(inf_buf *b)
{
    inf_os.free(b->data);
    inf_buf_init(b, b->limit);
}

int inf_buf_grow(inf_buf *b, size_t extra)
{
    if (extra > b->limit || b->length > b->limit - extra)
        return b->error = INF_E2BIG;
    size_t needed = b->length + extra;
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 4 ? needed : capacity * 2;
    if (capacity > b->limit)
        capacity = b->limit;
    void *data = inf_os.realloc(b->data, capacity + 1); /* and the NUL of inf_buf_text() */
    if (!data)
        return b->error = INF_ENOMEM;
    b->data = data;
    b->capacity = capacity;
    return INF_OK;
}

void inf_buf_put_u64(inf_buf *b, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    inf_buf_put(b, digits + n, sizeof(digits) - n);
}

void inf_buf_put_i64(inf_buf *b, int64_t value)
{
    if (value < 0) {
        inf_buf_put_byte(b, '-');
        inf_buf_put_u64(b, -(uint64_t)value);
    } else {
        inf_buf_put_u64(b, (uint64_t)value);
    }
}

void inf_buf_vprintf(inf_buf *b, const char *format, va_list args)
{
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof(small), format, args);
    if (n < 0) {
        if (!b->error)
            b->error = INF_EINVAL;
    } else if ((size_t)n < sizeof(small)) {
        inf_buf_put(b, small, (size_t)n);
    } else if (inf_buf_reserve(b, (size_t)n) == 0) {
        vsnprintf((char *)b->data + b->length, (size_t)n + 1, format, again);
        b->length += (size_t)n;
    }
    va_end(again);
}

void inf_buf_printf(inf_buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    inf_buf_vprintf(b, format, args);
    va_end(args);
}

const char *inf_buf_text(inf_buf *b)
{
    if (!b->data)
        return "";
    b->data[b->length] = '\0';
    return (const char *)b->data;
}

char *inf_buf_take(inf_buf *b, size_t *length)
{
    if (b->error || (!b->data && inf_buf_grow(b, 0)))
        return NULL;
    inf_buf_text(b);
    char *text = (char *)b->data;
    if (length)
        *length = b->length;
    inf_buf_init(b, b->limit);
    return text;
}

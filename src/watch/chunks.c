/* See body.h. */
#include <string.h>

#include "watch/body.h"

enum { PLAIN, UNDECIDED, SIZE, EXTENSION, DATA, AFTER_DATA, TRAILER };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void inf_chunks_init(inf_chunks *c, bool possible)
{
    memset(c, 0, sizeof(*c));
    c->state = possible ? UNDECIDED : PLAIN;
}

/* Is the beginning "<hex digits>[;...]CRLF"? 1 yes, 0 no, -1 not known yet. */
static int looks_chunked(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length && hex(text[i]) >= 0)
        i++;
    if (i == 0 && length > 0)
        return 0;
    if (i > 16)
        return 0;
    if (i == length)
        return -1;
    if (text[i] == ';')
        return 1;
    if (text[i] != '\r')
        return 0;
    return i + 1 == length ? -1 : text[i + 1] == '\n';
}

static void walk(inf_chunks *c, const char *p, size_t length, inf_body_sink sink, void *context)
{
    for (const char *end = p + length; p < end;) {
        switch (c->state) {
        case SIZE: {
            int digit = hex(*p);
            if (digit >= 0 && c->digits < 16) {
                c->left = c->left << 4 | (unsigned)digit;
                c->digits++;
                p++;
                break;
            }
            c->state = EXTENSION;
            break;
        }
        case EXTENSION:
            if (*p++ == '\n') {
                c->last |= c->left == 0;
                c->state = c->last ? TRAILER : DATA;
            }
            break;
        case DATA: {
            size_t n = (size_t)(end - p);
            if (n > c->left)
                n = (size_t)c->left;
            sink(context, p, n);
            p += n;
            c->left -= n;
            if (c->left == 0)
                c->state = AFTER_DATA;
            break;
        }
        case AFTER_DATA:
            if (*p++ == '\n') {
                c->state = SIZE;
                c->digits = 0;
            }
            break;
        default: /* TRAILER */
            return;
        }
    }
}

void inf_chunks_take(inf_chunks *c, const void *data, size_t length, inf_body_sink sink, void *context)
{
    const char *p = data;
    if (c->state == UNDECIDED && length > 0) {
        size_t n = sizeof(c->first) - c->undecided;
        if (n > length)
            n = length;
        memcpy(c->first + c->undecided, p, n);
        size_t seen = c->undecided + n;
        int chunked = looks_chunked(c->first, seen);
        if (chunked < 0) {
            c->undecided = (uint8_t)seen;
            return;
        }
        c->state = chunked ? SIZE : PLAIN;
        if (c->undecided > 0) {
            size_t before = c->undecided;
            c->undecided = 0;
            inf_chunks_take(c, c->first, before, sink, context);
        }
    }
    if (c->state == PLAIN) {
        if (length > 0)
            sink(context, p, length);
        return;
    }
    walk(c, p, length, sink, context);
}

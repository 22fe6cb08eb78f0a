/* See url.h. Only shape is judged here; libcurl resolves and connects. */
#include "send/url.h"

#include <string.h>
#include <strings.h>

static const char *after_scheme(const char *url)
{
    if (strncasecmp(url, "http://", 7) == 0)
        return url + 7;
    if (strncasecmp(url, "https://", 8) == 0)
        return url + 8;
    return NULL;
}

bool inf_url_is_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

bool inf_url_valid(const char *url, size_t length)
{
    if (length < 8 || length > 2048)
        return false;
    const char *host = after_scheme(url);
    if (!host || host >= url + length || *host == '/' || *host == ':')
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)url[i];
        if (c <= 0x20 || c >= 0x7f || strchr("@?#\\\"<>", c))
            return false;
    }
    return true;
}

bool inf_url_is_loopback(const char *url)
{
    const char *host = after_scheme(url);
    if (!host)
        return false;
    if (*host == '[')
        return strncmp(host, "[::1]", 5) == 0;
    size_t length = strcspn(host, ":/");
    if (length == 9 && strncasecmp(host, "localhost", 9) == 0)
        return true;
    /* 127.a.b.c, and nothing that only starts like it (127.example.com) */
    return length > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == length;
}

/* The page's files, compiled into the binary: one entry a file, made at build time from the page's build
 * (ui/embed.mjs).
 *
 * With INF_HAVE_PAGE defined the table is linked in (library infinium_page); without it (no npm, or -DINF_PAGE=OFF)
 * there is none, and the receiver answers with the plain page that it has itself. The entry "/" answers every GET under
 * "/traces/" as well: the page reads its state out of the address. */
#ifndef INF_HTTP_PAGE_H
#define INF_HTTP_PAGE_H

#include <stddef.h>

typedef struct inf_page_file {
    const char *path; /* as requested: "/", "/assets/page-0123456789ab.js"; an asset's name changes with its content */
    const char *content_type;
    const unsigned char *bytes;
    size_t length;
    const char *etag;          /* with its quotes */
    const unsigned char *gzip; /* the same, gzip; NULL when that is no shorter */
    size_t gzip_length;
} inf_page_file;

extern const inf_page_file inf_page_files[];
extern const size_t inf_page_count;

/* Content-Security-Policy of every answer of the page: what it needs and nothing more. */
#define INF_PAGE_CSP                                                                                                   \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "   \
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

#endif

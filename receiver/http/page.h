/* The page's files, compiled into the binary: one entry a file, made at build time from the page's build. */
#ifndef INF_HTTP_PAGE_H
#define INF_HTTP_PAGE_H

#include <stddef.h>

typedef struct inf_page_file {
    const char *path; /* as requested: "/", "/assets/app.js" */
    const char *content_type;
    const unsigned char *bytes;
    size_t length;
    const char *etag; /* with its quotes */
} inf_page_file;

extern const inf_page_file inf_page_files[];
extern const size_t inf_page_count;

#endif

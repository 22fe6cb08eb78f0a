/* The running exports. Each has a thread of its own, which reads the store, and two buffers: one is on its way to the
 * reader while the other is filled, so an export takes the same memory whatever it exports and however slow its reader
 * is. */
#ifndef INF_API_EXPORT_H
#define INF_API_EXPORT_H

#include <microhttpd.h>

#include "api/dump.h"
#include "http/loop.h"

typedef struct inf_exports inf_exports;

int inf_exports_open(inf_exports **out, const char *dir);

/* An answer that exports what `filter` chooses (its text is copied). The connection belongs to `loop`. 0, INF_EFULL:
 * too many run; INF_ECLOSED: ending; or why it cannot be started. */
int inf_exports_begin(inf_exports *exports, const inf_store_filter *filter, enum inf_dump_format format,
                      inf_http_loop *loop, struct MHD_Connection *connection, struct MHD_Response **out);

/* Breaks off every export. Afterwards no connection is suspended by one. NULL is allowed, likewise below. */
void inf_exports_stop(inf_exports *exports);
/* Once the HTTP server has ended. */
void inf_exports_close(inf_exports *exports);

#endif

/* A reload that another process asks for, and whose outcome it hears (`infinium reload`). The receiver counts in
 * receiver.state how many reloads have begun and how many are done, and writes into receiver.reload what the last one
 * did, a line each: "ok TEXT" or "wrong TEXT". Who asks sends SIGHUP to the holder of the lock and waits until a reload
 * that begins after that is done. */
#ifndef INF_RELOAD_H
#define INF_RELOAD_H

#include "base/buf.h"
#include "directory.h"

/* ---- the receiver's side, one thread ---- */

/* From now on SIGHUP is a reload. */
void inf_reload_offer(inf_directory *d);
void inf_reload_begin(inf_directory *d, inf_buf *report);
/* Adds a line to the report. */
void inf_reload_say(inf_buf *report, bool wrong, const char *text);
/* Writes the report, frees it, and lets go whoever waits for it. */
void inf_reload_end(inf_directory *d, inf_buf *report);

/* ---- the other side ---- */

/* Has the receiver of the directory reload, and reads its report, which the caller frees in any case. 0; INF_ENOTFOUND:
 * none runs; INF_EINVAL: it takes no reload (one inside another program); INF_EACCES: it is another user's; INF_ESYS:
 * the process that says that it holds the directory does not, as far as can be seen from here; INF_ETIMEDOUT; INF_EIO:
 * it did, but what cannot be read. */
int inf_reload_ask(const char *data_dir, int timeout_ms, inf_buf *report);

#endif

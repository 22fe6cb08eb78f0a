/* One HTTP exchange, done by the calling thread, for what has to wait for its answer (send_task, get_prompt). Any
 * thread; the sender thread is not involved. Connections are kept per thread. */
#ifndef INF_SEND_CALL_H
#define INF_SEND_CALL_H

#include "send/http.h"

/* Fills `answer` (inf_http_answer_init() before, inf_http_answer_free() after; may be used again). Returns
 * answer->error: INF_OK whenever a server answered, whatever the status. */
int inf_http_call(const inf_http_request *request, inf_http_answer *answer);

#endif

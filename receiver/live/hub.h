/* Server-sent events: what was stored or changed, to everybody who looks. Events are formatted once and kept in a ring;
 * a viewer is a place in it. A viewer that falls behind the ring is not waited for: it gets `event: resync` (load the
 * list again) and goes on with the newest. */
#ifndef INF_LIVE_HUB_H
#define INF_LIVE_HUB_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/loop.h"
#include "store/store.h"

typedef struct inf_hub inf_hub;

int inf_hub_open(inf_hub **out, const char *dir);
/* Something was stored. Any thread. */
void inf_hub_wake(inf_hub *hub);

/* The answer to a viewer: a response that ends after ten minutes, whereupon the viewer asks again. `agent_id`: of this
 * agent alone; NULL: of all. `resume` continues after sequence `after`; otherwise it begins now. The connection belongs
 * to `loop`. Reads through `store`, a handle of the calling thread. 0; INF_EFULL: too many viewers; INF_ECLOSED. */
int inf_hub_view(inf_hub *hub, inf_store *store, inf_http_loop *loop, struct MHD_Connection *connection,
                 const uint8_t *agent_id, bool resume, uint64_t after, struct MHD_Response **out);

/* Ends what everybody is viewing, because somebody may not any more; whoever still may asks again at once. */
void inf_hub_cut(inf_hub *hub);

/* Who looks. Any thread. */
unsigned inf_hub_viewers(inf_hub *hub);

/* Ends every viewer's answer. Afterwards no connection is suspended by the hub. */
void inf_hub_stop(inf_hub *hub);
/* Once the HTTP server has ended. NULL is allowed. */
void inf_hub_close(inf_hub *hub);

#endif

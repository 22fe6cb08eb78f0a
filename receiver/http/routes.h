/* Every path that the receiver answers, in one table: routing, 405 and Allow, the limit of a body, who may, and the
 * test of who may (tests/receiver/test_access.c) come out of it. Private to receiver/.
 *
 *     X(NAME, METHOD, PATTERN, ACCESS, BODY_MAX, THREAD, handler)
 *
 * METHOD    GET (HEAD is then allowed too), POST, PUT or DELETE. Several rows may have one pattern.
 * PATTERN   under /api/v1; with two slashes at its front, from the root. `{name}` takes one segment of the path, not
 *           empty and shorter than INF_SEGMENT_SIZE, into r->segments[0] or [1]. `{agent}` must be a UUID and fills
 *           r->agent_id as well; whatever is no UUID there is a path that there is not. Of two rows that fit the same
 *           path the first one counts. "// *" without its blank is everything else at the root.
 * ACCESS    OPEN           anybody
 *           INGEST         the agent of the path, with its id and key in x-agent-id and x-agent-key
 *           AGENT_OR_READ  the same, or READ that sees the agent of the path
 *           PROMPT         the handler decides (x-prompt-id and x-prompt-key, or inf_access_reader())
 *           READ           a read key, an admin key, or a session of the page
 *           ADMIN          an admin key or a session of an administrator
 *           Whoever comes with a session's cookie and changes something must show its CSRF token.
 * BODY_MAX  bytes of a body, before and after decompression; more is refused. 0: a body is read over, r->body is empty.
 * THREAD    WORKER: handler(r, worker) is called on a worker's thread, with a store handle of its own, once the body
 *           is complete and unpacked. It fills r->answer (JSON unless it sets content_type) or r->response, and
 *           r->status (200 before the call), or refuses; it does not resume the request: the dispatcher does.
 *           STREAM: the same, but a body of any size comes in parts: the handler is called whenever r->body holds
 *           BODY_MAX bytes, and once more when the body is complete (r->complete), to which it answers. It takes what
 *           it has used off r->body's front and leaves less than BODY_MAX, or refuses; what it keeps between the calls
 *           is r->stream, freed by r->stream_free. Nothing is unpacked.
 *           LOOP: handler(r, NULL) is called on the connection's thread: it must not wait, and may suspend the request
 *           itself. Only for OPEN and INGEST. A packed body is still packed.
 *
 * The first rows are found first: what comes most often stands on top. */
#ifndef INF_HTTP_ROUTES_H
#define INF_HTTP_ROUTES_H

#include <stddef.h>

#include "http/limits.h"

/* clang-format off */
#define INF_ROUTES(X)                                                                                                  \
    /* ingest */                                                                                                       \
    X(TRACE,        "POST",   "/agents/{agent}/trace",    INGEST,        INF_BODY_MAX,        LOOP,   inf_ingest_platform) \
    X(BATCH,        "POST",   "/agents/{agent}/traces",   INGEST,        INF_BATCH_MAX_BYTES, LOOP,   inf_ingest_batch)    \
    X(HEALTH,       "GET",    "/agents/{agent}/health",   AGENT_OR_READ, 0,                   WORKER, inf_ingest_health)   \
    /* traces */                                                                                                       \
    X(LIST,         "GET",    "/traces",                  READ,          0,                   WORKER, inf_api_traces)      \
    X(SHOW,         "GET",    "/traces/{trace}",          READ,          0,                   WORKER, inf_api_trace)       \
    X(TREE,         "GET",    "/traces/{trace}/tree",     READ,          0,                   WORKER, inf_api_tree)        \
    X(SESSIONS,     "GET",    "/sessions",                READ,          0,                   WORKER, inf_api_sessions)    \
    X(STATS,        "GET",    "/stats",                   READ,          0,                   WORKER, inf_api_stats)       \
    X(VALUES,       "GET",    "/values",                  READ,          0,                   WORKER, inf_api_values)      \
    X(EXPORT,       "GET",    "/export",                  READ,          0,                   WORKER, inf_api_export)      \
    X(CHECKS,       "GET",    "/traces/{trace}/checks",   READ,          0,                   WORKER, inf_api_checks)      \
    X(INTERPRETED,  "GET",    "/agents/{agent}/interpreted-result/{trace}", AGENT_OR_READ, 0,    WORKER, inf_api_interpreted) \
    X(SCORE,        "POST",   "/traces/{trace}/scores",   ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_score)       \
    X(SCORE_REMOVE, "DELETE", "/traces/{trace}/scores/{score}", ADMIN,   0,                   WORKER, inf_api_score_remove) \
    X(SCORE_AGENT,  "POST",   "/agents/{agent}/traces/{trace}/scores", INGEST, INF_SMALL_BODY_MAX, WORKER, inf_api_score_by_agent) \
    X(IMPORT,       "POST",   "/import",                  ADMIN,         INF_IMPORT_PART,     STREAM, inf_api_import)      \
    X(EVENTS,       "GET",    "/events",                  READ,          0,                   WORKER, inf_api_events)      \
    /* agents and keys */                                                                                              \
    X(AGENTS,       "GET",    "/agents",                  READ,          0,                   WORKER, inf_api_agents)      \
    X(AGENT_CREATE, "POST",   "/agents",                  ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_agent_create) \
    X(AGENT_REVOKE, "DELETE", "/agents/{agent}",          ADMIN,         0,                   WORKER, inf_api_agent_revoke) \
    X(AGENT_ROTATE, "POST",   "/agents/{agent}/keys",     ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_agent_rotate) \
    X(KEYS,         "GET",    "/keys",                    ADMIN,         0,                   WORKER, inf_api_keys)        \
    X(KEY_CREATE,   "POST",   "/keys",                    ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_key_create)  \
    X(KEY_ROTATE,   "POST",   "/keys/{key}/rotate",       ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_key_rotate)  \
    X(KEY_REVOKE,   "DELETE", "/keys/{key}",              ADMIN,         0,                   WORKER, inf_api_key_revoke)  \
    X(AUDIT,        "GET",    "/audit",                   ADMIN,         0,                   WORKER, inf_api_audit)       \
    /* running it */                                                                                                   \
    X(HEALTHZ,      "GET",    "//healthz",                OPEN,          0,                   LOOP,   inf_api_healthz)     \
    X(READYZ,       "GET",    "//readyz",                 OPEN,          0,                   LOOP,   inf_api_readyz)      \
    X(METRICS,      "GET",    "//metrics",                READ,          0,                   WORKER, inf_api_metrics)     \
    X(JUDGE,        "GET",    "/judge",                   READ,          0,                   WORKER, inf_api_judge)       \
    X(CLIENTS,      "GET",    "/stats/clients",           READ,          0,                   WORKER, inf_api_clients)     \
    /* prompts */                                                                                                      \
    X(PROMPTS,        "GET",  "/prompts",                 READ,          0,                   WORKER, inf_api_prompts)     \
    X(PROMPT_CREATE,  "POST", "/prompts",                 ADMIN,         INF_PROMPT_BODY_MAX, WORKER, inf_api_prompt_create) \
    X(PROMPT,         "GET",  "/prompts/{prompt}",        READ,          0,                   WORKER, inf_api_prompt)      \
    X(PROMPT_PUBLISH, "POST", "/prompts/{prompt}/versions", ADMIN,       INF_PROMPT_BODY_MAX, WORKER, inf_api_prompt_publish) \
    X(PROMPT_ROTATE,  "POST", "/prompts/{prompt}/keys",   ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_prompt_rotate) \
    X(PROMPT_DELETE, "DELETE", "/prompts/{prompt}",       ADMIN,         0,                   WORKER, inf_api_prompt_delete) \
    X(PROMPT_VERSION, "GET",  "/prompts/{prompt}/v/{version}", PROMPT,   0,                   WORKER, inf_api_prompt_version) \
    /* the page */                                                                                                     \
    X(SESSION,      "GET",    "/session",                 READ,          0,                   WORKER, inf_api_session)     \
    X(LOGOUT,       "DELETE", "/session",                 READ,          0,                   WORKER, inf_api_logout)      \
    X(LOGIN_CREATE, "POST",   "/logins",                  ADMIN,         INF_SMALL_BODY_MAX,  WORKER, inf_api_login_create) \
    X(LOGINS_END,   "DELETE", "/logins",                  ADMIN,         0,                   WORKER, inf_api_logins_end)  \
    X(OPENAPI,      "GET",    "/openapi.json",            OPEN,          0,                   LOOP,   inf_api_openapi)     \
    X(LOGIN,        "GET",    "//login",                  OPEN,          0,                   WORKER, inf_api_login)       \
    X(PAGE,         "GET",    "//*",                      OPEN,          0,                   LOOP,   inf_files_serve)
/* clang-format on */

enum inf_route {
    INF_ROUTE_NONE,
#define X(name, method, pattern, access, body_max, thread, handler) INF_ROUTE_##name,
    INF_ROUTES(X)
#undef X
        INF_ROUTE_COUNT
};

enum inf_access_kind {
    INF_ACCESS_OPEN,
    INF_ACCESS_INGEST,
    INF_ACCESS_AGENT_OR_READ,
    INF_ACCESS_PROMPT,
    INF_ACCESS_READ,
    INF_ACCESS_ADMIN,
};

enum inf_route_thread { INF_THREAD_LOOP, INF_THREAD_WORKER, INF_THREAD_STREAM };

struct inf_request;
struct inf_worker;

typedef struct inf_route_def {
    const char *name;
    const char *method;
    const char *pattern;
    enum inf_access_kind access;
    size_t body_max;
    enum inf_route_thread thread;
    void (*handler)(struct inf_request *request, struct inf_worker *worker);
} inf_route_def;

/* By enum inf_route; the first one is empty. */
extern const inf_route_def inf_routes[INF_ROUTE_COUNT];

#define X(name, method, pattern, access, body_max, thread, handler)                                                    \
    void handler(struct inf_request *request, struct inf_worker *worker);
INF_ROUTES(X)
#undef X

#endif

/* Who may do what: every route of the table, asked by everybody there is. A route without a row here fails; so does a
 * row without a route. The status that each of them must get is written out by its row. */
#include "auth/agents.h"
#include "auth/bearer.h"
#include "base/id.h"
#include "http/routes.h"
#include "receiver/running.h"

#define TRACE "00000000000000000000000000000001"
#define MARKER "what only readers of the agent may see"

enum caller {
    NOBODY,
    WRONG_KEY,     /* a reader's key that there is not */
    WRONG_SECRET,  /* the agent's id with another secret */
    AGENT_ITSELF,  /* the ingest key of the agent of the path */
    ANOTHER_AGENT, /* with its own id and key */
    READS_AGENT,   /* a read key of the agent */
    READS_ANOTHER, /* a read key of another agent */
    READS_ALL,
    ADMINISTRATOR,
    SESSION,        /* the page's cookie, with its CSRF token */
    SESSION_FORGED, /* the cookie alone, as another site can make a browser send it */
    REVOKED,        /* an administrator's key that was */
    EXPIRED,
    CALLERS
};

static const char *const caller_names[CALLERS] = {"nobody",
                                                  "a wrong key",
                                                  "a wrong secret",
                                                  "the agent",
                                                  "another agent",
                                                  "a reader of the agent",
                                                  "a reader of another agent",
                                                  "a reader of all",
                                                  "an administrator",
                                                  "a session",
                                                  "a session without its CSRF token",
                                                  "a revoked key",
                                                  "an expired key"};

struct row {
    const char *route;
    const char *path; /* %A: the agent, %S: a spare agent, %K: a spare key; fresh for every cell */
    const char *body; /* or NULL */
    int status[CALLERS];
};

/* clang-format off */
#define EVERYBODY(s)       {s, s, s, s, s, s, s, s, s, s, s, s, s}
#define THE_AGENT(s)       {401, 401, 401, s, 401, 401, 401, 401, 401, 401, 401, 401, 401}
#define AGENT_OR_READER(s) {401, 401, 401, s, 401, s, 403, s, s, s, s, 401, 401}
#define READERS(s, other)  {401, 401, 401, 401, 401, s, other, s, s, s, s, 401, 401}
#define READERS_OF_ALL(s)  {401, 401, 401, 401, 401, 403, 403, s, s, s, s, 401, 401}
#define ADMINS(s)          {401, 401, 401, 401, 401, 403, 403, 403, s, s, s, 401, 401}
#define ADMINS_CHANGE(s)   {401, 401, 401, 401, 401, 403, 403, 403, s, s, 403, 401, 401}

static const struct row rows[] = {
    {"TRACE", "/api/v1/agents/%A/trace", "{\"name\":\"n\"}", THE_AGENT(201)},
    {"BATCH", "/api/v1/agents/%A/traces", "{\"name\":\"n\",\"trace_id\":\"00000000000000000000000000000002\"}\n", THE_AGENT(200)},
    {"HEALTH", "/api/v1/agents/%A/health", NULL, AGENT_OR_READER(200)},

    {"LIST", "/api/v1/traces", NULL, READERS(200, 200)},
    {"LIST", "/api/v1/traces?agent=%A", NULL, READERS(200, 403)},
    {"SHOW", "/api/v1/traces/" TRACE, NULL, READERS(200, 404)},
    {"TREE", "/api/v1/traces/" TRACE "/tree", NULL, READERS(200, 404)},
    {"SESSIONS", "/api/v1/sessions", NULL, READERS(200, 200)},
    {"SESSIONS", "/api/v1/sessions?agent=%A", NULL, READERS(200, 403)},
    {"STATS", "/api/v1/stats", NULL, READERS(200, 200)},
    {"STATS", "/api/v1/stats?group=name", NULL, READERS(200, 200)},
    {"STATS", "/api/v1/stats?agent=%A", NULL, READERS(200, 403)},
    {"VALUES", "/api/v1/values?field=name", NULL, READERS(200, 200)},
    {"VALUES", "/api/v1/values?field=name&agent=%A", NULL, READERS(200, 403)},
    {"EXPORT", "/api/v1/export", NULL, READERS(200, 200)},
    {"EXPORT", "/api/v1/export?format=csv", NULL, READERS(200, 200)},
    {"EXPORT", "/api/v1/export?agent=%A", NULL, READERS(200, 403)},
    {"CHECKS", "/api/v1/traces/" TRACE "/checks", NULL, READERS(200, 404)},
    {"INTERPRETED", "/api/v1/agents/%A/interpreted-result/" TRACE, NULL, AGENT_OR_READER(200)},
    {"SCORE", "/api/v1/traces/" TRACE "/scores", "{\"name\":\"s\",\"value\":1}", ADMINS_CHANGE(201)},
    {"SCORE_REMOVE", "/api/v1/traces/" TRACE "/scores/s", NULL, ADMINS_CHANGE(204)},
    {"SCORE_AGENT", "/api/v1/agents/%A/traces/" TRACE "/scores", "{\"name\":\"s\",\"value\":1}", THE_AGENT(201)},
    {"EVENTS", "/api/v1/events", NULL, READERS(200, 200)},
    {"IMPORT", "/api/v1/import", "", ADMINS_CHANGE(400)},

    {"AGENTS", "/api/v1/agents", NULL, READERS(200, 200)},
    {"AGENT_CREATE", "/api/v1/agents", "{\"name\":\"made\"}", ADMINS_CHANGE(201)},
    {"AGENT_REVOKE", "/api/v1/agents/%S", NULL, ADMINS_CHANGE(204)},
    {"AGENT_ROTATE", "/api/v1/agents/%S/keys", "", ADMINS_CHANGE(201)},
    {"KEYS", "/api/v1/keys", NULL, ADMINS(200)},
    {"KEY_CREATE", "/api/v1/keys", "{\"role\":\"read\",\"agent_id\":\"%A\"}", ADMINS_CHANGE(201)},
    {"KEY_ROTATE", "/api/v1/keys/%K/rotate", "{\"overlap_s\":0}", ADMINS_CHANGE(201)},
    {"KEY_REVOKE", "/api/v1/keys/%K", NULL, ADMINS_CHANGE(204)},
    {"AUDIT", "/api/v1/audit", NULL, ADMINS(200)},

    {"HEALTHZ", "/healthz", NULL, EVERYBODY(200)},
    {"READYZ", "/readyz", NULL, EVERYBODY(200)},
    {"METRICS", "/metrics", NULL, {401, 401, 401, 401, 401, 403, 403, 200, 200, 200, 200, 401, 401}},
    {"JUDGE", "/api/v1/judge", NULL, READERS_OF_ALL(200)},
    {"CLIENTS", "/api/v1/stats/clients", NULL, READERS(200, 200)},

    {"PROMPTS", "/api/v1/prompts", NULL, READERS_OF_ALL(200)},
    {"PROMPT_CREATE", "/api/v1/prompts", "{\"name\":\"p\",\"content\":\"Hello\"}", ADMINS_CHANGE(201)},
    {"PROMPT", "/api/v1/prompts/" OTHER_AGENT, NULL, READERS_OF_ALL(404)},
    {"PROMPT_PUBLISH", "/api/v1/prompts/" OTHER_AGENT "/versions", "{\"content\":\"Hello\"}", ADMINS_CHANGE(404)},
    {"PROMPT_ROTATE", "/api/v1/prompts/" OTHER_AGENT "/keys", "", ADMINS_CHANGE(404)},
    {"PROMPT_DELETE", "/api/v1/prompts/" OTHER_AGENT, NULL, ADMINS_CHANGE(404)},
    {"PROMPT_VERSION", "/api/v1/prompts/" OTHER_AGENT "/v/latest", NULL, READERS_OF_ALL(404)},

    {"SESSION", "/api/v1/session", NULL, READERS(200, 200)},
    {"LOGOUT", "/api/v1/session", NULL, {401, 401, 401, 401, 401, 400, 400, 400, 400, 204, 403, 401, 401}},
    {"LOGIN_CREATE", "/api/v1/logins", "{\"role\":\"read\",\"agent_id\":\"%A\"}", ADMINS_CHANGE(201)},
    {"LOGINS_END", "/api/v1/logins", NULL, ADMINS_CHANGE(204)},
    {"OPENAPI", "/api/v1/openapi.json", NULL, EVERYBODY(200)},
    {"LOGIN", "/login?token=0", NULL, EVERYBODY(403)},
    {"PAGE", "/", NULL, EVERYBODY(200)},
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof rows[0] };

/* ---- everybody there is ---- */

struct world {
    struct running r;
    char headers[CALLERS][512];
    inf_store *store;
    inf_actor actor;
};

static void bearer(struct world *w, enum caller who, enum inf_role role, const char *agent, uint8_t id[16])
{
    char text[37], key[INF_BEARER_SIZE];
    uint8_t agent_id[16];
    if (agent)
        assert_int_equal(inf_id_parse(agent, strlen(agent), agent_id), 0);
    inf_bearer_wish wish = {.role = role, .agent_id = agent ? agent_id : NULL, .name = caller_names[who]};
    assert_int_equal(inf_bearer_create(w->store, &w->actor, &wish, text, key), 0);
    assert_int_equal(inf_id_parse(text, 36, id), 0);
    snprintf(w->headers[who], sizeof w->headers[who], "Authorization: Bearer %s\r\n", key);
}

/* Some routes end a session: each cell has its own. */
static void new_session(struct world *w)
{
    char login[INF_TOKEN_SIZE], session[INF_TOKEN_SIZE], cookie[200];
    assert_int_equal(inf_login_create(w->store, login), 0);
    assert_int_equal(inf_login_redeem(w->store, login, session), 1);
    snprintf(cookie, sizeof cookie, "Cookie: infinium_session=%s\r\n", session);
    answer a = http_ask(&w->r.c, "GET", "/api/v1/session", cookie, NULL, 0);
    check_answer(a, 200, "\"csrf\":\"");
    const char *csrf = strstr(a.body, "\"csrf\":\"") + 8;
    snprintf(w->headers[SESSION_FORGED], 512, "%s", cookie);
    snprintf(w->headers[SESSION], 512, "%sX-CSRF-Token: %.64s\r\n", cookie, csrf);
}

static int set_up_world(void **state)
{
    uint8_t id[16];
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    make_dir(&w->r);
    add_agent(&w->r, "Tester", AGENT);
    add_agent(&w->r, "Other", OTHER_AGENT);
    start_with(&w->r, NULL);
    w->store = open_store(&w->r);
    inf_actor_local(&w->actor);
    snprintf(w->headers[WRONG_KEY], 512, "Authorization: Bearer inf_r_%032d_%064d\r\n", 7, 7);
    snprintf(w->headers[WRONG_SECRET], 512, "x-agent-id: " AGENT "\r\nx-agent-key: not-" SECRET "\r\n");
    snprintf(w->headers[AGENT_ITSELF], 512, "%s", KEYS);
    snprintf(w->headers[ANOTHER_AGENT], 512, "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n");
    bearer(w, READS_AGENT, INF_ROLE_READ, AGENT, id);
    bearer(w, READS_ANOTHER, INF_ROLE_READ, OTHER_AGENT, id);
    bearer(w, READS_ALL, INF_ROLE_READ, NULL, id);
    bearer(w, ADMINISTRATOR, INF_ROLE_ADMIN, NULL, id);
    bearer(w, REVOKED, INF_ROLE_ADMIN, NULL, id);
    assert_int_equal(inf_bearer_revoke(w->store, &w->actor, id), 0);
    bearer(w, EXPIRED, INF_ROLE_ADMIN, NULL, id);
    assert_int_equal(inf_store_key_expire(w->store, id, 1), 0);
    check_answer(post(&w->r, JSON, "{\"name\":\"" MARKER "\",\"trace_id\":\"" TRACE "\"}"), 201, NULL);
    *state = w;
    return 0;
}

static int tear_down_world(void **state)
{
    struct world *w = *state;
    inf_store_close(w->store);
    stop(&w->r);
    remove_tree(w->r.dir);
    free(w);
    return 0;
}

/* ---- the matrix ---- */

static void fill_in(struct world *w, const char *template, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = template; *p && n + 40 < size; p++) {
        char id[37] = "", secret[INF_AGENT_SECRET_SIZE], key[INF_BEARER_SIZE];
        inf_bearer_wish wish = {.role = INF_ROLE_READ, .name = "spare"};
        if (*p != '%') {
            out[n++] = *p;
            continue;
        }
        p++;
        if (*p == 'S')
            assert_int_equal(inf_agent_create(w->store, "Spare", NULL, NULL, id, secret), 0);
        else if (*p == 'K')
            assert_int_equal(inf_bearer_create(w->store, &w->actor, &wish, id, key), 0);
        else
            snprintf(id, sizeof id, "%s", AGENT);
        n += (size_t)snprintf(out + n, size - n, "%s", id);
    }
    out[n] = 0;
}

static bool may_see_the_agent(enum caller who)
{
    return who == READS_AGENT || who == READS_ALL || who == ADMINISTRATOR || who == SESSION || who == SESSION_FORGED;
}

static void ask(struct world *w, const struct row *row, const inf_route_def *def, enum caller who)
{
    char path[300], body[300], headers[700];
    fill_in(w, row->path, path, sizeof path);
    fill_in(w, row->body ? row->body : "", body, sizeof body);
    if (who == SESSION || who == SESSION_FORGED)
        new_session(w);
    snprintf(headers, sizeof headers, "%sContent-Type: application/json\r\n", w->headers[who]);
    connection c = http_open(w->r.port); /* events do not end */
    answer a = http_ask(&c, def->method, path, headers, row->body ? body : NULL, strlen(body));
    for (int i = 0; a.status == 503 && i < 100; i++) { /* earlier exports have not seen yet that nobody reads them */
        pause_ms(50);
        a = http_ask(&c, def->method, path, headers, row->body ? body : NULL, strlen(body));
    }
    if (a.status != row->status[who])
        fail_msg("%s %s by %s: expected %d, got %d: %s", def->method, path, caller_names[who], row->status[who],
                 a.status, a.body ? a.body : "(nothing)");
    if (a.status >= 400 && def->access != INF_ACCESS_OPEN && strncmp(a.body, "{\"error\":\"", 10) != 0)
        fail_msg("%s %s by %s: no {\"error\": ...}: %s", def->method, path, caller_names[who], a.body);
    if (strcmp(http_header(&a, "X-Content-Type-Options") ? http_header(&a, "X-Content-Type-Options") : "", "nosniff"))
        fail_msg("%s %s by %s: not nosniff", def->method, path, caller_names[who]);
    if (!may_see_the_agent(who) && a.body && strstr(a.body, MARKER))
        fail_msg("%s %s by %s tells what it must not: %s", def->method, path, caller_names[who], a.body);
    if (who == READS_ANOTHER && a.body && strstr(a.body, AGENT))
        fail_msg("%s %s by %s names the other agent: %s", def->method, path, caller_names[who], a.body);
    http_close(&c);
}

static const inf_route_def *find_route(const char *name)
{
    for (int i = INF_ROUTE_NONE + 1; i < INF_ROUTE_COUNT; i++)
        if (strcmp(inf_routes[i].name, name) == 0)
            return &inf_routes[i];
    return NULL;
}

static void every_route_by_everybody(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < ROWS; i++) {
        const inf_route_def *def = find_route(rows[i].route);
        if (!def)
            fail_msg("there is no route %s", rows[i].route);
        for (int who = 0; who < CALLERS; who++)
            ask(w, &rows[i], def, (enum caller)who);
    }
}

static void every_route_has_a_row(void **state)
{
    (void)state;
    for (int i = INF_ROUTE_NONE + 1; i < INF_ROUTE_COUNT; i++) {
        bool there = false;
        for (int j = 0; j < ROWS; j++)
            there = there || strcmp(rows[j].route, inf_routes[i].name) == 0;
        if (!there)
            fail_msg("who may use route %s (%s %s) is not written down in %s", inf_routes[i].name, inf_routes[i].method,
                     inf_routes[i].pattern, __FILE__);
    }
}

/* What a route takes as an agent's own key is what the table says, so that a route cannot become open unseen. */
static void rows_fit_the_table(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        const inf_route_def *def = find_route(rows[i].route);
        if (def && def->access != INF_ACCESS_OPEN && def->access != INF_ACCESS_PROMPT)
            assert_int_equal(rows[i].status[NOBODY], 401);
        if (def && def->access == INF_ACCESS_ADMIN)
            assert_int_equal(rows[i].status[READS_ALL], 403);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_has_a_row),
        cmocka_unit_test(rows_fit_the_table),
        cmocka_unit_test_setup_teardown(every_route_by_everybody, set_up_world, tear_down_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Keys over the API: shown once, rotated with an overlap, revoked at once, written down in the audit log; and that live
 * events respect what a key may see. */
#include "auth/bearer.h"
#include "receiver/running.h"

#define OTHER_KEYS "x-agent-id: " OTHER_AGENT "\r\nx-agent-key: " SECRET "\r\n"

static char admin[200];

static int set_up_admin(void **state)
{
    char token[INF_TOKEN_SIZE];
    struct running *r = calloc(1, sizeof *r);
    assert_non_null(r);
    make_dir(r);
    add_agent(r, "Tester", AGENT);
    add_agent(r, "Other", OTHER_AGENT);
    start_with(r, NULL);
    assert_int_equal(inf_admin_token(r->dir, token), 0);
    snprintf(admin, sizeof admin, "Authorization: Bearer %s\r\n", token);
    *state = r;
    return 0;
}

static answer manage(struct running *r, const char *method, const char *path, const char *body)
{
    return http_ask(&r->c, method, path, admin, body, body ? strlen(body) : 0);
}

/* The text of a member, copied. */
static void member(const answer *a, const char *name, char *out, size_t size)
{
    char key[40];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = strstr(a->body, key);
    if (!at)
        fail_msg("no %s in %s", name, a->body);
    at += strlen(key);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

static int write_as(struct running *r, const char *secret)
{
    char headers[400];
    snprintf(headers, sizeof headers, "x-agent-id: " AGENT "\r\nx-agent-key: %s\r\n", secret);
    return http_ask(&r->c, "POST", POST_PATH, headers, "{\"name\":\"n\"}", 12).status;
}

static int read_with(struct running *r, const char *key)
{
    char headers[400];
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", key);
    return http_ask(&r->c, "GET", "/api/v1/traces", headers, NULL, 0).status;
}

static void an_agents_secret_is_rotated(void **state)
{
    struct running *r = *state;
    char second[100], third[100];
    assert_int_equal(write_as(r, SECRET), 201);
    answer a = manage(r, "POST", "/api/v1/agents/" AGENT "/keys", "{\"overlap_s\":3600}");
    check_answer(a, 201, NULL);
    member(&a, "secret", second, sizeof second);
    assert_int_equal(write_as(r, SECRET), 201); /* both are good */
    assert_int_equal(write_as(r, second), 201);
    a = manage(r, "GET", "/api/v1/keys", NULL);
    check_answer(a, 200, "\"role\":\"ingest\"");
    assert_null(strstr(a.body, second));
    a = manage(r, "POST", "/api/v1/agents/" AGENT "/keys", "{\"overlap_s\":0}");
    check_answer(a, 201, NULL);
    member(&a, "secret", third, sizeof third);
    assert_int_equal(write_as(r, third), 201);
    assert_int_equal(write_as(r, second), 401); /* and so is every earlier one no more */
    assert_int_equal(write_as(r, SECRET), 401);
    /* An overlap ends by itself. */
    a = manage(r, "POST", "/api/v1/agents/" AGENT "/keys", "{\"overlap_s\":2}");
    check_answer(a, 201, NULL);
    assert_int_equal(write_as(r, third), 201);
    pause_ms(2500);
    assert_int_equal(write_as(r, third), 401);
}

static void a_readers_key_from_its_making_to_its_end(void **state)
{
    struct running *r = *state;
    char id[40], key[INF_BEARER_SIZE], new_id[40], new_key[INF_BEARER_SIZE], path[100];
    answer a = manage(r, "POST", "/api/v1/keys", "{\"role\":\"read\",\"name\":\"dashboard\"}");
    check_answer(a, 201, "\"key\":\"inf_r_");
    member(&a, "key_id", id, sizeof id);
    member(&a, "key", key, sizeof key);
    a = manage(r, "GET", "/api/v1/keys", NULL);
    check_answer(a, 200, "\"last_used_at\":null");
    assert_null(strstr(a.body, key + 39)); /* its secret is told once */
    assert_int_equal(read_with(r, key), 200);
    pause_ms(250);
    assert_int_equal(read_with(r, key), 200);
    assert_null(strstr(manage(r, "GET", "/api/v1/keys", NULL).body, "\"last_used_at\":null"));
    snprintf(path, sizeof path, "/api/v1/keys/%s/rotate", id);
    a = manage(r, "POST", path, "{\"overlap_s\":60}");
    check_answer(a, 201, NULL);
    member(&a, "key_id", new_id, sizeof new_id);
    member(&a, "key", new_key, sizeof new_key);
    assert_int_equal(read_with(r, key), 200);
    assert_int_equal(read_with(r, new_key), 200);
    snprintf(path, sizeof path, "/api/v1/keys/%s", new_id);
    check_answer(manage(r, "DELETE", path, NULL), 204, NULL);
    assert_int_equal(read_with(r, new_key), 401);
    new_key[4] = 'a'; /* a reader's key does not become an administrator's */
    assert_int_equal(read_with(r, new_key), 401);
    check_answer(manage(r, "POST", "/api/v1/keys", "{\"role\":\"root\"}"), 400, "role");
    check_answer(manage(r, "POST", "/api/v1/keys", "{\"role\":\"admin\",\"agent_id\":\"" AGENT "\"}"), 400, "agent");
    check_answer(manage(r, "POST", "/api/v1/keys", "{\"role\":\"read\",\"more\":1}"), 400, "more");
    check_answer(manage(r, "POST", "/api/v1/keys", "[1]"), 400, "object");
    check_answer(manage(r, "POST", "/api/v1/keys", "{\"role\":\"read\",\"agent_id\":null}"), 400, "agent_id is not");
    check_answer(manage(r, "POST", "/api/v1/keys", "{\"role\":\"read\",\"expires_in_s\":null}"), 400,
                 "expires_in_s is not");
    a = manage(r, "GET", "/api/v1/audit?limit=2", NULL);
    check_answer(a, 200, "\"action\":\"key.revoke\"");
    assert_non_null(strstr(a.body, "\"who\":\"admin.token\",\"from\":\"127.0.0.1\""));
    assert_non_null(strstr(a.body, "\"action\":\"key.rotate\""));
    char cursor[40];
    member(&a, "next_cursor", cursor, sizeof cursor);
    snprintf(path, sizeof path, "/api/v1/audit?cursor=%s", cursor);
    check_answer(manage(r, "GET", path, NULL), 200, "\"action\":\"key.create\"");
}

static void events_of_one_agent(void **state)
{
    struct running *r = *state;
    char id[40], key[INF_BEARER_SIZE], path[100], head[500];
    answer a = manage(r, "POST", "/api/v1/keys", "{\"role\":\"read\",\"agent_id\":\"" AGENT "\"}");
    check_answer(a, 201, NULL);
    member(&a, "key_id", id, sizeof id);
    member(&a, "key", key, sizeof key);
    connection c = http_open(r->port);
    int n = snprintf(head, sizeof head,
                     "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", key);
    assert_int_equal(http_send(&c, head, (size_t)n), 0);
    while (!c.length || !strstr(c.data, ": hello"))
        assert_true(http_more(&c));
    a = http_ask(&r->c, "POST", "/api/v1/agents/" OTHER_AGENT "/trace", OTHER_KEYS, "{\"name\":\"of the other\"}", 23);
    check_answer(a, 201, NULL);
    check_answer(post(r, JSON, "{\"name\":\"of its own\"}"), 201, NULL);
    while (!strstr(c.data, "of its own"))
        assert_true(http_more(&c));
    assert_null(strstr(c.data, "of the other"));
    snprintf(path, sizeof path, "/api/v1/keys/%s", id);
    check_answer(manage(r, "DELETE", path, NULL), 204, NULL);
    while (http_more(&c)) /* the stream ends with the key */
        ;
    assert_non_null(strstr(c.data, "\r\n0\r\n\r\n"));
    http_close(&c);
}

/* Opens a link as a browser does: the cookie's header. */
static void open_link(struct running *r, const answer *link, char *cookie, size_t size)
{
    char path[200];
    member(link, "path", path, sizeof path);
    answer a = http_ask(&r->c, "GET", path, NULL, NULL, 0);
    check_answer(a, 303, NULL);
    const char *set = http_header(&a, "Set-Cookie");
    assert_non_null(set);
    snprintf(cookie, size, "Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
}

static int status_with(struct running *r, const char *path, const char *headers)
{
    return http_ask(&r->c, "GET", path, headers, NULL, 0).status;
}

/* A link for somebody who reads one agent; all sessions end at once, and those of a key's links with the key. */
static void links_for_readers_and_their_end(void **state)
{
    struct running *r = *state;
    char cookie[200], second[200], third[200], id[40], key[INF_BEARER_SIZE], path[200], bearer[200];
    check_answer(post(r, JSON, "{\"name\":\"of its own\"}"), 201, NULL);
    answer a =
        http_ask(&r->c, "POST", "/api/v1/agents/" OTHER_AGENT "/trace", OTHER_KEYS, "{\"name\":\"of the other\"}", 23);
    check_answer(a, 201, NULL);
    a = manage(r, "POST", "/api/v1/logins", "{\"agent_id\":\"" AGENT "\"}");
    check_answer(a, 201, "\"expires_at\":\"20");
    member(&a, "path", path, sizeof path);
    open_link(r, &a, cookie, sizeof cookie);
    check_answer(http_ask(&r->c, "GET", path, NULL, NULL, 0), 403, NULL); /* once */
    a = http_ask(&r->c, "GET", "/api/v1/traces", cookie, NULL, 0);
    check_answer(a, 200, "of its own");
    assert_null(strstr(a.body, "of the other"));
    check_answer(http_ask(&r->c, "GET", "/api/v1/session", cookie, NULL, 0), 200,
                 "\"role\":\"read\",\"agent_id\":\"" AGENT);
    assert_int_equal(status_with(r, "/api/v1/keys", cookie), 403);
    assert_int_equal(status_with(r, "/api/v1/traces?agent=" OTHER_AGENT, cookie), 403);

    check_answer(manage(r, "POST", "/api/v1/logins", "{\"role\":\"admin\",\"agent_id\":\"" AGENT "\"}"), 400,
                 "one agent");
    check_answer(manage(r, "POST", "/api/v1/logins", "{\"role\":\"root\"}"), 400, "role");
    check_answer(manage(r, "POST", "/api/v1/logins", "{\"agent_id\":\"00000000-0000-4000-8000-000000000009\"}"), 400,
                 "agent_id");

    /* with the key that made them, and no others */
    a = manage(r, "POST", "/api/v1/keys", "{\"role\":\"admin\"}");
    member(&a, "key_id", id, sizeof id);
    member(&a, "key", key, sizeof key);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", key);
    a = http_ask(&r->c, "POST", "/api/v1/logins", bearer, "{\"role\":\"admin\"}", 16);
    check_answer(a, 201, NULL);
    open_link(r, &a, second, sizeof second);
    assert_int_equal(status_with(r, "/api/v1/keys", second), 200);
    answer unused = http_ask(&r->c, "POST", "/api/v1/logins", bearer, "", 0);
    check_answer(unused, 201, NULL);
    char pending[200];
    member(&unused, "path", pending, sizeof pending);
    snprintf(path, sizeof path, "/api/v1/keys/%s", id);
    check_answer(manage(r, "DELETE", path, NULL), 204, NULL);
    assert_int_equal(status_with(r, "/api/v1/keys", second), 401);
    check_answer(http_ask(&r->c, "GET", pending, NULL, NULL, 0), 403, NULL);
    assert_int_equal(status_with(r, "/api/v1/traces", cookie), 200);

    /* everybody's */
    a = manage(r, "POST", "/api/v1/logins", "");
    open_link(r, &a, third, sizeof third);
    connection c = http_open(r->port);
    char head[500];
    int n = snprintf(head, sizeof head, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n%s\r\n", third);
    assert_int_equal(http_send(&c, head, (size_t)n), 0);
    while (!c.length || !strstr(c.data, ": hello"))
        assert_true(http_more(&c));
    check_answer(manage(r, "DELETE", "/api/v1/logins", NULL), 204, NULL);
    assert_int_equal(status_with(r, "/api/v1/traces", cookie), 401);
    assert_int_equal(status_with(r, "/api/v1/traces", third), 401);
    while (http_more(&c)) /* who watched does no more */
        ;
    http_close(&c);
    a = manage(r, "GET", "/api/v1/audit", NULL);
    check_answer(a, 200, "\"action\":\"session.end_all\",\"subject\":\"\",\"detail\":\"2 sessions and links\"");
    check_answer(a, 200, "\"action\":\"login.create\",\"subject\":\"\",\"detail\":\"read of agent " AGENT "\"");
}

static connection watch(struct running *r, const char *headers)
{
    char head[500];
    connection c = http_open(r->port);
    int n = snprintf(head, sizeof head, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n%s\r\n", headers);
    assert_int_equal(http_send(&c, head, (size_t)n), 0);
    while (!c.length || !strstr(c.data, ": hello"))
        assert_true(http_more(&c));
    return c;
}

static void assert_ends(connection *c)
{
    while (!strstr(c->data, "\r\n0\r\n\r\n"))
        assert_true(http_more(c));
    http_close(c);
}

/* What a key's links began ends with the key also when it is replaced: with an overlap, when that is over. */
static void rotation_ends_what_links_began(void **state)
{
    struct running *r = *state;
    for (int overlap = 0; overlap <= 1; overlap++) {
        char id[40], key[INF_BEARER_SIZE], bearer[200], cookie[200], path[200], body[40], pending[200];
        answer a = manage(r, "POST", "/api/v1/keys", "{\"role\":\"admin\"}");
        member(&a, "key_id", id, sizeof id);
        member(&a, "key", key, sizeof key);
        snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", key);
        a = http_ask(&r->c, "POST", "/api/v1/logins", bearer, "{\"role\":\"admin\"}", 16);
        open_link(r, &a, cookie, sizeof cookie);
        a = http_ask(&r->c, "POST", "/api/v1/logins", bearer, "", 0);
        member(&a, "path", pending, sizeof pending);
        connection of_key = watch(r, bearer);
        connection of_session = watch(r, cookie);
        snprintf(path, sizeof path, "/api/v1/keys/%s/rotate", id);
        snprintf(body, sizeof body, "{\"overlap_s\":%d}", overlap);
        check_answer(manage(r, "POST", path, body), 201, NULL);
        if (overlap == 0) {
            assert_ends(&of_key);
            assert_ends(&of_session);
        } else {
            assert_int_equal(status_with(r, "/api/v1/keys", cookie), 200);
            usleep(1100000);
            http_close(&of_key);
            http_close(&of_session);
        }
        assert_int_equal(status_with(r, "/api/v1/keys", cookie), 401);
        check_answer(http_ask(&r->c, "GET", pending, NULL, NULL, 0), 403, NULL);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_admin, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_agents_secret_is_rotated),
        TEST(a_readers_key_from_its_making_to_its_end),
        TEST(events_of_one_agent),
        TEST(links_for_readers_and_their_end),
        TEST(rotation_ends_what_links_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

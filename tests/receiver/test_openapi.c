/* The description of the API and the table of routes name the same paths and methods, and want keys of the same. */
#include <strings.h>

#include "base/json_read.h"
#include "http/routes.h"
#include "receiver/running.h"

#define PREFIX "/api/v1"

static inf_json *parser;
static inf_json_value document;

static int set_up_document(void **state)
{
    set_up(state);
    struct running *r = *state;
    answer a = http_ask(&r->c, "GET", PREFIX "/openapi.json", NULL, NULL, 0);
    check_answer(a, 200, "\"openapi\"");
    parser = inf_json_new();
    assert_int_equal(inf_json_parse(parser, a.body, a.length, 0, &document), 0);
    return 0;
}

static int tear_down_document(void **state)
{
    inf_json_free(parser);
    return tear_down(state);
}

/* As the document writes the route's path: without the API's prefix left out; the page stands for all of its files. */
static void path_of(const inf_route_def *def, char out[256])
{
    if (strncmp(def->pattern, "//", 2) == 0)
        snprintf(out, 256, "%s", strcmp(def->pattern, "//*") == 0 ? "/" : def->pattern + 1);
    else
        snprintf(out, 256, PREFIX "%s", def->pattern);
}

static bool documented(const char *path, const char *method)
{
    inf_json_value paths, item, operation;
    char small[16];
    size_t n = 0;
    for (; method[n]; n++)
        small[n] = (char)(method[n] | 0x20);
    small[n] = 0;
    return inf_json_get(document, "paths", &paths) && inf_json_get(paths, path, &item) &&
           inf_json_get(item, small, &operation);
}

static void every_route_is_documented(void **state)
{
    (void)state;
    int missing = 0;
    for (int i = INF_ROUTE_NONE + 1; i < INF_ROUTE_COUNT; i++) {
        char path[256];
        path_of(&inf_routes[i], path);
        if (!documented(path, inf_routes[i].method)) {
            print_error("docs/openapi.json does not describe %s %s\n", inf_routes[i].method, path);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

static bool is_route(const char *path, size_t path_length, const char *method, size_t method_length)
{
    for (int i = INF_ROUTE_NONE + 1; i < INF_ROUTE_COUNT; i++) {
        char own[256];
        path_of(&inf_routes[i], own);
        if (strlen(own) == path_length && memcmp(own, path, path_length) == 0 &&
            strlen(inf_routes[i].method) == method_length &&
            strncasecmp(inf_routes[i].method, method, method_length) == 0)
            return true;
    }
    return false;
}

static void everything_documented_is_a_route(void **state)
{
    (void)state;
    inf_json_value paths;
    int wrong = 0;
    assert_true(inf_json_get(document, "paths", &paths));
    inf_json_iterator path = inf_json_iterate(paths);
    while (inf_json_next(&path)) {
        inf_json_iterator method = inf_json_iterate(path.value);
        while (inf_json_next(&method)) {
            if (is_route(path.key, path.key_length, method.key, method.key_length))
                continue;
            print_error("docs/openapi.json describes %s %s, which is no route\n", method.key, path.key);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* What a route demands is what the document says: a key wherever the table wants one, none where it does not. */
static void keys_are_documented(void **state)
{
    (void)state;
    for (int i = INF_ROUTE_NONE + 1; i < INF_ROUTE_COUNT; i++) {
        char path[256], small[16] = "";
        inf_json_value paths, item, operation, security;
        path_of(&inf_routes[i], path);
        for (size_t n = 0; inf_routes[i].method[n]; n++)
            small[n] = (char)(inf_routes[i].method[n] | 0x20);
        assert_true(inf_json_get(document, "paths", &paths) && inf_json_get(paths, path, &item) &&
                    inf_json_get(item, small, &operation));
        assert_true(inf_json_get(operation, "security", &security));
        bool open = inf_json_size(security) == 0;
        if (open != (inf_routes[i].access == INF_ACCESS_OPEN))
            fail_msg("%s %s: the document says %s", inf_routes[i].method, path, open ? "no key" : "a key");
    }
}

static void it_is_not_sent_twice(void **state)
{
    struct running *r = *state;
    char known[100];
    answer a = http_ask(&r->c, "GET", PREFIX "/openapi.json", NULL, NULL, 0);
    assert_string_equal(http_header(&a, "Content-Type"), "application/json");
    snprintf(known, sizeof known, "If-None-Match: %.60s\r\n", http_header(&a, "ETag"));
    check_answer(http_ask(&r->c, "GET", PREFIX "/openapi.json", known, NULL, 0), 304, NULL);
    check_answer(http_ask(&r->c, "GET", PREFIX "/openapi.json", "If-None-Match: \"0\"\r\n", NULL, 0), 200, "paths");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_document, tear_down_document)
    const struct CMUnitTest tests[] = {
        TEST(every_route_is_documented),
        TEST(everything_documented_is_a_route),
        TEST(keys_are_documented),
        TEST(it_is_not_sent_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

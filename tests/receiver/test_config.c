/* The table of settings: where values come from, what is refused and how that is said, what a reload takes over, and
 * that docs/configuration.md is what the table says (INF_WRITE_DOCS=1 writes it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "infinium.h"

static const char *variables[2]; /* a name and its value */

static const char *environment(const char *name)
{
    return variables[0] && strcmp(name, variables[0]) == 0 ? variables[1] : NULL;
}

/* Loads a file's text, one variable and one flag; any of them may be NULL. */
static int load(inf_config *config, const char *text, const char *name, const char *value, int flag,
                const char *flag_value, char *message)
{
    static const char *flags[INF_CONFIG_ROWS];
    memset(flags, 0, sizeof flags);
    if (flag >= 0)
        flags[flag] = flag_value;
    variables[0] = name;
    variables[1] = value;
    inf_config_sources sources = {.flags = flags, .environment = environment};
    return inf_config_load_text(config, &sources, "test.conf", text, strlen(text), message);
}

static void check_refused(const char *text, const char *name, const char *value, int flag, const char *flag_value,
                          const char *reason)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config config;
    assert_int_equal(load(&config, text, name, value, flag, flag_value, message), INF_EINVAL);
    inf_config_free(&config);
    assert_string_equal(message, reason);
}

static void flags_go_before_the_environment_and_that_before_the_file(void **state)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config c;
    (void)state;
    const char *file = "# ours\n\nthreads = 3\r\nconnections=77 # few\nlisten = \"[::1]:80\"\nquiet = on\ndata = /a#b";
    assert_int_equal(load(&c, file, "INFINIUM_CONNECTIONS", "88", INF_CONFIG_ID_quiet, "no", message), 0);
    assert_int_equal(c.options.threads, 3);
    assert_int_equal(c.from[INF_CONFIG_ID_threads], INF_FROM_FILE);
    assert_int_equal(c.line[INF_CONFIG_ID_threads], 3);
    assert_int_equal(c.options.connections, 88);
    assert_int_equal(c.from[INF_CONFIG_ID_connections], INF_FROM_ENVIRONMENT);
    assert_false(c.options.quiet);
    assert_int_equal(c.from[INF_CONFIG_ID_quiet], INF_FROM_FLAG);
    assert_string_equal(c.options.listen, "[::1]:80");
    assert_string_equal(c.options.data_dir, "/a#b");
    assert_int_equal(c.options.journal_max_bytes, 1024 * INF_MIB);
    assert_int_equal(c.from[INF_CONFIG_ID_journal_max_bytes], INF_FROM_DEFAULT);
    inf_config_free(&c);
    /* an empty variable is none; in a comment nothing counts */
    assert_int_equal(load(&c, "#threads = 5\n", "INFINIUM_THREADS", "", -1, NULL, message), 0);
    assert_int_equal(c.options.threads, 0);
    inf_config_free(&c);
}

static void values_have_units_and_words(void **state)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config c;
    (void)state;
    assert_int_equal(load(&c, "shutdown-seconds = 2m\nlog-format = json\nlog-level=error\njournal-mib = 64", NULL, NULL,
                          -1, NULL, message),
                     0);
    assert_int_equal(c.options.shutdown_s, 120);
    assert_int_equal(c.options.log_format, 1);
    assert_int_equal(c.options.log_level, 3);
    assert_int_equal(c.options.journal_max_bytes, 64 * INF_MIB);
    inf_config_free(&c);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    check_refused("a = b", NULL, NULL, -1, NULL, "test.conf line 1: there is no setting 'a'");
    check_refused("\n\nthreds = 4", NULL, NULL, -1, NULL,
                  "test.conf line 3: there is no setting 'threds'; did you mean 'threads'?");
    check_refused("threads", NULL, NULL, -1, NULL, "test.conf line 1: 'threads' is not `name = value`");
    check_refused("= 4", NULL, NULL, -1, NULL, "test.conf line 1: '= 4' is not `name = value`");
    check_refused("threads = 4\nthreads = 4\n", NULL, NULL, -1, NULL,
                  "test.conf line 2: threads is there already, on line 1");
    check_refused("threads = many\n", NULL, NULL, -1, NULL,
                  "test.conf line 1: threads: 'many' is not a number from 0 to 64");
    check_refused("threads =\n", NULL, NULL, -1, NULL, "test.conf line 1: threads: '' is not a number from 0 to 64");
    check_refused("", "INFINIUM_CONNECTIONS", "0", -1, NULL,
                  "INFINIUM_CONNECTIONS: '0' is not a number from 1 to 1000000");
    check_refused("", NULL, NULL, INF_CONFIG_ID_threads, "-1", "--threads: '-1' is not a number from 0 to 64");
    check_refused("", NULL, NULL, INF_CONFIG_ID_threads, "99999999999999999999",
                  "--threads: '99999999999999999999' is not a number from 0 to 64");
    check_refused("", NULL, NULL, INF_CONFIG_ID_threads, "5m", "--threads: '5m' is not a number from 0 to 64");
    check_refused("", NULL, NULL, INF_CONFIG_ID_log_format, "xml", "--log-format: 'xml' is not one of text, json");
    check_refused("", NULL, NULL, INF_CONFIG_ID_log_format, "", "--log-format: '' is not one of text, json");
    check_refused("", NULL, NULL, INF_CONFIG_ID_quiet, "perhaps", "--quiet: 'perhaps' is not yes or no");
    check_refused("", NULL, NULL, INF_CONFIG_ID_shutdown_s, "1y",
                  "--shutdown-seconds: '1y' is not a number of seconds (or with s, m, h, d) from 0s to 1h");
    check_refused(
        "", NULL, NULL, INF_CONFIG_ID_shutdown_s, "9223372036854775807d",
        "--shutdown-seconds: '9223372036854775807d' is not a number of seconds (or with s, m, h, d) from 0s to "
        "1h");
    check_refused("", NULL, NULL, INF_CONFIG_ID_listen, "a\nb",
                  "--listen: 'a?b' is not a text of 1 to 300 bytes without control characters");
}

static void a_file_may_be_missing_large_or_no_text(void **state)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    char path[] = "/tmp/infinium-config-XXXXXX";
    inf_config c;
    (void)state;
    inf_config_sources sources = {.file = "/nowhere/infinium.conf"};
    assert_int_equal(inf_config_load(&c, &sources, message), INF_ENOTFOUND);
    assert_non_null(strstr(message, "/nowhere/infinium.conf"));
    inf_config_free(&c);

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    sources.file = path;
    assert_int_equal(write(fd, "threads = 2\n", 12), 12);
    assert_int_equal(inf_config_load(&c, &sources, message), 0);
    assert_int_equal(c.options.threads, 2);
    inf_config_free(&c);
    assert_int_equal(write(fd, "a\0b", 3), 3);
    assert_int_equal(inf_config_load(&c, &sources, message), INF_EINVAL);
    assert_non_null(strstr(message, "no text"));
    inf_config_free(&c);
    assert_int_equal(ftruncate(fd, INF_CONFIG_FILE_MAX + 1), 0);
    assert_int_equal(inf_config_load(&c, &sources, message), INF_EINVAL);
    assert_non_null(strstr(message, "larger than"));
    inf_config_free(&c);
    close(fd);
    unlink(path);
}

static void what_is_printed_can_be_read_again(void **state)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config c, again;
    inf_buf out;
    (void)state;
    const char *file = "data = \"/a dir #1\"\nthreads=5\nshutdown-seconds = 90\nlog-level = debug\njournal-mib=100";
    inf_buf_init(&out, 1 << 20);
    assert_int_equal(load(&c, file, "INFINIUM_CONNECTIONS", "9", INF_CONFIG_ID_quiet, "yes", message), 0);
    inf_config_print(&c, "test.conf", &out);
    inf_buf_put_byte(&out, 0);
    assert_int_equal(out.error, 0);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "# test.conf line 2\nthreads = 5\n"));
    assert_non_null(strstr(text, "# INFINIUM_CONNECTIONS in the environment\nconnections = 9\n"));
    assert_non_null(strstr(text, "# --quiet\nquiet = yes\n"));
    assert_int_equal(load(&again, text, NULL, NULL, -1, NULL, message), 0);
    for (size_t i = 0; i < INF_CONFIG_ROWS; i++) {
        char before[300], after[300];
        inf_config_value(&inf_config_rows[i], &c.options, before, sizeof before);
        inf_config_value(&inf_config_rows[i], &again.options, after, sizeof after);
        assert_string_equal(before, after);
    }
    inf_config_free(&c);
    inf_config_free(&again);
    inf_buf_free(&out);
}

static char said[4096];

static void say(void *context, const char *line)
{
    (void)context;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s\n", line);
}

static void a_reload_takes_over_what_it_may(void **state)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config c;
    (void)state;
    inf_serve_options running = INF_SERVE_OPTIONS_INIT;
    assert_int_equal(load(&c, "threads = 7\nlog-level = debug\nshutdown-seconds = 1h\n", NULL, NULL, -1, NULL, message),
                     0);
    assert_int_equal(inf_config_take_over(&running, &c.options, say, NULL), 2);
    assert_string_equal(said, "threads: 0 -> 7 is taken over at the next start only\n"
                              "shutdown-seconds: 10s -> 1h\nlog-level: info -> debug\n");
    assert_int_equal(running.threads, 0);
    assert_int_equal(running.log_level, 0);
    assert_int_equal(running.shutdown_s, 3600);
    inf_config_free(&c);
}

/* Every default is a value that the row itself would take. */
static void defaults_are_allowed(void **state)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config c;
    (void)state;
    for (int i = 0; i < INF_CONFIG_ROWS; i++) {
        char def[300];
        inf_config_default(&inf_config_rows[i], def, sizeof def);
        if (!*def)
            continue;
        assert_int_equal(load(&c, "", NULL, NULL, i, def, message), 0);
        inf_config_free(&c);
    }
}

static void the_page_says_what_the_table_says(void **state)
{
    char path[1024];
    inf_buf page;
    (void)state;
    inf_buf_init(&page, 1 << 20);
    inf_config_page(&page);
    assert_int_equal(page.error, 0);
    snprintf(path, sizeof path, "%s/docs/configuration.md", INF_SOURCE_DIR);
    if (getenv("INF_WRITE_DOCS")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(page.data, 1, page.length, file), page.length);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, page.length + 2);
    size_t length = fread(text, 1, page.length + 1, file);
    fclose(file);
    if (length != page.length || memcmp(text, page.data, length) != 0)
        fail_msg("docs/configuration.md is not what receiver/config.h says: run this test with INF_WRITE_DOCS=1");
    free(text);
    inf_buf_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_go_before_the_environment_and_that_before_the_file),
        cmocka_unit_test(values_have_units_and_words),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_file_may_be_missing_large_or_no_text),
        cmocka_unit_test(what_is_printed_can_be_read_again),
        cmocka_unit_test(a_reload_takes_over_what_it_may),
        cmocka_unit_test(defaults_are_allowed),
        cmocka_unit_test(the_page_says_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A receiver as systemd starts it: a passed socket, readiness and watchdog over a real datagram socket, reloads, and
 * what it logs about them. */
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "receiver/running.h"

struct service {
    char dir[64]; /* of the sockets and the settings; the data is in "data" below it */
    char config[100];
    int notify;
    int listener;
    int port;
    int log; /* the child's standard error: a file */
    pid_t pid;
};

static const char *environment(const char *name)
{
    return strncmp(name, "INFINIUM_", 9) == 0 ? NULL : getenv(name);
}

static void write_config(const struct service *s, const char *text)
{
    FILE *file = fopen(s->config, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void open_notify(struct service *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 20};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/notify", s->dir);
    s->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->notify, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(s->notify, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void open_listener(struct service *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t length = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &length), 0);
    s->port = ntohs(a.sin_port);
}

static int set_up_service(void **state)
{
    struct service *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(s->dir, sizeof s->dir, "/tmp/infinium-systemd-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->config, sizeof s->config, "%s/infinium.conf", s->dir);
    write_config(s, "");
    open_notify(s);
    open_listener(s);
    char path[100];
    snprintf(path, sizeof path, "%s/log", s->dir);
    s->log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    *state = s;
    return 0;
}

static int tear_down_service(void **state)
{
    struct service *s = *state;
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    close(s->notify);
    close(s->listener);
    close(s->log);
    remove_tree(s->dir);
    free(s);
    return 0;
}

/* What systemd does: descriptor 3, the variables, and the program. `sockets` is what it says, `fd` what it passes. */
static void start_service(struct service *s, const char *sockets, int fd, const char *watchdog_us)
{
    fflush(NULL);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid > 0)
        return;
    char text[120], data[100], listen[] = "127.0.0.1:0";
    const char *flags[INF_CONFIG_ROWS] = {0};
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(s->log, 2);
    fd = dup(fd); /* not the one below */
    dup2(fd, 3);
    snprintf(text, sizeof text, "%ld", (long)getpid());
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", sockets, 1);
    if (watchdog_us)
        setenv("WATCHDOG_USEC", watchdog_us, 1);
    snprintf(text, sizeof text, "%s/notify", s->dir);
    setenv("NOTIFY_SOCKET", text, 1);
    snprintf(data, sizeof data, "%s/data", s->dir);
    flags[INF_CONFIG_ID_data_dir] = data;
    flags[INF_CONFIG_ID_listen] = listen;
    inf_config_sources sources = {.flags = flags, .environment = environment, .file = s->config};
    inf_config config;
    char message[INF_CONFIG_MESSAGE_SIZE];
    int rc = inf_config_load(&config, &sources, message);
    if (rc == 0)
        rc = inf_serve(&config.options, &sources);
    if (getenv("NOTIFY_SOCKET") || getenv("LISTEN_FDS"))
        rc = 1; /* children would take them for theirs */
    inf_config_free(&config);
    _exit(rc == 0 ? 0 : 1);
}

/* The next datagram, or "" after 20 s. */
static const char *notified(struct service *s)
{
    static char text[2048];
    ssize_t n = recv(s->notify, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

/* Passes watchdogs over until a datagram begins with `start`. */
static void wait_for(struct service *s, const char *start)
{
    const char *text = notified(s);
    while (strncmp(text, "WATCHDOG=1", 10) == 0 && strncmp(start, "WATCHDOG", 8) != 0)
        text = notified(s);
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("'%s' was expected, '%s' came", start, text);
}

static const char *logged(const struct service *s)
{
    static char text[65536];
    ssize_t n = pread(s->log, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static int ended(struct service *s)
{
    int status = 0;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static void it_serves_on_the_passed_socket(void **state)
{
    struct service *s = *state;
    char status[100];
    start_service(s, "1", s->listener, "300000");
    /* what connects before it is ready is answered then: the socket is systemd's */
    connection c = http_open(s->port);
    snprintf(status, sizeof status, "READY=1\nSTATUS=listening on http://127.0.0.1:%d", s->port);
    wait_for(s, status);
    check_answer(http_ask(&c, "GET", "/readyz", NULL, NULL, 0), 200, NULL);
    http_close(&c);
    wait_for(s, "WATCHDOG=1");
    wait_for(s, "WATCHDOG=1");
    kill(s->pid, SIGTERM);
    wait_for(s, "STOPPING=1\nSTATUS=storing what was accepted\nEXTEND_TIMEOUT_USEC=30000000");
    assert_int_equal(ended(s), 0);
    assert_non_null(strstr(logged(s), "info: ended\n"));
}

static void a_reload_changes_what_it_may_and_refuses_what_is_broken(void **state)
{
    struct service *s = *state;
    start_service(s, "1", s->listener, NULL);
    wait_for(s, "READY=1");
    write_config(s, "log-level = debug\nthreads = 3\n");
    kill(s->pid, SIGHUP);
    wait_for(s, "RELOADING=1\nMONOTONIC_USEC=");
    wait_for(s, "READY=1");
    assert_non_null(strstr(logged(s), "reload: log-level: info -> debug\n"));
    assert_non_null(strstr(logged(s), "reload: threads: 0 -> 3 is taken over at the next start only\n"));
    write_config(s, "log-level = loud\n");
    kill(s->pid, SIGHUP);
    wait_for(s, "RELOADING=1");
    wait_for(s, "READY=1");
    assert_non_null(strstr(logged(s), "line 1: log-level: 'loud' is not one of debug, info, warning, error; nothing is "
                                      "changed\n"));
    assert_int_equal(unlink(s->config), 0);
    kill(s->pid, SIGHUP);
    wait_for(s, "RELOADING=1");
    wait_for(s, "READY=1");
    assert_non_null(strstr(logged(s), "infinium.conf cannot be read"));
    connection c = http_open(s->port);
    check_answer(http_ask(&c, "GET", "/healthz", NULL, NULL, 0), 200, NULL);
    http_close(&c);
    kill(s->pid, SIGTERM);
    wait_for(s, "STOPPING=1");
    assert_int_equal(ended(s), 0);
}

static void what_cannot_be_listened_at_is_refused(void **state)
{
    struct service *s = *state;
    start_service(s, "2", s->listener, NULL);
    assert_int_equal(ended(s), 1);
    assert_non_null(strstr(logged(s), "systemd passed 2 sockets"));
    start_service(s, "1", s->notify, NULL);
    assert_int_equal(ended(s), 1);
    assert_non_null(strstr(logged(s), "no socket that listens"));
    /* nothing is passed: it listens as it was told */
    start_service(s, "0", s->log, NULL);
    wait_for(s, "READY=1\nSTATUS=listening on http://127.0.0.1:");
    kill(s->pid, SIGINT);
    assert_int_equal(ended(s), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_service, tear_down_service)
    const struct CMUnitTest tests[] = {
        TEST(it_serves_on_the_passed_socket),
        TEST(a_reload_changes_what_it_may_and_refuses_what_is_broken),
        TEST(what_cannot_be_listened_at_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Load for a receiver: N keep-alive connections, each posting 4 KB traces as fast as it is answered. Prints requests
 * per second, the answers' latency, and how many traces the receiver's store holds afterwards.
 *
 *   receiver_load URL DATA_DIR AGENT_ID SECRET [CONNECTIONS [SECONDS [RATE]]]
 *
 * With a RATE no more than so many are sent a second, and every ten seconds a line says how it goes.
 * With "-" for DATA_DIR nothing is counted: there is no store under the floor (receiver_floor.c).
 * One thread, epoll; it costs about as much CPU as the receiver, so give it a core of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve.h"
#include "store/store.h"

enum { BODY = 4096, BUCKETS = 20000 /* of 10 us */ };

struct peer {
    int fd;
    uint64_t sent_ns;
    size_t got;
    char answer[2048];
};

static char request[BODY + 1024];
static size_t request_length;
static size_t id_offset, time_offset;
static uint64_t next_id;
static uint64_t latencies[BUCKETS + 1];
static uint64_t done;
static uint64_t failed;

/* With a rate: who may send, and when. */
static struct peer *idle[1000];
static int idle_count;
static uint64_t interval_ns;
static uint64_t due_ns;
static uint64_t told_ns;
static uint64_t told_done;
static uint64_t recent[BUCKETS + 1]; /* latencies since the last line */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A body as a traced program sends it: text in steps, not a run of one letter that compresses to nothing. */
static void make_request(const char *agent, const char *secret)
{
    static char body[BODY + 1];
    int n = snprintf(
        body, sizeof body,
        "{\"name\":\"Load\",\"description\":\"Auto-traced call to load\",\"trace_id\":\"%032d\","
        "\"current_datetime\":\"2026-11-23T02:56:20.972348Z\",\"duration\":0.012,\"steps\":[{\"step_number\":1,"
        "\"action\":\"llm_call\",\"description\":\"openai/gpt-4o\",\"duration_ms\":11,\"llm_call\":{\"model\":"
        "\"gpt-4o\",\"provider\":\"openai\",\"prompt_tokens\":11,\"completion_tokens\":7}}],\"input_summary\":\"",
        0);
    uint32_t seed = 1;
    while (n < BODY - 2) {
        seed = seed * 1664525 + 1013904223;
        body[n++] = "etaoin shrdlu cmfwyp vbgkjq xz 0123456789 ETAOIN"[seed >> 16 & 47];
    }
    memcpy(body + BODY - 2, "\"}", 3);
    int head =
        snprintf(request, sizeof request,
                 "POST /api/v1/agents/%s/trace HTTP/1.1\r\nHost: 127.0.0.1\r\nx-agent-id: %s\r\nx-agent-key: %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                 agent, agent, secret, BODY);
    memcpy(request + head, body, BODY);
    request_length = (size_t)head + BODY;
    id_offset = (size_t)(strstr(request, "\"trace_id\":\"") - request) + 12;
    time_offset = (size_t)(strstr(request, "\"current_datetime\":\"") - request) + 20;
}

/* Real traces come in the order of their times, nearly: with one time for all, each index of the store by time would be
 * written to at random. */
static void put_time(void)
{
    static time_t known = -1;
    static char second[24];
    struct timespec now;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != known) {
        struct tm tm;
        strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
        known = now.tv_sec;
    }
    int n = snprintf(text, sizeof text, "%s.%06ldZ", second, now.tv_nsec / 1000);
    memcpy(request + time_offset, text, (size_t)n);
}

static bool send_one(struct peer *p)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t id = ++next_id;
    put_time();
    for (int i = 0; i < 16; i++)
        request[id_offset + 31 - (size_t)i] = digits[id >> 4 * i & 15];
    uint64_t salt = id * 0x9e3779b97f4a7c15u; /* ids of real traces are random */
    for (int i = 0; i < 16; i++)
        request[id_offset + 15 - (size_t)i] = digits[salt >> 4 * i & 15];
    p->sent_ns = now_ns();
    p->got = 0;
    ssize_t n = send(p->fd, request, request_length, MSG_NOSIGNAL);
    if (n != (ssize_t)request_length)
        fprintf(stderr, "a request was not sent whole: %zd, %s\n", n, strerror(errno));
    return n == (ssize_t)request_length;
}

/* False when the connection is of no use any more. */
static bool receive(struct peer *p, bool again)
{
    ssize_t n = recv(p->fd, p->answer + p->got, sizeof p->answer - 1 - p->got, 0);
    if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
        fprintf(stderr, "a connection was closed: %s\n", n < 0 ? strerror(errno) : "end of file");
        return false;
    }
    if (n <= 0)
        return true;
    p->got += (size_t)n;
    p->answer[p->got] = 0;
    const char *end = strstr(p->answer, "\r\n\r\n");
    const char *length = end ? strcasestr(p->answer, "Content-Length: ") : NULL;
    if (!length || p->got < (size_t)(end + 4 - p->answer) + strtoul(length + 16, NULL, 10))
        return true;
    uint64_t bucket = (now_ns() - p->sent_ns) / 10000;
    if (strncmp(p->answer, "HTTP/1.1 201", 12) == 0) {
        latencies[bucket < BUCKETS ? bucket : BUCKETS]++;
        recent[bucket < BUCKETS ? bucket : BUCKETS]++;
        done++;
    } else if (failed++ == 0) {
        fprintf(stderr, "%s\n", p->answer);
    }
    if (again && interval_ns) {
        idle[idle_count++] = p;
        return true;
    }
    return !again || send_one(p);
}

static double percentile_of(const uint64_t *of, uint64_t count, double share)
{
    uint64_t seen = 0;
    for (int i = 0; i <= BUCKETS; i++) {
        seen += of[i];
        if ((double)seen >= share * (double)count)
            return (i + 1) * 0.01;
    }
    return 0;
}

static double percentile(double share)
{
    return percentile_of(latencies, done, share);
}

static void send_what_is_due(void)
{
    uint64_t now = now_ns();
    while (idle_count > 0 && due_ns <= now) {
        send_one(idle[--idle_count]);
        due_ns += interval_ns;
    }
    if (due_ns + 100000000u < now)
        due_ns = now - 100000000u; /* what could not be sent in time is not made up for at once */
    if (now - told_ns < 10000000000u)
        return;
    uint64_t count = done - told_done;
    printf("%.0f/s, p50 %.2f ms, p99 %.2f ms\n", (double)count * 1e9 / (double)(now - told_ns),
           percentile_of(recent, count, 0.5), percentile_of(recent, count, 0.99));
    fflush(stdout);
    told_ns = now;
    told_done = done;
    memset(recent, 0, sizeof recent);
}

static int connect_to(const char *url)
{
    const char *colon = strrchr(url, ':');
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_port = htons((uint16_t)strtoul(colon ? colon + 1 : "0", NULL, 10));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int64_t count(const char *dir)
{
    inf_store *store;
    inf_store_filter load = INF_STORE_FILTER_INIT;
    load.name = "Load";
    int rc = inf_store_catch_up(dir, 120000);
    int64_t n = rc;
    if (rc == 0 && (rc = inf_store_open(&store, dir, INF_STORE_READ_ONLY)) == 0) {
        n = inf_store_count(store, &load);
        inf_store_close(store);
    }
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: receiver_load URL DATA_DIR AGENT_ID SECRET [CONNECTIONS [SECONDS]]\n");
        return 2;
    }
    int connections = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 64;
    double seconds = argc > 6 ? strtod(argv[6], NULL) : 5;
    if (connections < 1 || connections > 1000 || seconds <= 0)
        return 2;
    double rate = argc > 7 ? strtod(argv[7], NULL) : 0;
    interval_ns = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    struct peer *peers = calloc((size_t)connections, sizeof *peers);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (!peers || poll < 0)
        return 1;
    make_request(argv[3], argv[4]);
    next_id = now_ns() << 8;
    bool counted = strcmp(argv[2], "-") != 0;
    int64_t before = counted ? count(argv[2]) : 0;
    for (int i = 0; i < connections; i++) {
        peers[i].fd = connect_to(argv[1]);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &peers[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, peers[i].fd, &e);
    }
    uint64_t start = now_ns();
    uint64_t end = start + (uint64_t)(seconds * 1e9);
    uint64_t ended = start;
    int open = connections;
    due_ns = told_ns = start;
    for (int i = 0; i < connections; i++) {
        if (interval_ns)
            idle[idle_count++] = &peers[i];
        else
            send_one(&peers[i]);
    }
    while (now_ns() < end + 2000000000u && open > 0) {
        struct epoll_event events[256];
        bool again = now_ns() < end;
        if (interval_ns && again)
            send_what_is_due();
        else if (interval_ns && idle_count == open)
            break;
        int n = epoll_wait(poll, events, 256, interval_ns && again ? 1 : 100);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            uint64_t before_count = done + failed;
            bool fine = receive(p, again);
            if (again)
                ended = now_ns();
            if (fine && (again || done + failed == before_count))
                continue;
            close(p->fd);
            open--;
        }
    }
    double took = (double)(ended - start) / 1e9;
    uint64_t drained = now_ns();
    int64_t after = counted ? count(argv[2]) : (int64_t)done;
    printf("%d connections, %.1f s: %.0f requests/s, p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms; %llu acknowledged, %llu "
           "not\n",
           connections, took, (double)done / took, percentile(0.5), percentile(0.99), percentile(0.999),
           (unsigned long long)done, (unsigned long long)failed);
    if (counted)
        printf("stored: %lld of them, %.1f s after the last\n", (long long)(after - before),
               (double)(now_ns() - drained) / 1e9);
    free(peers);
    return after - before == (int64_t)done && failed == 0 ? 0 : 1;
}

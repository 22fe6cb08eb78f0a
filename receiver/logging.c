/* See logging.h. Text lines carry the time, or, where standard error is systemd's journal, which has a clock of its
 * own, the priority in the form that it reads ("<4>"). */
#include "logging.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/os.h"

enum { LINE_MAX_BYTES = 8192 };
enum log_form { FORM_TEXT, FORM_JSON, FORM_JOURNAL };

static atomic_int form;
static atomic_bool requests;

static enum log_form form_of(int format)
{
    struct stat st;
    unsigned long long device, inode;
    const char *journal = getenv("JOURNAL_STREAM");
    if (format == 1)
        return FORM_JSON;
    if (journal && sscanf(journal, "%llu:%llu", &device, &inode) == 2 && inf_os.fstat(STDERR_FILENO, &st) == 0 &&
        st.st_dev == device && st.st_ino == inode)
        return FORM_JOURNAL;
    return FORM_TEXT;
}

static void put_json(inf_buf *line, enum inf_log_level level, const char *now, const char *message)
{
    inf_json_writer w = inf_json_writer_on(line);
    inf_json_begin_object(&w);
    inf_json_key(&w, "time");
    inf_json_put_text(&w, now);
    inf_json_key(&w, "level");
    inf_json_put_text(&w, inf_log_level_name(level));
    inf_json_key(&w, "message");
    inf_json_put_text(&w, message);
    inf_json_end_object(&w);
}

static void sink(void *context, enum inf_log_level level, const char *message)
{
    static const char priorities[] = {'7', '6', '4', '3'};
    char now[INF_RFC3339_SIZE];
    inf_buf line;
    (void)context;
    inf_buf_init(&line, LINE_MAX_BYTES);
    inf_rfc3339(inf_unix_ns(), 6, now);
    switch (atomic_load_explicit(&form, memory_order_relaxed)) {
    case FORM_JSON:
        put_json(&line, level, now, message);
        break;
    case FORM_JOURNAL:
        inf_buf_printf(&line, "<%c>%s", priorities[level & 3], message);
        break;
    default:
        inf_buf_printf(&line, "%s %s: %s", now, inf_log_level_name(level), message);
    }
    inf_buf_put_byte(&line, '\n');
    if (!line.error) /* one write, so that lines of several threads do not mix */
        (void)inf_os_write_all(STDERR_FILENO, line.data, line.length);
    inf_buf_free(&line);
}

bool inf_logging_requests(void)
{
    return atomic_load_explicit(&requests, memory_order_relaxed);
}

static void address_text(const struct sockaddr *from, char out[INET6_ADDRSTRLEN])
{
    const void *address = !from                         ? NULL
                          : from->sa_family == AF_INET  ? (const void *)&((const struct sockaddr_in *)from)->sin_addr
                          : from->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
                                                        : NULL;
    if (!address || !inet_ntop(from->sa_family, address, out, INET6_ADDRSTRLEN))
        snprintf(out, INET6_ADDRSTRLEN, "-");
}

static void request_json(const inf_logged_request *r, const char *from, const char *agent)
{
    char now[INF_RFC3339_SIZE];
    inf_buf line;
    inf_buf_init(&line, LINE_MAX_BYTES);
    inf_rfc3339(inf_unix_ns(), 6, now);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_json_begin_object(&w);
    const struct {
        const char *key, *text;
    } texts[] = {{"time", now},      {"level", "info"}, {"message", "request"}, {"method", r->method},
                 {"path", r->path},  {"from", from},    {"role", r->role},      {"who", *r->who ? r->who : NULL},
                 {"agent_id", agent}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        inf_json_key(&w, texts[i].key);
        inf_json_put_text(&w, texts[i].text);
    }
    inf_json_key(&w, "status");
    inf_json_put_u64(&w, r->status);
    inf_json_key(&w, "duration_s");
    inf_json_put_double(&w, (double)r->duration_ns / 1e9);
    inf_json_key(&w, "received_bytes");
    inf_json_put_u64(&w, r->received);
    inf_json_end_object(&w);
    inf_buf_put_byte(&line, '\n');
    if (!line.error)
        (void)inf_os_write_all(STDERR_FILENO, line.data, line.length);
    inf_buf_free(&line);
}

void inf_logging_request(const inf_logged_request *r)
{
    char from[INET6_ADDRSTRLEN], agent[37] = "";
    address_text(r->from, from);
    if (r->agent_id)
        inf_id_uuid(r->agent_id, agent);
    if (atomic_load_explicit(&form, memory_order_relaxed) == FORM_JSON)
        request_json(r, from, *agent ? agent : NULL);
    else
        inf_log(INF_LOG_INFO, "%s %.500s %u %.1f ms %s %s %s", r->method, r->path, r->status,
                (double)r->duration_ns / 1e6, from, r->role, *agent ? agent : r->who);
}

void inf_logging_set(const inf_serve_options *options)
{
    int level = options->log_level;
    if (options->quiet && level < INF_LOG_WARNING)
        level = INF_LOG_WARNING;
    atomic_store(&requests, options->log_requests && level <= INF_LOG_INFO);
    atomic_store(&form, form_of(options->log_format));
    inf_log_set_level((enum inf_log_level)level);
    inf_log_set_sink(sink, NULL);
}

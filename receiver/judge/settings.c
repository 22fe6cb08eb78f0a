/* See settings.h. */
#include "judge/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/id.h"
#include "base/log.h"
#include "base/os.h"
#include "infinium.h"
#include "send/url.h"

#define CENT_NANO INT64_C(10000000)
#define LAST_STEP "/chat/completions"
enum { SHOWN_OF_KEY = 4 /* its first bytes that are no secret (many begin alike), less one */ };

struct message {
    char *text;
    size_t size;
};

static int refuse(const struct message *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(const struct message *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(m->text, m->size, format, args);
    va_end(args);
    return INF_EINVAL;
}

/* ---- the endpoint ---- */

static int read_endpoint(inf_judge_settings *s, const inf_serve_options *o, const struct message *m)
{
    size_t length = strlen(o->judge_endpoint);
    while (length > 0 && o->judge_endpoint[length - 1] == '/')
        length--;
    if (!inf_url_valid(o->judge_endpoint, length))
        return refuse(
            m, "judge-endpoint is no URL: it wants http:// or https://, a host, and neither user name nor query, "
               "as in https://api.example.com/v1");
    size_t last = strlen(LAST_STEP);
    bool whole = length > last && memcmp(o->judge_endpoint + length - last, LAST_STEP, last) == 0;
    snprintf(s->url, sizeof s->url, "%.*s%s", (int)length, o->judge_endpoint, whole ? "" : LAST_STEP);
    if (!inf_url_is_https(s->url) && !inf_url_is_loopback(s->url) && !o->judge_plain_http)
        return refuse(m, "judge-endpoint: over http:// the key and what is sent of traces can be read on the way; use "
                         "https://, or set judge-plain-http if the network is trusted");
    return 0;
}

static int read_authority(inf_judge_settings *s, const char *path, const struct message *m)
{
    if (!path)
        return 0;
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return refuse(m, "judge-ca: %.200s cannot be read: %s", path, strerror(errno));
    inf_os.close(fd);
    snprintf(s->authority, sizeof s->authority, "%s", path);
    return 0;
}

/* ---- the key ---- */

static bool fit_for_header(const char *key)
{
    for (const char *p = key; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
    return *key != 0;
}

/* At most INF_JUDGE_KEY_MAX bytes; white space around them does not count. */
static int read_key_file(inf_judge_settings *s, const char *path, const struct message *m)
{
    char text[INF_JUDGE_KEY_MAX + 100];
    size_t used = 0;
    ssize_t n = 1;
    struct stat st;
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return refuse(m, "judge-key-file: %.200s cannot be read: %s", path, strerror(errno));
    if (inf_os.fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
        inf_log(INF_LOG_WARNING, "judge-key-file: others on this machine may read %.200s (mode %03o)", path,
                (unsigned)st.st_mode & 0777);
    while (n > 0 && used < sizeof text - 1) {
        n = inf_os.read(fd, text + used, sizeof text - 1 - used);
        used += n > 0 ? (size_t)n : 0;
        if (n < 0 && errno == EINTR)
            n = 1;
    }
    int error = n < 0 ? errno : 0;
    inf_os.close(fd);
    if (error)
        return refuse(m, "judge-key-file: %.200s cannot be read: %s", path, strerror(error));
    text[used] = 0;
    char *begin = text + strspn(text, " \t\r\n");
    size_t length = strlen(begin);
    while (length > 0 && strchr(" \t\r\n", begin[length - 1]))
        begin[--length] = 0;
    if (length == 0 || length > INF_JUDGE_KEY_MAX)
        return refuse(m, "judge-key-file: %.200s does not hold a key of 1 to %d bytes alone", path, INF_JUDGE_KEY_MAX);
    memcpy(s->key, begin, length + 1);
    return 0;
}

static int read_key(inf_judge_settings *s, const inf_serve_options *o, bool files, const struct message *m)
{
    if (o->judge_key && o->judge_key_file)
        return refuse(m, "judge-key and judge-key-file are both set: one key is enough");
    int rc = o->judge_key_file && files ? read_key_file(s, o->judge_key_file, m) : 0;
    if (rc == 0 && o->judge_key)
        snprintf(s->key, sizeof s->key, "%s", o->judge_key);
    if (rc == 0 && *s->key && !fit_for_header(s->key))
        return refuse(m, "the judge's key holds what no key holds: white space or characters beyond ASCII");
    return rc;
}

/* ---- which traces ---- */

static int read_agents(inf_judge_settings *s, const char *list, const struct message *m)
{
    for (const char *at = list; at && *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (n == 0)
            break;
        if (s->agent_count == INF_JUDGE_AGENTS_MAX)
            return refuse(m, "judge-agents: at most %d agents can be named", INF_JUDGE_AGENTS_MAX);
        if (inf_id_parse(at, n, s->agents[s->agent_count]) < 0)
            return refuse(m, "judge-agents: '%.*s' is no agent's id (`infinium agent list` prints them)",
                          (int)(n < 60 ? n : 60), at);
        s->agent_count++;
        at += n;
    }
    return 0;
}

static bool listed(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = names; *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ",");
        size_t whole = n;
        while (n > 0 && at[n - 1] == ' ')
            n--;
        if (n == length && memcmp(at, name, n) == 0)
            return true;
        at += whole;
    }
    return false;
}

bool inf_judge_wants(const inf_judge_settings *s, const inf_summary *trace)
{
    if (trace->status == INF_STATUS_RUNNING)
        return false;
    bool agent = s->agent_count == 0;
    for (size_t i = 0; !agent && i < s->agent_count; i++)
        agent = memcmp(s->agents[i], trace->agent_id, 16) == 0;
    if (!agent || (*s->names && !listed(s->names, trace->name ? trace->name : "")))
        return false;
    return inf_crc32c(0, trace->trace_id, 16) % 100 < (unsigned)s->percent;
}

/* ---- all of it ---- */

static bool anything_else(const inf_serve_options *o)
{
    return o->judge_model || o->judge_key || o->judge_key_file;
}

static int read_settings(inf_judge_settings *s, const inf_serve_options *o, bool files, char *text, size_t size)
{
    const struct message m = {text, size};
    memset(s, 0, sizeof *s);
    if (!o->judge_endpoint)
        return anything_else(o) ? refuse(&m, "a judge's model or key is set and no judge-endpoint: set it to the base "
                                             "URL of an OpenAI-compatible API, or unset the others")
                                : 0;
    if (!o->judge_model)
        return refuse(&m,
                      "judge-endpoint is set and no judge-model: set judge-model to the name of the model that is to "
                      "judge");
    int rc = read_endpoint(s, o, &m);
    if (rc == 0)
        rc = read_key(s, o, files, &m);
    if (rc == 0 && files)
        rc = read_authority(s, o->judge_ca, &m);
    if (rc == 0)
        rc = read_agents(s, o->judge_agents, &m);
    snprintf(s->model, sizeof s->model, "%s", o->judge_model);
    snprintf(s->names, sizeof s->names, "%s", o->judge_names ? o->judge_names : "");
    s->texts = o->judge_texts;
    s->timeout_ms = (int)o->judge_s * 1000;
    s->percent = (int)o->judge_percent;
    s->per_minute = o->judge_per_minute;
    s->day_calls = o->judge_day_calls;
    s->day_nano = o->judge_day_cents * CENT_NANO;
    s->queue = o->judge_queue;
    return rc < 0 ? rc : 1;
}

void inf_judge_hide_key(const inf_judge_settings *s, char *text)
{
    size_t length = strlen(s->key);
    if (length == 0)
        return;
    for (char *at = text; (at = strstr(at, s->key)); at += length)
        memset(at, '*', length);
    /* A text that was cut may end in the middle of it. */
    size_t end = strlen(text);
    for (size_t n = length - 1 < end ? length - 1 : end; n >= SHOWN_OF_KEY; n--)
        if (memcmp(text + end - n, s->key, n) == 0) {
            memset(text + end - n, '*', n);
            return;
        }
}

int inf_judge_settings_read(inf_judge_settings *s, const inf_serve_options *o, char *text, size_t size)
{
    return read_settings(s, o, true, text, size);
}

int inf_judge_settings_check(const inf_serve_options *o, char *text, size_t size)
{
    inf_judge_settings s;
    int rc = read_settings(&s, o, false, text, size);
    explicit_bzero(s.key, sizeof s.key);
    return rc < 0 ? rc : 0;
}

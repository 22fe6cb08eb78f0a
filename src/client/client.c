/* Opening and closing a client: options, environment, validation. See infinium.h. */
#include "client/client.h"

#include "client/backtrace.h"
#include "client/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/os.h"
#include "send/http.h"
#include "send/url.h"

#define DEFAULT_BASE_URL "https://platform.i42m.ai/api/v1"
#define DEFAULT_JOURNAL_BYTES (256u << 20)
#define DEFAULT_TIMEOUT_MS 30000
#define MIN_ID 3
#define MIN_SECRET 8
#define MAX_CREDENTIAL 1024

static const char *option(const char *given, const char *variable)
{
    if (given)
        return given;
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A malloc'ed copy without white space around it. */
static char *copy_stripped(const char *text)
{
    while (is_space(*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && is_space(text[length - 1]))
        length--;
    char *copy = inf_os.malloc(length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

/* Credentials travel in HTTP headers: a line end or another control character in one would be a second header. */
static bool credential_ok(const char *text, size_t min)
{
    size_t length = strlen(text);
    if (length < min || length > MAX_CREDENTIAL)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static bool header_text_ok(const char *text)
{
    return credential_ok(text, 1);
}

static void free_client(inf_client *client)
{
    inf_route *route = &client->route;
    if (route->agent_secret)
        explicit_bzero(route->agent_secret, strlen(route->agent_secret));
    inf_os.free(route->agent_id);
    inf_os.free(route->agent_secret);
    inf_os.free(route->base_url);
    inf_os.free(route->user_agent);
    inf_os.free(route->directory);
    inf_os.free(route->wanted_directory);
    free(client); /* aligned_alloc */
}

static void release(inf_route *route)
{
    free_client((inf_client *)(void *)((char *)route - offsetof(inf_client, route)));
}

static int set_credentials(inf_route *route, const inf_options *options)
{
    const char *id = option(options->agent_id, "INFINIUM_AGENT_ID");
    const char *secret = option(options->agent_secret, "INFINIUM_AGENT_SECRET");
    if (!id || !secret)
        return INF_EINVAL;
    route->agent_id = copy_stripped(id);
    route->agent_secret = copy_stripped(secret);
    if (!route->agent_id || !route->agent_secret)
        return INF_ENOMEM;
    if (!credential_ok(route->agent_id, MIN_ID) || !credential_ok(route->agent_secret, MIN_SECRET))
        return INF_EINVAL;
    return INF_OK;
}

static int set_address(inf_route *route, const inf_options *options)
{
    const char *url = option(options->base_url, "INFINIUM_BASE_URL");
    route->base_url = copy_stripped(url ? url : DEFAULT_BASE_URL);
    route->user_agent = copy_stripped(options->user_agent ? options->user_agent : "infinium-c/" INF_VERSION);
    if (!route->base_url || !route->user_agent)
        return INF_ENOMEM;
    size_t length = strlen(route->base_url);
    while (length > 0 && route->base_url[length - 1] == '/')
        route->base_url[--length] = '\0';
    if (!inf_url_valid(route->base_url, length) || !header_text_ok(route->user_agent))
        return INF_EINVAL;
    return INF_OK;
}

static int set_limits(inf_route *route, const inf_options *options)
{
    double rate = options->requests_per_second;
    if (isnan(rate) || options->timeout_ms < 0)
        return INF_EINVAL;
    route->requests_per_second = rate == 0 ? INF_REQUESTS_PER_SECOND : rate;
    route->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    route->journal_max_bytes = options->journal_max_bytes ? options->journal_max_bytes : DEFAULT_JOURNAL_BYTES;
    route->verify_tls = options->verify_tls != -1;
    return INF_OK;
}

static int set_directory(inf_route *route, const inf_options *options)
{
    if (inf_journal_in_memory(options->journal_memory))
        return INF_OK;
    int error = INF_OK;
    route->directory = inf_journal_directory(options->journal_dir, route->agent_id, &error);
    if (!route->directory && error == INF_ENOMEM)
        return INF_ENOMEM;
    if (!route->directory)
        inf_log(INF_LOG_WARNING, "no directory for the journal (%s); it is kept in memory", inf_strerror(error));
    return INF_OK;
}

static void warn(const inf_route *route)
{
    uint8_t id[16];
    size_t length = strlen(route->agent_id);
    if (length != 36 || inf_id_parse(route->agent_id, length, id) != INF_OK)
        inf_log(INF_LOG_WARNING,
                "agent_id \"%.40s\" is not a UUID: a receiver may refuse it; the traces are kept in the journal",
                route->agent_id);
    if (!inf_url_is_https(route->base_url) && !inf_url_is_loopback(route->base_url))
        inf_log(INF_LOG_WARNING,
                "the agent's secret and its traces travel unencrypted: the base URL is http:// to another machine");
}

int inf_open(inf_client **out, const inf_options *options)
{
    static const inf_options defaults = INF_OPTIONS_INIT;
    if (!out)
        return INF_EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    inf_client *client = aligned_alloc(_Alignof(inf_client), sizeof(*client));
    if (!client)
        return INF_ENOMEM;
    memset(client, 0, sizeof(*client));
    int error = set_credentials(&client->route, options);
    if (!error)
        error = set_address(&client->route, options);
    if (!error)
        error = set_limits(&client->route, options);
    if (!error)
        error = set_directory(&client->route, options);
    if (error) {
        free_client(client);
        return error;
    }
    const char *mask = getenv("INFINIUM_MASK");
    client->mask_secrets = options->mask_secrets != -1 && !(mask && strcmp(mask, "0") == 0);
    warn(&client->route);
    inf_http_trust_environment();
    inf_sender_init();
    inf_backtrace_prepare();
    if (inf_route_has_leftovers(&client->route))
        inf_route_start(&client->route);
    *out = client;
    return INF_OK;
}

int inf_flush(inf_client *client, int timeout_ms, inf_counts *out)
{
    if (!client)
        return INF_EINVAL;
    int result = inf_route_flush(&client->route, timeout_ms);
    if (out)
        inf_route_counts(&client->route, out);
    return result;
}

int inf_close(inf_client *client, int timeout_ms)
{
    if (!client)
        return INF_OK;
    int result = inf_route_flush(&client->route, timeout_ms);
    inf_route_stop(&client->route, release);
    return result;
}

void inf_stats(inf_client *client, inf_counts *out)
{
    if (!out)
        return;
    if (client)
        inf_route_counts(&client->route, out);
    else
        memset(out, 0, sizeof(*out));
}

void inf_client_waited_at_exit(unsigned ms)
{
    inf_sender_waited_at_exit(ms);
}

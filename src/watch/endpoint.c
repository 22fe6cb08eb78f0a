/* Which request is a call of a model: by the end of its path, so that gateways and compatible servers count too. */
#include <string.h>
#include <strings.h>

#include "watch/call.h"

static const struct {
    const char *end;
    enum inf_style style;
    const char *operation;
} paths[] = {
    {"/chat/completions", INF_STYLE_OPENAI, "chat"}, {"/completions", INF_STYLE_OPENAI, "text_completion"},
    {"/embeddings", INF_STYLE_OPENAI, "embeddings"}, {"/responses", INF_STYLE_RESPONSES, "responses"},
    {"/v1/messages", INF_STYLE_ANTHROPIC, "chat"},
};

static const struct {
    const char *method;
    const char *operation;
    bool stream;
} google[] = {
    {":generateContent", "generate_content", false},
    {":streamGenerateContent", "generate_content", true},
    {":embedContent", "embeddings", false},
    {":batchEmbedContents", "embeddings", false},
};

/* Hosts of OpenAI-style servers; the others are called "openai". */
static const struct {
    const char *host;
    const char *provider;
} hosts[] = {
    {"openai.azure.com", "azure"},
    {"x.ai", "xai"},
    {"groq.com", "groq"},
    {"mistral.ai", "mistral"},
    {"deepseek.com", "deepseek"},
    {"openrouter.ai", "openrouter"},
    {"perplexity.ai", "perplexity"},
    {"together.xyz", "together"},
};

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t n = strlen(end);
    return length >= n && memcmp(text + length - n, end, n) == 0;
}

/* `host` may have a port. */
static bool is_host(const char *host, const char *domain)
{
    size_t length = strcspn(host, ":"), n = strlen(domain);
    return length >= n && strncasecmp(host + length - n, domain, n) == 0 &&
           (length == n || host[length - n - 1] == '.');
}

static const char *provider_of(const char *host)
{
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
        if (is_host(host, hosts[i].host))
            return hosts[i].provider;
    return "openai";
}

bool inf_call_recognise(inf_call *call, const char *host, const char *path)
{
    size_t length = strcspn(path, "?#");
    while (length > 1 && path[length - 1] == '/')
        length--;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        if (!ends_with(path, length, paths[i].end))
            continue;
        call->style = paths[i].style;
        call->operation = paths[i].operation;
        call->provider = call->style == INF_STYLE_ANTHROPIC ? "anthropic" : provider_of(host);
        return true;
    }
    for (size_t i = 0; i < sizeof(google) / sizeof(*google); i++) {
        const char *models = strstr(path, "/models/");
        if (!models || !ends_with(path, length, google[i].method))
            continue;
        const char *name = models + 8;
        size_t n = length - strlen(google[i].method) - (size_t)(name - path);
        if (n == 0 || n >= sizeof(call->request_model))
            continue;
        memcpy(call->request_model, name, n);
        call->request_model[n] = '\0';
        call->style = INF_STYLE_GOOGLE;
        call->operation = google[i].operation;
        call->stream = google[i].stream;
        call->provider = "google";
        return true;
    }
    return false;
}

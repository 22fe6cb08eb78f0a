/* A whole receiver, in this process, over its socket: queries, cookies, batches, bodies, raw requests. The first byte
 * says which. It must answer, or close the connection, and go on. */
#include "fuzz/fuzz.h"
#include "receiver/running.h"

static struct running receiver;

static void end(void)
{
    stop(&receiver);
    remove_tree(receiver.dir);
}

static void start(void)
{
    make_dir(&receiver);
    add_agent(&receiver, "Fuzzer", AGENT);
    start_with(&receiver, NULL);
    atexit(end);
}

/* Without what would end a header line or the request line. */
static char *one_line(const uint8_t *data, size_t size, bool spaces)
{
    char *text = text_of(data, size);
    size_t n = 0;
    for (size_t i = 0; i < size && n < 4000; i++)
        if (data[i] > ' ' || (spaces && data[i] == ' '))
            text[n++] = (char)data[i];
    text[n] = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!receiver.receiver)
        start();
    if (size == 0)
        return 0;
    if (receiver.c.fd < 0)
        receiver.c = http_open(receiver.port);
    MUST(receiver.c.fd >= 0);
    static const char *const lists[] = {"/api/v1/traces?", "/api/v1/agents?", "/",
                                        "/api/v1/traces/", "/api/v1/stats?",  "/api/v1/sessions?",
                                        "/api/v1/values?", "/api/v1/prompts/"};
    static const char *const names[] = {"Infinium-Extra", "Infinium-Counts", "Authorization", "Host",
                                        "If-None-Match",  "Accept-Encoding", "X-CSRF-Token",  "Idempotency-Key"};
    char target[4200], headers[4600];
    const uint8_t *rest = data + 1;
    size_t length = size - 1;
    char *line = one_line(rest, length, data[0] % 8 == 2);
    answer a = {.status = 200};
    switch (data[0] % 8) {
    case 0:
    case 1:
        snprintf(target, sizeof(target), "%s%s", lists[data[0] / 8 % 8], line);
        a = http_ask(&receiver.c, "GET", target, receiver.bearer, NULL, 0);
        break;
    case 2:
        snprintf(headers, sizeof(headers), "Cookie: %s\r\n", line);
        a = http_ask(&receiver.c, "GET", "/api/v1/session", headers, NULL, 0);
        break;
    case 3:
        a = http_ask(&receiver.c, "POST", POST_PATH, JSON, rest, length);
        break;
    case 4:
    case 5:
        snprintf(headers, sizeof(headers), "%sContent-Type: application/x-ndjson\r\n%s", KEYS,
                 data[0] % 8 == 5 ? "Content-Encoding: zstd\r\n" : "");
        a = http_ask(&receiver.c, "POST", BATCH_PATH, headers, rest, length);
        break;
    case 6:
        snprintf(headers, sizeof(headers), "%sContent-Type: application/json\r\n%s: %s\r\n", KEYS,
                 names[data[0] / 8 % 8], line);
        a = http_ask(&receiver.c, "POST", POST_PATH, headers, "{\"name\":\"x\",\"duration\":1}", 25);
        break;
    case 7: /* as it is; then a whole request, which must be answered on a fresh connection */
        (void)http_send(&receiver.c, rest, length);
        http_close(&receiver.c);
        receiver.c = http_open(receiver.port);
        MUST(receiver.c.fd >= 0);
        a = http_ask(&receiver.c, "GET", "/api/v1/session", receiver.bearer, NULL, 0);
        MUST(a.status != 0);
        break;
    }
    if (a.status == 0 || (a.status >= 400 && http_header(&a, "Connection"))) /* refused before it was read to its end */
        http_close(&receiver.c);
    MUST(a.status == 0 || (a.status >= 200 && a.status < 500) || a.status == 503);
    free(line);
    return 0;
}

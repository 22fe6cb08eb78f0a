/* The content moderator in C: inf_watch_curl() records the calls that a handle makes; the function that asks does not
 * know of it. */
#include <infinium_curl.h>

#include "chat.h"
#include "program.h"

static inf_client *client;
static CURL *openai;

/* The verdict in static memory, or NULL. */
static INF_TRACED(client, "Content Moderator (C)", const char *, moderate, (const char *, content))
{
    static char verdict[1024];
    char question[1024];
    snprintf(question, sizeof(question), "Moderate this: %s", content);
    if (chat_ask(openai, NULL, question, verdict, sizeof(verdict), NULL) == 0)
        return verdict;
    inf_error("ModelError", "%s", verdict);
    return NULL;
}

int main(void)
{
    static const char *const contents[] = {"Have a nice day!", "Buy now, only today, click here"};
    int failed = 0;
    client = program_open("content_moderator");
    if (!client)
        return 1;
    openai = inf_watch_curl(curl_easy_init());
    for (size_t i = 0; i < sizeof(contents) / sizeof(*contents); i++) {
        const char *verdict = moderate(contents[i]);
        printf("%s\n", verdict ? verdict : "no verdict");
        failed |= !verdict;
    }
    inf_unwatch_curl(openai);
    curl_easy_cleanup(openai);
    return program_close("content_moderator", client, failed);
}

/* One agent calls another: each is a trace of its own, and the inner one knows its parent. */
#include <infinium_curl.h>

#include "chat.h"
#include "program.h"

static inf_client *client;
static CURL *openai;

static INF_TRACED(client, "Inner Agent (C)", const char *, inner, (const char *, data))
{
    static char answer[1024];
    if (chat_ask(openai, NULL, data, answer, sizeof(answer), NULL) == 0)
        return answer;
    inf_error("ModelError", "%s", answer);
    return NULL;
}

static INF_TRACED(client, "Outer Agent (C)", const char *, outer)
{
    return inner("sub-task data");
}

int main(void)
{
    client = program_open("nested_agents");
    if (!client)
        return 1;
    openai = inf_watch_curl(curl_easy_init());
    const char *answer = outer();
    printf("%s\n", answer ? answer : "no answer");
    inf_unwatch_curl(openai);
    curl_easy_cleanup(openai);
    return program_close("nested_agents", client, !answer);
}

/* A research agent in C: a step for the search, and two calls of a language model that inf_watch_curl() records with
 * their models, tokens and latency. */
#include <infinium_curl.h>
#include <time.h>

#include "chat.h"
#include "program.h"

static inf_client *client;
static CURL *openai;

static void search_database(const char *query, char *results, size_t size)
{
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* as long as an index would take */
    snprintf(results, size, "Agents that use tools (2025); Small models on devices (2026); asked: %s", query);
}

/* The summary in static memory, or NULL. */
static INF_TRACED(client, "Research Agent (C)", const char *, research, (const char *, query))
{
    static char results[1024], analysis[4096], summary[4096];
    INF_STEP("search", "Search the database")
    {
        inf_step_input("%s", query);
        search_database(query, results, sizeof(results));
        inf_step_output("%s", results);
    }
    if (chat_ask(openai, "Analyze these results.", results, analysis, sizeof(analysis), NULL) != 0) {
        inf_error("ModelError", "%s", analysis);
        return NULL;
    }
    if (chat_ask(openai, "Summarize this analysis.", analysis, summary, sizeof(summary), NULL) != 0) {
        inf_error("ModelError", "%s", summary);
        return NULL;
    }
    return summary;
}

int main(void)
{
    client = program_open("research_agent");
    if (!client)
        return 1;
    openai = inf_watch_curl(curl_easy_init());
    const char *summary = research("What are the latest trends in AI?");
    printf("%s\n", summary ? summary : "no summary");
    inf_unwatch_curl(openai);
    curl_easy_cleanup(openai);
    return program_close("research_agent", client, !summary);
}

/* Sample traces: see samples.h. What their language model says is made up here, as their names say. */
#include "samples.h"

#include <stdio.h>
#include <time.h>

#include "infinium.h"
#include "model/record.h"

#define SEND_TIMEOUT_MS 10000

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000L};
    nanosleep(&pause, NULL);
}

static void sample_call(const char *question, const char *answer, long ms, int64_t tokens_in, int64_t tokens_out)
{
    pause_ms(ms);
    inf_llm_call call = {
        .provider = "sample",
        .model = "made-up-1",
        .prompt_tokens = tokens_in,
        .completion_tokens = tokens_out,
        .latency_ns = (int64_t)ms * 1000000,
        .input_preview = question,
        .output_preview = answer,
    };
    inf_record_llm_call(&call);
}

static void classifier(inf_client *client)
{
    INF_TRACE(client, "Sample: Email Classifier")
    {
        inf_input("I was charged twice this month.");
        sample_call("[user] I was charged twice this month.", "billing", 40, 21, 3);
        inf_output("billing");
    }
}

static void researcher(inf_client *client)
{
    INF_TRACE(client, "Sample: Research Agent")
    {
        inf_input("What are the latest trends in AI?");
        sample_call("[system] Analyze these results.", "Three themes.", 60, 210, 44);
        INF_TRACE(client, "Sample: Summary")
        {
            inf_input("Three themes.");
            sample_call("[system] Summarize this analysis.", "Agents, small models, evaluation.", 30, 60, 12);
            inf_output("Agents, small models, evaluation.");
        }
        inf_output("Agents, small models, evaluation.");
    }
}

static void failing(inf_client *client)
{
    INF_TRACE(client, "Sample: Risky Operation")
    {
        inf_input("reference %d", 17);
        inf_error("ValueError", "something went wrong");
    }
}

int cli_send_samples(const char *agent_id, const char *secret, const char *base_url, const char *journal_dir,
                     cli_expected *expected)
{
    inf_client *client;
    inf_options options = INF_OPTIONS_INIT;
    options.agent_id = agent_id;
    options.agent_secret = secret;
    options.base_url = base_url;
    options.journal_dir = journal_dir;
    int error = inf_open(&client, &options);
    if (error)
        return error;
    cli_expected_add(expected, 1, INF_STATUS_OK, "Sample: Email Classifier");
    cli_expected_add(expected, 1, INF_STATUS_OK, "Sample: Research Agent");
    cli_expected_add(expected, 1, INF_STATUS_OK, "Sample: Summary");
    cli_expected_add(expected, 1, INF_STATUS_ERROR, "Sample: Risky Operation");
    classifier(client);
    researcher(client);
    failing(client);
    return inf_close(client, SEND_TIMEOUT_MS);
}

/* The email classifier in C: a block under INF_TRACE is a trace, and ends however the block is left. The call of the
 * language model is recorded by hand here, for programs whose HTTP is not libcurl's; content_moderator.c and
 * research_agent.c let inf_watch_curl() do it, and INF_TRACED capture arguments and results.
 *
 * Without OPENAI_BASE_URL a line of this program stands in for the model. */
#include <stdint.h>
#include <time.h>

#include "chat.h"
#include "program.h"

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Asks the model and records the call. 0 and the label, or -1. */
static int ask_model(const char *email, char *label, size_t size)
{
    inf_llm_call call = {.provider = "openai", .model = CHAT_MODEL, .input_preview = email, .operation = "chat"};
    struct chat_usage usage = {0};
    int64_t start = now_ns();
    int result = 0;
    if (getenv("OPENAI_BASE_URL")) {
        CURL *curl = curl_easy_init();
        result = chat_ask(curl, "Classify this email. Return JSON.", email, label, size, &usage);
        curl_easy_cleanup(curl);
    } else {
        snprintf(label, size, "{\"label\": \"%s\"}", strstr(email, "charged") ? "billing" : "other");
    }
    call.latency_ns = now_ns() - start;
    if (result == 0) {
        call.output_preview = label;
        call.prompt_tokens = usage.prompt_tokens;
        call.completion_tokens = usage.completion_tokens;
    } else {
        call.error_type = "ModelError";
        call.error_message = label;
    }
    inf_record_llm_call(&call);
    return result;
}

static int classify_email(inf_client *client, const char *email)
{
    INF_TRACE(client, "Email Classifier (C)")
    {
        char label[512] = "";
        inf_input("%s", email);
        if (ask_model(email, label, sizeof(label)) != 0) {
            inf_error("ModelError", "the model did not answer: %s", label);
            return -1; /* the trace ends here as well */
        }
        inf_output("%s", label);
        printf("%s\n", label);
    }
    return 0;
}

int main(void)
{
    static const char *const emails[] = {
        "I was charged twice this month, please refund one payment.",
        "The app crashes when I open the settings.",
        "Could we have a demo for twelve people next week?",
    };
    int failed = 0;
    inf_client *client = program_open("email_classifier");
    if (!client)
        return 1;
    for (size_t i = 0; i < sizeof(emails) / sizeof(*emails); i++)
        failed |= classify_email(client, emails[i]) != 0;
    return program_close("email_classifier", client, failed);
}

/* One call of a language model as it is seen from outside: what a request asked for and what an answer said.
 *
 * Nothing here trusts a byte: bodies are bounded by who reads them (curl.c), numbers and texts are checked and cut.
 * This room knows the shapes of three providers' APIs and HTTP's framing; it does not know libcurl's headers. */
#ifndef INF_WATCH_CALL_H
#define INF_WATCH_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json_read.h"

enum inf_style {
    INF_STYLE_NONE, /* no call of a model */
    INF_STYLE_OPENAI,
    INF_STYLE_RESPONSES, /* OpenAI's /responses */
    INF_STYLE_ANTHROPIC,
    INF_STYLE_GOOGLE
};

#define INF_CALL_NAME 200
#define INF_CALL_INPUT_BYTES (4 * 500)
#define INF_CALL_OUTPUT_BYTES (4 * 1500)

typedef struct inf_call {
    enum inf_style style;
    const char *provider;  /* static */
    const char *operation; /* static */
    bool content;          /* previews are wanted */
    bool stream;
    bool complete; /* a stream that has said so */
    char request_model[INF_CALL_NAME], model[INF_CALL_NAME], response_id[INF_CALL_NAME], finish_reason[INF_CALL_NAME];
    int64_t prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, max_tokens;
    int64_t uncached_tokens; /* Anthropic's input_tokens */
    double temperature;
    bool has_temperature;
    inf_buf input, output; /* previews; text over the limit is left out */
    char error_type[INF_CALL_NAME];
    char error_message[1000];
} inf_call;

void inf_call_init(inf_call *call);
void inf_call_free(inf_call *call);

/* Recognises a POST by host and path (with query; NUL-terminated); fills style, provider, operation, and what a Google
 * path says. False: no call of a model. */
bool inf_call_recognise(inf_call *call, const char *host, const char *path);

/* Takes what the request's body says. A body that was cut, or is no JSON, gives at most the model. */
void inf_call_request(inf_call *call, inf_json *parser, const void *body, size_t length);

/* Takes a whole answer, or one event of a stream. Malformed: nothing. */
void inf_call_answer(inf_call *call, inf_json *parser, const void *body, size_t length);
void inf_call_event(inf_call *call, inf_json *parser, const void *data, size_t length);

#endif

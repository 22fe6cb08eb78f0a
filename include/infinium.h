/* libinfinium: tracing for AI agents, in C.
 *
 * A traced call costs its caller well under a microsecond: it appends bytes to a memory-mapped, crash-safe journal. A
 * background thread sends them. Nothing here waits for the network except inf_flush() and inf_close(), and those only
 * as long as they are told to. No function aborts; every failure is a negative INF_E... value or is counted.
 *
 * Unless a comment says otherwise: functions may be called from any thread; text is NUL-terminated UTF-8, copied before
 * the call returns (invalid bytes are replaced by U+FFFD); times are in the unit that the name ends with. */
#ifndef INFINIUM_H
#define INFINIUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define INF_API __attribute__((visibility("default")))
#define INF_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define INF_API
#define INF_PRINTF(f, a)
#endif

#define INF_VERSION "0.1.0"

/* Every error there is: name, value, message. The enum, inf_strerror() and the docs come from this one table. */
#define INF_ERRORS(X)                                                                                                  \
    X(INF_EINVAL, -1, "an argument is not valid")                                                                      \
    X(INF_ENOMEM, -2, "out of memory")                                                                                 \
    X(INF_EIO, -3, "a file could not be read or written")                                                              \
    X(INF_EFULL, -4, "the journal has reached its size limit")                                                         \
    X(INF_E2BIG, -5, "too large")                                                                                      \
    X(INF_ETIMEDOUT, -6, "not done within the time limit")                                                             \
    X(INF_EAUTH, -7, "the receiver does not accept the agent's id and secret")                                         \
    X(INF_ENET, -8, "the receiver cannot be reached")                                                                  \
    X(INF_EBADMSG, -9, "malformed data")                                                                               \
    X(INF_ECLOSED, -10, "the client is closed")                                                                        \
    X(INF_EACCES, -11, "permission denied")                                                                            \
    X(INF_ENOTFOUND, -12, "not found")                                                                                 \
    X(INF_EEXIST, -13, "exists already")                                                                               \
    X(INF_ENOSPC, -14, "no space left on the device")                                                                  \
    X(INF_ESYS, -15, "the system refused a resource")                                                                  \
    X(INF_EVERSION, -16, "written by another version of this library")

enum inf_error_code {
    INF_OK = 0,
#define X(name, value, text) name = value,
    INF_ERRORS(X)
#undef X
};

/* A static, never-NULL message for a value that a function here returned. */
INF_API const char *inf_strerror(int error);

/* All members zero; {0} makes C++ compilers warn of the others. */
#ifdef __cplusplus
#define INF_ZERO_                                                                                                      \
    {                                                                                                                  \
    }
#else
#define INF_ZERO_                                                                                                      \
    {                                                                                                                  \
        0                                                                                                              \
    }
#endif

typedef struct inf_client inf_client;
typedef struct inf_trace inf_trace;

/* Start from INF_OPTIONS_INIT; a zero or NULL member means its default. */
typedef struct inf_options {
    const char *agent_id;       /* NULL: environment INFINIUM_AGENT_ID */
    const char *agent_secret;   /* NULL: environment INFINIUM_AGENT_SECRET */
    const char *base_url;       /* NULL: environment INFINIUM_BASE_URL, else https://platform.i42m.ai/api/v1 */
    const char *journal_dir;    /* NULL: INFINIUM_JOURNAL_DIR, else $XDG_STATE_HOME/infinium/journal */
    int journal_memory;         /* 1: keep no files (so does INFINIUM_JOURNAL=memory) */
    uint64_t journal_max_bytes; /* 0: 256 MiB */
    double requests_per_second; /* 0: 10, or what a receiver with batches offers; negative: no limit. Delays the sender,
                                 * never the caller. */
    int timeout_ms;             /* one request; 0: 30,000 */
    const char *user_agent;     /* NULL: "infinium-c/" INF_VERSION */
    int verify_tls;             /* 0: yes; -1: no */
    int mask_secrets; /* passwords, tokens and keys in texts become "[masked]". 0: yes; -1: no, as INFINIUM_MASK=0 */
} inf_options;
#define INF_OPTIONS_INIT INF_ZERO_

/* Traces of this client, since inf_open(), in this process. At any instant, and in whatever thread it is asked for,
 *   begun = open + finished,   finished = pending + acknowledged + set_aside + refused,   pending = queued + sent. */
typedef struct inf_counts {
    uint64_t begun;
    uint64_t open;         /* begun, not ended */
    uint64_t finished;     /* ended, whatever became of them */
    uint64_t pending;      /* ended and kept, not yet acknowledged */
    uint64_t acknowledged; /* the receiver has them */
    uint64_t set_aside;    /* the receiver refused them for good; kept in rejected.ndjson of the journal directory */
    uint64_t refused;      /* lost: the journal was full, or had to be kept in memory and the process ended */
    uint64_t adopted;      /* traces of dead processes delivered by this client (not part of begun) */
    uint64_t interrupted;  /* of those, the ones that had not ended */
    uint64_t requests;
    uint64_t retries;
    uint64_t queued; /* of pending: waiting in the journal */
    uint64_t sent;   /* of pending: on their way, the receiver has not answered yet */
} inf_counts;

/* Opens a client. The sender thread starts with the first trace, or at once when there are journals of other processes
 * of this agent, which may have left traces to deliver. Returns INF_OK and *out (owned by the caller, given
 * back with inf_close()), or INF_EINVAL (id shorter than 3 or secret shorter than 8 characters, bad URL), INF_ENOMEM.
 * A journal directory that cannot be used is no error: the journal is kept in memory, the log says so once. */
INF_API int inf_open(inf_client **out, const inf_options *options);

/* Waits until every trace that had ended before the call is acknowledged or set aside, those that dead processes left
 * included, at most timeout_ms (negative: 30 s). Returns INF_OK or INF_ETIMEDOUT; fills *out when it is not NULL. */
INF_API int inf_flush(inf_client *client, int timeout_ms, inf_counts *out);

/* Flushes (as inf_flush), then frees the client. What could not be delivered stays in the journal for the next client
 * of the same agent. No other thread may use the client any more. NULL is allowed. */
INF_API int inf_close(inf_client *client, int timeout_ms);

INF_API void inf_stats(inf_client *client, inf_counts *out);

/* ---- traces ---- */

/* Begins a trace, child of the thread's current trace if there is one, and makes it the thread's current trace. Never
 * NULL: without memory it returns a trace that records nothing. Without a client (NULL) the trace is built like any
 * other and never sent: read it with inf_trace_json() or inf_trace_end_json(). */
INF_API inf_trace *inf_trace_begin(inf_client *client, const char *name);

/* Start from INF_TRACE_OPTIONS_INIT; zero or NULL: nothing of the kind. */
typedef struct inf_trace_options {
    const char *description; /* at most 10,000 characters are kept */
    const char *session_id;
    const char *user_id;
    int no_send; /* 1: built, never sent, whatever the client (auto_send off); not counted in inf_counts */
} inf_trace_options;
#define INF_TRACE_OPTIONS_INIT INF_ZERO_

/* inf_trace_begin() with options, which are copied; NULL: none. */
INF_API inf_trace *inf_trace_begin_with(inf_client *client, const char *name, const inf_trace_options *options);

/* Ends the trace, and the steps of this thread that are still open in it, and restores the trace that was current
 * before. Ends it as an error if inf_error() was called. The handle is not valid any more. NULL is allowed. */
INF_API void inf_trace_end(inf_trace *trace);

/* Ends the trace as inf_trace_end() does and returns it as it is sent: the published body as JSON, with the batch
 * wire's members (docs/wire.md) when `extras` is not 0. NUL-terminated; *length (may be NULL) without the NUL. The
 * caller frees it with free(). NULL without memory (the trace has ended all the same). */
INF_API char *inf_trace_end_json(inf_trace *trace, int extras, size_t *length);

/* The same of a trace that goes on: as it is now, the duration so far. */
INF_API char *inf_trace_json(const inf_trace *trace, int extras, size_t *length);

/* The thread's current trace, or NULL. */
INF_API inf_trace *inf_current(void);

/* The trace's id, 32 hexadecimal digits and a NUL, written to `out`. */
INF_API void inf_trace_id(const inf_trace *trace, char out[33]);

/* ---- what a trace says; each on the thread's current trace, without one they do nothing ---- */

/* printf formats, or bytes. 3,000 characters of input and 8,000 of output are kept; the last one given counts. */
INF_API void inf_input(const char *format, ...) INF_PRINTF(1, 2);
INF_API void inf_input_bytes(const void *data, size_t length);
INF_API void inf_output(const char *format, ...) INF_PRINTF(1, 2);
INF_API void inf_output_bytes(const void *data, size_t length);

/* The trace has failed (it goes on until it is ended, and ends as an error). `type` names the kind of error ("Error"
 * for NULL, 200 characters), the message keeps 8,000 characters and may be NULL. Up to 24 return addresses of the
 * caller are kept, of the first four errors; their names are looked up when the trace ends. Inside a step the step has
 * the error too. */
INF_API void inf_error(const char *type, const char *format, ...) INF_PRINTF(2, 3);

/* NULL is ignored. A tag keeps 200 characters, a description 10,000, ids 500. Tags and scores add up; of the others the
 * last one counts. `comment` may be NULL. */
INF_API void inf_description(const char *text);
INF_API void inf_tag(const char *tag);
INF_API void inf_session_id(const char *id);
INF_API void inf_user_id(const char *id);
INF_API void inf_score(const char *name, double value, const char *comment);

/* A JSON object, at most 64 KiB; replaces the one given before. INF_OK, or, with nothing recorded, INF_EINVAL (NULL, no
 * object), INF_EBADMSG (not JSON), INF_E2BIG, INF_ENOMEM. Checked in any case, also without a trace. */
INF_API int inf_metadata(const char *json);

/* One call of a language model. Start from zero; zero or NULL: not known. Previews keep 500 and 1,500 characters. */
typedef struct inf_llm_call {
    const char *provider;
    const char *model;         /* the one that answered; where not known, the one asked for */
    int64_t prompt_tokens;     /* cached ones included */
    int64_t completion_tokens; /* reasoning included */
    int64_t latency_ns;
    const char *input_preview;
    const char *output_preview;
    const char *error_type;
    const char *error_message;
    const char *request_model; /* the one asked for */
    const char *response_id;
    const char *finish_reason;
    int64_t cached_tokens;      /* of prompt_tokens: read from a cache */
    int64_t cache_write_tokens; /* of prompt_tokens: written to a cache */
    int64_t reasoning_tokens;   /* of completion_tokens */
    int64_t max_tokens;
    int64_t time_to_first_chunk_ns;
    double temperature;
    int has_temperature; /* 1: `temperature` counts, 0 included */
    int stream;          /* 1: the answer came in chunks */
    const char *purpose;
    const char *operation; /* "chat", "embeddings" ... */
} inf_llm_call;

/* `size` is sizeof(*call) where the program was compiled: a library of a later version, whose struct has more members,
 * takes those as not known. Call inf_record_llm_call(). */
INF_API void inf_record_llm_call_sized(const inf_llm_call *call, size_t size);
static inline void inf_record_llm_call(const inf_llm_call *call)
{
    inf_record_llm_call_sized(call, sizeof(*call));
}

/* One use of a tool. Start from zero; zero or NULL: not known. Summaries keep 1,500 characters. Inside a step that has
 * no tool call yet it becomes the step's, otherwise it is a step of its own ("tool_call"). */
typedef struct inf_tool_call {
    const char *name;
    int64_t duration_ns;
    const char *input;
    const char *output;
    const char *error_type;
    const char *error_message;
    int http_status;
} inf_tool_call;
INF_API void inf_record_tool_call_sized(const inf_tool_call *call, size_t size);
static inline void inf_record_tool_call(const inf_tool_call *call)
{
    inf_record_tool_call_sized(call, sizeof(*call));
}

/* ---- steps: parts of a trace, with a duration of their own ---- */

typedef struct inf_step inf_step;

/* Begins a step of the thread's current trace, within the step that is open on this thread. It is recorded when it
 * ends. Never NULL; without a trace it records nothing. `action` is a short word ("search"), `description` a sentence
 * (500 characters); NULL is allowed. */
INF_API inf_step *inf_step_begin(const char *action, const char *description);

/* Any thread, once. */
INF_API void inf_step_end(inf_step *step);

/* On the thread's innermost open step; 1,500 characters are kept. */
INF_API void inf_step_input(const char *format, ...) INF_PRINTF(1, 2);
INF_API void inf_step_output(const char *format, ...) INF_PRINTF(1, 2);

/* The step has failed, the trace has not. */
INF_API void inf_step_error(const char *type, const char *format, ...) INF_PRINTF(2, 3);

/* ---- fibres and thread pools ---- */

/* What is current on a thread. Copy it freely; INF_CONTEXT_NONE is "nothing". */
typedef struct inf_context {
    inf_trace *trace;
    inf_step *step;
} inf_context;
#ifdef __cplusplus
#define INF_CONTEXT_NONE (inf_context{nullptr, nullptr})
#else
#define INF_CONTEXT_NONE ((inf_context){0})
#endif

/* The calling thread's context. From here on the trace may be used by several threads at once (a lock of its own guards
 * it). Valid until the trace, or the step, ends: a task takes it over with inf_context_set() before that. */
INF_API inf_context inf_context_get(void);

/* Makes `context` the calling thread's and returns what it was before; put that back when the task is done. A trace
 * that ends elsewhere meanwhile is no harm: what is recorded on it then is dropped. a pool:   before =
 * inf_context_set(task->context); run(task); inf_context_set(before); fibres:   at each switch, fibre->context =
 * inf_context_set(next->context); */
INF_API inf_context inf_context_set(inf_context context);

/* ---- scopes ---- */

/* INF_TRACE(client, "name") { ... }: a scope that is one trace. INF_STEP("action", "description") { ... }: a step of
 * it. Both end with the block, on return, break (which leaves the block, not a loop around it) and goto too. In C++ an
 * exception that leaves the block makes it an error. */
#define INF_TRACE(client, name) INF_SCOPE_(inf_trace, inf_trace_begin((client), (name)), __COUNTER__)
#define INF_TRACE_WITH(client, name, options)                                                                          \
    INF_SCOPE_(inf_trace, inf_trace_begin_with((client), (name), (options)), __COUNTER__)
#define INF_STEP(action, description) INF_SCOPE_(inf_step, inf_step_begin((action), (description)), __COUNTER__)

#define INF_SCOPE_(type, begin, line) INF_SCOPE_AT_(type, begin, line)

/* What the macros call; private, as is everything that ends in an underscore. */
INF_API void inf_exception_(inf_trace *trace, inf_step *step, const char *type, const char *message);

#ifdef __cplusplus
}

#include <exception>

struct inf_trace_scope_ {
    inf_trace *const it;
    bool once = true;
    const int exceptions = std::uncaught_exceptions();
    explicit inf_trace_scope_(inf_trace *t) : it(t)
    {
    }
    inf_trace_scope_(const inf_trace_scope_ &) = delete;
    inf_trace_scope_ &operator=(const inf_trace_scope_ &) = delete;
    ~inf_trace_scope_()
    {
        if (std::uncaught_exceptions() > exceptions)
            inf_exception_(it, nullptr, "exception", "a C++ exception left the scope");
        inf_trace_end(it);
    }
};
struct inf_step_scope_ {
    inf_step *const it;
    bool once = true;
    const int exceptions = std::uncaught_exceptions();
    explicit inf_step_scope_(inf_step *s) : it(s)
    {
    }
    inf_step_scope_(const inf_step_scope_ &) = delete;
    inf_step_scope_ &operator=(const inf_step_scope_ &) = delete;
    ~inf_step_scope_()
    {
        if (std::uncaught_exceptions() > exceptions)
            inf_exception_(nullptr, it, "exception", "a C++ exception left the step");
        inf_step_end(it);
    }
};
#define INF_SCOPE_AT_(type, begin, line)                                                                               \
    for (type##_scope_ inf_scope_##line##_{begin}; inf_scope_##line##_.once; inf_scope_##line##_.once = false)

extern "C" {
#else
#define INF_SCOPE_AT_(type, begin, line)                                                                               \
    for (type * inf_scope_##line##_                                                                                    \
             __attribute__((cleanup(type##_scope_end_), unused)) = (begin),                                            \
                                                        *inf_once_##line##_ = inf_scope_##line##_;                     \
         inf_once_##line##_; inf_once_##line##_ = NULL)

static inline void inf_trace_scope_end_(inf_trace **trace)
{
    inf_trace_end(*trace);
}

static inline void inf_step_scope_end_(inf_step **step)
{
    inf_step_end(*step);
}
#endif

#ifdef __cplusplus
}
#endif

#include "infinium_traced.h" /* INF_TRACED: a function whose calls are traces */
#endif

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
    X(INF_ESYS, -15, "the system refused a resource")

enum inf_error_code {
    INF_OK = 0,
#define X(name, value, text) name = value,
    INF_ERRORS(X)
#undef X
};

/* A static, never-NULL message for a value that a function here returned. */
INF_API const char *inf_strerror(int error);

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
    double requests_per_second; /* 0: 10; negative: no limit. Delays the sender, never the caller. */
    int timeout_ms;             /* one request; 0: 30,000 */
    const char *user_agent;     /* NULL: "infinium-c/" INF_VERSION */
    int verify_tls;             /* 0: yes; -1: no */
} inf_options;
#define INF_OPTIONS_INIT                                                                                               \
    {                                                                                                                  \
        0                                                                                                              \
    }

/* Traces of this client, since inf_open(). At any instant
 *   begun = open + pending + acknowledged + set_aside + refused. */
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

/* Begins a trace, child of the thread's current trace if there is one, and makes it the thread's current trace. Never
 * NULL: without memory it returns a trace that records nothing. */
INF_API inf_trace *inf_trace_begin(inf_client *client, const char *name);

/* Ends the trace and restores the trace that was current before. Ends it as an error if inf_error() was called. */
INF_API void inf_trace_end(inf_trace *trace);

/* The thread's current trace, or NULL. */
INF_API inf_trace *inf_current(void);

/* The trace's id, 32 hexadecimal digits and a NUL, written to `out`. */
INF_API void inf_trace_id(const inf_trace *trace, char out[33]);

/* On the thread's current trace; without one they do nothing. printf formats. */
INF_API void inf_input(const char *format, ...) INF_PRINTF(1, 2);
INF_API void inf_output(const char *format, ...) INF_PRINTF(1, 2);
INF_API void inf_error(const char *type, const char *format, ...) INF_PRINTF(2, 3);

/* One call of a language model, recorded on the thread's current trace. Zero or NULL: not known. */
typedef struct inf_llm_call {
    const char *provider;
    const char *model;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t latency_ns;
    const char *input_preview;
    const char *output_preview;
    const char *error_type;
    const char *error_message;
} inf_llm_call;
INF_API void inf_record_llm_call(const inf_llm_call *call);

/* INF_TRACE(client, "name") { ... }: a scope that is one trace; ends with the block, on return, break and goto too. */
#define INF_TRACE(client, name)                                                                                        \
    for (inf_trace * inf_scope_                                                                                        \
             __attribute__((cleanup(inf_trace_scope_end_), unused)) = inf_trace_begin((client), (name)),               \
                                                           *inf_once_ = inf_scope_;                                    \
         inf_once_; inf_once_ = NULL)

static inline void inf_trace_scope_end_(inf_trace **trace)
{
    if (*trace)
        inf_trace_end(*trace);
}

#ifdef __cplusplus
}
#endif

#include "infinium_traced.h" /* INF_TRACED: a function whose calls are traces */
#endif

/* A trace as bytes: what a journal record of a trace holds.
 *
 * A trace is a fixed head and a run of fields. Each field is one tag byte, a 32-bit little-endian length and that many
 * bytes; a field of a group kind holds fields itself. The same fields are appended three times over a trace's life:
 *
 *   INF_RECORD_BEGIN   head + the fields known at the start (definition, input)
 *   INF_RECORD_EVENT   head + one or more fields that came up meanwhile (step, LLM call, error, tag ...)
 *   INF_RECORD_END     head + ALL fields: an END record needs no other record to be understood
 *
 * A trace without END is rebuilt as BEGIN's fields followed by its EVENTs' fields, in journal order.
 * All integers are little-endian. All text is UTF-8 (the writer guarantees it). Unknown tags are skipped by readers.
 * This room knows nothing of files, threads or the network. */
#ifndef INF_MODEL_RECORD_H
#define INF_MODEL_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Journal record types (the journal itself gives them no meaning). */
enum inf_record_type {
    INF_RECORD_BEGIN = 1,
    INF_RECORD_EVENT = 2,
    INF_RECORD_END = 3,
    INF_RECORD_INGEST = 16, /* receiver: one accepted trace body, see receiver/ingest/ */
};

enum inf_status {
    INF_STATUS_RUNNING = 0,
    INF_STATUS_OK = 1,
    INF_STATUS_ERROR = 2,
    INF_STATUS_INTERRUPTED = 3, /* the process died before the end */
};

/* Bits of the head's flags. */
enum inf_record_flag {
    /* The trace's ERROR is no failure of the program but its being stopped (cancellation, KeyboardInterrupt,
     * SystemExit, a closed coroutine): the wire shows it at the first step only, not among the errors. Bit 0 is
     * INF_RECORD_CARRIED. */
    INF_FLAG_STOPPED = 2,
    INF_FLAG_NO_OUTPUT = 4, /* the output was not to be recorded, so that its absence says nothing */
};

/* The fixed head of every trace record, 64 bytes. */
typedef struct inf_record_head {
    uint8_t trace_id[16];
    uint8_t parent_id[16]; /* all zero: no parent */
    uint64_t started_ns;   /* Unix time, nanoseconds */
    uint64_t duration_ns;  /* END: duration; BEGIN, EVENT: time since the start */
    uint8_t status;        /* enum inf_status */
    uint8_t version;       /* INF_RECORD_VERSION */
    uint16_t flags;
    uint32_t fields_length; /* bytes of fields that follow */
    uint64_t reserved;
} inf_record_head;

#define INF_RECORD_VERSION 1

/* head.flags of a BEGIN record: the sender wrote it, not the traced program. It holds everything that the trace had
 * when the reader was at position head.reserved, so that the records before that may be acknowledged (src/send/open.h).
 */
#define INF_RECORD_CARRIED 1

/* tag, name, kind. Kinds: T text, J raw JSON text, I int64, F double, G group of fields.
 * One flat space: a tag means the same thing on every level where it may occur. */
#define INF_FIELDS(X)                                                                                                  \
    X(1, NAME, T)        /* trace: its name; tool call: tool_name */                                                   \
    X(2, DESCRIPTION, T) /* trace or step */                                                                           \
    X(3, INPUT, T)       /* trace: input_summary; step, LLM or tool call: input preview */                             \
    X(4, OUTPUT, T)      /* trace: output_summary; step, LLM or tool call: output preview */                           \
    X(5, FUNCTION, T)    /* function name; the wire's first step is "Execute <FUNCTION>" */                            \
    X(6, STEP, G)        /* ACTION DESCRIPTION START DURATION INPUT OUTPUT ERROR TOOL_CALL LLM_CALL METADATA */        \
    X(7, LLM_CALL, G)    /* watched call: on the trace; recorded by hand: in a STEP */                                 \
    X(8, TOOL_CALL, G)   /* NAME DURATION INPUT OUTPUT ERROR HTTP_STATUS */                                            \
    X(9, ERROR, G)       /* ERROR_TYPE MESSAGE STACK_TRACE RECOVERABLE RETRY_COUNT ERROR_CODE */                       \
    X(10, PROMPT, G)     /* PROMPT_ID NAME VERSION VARIABLE* FETCHED_AT */                                             \
    X(11, TAG, T)        /* repeated */                                                                                \
    X(12, METADATA, J)   /* a JSON object */                                                                           \
    X(13, SESSION_ID, T)                                                                                               \
    X(14, USER_ID, T)                                                                                                  \
    X(15, RAW_MEMBER, G) /* KEY JSON: a top-level member of the body, verbatim (sections, expected_outcome ...) */     \
    X(16, KEY, T)                                                                                                      \
    X(17, JSON, J)                                                                                                     \
    X(18, PYTHON_VERSION, T)                                                                                           \
    X(19, SDK_VERSION, T)                                                                                              \
    X(20, ACTION, T)                                                                                                   \
    X(21, START, I)    /* nanoseconds since the trace's start */                                                       \
    X(22, DURATION, I) /* nanoseconds */                                                                               \
    X(23, PROVIDER, T)                                                                                                 \
    X(24, MODEL, T) /* the answering model where known, else the requested one */                                      \
    X(25, REQUEST_MODEL, T)                                                                                            \
    X(26, RESPONSE_ID, T)                                                                                              \
    X(27, FINISH_REASON, T)      /* repeated, one per choice */                                                        \
    X(28, PROMPT_TOKENS, I)      /* inclusive of cached ones */                                                        \
    X(29, COMPLETION_TOKENS, I)  /* inclusive of reasoning ones */                                                     \
    X(30, CACHED_TOKENS, I)      /* subset of PROMPT_TOKENS read from a cache */                                       \
    X(31, CACHE_WRITE_TOKENS, I) /* subset of PROMPT_TOKENS written to a cache */                                      \
    X(32, REASONING_TOKENS, I)   /* subset of COMPLETION_TOKENS */                                                     \
    X(33, TEMPERATURE, F)                                                                                              \
    X(34, MAX_TOKENS, I)                                                                                               \
    X(35, TIME_TO_FIRST_CHUNK, I) /* nanoseconds from the request */                                                   \
    X(36, STREAM, I)              /* 1: the answer was streamed */                                                     \
    X(37, PURPOSE, T)                                                                                                  \
    X(38, OPERATION, T) /* chat, embeddings, responses ... (gen_ai.operation.name) */                                  \
    X(39, ERROR_TYPE, T)                                                                                               \
    X(40, MESSAGE, T)                                                                                                  \
    X(41, STACK_TRACE, T)                                                                                              \
    X(42, RECOVERABLE, I)                                                                                              \
    X(43, RETRY_COUNT, I)                                                                                              \
    X(44, ERROR_CODE, T)                                                                                               \
    X(45, HTTP_STATUS, I)                                                                                              \
    X(46, PROMPT_ID, T)                                                                                                \
    X(47, VERSION, I)                                                                                                  \
    X(48, VARIABLE, T) /* repeated: names only, never values */                                                        \
    X(49, FETCHED_AT, T)                                                                                               \
    X(50, SCORE, G) /* NAME VALUE MESSAGE */                                                                           \
    X(51, VALUE, F)                                                                                                    \
    X(52, TRUNCATED, I) /* how many fields were left out because the trace had reached its size limit */

enum inf_tag {
#define X(number, name, kind) INF_TAG_##name = number,
    INF_FIELDS(X)
#undef X
};

#define INF_FIELD_HEADER 5 /* tag + 32-bit length */

#endif

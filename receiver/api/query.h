/* The query string of a request, read by a table: each handler lists the parameters that it takes, and what is not in
 * the list, given twice, empty, no UTF-8 text or out of its range is refused with a 400 that names the parameter and
 * says what is allowed: a filter that is misspelt, or that a script forgot to fill in, must not list everything. */
#ifndef INF_API_QUERY_H
#define INF_API_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"
#include "store/store.h"

enum inf_query_kind {
    INF_QUERY_TEXT,    /* const char *: UTF-8 without NUL, at most `most` characters; lives as long as the request */
    INF_QUERY_ID,      /* inf_query_id: 32 hexadecimal digits or a UUID */
    INF_QUERY_TIME,    /* uint64_t, Unix nanoseconds, never 0 once given: RFC 3339 */
    INF_QUERY_SECONDS, /* uint64_t, nanoseconds: a decimal number of seconds, at most `most` of them */
    INF_QUERY_INT,     /* int64_t from `least` to `most` */
    INF_QUERY_CHOICE,  /* int: the place of the word in `choices`, which is "one|two|three" */
};

typedef struct inf_query_id {
    bool given;
    uint8_t id[16];
} inf_query_id;

/* What is not given keeps the value that it has. */
typedef struct inf_query_parameter {
    const char *name;
    enum inf_query_kind kind;
    void *value; /* as the kind says */
    int64_t least;
    int64_t most;
    const char *choices;
} inf_query_parameter;

/* False when it refused the request. */
bool inf_query_read(inf_request *request, const inf_query_parameter *parameters, size_t count);
#define INF_QUERY_READ(request, parameters)                                                                            \
    inf_query_read(request, parameters, sizeof(parameters) / sizeof((parameters)[0]))

/* ---- which traces: the same parameters wherever traces are chosen ---- */

typedef struct inf_query_traces {
    inf_store_filter filter;
    inf_query_id agent;
    inf_query_id parent;
    int status;
    int64_t limit;
} inf_query_traces;
#define INF_QUERY_TRACES_INIT                                                                                          \
    {                                                                                                                  \
        .filter = INF_STORE_FILTER_INIT, .status = -1, .limit = 50                                                     \
    }

#define INF_QUERY_TEXT_MAX 500                            /* characters, as of a name */
#define INF_QUERY_LIMIT_MAX 500                           /* rows of a page */
#define INF_QUERY_DURATION_MAX 1000000000                 /* seconds */
#define INF_QUERY_STATUSES "running|ok|error|interrupted" /* as enum inf_status counts */

#define INF_QUERY_TRACE_FILTERS(q)                                                                                     \
    {"agent", INF_QUERY_ID, &(q)->agent, 0, 0, NULL},                                                                  \
        {"name", INF_QUERY_TEXT, &(q)->filter.name, 0, INF_QUERY_TEXT_MAX, NULL},                                      \
        {"status", INF_QUERY_CHOICE, &(q)->status, 0, 0, INF_QUERY_STATUSES},                                          \
        {"from", INF_QUERY_TIME, &(q)->filter.from_ns, 0, 0, NULL},                                                    \
        {"to", INF_QUERY_TIME, &(q)->filter.to_ns, 0, 0, NULL},                                                        \
        {"min_duration", INF_QUERY_SECONDS, &(q)->filter.min_duration_ns, 0, INF_QUERY_DURATION_MAX, NULL},            \
        {"max_duration", INF_QUERY_SECONDS, &(q)->filter.max_duration_ns, 0, INF_QUERY_DURATION_MAX, NULL},            \
        {"model", INF_QUERY_TEXT, &(q)->filter.model, 0, INF_QUERY_TEXT_MAX, NULL},                                    \
        {"tag", INF_QUERY_TEXT, &(q)->filter.tag, 0, INF_QUERY_TEXT_MAX, NULL},                                        \
        {"session", INF_QUERY_TEXT, &(q)->filter.session_id, 0, INF_QUERY_TEXT_MAX, NULL},                             \
        {"user", INF_QUERY_TEXT, &(q)->filter.user_id, 0, INF_QUERY_TEXT_MAX, NULL},                                   \
        {"q", INF_QUERY_TEXT, &(q)->filter.text, 0, INF_QUERY_TEXT_MAX, NULL},                                         \
    {                                                                                                                  \
        "parent", INF_QUERY_ID, &(q)->parent, 0, 0, NULL                                                               \
    }

/* Puts what was read into the filter, with what the caller may see. False when it refused the request. */
bool inf_query_settle(inf_request *request, inf_query_traces *traces);

#endif

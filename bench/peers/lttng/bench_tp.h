/* The events of the LTTng-UST bench: a call's begin with its input, its end with its output, or both in one. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER infinium_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./bench_tp.h"

#if !defined(BENCH_TP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define BENCH_TP_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(infinium_bench, begin, LTTNG_UST_TP_ARGS(const char *, name, const char *, input),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_string(name, name) lttng_ust_field_string(input, input)))

LTTNG_UST_TRACEPOINT_EVENT(infinium_bench, end, LTTNG_UST_TP_ARGS(const char *, output),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_string(output, output)))

#endif

#include <lttng/tracepoint-event.h>

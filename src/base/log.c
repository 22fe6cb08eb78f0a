/* See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"

#define MAX_MESSAGE 1000

static void sink_stderr(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    char line[MAX_MESSAGE + 64];
    int n = snprintf(line, sizeof(line), "infinium: %s: %s\n", inf_log_level_name(level), message);
    if (n > 0)
        (void)inf_os_write_all(2, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/* No lock: a child of fork() may log, whatever other threads were doing. */
static _Atomic(inf_log_sink) current_sink = sink_stderr;
static _Atomic(void *) current_context;
static atomic_int current_level = INF_LOG_WARNING;

void inf_log_set_sink(inf_log_sink sink, void *context)
{
    atomic_store(&current_context, context);
    atomic_store(&current_sink, sink ? sink : sink_stderr);
}

void inf_log_set_level(enum inf_log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

const char *inf_log_level_name(enum inf_log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : "error";
}

void inf_log(enum inf_log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&current_level, memory_order_relaxed))
        return;
    char message[MAX_MESSAGE + 1];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (n < 0)
        return;
    for (char *p = message; *p; p++) /* one message is one line, whatever was formatted into it */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    inf_log_sink sink = atomic_load(&current_sink);
    sink(atomic_load(&current_context), level, message);
}

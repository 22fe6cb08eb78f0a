/* The log: one sink that the program may replace. A library must not flood its host's log: what can happen per trace is
 * logged once per cause. Any thread; a sink may be called from several threads at once and must not log itself. */
#ifndef INF_BASE_LOG_H
#define INF_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

enum inf_log_level {
    INF_LOG_DEBUG = 0,
    INF_LOG_INFO = 1,
    INF_LOG_WARNING = 2,
    INF_LOG_ERROR = 3,
};

/* `message` is NUL-terminated, without a line end, valid during the call. */
typedef void (*inf_log_sink)(void *context, enum inf_log_level level, const char *message);

/* Replaces the sink (NULL: the standard one, which writes lines to stderr). Call before threads log, or with a context
 * that stays valid. */
void inf_log_set_sink(inf_log_sink sink, void *context);

/* Messages below `level` are dropped. Initially INF_LOG_WARNING. */
void inf_log_set_level(enum inf_log_level level);
const char *inf_log_level_name(enum inf_log_level level);

/* Formats (cut at 1,000 bytes) and passes to the sink. */
void inf_log(enum inf_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One cause, usually static or a member; zero-initialised. */
typedef struct inf_log_cause {
    atomic_bool said;
} inf_log_cause;

/* True the first time for a cause, and again after inf_log_over(). */
static inline bool inf_log_first(inf_log_cause *cause)
{
    return !atomic_exchange_explicit(&cause->said, true, memory_order_relaxed);
}

/* The cause has gone (the receiver answers again): its next occurrence is news. True when it had been said. */
static inline bool inf_log_over(inf_log_cause *cause)
{
    return atomic_exchange_explicit(&cause->said, false, memory_order_relaxed);
}

/* inf_log_once(&cause, level, format, ...) */
#define inf_log_once(cause, ...)                                                                                       \
    do {                                                                                                               \
        if (inf_log_first(cause))                                                                                      \
            inf_log(__VA_ARGS__);                                                                                      \
    } while (0)

#endif

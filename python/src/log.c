/* What the C side logs, brought to Python's logging.
 *
 * The sender thread must never wait for the GIL, so its lines go into a small ring here, and the next call from Python
 * (a traced call, flush, stats, close, the exit handler) hands them to logging.getLogger("infinium"). */
#include "core.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define LINES 32
#define LINE_BYTES 512

typedef struct log_line {
    int level;
    char text[LINE_BYTES];
} log_line;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static log_line ring[LINES];
static unsigned first, count;

atomic_bool log_waiting;

static void sink(void *context, enum inf_log_level level, const char *message)
{
    (void)context;
    pthread_mutex_lock(&lock);
    if (count < LINES) { /* full: the oldest say more than the newest */
        log_line *line = &ring[(first + count++) % LINES];
        size_t length = strnlen(message, LINE_BYTES - 1);
        line->level = (int)level;
        memcpy(line->text, message, length);
        line->text[length] = '\0';
    }
    pthread_mutex_unlock(&lock);
    atomic_store_explicit(&log_waiting, true, memory_order_release);
}

static bool take(log_line *out)
{
    pthread_mutex_lock(&lock);
    bool some = count > 0;
    if (some) {
        *out = ring[first];
        first = (first + 1) % LINES;
        count--;
    }
    pthread_mutex_unlock(&lock);
    return some;
}

static void lock_ring(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_ring(void)
{
    pthread_mutex_unlock(&lock);
}

/* The sender thread may hold the lock while the program forks. */
static void install_fork(void)
{
    (void)pthread_atfork(lock_ring, unlock_ring, unlock_ring);
}

void log_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, install_fork);
    inf_log_set_sink(sink, NULL);
}

void log_drain(void)
{
    if (!atomic_exchange_explicit(&log_waiting, false, memory_order_acquire))
        return;
    if (runtime_ends()) {
        for (log_line line; take(&line);)
            (void)fprintf(stderr, "%s\n", line.text);
        return;
    }
    saved_error error;
    save_error(&error);
    PyObject *logging = PyImport_ImportModule("logging");
    PyObject *logger = logging ? PyObject_CallMethod(logging, "getLogger", "s", "infinium") : NULL;
    log_line line;
    while (logger && take(&line)) {
        static const int levels[] = {10, 20, 30, 40};
        PyObject *text = PyUnicode_DecodeUTF8(line.text, (Py_ssize_t)strlen(line.text), "replace");
        PyObject *done = text ? PyObject_CallMethod(logger, "log", "isO", levels[line.level & 3], "%s", text) : NULL;
        if (!done)
            swallow_error();
        Py_XDECREF(done);
        Py_XDECREF(text);
    }
    swallow_error();
    Py_XDECREF(logger);
    Py_XDECREF(logging);
    restore_error(&error);
}

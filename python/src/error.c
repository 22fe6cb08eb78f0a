/* An exception as a record: type, message, and the traceback as Python prints it, at most ERROR_STACK_CHARS of it,
 * keeping the end: the line that raised and the message.
 *
 * Written in C because a traceback by way of the traceback module costs fifty times the call that is being traced.
 * Source lines come from linecache, once for each line, and are kept. */
#include "core.h"

#include <string.h>

#define MAX_FRAMES 64       /* of one exception, the innermost ones */
#define MAX_CHAIN 8         /* exceptions, by __cause__ and __context__ */
#define MAX_SOURCE_LINES 2048
#define PART_CHARS 1000     /* a message or a source line inside the traceback */
#define TEXT_BYTES (64 * 1024)

/* A bounded text. What does not fit any more is dropped; the caller sizes it so that only absurd input gets there. */
typedef struct text {
    char *bytes;
    size_t length;
} text;

static void text_add(text *t, const char *bytes, size_t length)
{
    if (length > TEXT_BYTES - t->length)
        length = TEXT_BYTES - t->length;
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
}

static void text_add_string(text *t, const char *string)
{
    text_add(t, string, strlen(string));
}

static void text_add_object(text *t, PyObject *string)
{
    if (string && PyUnicode_Check(string) && TEXT_BYTES - t->length >= 4 * PART_CHARS)
        t->length += capture_text_to(t->bytes + t->length, string, PART_CHARS);
}

static void text_add_int(text *t, long value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%ld", value);
    text_add(t, digits, n > 0 ? (size_t)n : 0);
}

/* The source line without its indentation, or NULL; borrowed. */
static PyObject *source_line(core_state *state, PyObject *file, int line)
{
    PyObject *number = PyLong_FromLong(line);
    PyObject *key = number ? PyTuple_Pack(2, file, number) : NULL;
    PyObject *found = key && state->source_lines ? PyDict_GetItemWithError(state->source_lines, key) : NULL;
    if (!found && key && !PyErr_Occurred()) {
        if (!state->getline) {
            PyObject *linecache = PyImport_ImportModule("linecache");
            state->getline = linecache ? PyObject_GetAttrString(linecache, "getline") : NULL;
            Py_XDECREF(linecache);
        }
        if (!state->source_lines)
            state->source_lines = PyDict_New();
        else if (PyDict_GET_SIZE(state->source_lines) >= MAX_SOURCE_LINES)
            PyDict_Clear(state->source_lines);
        PyObject *raw = state->getline ? PyObject_CallFunctionObjArgs(state->getline, file, number, NULL) : NULL;
        PyObject *stripped = raw ? PyObject_CallMethod(raw, "strip", NULL) : NULL;
        if (stripped && state->source_lines && PyDict_SetItem(state->source_lines, key, stripped) == 0)
            found = stripped; /* the dict keeps it */
        Py_XDECREF(raw);
        Py_XDECREF(stripped);
    }
    PyErr_Clear();
    Py_XDECREF(key);
    Py_XDECREF(number);
    return found;
}

static int traceback_line(PyTracebackObject *tb, PyCodeObject *code)
{
    int line = tb->tb_lineno;
#if PY_VERSION_HEX >= 0x030B0000
    if (line < 0)
        line = PyCode_Addr2Line(code, tb->tb_lasti);
#else
    (void)code;
#endif
    return line;
}

static void add_frames(core_state *state, text *t, PyTracebackObject *tb)
{
    size_t frames = 0;
    for (PyTracebackObject *f = tb; f; f = f->tb_next)
        frames++;
    if (frames > MAX_FRAMES) {
        text_add_string(t, "  [");
        text_add_int(t, (long)(frames - MAX_FRAMES));
        text_add_string(t, " outer frames left out]\n");
    }
    for (; tb; tb = tb->tb_next, frames--) {
        if (frames > MAX_FRAMES)
            continue;
        PyCodeObject *code = PyFrame_GetCode(tb->tb_frame);
        int line = traceback_line(tb, code);
        text_add_string(t, "  File \"");
        text_add_object(t, code->co_filename);
        text_add_string(t, "\", line ");
        text_add_int(t, line);
        text_add_string(t, ", in ");
        text_add_object(t, code->co_name);
        text_add_string(t, "\n");
        PyObject *source = source_line(state, code->co_filename, line);
        if (source && PyUnicode_GET_LENGTH(source)) {
            text_add_string(t, "    ");
            text_add_object(t, source);
            text_add_string(t, "\n");
        }
        Py_DECREF(code);
    }
}

/* str(exc), new reference; NULL when it raised. */
static PyObject *message_of(PyObject *exception)
{
    PyObject *message = PyObject_Str(exception);
    if (!message)
        swallow_error();
    return message;
}

static bool is_text(PyObject *object, const char *text)
{
    return object && PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, text) == 0;
}

/* The last line: "module.Type: message", and the notes that were added to the exception. */
static void add_last_line(text *t, PyObject *exception, PyObject *message)
{
    PyTypeObject *type = Py_TYPE(exception);
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    PyObject *name = PyObject_GetAttrString((PyObject *)type, "__qualname__");
    PyErr_Clear();
    if (module && PyUnicode_Check(module) && !is_text(module, "builtins") && !is_text(module, "__main__")) {
        text_add_object(t, module);
        text_add_string(t, ".");
    }
    if (name && PyUnicode_Check(name))
        text_add_object(t, name);
    else
        text_add_string(t, type->tp_name);
    if (!message) {
        text_add_string(t, ": <exception str() failed>");
    } else if (PyUnicode_GET_LENGTH(message)) {
        text_add_string(t, ": ");
        text_add_object(t, message);
    }
    text_add_string(t, "\n");
    Py_XDECREF(module);
    Py_XDECREF(name);

    PyObject *dict = ((PyBaseExceptionObject *)exception)->dict;
    PyObject *notes = dict ? PyDict_GetItemString(dict, "__notes__") : NULL;
    for (Py_ssize_t i = 0; notes && PyList_Check(notes) && i < PyList_GET_SIZE(notes) && i < 20; i++) {
        text_add_object(t, PyList_GET_ITEM(notes, i));
        text_add_string(t, "\n");
    }
}

static void add_exception(core_state *state, text *t, PyObject *exception, PyObject *traceback, PyObject *message)
{
    if (traceback && PyTraceBack_Check(traceback)) {
        text_add_string(t, "Traceback (most recent call last):\n");
        add_frames(state, t, (PyTracebackObject *)traceback);
    }
    add_last_line(t, exception, message);
}

/* What led to `exception`, oldest first, each followed by the sentence that Python prints between them. */
static void add_chain(core_state *state, text *t, PyObject *exception)
{
    PyObject *chain[MAX_CHAIN];
    bool cause[MAX_CHAIN];
    int length = 0;
    PyObject *current = exception;
    while (length < MAX_CHAIN) {
        PyObject *next = PyException_GetCause(current);
        bool is_cause = next != NULL;
        if (!next && !((PyBaseExceptionObject *)current)->suppress_context)
            next = PyException_GetContext(current);
        if (!next)
            break;
        bool seen = next == exception;
        for (int i = 0; i < length; i++)
            seen |= chain[i] == next;
        if (seen || !PyExceptionInstance_Check(next)) {
            Py_DECREF(next);
            break;
        }
        cause[length] = is_cause;
        chain[length++] = next;
        current = next;
    }
    while (length-- > 0) {
        PyObject *traceback = PyException_GetTraceback(chain[length]);
        PyObject *message = message_of(chain[length]);
        add_exception(state, t, chain[length], traceback, message);
        text_add_string(t, cause[length] ? "\nThe above exception was the direct cause of the following exception:\n\n"
                                         : "\nDuring handling of the above exception, another exception occurred:\n\n");
        Py_XDECREF(message);
        Py_XDECREF(traceback);
        Py_DECREF(chain[length]);
    }
}

/* Keeps the last `chars` characters, "..." and a line break included. */
static void add_stack(inf_trace *trace, text *t, size_t chars)
{
    const char *end = t->bytes + t->length, *from = end;
    size_t count = 0;
    while (from > t->bytes && count < chars) {
        from--;
        if (((unsigned char)*from & 0xc0) != 0x80)
            count++;
    }
    if (from == t->bytes) {
        inf_trace_add_text(trace, INF_TAG_STACK_TRACE, from, (size_t)(end - from));
        return;
    }
    for (int i = 0; i < 4 && from < end; i++) { /* room for the mark */
        from++;
        while (from < end && ((unsigned char)*from & 0xc0) == 0x80)
            from++;
    }
    char *out = inf_trace_text(trace, INF_TAG_STACK_TRACE, (size_t)(end - from) + 4);
    if (!out)
        return;
    memcpy(out, "...\n", 4);
    memcpy(out + 4, from, (size_t)(end - from));
    inf_trace_text_end(trace, (size_t)(end - from) + 4);
}

static void add_type(inf_trace *trace, PyObject *exception)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(exception), "__name__");
    if (name && PyUnicode_Check(name))
        capture_text(trace, INF_TAG_ERROR_TYPE, name, 200);
    PyErr_Clear();
    Py_XDECREF(name);
}

void error_record(core_state *state, inf_trace *trace, PyObject *exception, PyObject *traceback)
{
    /* All of the user's code that this runs, str() and source files, runs before the trace is written to. */
    PyObject *message = message_of(exception);
    text t = {PyMem_Malloc(TEXT_BYTES), 0};
    if (t.bytes) {
        add_chain(state, &t, exception);
        add_exception(state, &t, exception, traceback, message);
    }
    uint32_t group = inf_trace_group(trace, INF_TAG_ERROR);
    add_type(trace, exception);
    if (message)
        capture_text(trace, INF_TAG_MESSAGE, message, ERROR_MESSAGE_CHARS);
    else
        inf_trace_add_text(trace, INF_TAG_MESSAGE, "<str() failed>", 14);
    if (t.bytes)
        add_stack(trace, &t, ERROR_STACK_CHARS);
    inf_trace_add_int(trace, INF_TAG_RECOVERABLE, 0);
    inf_trace_add_int(trace, INF_TAG_RETRY_COUNT, 0);
    inf_trace_group_end(trace, group);
    PyMem_Free(t.bytes);
    Py_XDECREF(message);
}

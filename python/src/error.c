/* An exception as a record: type, message, and the traceback as Python prints it, at most ERROR_STACK_CHARS of it,
 * keeping the end: the line that raised and the message.
 *
 * Written in C because a traceback by way of the traceback module costs fifty times the call that is being traced.
 * Source lines come from linecache, once for each line, and are kept. */
#include "core.h"

#include <string.h>

#include "model/mask.h"

#define MAX_FRAMES 64   /* of one exception, the innermost ones */
#define MAX_CHAIN 8     /* exceptions, by __cause__ and __context__ */
#define PART_CHARS 1000 /* a message or a source line inside the traceback */
#define TEXT_BYTES (16 * 1024)
#define PART_BYTES (4 * PART_CHARS)

/* The last TEXT_BYTES or so of a text, on the C stack. */
typedef struct text {
    size_t length;
    bool cut; /* the beginning is gone */
    char bytes[TEXT_BYTES];
} text;

/* Room for `length` bytes, at most PART_BYTES; gives up the older half when there is none. */
static char *text_room(text *t, size_t length)
{
    if (TEXT_BYTES - t->length < length) {
        size_t from = t->length - TEXT_BYTES / 2;
        while (((unsigned char)t->bytes[from] & 0xc0) == 0x80)
            from++;
        memmove(t->bytes, t->bytes + from, t->length - from);
        t->length -= from;
        t->cut = true;
    }
    return t->bytes + t->length;
}

static void text_add(text *t, const char *bytes, size_t length)
{
    if (length > PART_BYTES)
        length = PART_BYTES;
    memcpy(text_room(t, length), bytes, length);
    t->length += length;
}

static void text_add_string(text *t, const char *string)
{
    text_add(t, string, strlen(string));
}

static void text_add_object(text *t, PyObject *string)
{
    if (string && PyUnicode_Check(string))
        t->length += capture_text_to(text_room(t, PART_BYTES), string, PART_CHARS);
}

static void text_add_int(text *t, long value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    unsigned long rest = value < 0 ? 0UL : (unsigned long)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    text_add(t, p, (size_t)(digits + sizeof digits - p));
}

static void take_place(source_line *place, PyObject *file, int line, PyObject *stripped)
{
    PyObject *old_file = place->file, *old_text = place->text;
    Py_INCREF(file);
    Py_INCREF(stripped);
    place->file = file;
    place->text = stripped;
    place->line = line;
    Py_XDECREF(old_file);
    Py_XDECREF(old_text);
}

/* The source line without its indentation, or NULL; new reference. */
static PyObject *find_source(core_state *state, PyObject *file, int line)
{
    size_t hash = ((uintptr_t)file >> 4) * 31 + (size_t)line;
    source_line *place = &state->source_lines[hash % SOURCE_LINES];
    if (likely(place->file == file && place->line == line)) {
        Py_INCREF(place->text);
        return place->text;
    }
    if (!state->getline) {
        PyObject *linecache = PyImport_ImportModule("linecache");
        state->getline = linecache ? PyObject_GetAttrString(linecache, "getline") : NULL;
        Py_XDECREF(linecache);
    }
    PyObject *raw = state->getline ? PyObject_CallFunction(state->getline, "Oi", file, line) : NULL;
    PyObject *stripped = raw ? PyObject_CallMethod(raw, "strip", NULL) : NULL;
    Py_XDECREF(raw);
    if (stripped && PyUnicode_Check(stripped))
        take_place(place, file, line, stripped);
    else
        Py_CLEAR(stripped);
    swallow_error();
    return stripped;
}

void error_forget_lines(core_state *state)
{
    for (int i = 0; i < SOURCE_LINES; i++) {
        Py_CLEAR(state->source_lines[i].file);
        Py_CLEAR(state->source_lines[i].text);
    }
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
        PyObject *source = find_source(state, code->co_filename, line);
        if (source && PyUnicode_GET_LENGTH(source)) {
            text_add_string(t, "    ");
            text_add_object(t, source);
            text_add_string(t, "\n");
        }
        Py_XDECREF(source);
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
    return PyUnicode_CompareWithASCIIString(object, text) == 0;
}

/* "module.Type"; a static type's name is written that way already, and has no module when it is built in. */
static void add_type_path(core_state *state, text *t, PyTypeObject *type)
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        text_add(t, type->tp_name, strnlen(type->tp_name, PART_CHARS));
        return;
    }
    PyObject *module = type->tp_dict ? PyDict_GetItemWithError(type->tp_dict, state->name_module) : NULL;
    if (module && PyUnicode_Check(module) && !is_text(module, "builtins") && !is_text(module, "__main__")) {
        text_add_object(t, module);
        text_add_string(t, ".");
    }
    text_add_object(t, ((PyHeapTypeObject *)type)->ht_qualname);
}

/* The last line: "module.Type: message", and the notes that were added to the exception. */
static void add_last_line(core_state *state, text *t, PyObject *exception, PyObject *message)
{
    add_type_path(state, t, Py_TYPE(exception));
    if (!message) {
        text_add_string(t, ": <exception str() failed>");
    } else if (PyUnicode_GET_LENGTH(message)) {
        text_add_string(t, ": ");
        text_add_object(t, message);
    }
    text_add_string(t, "\n");
    PyObject *dict = ((PyBaseExceptionObject *)exception)->dict;
    PyObject *notes = dict ? PyDict_GetItemWithError(dict, state->name_notes) : NULL;
    for (Py_ssize_t i = 0; notes && PyList_Check(notes) && i < PyList_GET_SIZE(notes) && i < 20; i++) {
        text_add_object(t, PyList_GET_ITEM(notes, i));
        text_add_string(t, "\n");
    }
    PyErr_Clear();
}

static void add_exception(core_state *state, text *t, PyObject *exception, PyObject *traceback, PyObject *message)
{
    if (traceback && PyTraceBack_Check(traceback)) {
        text_add_string(t, "Traceback (most recent call last):\n");
        add_frames(state, t, (PyTracebackObject *)traceback);
    }
    add_last_line(state, t, exception, message);
}

/* The exceptions of a group, each with its traceback, so that where they were raised is there; the group follows. */
static void add_group(core_state *state, text *t, PyObject *group)
{
#if PY_VERSION_HEX >= 0x030B0000
    if (!PyObject_TypeCheck(group, (PyTypeObject *)PyExc_BaseExceptionGroup))
        return;
    PyObject *members = PyObject_GetAttrString(group, "exceptions");
    PyErr_Clear();
    for (Py_ssize_t i = 0; members && PyTuple_Check(members) && i < PyTuple_GET_SIZE(members) && i < MAX_CHAIN; i++) {
        PyObject *member = PyTuple_GET_ITEM(members, i);
        PyObject *traceback = PyException_GetTraceback(member);
        PyObject *message = message_of(member);
        add_exception(state, t, member, traceback, message);
        text_add_string(t, "\nThe above exception is one of the following group:\n\n");
        Py_XDECREF(message);
        Py_XDECREF(traceback);
    }
    Py_XDECREF(members);
#else
    (void)state;
    (void)t;
    (void)group;
#endif
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
static void add_stack(inf_trace *trace, text *t, size_t chars, PyObject *masked)
{
    if (masked) {
        capture_text(trace, INF_TAG_STACK_TRACE, masked, chars);
        return;
    }
    const char *end = t->bytes + t->length, *from = end;
    size_t count = 0;
    while (from > t->bytes && count < chars) {
        from--;
        if (((unsigned char)*from & 0xc0) != 0x80)
            count++;
    }
    if (from == t->bytes && !t->cut) {
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

static void add_type(inf_trace *trace, PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        capture_text(trace, INF_TAG_ERROR_TYPE, ((PyHeapTypeObject *)type)->ht_name, 200);
        return;
    }
    const char *dot = strrchr(type->tp_name, '.');
    const char *name = dot ? dot + 1 : type->tp_name;
    inf_trace_add_text(trace, INF_TAG_ERROR_TYPE, name, strnlen(name, 200));
}

/* What the user's callable makes of the stack trace; NULL without one. */
static PyObject *masked_stack(const text *t, PyObject *mask)
{
    if (!mask)
        return NULL;
    PyObject *stack = PyUnicode_DecodeUTF8(t->bytes, (Py_ssize_t)t->length, "replace");
    if (!stack) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *masked = capture_masked(stack, mask);
    Py_DECREF(stack);
    return masked;
}

void error_record(core_state *state, inf_trace *trace, PyObject *exception, PyObject *traceback, PyObject *mask)
{
    /* All of the user's code that this runs, str() and source files, runs before the trace is written to. */
    PyObject *message = message_of(exception);
    text t;
    t.length = 0;
    t.cut = false;
    add_chain(state, &t, exception);
    add_group(state, &t, exception);
    add_exception(state, &t, exception, traceback, message);
    if (trace->mask)
        t.length = inf_mask(t.bytes, t.length, TEXT_BYTES, false);
    PyObject *stack = masked_stack(&t, mask);
    if (message && mask) {
        PyObject *masked = capture_masked(message, mask);
        Py_DECREF(message);
        message = masked;
    }
    uint32_t group = inf_trace_group(trace, INF_TAG_ERROR);
    add_type(trace, Py_TYPE(exception));
    if (message)
        capture_text(trace, INF_TAG_MESSAGE, message, ERROR_MESSAGE_CHARS);
    else
        inf_trace_add_text(trace, INF_TAG_MESSAGE, "<str() failed>", 14);
    add_stack(trace, &t, ERROR_STACK_CHARS, stack);
    inf_trace_add_int(trace, INF_TAG_RECOVERABLE, 0);
    inf_trace_add_int(trace, INF_TAG_RETRY_COUNT, 0);
    inf_trace_group_end(trace, group);
    Py_XDECREF(stack);
    Py_XDECREF(message);
}

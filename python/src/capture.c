/* Arguments and results as text, at a cost that the text's limit bounds.
 *
 * The published rule is repr() of everything, cut to n characters, the last three being "...". This file gives the same
 * text without making more of it than n characters: the built-in types are walked here, straight into the trace's
 * buffer, and the walk stops where the text is full; a list of ten million items costs what a list of a hundred does.
 * What is not built in is asked for its repr() as usual.
 *
 * Where the text differs from repr()'s, on purpose: a __repr__ that raises gives "<repr failed: TypeName>"; nesting
 * deeper than MAX_DEPTH gives "..."; integers past MAX_INT_BITS give their size; arrays and tables that have been told
 * to show all they hold give their shape; and the quote of a string longer than QUOTE_SCAN is chosen by its first
 * QUOTE_SCAN characters. */
#include "core.h"

#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "model/mask.h"
#include "plain.h"

#define MAX_DEPTH 200
#define MAX_INT_BITS 30000 /* more digits than any limit here shows */
#define QUOTE_SCAN 65536

/* The containers being written, innermost first. */
typedef struct nest {
    PyObject *object;
    struct nest *up;
    bool entered; /* known to Py_ReprEnter, because a repr() that is not ours runs inside */
} nest;

typedef struct text_writer {
    char *out;
    char *begin;
    size_t left; /* characters, not bytes */
    bool cut;    /* something did not fit */
    int depth;
    nest *innermost;
} text_writer;

static void write_object(text_writer *w, PyObject *object);
static bool nest_enter(text_writer *w, nest *n, PyObject *object, const char *placeholder);
static void nest_leave(text_writer *w, nest *n);

static void put(text_writer *w, const char *text, size_t length)
{
    if (unlikely(length > w->left)) {
        length = w->left;
        w->cut = true;
    }
    memcpy(w->out, text, length);
    w->out += length;
    w->left -= length;
}

/* The same where the length is a constant: no call of memcpy(). */
static inline __attribute__((always_inline)) void put_constant(text_writer *w, const char *text, size_t length)
{
    if (unlikely(length > w->left)) {
        put(w, text, length);
        return;
    }
    memcpy(w->out, text, length);
    w->out += length;
    w->left -= length;
}

#define put_literal(w, text) put_constant((w), (text), sizeof(text) - 1)

static inline void put_char(text_writer *w, char c)
{
    if (unlikely(w->left == 0)) {
        w->cut = true;
        return;
    }
    *w->out++ = c;
    w->left--;
}

static void put_code_point(text_writer *w, Py_UCS4 c)
{
    if (c < 0x80) {
        put_char(w, (char)c);
        return;
    }
    if (w->left == 0) {
        w->cut = true;
        return;
    }
    if (c >= 0xd800 && c <= 0xdfff)
        c = 0xfffd; /* only a foreign repr() can bring one here */
    if (c < 0x800) {
        *w->out++ = (char)(0xc0 | (c >> 6));
    } else if (c < 0x10000) {
        *w->out++ = (char)(0xe0 | (c >> 12));
        *w->out++ = (char)(0x80 | ((c >> 6) & 0x3f));
    } else {
        *w->out++ = (char)(0xf0 | (c >> 18));
        *w->out++ = (char)(0x80 | ((c >> 12) & 0x3f));
        *w->out++ = (char)(0x80 | ((c >> 6) & 0x3f));
    }
    *w->out++ = (char)(0x80 | (c & 0x3f));
    w->left--;
}

static void put_hex(text_writer *w, char kind, Py_UCS4 c, int digits)
{
    put_char(w, '\\');
    put_char(w, kind);
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        put_char(w, "0123456789abcdef"[(c >> shift) & 0xf]);
}

/* A str as it is. */
static void write_text(text_writer *w, PyObject *text)
{
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0) {
        PyErr_Clear();
        return;
    }
#endif
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (PyUnicode_IS_ASCII(text)) {
        put(w, (const char *)PyUnicode_1BYTE_DATA(text), (size_t)length);
        return;
    }
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0; i < length && !w->cut; i++)
        put_code_point(w, PyUnicode_READ(kind, data, i));
}

/* The part of a literal that needs no look at single characters; returns how many bytes it took. */
static inline Py_ssize_t put_plain(text_writer *w, const unsigned char *data, Py_ssize_t length)
{
    size_t most = (size_t)length < w->left ? (size_t)length : w->left;
    size_t taken = copy_plain(w->out, data, most);
    if (taken == most && taken < (size_t)length && plain[data[taken]])
        w->cut = true;
    w->out += taken;
    w->left -= taken;
    return (Py_ssize_t)taken;
}

/* Most strings: ASCII, nothing in them to be escaped, and room for all. False: nothing has been written. Runs no code
 * of the object. */
static inline bool put_plain_str(text_writer *w, PyObject *text)
{
    if (!PyUnicode_CheckExact(text) || !PyUnicode_IS_COMPACT_ASCII(text))
        return false;
    size_t length = (size_t)PyUnicode_GET_LENGTH(text);
    if (length + 2 > w->left || copy_plain(w->out + 1, PyUnicode_1BYTE_DATA(text), length) != length)
        return false;
    w->out[0] = '\'';
    w->out[length + 1] = '\'';
    w->out += length + 2;
    w->left -= length + 2;
    return true;
}

/* What string and bytes literals escape alike. False: not one of these. */
static inline bool put_escaped(text_writer *w, Py_UCS4 c, char quote)
{
    switch (c) {
    case '\t':
        put_literal(w, "\\t");
        return true;
    case '\n':
        put_literal(w, "\\n");
        return true;
    case '\r':
        put_literal(w, "\\r");
        return true;
    case '\\':
        put_literal(w, "\\\\");
        return true;
    case '\'':
    case '"':
        if ((char)c == quote)
            put_char(w, '\\');
        put_char(w, (char)c);
        return true;
    default:
        return false;
    }
}

static bool has_byte(const void *data, int kind, Py_ssize_t from, Py_ssize_t to, unsigned char c)
{
    if (kind == 1)
        return memchr((const char *)data + from, c, (size_t)(to - from)) != NULL;
    for (Py_ssize_t i = from; i < to; i++)
        if ((kind == 2 ? ((const Py_UCS2 *)data)[i] : ((const Py_UCS4 *)data)[i]) == c)
            return true;
    return false;
}

/* A literal is begun with a single quote. The first single quote inside of it, at `at`, tells whether it has to be a
 * double quote: then that takes the place of the one that is there, `opening`. Nothing in between depends on it. */
static char choose_quote(char *opening, const void *data, int kind, Py_ssize_t length, Py_ssize_t at)
{
    if (length > QUOTE_SCAN)
        length = QUOTE_SCAN;
    char quote = at < length && !has_byte(data, kind, 0, length, '"') ? '"' : '\'';
    *opening = quote;
    return quote;
}

/* The same for a literal that was cut before it came to a single quote: the rest is looked through. */
static void choose_quote_of_rest(char *opening, const void *data, int kind, Py_ssize_t length, Py_ssize_t from)
{
    Py_ssize_t end = length > QUOTE_SCAN ? QUOTE_SCAN : length;
    if (from < end && has_byte(data, kind, from, end, '\''))
        (void)choose_quote(opening, data, kind, length, from);
}

static void write_str(text_writer *w, PyObject *text)
{
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0) {
        PyErr_Clear();
        return;
    }
#endif
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    const void *data = PyUnicode_DATA(text);
    int kind = PyUnicode_KIND(text);
    char quote = '\'';
    char *opening = w->out;
    bool chosen = false;
    Py_ssize_t i = 0;
    if (w->left == 0) {
        w->cut = true;
        return;
    }
    put_char(w, quote);
    while (i < length && !w->cut) {
        if (kind == 1) {
            i += put_plain(w, (const unsigned char *)data + i, length - i);
            if (i >= length || w->cut)
                break;
        }
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c == '\'' && !chosen) {
            quote = choose_quote(opening, data, kind, length, i);
            chosen = true;
        }
        i++;
        if (put_escaped(w, c, quote))
            continue;
        if (c < ' ' || c == 0x7f)
            put_hex(w, 'x', c, 2);
        else if (c < 0x7f || Py_UNICODE_ISPRINTABLE(c))
            put_code_point(w, c);
        else if (c <= 0xff)
            put_hex(w, 'x', c, 2);
        else if (c <= 0xffff)
            put_hex(w, 'u', c, 4);
        else
            put_hex(w, 'U', c, 8);
    }
    if (w->cut && !chosen)
        choose_quote_of_rest(opening, data, kind, length, i);
    put_char(w, quote);
}

/* A bytearray's repr escapes the single quote even where it need not. */
static void write_bytes(text_writer *w, const unsigned char *data, Py_ssize_t length, bool array)
{
    char quote = '\'';
    bool chosen = false;
    put_char(w, 'b');
    char *opening = w->out;
    Py_ssize_t i = 0;
    if (w->left == 0) {
        w->cut = true;
        return;
    }
    put_char(w, quote);
    while (i < length && !w->cut) {
        i += put_plain(w, data + i, length - i);
        if (i >= length || w->cut)
            break;
        unsigned char c = data[i];
        if (c == '\'' && !chosen) {
            quote = choose_quote(opening, data, 1, length, i);
            chosen = true;
        }
        i++;
        if (!put_escaped(w, c, array ? '\'' : quote))
            put_hex(w, 'x', c, 2);
    }
    if (w->cut && !chosen)
        choose_quote_of_rest(opening, data, 1, length, i);
    put_char(w, quote);
}

static void write_small_int(text_writer *w, long long value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    unsigned long long rest = value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--p = '-';
    put(w, p, (size_t)(digits + sizeof digits - p));
}

/* What stands in place of a repr() that has raised; the exception is gone afterwards. */
static void write_failure(text_writer *w)
{
    PyObject *type = PyErr_Occurred();
    const char *name = type && PyType_Check(type) ? ((PyTypeObject *)type)->tp_name : "Exception";
    const char *dot = strrchr(name, '.');
    name = dot ? dot + 1 : name;
    put_literal(w, "<repr failed: ");
    put(w, name, strnlen(name, 200));
    put_char(w, '>');
    swallow_error();
}

/* Any object's own repr(), with its failures. */
static void write_foreign(text_writer *w, PyObject *object)
{
    if (w->cut)
        return;
    /* A foreign repr() that comes back to one of our containers must find it marked, as it would under repr(). */
    for (nest *n = w->innermost; n && !n->entered; n = n->up) {
        if (Py_ReprEnter(n->object) < 0)
            PyErr_Clear();
        else
            n->entered = true;
    }
    PyObject *text = fields_instead(object);
    if (!text)
        text = PyObject_Repr(object);
    if (!text) {
        write_failure(w);
        return;
    }
    write_text(w, text);
    Py_DECREF(text);
}

static void write_dataclass(text_writer *w, PyObject *object, PyObject *fields)
{
    nest n;
    if (!nest_enter(w, &n, object, "..."))
        return;
    write_text(w, ((PyHeapTypeObject *)Py_TYPE(object))->ht_qualname);
    put_char(w, '(');
    Py_ssize_t place = 0;
    PyObject *name, *field;
    bool first = true;
    Py_INCREF(fields);
    while (!w->cut && PyDict_Next(fields, &place, &name, &field)) {
        if (!PyUnicode_Check(name) || !fields_is_shown(field))
            continue;
        if (!first)
            put_literal(w, ", ");
        first = false;
        write_text(w, name);
        put_char(w, '=');
        PyObject *value = PyObject_GetAttr(object, name);
        if (value) {
            write_object(w, value);
            Py_DECREF(value);
        } else {
            put_literal(w, "<not set>");
            swallow_error();
        }
    }
    Py_DECREF(fields);
    put_char(w, ')');
    nest_leave(w, &n);
}

/* A pydantic model: what its own __repr_args__() gives, a name and a value at a time, asked for no further than the
 * text goes. */
static void write_model(text_writer *w, PyObject *object)
{
    nest n;
    if (!nest_enter(w, &n, object, "..."))
        return;
    PyObject *name = PyObject_CallMethod(object, "__repr_name__", NULL);
    PyObject *pairs = name && PyUnicode_Check(name) ? PyObject_CallMethod(object, "__repr_args__", NULL) : NULL;
    PyObject *iterator = pairs ? PyObject_GetIter(pairs) : NULL;
    PyObject *pair = NULL;
    bool first = true;
    if (iterator) {
        write_text(w, name);
        put_char(w, '(');
    }
    while (iterator && !w->cut && (pair = PyIter_Next(iterator))) {
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2) {
            PyObject *key = PyTuple_GET_ITEM(pair, 0);
            if (!first)
                put_literal(w, ", ");
            first = false;
            if (PyUnicode_Check(key)) {
                write_text(w, key);
                put_char(w, '=');
            }
            write_object(w, PyTuple_GET_ITEM(pair, 1));
        }
        Py_DECREF(pair);
    }
    if (!iterator || PyErr_Occurred())
        write_failure(w);
    if (iterator)
        put_char(w, ')');
    Py_XDECREF(iterator);
    Py_XDECREF(pairs);
    Py_XDECREF(name);
    nest_leave(w, &n);
}

static void write_int(text_writer *w, PyObject *object)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (likely(!overflow)) {
        write_small_int(w, value);
        return;
    }
    size_t bits = _PyLong_NumBits(object);
    if (bits <= MAX_INT_BITS) {
        write_foreign(w, object);
        return;
    }
    put_literal(w, "<int of ");
    write_small_int(w, (long long)bits);
    put_literal(w, " bits>");
}

static void write_float(text_writer *w, PyObject *object)
{
    char *digits = PyOS_double_to_string(PyFloat_AS_DOUBLE(object), 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (!digits) {
        PyErr_Clear();
        return;
    }
    put(w, digits, strlen(digits));
    PyMem_Free(digits);
}

/* False: `object` is being written already (a cycle), or the nesting is too deep; the placeholder is written. */
static bool nest_enter(text_writer *w, nest *n, PyObject *object, const char *placeholder)
{
    bool cycle = w->depth >= MAX_DEPTH;
    for (nest *up = w->innermost; up && !cycle; up = up->up)
        cycle = up->object == object;
    if (cycle) {
        put(w, placeholder, strlen(placeholder));
        return false;
    }
    n->object = object;
    n->up = w->innermost;
    n->entered = false;
    w->innermost = n;
    w->depth++;
    return true;
}

static void nest_leave(text_writer *w, nest *n)
{
    if (n->entered)
        Py_ReprLeave(n->object);
    w->innermost = n->up;
    w->depth--;
}

static void write_list(text_writer *w, PyObject *list)
{
    nest n;
    if (!nest_enter(w, &n, list, "[...]"))
        return;
    put_char(w, '[');
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list) && !w->cut; i++) {
        PyObject *item = PyList_GET_ITEM(list, i);
        if (i)
            put_literal(w, ", ");
        if (put_plain_str(w, item))
            continue;
        Py_INCREF(item); /* a repr() may change the list */
        write_object(w, item);
        Py_DECREF(item);
    }
    put_char(w, ']');
    nest_leave(w, &n);
}

static void write_tuple_items(text_writer *w, PyObject *const *items, Py_ssize_t count)
{
    put_char(w, '(');
    for (Py_ssize_t i = 0; i < count && !w->cut; i++) {
        if (i)
            put_literal(w, ", ");
        if (!put_plain_str(w, items[i]))
            write_object(w, items[i]);
    }
    if (count == 1)
        put_char(w, ',');
    put_char(w, ')');
}

static void write_tuple(text_writer *w, PyObject *tuple)
{
    nest n;
    if (!nest_enter(w, &n, tuple, "(...)"))
        return;
    write_tuple_items(w, ((PyTupleObject *)tuple)->ob_item, PyTuple_GET_SIZE(tuple));
    nest_leave(w, &n);
}

static void write_dict(text_writer *w, PyObject *dict)
{
    nest n;
    if (!nest_enter(w, &n, dict, "{...}"))
        return;
    put_char(w, '{');
    Py_ssize_t place = 0;
    PyObject *key, *value;
    bool first = true;
    while (!w->cut && PyDict_Next(dict, &place, &key, &value)) {
        if (!first)
            put_literal(w, ", ");
        first = false;
        if (put_plain_str(w, key)) {
            put_literal(w, ": ");
            if (put_plain_str(w, value))
                continue;
            Py_INCREF(key);
            Py_INCREF(value);
        } else {
            Py_INCREF(key); /* a repr() may change the dict */
            Py_INCREF(value);
            write_object(w, key);
            put_literal(w, ": ");
        }
        write_object(w, value);
        Py_DECREF(key);
        Py_DECREF(value);
    }
    put_char(w, '}');
    nest_leave(w, &n);
}

/* What iterating gives, between `open` and `close`; for containers that have no cheaper way in. */
static void write_iterated(text_writer *w, PyObject *object, const char *open, const char *close,
                           const char *placeholder)
{
    nest n;
    if (!nest_enter(w, &n, object, placeholder))
        return;
    put(w, open, strlen(open));
    PyObject *iterator = PyObject_GetIter(object);
    PyObject *item;
    bool first = true;
    while (iterator && !w->cut && (item = PyIter_Next(iterator))) {
        if (!first)
            put_literal(w, ", ");
        first = false;
        write_object(w, item);
        Py_DECREF(item);
    }
    Py_XDECREF(iterator);
    if (PyErr_Occurred()) {
        put_literal(w, "<changed meanwhile>");
        swallow_error();
    }
    put(w, close, strlen(close));
    nest_leave(w, &n);
}

static void write_set(text_writer *w, PyObject *set, bool frozen)
{
    if (PySet_GET_SIZE(set) == 0) {
        put(w, frozen ? "frozenset()" : "set()", frozen ? 11 : 5);
        return;
    }
    if (frozen)
        write_iterated(w, set, "frozenset({", "})", "frozenset(...)");
    else
        write_iterated(w, set, "{", "}", "set(...)");
}

static void write_bytearray(text_writer *w, PyObject *object)
{
    put_literal(w, "bytearray(");
    write_bytes(w, (const unsigned char *)PyByteArray_AS_STRING(object), PyByteArray_GET_SIZE(object), true);
    put_char(w, ')');
}

/* The types here are recognised by their repr function, so a subclass that has not overridden it is walked as well. */
static void write_object(text_writer *w, PyObject *object)
{
    if (unlikely(w->cut))
        return;
    PyTypeObject *type = Py_TYPE(object);
    reprfunc repr = type->tp_repr;
    if (repr == PyUnicode_Type.tp_repr)
        write_str(w, object);
    else if (object == Py_None)
        put_literal(w, "None");
    else if (type == &PyBool_Type)
        put(w, object == Py_True ? "True" : "False", object == Py_True ? 4 : 5);
    else if (repr == PyLong_Type.tp_repr)
        write_int(w, object);
    else if (repr == PyFloat_Type.tp_repr)
        write_float(w, object);
    else if (repr == PyDict_Type.tp_repr)
        write_dict(w, object);
    else if (repr == PyList_Type.tp_repr)
        write_list(w, object);
    else if (repr == PyTuple_Type.tp_repr)
        write_tuple(w, object);
    else if (repr == PyBytes_Type.tp_repr)
        write_bytes(w, (const unsigned char *)PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object), false);
    else if (type == &PySet_Type)
        write_set(w, object, false);
    else if (type == &PyFrozenSet_Type)
        write_set(w, object, true);
    else if (type == &PyByteArray_Type)
        write_bytearray(w, object);
    else if (type == &PyDictKeys_Type)
        write_iterated(w, object, "dict_keys([", "])", "...");
    else if (type == &PyDictValues_Type)
        write_iterated(w, object, "dict_values([", "])", "...");
    else if (type == &PyDictItems_Type)
        write_iterated(w, object, "dict_items([", "])", "...");
    else {
        PyObject *fields;
        switch (fields_of(type, &fields)) {
        case FIELDS_DATACLASS:
            write_dataclass(w, object, fields);
            break;
        case FIELDS_MODEL:
            write_model(w, object);
            break;
        default:
            write_foreign(w, object);
        }
    }
}

static void writer_start(text_writer *w, char *buffer, size_t chars)
{
    w->out = w->begin = buffer;
    w->left = chars;
    w->cut = false;
    w->depth = 0;
    w->innermost = NULL;
}

/* Ends the text: where something did not fit, its last three characters become "...". Returns its bytes. */
static size_t writer_finish(text_writer *w)
{
    if (w->cut) {
        for (int i = 0; i < 3 && w->out > w->begin; i++) {
            w->out--;
            while (w->out > w->begin && ((unsigned char)*w->out & 0xc0) == 0x80)
                w->out--;
        }
        memcpy(w->out, "...", 3);
        w->out += 3;
    }
    return (size_t)(w->out - w->begin);
}

/* As writer_finish(), of a buffer of 4 * `chars` bytes, with secrets masked: by their names and shapes from `skip` on,
 * but for what begins at `harmless` (see inf_mask_but()). */
static size_t writer_finish_masked(text_writer *w, size_t chars, size_t skip, size_t harmless)
{
    size_t length = (size_t)(w->out - w->begin);
    size_t masked = skip + inf_mask_but(w->begin + skip, length - skip, 4 * chars - skip, w->cut, harmless - skip);
    if (likely(masked == length))
        return writer_finish(w);
    w->out = w->begin + inf_utf8_cut(w->begin, masked, chars);
    if (w->out < w->begin + masked)
        w->cut = true;
    if (w->cut && inf_utf8_count(w->begin, (size_t)(w->out - w->begin)) + 3 <= chars) {
        memcpy(w->out, "...", 3);
        w->out += 3;
        w->cut = false;
    }
    return writer_finish(w);
}

/* Masks what has been written from `skip` on, all of which has fitted, and leaves the writer behind it. True. */
static bool mask_so_far(text_writer *w, size_t chars, size_t skip)
{
    size_t length = (size_t)(w->out - w->begin);
    size_t masked = skip + inf_mask(w->begin + skip, length - skip, 4 * chars - skip, false);
    if (likely(masked == length))
        return true;
    w->out = w->begin + inf_utf8_cut(w->begin, masked, chars);
    w->cut = w->out < w->begin + masked;
    w->left = chars - inf_utf8_count(w->begin, (size_t)(w->out - w->begin));
    return true;
}

/* What the user's callable makes of the text that is in the buffer. */
static size_t apply_mask(char *buffer, size_t length, size_t chars, PyObject *mask)
{
    PyObject *text = PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)length, "replace");
    if (!text) {
        swallow_error();
        return 0;
    }
    PyObject *masked = capture_masked(text, mask);
    text_writer w;
    writer_start(&w, buffer, chars);
    write_text(&w, masked);
    Py_DECREF(masked);
    Py_DECREF(text);
    return writer_finish(&w);
}

PyObject *capture_masked(PyObject *text, PyObject *mask)
{
    static inf_log_cause said;
    if (!mask) {
        Py_INCREF(text);
        return text;
    }
    PyObject *masked = PyObject_CallOneArg(mask, text);
    if (masked && PyUnicode_Check(masked))
        return masked;
    Py_XDECREF(masked);
    swallow_error();
    inf_log_once(&said, INF_LOG_WARNING, "a mask= callable failed or gave no str; the whole text is masked");
    masked = PyUnicode_FromString(INF_MASKED);
    if (!masked) {
        PyErr_Clear();
        masked = PyUnicode_New(0, 0); /* exists already */
    }
    return masked;
}

void swallow_error(void)
{
    if (!PyErr_Occurred())
        return;
    bool interrupt = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
    PyErr_Clear();
    if (interrupt)
        PyErr_SetInterrupt();
}

/* The positional arguments, where some of them are not to be seen. */
static void write_ruled_items(text_writer *w, const traced_object *traced, PyObject *const *args, Py_ssize_t count)
{
    const char *rules = PyBytes_AS_STRING(traced->rules);
    Py_ssize_t ruled = PyBytes_GET_SIZE(traced->rules);
    put_char(w, '(');
    for (Py_ssize_t i = 0; i < count && !w->cut; i++) {
        if (i)
            put_literal(w, ", ");
        if (i >= ruled || rules[i] == ARGUMENT_SHOWN || (rules[i] == ARGUMENT_SECRET && args[i] == Py_None))
            write_object(w, args[i]);
        else if (rules[i] == ARGUMENT_SECRET)
            put_literal(w, "'" INF_MASKED "'");
        else
            put_literal(w, "<ignored>");
    }
    if (count == 1)
        put_char(w, ',');
    put_char(w, ')');
}

static bool is_ignored(const traced_object *traced, PyObject *name)
{
    if (!traced->ignore)
        return false;
    int found = PySet_Contains(traced->ignore, name);
    if (found < 0)
        swallow_error();
    return found != 0;
}

void capture_arguments(inf_trace *trace, const traced_object *traced, PyObject *const *args, Py_ssize_t nargs,
                       PyObject *kwnames)
{
    char *buffer = inf_trace_text(trace, INF_TAG_INPUT, 4 * CAPTURE_INPUT_CHARS);
    if (!buffer)
        return;
    text_writer w;
    writer_start(&w, buffer, CAPTURE_INPUT_CHARS);
    put_literal(&w, "{'args': ");
    if (unlikely(traced->rules != NULL))
        write_ruled_items(&w, traced, args, nargs);
    else
        write_tuple_items(&w, args, nargs);
    const size_t skip = sizeof("{'args': ") - 1;
    Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    /* Without keywords only the arguments need be looked at, before the rest is written. */
    bool masked = !trace->mask || (keywords == 0 && !w.cut && mask_so_far(&w, CAPTURE_INPUT_CHARS, skip));
    size_t separator = (size_t)(w.out - w.begin) + sizeof(", 'kwargs'") - 1;
    put_literal(&w, ", 'kwargs': {");
    for (Py_ssize_t i = 0; i < keywords && !w.cut; i++) {
        if (i)
            put_literal(&w, ", ");
        write_object(&w, PyTuple_GET_ITEM(kwnames, i));
        put_literal(&w, ": ");
        if (is_ignored(traced, PyTuple_GET_ITEM(kwnames, i)))
            put_literal(&w, "<ignored>");
        else
            write_object(&w, args[nargs + i]);
    }
    put_literal(&w, "}}");
    size_t length = masked ? writer_finish(&w) : writer_finish_masked(&w, CAPTURE_INPUT_CHARS, skip, separator);
    if (unlikely(traced->mask != NULL))
        length = apply_mask(buffer, length, CAPTURE_INPUT_CHARS, traced->mask);
    inf_trace_text_end(trace, length);
}

size_t capture_object_to(char *buffer, PyObject *object, size_t chars)
{
    text_writer w;
    writer_start(&w, buffer, chars);
    write_object(&w, object);
    return writer_finish(&w);
}

size_t capture_text_to(char *buffer, PyObject *text, size_t chars)
{
    text_writer w;
    writer_start(&w, buffer, chars);
    write_text(&w, text);
    return writer_finish(&w);
}

void capture_object(inf_trace *trace, uint8_t tag, PyObject *object, size_t chars, PyObject *mask)
{
    char *buffer = inf_trace_text(trace, tag, 4 * chars);
    if (!buffer)
        return;
    text_writer w;
    writer_start(&w, buffer, chars);
    write_object(&w, object);
    size_t length = trace->mask ? writer_finish_masked(&w, chars, 0, SIZE_MAX) : writer_finish(&w);
    if (unlikely(mask != NULL))
        length = apply_mask(buffer, length, chars, mask);
    inf_trace_text_end(trace, length);
}

void capture_text(inf_trace *trace, uint8_t tag, PyObject *text, size_t chars)
{
    char *buffer = inf_trace_text(trace, tag, 4 * chars);
    if (!buffer)
        return;
    text_writer w;
    writer_start(&w, buffer, chars);
    write_text(&w, text);
    inf_trace_text_end(trace, trace->mask ? writer_finish_masked(&w, chars, 0, SIZE_MAX) : writer_finish(&w));
}

/* Items of a generator -----------------------------------------------------------------------------------------------
 */

#define ITEMS_CHARS (CAPTURE_OUTPUT_CHARS - 200) /* the rest is for what stands behind the list */

static void write_more(capture_items *items, PyObject *item)
{
    if (!items->buffer) {
        items->buffer = PyMem_Malloc(4 * CAPTURE_OUTPUT_CHARS);
        if (!items->buffer) {
            items->cut = true;
            return;
        }
        items->used = 0;
        items->left = ITEMS_CHARS;
    }
    text_writer w;
    writer_start(&w, items->buffer + items->used, items->left);
    put(&w, items->count == 1 ? "[" : ", ", items->count == 1 ? 1 : 2);
    write_object(&w, item);
    items->used += (size_t)(w.out - w.begin);
    items->left = w.left;
    items->cut = w.cut;
}

void capture_item(capture_items *items, PyObject *item)
{
    items->count++;
    if (!items->cut)
        write_more(items, item);
}

void capture_items_end(capture_items *items, inf_trace *trace, PyObject *result, const char *how, PyObject *mask)
{
    char *buffer = inf_trace_text(trace, INF_TAG_OUTPUT, 4 * CAPTURE_OUTPUT_CHARS);
    if (!buffer)
        return;
    text_writer w;
    writer_start(&w, buffer, CAPTURE_OUTPUT_CHARS);
    if (items->buffer) {
        memcpy(buffer, items->buffer, items->used);
        w.out += items->used;
        w.left = CAPTURE_OUTPUT_CHARS - (ITEMS_CHARS - items->left);
        if (trace->mask) {
            w.out = buffer + inf_mask(buffer, items->used, 4 * ITEMS_CHARS, items->cut);
            size_t used = inf_utf8_count(buffer, (size_t)(w.out - buffer));
            w.left = used < CAPTURE_OUTPUT_CHARS ? CAPTURE_OUTPUT_CHARS - used : 0;
        }
        put(&w, items->cut ? "..." : "]", items->cut ? 3 : 1);
    } else {
        put_literal(&w, "[]");
    }
    put_literal(&w, " (");
    write_small_int(&w, (long long)items->count);
    put(&w, items->count == 1 ? " item" : " items", items->count == 1 ? 5 : 6);
    if (how) {
        put_literal(&w, ", ");
        put(&w, how, strlen(how));
    }
    put_char(&w, ')');
    if (result && result != Py_None) {
        put_literal(&w, " -> ");
        write_object(&w, result);
    }
    size_t length =
        trace->mask && result ? writer_finish_masked(&w, CAPTURE_OUTPUT_CHARS, 0, SIZE_MAX) : writer_finish(&w);
    if (mask)
        length = apply_mask(buffer, length, CAPTURE_OUTPUT_CHARS, mask);
    inf_trace_text_end(trace, length);
}

void capture_items_clear(capture_items *items)
{
    PyMem_Free(items->buffer);
    items->buffer = NULL;
    items->count = 0;
    items->cut = false;
}

/* Traced: the callable that client.trace() puts in a function's place.
 *
 * It is a method descriptor with vectorcall, so a call costs what it costs to record it, and introspection takes it for
 * the function it wraps: the function's attributes are its own, __class__ answers the function's type, pickling goes by
 * name, and whatever it has not got itself is looked up on the function. */
#include "core.h"

#include <string.h>

#define NAME_CHARS 2000
#define DESCRIPTION_CHARS 10000
#define TAG_CHARS 200

/* A coroutine function that could not even be called (wrong arguments): its trace is that error. */
static PyObject *record_failed_call(traced_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    saved_error error;
    save_error(&error);
    context_object *context = context_begin(self, args, nargs, kwnames);
    restore_error(&error);
    if (context)
        context_end_error(context, self, NULL);
    return NULL;
}

/* A plain function may return what runs later: then its trace goes on with it. Only what nobody else can know yet is
 * wrapped, so that no `is` in the program changes its answer; a future is not wrapped but listened to. */
static inline bool runs_later(PyObject *result)
{
    PyTypeObject *type = Py_TYPE(result);
    if (likely(!type->tp_as_async && type != &PyGen_Type))
        return false;
    if (type == &PyCoro_Type || type == &PyGen_Type || type == &PyAsyncGen_Type)
        return Py_REFCNT(result) == 1;
    return future_is(result);
}

static PyObject *end_later(traced_object *self, PyObject *result, context_object *context)
{
    if (context->phase == CONTEXT_SILENT) {
        Py_DECREF(context);
        return result;
    }
    if (Py_TYPE(result) == &PyCoro_Type)
        return coroutine_adopt(self, result, context);
    if (Py_TYPE(result) != &PyGen_Type && Py_TYPE(result) != &PyAsyncGen_Type) {
        future_follow(self, result, context);
        return result;
    }
    return generator_wrap(self, result, NULL, 0, NULL, context);
}

static PyObject *traced_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    traced_object *self = (traced_object *)callable;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    if (self->kind != KIND_PLAIN) {
        PyObject *awaitable = PyObject_Vectorcall(self->wrapped, args, nargsf, kwnames);
        if (awaitable && self->kind == KIND_COROUTINE)
            return coroutine_wrap(self, awaitable, args, nargs, kwnames);
        if (awaitable)
            return generator_wrap(self, awaitable, args, nargs, kwnames, NULL);
        return record_failed_call(self, args, nargs, kwnames);
    }
    context_object *context = context_begin(self, args, nargs, kwnames);
    if (unlikely(!context))
        return PyObject_Vectorcall(self->wrapped, args, nargsf, kwnames);
    Py_INCREF(self); /* the call may drop the last reference to us */
    PyObject *token = context_enter(context);
    PyObject *result = PyObject_Vectorcall(self->wrapped, args, nargsf, kwnames);
    context_leave(self->state, token);
    if (unlikely(result == NULL))
        context_end_error(context, self, NULL);
    else if (runs_later(result))
        result = end_later(self, result, context);
    else
        context_end_result(context, self, result);
    Py_DECREF(self);
    return result;
}

/* Construction -------------------------------------------------------------------------------------------------------
 */

typedef struct field_list {
    unsigned char *bytes;
    size_t length;
} field_list;

static int add_field_bytes(field_list *fields, uint8_t tag, const char *text, size_t length)
{
    unsigned char *grown = PyMem_Realloc(fields->bytes, fields->length + INF_FIELD_HEADER + length);
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    fields->bytes = grown;
    unsigned char *p = grown + fields->length;
    *p++ = tag;
    for (int shift = 0; shift < 32; shift += 8)
        *p++ = (unsigned char)(length >> shift);
    memcpy(p, text, length);
    fields->length += INF_FIELD_HEADER + length;
    return 0;
}

static int add_field(field_list *fields, uint8_t tag, PyObject *text, size_t chars)
{
    char *buffer = PyMem_Malloc(4 * chars);
    if (!buffer) {
        PyErr_NoMemory();
        return -1;
    }
    int rc = add_field_bytes(fields, tag, buffer, capture_text_to(buffer, text, chars));
    PyMem_Free(buffer);
    return rc;
}

static int add_versions(field_list *fields)
{
    const char *version = Py_GetVersion();
    size_t length = strcspn(version, " +");
    if (add_field_bytes(fields, INF_TAG_PYTHON_VERSION, version, length) < 0)
        return -1;
    return add_field_bytes(fields, INF_TAG_SDK_VERSION, INF_VERSION, strlen(INF_VERSION));
}

/* As functools.wraps does: the wrapped function's own attributes, and __wrapped__. */
static PyObject *initial_dict(core_state *state, PyObject *wrapped)
{
    PyObject *dict = PyDict_New();
    if (!dict)
        return NULL;
    PyObject *source = NULL;
    if (PyFunction_Check(wrapped) || Py_TYPE(wrapped) == state->traced_type)
        source = PyObject_GetAttrString(wrapped, "__dict__");
    if (source && PyDict_Check(source) && PyDict_Update(dict, source) < 0)
        PyErr_Clear();
    PyErr_Clear();
    Py_XDECREF(source);
    if (PyDict_SetItem(dict, state->name_wrapped, wrapped) < 0) {
        Py_DECREF(dict);
        return NULL;
    }
    return dict;
}

/* None: not given. */
static PyObject *given(PyObject *object)
{
    if (object == Py_None)
        return NULL;
    Py_XINCREF(object);
    return object;
}

/* What every trace of this function has beside the name: tags, metadata, session, user. */
static int add_context_fields(field_list *fields, PyObject *tags, PyObject *metadata, PyObject *session, PyObject *user)
{
    for (Py_ssize_t i = 0; tags != Py_None && i < PyTuple_GET_SIZE(tags); i++)
        if (PyUnicode_Check(PyTuple_GET_ITEM(tags, i)) &&
            add_field(fields, INF_TAG_TAG, PyTuple_GET_ITEM(tags, i), TAG_CHARS) < 0)
            return -1;
    Py_ssize_t length;
    const char *json = metadata == Py_None ? NULL : PyUnicode_AsUTF8AndSize(metadata, &length);
    if (metadata != Py_None && (!json || add_field_bytes(fields, INF_TAG_METADATA, json, (size_t)length) < 0))
        return -1;
    if (session != Py_None && add_field(fields, INF_TAG_SESSION_ID, session, TAG_CHARS) < 0)
        return -1;
    return user == Py_None ? 0 : add_field(fields, INF_TAG_USER_ID, user, TAG_CHARS);
}

/* sample=: None, a rate between 0 and 1, or a callable. */
static int set_sample(traced_object *self, PyObject *sample)
{
    if (sample == Py_None)
        return 0;
    self->sampled = true;
    if (PyCallable_Check(sample)) {
        Py_INCREF(sample);
        self->sample = sample;
        return 0;
    }
    double rate = PyFloat_AsDouble(sample);
    if (rate == -1.0 && PyErr_Occurred())
        return -1;
    if (!(rate >= 0.0 && rate <= 1.0)) {
        PyErr_SetString(PyExc_ValueError, "sample must be a rate between 0 and 1, or a callable");
        return -1;
    }
    if (rate == 1.0)
        self->sampled = false;
    else
        self->sample_below = (uint64_t)(rate * 18446744073709551616.0);
    return 0;
}

static PyObject *traced_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"wrapped",    "client",  "name",         "description",   "function",
                            "kind",       "keep",    "mask_secrets", "capture_input", "capture_output",
                            "mask",       "rules",   "ignore",       "tags",          "metadata",
                            "session_id", "user_id", "sample",       "on_trace",      NULL};
    PyObject *wrapped, *client, *name, *description, *function;
    PyObject *mask = Py_None, *rules = Py_None, *ignore = Py_None, *tags = Py_None, *metadata = Py_None;
    PyObject *session = Py_None, *user = Py_None, *sample = Py_None, *on_trace = Py_None;
    int kind, keep, mask_secrets = 1, capture_input = 1, capture_output = 1;
    core_state *state = core_state_of_type(type);
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "OOUUUip|$pppOOOOOOOOO:Traced", names, &wrapped, &client,
                                               &name, &description, &function, &kind, &keep, &mask_secrets,
                                               &capture_input, &capture_output, &mask, &rules, &ignore, &tags,
                                               &metadata, &session, &user, &sample, &on_trace))
        return NULL;
    if ((rules != Py_None && !PyBytes_Check(rules)) || (ignore != Py_None && !PyFrozenSet_Check(ignore)) ||
        (tags != Py_None && !PyTuple_Check(tags)) || (session != Py_None && !PyUnicode_Check(session)) ||
        (user != Py_None && !PyUnicode_Check(user)) || kind < KIND_PLAIN || kind > KIND_ASYNC_GENERATOR) {
        PyErr_SetString(PyExc_TypeError, "an option of a traced function has the wrong type");
        return NULL;
    }
    if (!PyCallable_Check(wrapped)) {
        PyErr_SetString(PyExc_TypeError, "only a callable can be traced");
        return NULL;
    }
    if (client != Py_None && !PyObject_TypeCheck(client, state->client_type)) {
        PyErr_SetString(PyExc_TypeError, "client must be a core client or None");
        return NULL;
    }
    field_list fields = {NULL, 0};
    traced_object *self = NULL;
    PyObject *dict = NULL;
    if (add_field(&fields, INF_TAG_NAME, name, NAME_CHARS) < 0 ||
        add_field(&fields, INF_TAG_DESCRIPTION, description, DESCRIPTION_CHARS) < 0 ||
        add_field(&fields, INF_TAG_FUNCTION, function, NAME_CHARS) < 0 || add_versions(&fields) < 0 ||
        add_context_fields(&fields, tags, metadata, session, user) < 0)
        goto fail;
    dict = initial_dict(state, wrapped);
    self = dict ? (traced_object *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        goto fail;
    self->vectorcall = traced_vectorcall;
    self->state = state;
    self->fields = fields.bytes;
    self->fields_length = fields.length;
    Py_INCREF(wrapped);
    self->wrapped = wrapped;
    if (client != Py_None) {
        Py_INCREF(client);
        self->client = (client_object *)client;
    }
    self->kind = (uint8_t)kind;
    self->keep = keep;
    self->mask_secrets = mask_secrets;
    self->capture_input = capture_input;
    self->capture_output = capture_output;
    self->mask = given(mask);
    self->rules = given(rules);
    self->ignore = given(ignore);
    self->on_trace = given(on_trace);
    self->watched = keep || self->on_trace;
    self->dict = dict;
    if (set_sample(self, sample) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;

fail:
    PyMem_Free(fields.bytes);
    Py_XDECREF(dict);
    return NULL;
}

static int traced_traverse(traced_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->wrapped);
    Py_VISIT(self->client);
    Py_VISIT(self->last);
    Py_VISIT(self->on_end);
    Py_VISIT(self->sample);
    Py_VISIT(self->mask);
    Py_VISIT(self->ignore);
    Py_VISIT(self->on_trace);
    Py_VISIT(self->dict);
    return 0;
}

/* `wrapped` and `client` stay until the end: a call may still come in from a finaliser. A cycle through them always
 * goes through the dict, the function's own attributes or a module as well. */
static int traced_clear(traced_object *self)
{
    Py_CLEAR(self->last);
    Py_CLEAR(self->on_end);
    Py_CLEAR(self->dict);
    Py_CLEAR(self->on_trace);
    return 0;
}

static void traced_dealloc(traced_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs)
        PyObject_ClearWeakRefs((PyObject *)self);
    traced_clear(self);
    Py_CLEAR(self->wrapped);
    Py_CLEAR(self->client);
    Py_CLEAR(self->sample);
    Py_CLEAR(self->mask);
    Py_CLEAR(self->rules);
    Py_CLEAR(self->ignore);
    PyMem_Free(self->fields);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Introspection ------------------------------------------------------------------------------------------------------
 */

/* Two names that every type answers for its instances, and that must be the function's here. */
static PyObject *function_attribute(traced_object *self, PyObject *name)
{
    PyObject *own = self->dict ? PyDict_GetItemWithError(self->dict, name) : NULL;
    if (own) {
        Py_INCREF(own);
        return own;
    }
    if (PyErr_Occurred())
        return NULL;
    return PyObject_GetAttr(self->wrapped, name);
}

static PyObject *traced_getattro(traced_object *self, PyObject *name)
{
    core_state *state = self->state;
    if (is_wrapped_name(state, name))
        return function_attribute(self, name);
    PyObject *value = PyObject_GenericGetAttr((PyObject *)self, name);
    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError) || !self->wrapped)
        return value;
    PyErr_Clear();
    return PyObject_GetAttr(self->wrapped, name);
}

static PyObject *traced_descr_get(PyObject *self, PyObject *instance, PyObject *owner)
{
    (void)owner;
    if (!instance || instance == Py_None) {
        Py_INCREF(self);
        return self;
    }
    return PyMethod_New(self, instance);
}

static PyObject *traced_repr(traced_object *self)
{
    PyObject *name = PyFunction_Check(self->wrapped) ? PyObject_GetAttrString((PyObject *)self, "__qualname__") : NULL;
    PyObject *text = name ? PyUnicode_FromFormat("<function %S at %p>", name, self) : NULL;
    if (!text) {
        PyErr_Clear();
        text = PyUnicode_FromFormat("<traced %R>", self->wrapped);
    }
    Py_XDECREF(name);
    return text;
}

static PyObject *traced_class(traced_object *self, void *closure)
{
    (void)closure;
    PyObject *wrapped = self->wrapped;
    PyObject *type = (PyObject *)Py_TYPE(self);
    if (PyFunction_Check(wrapped) || PyCFunction_Check(wrapped))
        type = (PyObject *)Py_TYPE(wrapped);
    else if (Py_TYPE(wrapped) == Py_TYPE(self))
        return traced_class((traced_object *)wrapped, NULL);
    Py_INCREF(type);
    return type;
}

static PyObject *traced_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyObject_GetAttrString(self, "__qualname__");
}

static PyObject *traced_last_trace(traced_object *self, void *closure)
{
    (void)closure;
    if (!self->last)
        Py_RETURN_NONE;
    PyObject *last = self->last;
    Py_INCREF(last);
    PyObject *task = context_task((context_object *)last);
    Py_DECREF(last);
    return task;
}

static PyObject *traced_on_end(traced_object *self, void *closure)
{
    (void)closure;
    PyObject *value = self->on_end ? self->on_end : Py_None;
    Py_INCREF(value);
    return value;
}

static int traced_set_on_end(traced_object *self, PyObject *value, void *closure)
{
    (void)closure;
    PyObject *old = self->on_end;
    self->on_end = value == Py_None ? NULL : value;
    Py_XINCREF(self->on_end);
    self->watched = self->keep || self->on_end || self->on_trace;
    Py_XDECREF(old);
    return 0;
}

static PyMethodDef traced_methods[] = {
    {"__reduce__", traced_reduce, METH_NOARGS, "Pickled by name, as functions are."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef traced_getset[] = {
    {"__class__", (getter)traced_class, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"last_trace", (getter)traced_last_trace, NULL,
     "The trace of the call that finished last, a TaskData; kept only with auto_send=False or without a client, else "
     "None.",
     NULL},
    {"_on_end", (getter)traced_on_end, (setter)traced_set_on_end,
     "Called as (context, start, duration) when a trace has ended: nanoseconds since the epoch and of the call. What "
     "it "
     "raises goes nowhere. None by default.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef traced_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(traced_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(traced_object, weakrefs), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(traced_object, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot traced_slots[] = {
    {Py_tp_new, traced_new},
    {Py_tp_dealloc, traced_dealloc},
    {Py_tp_traverse, traced_traverse},
    {Py_tp_clear, traced_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, traced_descr_get},
    {Py_tp_getattro, traced_getattro},
    {Py_tp_setattro, PyObject_GenericSetAttr},
    {Py_tp_repr, traced_repr},
    {Py_tp_methods, traced_methods},
    {Py_tp_getset, traced_getset},
    {Py_tp_members, traced_members},
    {0, NULL},
};

PyType_Spec traced_spec = {
    .name = "infinium._core.Traced",
    .basicsize = sizeof(traced_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = traced_slots,
};

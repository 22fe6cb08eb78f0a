/* TracedCoroutine: what calling a decorated coroutine function returns.
 *
 * It passes send(), throw() and close() on to the coroutine it holds, and makes the trace current around each of them:
 * between two resumes the driver (an event loop, another coroutine) sees its own context variable, never ours. The
 * trace begins with the first resume, as the body does; a coroutine that is never awaited leaves no trace, and the
 * warning about it is the wrapped coroutine's own. */
#include "core.h"

#include <string.h>

#define MAX_FREE 64

#if PY_VERSION_HEX < 0x030A0000
typedef enum { PYGEN_RETURN = 0, PYGEN_ERROR = -1, PYGEN_NEXT = 1 } PySendResult;
#endif

struct coroutine_object {
    PyObject_HEAD PyObject *inner; /* the coroutine, or the iterator of another awaitable */
    traced_object *traced;
    PyObject *args; /* until the first resume: all argument values, keywords last */
    PyObject *kwnames;
    context_object *context; /* the open trace; NULL before the first resume, after the end, or when not recording */
    core_state *state;
    PyObject *weakrefs;
    coroutine_object *next_free;
    bool started;
    bool running;
};

static coroutine_object *coroutine_alloc(core_state *state)
{
    coroutine_object *self = state->free_coroutines;
    if (likely(self != NULL)) {
        state->free_coroutines = self->next_free;
        state->free_coroutine_count--;
        PyObject_Init((PyObject *)self, state->coroutine_type);
        return self;
    }
    self = PyObject_GC_New(coroutine_object, state->coroutine_type);
    if (!self) {
        PyErr_Clear();
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    self->state = state;
    return self;
}

PyObject *coroutine_adopt(traced_object *traced, PyObject *inner, context_object *context)
{
    coroutine_object *self = coroutine_alloc(traced->state);
    if (!self) {
        context_end_result(context, traced, inner);
        return inner;
    }
    Py_INCREF(traced);
    self->inner = inner;
    self->traced = traced;
    self->context = context;
    self->args = self->kwnames = NULL;
    self->started = true;
    self->running = false;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

PyObject *coroutine_wrap(traced_object *traced, PyObject *inner, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    core_state *state = traced->state;
    if (unlikely(state->dead))
        return inner;
    if (unlikely(!PyCoro_CheckExact(inner) && Py_TYPE(inner) != state->coroutine_type)) {
        /* Some other awaitable: drive its iterator. What cannot be awaited goes through as it is. */
        PyAsyncMethods *async = Py_TYPE(inner)->tp_as_async;
        PyObject *iterator = async && async->am_await ? async->am_await(inner) : NULL;
        if (!iterator) {
            PyErr_Clear();
            return inner;
        }
        Py_DECREF(inner);
        inner = iterator;
    }
    coroutine_object *self = coroutine_alloc(state);
    if (!self)
        return inner;
    Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *kept = PyTuple_New(count);
    if (likely(kept != NULL)) {
        for (Py_ssize_t i = 0; i < count; i++) {
            Py_INCREF(args[i]);
            PyTuple_SET_ITEM(kept, i, args[i]);
        }
    } else {
        PyErr_Clear();
    }
    Py_INCREF(traced);
    Py_XINCREF(kwnames);
    self->inner = inner;
    self->traced = traced;
    self->args = kept;
    self->kwnames = kwnames;
    self->started = self->running = false;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static void coroutine_begin(coroutine_object *self)
{
    self->started = true;
    if (self->args) {
        Py_ssize_t keywords = self->kwnames ? PyTuple_GET_SIZE(self->kwnames) : 0;
        self->context = context_begin(self->traced, ((PyTupleObject *)self->args)->ob_item,
                                      PyTuple_GET_SIZE(self->args) - keywords, self->kwnames);
    }
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwnames);
}

static context_object *take_context(coroutine_object *self)
{
    context_object *context = self->context;
    self->context = NULL;
    return context;
}

static void end_with_result(coroutine_object *self, PyObject *result)
{
    context_object *context = take_context(self);
    if (context)
        context_end_result(context, self->traced, result);
}

static void end_with_error(coroutine_object *self)
{
    context_object *context = take_context(self);
    if (context)
        context_end_error(context, self->traced, NULL);
}

#if PY_VERSION_HEX < 0x030A0000
static PySendResult send_inner(PyObject *inner, PyObject *value, PyObject **result)
{
    if (value == Py_None && Py_TYPE(inner)->tp_iternext && !PyCoro_CheckExact(inner))
        *result = Py_TYPE(inner)->tp_iternext(inner);
    else
        *result = PyObject_CallMethod(inner, "send", "O", value);
    if (*result)
        return PYGEN_NEXT;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_StopIteration))
        return PYGEN_ERROR;
    return _PyGen_FetchStopIterationValue(result) < 0 ? PYGEN_ERROR : PYGEN_RETURN;
}
#else
#define send_inner PyIter_Send
#endif

static bool already_running(coroutine_object *self)
{
    if (likely(!self->running))
        return false;
    PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    return true;
}

static PySendResult coroutine_am_send(coroutine_object *self, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (already_running(self))
        return PYGEN_ERROR;
    if (!self->started)
        coroutine_begin(self);
    context_object *context = self->context;
    if (unlikely(!context))
        return send_inner(self->inner, value, result);
    self->running = true;
    PyObject *token = context_enter(context);
    PySendResult outcome = send_inner(self->inner, value, result);
    context_leave(self->state, token);
    self->running = false;
    if (outcome == PYGEN_RETURN)
        end_with_result(self, *result);
    else if (outcome == PYGEN_ERROR)
        end_with_error(self);
    return outcome;
}

/* StopIteration(value), whatever the value is (a tuple or an exception must not be taken apart). */
static void raise_stop(PyObject *value)
{
    PyObject *stop =
        value == Py_None ? PyObject_CallNoArgs(PyExc_StopIteration) : PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
}

static PyObject *coroutine_send(coroutine_object *self, PyObject *value)
{
    PyObject *result;
    if (coroutine_am_send(self, value, &result) != PYGEN_RETURN)
        return result;
    raise_stop(result);
    Py_DECREF(result);
    return NULL;
}

static PyObject *coroutine_iternext(coroutine_object *self)
{
    return coroutine_send(self, Py_None);
}

/* After a call that answers by exception: StopIteration is the result, everything else an error. */
static void end_with_exception(coroutine_object *self)
{
    if (!self->context)
        return;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        end_with_error(self);
        return;
    }
    saved_error error;
    save_error(&error);
#if PY_VERSION_HEX < 0x030C0000
    PyErr_NormalizeException(&error.type, &error.value, &error.traceback);
#endif
    PyObject *value = error.value ? PyObject_GetAttrString(error.value, "value") : NULL;
    PyErr_Clear();
    end_with_result(self, value ? value : Py_None);
    Py_XDECREF(value);
    restore_error(&error);
}

static PyObject *coroutine_throw(coroutine_object *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 1 || nargs > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes one to three arguments");
        return NULL;
    }
    if (already_running(self))
        return NULL;
    if (!self->started) { /* the body never runs: nothing to trace */
        self->started = true;
        Py_CLEAR(self->args);
        Py_CLEAR(self->kwnames);
    }
    PyObject *stack[4] = {self->inner};
    for (Py_ssize_t i = 0; i < nargs; i++)
        stack[i + 1] = args[i];
    self->running = true;
    PyObject *token = self->context ? context_enter(self->context) : NULL;
    PyObject *result = PyObject_VectorcallMethod(self->state->name_throw, stack, (size_t)nargs + 1, NULL);
    context_leave(self->state, token);
    self->running = false;
    if (!result)
        end_with_exception(self);
    return result;
}

static PyObject *close_inner(coroutine_object *self, const char *message)
{
    self->started = true;
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwnames);
    self->running = true;
    PyObject *token = self->context ? context_enter(self->context) : NULL;
    PyObject *result = PyObject_VectorcallMethod(self->state->name_close, &self->inner, 1, NULL);
    context_leave(self->state, token);
    self->running = false;
    if (!result) {
        end_with_error(self);
        return NULL;
    }
    context_object *context = take_context(self);
    if (context)
        context_end_note(context, self->traced, "GeneratorExit", message);
    return result;
}

static PyObject *coroutine_close(coroutine_object *self, PyObject *unused)
{
    (void)unused;
    if (already_running(self))
        return NULL;
    return close_inner(self, "the coroutine was closed before it finished");
}

static PyObject *coroutine_await(PyObject *self)
{
    Py_INCREF(self);
    return self;
}

/* coroutine.__await__() is an iterator that can be iterated over, which a coroutine itself must not be. */
typedef struct await_object {
    PyObject_HEAD coroutine_object *coroutine;
} await_object;

static PyObject *coroutine_await_method(coroutine_object *self, PyObject *unused)
{
    (void)unused;
    await_object *iterator = PyObject_GC_New(await_object, self->state->await_type);
    if (!iterator)
        return NULL;
    Py_INCREF(self);
    iterator->coroutine = self;
    PyObject_GC_Track(iterator);
    return (PyObject *)iterator;
}

static PyObject *await_iternext(await_object *self)
{
    return coroutine_send(self->coroutine, Py_None);
}

static PyObject *await_send(await_object *self, PyObject *value)
{
    return coroutine_send(self->coroutine, value);
}

static PyObject *await_throw(await_object *self, PyObject *const *args, Py_ssize_t nargs)
{
    return coroutine_throw(self->coroutine, args, nargs);
}

static PyObject *await_close(await_object *self, PyObject *unused)
{
    return coroutine_close(self->coroutine, unused);
}

static int await_traverse(await_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->coroutine);
    return 0;
}

static void await_dealloc(await_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->coroutine);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef await_methods[] = {
    {"send", (PyCFunction)await_send, METH_O, "Resumes the coroutine with a value."},
    {"throw", (PyCFunction)(void (*)(void))await_throw, METH_FASTCALL, "Resumes the coroutine with an exception."},
    {"close", (PyCFunction)await_close, METH_NOARGS, "Ends the coroutine with GeneratorExit."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot await_slots[] = {
    {Py_tp_dealloc, await_dealloc},   {Py_tp_traverse, await_traverse}, {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, await_iternext}, {Py_tp_methods, await_methods},   {0, NULL},
};

PyType_Spec await_spec = {
    .name = "infinium._core.CoroutineIterator",
    .basicsize = sizeof(await_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = await_slots,
};

static PyObject *coroutine_getattro(coroutine_object *self, PyObject *name)
{
    if (is_wrapped_name(self->state, name))
        return PyObject_GetAttr(self->inner, name);
    PyObject *value = PyObject_GenericGetAttr((PyObject *)self, name);
    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError) || !self->inner)
        return value;
    PyErr_Clear();
    return PyObject_GetAttr(self->inner, name);
}

static int coroutine_setattro(coroutine_object *self, PyObject *name, PyObject *value)
{
    return PyObject_SetAttr(self->inner, name, value);
}

static PyObject *coroutine_class(coroutine_object *self, void *closure)
{
    (void)closure;
    PyObject *type = (PyObject *)(PyCoro_CheckExact(self->inner) ? &PyCoro_Type : Py_TYPE(self));
    Py_INCREF(type);
    return type;
}

static PyObject *coroutine_repr(coroutine_object *self)
{
    return PyObject_Repr(self->inner);
}

static int coroutine_traverse(coroutine_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->inner);
    Py_VISIT(self->traced);
    Py_VISIT(self->args);
    Py_VISIT(self->kwnames);
    Py_VISIT(self->context);
    return 0;
}

static int coroutine_clear(coroutine_object *self)
{
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwnames);
    return 0;
}

/* Abandoned half-way: the body's own clean-up runs as it would have, inside its trace, and the trace ends. */
static void coroutine_finalize(PyObject *object)
{
    coroutine_object *self = (coroutine_object *)object;
    if (!self->context || self->running)
        return;
    saved_error error;
    save_error(&error);
    PyObject *done = close_inner(self, "the coroutine was abandoned before it finished");
    if (!done)
        PyErr_WriteUnraisable(self->inner);
    Py_XDECREF(done);
    restore_error(&error);
}

static void coroutine_dealloc(coroutine_object *self)
{
    core_state *state = self->state;
    PyTypeObject *type = Py_TYPE(self);
    if (unlikely(self->context != NULL) && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (self->weakrefs)
        PyObject_ClearWeakRefs((PyObject *)self);
    coroutine_clear(self);
    context_object *context = take_context(self);
    if (unlikely(context != NULL))
        context_end_note(context, self->traced, "GeneratorExit", "the coroutine was abandoned before it finished");
    Py_CLEAR(self->inner);
    Py_CLEAR(self->traced);
    if (state->free_coroutine_count < MAX_FREE && !state->dead && type == state->coroutine_type &&
        !PyObject_GC_IsFinalized((PyObject *)self)) {
        self->next_free = state->free_coroutines;
        state->free_coroutines = self;
        state->free_coroutine_count++;
    } else {
        PyObject_GC_Del(self);
    }
    Py_DECREF(type);
}

void coroutine_free_list_clear(core_state *state)
{
    while (state->free_coroutines) {
        coroutine_object *self = state->free_coroutines;
        state->free_coroutines = self->next_free;
        PyObject_GC_Del(self);
    }
    state->free_coroutine_count = 0;
}

static PyMethodDef coroutine_methods[] = {
    {"send", (PyCFunction)coroutine_send, METH_O, "Resumes the coroutine with a value."},
    {"throw", (PyCFunction)(void (*)(void))coroutine_throw, METH_FASTCALL, "Resumes the coroutine with an exception."},
    {"close", (PyCFunction)coroutine_close, METH_NOARGS, "Ends the coroutine with GeneratorExit."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef await_method = {"__await__", (PyCFunction)coroutine_await_method, METH_NOARGS,
                                   "An iterator over the coroutine's steps."};

int coroutine_set_await(PyTypeObject *type)
{
    PyObject *method = PyDescr_NewMethod(type, &await_method);
    int rc = method ? PyDict_SetItemString(type->tp_dict, "__await__", method) : -1;
    Py_XDECREF(method);
    PyType_Modified(type);
    return rc;
}

static PyGetSetDef coroutine_getset[] = {
    {"__class__", (getter)coroutine_class, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef coroutine_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(coroutine_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot coroutine_slots[] = {
    {Py_tp_dealloc, coroutine_dealloc},
    {Py_tp_finalize, coroutine_finalize},
    {Py_tp_traverse, coroutine_traverse},
    {Py_tp_clear, coroutine_clear},
    {Py_tp_iternext, coroutine_iternext},
    {Py_tp_getattro, coroutine_getattro},
    {Py_tp_setattro, coroutine_setattro},
    {Py_tp_repr, coroutine_repr},
    {Py_tp_methods, coroutine_methods},
    {Py_tp_getset, coroutine_getset},
    {Py_tp_members, coroutine_members},
    {Py_am_await, coroutine_await},
#if PY_VERSION_HEX >= 0x030A0000
    {Py_am_send, coroutine_am_send},
#endif
    {0, NULL},
};

PyType_Spec coroutine_spec = {
    .name = "infinium._core.TracedCoroutine",
    .basicsize = sizeof(coroutine_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = coroutine_slots,
};

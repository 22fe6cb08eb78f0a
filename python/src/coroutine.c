/* TracedCoroutine: what calling a decorated coroutine function returns.
 *
 * It passes send(), throw() and close() on to the coroutine it holds, and makes the trace current around each of them:
 * between two resumes the driver (an event loop, another coroutine) sees its own context variable, never ours. The
 * trace begins with the first resume, as the body does; a coroutine that is never awaited leaves no trace, and the
 * warning about it is the wrapped coroutine's own. */
#include "core.h"

#include <string.h>

#include "stand_in.h"

#define MAX_FREE 64

#if PY_VERSION_HEX < 0x030A0000
typedef enum { PYGEN_RETURN = 0, PYGEN_ERROR = -1, PYGEN_NEXT = 1 } PySendResult;
#endif

struct coroutine_object {
    stand_in base; /* a coroutine, or the iterator of another awaitable */
    coroutine_object *next_free;
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
    self->base.state = state;
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
    self->base.inner = inner;
    self->base.traced = traced;
    self->base.context = context;
    self->base.args = self->base.kwnames = NULL;
    self->base.started = true;
    self->base.running = false;
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
    Py_INCREF(traced);
    self->base.inner = inner;
    self->base.traced = traced;
    stand_in_keep(&self->base, args, nargs, kwnames);
    self->base.started = self->base.running = false;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static const char executing[] = "coroutine already executing";

static void end_with_result(coroutine_object *self, PyObject *result)
{
    context_object *context = stand_in_take(&self->base);
    if (context)
        context_end_result(context, self->base.traced, result);
}

static void end_with_error(coroutine_object *self)
{
    context_object *context = stand_in_take(&self->base);
    if (context)
        context_end_error(context, self->base.traced, NULL);
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

static PySendResult coroutine_am_send(coroutine_object *self, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (stand_in_is_running(&self->base, executing))
        return PYGEN_ERROR;
    if (!self->base.started)
        stand_in_begin(&self->base);
    context_object *context = self->base.context;
    if (unlikely(!context))
        return send_inner(self->base.inner, value, result);
    self->base.running = true;
    PyObject *token = context_enter(context);
    PySendResult outcome = send_inner(self->base.inner, value, result);
    context_leave(self->base.state, token);
    self->base.running = false;
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
    if (!self->base.context)
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
    if (stand_in_is_running(&self->base, executing))
        return NULL;
    if (!self->base.started) { /* the body never runs: nothing to trace */
        self->base.started = true;
        Py_CLEAR(self->base.args);
        Py_CLEAR(self->base.kwnames);
    }
    PyObject *stack[4] = {self->base.inner};
    for (Py_ssize_t i = 0; i < nargs; i++)
        stack[i + 1] = args[i];
    self->base.running = true;
    PyObject *token = self->base.context ? context_enter(self->base.context) : NULL;
    PyObject *result = PyObject_VectorcallMethod(self->base.state->name_throw, stack, (size_t)nargs + 1, NULL);
    context_leave(self->base.state, token);
    self->base.running = false;
    if (!result)
        end_with_exception(self);
    return result;
}

static PyObject *close_inner(coroutine_object *self, const char *message)
{
    self->base.started = true;
    Py_CLEAR(self->base.args);
    Py_CLEAR(self->base.kwnames);
    self->base.running = true;
    PyObject *token = self->base.context ? context_enter(self->base.context) : NULL;
    PyObject *result = PyObject_VectorcallMethod(self->base.state->name_close, &self->base.inner, 1, NULL);
    context_leave(self->base.state, token);
    self->base.running = false;
    if (!result) {
        end_with_error(self);
        return NULL;
    }
    context_object *context = stand_in_take(&self->base);
    if (context)
        context_end_note(context, self->base.traced, "GeneratorExit", message);
    return result;
}

static PyObject *coroutine_close(coroutine_object *self, PyObject *unused)
{
    (void)unused;
    if (stand_in_is_running(&self->base, executing))
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
    await_object *iterator = PyObject_GC_New(await_object, self->base.state->await_type);
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

static PyObject *coroutine_class(coroutine_object *self, void *closure)
{
    (void)closure;
    PyObject *type = (PyObject *)(PyCoro_CheckExact(self->base.inner) ? &PyCoro_Type : Py_TYPE(self));
    Py_INCREF(type);
    return type;
}

/* Abandoned half-way: the body's own clean-up runs as it would have, inside its trace, and the trace ends. */
static void coroutine_finalize(PyObject *object)
{
    coroutine_object *self = (coroutine_object *)object;
    if (!self->base.context || self->base.running)
        return;
    saved_error error;
    save_error(&error);
    PyObject *done = close_inner(self, "the coroutine was abandoned before it finished");
    if (!done)
        PyErr_WriteUnraisable(self->base.inner);
    Py_XDECREF(done);
    restore_error(&error);
}

static void coroutine_dealloc(coroutine_object *self)
{
    core_state *state = self->base.state;
    PyTypeObject *type = Py_TYPE(self);
    if (unlikely(self->base.context != NULL) && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (self->base.weakrefs)
        PyObject_ClearWeakRefs((PyObject *)self);
    stand_in_clear((PyObject *)self);
    context_object *context = stand_in_take(&self->base);
    if (unlikely(context != NULL))
        context_end_note(context, self->base.traced, "GeneratorExit", "the coroutine was abandoned before it finished");
    Py_CLEAR(self->base.inner);
    Py_CLEAR(self->base.traced);
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
    {"__weaklistoffset__", T_PYSSIZET, offsetof(coroutine_object, base.weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot coroutine_slots[] = {
    {Py_tp_dealloc, coroutine_dealloc},
    {Py_tp_finalize, coroutine_finalize},
    {Py_tp_traverse, stand_in_traverse},
    {Py_tp_clear, stand_in_clear},
    {Py_tp_iternext, coroutine_iternext},
    {Py_tp_getattro, stand_in_getattro},
    {Py_tp_setattro, stand_in_setattro},
    {Py_tp_repr, stand_in_repr},
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

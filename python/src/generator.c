/* TracedGenerator and TracedAsyncGenerator: what calling a decorated generator function returns.
 *
 * The trace begins with the first item asked for and ends with the last, with an exception, with close() or when the
 * generator is dropped. It is current while the body runs, set around each resume, so that the consumer never sees it.
 * Its output is the list of what was yielded, as far as that fits, and the count. Closed early is no failure: the
 * GeneratorExit stands at the function's step and the trace is one that went well.
 *
 * An asynchronous generator's items come through awaitables: each is an AsyncStep, which does the same around each
 * resume of its own. */
#include "core.h"

#include <string.h>

#include "stand_in.h"

typedef struct generator_object {
    stand_in base;
    capture_items items;
} generator_object;

typedef struct step_object {
    PyObject_HEAD generator_object *owner;
    PyObject *inner; /* the iterator of the awaitable that the inner generator gave */
    bool closing;    /* aclose() */
} step_object;

static const char executing[] = "generator already executing";
static const char closed[] = "closed before it was exhausted";

PyObject *generator_wrap(traced_object *traced, PyObject *inner, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames, context_object *context)
{
    core_state *state = traced->state;
    bool plain = PyGen_CheckExact(inner), async = PyAsyncGen_CheckExact(inner);
    /* A generator function that is itself decorated gives one of ours. */
    plain |= Py_TYPE(inner) == state->generator_type;
    async |= Py_TYPE(inner) == state->async_generator_type;
    generator_object *self = NULL;
    if (likely(!state->dead && (plain || async)))
        self = PyObject_GC_New(generator_object, async ? state->async_generator_type : state->generator_type);
    if (unlikely(!self)) {
        PyErr_Clear();
        if (context)
            context_end_result(context, traced, inner);
        return inner;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    if (!context)
        stand_in_keep(&self->base, args, nargs, kwnames);
    Py_INCREF(traced);
    self->base.inner = inner;
    self->base.traced = traced;
    self->base.context = context;
    self->base.state = state;
    self->base.started = context != NULL;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static void yielded(generator_object *self, PyObject *item)
{
    context_object *context = self->base.context;
    if (likely(context && context->phase == CONTEXT_OPEN && self->base.traced->capture_output))
        capture_item(&self->items, item);
}

static void end_exhausted(generator_object *self, PyObject *result)
{
    context_object *context = stand_in_take(&self->base);
    if (context)
        context_end_items(context, self->base.traced, &self->items, result, NULL);
    capture_items_clear(&self->items);
}

static void end_closed(generator_object *self)
{
    context_object *context = stand_in_take(&self->base);
    if (context)
        context_end_items(context, self->base.traced, &self->items, NULL, closed);
    capture_items_clear(&self->items);
}

static void end_failed(generator_object *self)
{
    context_object *context = stand_in_take(&self->base);
    if (context)
        context_end_error(context, self->base.traced, &self->items);
    capture_items_clear(&self->items);
}

/* With StopIteration set, which stays set: its value is the result. */
static void end_stopped(generator_object *self)
{
    if (!self->base.context)
        return;
    saved_error error;
    save_error(&error);
#if PY_VERSION_HEX < 0x030C0000
    PyErr_NormalizeException(&error.type, &error.value, &error.traceback);
#endif
    PyObject *value = error.value ? PyObject_GetAttrString(error.value, "value") : NULL;
    PyErr_Clear();
    end_exhausted(self, value);
    Py_XDECREF(value);
    restore_error(&error);
}

/* What the body answered: an item, its end (an exception or none), or an exception. */
static PyObject *settle(generator_object *self, PyObject *item)
{
    if (likely(item != NULL))
        yielded(self, item);
    else if (!PyErr_Occurred())
        end_exhausted(self, NULL);
    else if (PyErr_ExceptionMatches(PyExc_StopIteration))
        end_stopped(self);
    else
        end_failed(self);
    return item;
}

static PyObject *generator_iternext(generator_object *self)
{
    if (stand_in_is_running(&self->base, executing))
        return NULL;
    if (!self->base.started)
        stand_in_begin(&self->base);
    self->base.running = true;
    PyObject *token = self->base.context ? context_enter(self->base.context) : NULL;
    PyObject *item = Py_TYPE(self->base.inner)->tp_iternext(self->base.inner);
    context_leave(self->base.state, token);
    self->base.running = false;
    return settle(self, item);
}

static PyObject *generator_send(generator_object *self, PyObject *value)
{
    if (stand_in_is_running(&self->base, executing))
        return NULL;
    if (!self->base.started)
        stand_in_begin(&self->base);
    self->base.running = true;
    PyObject *token = self->base.context ? context_enter(self->base.context) : NULL;
    PyObject *stack[2] = {self->base.inner, value};
    PyObject *item = PyObject_VectorcallMethod(self->base.state->name_send, stack, 2, NULL);
    context_leave(self->base.state, token);
    self->base.running = false;
    return settle(self, item);
}

static PyObject *generator_throw(generator_object *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 1 || nargs > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes one to three arguments");
        return NULL;
    }
    if (stand_in_is_running(&self->base, executing))
        return NULL;
    if (!self->base.started) /* the body never runs: nothing to trace */
        stand_in_start_untraced(&self->base);
    PyObject *stack[4] = {self->base.inner};
    for (Py_ssize_t i = 0; i < nargs; i++)
        stack[i + 1] = args[i];
    self->base.running = true;
    PyObject *token = self->base.context ? context_enter(self->base.context) : NULL;
    PyObject *item = PyObject_VectorcallMethod(self->base.state->name_throw, stack, (size_t)nargs + 1, NULL);
    context_leave(self->base.state, token);
    self->base.running = false;
    return settle(self, item);
}

static PyObject *generator_close(generator_object *self, PyObject *unused)
{
    (void)unused;
    if (stand_in_is_running(&self->base, executing))
        return NULL;
    stand_in_start_untraced(&self->base);
    self->base.running = true;
    PyObject *token = self->base.context ? context_enter(self->base.context) : NULL;
    PyObject *result = PyObject_VectorcallMethod(self->base.state->name_close, &self->base.inner, 1, NULL);
    context_leave(self->base.state, token);
    self->base.running = false;
    if (result)
        end_closed(self);
    else
        end_failed(self);
    return result;
}

/* Shared by both kinds -----------------------------------------------------------------------------------------------
 */

static PyObject *generator_class(generator_object *self, void *closure)
{
    (void)closure;
    PyObject *type = (PyObject *)(Py_TYPE(self) == self->base.state->generator_type ? &PyGen_Type : &PyAsyncGen_Type);
    Py_INCREF(type);
    return type;
}

/* Dropped half-way: the body's own clean-up runs as it would have, inside its trace, and the trace ends. */
static void generator_finalize(PyObject *object)
{
    generator_object *self = (generator_object *)object;
    if (!self->base.context || self->base.running)
        return;
    saved_error error;
    save_error(&error);
    PyObject *done = generator_close(self, NULL);
    if (!done)
        PyErr_WriteUnraisable(self->base.inner);
    Py_XDECREF(done);
    restore_error(&error);
}

static void generator_dealloc(generator_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    bool plain = type == self->base.state->generator_type;
    if (unlikely(self->base.context && plain) && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (self->base.weakrefs)
        PyObject_ClearWeakRefs((PyObject *)self);
    stand_in_clear((PyObject *)self);
    /* An asynchronous one is closed by its event loop, later: what is known by now is the trace. */
    end_closed(self);
    Py_CLEAR(self->base.inner);
    Py_CLEAR(self->base.traced);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyGetSetDef generator_getset[] = {
    {"__class__", (getter)generator_class, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef generator_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(generator_object, base.weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef generator_methods[] = {
    {"send", (PyCFunction)generator_send, METH_O, "Resumes the generator with a value."},
    {"throw", (PyCFunction)(void (*)(void))generator_throw, METH_FASTCALL, "Resumes the generator with an exception."},
    {"close", (PyCFunction)generator_close, METH_NOARGS, "Ends the generator with GeneratorExit."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot generator_slots[] = {
    {Py_tp_dealloc, generator_dealloc},
    {Py_tp_finalize, generator_finalize},
    {Py_tp_traverse, stand_in_traverse},
    {Py_tp_clear, stand_in_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, generator_iternext},
    {Py_tp_getattro, stand_in_getattro},
    {Py_tp_setattro, stand_in_setattro},
    {Py_tp_repr, stand_in_repr},
    {Py_tp_methods, generator_methods},
    {Py_tp_getset, generator_getset},
    {Py_tp_members, generator_members},
    {0, NULL},
};

PyType_Spec generator_spec = {
    .name = "infinium._core.TracedGenerator",
    .basicsize = sizeof(generator_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = generator_slots,
};

/* Asynchronous -------------------------------------------------------------------------------------------------------
 */

/* Takes over `awaitable`, what the inner generator's method gave; NULL: it raised. */
static PyObject *make_step(generator_object *self, PyObject *awaitable, bool closing)
{
    if (!awaitable)
        return NULL;
    PyAsyncMethods *async = Py_TYPE(awaitable)->tp_as_async;
    PyObject *iterator = async && async->am_await ? async->am_await(awaitable) : NULL;
    Py_DECREF(awaitable);
    step_object *step = iterator ? PyObject_GC_New(step_object, self->base.state->async_step_type) : NULL;
    if (!step) {
        Py_XDECREF(iterator);
        return NULL;
    }
    Py_INCREF(self);
    step->owner = self;
    step->inner = iterator;
    step->closing = closing;
    PyObject_GC_Track(step);
    return (PyObject *)step;
}

static PyObject *async_anext(generator_object *self)
{
    return make_step(self, Py_TYPE(self->base.inner)->tp_as_async->am_anext(self->base.inner), false);
}

static PyObject *async_asend(generator_object *self, PyObject *value)
{
    return make_step(self, PyObject_CallMethod(self->base.inner, "asend", "(O)", value), false);
}

static PyObject *async_athrow(generator_object *self, PyObject *args)
{
    PyObject *method = PyObject_GetAttrString(self->base.inner, "athrow");
    PyObject *awaitable = method ? PyObject_Call(method, args, NULL) : NULL;
    Py_XDECREF(method);
    return make_step(self, awaitable, false);
}

static PyObject *async_aclose(generator_object *self, PyObject *unused)
{
    (void)unused;
    return make_step(self, PyObject_CallMethod(self->base.inner, "aclose", NULL), true);
}

/* The end of a step: StopIteration brings the item, StopAsyncIteration ends the generator, anything else is its error.
 * Closing ends with StopIteration. */
static void settle_step(step_object *step)
{
    generator_object *self = step->owner;
    if (!self->base.context)
        return;
    if (step->closing && (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_StopIteration))) {
        end_closed(self);
        return;
    }
    if (!PyErr_Occurred())
        return;
    if (PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) {
        saved_error error;
        save_error(&error);
        end_exhausted(self, NULL);
        restore_error(&error);
        return;
    }
    if (PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
        end_closed(self);
        return;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        end_failed(self);
        return;
    }
    saved_error error;
    save_error(&error);
#if PY_VERSION_HEX < 0x030C0000
    PyErr_NormalizeException(&error.type, &error.value, &error.traceback);
#endif
    PyObject *item = error.value ? PyObject_GetAttrString(error.value, "value") : NULL;
    PyErr_Clear();
    if (item)
        yielded(self, item);
    Py_XDECREF(item);
    restore_error(&error);
}

static PyObject *enter_step(step_object *step)
{
    generator_object *self = step->owner;
    if (!self->base.started) {
        if (step->closing)
            stand_in_start_untraced(&self->base); /* the body never runs: nothing to trace */
        else
            stand_in_begin(&self->base);
    }
    return self->base.context ? context_enter(self->base.context) : NULL;
}

static PyObject *step_iternext(step_object *step)
{
    PyObject *token = enter_step(step);
    PyObject *waits = Py_TYPE(step->inner)->tp_iternext(step->inner);
    context_leave(step->owner->base.state, token);
    if (!waits)
        settle_step(step);
    return waits;
}

static PyObject *step_call(step_object *step, PyObject *name, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *stack[4] = {step->inner};
    for (Py_ssize_t i = 0; i < nargs; i++)
        stack[i + 1] = args[i];
    PyObject *token = enter_step(step);
    PyObject *waits = PyObject_VectorcallMethod(name, stack, (size_t)nargs + 1, NULL);
    context_leave(step->owner->base.state, token);
    if (!waits)
        settle_step(step);
    return waits;
}

static PyObject *step_send(step_object *step, PyObject *value)
{
    if (value == Py_None) {
        PyObject *waits = step_iternext(step);
        if (!waits && !PyErr_Occurred())
            PyErr_SetNone(PyExc_StopIteration);
        return waits;
    }
    return step_call(step, step->owner->base.state->name_send, &value, 1);
}

static PyObject *step_throw(step_object *step, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 1 || nargs > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes one to three arguments");
        return NULL;
    }
    return step_call(step, step->owner->base.state->name_throw, args, nargs);
}

static PyObject *step_close(step_object *step, PyObject *unused)
{
    (void)unused;
    PyObject *token = step->owner->base.context ? context_enter(step->owner->base.context) : NULL;
    PyObject *result = PyObject_VectorcallMethod(step->owner->base.state->name_close, &step->inner, 1, NULL);
    context_leave(step->owner->base.state, token);
    return result;
}

static int step_traverse(step_object *step, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(step));
    Py_VISIT(step->owner);
    Py_VISIT(step->inner);
    return 0;
}

static void step_dealloc(step_object *step)
{
    PyTypeObject *type = Py_TYPE(step);
    PyObject_GC_UnTrack(step);
    Py_CLEAR(step->inner);
    Py_CLEAR(step->owner);
    PyObject_GC_Del(step);
    Py_DECREF(type);
}

static PyMethodDef step_methods[] = {
    {"send", (PyCFunction)step_send, METH_O, "Resumes with a value."},
    {"throw", (PyCFunction)(void (*)(void))step_throw, METH_FASTCALL, "Resumes with an exception."},
    {"close", (PyCFunction)step_close, METH_NOARGS, "Gives up."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot step_slots[] = {
    {Py_tp_dealloc, step_dealloc},
    {Py_tp_traverse, step_traverse},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, step_iternext},
    {Py_am_await, PyObject_SelfIter},
    {Py_tp_methods, step_methods},
    {0, NULL},
};

PyType_Spec async_step_spec = {
    .name = "infinium._core.AsyncStep",
    .basicsize = sizeof(step_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = step_slots,
};

static PyMethodDef async_methods[] = {
    {"asend", (PyCFunction)async_asend, METH_O, "Resumes the generator with a value."},
    {"athrow", (PyCFunction)async_athrow, METH_VARARGS, "Resumes the generator with an exception."},
    {"aclose", (PyCFunction)async_aclose, METH_NOARGS, "Ends the generator with GeneratorExit."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot async_slots[] = {
    {Py_tp_dealloc, generator_dealloc},  {Py_tp_traverse, stand_in_traverse}, {Py_tp_clear, stand_in_clear},
    {Py_am_aiter, PyObject_SelfIter},    {Py_am_anext, async_anext},          {Py_tp_getattro, stand_in_getattro},
    {Py_tp_setattro, stand_in_setattro}, {Py_tp_repr, stand_in_repr},         {Py_tp_methods, async_methods},
    {Py_tp_getset, generator_getset},    {Py_tp_members, generator_members},  {0, NULL},
};

PyType_Spec async_generator_spec = {
    .name = "infinium._core.TracedAsyncGenerator",
    .basicsize = sizeof(generator_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = async_slots,
};

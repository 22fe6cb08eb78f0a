/* What a plain function returns may be a future of asyncio's, or a task: then its trace lasts until that is done. The
 * future stays the program's own object; a FutureEnd is added to its callbacks. What a callback may do to a future
 * without a trace of it: look at it. result() and exception() would mark an exception as retrieved, and asyncio's
 * warning about a forgotten one would be gone; so the fields behind them are read. */
#include "core.h"

typedef struct future_end {
    PyObject_HEAD traced_object *traced;
    context_object *context; /* owned; NULL: ended */
} future_end;

bool future_is(PyObject *object)
{
    PyAsyncMethods *slots = Py_TYPE(object)->tp_as_async;
    if (!slots || !slots->am_await || PyCoro_CheckExact(object))
        return false;
    PyObject *mark = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "_asyncio_future_blocking");
    PyErr_Clear();
    Py_XDECREF(mark);
    return mark != NULL;
}

static bool is_cancelled(PyObject *future)
{
    PyObject *answer = PyObject_CallMethod(future, "cancelled", NULL);
    bool cancelled = answer == Py_True;
    PyErr_Clear();
    Py_XDECREF(answer);
    return cancelled;
}

static void end(future_end *self, PyObject *future)
{
    context_object *context = self->context;
    if (!context)
        return;
    self->context = NULL;
    if (is_cancelled(future)) {
        context_end_note(context, self->traced, "CancelledError", "the future was cancelled");
        return;
    }
    PyObject *exception = PyObject_GetAttrString(future, "_exception");
    if (exception && PyExceptionInstance_Check(exception)) {
        PyObject *type = (PyObject *)Py_TYPE(exception);
        Py_INCREF(type);
        Py_INCREF(exception);
        PyErr_Restore(type, exception, PyException_GetTraceback(exception));
        context_end_error(context, self->traced, NULL);
        PyErr_Clear();
    } else {
        PyErr_Clear();
        PyObject *result = PyObject_GetAttrString(future, "_result");
        PyErr_Clear();
        context_end_result(context, self->traced, result ? result : Py_None);
        Py_XDECREF(result);
    }
    Py_XDECREF(exception);
}

static PyObject *future_end_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    if (PyTuple_GET_SIZE(args) == 1)
        end((future_end *)object, PyTuple_GET_ITEM(args, 0));
    Py_RETURN_NONE;
}

static int future_end_traverse(future_end *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->traced);
    Py_VISIT(self->context);
    return 0;
}

/* The loop has ended before the future: nobody will call any more. */
static void future_end_dealloc(future_end *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    context_object *context = self->context;
    self->context = NULL;
    if (context) {
        saved_error error;
        save_error(&error);
        context_end_note(context, self->traced, "GeneratorExit", "the future was never done");
        restore_error(&error);
    }
    Py_CLEAR(self->traced);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

void future_follow(traced_object *traced, PyObject *future, context_object *context)
{
    future_end *self = PyObject_GC_New(future_end, traced->state->future_end_type);
    PyObject *added = NULL;
    if (self) {
        Py_INCREF(traced);
        self->traced = traced;
        self->context = context;
        PyObject_GC_Track(self);
        added = PyObject_CallMethod(future, "add_done_callback", "O", self);
    }
    PyErr_Clear();
    if (!added) { /* no memory, or no callbacks: what is known is the future itself */
        if (self)
            self->context = NULL;
        context_end_result(context, traced, future);
    }
    Py_XDECREF(added);
    Py_XDECREF(self);
}

static PyType_Slot future_end_slots[] = {
    {Py_tp_dealloc, future_end_dealloc},
    {Py_tp_traverse, future_end_traverse},
    {Py_tp_call, future_end_call},
    {0, NULL},
};

PyType_Spec future_end_spec = {
    .name = "infinium._core.FutureEnd",
    .basicsize = sizeof(future_end),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = future_end_slots,
};

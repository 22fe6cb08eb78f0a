/* What coroutines and generators of decorated functions have in common (stand_in.c). */
#ifndef INFINIUM_PYTHON_STAND_IN_H
#define INFINIUM_PYTHON_STAND_IN_H

#include "core.h"

/* The first member of such an object. */
typedef struct stand_in {
    PyObject_HEAD PyObject *inner; /* what it stands for */
    traced_object *traced;
    PyObject *args; /* until the first resume: all argument values, keywords last */
    PyObject *kwnames;
    context_object *context; /* the open trace; NULL before the first resume, after the end, or when not recording */
    core_state *state;
    PyObject *weakrefs;
    bool started;
    bool running;
} stand_in;

/* Keeps the arguments for stand_in_begin(), where there is memory for them: without them there is no trace. */
void stand_in_keep(stand_in *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
/* The first resume: the trace begins, of the arguments that were kept. */
void stand_in_begin(stand_in *self);

/* Slots of the types. What is cleared is what the body does not need any more. */
PyObject *stand_in_getattro(PyObject *self, PyObject *name);
int stand_in_setattro(PyObject *self, PyObject *name, PyObject *value);
PyObject *stand_in_repr(PyObject *self);
int stand_in_traverse(PyObject *self, visitproc visit, void *arg);
int stand_in_clear(PyObject *self);

static inline void stand_in_start_untraced(stand_in *self)
{
    self->started = true;
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwnames);
}

/* The open trace, which is the caller's from now on, or NULL. */
static inline context_object *stand_in_take(stand_in *self)
{
    context_object *context = self->context;
    self->context = NULL;
    return context;
}

/* With the exception set that Python's own kinds raise. */
static inline bool stand_in_is_running(const stand_in *self, const char *message)
{
    if (likely(!self->running))
        return false;
    PyErr_SetString(PyExc_ValueError, message);
    return true;
}

#endif

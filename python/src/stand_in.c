/* What a decorated function gives instead of its coroutine or generator has this much in common: the object that it
 * stands for, which answers for all attributes but our own, and the arguments that are kept until the body begins. */
#include "core.h"

#include "stand_in.h"

void stand_in_keep(stand_in *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    self->args = PyTuple_New(count);
    if (likely(self->args != NULL)) {
        for (Py_ssize_t i = 0; i < count; i++) {
            Py_INCREF(args[i]);
            PyTuple_SET_ITEM(self->args, i, args[i]);
        }
    } else {
        PyErr_Clear();
    }
    Py_XINCREF(kwnames);
    self->kwnames = kwnames;
}

void stand_in_begin(stand_in *self)
{
    if (self->args) {
        Py_ssize_t keywords = self->kwnames ? PyTuple_GET_SIZE(self->kwnames) : 0;
        self->context = context_begin(self->traced, ((PyTupleObject *)self->args)->ob_item,
                                      PyTuple_GET_SIZE(self->args) - keywords, self->kwnames);
    }
    stand_in_start_untraced(self);
}

PyObject *stand_in_getattro(PyObject *object, PyObject *name)
{
    stand_in *self = (stand_in *)object;
    if (is_wrapped_name(self->state, name))
        return PyObject_GetAttr(self->inner, name);
    PyObject *value = PyObject_GenericGetAttr(object, name);
    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError) || !self->inner)
        return value;
    PyErr_Clear();
    return PyObject_GetAttr(self->inner, name);
}

int stand_in_setattro(PyObject *object, PyObject *name, PyObject *value)
{
    return PyObject_SetAttr(((stand_in *)object)->inner, name, value);
}

PyObject *stand_in_repr(PyObject *object)
{
    return PyObject_Repr(((stand_in *)object)->inner);
}

int stand_in_traverse(PyObject *object, visitproc visit, void *arg)
{
    stand_in *self = (stand_in *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->inner);
    Py_VISIT(self->traced);
    Py_VISIT(self->args);
    Py_VISIT(self->kwnames);
    Py_VISIT(self->context);
    return 0;
}

int stand_in_clear(PyObject *object)
{
    stand_in *self = (stand_in *)object;
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwnames);
    return 0;
}

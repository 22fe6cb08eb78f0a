/* Objects that are shown by their fields, because their own repr() makes the text of all that they hold, however large:
 * dataclasses and pydantic's models are walked by capture.c, field by field, as far as the text goes. What cannot be
 * walked (arrays of numpy, tables of pandas) abbreviates by itself, unless it was told not to; then its shape stands
 * for it. Nothing here imports those packages. */
#include "core.h"

#include <string.h>

/* The first of the type's bases that defines `name`: its own dict, borrowed, or NULL. */
static PyObject *defining_dict(PyTypeObject *type, const char *name)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyObject *base = PyTuple_GET_ITEM(mro, i);
        PyObject *dict = PyType_Check(base) ? ((PyTypeObject *)base)->tp_dict : NULL;
        if (dict && PyDict_GetItemString(dict, name))
            return dict;
    }
    return NULL;
}

/* Whether `repr` is what dataclasses put there: compiled from a string, and wrapped. */
static bool is_generated(PyObject *repr)
{
    PyObject *inner = PyFunction_Check(repr) ? PyObject_GetAttrString(repr, "__wrapped__") : NULL;
    bool generated =
        inner && PyFunction_Check(inner) &&
        PyUnicode_CompareWithASCIIString(((PyCodeObject *)PyFunction_GET_CODE(inner))->co_filename, "<string>") == 0;
    PyErr_Clear();
    Py_XDECREF(inner);
    return generated;
}

static bool is_of_package(PyObject *module, const char *package)
{
    if (!module || !PyUnicode_Check(module))
        return false;
    const char *text = PyUnicode_AsUTF8(module);
    if (!text) {
        PyErr_Clear();
        return false;
    }
    size_t n = strlen(package);
    return strncmp(text, package, n) == 0 && (text[n] == '.' || text[n] == 0);
}

/* Whether the function is pydantic's own, not one that a model has put in its place. */
static bool is_pydantic(PyObject *function)
{
    return function && PyFunction_Check(function) &&
           is_of_package(((PyFunctionObject *)function)->func_module, "pydantic");
}

enum fields_kind fields_of(PyTypeObject *type, PyObject **fields)
{
    *fields = NULL;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || type->tp_repr == PyBaseObject_Type.tp_repr)
        return FIELDS_NONE;
    PyObject *dict = defining_dict(type, "__repr__");
    PyObject *repr = dict ? PyDict_GetItemString(dict, "__repr__") : NULL;
    if (!repr)
        return FIELDS_NONE;
    *fields = PyDict_GetItemString(dict, "__dataclass_fields__");
    if (*fields && PyDict_CheckExact(*fields) && is_generated(repr))
        return FIELDS_DATACLASS;
    if (!is_pydantic(repr))
        return FIELDS_NONE;
    dict = defining_dict(type, "__repr_str__");
    return dict && is_pydantic(PyDict_GetItemString(dict, "__repr_str__")) ? FIELDS_MODEL : FIELDS_NONE;
}

/* Field.repr, and no ClassVar or InitVar. */
bool fields_is_shown(PyObject *field)
{
    PyObject *repr = PyObject_GetAttrString(field, "repr");
    PyObject *kind = repr == Py_True ? PyObject_GetAttrString(field, "_field_type") : NULL;
    PyObject *name = kind ? PyObject_GetAttrString(kind, "name") : NULL;
    bool shown = name && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "_FIELD") == 0;
    PyErr_Clear();
    Py_XDECREF(name);
    Py_XDECREF(kind);
    Py_XDECREF(repr);
    return shown;
}

PyObject *fields_instead(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject *module = type->tp_flags & Py_TPFLAGS_HEAPTYPE && type->tp_dict
                           ? PyDict_GetItemString(type->tp_dict, "__module__")
                           : NULL;
    if (strncmp(type->tp_name, "numpy.", 6) != 0 && !is_of_package(module, "pandas"))
        return NULL;
    PyObject *ours = PyImport_ImportModule("infinium._large");
    PyObject *text = ours ? PyObject_CallMethod(ours, "instead", "O", object) : NULL;
    Py_XDECREF(ours);
    if (text && PyUnicode_Check(text))
        return text;
    Py_XDECREF(text);
    swallow_error();
    return NULL;
}

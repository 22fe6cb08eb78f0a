/* infinium._core: the module, its state, its types. */
#include "core.h"

#include <string.h>

#include "model/fields.h"
#include "model/mask.h"

/* The module's own storage holds a pointer only: see core_state. */
typedef struct module_state {
    core_state *core;
} module_state;

core_state *core_get_state(PyObject *module)
{
    module_state *holder = PyModule_GetState(module);
    if (!holder || !holder->core) {
        PyErr_SetString(PyExc_RuntimeError, "infinium._core is not initialised");
        return NULL;
    }
    return holder->core;
}

core_state *core_state_of_type(PyTypeObject *type)
{
    PyObject *module = PyType_GetModule(type);
    return module ? core_get_state(module) : NULL;
}

static int add_object(PyObject *module, const char *name, PyObject *object)
{
    Py_INCREF(object);
    if (PyModule_AddObject(module, name, object) == 0)
        return 0;
    Py_DECREF(object);
    return -1;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

static bool intern(PyObject **place, const char *name)
{
    *place = PyUnicode_InternFromString(name);
    return *place != NULL;
}

/* TAGS: the numbers of the fields, by name. */
static int add_tags(PyObject *module)
{
    PyObject *tags = PyDict_New();
    int rc = tags ? 0 : -1;
    for (int tag = 1; rc == 0 && tag < 256; tag++) {
        if (!inf_field_kind((uint8_t)tag))
            continue;
        PyObject *number = PyLong_FromLong(tag);
        rc = number ? PyDict_SetItemString(tags, inf_field_name((uint8_t)tag), number) : -1;
        Py_XDECREF(number);
    }
    if (rc == 0)
        rc = add_object(module, "TAGS", tags);
    Py_XDECREF(tags);
    return rc;
}

static int module_exec(PyObject *module)
{
    module_state *holder = PyModule_GetState(module);
    core_state *state = PyMem_RawCalloc(1, sizeof *state);
    if (!state) {
        PyErr_NoMemory();
        return -1;
    }
    holder->core = state;
    if (!intern(&state->name_doc, "__doc__") || !intern(&state->name_module, "__module__") ||
        !intern(&state->name_wrapped, "__wrapped__") || !intern(&state->name_send, "send") ||
        !intern(&state->name_throw, "throw") || !intern(&state->name_close, "close") ||
        !intern(&state->name_settle, "settle") || !intern(&state->name_recorded, "_infinium_recorded") ||
        !intern(&state->name_notes, "__notes__"))
        return -1;
    state->context_var = PyContextVar_New("infinium_trace_ctx", Py_None);
    if (!state->context_var || add_object(module, "context_var", state->context_var) < 0)
        return -1;
    state->client_type = add_type(module, &client_spec);
    state->context_type = add_type(module, &context_spec);
    state->coroutine_type = add_type(module, &coroutine_spec);
    state->await_type = add_type(module, &await_spec);
    state->traced_type = add_type(module, &traced_spec);
    state->generator_type = add_type(module, &generator_spec);
    state->async_generator_type = add_type(module, &async_generator_spec);
    state->async_step_type = add_type(module, &async_step_spec);
    state->future_end_type = add_type(module, &future_end_spec);
    if (!state->client_type || !state->await_type || !state->context_type || !state->coroutine_type ||
        !state->traced_type || !state->generator_type || !state->async_generator_type || !state->async_step_type ||
        !state->future_end_type)
        return -1;
    if (coroutine_set_await(state->coroutine_type) < 0)
        return -1;
    /* Made by traced functions only. */
    state->coroutine_type->tp_new = NULL;
    state->await_type->tp_new = NULL;
    state->generator_type->tp_new = NULL;
    state->async_generator_type->tp_new = NULL;
    state->async_step_type->tp_new = NULL;
    state->future_end_type->tp_new = NULL;
    if (PyModule_AddStringConstant(module, "VERSION", INF_VERSION) < 0)
        return -1;
    if (add_tags(module) < 0)
        return -1;
    log_start();
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *holder = PyModule_GetState(module);
    core_state *state = holder ? holder->core : NULL;
    if (!state)
        return 0;
    Py_VISIT(state->client_type);
    Py_VISIT(state->context_type);
    Py_VISIT(state->coroutine_type);
    Py_VISIT(state->await_type);
    Py_VISIT(state->traced_type);
    Py_VISIT(state->generator_type);
    Py_VISIT(state->async_generator_type);
    Py_VISIT(state->async_step_type);
    Py_VISIT(state->future_end_type);
    Py_VISIT(state->context_var);
    Py_VISIT(state->getline);
    return 0;
}

/* The struct, the context variable and the names stay: objects that are still alive use them. */
static int module_clear(PyObject *module)
{
    module_state *holder = PyModule_GetState(module);
    core_state *state = holder ? holder->core : NULL;
    if (!state)
        return 0;
    state->dead = true;
    Py_CLEAR(state->unsampled);
    Py_CLEAR(state->untraced);
    coroutine_free_list_clear(state);
    context_free_list_clear(state);
    Py_CLEAR(state->getline);
    error_forget_lines(state);
    return 0;
}

static void module_free(void *module)
{
    module_clear((PyObject *)module);
}

static PyObject *module_reset(PyObject *module, PyObject *token)
{
    core_state *state = core_get_state(module);
    if (!state)
        return NULL;
    Py_INCREF(token);
    context_leave(state, token);
    Py_RETURN_NONE;
}

static PyObject *module_capture(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *object;
    Py_ssize_t chars;
    if (!PyArg_ParseTuple(args, "On:capture", &object, &chars))
        return NULL;
    if (chars < 3 || chars > 1000000) {
        PyErr_SetString(PyExc_ValueError, "chars must be between 3 and 1,000,000");
        return NULL;
    }
    char *buffer = PyMem_Malloc((size_t)chars * 4);
    if (!buffer)
        return PyErr_NoMemory();
    size_t length = capture_object_to(buffer, object, (size_t)chars);
    PyObject *text = PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)length, "strict");
    PyMem_Free(buffer);
    return text;
}

static PyObject *module_is_secret_name(PyObject *module, PyObject *name)
{
    (void)module;
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    return text ? PyBool_FromLong(inf_mask_name(text, (size_t)length)) : NULL;
}

static PyObject *module_mask_text(PyObject *module, PyObject *text)
{
    (void)module;
    Py_ssize_t length;
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "replace");
    if (!bytes)
        return NULL;
    length = PyBytes_GET_SIZE(bytes);
    size_t room = (size_t)length + 256;
    char *buffer = PyMem_Malloc(room);
    PyObject *masked = NULL;
    if (buffer) {
        memcpy(buffer, PyBytes_AS_STRING(bytes), (size_t)length);
        masked = PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)inf_mask(buffer, (size_t)length, room, false), "replace");
        PyMem_Free(buffer);
    } else {
        PyErr_NoMemory();
    }
    Py_DECREF(bytes);
    return masked;
}

static PyMethodDef module_methods[] = {
    {"shutdown", client_shutdown, METH_O, "Flushes and closes all clients, within so many seconds all together."},
    {"capture", module_capture, METH_VARARGS, "capture(object, chars): the text that a trace would hold for it."},
    {"mask_text", module_mask_text, METH_O, "A str with its secrets masked."},
    {"is_secret_name", module_is_secret_name, METH_O, "Whether an argument of this name is masked."},
    {"reset", module_reset, METH_O, "Resets the context variable by a token, whatever context it is from."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "infinium._core",
    .m_doc = "The tracer's hot path. Private: use the infinium package.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&module_definition);
}

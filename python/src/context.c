/* TraceContext: one open trace, the value of the one ContextVar `infinium_trace_ctx`.
 *
 * Made by hand it is the published class: two lists, calls and prompts. Made by a traced call it holds the trace
 * itself; the lists are made when somebody asks. Objects and their buffers are reused, so that a traced call allocates
 * nothing in the steady state.
 *
 * One trace may be written from several threads (a copied context runs elsewhere); the GIL serialises them, and no
 * function here lets it go, by calling Python code, between opening a group and closing it. */
#include "core.h"

#include <string.h>

#define MAX_FREE 64
#define MAX_KEPT_BUFFER (256 * 1024) /* a larger buffer is given back rather than kept for the next trace */

static context_object *context_alloc(core_state *state)
{
    context_object *self = state->free_contexts;
    if (likely(self != NULL)) {
        state->free_contexts = self->next_free;
        state->free_context_count--;
        PyObject_Init((PyObject *)self, state->context_type);
        return self;
    }
    self = PyObject_GC_New(context_object, state->context_type);
    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    self->state = state;
    return self;
}

static void context_track(context_object *self)
{
    if (!self->tracked) {
        self->tracked = true;
        PyObject_GC_Track(self);
    }
}

static int context_traverse(context_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->client);
    Py_VISIT(self->calls);
    Py_VISIT(self->prompts);
    Py_VISIT(self->unsettled);
    return 0;
}

static int context_clear(context_object *self)
{
    Py_CLEAR(self->calls);
    Py_CLEAR(self->prompts);
    Py_CLEAR(self->unsettled);
    return 0;
}

static void context_drop_client(context_object *self)
{
    client_object *client = self->client;
    if (!client)
        return;
    self->client = NULL;
    self->trace.client = NULL;
    client_release(client);
    Py_DECREF(client);
}

static void context_dealloc(context_object *self)
{
    core_state *state = self->state;
    PyTypeObject *type = Py_TYPE(self);
    if (self->tracked) {
        PyObject_GC_UnTrack(self);
        self->tracked = false;
    }
    if (self->weakrefs)
        PyObject_ClearWeakRefs((PyObject *)self);
    context_clear(self);
    context_drop_client(self);
    if (state->free_context_count < MAX_FREE && !state->dead && type == state->context_type) {
        if (unlikely(self->trace.capacity > MAX_KEPT_BUFFER))
            inf_trace_clear(&self->trace);
        self->phase = CONTEXT_LOOSE;
        self->next_free = state->free_contexts;
        state->free_contexts = self;
        state->free_context_count++;
    } else {
        inf_trace_clear(&self->trace);
        PyObject_GC_Del(self);
    }
    Py_DECREF(type);
}

void context_free_list_clear(core_state *state)
{
    while (state->free_contexts) {
        context_object *self = state->free_contexts;
        state->free_contexts = self->next_free;
        inf_trace_clear(&self->trace);
        PyObject_GC_Del(self);
    }
    state->free_context_count = 0;
}

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"calls", "prompts", NULL};
    PyObject *calls = NULL, *prompts = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:TraceContext", names, &calls, &prompts))
        return NULL;
    core_state *state = core_state_of_type(type);
    context_object *self = state ? context_alloc(state) : NULL;
    if (!self)
        return NULL;
    Py_XINCREF(calls);
    Py_XINCREF(prompts);
    self->calls = calls;
    self->prompts = prompts;
    context_track(self);
    return (PyObject *)self;
}

/* Ends of a trace ---------------------------------------------------------------------------------------------------
 */

static void add_text_member(context_object *self, PyObject *object, const char *name, uint8_t tag, size_t chars)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    if (value && PyUnicode_Check(value))
        capture_text(&self->trace, tag, value, chars);
    PyErr_Clear();
    Py_XDECREF(value);
}

static void add_int_member(context_object *self, PyObject *object, const char *name, uint8_t tag)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    if (value && PyLong_Check(value)) {
        long long number = PyLong_AsLongLong(value);
        if (!PyErr_Occurred())
            inf_trace_add_int(&self->trace, tag, number);
    }
    PyErr_Clear();
    Py_XDECREF(value);
}

/* A CapturedLlmCall that somebody else than watch() put into .calls. */
static void add_published_call(context_object *self, PyObject *call)
{
    inf_trace *t = &self->trace;
    uint32_t group = inf_trace_group(t, INF_TAG_LLM_CALL);
    add_text_member(self, call, "provider", INF_TAG_PROVIDER, 200);
    add_text_member(self, call, "model", INF_TAG_MODEL, 500);
    add_int_member(self, call, "prompt_tokens", INF_TAG_PROMPT_TOKENS);
    add_int_member(self, call, "completion_tokens", INF_TAG_COMPLETION_TOKENS);
    PyObject *temperature = PyObject_GetAttrString(call, "temperature");
    if (temperature && (PyFloat_Check(temperature) || PyLong_Check(temperature))) {
        double value = PyFloat_AsDouble(temperature);
        if (!PyErr_Occurred())
            inf_trace_add_double(t, INF_TAG_TEMPERATURE, value);
    }
    PyErr_Clear();
    Py_XDECREF(temperature);
    add_int_member(self, call, "latency_ns", INF_TAG_DURATION);
    add_text_member(self, call, "input_preview", INF_TAG_INPUT, PREVIEW_CHARS);
    add_text_member(self, call, "output_preview", INF_TAG_OUTPUT, PREVIEW_CHARS);
    PyObject *failed = PyObject_GetAttrString(call, "error_type");
    if (failed && failed != Py_None) {
        uint32_t error = inf_trace_group(t, INF_TAG_ERROR);
        add_text_member(self, call, "error_type", INF_TAG_ERROR_TYPE, 200);
        add_text_member(self, call, "error_message", INF_TAG_MESSAGE, ERROR_MESSAGE_CHARS);
        inf_trace_group_end(t, error);
    }
    PyErr_Clear();
    Py_XDECREF(failed);
    inf_trace_group_end(t, group);
}

static void add_published_prompt(context_object *self, PyObject *prompt)
{
    inf_trace *t = &self->trace;
    uint32_t group = inf_trace_group(t, INF_TAG_PROMPT);
    add_text_member(self, prompt, "prompt_id", INF_TAG_PROMPT_ID, 200);
    add_text_member(self, prompt, "prompt_name", INF_TAG_NAME, 500);
    add_int_member(self, prompt, "version", INF_TAG_VERSION);
    PyObject *variables = PyObject_GetAttrString(prompt, "variables_used");
    if (variables && PyList_Check(variables)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(variables) && i < 200; i++) {
            PyObject *name = PyList_GET_ITEM(variables, i);
            if (PyUnicode_Check(name))
                capture_text(t, INF_TAG_VARIABLE, name, 200);
        }
    }
    PyErr_Clear();
    Py_XDECREF(variables);
    add_text_member(self, prompt, "fetched_at", INF_TAG_FETCHED_AT, 100);
    inf_trace_group_end(t, group);
}

/* What is still under way says what it knows; what others have put into the lists is written. */
static void context_settle(context_object *self)
{
    PyObject *unsettled = self->unsettled;
    if (unsettled) {
        self->unsettled = NULL;
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(unsettled); i++) {
            PyObject *item = PyList_GET_ITEM(unsettled, i);
            PyObject *done = PyObject_CallMethodNoArgs(item, self->state->name_settle);
            if (!done)
                swallow_error();
            Py_XDECREF(done);
        }
        Py_DECREF(unsettled);
    }
    self->phase = CONTEXT_SEALED;
    if (self->calls && PyList_Check(self->calls)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(self->calls); i++) {
            PyObject *call = PyList_GET_ITEM(self->calls, i);
            if (!PyObject_HasAttr(call, self->state->name_recorded)) {
                Py_INCREF(call);
                add_published_call(self, call);
                Py_DECREF(call);
            }
        }
    }
    if (self->prompts && PyList_Check(self->prompts)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(self->prompts); i++) {
            PyObject *prompt = PyList_GET_ITEM(self->prompts, i);
            if (!PyObject_HasAttr(prompt, self->state->name_recorded)) {
                Py_INCREF(prompt);
                add_published_prompt(self, prompt);
                Py_DECREF(prompt);
            }
        }
    }
}

/* To what the decorator's options ask for. True when the reference has been kept. No exception set, before or after. */
static bool context_hand_over(context_object *self, traced_object *traced)
{
    PyObject *on_end = traced->on_end;
    if (on_end) {
        Py_INCREF(on_end);
        PyObject *done = PyObject_CallFunction(on_end, "OLL", self, (long long)self->trace.head.started_ns,
                                               (long long)self->trace.head.duration_ns);
        if (!done)
            swallow_error();
        Py_XDECREF(done);
        Py_DECREF(on_end);
    }
    if (!traced->keep)
        return false;
    PyObject *last = traced->last;
    traced->last = (PyObject *)self;
    Py_XDECREF(last);
    return true;
}

/* Ends the record and gives up the reference. */
static void context_finish(context_object *self, traced_object *traced, enum inf_status status)
{
    inf_trace_finish(&self->trace, status);
    context_drop_client(self);
    if (unlikely(traced->watched) && context_hand_over(self, traced))
        return;
    Py_DECREF(self);
}

static inline void context_seal(context_object *self)
{
    if (unlikely(self->unsettled || self->calls || self->prompts))
        context_settle(self);
    else
        self->phase = CONTEXT_SEALED;
}

context_object *context_begin(traced_object *traced, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    core_state *state = traced->state;
    client_object *client = traced->client;
    if (unlikely(state->dead || (client && !client_usable(client))))
        return NULL;
    log_check();
    context_object *self = context_alloc(state);
    if (unlikely(!self)) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *parent = NULL;
    if (unlikely(PyContextVar_Get(state->context_var, NULL, &parent) < 0))
        PyErr_Clear();
    const uint8_t *parent_id = NULL;
    if (parent && Py_TYPE(parent) == state->context_type && ((context_object *)parent)->phase != CONTEXT_LOOSE)
        parent_id = ((context_object *)parent)->trace.head.trace_id;
    if (client) {
        Py_INCREF(client);
        self->client = client;
        client_use(client);
    }
    inf_trace_start(&self->trace, client ? client->client : NULL, parent_id, traced->fields, traced->fields_length);
    Py_XDECREF(parent);
    capture_arguments(&self->trace, args, nargs, kwnames);
    inf_trace_publish(&self->trace);
    self->phase = CONTEXT_OPEN;
    return self;
}

void context_leave(core_state *state, PyObject *token)
{
    if (unlikely(!token))
        return;
    saved_error error;
    bool failed = PyErr_Occurred() != NULL;
    if (failed)
        save_error(&error);
    if (unlikely(PyContextVar_Reset(state->context_var, token) < 0)) {
        /* The token belongs to another context: put back what was there before, as far as that is known. */
        PyErr_Clear();
        PyObject *old = PyObject_GetAttrString(token, "old_value");
        PyErr_Clear();
        PyObject *set =
            PyContextVar_Set(state->context_var, old && Py_TYPE(old) == state->context_type ? old : Py_None);
        if (!set)
            PyErr_Clear();
        Py_XDECREF(set);
        Py_XDECREF(old);
    }
    Py_DECREF(token);
    if (failed)
        restore_error(&error);
}

void context_end_result(context_object *self, traced_object *traced, PyObject *result)
{
    context_seal(self);
    if (result != Py_None)
        capture_object(&self->trace, INF_TAG_OUTPUT, result, CAPTURE_OUTPUT_CHARS);
    context_finish(self, traced, INF_STATUS_OK);
}

void context_end_error(context_object *self, traced_object *traced)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *value = PyErr_GetRaisedException();
    PyObject *traceback = value ? PyException_GetTraceback(value) : NULL;
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback && value)
        PyException_SetTraceback(value, traceback);
#endif
    context_seal(self);
    if (value && !PyErr_GivenExceptionMatches(value, PyExc_Exception))
        self->trace.head.flags |= INF_FLAG_STOPPED;
    if (value)
        error_record(self->state, &self->trace, value, traceback);
    context_finish(self, traced, INF_STATUS_ERROR);
#if PY_VERSION_HEX >= 0x030C0000
    Py_XDECREF(traceback);
    PyErr_SetRaisedException(value);
#else
    PyErr_Restore(type, value, traceback);
#endif
}

void context_end_note(context_object *self, traced_object *traced, const char *type, const char *message)
{
    context_seal(self);
    uint32_t group = inf_trace_group(&self->trace, INF_TAG_ERROR);
    inf_trace_add_text(&self->trace, INF_TAG_ERROR_TYPE, type, strlen(type));
    inf_trace_add_text(&self->trace, INF_TAG_MESSAGE, message, strlen(message));
    self->trace.head.flags |= INF_FLAG_STOPPED;
    inf_trace_group_end(&self->trace, group);
    context_finish(self, traced, INF_STATUS_ERROR);
}

/* Python's view ------------------------------------------------------------------------------------------------------
 */

static PyObject *list_member(context_object *self, PyObject **list)
{
    if (!*list) {
        *list = PyList_New(0);
        if (!*list)
            return NULL;
        context_track(self);
    }
    Py_INCREF(*list);
    return *list;
}

static PyObject *context_calls(context_object *self, void *closure)
{
    (void)closure;
    return list_member(self, &self->calls);
}

static PyObject *context_prompts(context_object *self, void *closure)
{
    (void)closure;
    return list_member(self, &self->prompts);
}

static int set_member(context_object *self, PyObject **member, PyObject *value)
{
    PyObject *old = *member;
    Py_XINCREF(value);
    *member = value;
    Py_XDECREF(old);
    context_track(self);
    return 0;
}

static int context_set_calls(context_object *self, PyObject *value, void *closure)
{
    (void)closure;
    return set_member(self, &self->calls, value);
}

static int context_set_prompts(context_object *self, PyObject *value, void *closure)
{
    (void)closure;
    return set_member(self, &self->prompts, value);
}

static PyObject *hex_id(const uint8_t id[16])
{
    char text[32];
    for (int i = 0; i < 16; i++) {
        text[2 * i] = "0123456789abcdef"[id[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[id[i] & 0xf];
    }
    return PyUnicode_FromStringAndSize(text, sizeof text);
}

static PyObject *context_trace_id(context_object *self, void *closure)
{
    (void)closure;
    if (self->phase == CONTEXT_LOOSE)
        Py_RETURN_NONE;
    return hex_id(self->trace.head.trace_id);
}

static PyObject *context_parent_id(context_object *self, void *closure)
{
    (void)closure;
    static const uint8_t none[16];
    if (self->phase == CONTEXT_LOOSE || memcmp(self->trace.head.parent_id, none, sizeof none) == 0)
        Py_RETURN_NONE;
    return hex_id(self->trace.head.parent_id);
}

static PyObject *context_recording(context_object *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(self->phase == CONTEXT_OPEN);
}

static PyObject *context_elapsed(context_object *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(self->phase == CONTEXT_OPEN ? inf_trace_elapsed_ns(&self->trace) : 0);
}

static PyObject *context_json(context_object *self, PyObject *unused)
{
    (void)unused;
    if (self->phase == CONTEXT_LOOSE)
        Py_RETURN_NONE;
    size_t length;
    char *json = inf_trace_json(&self->trace, true, &length);
    if (!json)
        return PyErr_NoMemory();
    PyObject *text = PyUnicode_DecodeUTF8(json, (Py_ssize_t)length, "replace");
    free(json);
    return text;
}

static PyObject *context_add_unsettled(context_object *self, PyObject *item)
{
    if (self->phase != CONTEXT_OPEN)
        Py_RETURN_FALSE;
    if (!self->unsettled && !(self->unsettled = PyList_New(0)))
        return NULL;
    context_track(self);
    if (PyList_Append(self->unsettled, item) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

static PyObject *context_remove_unsettled(context_object *self, PyObject *item)
{
    for (Py_ssize_t i = 0; self->unsettled && i < PyList_GET_SIZE(self->unsettled); i++) {
        if (PyList_GET_ITEM(self->unsettled, i) == item) {
            if (PyList_SetSlice(self->unsettled, i, i + 1, NULL) < 0)
                return NULL;
            break;
        }
    }
    Py_RETURN_NONE;
}

enum member_kind { MEMBER_TEXT, MEMBER_INT, MEMBER_DOUBLE, MEMBER_TEXTS, MEMBER_JSON };

static const struct llm_member {
    const char *name;
    uint8_t tag;
    uint8_t kind;
} llm_members[] = {
    {"provider", INF_TAG_PROVIDER, MEMBER_TEXT},
    {"model", INF_TAG_MODEL, MEMBER_TEXT},
    {"request_model", INF_TAG_REQUEST_MODEL, MEMBER_TEXT},
    {"operation", INF_TAG_OPERATION, MEMBER_TEXT},
    {"response_id", INF_TAG_RESPONSE_ID, MEMBER_TEXT},
    {"finish_reasons", INF_TAG_FINISH_REASON, MEMBER_TEXTS},
    {"start_ns", INF_TAG_START, MEMBER_INT},
    {"latency_ns", INF_TAG_DURATION, MEMBER_INT},
    {"first_chunk_ns", INF_TAG_TIME_TO_FIRST_CHUNK, MEMBER_INT},
    {"stream", INF_TAG_STREAM, MEMBER_INT},
    {"prompt_tokens", INF_TAG_PROMPT_TOKENS, MEMBER_INT},
    {"completion_tokens", INF_TAG_COMPLETION_TOKENS, MEMBER_INT},
    {"cached_tokens", INF_TAG_CACHED_TOKENS, MEMBER_INT},
    {"cache_write_tokens", INF_TAG_CACHE_WRITE_TOKENS, MEMBER_INT},
    {"reasoning_tokens", INF_TAG_REASONING_TOKENS, MEMBER_INT},
    {"temperature", INF_TAG_TEMPERATURE, MEMBER_DOUBLE},
    {"max_tokens", INF_TAG_MAX_TOKENS, MEMBER_INT},
    {"input_preview", INF_TAG_INPUT, MEMBER_TEXT},
    {"output_preview", INF_TAG_OUTPUT, MEMBER_TEXT},
    {"metadata", INF_TAG_METADATA, MEMBER_JSON},
};

/* Values of another type than expected (a vendor's NOT_GIVEN, a mock) are left out, never an error. */
static void add_member(inf_trace *t, const struct llm_member *member, PyObject *value)
{
    switch (member->kind) {
    case MEMBER_TEXT:
        if (PyUnicode_Check(value))
            capture_text(t, member->tag, value, PREVIEW_CHARS);
        break;
    case MEMBER_INT:
        if (PyLong_Check(value)) {
            long long number = PyLong_AsLongLong(value);
            if (!PyErr_Occurred())
                inf_trace_add_int(t, member->tag, number);
        }
        break;
    case MEMBER_JSON: /* written by this package, so valid and short */
        if (PyUnicode_Check(value)) {
            Py_ssize_t length;
            const char *text = PyUnicode_AsUTF8AndSize(value, &length);
            if (text)
                inf_trace_add_text(t, member->tag, text, (size_t)length);
        }
        break;
    case MEMBER_DOUBLE:
        if (PyFloat_Check(value) || PyLong_CheckExact(value)) {
            double number = PyFloat_AsDouble(value);
            if (!PyErr_Occurred())
                inf_trace_add_double(t, member->tag, number);
        }
        break;
    case MEMBER_TEXTS:
        for (Py_ssize_t i = 0; PyList_Check(value) && i < PyList_GET_SIZE(value) && i < 128; i++)
            if (PyUnicode_Check(PyList_GET_ITEM(value, i)))
                capture_text(t, member->tag, PyList_GET_ITEM(value, i), 200);
        break;
    }
    PyErr_Clear();
}

/* record_llm_call(mapping): one LLM_CALL group, appended to the journal at once. False when the trace has ended. */
static PyObject *context_record_llm_call(context_object *self, PyObject *call)
{
    if (!PyDict_Check(call)) {
        PyErr_SetString(PyExc_TypeError, "record_llm_call() takes a dict");
        return NULL;
    }
    if (self->phase != CONTEXT_OPEN)
        Py_RETURN_FALSE;
    inf_trace *t = &self->trace;
    uint32_t group = inf_trace_group(t, INF_TAG_LLM_CALL);
    for (size_t i = 0; i < sizeof llm_members / sizeof llm_members[0]; i++) {
        PyObject *value = PyDict_GetItemString(call, llm_members[i].name);
        if (value && value != Py_None)
            add_member(t, &llm_members[i], value);
    }
    PyObject *type = PyDict_GetItemString(call, "error_type");
    if (type && PyUnicode_Check(type)) {
        PyObject *message = PyDict_GetItemString(call, "error_message");
        uint32_t error = inf_trace_group(t, INF_TAG_ERROR);
        capture_text(t, INF_TAG_ERROR_TYPE, type, 200);
        if (message && PyUnicode_Check(message))
            capture_text(t, INF_TAG_MESSAGE, message, ERROR_MESSAGE_CHARS);
        inf_trace_group_end(t, error);
    }
    inf_trace_group_end(t, group);
    inf_trace_publish(t);
    Py_RETURN_TRUE;
}

static PyObject *context_repr(context_object *self)
{
    PyObject *calls = context_calls(self, NULL), *prompts = context_prompts(self, NULL);
    PyObject *text =
        calls && prompts ? PyUnicode_FromFormat("TraceContext(calls=%R, prompts=%R)", calls, prompts) : NULL;
    Py_XDECREF(calls);
    Py_XDECREF(prompts);
    return text;
}

static PyMethodDef context_methods[] = {
    {"elapsed_ns", (PyCFunction)context_elapsed, METH_NOARGS, "Nanoseconds since the trace began."},
    {"json", (PyCFunction)context_json, METH_NOARGS, "The trace as the JSON text that is sent; None outside a trace."},
    {"record_llm_call", (PyCFunction)context_record_llm_call, METH_O,
     "Records one call of a language model, given as a dict. False when the trace has ended."},
    {"add_unsettled", (PyCFunction)context_add_unsettled, METH_O,
     "Keeps an object whose settle() is called when the trace ends. False when it has ended."},
    {"remove_unsettled", (PyCFunction)context_remove_unsettled, METH_O, "The reverse of add_unsettled()."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef context_getset[] = {
    {"calls", (getter)context_calls, (setter)context_set_calls, "List of CapturedLlmCall.", NULL},
    {"prompts", (getter)context_prompts, (setter)context_set_prompts, "List of CapturedPromptFetch.", NULL},
    {"trace_id", (getter)context_trace_id, NULL, "32 hexadecimal digits, or None outside a trace.", NULL},
    {"parent_id", (getter)context_parent_id, NULL, "The enclosing trace's id, or None.", NULL},
    {"recording", (getter)context_recording, NULL, "Whether the traced function is still running.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef context_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(context_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot context_slots[] = {
    {Py_tp_new, context_new},
    {Py_tp_dealloc, context_dealloc},
    {Py_tp_traverse, context_traverse},
    {Py_tp_clear, context_clear},
    {Py_tp_repr, context_repr},
    {Py_tp_methods, context_methods},
    {Py_tp_getset, context_getset},
    {Py_tp_members, context_members},
    {Py_tp_doc, "What one trace has collected: LLM calls and prompt fetches."},
    {0, NULL},
};

PyType_Spec context_spec = {
    .name = "infinium._core.TraceContext",
    .basicsize = sizeof(context_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = context_slots,
};

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

#include "base/clock.h"
#include "base/log.h"
#include "model/fields.h"

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
    Py_VISIT(self->mask);
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
    Py_CLEAR(self->mask);
    return 0;
}

/* The trace has ended, or was given up; the client itself stays, for late calls. */
static void context_release_client(context_object *self)
{
    if (!self->trace.client)
        return;
    self->trace.client = NULL;
    client_release(self->client);
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
    context_release_client(self);
    Py_CLEAR(self->client);
    if (state->free_context_count < MAX_FREE && !state->dead && type == state->context_type) {
        if (unlikely(self->trace.capacity > MAX_KEPT_BUFFER))
            inf_trace_clear(&self->trace);
        self->phase = CONTEXT_LOOSE;
        self->output_set = false;
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

PyObject *context_task(context_object *self)
{
    size_t length;
    char *json = inf_trace_json(&self->trace, true, &length);
    if (!json)
        return PyErr_NoMemory();
    PyObject *module = PyImport_ImportModule("infinium._task");
    PyObject *task = module ? PyObject_CallMethod(module, "task_of", "s#", json, (Py_ssize_t)length) : NULL;
    Py_XDECREF(module);
    free(json);
    return task;
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

/* on_trace= gets what the trace has become. Its failure is logged and goes no further. */
static void call_on_trace(context_object *self, PyObject *on_trace)
{
    static inf_log_cause said;
    PyObject *task = context_task(self);
    PyObject *done = task ? PyObject_CallOneArg(on_trace, task) : NULL;
    if (!done) {
        swallow_error();
        inf_log_once(&said, INF_LOG_WARNING, "an on_trace= callable raised; the traces are not affected");
    }
    Py_XDECREF(done);
    Py_XDECREF(task);
}

/* To what the decorator's options ask for. True when the reference has been kept. */
static bool context_hand_over(context_object *self, traced_object *traced)
{
    saved_error error;
    save_error(&error);
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
    if (traced->on_trace)
        call_on_trace(self, traced->on_trace);
    restore_error(&error);
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
    context_release_client(self);
    if (unlikely(traced->watched) && context_hand_over(self, traced))
        return;
    Py_DECREF(self);
}

static bool is_silent(context_object *self)
{
    if (likely(self->phase != CONTEXT_SILENT))
        return false;
    Py_DECREF(self);
    return true;
}

/* The one context that stands for all traces of its sort that are not recorded; a new reference, or NULL. */
static context_object *silent(core_state *state, context_object **place)
{
    if (!*place) {
        *place = context_alloc(state);
        if (!*place) {
            PyErr_Clear();
            return NULL;
        }
        (*place)->phase = CONTEXT_SILENT;
    }
    Py_INCREF(*place);
    return *place;
}

/* xorshift64*: which calls are left out must not follow a pattern of the program. */
static uint64_t next_random(core_state *state)
{
    uint64_t x = state->random ? state->random : inf_mono_ns() | 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    state->random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

static bool wanted(traced_object *traced, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static inf_log_cause said;
    if (!traced->sample)
        return next_random(traced->state) < traced->sample_below;
    PyObject *answer = PyObject_Vectorcall(traced->sample, args, (size_t)nargs, kwnames);
    int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (yes >= 0)
        return yes;
    swallow_error();
    inf_log_once(&said, INF_LOG_WARNING, "a sample= callable raised; the call is recorded");
    return true;
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
    if (unlikely(state->dead))
        return NULL;
    if (unlikely(client && !client_usable(client)))
        return silent(state, &state->untraced);
    log_check();
    PyObject *parent = NULL;
    if (unlikely(PyContextVar_Get(state->context_var, NULL, &parent) < 0))
        PyErr_Clear();
    if (unlikely((parent && parent == (PyObject *)state->unsampled) ||
                 (traced->sampled && !wanted(traced, args, nargs, kwnames)))) {
        Py_XDECREF(parent);
        return silent(state, &state->unsampled);
    }
    context_object *self = context_alloc(state);
    if (unlikely(!self)) {
        PyErr_Clear();
        Py_XDECREF(parent);
        return NULL;
    }
    const uint8_t *parent_id = NULL;
    if (parent && Py_TYPE(parent) == state->context_type &&
        (((context_object *)parent)->phase == CONTEXT_OPEN || ((context_object *)parent)->phase == CONTEXT_SEALED))
        parent_id = ((context_object *)parent)->trace.head.trace_id;
    if (client) {
        Py_INCREF(client);
        self->client = client;
        client_use(client);
    }
    inf_trace_start(&self->trace, client ? client->client : NULL, parent_id, traced->fields, traced->fields_length);
    Py_XDECREF(parent);
    self->trace.mask = traced->mask_secrets;
    if (unlikely(traced->mask != NULL)) {
        Py_INCREF(traced->mask);
        self->mask = traced->mask;
    }
    if (likely(traced->capture_input))
        capture_arguments(&self->trace, traced, args, nargs, kwnames);
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
    if (unlikely(is_silent(self)))
        return;
    context_seal(self);
    if (unlikely(!traced->capture_output))
        self->trace.head.flags |= INF_FLAG_NO_OUTPUT;
    else if (result != Py_None && !self->output_set)
        capture_object(&self->trace, INF_TAG_OUTPUT, result, CAPTURE_OUTPUT_CHARS, self->mask);
    context_finish(self, traced, INF_STATUS_OK);
}

static void note(context_object *self, const char *type, const char *message)
{
    uint32_t group = inf_trace_group(&self->trace, INF_TAG_ERROR);
    inf_trace_add_text(&self->trace, INF_TAG_ERROR_TYPE, type, strlen(type));
    inf_trace_add_text(&self->trace, INF_TAG_MESSAGE, message, strlen(message));
    self->trace.head.flags |= INF_FLAG_STOPPED;
    inf_trace_group_end(&self->trace, group);
}

static void end_items(context_object *self, traced_object *traced, capture_items *items, PyObject *result,
                      const char *how)
{
    if (!traced->capture_output)
        self->trace.head.flags |= INF_FLAG_NO_OUTPUT;
    else if (!self->output_set)
        capture_items_end(items, &self->trace, result, how, self->mask);
}

void context_end_items(context_object *self, traced_object *traced, capture_items *items, PyObject *result,
                       const char *how)
{
    if (is_silent(self))
        return;
    saved_error error;
    save_error(&error);
    context_seal(self);
    end_items(self, traced, items, result, how);
    if (how)
        note(self, "GeneratorExit", how);
    context_finish(self, traced, INF_STATUS_OK);
    restore_error(&error);
}

void context_end_error(context_object *self, traced_object *traced, capture_items *items)
{
    if (unlikely(is_silent(self)))
        return;
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
        error_record(self->state, &self->trace, value, traceback, self->mask);
    if (items && items->count)
        end_items(self, traced, items, NULL, NULL);
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
    if (is_silent(self))
        return;
    context_seal(self);
    note(self, type, message);
    context_finish(self, traced, INF_STATUS_ERROR);
}

/* Python's view ------------------------------------------------------------------------------------------------------
 */

static PyObject *list_member(context_object *self, PyObject **list)
{
    if (self->phase == CONTEXT_SILENT)
        return PyList_New(0); /* shared by many: keeps nothing */
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
    if (self->phase == CONTEXT_SILENT)
        return 0;
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
    if (self->phase == CONTEXT_LOOSE || self->phase == CONTEXT_SILENT)
        Py_RETURN_NONE;
    return hex_id(self->trace.head.trace_id);
}

static PyObject *context_parent_id(context_object *self, void *closure)
{
    (void)closure;
    static const uint8_t none[16];
    if (self->phase == CONTEXT_LOOSE || self->phase == CONTEXT_SILENT ||
        memcmp(self->trace.head.parent_id, none, sizeof none) == 0)
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
    if (self->phase == CONTEXT_LOOSE || self->phase == CONTEXT_SILENT)
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

/* One LLM_CALL group. The members that the user's callable masks have been masked already. */
static void add_llm_call(inf_trace *t, PyObject *call)
{
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
}

/* The trace has ended, its task has not: the call becomes a trace of its own, a child of the one that it was made in.
 */
static void record_late_call(context_object *self, PyObject *call)
{
    static const char prefix[] = "late call of ";
    client_object *client = self->client;
    inf_field name;
    PyObject *latency = PyDict_GetItemString(call, "latency_ns");
    long long ns = latency && PyLong_Check(latency) ? PyLong_AsLongLong(latency) : 0;
    PyErr_Clear();
    if (!client || !client_usable(client) || self->state->dead ||
        !inf_field_find(inf_fields(self->trace.fields, self->trace.head.fields_length), INF_TAG_NAME, &name))
        return;
    inf_trace t = {0};
    client_use(client);
    inf_trace_start(&t, client->client, self->trace.head.trace_id, NULL, 0);
    t.mask = self->trace.mask;
    if (ns > 0 && (uint64_t)ns < t.started_mono_ns && (uint64_t)ns < t.head.started_ns) {
        t.started_mono_ns -= (uint64_t)ns;
        t.head.started_ns -= (uint64_t)ns;
    }
    char *text = inf_trace_text(&t, INF_TAG_NAME, sizeof prefix - 1 + name.length);
    if (text) {
        memcpy(text, prefix, sizeof prefix - 1);
        memcpy(text + sizeof prefix - 1, name.data, name.length);
        inf_trace_text_end(&t, sizeof prefix - 1 + name.length);
    }
    static const char description[] = "Made by what the traced function had started, after it had ended";
    inf_trace_add_text(&t, INF_TAG_DESCRIPTION, description, sizeof description - 1);
    inf_trace_add_text(&t, INF_TAG_SDK_VERSION, INF_VERSION, sizeof INF_VERSION - 1);
    inf_trace_publish(&t);
    add_llm_call(&t, call);
    PyObject *failed = PyDict_GetItemString(call, "error_type");
    inf_trace_finish(&t, failed && failed != Py_None ? INF_STATUS_ERROR : INF_STATUS_OK);
    inf_trace_clear(&t);
    client_release(client);
}

/* The call with its texts as the user's callable would have them; a new reference. */
static PyObject *masked_call(PyObject *call, PyObject *mask)
{
    static const char *const texts[] = {"input_preview", "output_preview", "error_message"};
    if (!mask) {
        Py_INCREF(call);
        return call;
    }
    PyObject *copy = PyDict_Copy(call);
    for (size_t i = 0; copy && i < sizeof texts / sizeof texts[0]; i++) {
        PyObject *text = PyDict_GetItemString(copy, texts[i]);
        if (!text || !PyUnicode_Check(text))
            continue;
        PyObject *masked = capture_masked(text, mask);
        if (PyDict_SetItemString(copy, texts[i], masked) < 0)
            Py_CLEAR(copy);
        Py_DECREF(masked);
    }
    return copy;
}

/* record_llm_call(mapping): appended to the journal at once. False when the trace has ended: then the call is a trace
 * of its own. */
static PyObject *context_record_llm_call(context_object *self, PyObject *given)
{
    if (!PyDict_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "record_llm_call() takes a dict");
        return NULL;
    }
    if (self->phase != CONTEXT_OPEN && self->phase != CONTEXT_SEALED)
        Py_RETURN_FALSE;
    PyObject *call = masked_call(given, self->mask);
    if (!call)
        return NULL;
    bool open = self->phase == CONTEXT_OPEN;
    if (open) {
        add_llm_call(&self->trace, call);
        inf_trace_publish(&self->trace);
    } else {
        record_late_call(self, call);
    }
    Py_DECREF(call);
    return PyBool_FromLong(open);
}

/* What current_trace() adds. `fields` is a list of (tag, value): str, int, float, JSON text, or such a list for a
 * group, by the tag's kind. Values of other types are left out. Runs no Python code. */
static void add_fields(inf_trace *t, PyObject *fields, int depth)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(fields); i++) {
        PyObject *pair = PyList_GET_ITEM(fields, i);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyLong_CheckExact(PyTuple_GET_ITEM(pair, 0)))
            continue;
        long number = PyLong_AsLong(PyTuple_GET_ITEM(pair, 0));
        PyObject *value = PyTuple_GET_ITEM(pair, 1);
        if (number < 1 || number > 255)
            continue;
        uint8_t tag = (uint8_t)number;
        switch (inf_field_kind(tag)) {
        case 'T':
            if (PyUnicode_CheckExact(value))
                capture_text(t, tag, value, CAPTURE_OUTPUT_CHARS);
            break;
        case 'J':
            if (PyUnicode_CheckExact(value)) { /* masked where it was made: marks in the text might break it */
                Py_ssize_t length;
                const char *json = PyUnicode_AsUTF8AndSize(value, &length);
                if (json && (size_t)length < INF_TRACE_MAX_BYTES / 2)
                    inf_trace_add_text(t, tag, json, (size_t)length);
            }
            break;
        case 'I':
            if (PyLong_CheckExact(value))
                inf_trace_add_int(t, tag, PyLong_AsLongLong(value));
            break;
        case 'F':
            if (PyFloat_CheckExact(value))
                inf_trace_add_double(t, tag, PyFloat_AS_DOUBLE(value));
            break;
        case 'G':
            if (PyList_CheckExact(value) && depth < 6) {
                uint32_t group = inf_trace_group(t, tag);
                add_fields(t, value, depth + 1);
                inf_trace_group_end(t, group);
            }
            break;
        default:
            break;
        }
        PyErr_Clear();
    }
}

static PyObject *context_record(context_object *self, PyObject *fields)
{
    if (!PyList_CheckExact(fields)) {
        PyErr_SetString(PyExc_TypeError, "record() takes a list");
        return NULL;
    }
    if (self->phase != CONTEXT_OPEN)
        Py_RETURN_FALSE;
    add_fields(&self->trace, fields, 0);
    inf_trace_publish(&self->trace);
    Py_RETURN_TRUE;
}

/* The program's own output takes the place of the result. */
static PyObject *context_output_is_set(context_object *self, PyObject *unused)
{
    (void)unused;
    if (self->phase == CONTEXT_OPEN)
        self->output_set = true;
    Py_RETURN_NONE;
}

static PyObject *context_silent(context_object *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(self->phase == CONTEXT_SILENT);
}

static PyObject *context_mask_secrets(context_object *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(self->trace.mask);
}

static PyObject *context_mask(context_object *self, void *closure)
{
    (void)closure;
    PyObject *mask = self->mask ? self->mask : Py_None;
    Py_INCREF(mask);
    return mask;
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
    {"record", (PyCFunction)context_record, METH_O,
     "Adds fields, given as a list of (tag, value). False when the trace has ended."},
    {"output_is_set", (PyCFunction)context_output_is_set, METH_NOARGS, "The result is not to be the output."},
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
    {"silent", (getter)context_silent, NULL, "Whether it stands for a trace that is not recorded.", NULL},
    {"mask_secrets", (getter)context_mask_secrets, NULL, "Whether secrets are masked.", NULL},
    {"mask", (getter)context_mask, NULL, "The decorator's mask= callable, or None.", NULL},
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

/* What the files of the extension share: the module's state and its four objects.
 *
 *   module.c     the module and its state            capture.c   arguments and results as bounded text
 *   client.c     Client: an inf_client               error.c     an exception as a record
 *   context.c    TraceContext: one open trace        traced.c    Traced: the decorated callable
 *   fields.c     what is shown by its fields
 *   coroutine.c  TracedCoroutine: what a decorated coroutine function returns
 *   future.c     the end of a future that a plain function returned
 *   generator.c  TracedGenerator and TracedAsyncGenerator: the same for generator functions
 *
 * Every function here runs with the GIL held; the GIL is what serialises the writers of one trace. Nothing here lets an
 * exception of ours reach the user's program: what cannot be recorded is left out. */
#ifndef INF_PYTHON_CORE_H
#define INF_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "client/trace.h"
#include "infinium.h"

#define CAPTURE_INPUT_CHARS 3000
#define CAPTURE_OUTPUT_CHARS 8000
#define ERROR_MESSAGE_CHARS 10000
#define ERROR_STACK_CHARS 4000
#define PREVIEW_CHARS 8000

#if defined(__GNUC__)
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#else
#define likely(x) (x)
#define unlikely(x) (x)
#endif

typedef struct client_object client_object;
typedef struct context_object context_object;
typedef struct coroutine_object coroutine_object;

/* A line that an exception went through; a place is taken over by the next line that hashes there. */
#define SOURCE_LINES 512
typedef struct source_line {
    PyObject *file; /* owned, compared by identity; NULL: free */
    PyObject *text; /* stripped */
    int line;
} source_line;

/* Per interpreter. Never freed, because objects that outlive the module at shutdown still point here. */
typedef struct core_state {
    bool dead; /* the module is gone: run the user's code and nothing else */
    PyTypeObject *client_type;
    PyTypeObject *context_type;
    PyTypeObject *coroutine_type;
    PyTypeObject *await_type;
    PyTypeObject *traced_type;
    PyTypeObject *generator_type;
    PyTypeObject *async_generator_type;
    PyTypeObject *async_step_type;
    PyTypeObject *future_end_type;
    PyObject *context_var;
    PyObject *name_doc, *name_module, *name_wrapped, *name_send, *name_throw, *name_close, *name_settle, *name_recorded;
    PyObject *name_notes;
    PyObject *getline; /* linecache.getline, looked up when the first exception is recorded */
    source_line source_lines[SOURCE_LINES];
    context_object *free_contexts;
    unsigned free_context_count;
    coroutine_object *free_coroutines;
    unsigned free_coroutine_count;
    client_object *clients;    /* open ones, for the exit handler */
    context_object *unsampled; /* current inside a call that sampling has left out, and inside all that it calls */
    context_object *untraced;  /* current inside a call whose client is closed */
    uint64_t random;           /* of the sampling */
} core_state;

struct client_object {
    PyObject_HEAD inf_client *client; /* NULL: closed */
    core_state *state;
    inf_counts last;  /* the counts when it was closed */
    PyObject *secret; /* for the package's direct calls */
    uint64_t users;   /* open traces, and threads inside a call that has let the GIL go */
    bool closing;     /* no new traces */
    bool mask_secrets;
    PyObject *weakrefs;
    client_object *next, *previous;
};

enum context_phase {
    CONTEXT_LOOSE,  /* made by hand: collects calls, records nothing */
    CONTEXT_OPEN,   /* its function runs */
    CONTEXT_SEALED, /* its function has ended */
    CONTEXT_SILENT, /* in place of a trace that is not recorded (see core_state) */
};

struct context_object {
    PyObject_HEAD inf_trace trace;
    core_state *state;
    client_object *client; /* owned, or NULL: the trace is built and not sent; counted as a user while it is open */
    PyObject *mask;        /* the user's callable, owned, or NULL */
    PyObject *calls;       /* lists, made when first asked for */
    PyObject *prompts;
    PyObject *unsettled; /* objects whose settle() records what they know so far, called before the trace ends */
    PyObject *weakrefs;
    context_object *next_free;
    uint8_t phase;
    bool output_set; /* by the program, through current_trace() */
    bool tracked;    /* by the garbage collector */
};

enum traced_kind { KIND_PLAIN, KIND_COROUTINE, KIND_GENERATOR, KIND_ASYNC_GENERATOR };

/* What becomes of an argument, by its place. */
enum argument_rule { ARGUMENT_SHOWN, ARGUMENT_IGNORED, ARGUMENT_SECRET };

typedef struct traced_object {
    PyObject_HEAD vectorcallfunc vectorcall;
    PyObject *wrapped;
    core_state *state;
    client_object *client; /* NULL: built, not sent */
    unsigned char *fields; /* encoded once: name, description, function, versions */
    size_t fields_length;
    uint8_t kind;      /* enum traced_kind */
    bool keep;         /* remember the last trace (auto_send=False or no client) */
    bool watched;      /* keep, on_end or on_trace: the one thing that a plain call looks at */
    bool mask_secrets; /* before anything of the call is stored */
    bool capture_input, capture_output;
    bool sampled;          /* not every call is recorded */
    uint64_t sample_below; /* of 2^64 */
    PyObject *sample;      /* a callable that decides, or NULL */
    PyObject *mask;        /* text -> text, or NULL */
    PyObject *rules;       /* bytes, one enum argument_rule for each place, or NULL */
    PyObject *ignore;      /* frozenset of argument names, or NULL */
    PyObject *on_trace;    /* called with each finished trace, or NULL */
    PyObject *last;        /* context_object of the last finished call */
    PyObject *on_end;      /* called with each finished trace: (context, start, duration), see traced.c; or NULL */
    PyObject *dict;
    PyObject *weakrefs;
} traced_object;

/* The items of a generator, as the text of a list, at a cost that ends when the text is full. */
typedef struct capture_items {
    char *buffer;
    size_t used, left; /* bytes; characters */
    uint64_t count;
    bool cut;
} capture_items;

extern PyType_Spec client_spec;
extern PyType_Spec context_spec;
extern PyType_Spec coroutine_spec;
extern PyType_Spec await_spec;
extern PyType_Spec traced_spec;

/* The state behind a module, or NULL with an exception. */
core_state *core_get_state(PyObject *module);
core_state *core_state_of_type(PyTypeObject *type);

/* client.c. A client that takes traces: counted with client_use() and given back with client_release(). */
static inline bool client_usable(const client_object *client)
{
    return client->client && !client->closing;
}
static inline void client_use(client_object *client)
{
    client->users++;
}
void client_release_last(client_object *client);
static inline void client_release(client_object *client)
{
    if (--client->users == 0 && unlikely(client->closing))
        client_release_last(client);
}
/* Module function: flushes and closes every client, within `seconds` all together. */
PyObject *client_shutdown(PyObject *module, PyObject *seconds);

/* context.c. Begins a trace for one call of `traced` and writes its input; NULL (without an exception) when nothing is
 * to be recorded. Give the reference back with context_end_...(), which ends the trace. */
context_object *context_begin(traced_object *traced, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
void context_end_result(context_object *self, traced_object *traced, PyObject *result);
/* A generator's end: `items` is what it yielded, `how` NULL or what ended it early. */
void context_end_items(context_object *self, traced_object *traced, capture_items *items, PyObject *result,
                       const char *how);
/* With the user's exception set, which stays set, untouched. `items`: what a generator has yielded, or NULL. */
void context_end_error(context_object *self, traced_object *traced, capture_items *items);
/* A finished trace as a TaskData; NULL with an exception. */
PyObject *context_task(context_object *self);
/* Without an exception: `type` and `message` say what happened. */
void context_end_note(context_object *self, traced_object *traced, const char *type, const char *message);
/* Makes the trace current; the token (NULL when that failed) goes to context_leave(), which keeps a set exception. */
static inline PyObject *context_enter(context_object *self)
{
    PyObject *token = PyContextVar_Set(self->state->context_var, (PyObject *)self);
    if (unlikely(!token))
        PyErr_Clear();
    return token;
}
void context_leave(core_state *state, PyObject *token);
void context_free_list_clear(core_state *state);

/* generator.c. Steal `inner`, a generator or an asynchronous one. `context`: NULL (the trace begins with the first
 * item), or a trace that has begun, whose reference they take over. */
PyObject *generator_wrap(traced_object *traced, PyObject *inner, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames, context_object *context);
extern PyType_Spec generator_spec;
extern PyType_Spec async_generator_spec;
extern PyType_Spec async_step_spec;

/* future.c. Whether it is a future or task of asyncio's; and: its trace ends when it is done. Takes over the reference
 * to `context`. No exception set before or after. */
bool future_is(PyObject *object);
void future_follow(traced_object *traced, PyObject *future, context_object *context);
extern PyType_Spec future_end_spec;

/* coroutine.c. Steals `coroutine`. */
PyObject *coroutine_wrap(traced_object *traced, PyObject *coroutine, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames);
/* The same for a coroutine whose trace has begun; takes over the reference to `context`. */
PyObject *coroutine_adopt(traced_object *traced, PyObject *coroutine, context_object *context);
void coroutine_free_list_clear(core_state *state);
/* Gives the type an __await__ of its own: the slot returns the coroutine, which `await` takes and iter() must not. Put
 * into the type's dict directly, because setting the attribute would replace the slot. */
int coroutine_set_await(PyTypeObject *type);

/* capture.c. Text as repr() gives it, cut by the published rule, at a cost bounded by the cut. No exception set before
 * or after. */
void capture_arguments(inf_trace *trace, const traced_object *traced, PyObject *const *args, Py_ssize_t nargs,
                       PyObject *kwnames);
/* `mask`: the user's callable or NULL. It runs after the built-in masking (trace->mask), before anything is stored, and
 * may run while nobody else writes to the trace only. */
void capture_object(inf_trace *trace, uint8_t tag, PyObject *object, size_t chars, PyObject *mask);
/* A str, as it is (not its repr), cut to `chars`; built-in masking only. */
void capture_text(inf_trace *trace, uint8_t tag, PyObject *text, size_t chars);
/* What `mask` makes of a text, a new reference; never NULL: "[masked]" when it fails. `mask` may be NULL. */
PyObject *capture_masked(PyObject *text, PyObject *mask);

void capture_item(capture_items *items, PyObject *item);
/* Writes the OUTPUT field: the list, the count, and the value that the generator returned (NULL or None: nothing). */
void capture_items_end(capture_items *items, inf_trace *trace, PyObject *result, const char *how, PyObject *mask);
void capture_items_clear(capture_items *items);
/* The same into a buffer of at least 4 * chars bytes; returns the bytes written. */
size_t capture_object_to(char *buffer, PyObject *object, size_t chars);
size_t capture_text_to(char *buffer, PyObject *text, size_t chars);

/* fields.c. How an object of a type is shown other than by its repr(). For dataclasses *fields is the borrowed dict of
 * them. No exception set before or after. */
enum fields_kind { FIELDS_NONE, FIELDS_DATACLASS, FIELDS_MODEL };
enum fields_kind fields_of(PyTypeObject *type, PyObject **fields);
bool fields_is_shown(PyObject *field);
/* A text in place of a repr() that would be too large, a new reference; NULL: ask for the repr(). */
PyObject *fields_instead(PyObject *object);

/* error.c. Adds the ERROR group of an exception with its traceback (may be NULL) to the trace. No exception set. */
void error_record(core_state *state, inf_trace *trace, PyObject *exception, PyObject *traceback, PyObject *mask);

/* While the runtime is finalised a sub-interpreter that nobody destroyed ends, on the main thread. Whoever asks for the
 * GIL again in it ends that thread, and beside the sender's the process would live for ever: neither let go of the GIL
 * then nor call Python code that writes. */
static inline bool runtime_ends(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

/* log.c. What the C side has logged goes to Python's logging; log_check() costs a load when there is nothing. */
extern atomic_bool log_waiting;
void log_start(void);
void log_drain(void);
static inline void log_check(void)
{
    if (unlikely(atomic_load_explicit(&log_waiting, memory_order_relaxed)))
        log_drain();
}

void error_forget_lines(core_state *state);

/* Names that a type answers for its instances, and that must be the wrapped object's: "__doc__", "__module__". */
static inline bool is_wrapped_name(const core_state *state, PyObject *name)
{
    if (name == state->name_doc || name == state->name_module)
        return true;
    if (PyUnicode_CHECK_INTERNED(name) || !PyUnicode_Check(name))
        return false;
    return PyUnicode_Compare(name, state->name_doc) == 0 || PyUnicode_Compare(name, state->name_module) == 0;
}

/* The current exception, taken and put back; the same on all versions. `traceback` may be NULL. */
typedef struct saved_error {
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *value;
#else
    PyObject *type, *value, *traceback;
#endif
} saved_error;

static inline void save_error(saved_error *e)
{
#if PY_VERSION_HEX >= 0x030C0000
    e->value = PyErr_GetRaisedException();
#else
    PyErr_Fetch(&e->type, &e->value, &e->traceback);
#endif
}

static inline void restore_error(saved_error *e)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(e->value);
#else
    PyErr_Restore(e->type, e->value, e->traceback);
#endif
}

/* An exception of ours (or of a __repr__) ends here. Control-C is armed again, for the user's next instruction. */
void swallow_error(void);

#endif

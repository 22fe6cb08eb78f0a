/* Client: an inf_client, and the only file here that waits.
 *
 * Every wait lets the GIL go and comes back each SLICE_MS to see whether the user pressed Control-C. The inf_client is
 * freed by whoever leaves it last after close(): an open trace, a thread in flush(), or close() itself. */
#include "core.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_MS 100
#define DEFAULT_FLUSH_S 30.0

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void client_unlink(client_object *self)
{
    if (self->previous)
        self->previous->next = self->next;
    else if (self->state->clients == self)
        self->state->clients = self->next;
    if (self->next)
        self->next->previous = self->previous;
    self->next = self->previous = NULL;
}

static void client_link(client_object *self)
{
    self->next = self->state->clients;
    if (self->next)
        self->next->previous = self;
    self->state->clients = self;
}

/* Lets other threads run, as Py_BEGIN_ALLOW_THREADS does, where that is safe (core.h). */
static PyThreadState *let_others_run(void)
{
    return runtime_ends() ? NULL : PyEval_SaveThread();
}

static void run_again(PyThreadState *thread)
{
    if (thread)
        PyEval_RestoreThread(thread);
}

/* Nobody uses the inf_client any more: free it. What is undelivered stays in the journal. */
static void client_free(client_object *self)
{
    inf_client *client = self->client;
    if (!client)
        return;
    inf_stats(client, &self->last);
    self->client = NULL;
    client_unlink(self);
    PyThreadState *thread = let_others_run();
    inf_close(client, 0);
    run_again(thread);
}

void client_release_last(client_object *self)
{
    saved_error error;
    save_error(&error);
    client_free(self);
    restore_error(&error);
}

/* Text argument or NULL for None. */
static bool optional_text(PyObject *object, const char **text)
{
    *text = NULL;
    if (object == Py_None)
        return true;
    *text = PyUnicode_AsUTF8(object);
    return *text != NULL;
}

static PyObject *client_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {
        "agent_id",   "agent_secret",   "base_url",          "timeout",     "requests_per_second", "user_agent",
        "verify_ssl", "journal_memory", "journal_max_bytes", "journal_dir", "mask_secrets",        NULL};
    PyObject *id, *secret, *url, *agent, *dir;
    double timeout, rate;
    int verify, memory, mask = 1;
    unsigned long long max_bytes;
    core_state *state = core_state_of_type(type);
    inf_options options = INF_OPTIONS_INIT;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "OOOddOppKO|p:Client", names, &id, &secret, &url, &timeout, &rate,
                                     &agent, &verify, &memory, &max_bytes, &dir, &mask) ||
        !optional_text(id, &options.agent_id) || !optional_text(secret, &options.agent_secret) ||
        !optional_text(url, &options.base_url) || !optional_text(agent, &options.user_agent) ||
        !optional_text(dir, &options.journal_dir))
        return NULL;
    options.journal_memory = memory;
    options.journal_max_bytes = max_bytes;
    options.requests_per_second = rate;
    options.timeout_ms = timeout <= 0 ? 0 : timeout > 86400 ? 86400 * 1000 : (int)(timeout * 1000);
    options.verify_tls = verify ? 0 : -1;
    options.mask_secrets = mask ? 0 : -1;

    client_object *self = (client_object *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->state = state;
    Py_INCREF(secret);
    self->secret = secret;
    const char *set = getenv("INFINIUM_MASK");
    self->mask_secrets = mask && !(set && strcmp(set, "0") == 0);
    PyThreadState *thread = let_others_run();
    int rc = inf_open(&self->client, &options);
    run_again(thread);
    if (rc != INF_OK) {
        self->client = NULL;
        PyErr_SetString(rc == INF_ENOMEM ? PyExc_MemoryError : PyExc_ValueError, inf_strerror(rc));
        Py_DECREF(self);
        return NULL;
    }
    client_link(self);
    log_check(); /* what the arguments gave reason to warn about */
    return (PyObject *)self;
}

static int client_traverse(client_object *self, visitproc visit, void *arg)
{
    (void)self;
    (void)visit;
    (void)arg;
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void client_dealloc(client_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs)
        PyObject_ClearWeakRefs((PyObject *)self);
    saved_error error;
    save_error(&error);
    client_free(self);
    restore_error(&error);
    Py_CLEAR(self->secret);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *counts_dict(const inf_counts *counts)
{
    PyObject *dict = PyDict_New();
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {
        {"begun", counts->begun},
        {"open", counts->open},
        {"finished", counts->finished},
        {"pending", counts->pending},
        {"acknowledged", counts->acknowledged},
        {"set_aside", counts->set_aside},
        {"refused", counts->refused},
        {"adopted", counts->adopted},
        {"interrupted", counts->interrupted},
        {"requests", counts->requests},
        {"retries", counts->retries},
        {"queued", counts->queued},
        {"sent", counts->sent},
    };
    for (size_t i = 0; dict && i < sizeof members / sizeof members[0]; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(members[i].value);
        if (!value || PyDict_SetItemString(dict, members[i].name, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

/* None: no limit given. False with an exception on bad input. */
static bool seconds_argument(PyObject *object, double fallback, double *seconds)
{
    *seconds = fallback;
    if (object == Py_None)
        return true;
    *seconds = PyFloat_AsDouble(object);
    if (*seconds == -1.0 && PyErr_Occurred())
        return false;
    if (!(*seconds >= 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout must not be negative");
        return false;
    }
    return true;
}

/* Flushes in slices until done or `until`. INF_OK, INF_ETIMEDOUT, or INF_EINVAL with a Python exception (Control-C). */
static int flush_until(inf_client *client, double until)
{
    for (;;) {
        double left = until - now_s();
        int slice = left <= 0 ? 0 : left * 1000 > SLICE_MS ? SLICE_MS : (int)(left * 1000) + 1;
        PyThreadState *thread = let_others_run();
        int rc = inf_flush(client, slice, NULL);
        run_again(thread);
        if (PyErr_CheckSignals() < 0)
            return INF_EINVAL;
        if (rc != INF_ETIMEDOUT || left <= 0)
            return rc;
    }
}

static PyObject *client_flush(client_object *self, PyObject *timeout)
{
    double seconds;
    if (!seconds_argument(timeout, DEFAULT_FLUSH_S, &seconds))
        return NULL;
    inf_counts counts = self->last;
    if (self->client) {
        client_use(self);
        int rc = flush_until(self->client, now_s() + seconds);
        inf_stats(self->client, &counts);
        client_release(self);
        if (rc == INF_EINVAL && PyErr_Occurred())
            return NULL;
    }
    log_drain();
    return counts_dict(&counts);
}

static PyObject *client_stats(client_object *self, PyObject *unused)
{
    (void)unused;
    inf_counts counts = self->last;
    if (self->client)
        inf_stats(self->client, &counts);
    log_drain();
    return counts_dict(&counts);
}

/* close(timeout) -> counts: no more traces, flush, free (when the last open trace has ended). */
static PyObject *client_close(client_object *self, PyObject *timeout)
{
    double seconds;
    if (!seconds_argument(timeout, DEFAULT_FLUSH_S, &seconds))
        return NULL;
    inf_counts counts = self->last;
    if (self->client) {
        self->closing = true;
        client_use(self);
        int rc = flush_until(self->client, now_s() + seconds);
        inf_stats(self->client, &counts);
        client_release(self);
        if (rc == INF_EINVAL && PyErr_Occurred())
            return NULL;
    }
    log_drain();
    return counts_dict(&counts);
}

static PyObject *client_closed(client_object *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(!client_usable(self));
}

PyObject *client_shutdown(PyObject *module, PyObject *timeout)
{
    core_state *state = core_get_state(module);
    double seconds;
    if (!state || !seconds_argument(timeout, 1.0, &seconds))
        return NULL;
    double began = now_s(), until = began + seconds;
    while (state->clients) {
        client_object *self = state->clients;
        Py_INCREF(self);
        client_unlink(self);
        self->closing = true;
        client_use(self);
        int rc = flush_until(self->client, until);
        client_release(self);
        Py_DECREF(self);
        if (rc == INF_EINVAL && PyErr_Occurred())
            return NULL;
    }
    inf_client_waited_at_exit((unsigned)((now_s() - began) * 1000));
    log_drain();
    Py_RETURN_NONE;
}

static PyMethodDef client_methods[] = {
    {"flush", (PyCFunction)client_flush, METH_O, "Waits, at most so many seconds, for what has ended; the counts."},
    {"stats", (PyCFunction)client_stats, METH_NOARGS, "The counts."},
    {"close", (PyCFunction)client_close, METH_O, "Takes no more traces, flushes, frees; the last counts."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef client_getset[] = {
    {"closed", (getter)client_closed, NULL, "Whether it takes no more traces.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef client_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(client_object, weakrefs), READONLY, NULL},
    {"mask_secrets", T_BOOL, offsetof(client_object, mask_secrets), READONLY, NULL},
    {"secret", T_OBJECT, offsetof(client_object, secret), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot client_slots[] = {
    {Py_tp_new, client_new},
    {Py_tp_dealloc, client_dealloc},
    {Py_tp_traverse, client_traverse},
    {Py_tp_methods, client_methods},
    {Py_tp_getset, client_getset},
    {Py_tp_members, client_members},
    {0, NULL},
};

PyType_Spec client_spec = {
    .name = "infinium._core.Client",
    .basicsize = sizeof(client_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = client_slots,
};

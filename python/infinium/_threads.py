"""The current trace in threads: what a traced function hands to an executor or starts as a thread is part of its trace.

Python gives new threads an empty context. So `ThreadPoolExecutor.submit` and `Thread.start` are replaced, when the first
function is decorated, by functions that look whether a trace is being recorded where they are called. If one is, it is
current in the thread as well, while what was submitted runs: this package's own context variable and nothing else. If
none is, the call goes straight through. INFINIUM_THREADS=0 leaves both as they are.
"""

import functools
import threading

from . import _core

_var = _core.context_var
_done = False


def _recording():
    context = _var.get()
    return context if getattr(context, "recording", False) else None


def _run(context, function, args, kwargs):
    token = _var.set(context)
    try:
        return function(*args, **kwargs)
    finally:
        _core.reset(token)


def carry_context(function):
    """`function`, which then runs in the trace that is current now, in whatever thread it is called. For pools and queues
    other than ThreadPoolExecutor and Thread, which need no help."""
    context = _recording()
    if context is None:
        return function

    @functools.wraps(function)
    def carried(*args, **kwargs):
        return _run(context, function, args, kwargs)

    return carried


def _carrying_submit(original):
    @functools.wraps(original)
    def submit(self, fn, /, *args, **kwargs):
        context = _recording()
        if context is None:
            return original(self, fn, *args, **kwargs)
        token = _var.set(None)  # the pool's new threads outlive this trace
        try:
            return original(self, _run, context, fn, args, kwargs)
        finally:
            _core.reset(token)

    return submit


def _carrying_start(original):
    @functools.wraps(original)
    def start(self):
        context = _recording()
        if context is None or "run" in vars(self):
            return original(self)
        run = self.run

        def carried():
            vars(self).pop("run", None)
            _run(context, run, (), {})

        self.run = carried
        try:
            return original(self)
        except BaseException:
            vars(self).pop("run", None)
            raise

    return start


def carry_contexts():
    """Once for the process."""
    global _done
    if _done:
        return
    _done = True
    threading.Thread.start = _carrying_start(threading.Thread.start)
    try:
        from concurrent.futures import ThreadPoolExecutor
    except (ImportError, OSError, MemoryError):  # no descriptor is left: the program's function is traced all the same
        return
    ThreadPoolExecutor.submit = _carrying_submit(ThreadPoolExecutor.submit)

"""Finished traces on their way to an exporter, on one thread of its own: the traced call only puts them into a queue.

At most 10,000 wait; what comes while it is full is not exported, which is logged once (the trace itself is sent all the
same). flush() of a client, and the end of the interpreter, wait until the queue is empty.
"""

import collections
import os
import threading
import time

MAX_WAITING = 10_000

_lock = threading.Condition()
_waiting = collections.deque()
_working = {}  # process id -> the thread: threads do not survive fork()
_busy = 0
_full = False


def _log(message, **more):
    import logging

    logging.getLogger("infinium.integrations.otel").warning(message, **more)


def _run(pid):
    global _busy
    while True:
        with _lock:
            while not _waiting:
                _busy = 0
                _lock.notify_all()
                _lock.wait()
            job = _waiting.popleft()
            _busy = 1
        try:
            job()
        except Exception:
            _log("a trace could not be exported", exc_info=True)
        del job


def put(job):
    """`job()` is called soon, on the exporting thread."""
    global _full
    pid = os.getpid()
    with _lock:
        if len(_waiting) >= MAX_WAITING:
            said, _full = _full, True
        else:
            said = True
            _waiting.append(job)
            _lock.notify_all()
        if pid not in _working:
            _working.clear()
            _working[pid] = threading.Thread(target=_run, args=(pid,), name="infinium-export", daemon=True)
            _working[pid].start()
    if not said:
        _log("the exporter is too slow: traces are left out")


def flush(timeout):
    """Waits until all is exported, at most `timeout` seconds; whether it is."""
    deadline = time.monotonic() + timeout
    with _lock:
        if os.getpid() not in _working:
            return True
        while _waiting or _busy:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            _lock.wait(left)
        return True


def _after_fork():
    global _lock, _busy
    _lock = threading.Condition()
    _waiting.clear()  # the parent exports them
    _busy = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def exporting(exporter, name):
    """What a traced function calls with each finished trace, so that `exporter.export_trace` gets it."""
    from .integrations.otel import InfiniumOTelExporter, attached, current_context

    timed = isinstance(exporter, InfiniumOTelExporter)

    def on_end(context, started_ns, duration_ns):
        where = current_context()

        def job():
            with attached(where):
                if timed:
                    exporter.export_trace(name, duration_ns / 1e9, context, end_time_ns=started_ns + duration_ns)
                else:
                    exporter.export_trace(name, duration_ns / 1e9, context)

        put(job)

    return on_end

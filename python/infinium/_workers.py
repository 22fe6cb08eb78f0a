"""A few daemon threads that run blocking calls for event loops and batches.

`concurrent.futures` would do, but the interpreter waits for its threads at exit, and a request that hangs must not hold
up the exit of the user's program.
"""

from __future__ import annotations

import os
import threading

MAX_THREADS = 32


class _Pool:
    def __init__(self):
        import queue

        self._jobs = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, function):
        """Runs `function()`, which must not raise, as soon as a thread is free."""
        with self._lock:
            grow = self._idle == 0 and self._threads < MAX_THREADS
            if grow:
                self._threads += 1
            else:
                self._idle -= 1  # may be below 0: that many jobs wait
        if grow:
            threading.Thread(target=self._run, name="infinium-direct", daemon=True).start()
        self._jobs.put(function)

    def _run(self):
        while True:
            self._jobs.get()()
            with self._lock:
                self._idle += 1


_pools = {}  # by process id: threads do not survive fork()


def submit(function):
    """Runs `function()` in one of at most 32 shared daemon threads."""
    pid = os.getpid()
    pool = _pools.get(pid)
    if pool is None:
        pool = _pools.setdefault(pid, _Pool())
    pool.submit(function)


async def run(function, *arguments):
    """`await`s `function(*arguments)`, run in a shared thread. Works in any number of event loops."""
    import asyncio

    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def settle(result, error):
        if not future.done():  # cancelled meanwhile
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def job():
        result = error = None
        try:
            result = function(*arguments)
        except BaseException as caught:
            error = caught
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    submit(job)
    return await future

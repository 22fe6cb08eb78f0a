"""Traces for a client that is not ours: any object with `send_task_data`, and subclasses of ours that override it. They get
each trace as a TaskData before the call returns, as the published client does it; what they raise is logged."""

import contextvars
import functools

from ._trace import kind_of, trace_function

_owed = contextvars.ContextVar("infinium_owed", default=None)  # awaitables of send_task_data, inside a traced coroutine
_tasks = set()


def _lost(name):
    import logging

    logging.getLogger("infinium.tracing").warning("Failed to auto-send trace for %s", name, exc_info=True)


async def _awaited(awaitable, name):
    try:
        await awaitable
    except Exception:
        _lost(name)


def _settle(awaitable, name):
    """For an awaitable that no coroutine waits for."""
    import asyncio

    try:
        task = asyncio.get_running_loop().create_task(_awaited(awaitable, name))
    except RuntimeError:
        asyncio.run(_awaited(awaitable, name))
        return
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def traced(function, name, core, description, options, sender):
    """`function` traced; its traces go to `sender.send_task_data`."""
    on_trace = options.get("on_trace")

    def hand_over(task):
        if on_trace is not None:
            on_trace(task)
        try:
            result = sender.send_task_data(task)
            if not hasattr(type(result), "__await__"):
                return
            owed = _owed.get()
            if owed is None:
                _settle(result, name)
            else:
                owed.append(result)
        except Exception:
            _lost(name)

    inner = trace_function(function, name, core, False, description, {**options, "on_trace": hand_over})
    if kind_of(function) != 1:
        return inner

    @functools.wraps(inner)
    async def wrapper(*args, **kwargs):
        owed = []
        token = _owed.set(owed)
        try:
            return await inner(*args, **kwargs)
        finally:
            _owed.reset(token)
            for awaitable in owed:
                await _awaited(awaitable, name)

    return wrapper

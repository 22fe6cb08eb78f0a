"""From a function to its traced form: what is decided once, when the decorator is applied."""

from . import _core

_CO_COROUTINE = 0x80


def _innermost(function):
    """Through partials and bound methods to the function that will run."""
    for _ in range(100):
        inner = getattr(function, "__func__", None)
        if inner is None and type(function).__name__ == "partial":
            inner = getattr(function, "func", None)
        if inner is None:
            return function
        function = inner
    return function


def is_coroutine_function(function):
    """As inspect.iscoroutinefunction answers, without importing it; also for objects whose __call__ is one."""
    function = _innermost(function)
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        code = getattr(_innermost(getattr(type(function), "__call__", None)), "__code__", None)
    if getattr(code, "co_flags", 0) & _CO_COROUTINE:
        return True
    return getattr(function, "_is_coroutine_mark", None) is not None or getattr(function, "_is_coroutine", None) is not None


def _name_of(function):
    for candidate in (function, _innermost(function), type(function)):
        name = getattr(candidate, "__name__", None)
        if isinstance(name, str):
            return name
    return "function"


def _text(value):
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:
        return type(value).__name__


def trace_function(function, name, core, auto_send, description):
    """`core`: a _core.Client or None. classmethod and staticmethod objects are traced inside."""
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(trace_function(function.__func__, name, core, auto_send, description))
    if not callable(function):
        raise TypeError(f"only a callable can be traced, not {type(function).__name__}")
    function_name = _name_of(function)
    if not description:
        inner = _innermost(function)
        doc = getattr(inner, "__doc__", None)
        description = doc if isinstance(doc, str) and doc else f"Auto-traced call to {function_name}"
    send = core is not None and auto_send
    return _core.Traced(
        function,
        core if send else None,
        _text(name),
        _text(description).strip(),
        function_name,
        is_coroutine_function(function),
        not send,
    )


def make_decorator(name, core, auto_send, description):
    if callable(name) and not isinstance(name, str):
        raise TypeError('trace() needs the trace\'s name: @client.trace("My Agent")')

    def decorate(function):
        return trace_function(function, name, core, auto_send, description)

    return decorate

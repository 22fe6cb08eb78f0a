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


def trace_function(function, name, core, auto_send, description, on_end=None):
    """`core`: a _core.Client or None. `on_end(context, started_ns, duration_ns)` is called with each finished trace, in the
    traced call. classmethod and staticmethod objects are traced inside."""
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(trace_function(function.__func__, name, core, auto_send, description, on_end))
    if not callable(function):
        raise TypeError(f"only a callable can be traced, not {type(function).__name__}")
    function_name = _name_of(function)
    if not description:
        inner = _innermost(function)
        doc = getattr(inner, "__doc__", None)
        description = doc if isinstance(doc, str) and doc else f"Auto-traced call to {function_name}"
    send = core is not None and auto_send
    traced = _core.Traced(
        function,
        core if send else None,
        _text(name),
        _text(description).strip(),
        function_name,
        is_coroutine_function(function),
        not send,
    )
    if on_end is not None:
        traced._on_end = on_end
    return traced


def make_decorator(name, core, auto_send, description, otel_exporter=None):
    if callable(name) and not isinstance(name, str):
        raise TypeError('trace() needs the trace\'s name: @client.trace("My Agent")')

    on_end = None
    if otel_exporter is not None:
        from ._exports import exporting

        on_end = exporting(otel_exporter, _text(name))

    def decorate(function):
        return trace_function(function, name, core, auto_send, description, on_end)

    return decorate

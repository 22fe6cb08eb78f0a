"""From a function to its traced form: what is decided once, when the decorator is applied."""

import os

from . import _core

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200

#: What trace() takes beside the name, auto_send, description and otel_exporter.
OPTIONS = frozenset(
    "capture_input capture_output ignore mask tags metadata session_id user_id sample on_trace threads".split()
)


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


def _flags_of(function):
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        code = getattr(_innermost(getattr(type(function), "__call__", None)), "__code__", None)
    return getattr(code, "co_flags", 0)


def is_coroutine_function(function):
    """As inspect.iscoroutinefunction answers, without importing it; also for objects whose __call__ is one."""
    function = _innermost(function)
    if _flags_of(function) & _CO_COROUTINE:
        return True
    return getattr(function, "_is_coroutine_mark", None) is not None or getattr(function, "_is_coroutine", None) is not None


def kind_of(function):
    """What a call of it returns: 0 a value, 1 an awaitable, 2 a generator, 3 an asynchronous generator."""
    if is_coroutine_function(function):
        return 1
    flags = _flags_of(_innermost(function))
    return 2 if flags & _CO_GENERATOR else 3 if flags & _CO_ASYNC_GENERATOR else 0


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


def _names_of(function):
    """The names of the positional parameters, in order; what is bound already is left out."""
    skip = 0
    for _ in range(100):
        if type(function).__name__ == "partial":
            skip += len(getattr(function, "args", ()))
            function = function.func
        elif getattr(function, "__func__", None) is not None:
            skip += 1
            function = function.__func__
        else:
            break
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(_innermost(getattr(type(function), "__call__", None)), "__code__", None)
        skip += 1
    count = getattr(code, "co_argcount", 0)
    return code.co_varnames[skip:count] if count else ()


def _options(function, core, options):
    """The decorator's options as those of _core.Traced."""
    made = {}
    ignore = options.get("ignore")
    if ignore is not None:
        ignore = frozenset([ignore] if isinstance(ignore, str) else ignore)
        made["ignore"] = ignore
    secrets = core.mask_secrets if core is not None else os.environ.get("INFINIUM_MASK") != "0"
    rules = bytes(
        1 if ignore and name in ignore else 2 if secrets and _core.is_secret_name(name) else 0
        for name in _names_of(function)
    )
    if any(rules):
        made["rules"] = rules
    if not secrets:
        made["mask_secrets"] = False
    for name in ("mask", "on_trace"):
        value = options.get(name)
        if value is not None:
            if not callable(value):
                raise TypeError(f"{name} must be callable")
            made[name] = value
    for name in ("capture_input", "capture_output"):
        if not options.get(name, True):
            made[name] = False
    tags = options.get("tags")
    if tags is not None:
        made["tags"] = tuple(_text(tag) for tag in ([tags] if isinstance(tags, str) else tags))
    if options.get("metadata") is not None:
        made["metadata"] = json_object(options["metadata"], secrets, made.get("mask"))
    for name in ("session_id", "user_id"):
        if options.get(name) is not None:
            made[name] = _text(options[name])
    if options.get("sample") is not None:
        made["sample"] = options["sample"]
    return made


def masked_by(mask, text):
    """What the user's callable makes of a text; all of it is masked when that fails."""
    if mask is None:
        return text
    try:
        masked = mask(text)
    except Exception:
        return "[masked]"
    return masked if isinstance(masked, str) else "[masked]"


def _masked(value, secrets, mask, depth=0):
    if isinstance(value, str):
        return masked_by(mask, _core.mask_text(value) if secrets else value)
    if isinstance(value, dict) and depth < 20:
        return {
            key: "[masked]"
            if secrets and item is not None and _core.is_secret_name(_text(key))
            else _masked(item, secrets, mask, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)) and depth < 20:
        return [_masked(item, secrets, mask, depth + 1) for item in value]
    return value


def json_object(metadata, secrets=True, mask=None):
    """A dict as JSON text, its secrets masked, then each text as `mask` has it; what JSON does not have is written as
    text."""
    from ._json import dumps, plain

    if not isinstance(metadata, dict):
        raise TypeError("metadata must be a dict")
    try:
        made = plain(metadata)
    except Exception:
        made = {_text(key): _text(value) for key, value in metadata.items()}
    encoded = dumps(_masked(made, secrets, mask) if secrets or mask else made)
    return encoded.decode() if isinstance(encoded, bytes) else encoded


def trace_function(function, name, core, auto_send, description, options, sender=None):
    """`core`: a _core.Client or None; `sender`: a client whose own `send_task_data` gets the traces instead; `options`: of
    the decorator. classmethod and staticmethod objects are traced inside."""
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(trace_function(function.__func__, name, core, auto_send, description, options, sender))
    if not callable(function):
        raise TypeError(f"only a callable can be traced, not {type(function).__name__}")
    function_name = _name_of(function)
    if not description:
        inner = _innermost(function)
        doc = getattr(inner, "__doc__", None)
        description = doc if isinstance(doc, str) and doc else f"Auto-traced call to {function_name}"
    if sender is not None and auto_send:
        from . import _senders

        return _senders.traced(function, name, core, description, options, sender)
    send = core is not None and auto_send
    return _core.Traced(
        function,
        core if send else None,
        _text(name),
        _text(description).strip(),
        function_name,
        kind_of(function),
        not send,
        **_options(function, core, options),
    )


def _core_and_sender(client):
    """(core, None) when traces go by the core; else the second is the client that gets them: one of another class, as a
    program's tests have, or one whose `send_task_data` is not ours."""
    if client is None:
        return None, None
    core = getattr(client, "_core", None)
    if not isinstance(core, _core.Client):
        return None, client
    method = getattr(client.send_task_data, "__func__", None)
    ours = getattr(method, "__module__", None) == __package__ + "._api"
    return core, None if ours else client


def make_decorator(name, client, auto_send, description, otel_exporter=None, **options):
    if callable(name) and not isinstance(name, str):
        raise TypeError('trace() needs the trace\'s name: @client.trace("My Agent")')
    unknown = set(options) - OPTIONS
    if unknown:
        raise TypeError(f"trace() has no option {min(unknown)!r}")

    core, sender = _core_and_sender(client)
    on_end = None
    if otel_exporter is not None:
        from ._exports import exporting

        on_end = exporting(otel_exporter, _text(name))
    threads = options.get("threads")
    if threads or (threads is None and os.environ.get("INFINIUM_THREADS") != "0"):
        from ._threads import carry_contexts

        carry_contexts()

    def decorate(function):
        traced = trace_function(function, name, core, auto_send, description, options, sender)
        if on_end is not None:
            inner = traced.__func__ if isinstance(traced, (classmethod, staticmethod)) else traced
            inner._on_end = on_end
        return traced

    return decorate

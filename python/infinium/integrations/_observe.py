"""What the adapters share: wrapping a vendor's method, looking on at its streams, patching its classes.

A wrapper must be invisible: it passes everything on, hands out the vendor's own objects, and a failure of ours goes
nowhere. `begin(context, args, kwargs)` makes the Call; `answered(call, answer)` reads the answer and ends the call, or
leaves that to a stream; what it returns, if anything, is handed out in place of the answer.
"""

import functools
import weakref

from ._call import current, guard

MARK = "_infinium_watched"


def member(thing, name):
    """`thing.name`, or `thing[name]` of a dict; None without."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def number(value):
    """An int or float, or None: vendors have objects that mean "not given"."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(value):
    """A str that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def _begun(begin, args, kwargs):
    context = current()
    return guard(begin, context, args, kwargs) if context is not None else None


def _handed_out(call, answered, answer):
    instead = guard(answered, call, answer)
    if call.open and not call.streamed:  # it could not be read: recorded without what it says
        guard(call.end)
    return answer if instead is None else instead


def observed(original, begin, answered):
    """`original`, a callable, observed."""

    @functools.wraps(original)
    def call_it(*args, **kwargs):
        call = _begun(begin, args, kwargs)
        if call is None:
            return original(*args, **kwargs)
        try:
            answer = original(*args, **kwargs)
        except BaseException as error:
            guard(call.fail, error)
            raise
        return _handed_out(call, answered, answer)

    return call_it


def observed_async(original, begin, answered):
    """`original`, a coroutine function, observed."""

    @functools.wraps(original)
    async def call_it(*args, **kwargs):
        call = _begun(begin, args, kwargs)
        if call is None:
            return await original(*args, **kwargs)
        try:
            answer = await original(*args, **kwargs)
        except BaseException as error:
            guard(call.fail, error)
            raise
        return _handed_out(call, answered, answer)

    return call_it


# Streams -------------------------------------------------------------------------------------------------------------


class _Iterator:
    """In the place of a stream's own iterator: tells `collect` each item. Ends the call with the stream, with its error,
    or when it is dropped."""

    def __init__(self, inner, call, collect):
        self._inner = inner
        self._call = call
        self._collect = collect

    def __iter__(self):
        return self

    def __next__(self):
        try:
            item = next(self._inner)
        except StopIteration:
            guard(self._call.end)
            raise
        except BaseException as error:
            guard(self._call.fail, error)
            raise
        guard(self._collect, item)
        return item

    def close(self):
        guard(self._call.leave)
        return self._inner.close()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __del__(self):
        guard(self._call.leave)


class _AsyncIterator:
    """The same for an asynchronous stream."""

    def __init__(self, inner, call, collect):
        self._inner = inner
        self._call = call
        self._collect = collect

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            item = await self._inner.__anext__()
        except StopAsyncIteration:
            guard(self._call.end)
            raise
        except BaseException as error:
            guard(self._call.fail, error)
            raise
        guard(self._collect, item)
        return item

    async def aclose(self):
        guard(self._call.leave)
        return await self._inner.aclose()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __del__(self):
        guard(self._call.leave)


def collector(call, add):
    """For look_on(): notes the time of the first item, then `add(item)`."""

    def collect(item):
        call.first_chunk()
        add(item)

    return collect


def look_on(stream, call, collect):
    """Puts ours in the place of the stream object's `_iterator`, and around its `close`; everything else of it stays."""
    inner = stream._iterator
    asynchronous = hasattr(inner, "__anext__")
    # Through a weak reference: a stream that refers to itself would not be closed when it is dropped. Should only the
    # method be left of it, its response is closed, which is what the vendors' streams do.
    close_of, owner = getattr(type(stream), "close", None), weakref.ref(stream)
    response = getattr(stream, "response", None)
    call.wait()
    if close_of is not None:
        if asynchronous:

            @functools.wraps(close_of)
            async def close(*args, **kwargs):
                guard(call.leave)
                stream = owner()
                return await (response.aclose() if stream is None else close_of(stream, *args, **kwargs))

        else:

            @functools.wraps(close_of)
            def close(*args, **kwargs):
                guard(call.leave)
                stream = owner()
                return response.close() if stream is None else close_of(stream, *args, **kwargs)

        stream.close = close
    stream._iterator = (_AsyncIterator if asynchronous else _Iterator)(inner, call, collect)


def _started(begin):
    """The call and its collect(), or two Nones: `begin()` makes them."""
    started = guard(begin)
    if started is None:
        return None, None
    guard(started[0].wait)
    return started


def relay(inner, begin):
    """A generator in the place of the vendor's generator `inner`. The call begins with the first item asked for, as the
    vendor's request does: `begin()` returns it with its collect()."""
    call, collect = _started(begin)
    step = functools.partial(next, inner)
    while True:
        try:
            item = step()
        except StopIteration as end:
            if call is not None:
                guard(call.end)
            return end.value
        except BaseException as error:
            if call is not None:
                guard(call.fail, error)
            raise
        if call is not None:
            guard(collect, item)
        try:
            sent = yield item
        except GeneratorExit:
            if call is not None:
                guard(call.leave)
            inner.close()
            raise
        except BaseException as error:
            step = functools.partial(inner.throw, error)
        else:
            step = functools.partial(next, inner) if sent is None else functools.partial(inner.send, sent)


async def relay_async(inner, begin):
    """The same for an asynchronous generator or iterator."""
    call, collect = _started(begin)
    try:
        async for item in inner:
            if call is not None:
                guard(collect, item)
            yield item
        if call is not None:
            guard(call.end)
    except GeneratorExit:
        if call is not None:
            guard(call.leave)
        if hasattr(inner, "aclose"):
            await inner.aclose()
        raise
    except BaseException as error:
        if call is not None:
            guard(call.fail, error)
        raise


# Raw responses -------------------------------------------------------------------------------------------------------


def _parse_is_awaited(response):
    import inspect

    return inspect.iscoroutinefunction(type(response).parse)


def watch_parse(response, call, answered):
    """`response` parses the answer when the program asks it to. One whose body is here already is read now (it keeps what
    it has parsed); else `answered(call, answer)` gets what the program's own parse() returns."""
    if getattr(response.http_response, "is_closed", False) and not _parse_is_awaited(response):
        try:
            answer = response.parse()
        except Exception:  # no JSON, or not of the expected form: for the program to see when it looks
            call.end()
            raise
        answered(call, answer)
        return
    call.wait()
    original = response.parse

    def came(answer):
        response.__dict__.pop("parse", None)  # ends the cycle
        guard(answered, call, answer)
        return answer

    if _parse_is_awaited(response):

        @functools.wraps(original)
        async def parse(*args, **kwargs):
            return came(await original(*args, **kwargs))

    else:

        @functools.wraps(original)
        def parse(*args, **kwargs):
            return came(original(*args, **kwargs))

    response.parse = parse


# Patching ------------------------------------------------------------------------------------------------------------


def watch_copies(client, patch, capture):
    """with_options() and copy() make a new client: `patch(made, capture)` watches it as well."""
    for name in ("copy", "with_options"):
        original = getattr(client, name, None)
        if original is None:
            continue

        @functools.wraps(original)
        def copy(*args, _original=original, **kwargs):
            made = _original(*args, **kwargs)
            guard(patch, made, capture)
            return made

        setattr(client, name, copy)


def unwatch_copies(client):
    for name in ("copy", "with_options"):
        client.__dict__.pop(name, None)


def is_patched(owner, name):
    """Whether the instance is watched itself (its class may be as well)."""
    return getattr(getattr(owner, "__dict__", {}).get(name), MARK, False)


def patch_methods(owner, wrapped):
    """Sets the callables of `wrapped` ({name: wrap(original)}) on the instance `owner`, once."""
    for name, wrap in wrapped.items():
        original = getattr(owner, name, None)
        if original is None or is_patched(owner, name):
            continue
        replacement = wrap(original)
        setattr(replacement, MARK, True)
        setattr(owner, name, replacement)


def unpatch_methods(owner, names):
    for name in names:
        if is_patched(owner, name):
            delattr(owner, name)


def _patch_class(cls, name, wrap):
    """Replaces a method of a class; an instance that is watched itself goes straight through. Returns what undoes it, or
    None when it is patched already."""
    original = cls.__dict__.get(name)
    if original is None or getattr(original, MARK, False):
        return None

    @functools.wraps(original)
    def method(self, *args, **kwargs):
        bound = original.__get__(self, type(self))
        if is_patched(self, name) or cls.__dict__.get(name) is not method:  # uninstrumented, and kept by somebody
            return bound(*args, **kwargs)
        return wrap(bound, self)(*args, **kwargs)

    setattr(method, MARK, True)
    setattr(cls, name, method)

    def undo():
        if cls.__dict__.get(name) is method:
            setattr(cls, name, original)

    return undo


class Instrumentor:
    """Patches a vendor's classes, so that every client of the process is watched. `instrument()` and `uninstrument()` may
    be called any number of times, on any instance: the classes are the process's. Without the vendor's package, a
    warning and nothing else."""

    _package = ""
    _undo = []  # each subclass has one of its own

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._undo = []

    def __init__(self, capture_content=False):
        self.capture_content = capture_content

    def _targets(self):
        """Yields (class, name, wrap(bound, self)); ImportError without the package."""
        raise NotImplementedError

    def instrument(self):
        try:
            targets = list(self._targets())
        except ImportError:
            import logging

            logging.getLogger("infinium.integrations").warning("%s is not installed; nothing to watch", self._package)
            return
        for cls, name, wrap in targets:
            undo = _patch_class(cls, name, wrap)
            if undo is not None:
                self._undo.append(undo)

    def uninstrument(self):
        while self._undo:
            self._undo.pop()()

"""OpenAI's client: chat.completions.create, patched on the instance.

The vendor's own stream object is handed out, with its iterator replaced by one that looks on; so its attributes, its
context manager, its close() and isinstance() are the vendor's. A stream that is left early is recorded as it is then.
"""

import functools
from urllib.parse import urlsplit

from ._call import INPUT_PREVIEW, OUTPUT_PREVIEW, Call, current, cut, guard

_MARK = "_infinium_watched"


def _provider(client):
    host = urlsplit(str(getattr(client, "base_url", "") or "")).hostname or ""
    return "xai" if host == "x.ai" or host.endswith(".x.ai") else "openai"


def _content_text(content):
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return " ".join(part for part in parts if isinstance(part, str))
    return ""


def _member(message, name):
    return message.get(name) if isinstance(message, dict) else getattr(message, name, None)


def _input_preview(messages):
    """The last two messages of the system and the user, as `[role] content`."""
    if not isinstance(messages, (list, tuple)):
        return None
    shown = [m for m in messages if _member(m, "role") in ("system", "user")][-2:]
    lines = [f"[{_member(m, 'role')}] {_content_text(_member(m, 'content'))}" for m in shown]
    return cut("\n".join(lines), INPUT_PREVIEW) if lines else None


def _begin(context, provider, capture, kwargs):
    limit = kwargs.get("max_completion_tokens")
    call = Call(
        context,
        provider=provider,
        operation="chat",
        request_model=kwargs.get("model"),
        model=kwargs.get("model"),
        temperature=_number(kwargs.get("temperature")),
        max_tokens=limit if isinstance(limit, int) else _number(kwargs.get("max_tokens")),
        stream=1 if kwargs.get("stream") is True else None,
    )
    if capture:
        call.data["input_preview"] = guard(_input_preview, kwargs.get("messages"))
    return call


def _number(value):
    """Vendors have objects that mean "not given"."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _add_usage(data, usage):
    if usage is None:
        return
    data["prompt_tokens"] = getattr(usage, "prompt_tokens", None)
    data["completion_tokens"] = getattr(usage, "completion_tokens", None)
    data["cached_tokens"] = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
    data["reasoning_tokens"] = getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", None)


def _add_model(data, answer):
    model = getattr(answer, "model", None)
    if isinstance(model, str) and model:
        data["model"] = model
    identity = getattr(answer, "id", None)
    if isinstance(identity, str) and identity:
        data["response_id"] = identity


def _finish(call, capture, answer):
    data = call.data
    try:
        _add_model(data, answer)
        _add_usage(data, getattr(answer, "usage", None))
        choices = getattr(answer, "choices", None) or []
        data["finish_reasons"] = [c.finish_reason for c in choices if isinstance(c.finish_reason, str)]
        if capture and choices:
            content = getattr(choices[0].message, "content", None)
            if isinstance(content, str):
                data["output_preview"] = cut(content, OUTPUT_PREVIEW)
    finally:
        call.end()


class _Chunks:
    """What the chunks of a stream add up to."""

    def __init__(self, call, capture):
        self.call = call
        self.text = [] if capture else None
        self.length = 0
        self.finish_reasons = {}

    def add(self, chunk):
        call = self.call
        call.first_chunk()
        data = call.data
        if "response_id" not in data:
            _add_model(data, chunk)
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            _add_usage(data, usage)
        for choice in getattr(chunk, "choices", None) or ():
            reason = getattr(choice, "finish_reason", None)
            if isinstance(reason, str):
                self.finish_reasons[choice.index] = reason
                data["finish_reasons"] = [self.finish_reasons[i] for i in sorted(self.finish_reasons)]
            if self.text is not None and choice.index == 0 and self.length <= OUTPUT_PREVIEW:
                content = getattr(choice.delta, "content", None)
                if isinstance(content, str):
                    self.text.append(content)
                    self.length += len(content)
                    data["output_preview"] = cut("".join(self.text), OUTPUT_PREVIEW)


class _Iterator:
    """In the place of the stream's own iterator."""

    def __init__(self, inner, call, capture):
        self._inner = inner
        self._call = call
        self._chunks = _Chunks(call, capture)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            chunk = next(self._inner)
        except StopIteration:
            guard(self._call.end)
            raise
        except BaseException as error:
            guard(self._call.fail, error)
            raise
        guard(self._chunks.add, chunk)
        return chunk

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __del__(self):
        guard(self._call.end)


class _AsyncIterator:
    """In the place of the stream's own iterator."""

    def __init__(self, inner, call, capture):
        self._inner = inner
        self._call = call
        self._chunks = _Chunks(call, capture)

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            chunk = await self._inner.__anext__()
        except StopAsyncIteration:
            guard(self._call.end)
            raise
        except BaseException as error:
            guard(self._call.fail, error)
            raise
        guard(self._chunks.add, chunk)
        return chunk

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __del__(self):
        guard(self._call.end)


def _look_on(stream, call, capture, iterator_class):
    """Puts ours in the place of the stream's iterator and close()."""
    inner = stream._iterator
    close = stream.close
    call.wait()

    if iterator_class is _AsyncIterator:

        @functools.wraps(close)
        async def closing(*args, **kwargs):
            guard(call.end)
            return await close(*args, **kwargs)

    else:

        @functools.wraps(close)
        def closing(*args, **kwargs):
            guard(call.end)
            return close(*args, **kwargs)

    stream.close = closing
    stream._iterator = iterator_class(inner, call, capture)


def _answered(call, capture, answer, iterator_class):
    if hasattr(answer, "_iterator") and hasattr(answer, "close"):
        guard(_look_on, answer, call, capture, iterator_class)
    else:
        guard(_finish, call, capture, answer)


def _watched_create(original, provider, capture):
    @functools.wraps(original)
    def create(*args, **kwargs):
        context = current()
        call = guard(_begin, context, provider, capture, kwargs) if context is not None else None
        if call is None:
            return original(*args, **kwargs)
        try:
            answer = original(*args, **kwargs)
        except BaseException as error:
            guard(call.fail, error)
            raise
        _answered(call, capture, answer, _Iterator)
        return answer

    return create


def _watched_async_create(original, provider, capture):
    @functools.wraps(original)
    async def create(*args, **kwargs):
        context = current()
        call = guard(_begin, context, provider, capture, kwargs) if context is not None else None
        if call is None:
            return await original(*args, **kwargs)
        try:
            answer = await original(*args, **kwargs)
        except BaseException as error:
            guard(call.fail, error)
            raise
        _answered(call, capture, answer, _AsyncIterator)
        return answer

    return create


def _watch_copies(client, patch, capture):
    """with_options() and copy() make a new client: watched as well."""
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


def _patch(client, capture_content, wrap, patch):
    completions = client.chat.completions
    if getattr(completions.create, _MARK, False):
        return client
    create = wrap(completions.create, _provider(client), capture_content)
    setattr(create, _MARK, True)
    completions.create = create
    _watch_copies(client, patch, capture_content)
    return client


def patch_openai_client(client, capture_content=False):
    return _patch(client, capture_content, _watched_create, patch_openai_client)


def patch_async_openai_client(client, capture_content=False):
    return _patch(client, capture_content, _watched_async_create, patch_async_openai_client)


def unpatch_openai_client(client):
    completions = getattr(getattr(client, "chat", None), "completions", None)
    create = getattr(completions, "__dict__", {}).get("create")
    if create is not None and getattr(create, _MARK, False):
        del completions.create
        for name in ("copy", "with_options"):
            client.__dict__.pop(name, None)
    return client

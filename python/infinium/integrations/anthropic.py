"""Anthropic's client: messages.create, parse and stream, also of `client.beta`; Bedrock and Vertex as well."""

import functools

from .._json import dumps, plain
from ._call import INPUT_PREVIEW, Call, cut, guard
from ._observe import (
    Instrumentor,
    collector,
    is_patched,
    look_on,
    member,
    number,
    observed,
    observed_async,
    patch_methods,
    text,
    unpatch_methods,
    unwatch_copies,
    watch_copies,
    watch_parse,
)
from ._reading import Reading

_METHODS = ("create", "parse", "stream")


def _block_text(content):
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):
        parts = [member(block, "text") for block in content]
        return " ".join(part for part in parts if isinstance(part, str))
    return ""


def _input_preview(kwargs):
    """`[system] ...`, then the last two messages as `[role] content`."""
    lines = []
    system = _block_text(kwargs.get("system"))
    if system:
        lines.append(f"[system] {system}")
    messages = kwargs.get("messages")
    if isinstance(messages, (list, tuple)):
        lines += [f"[{member(m, 'role')}] {_block_text(member(m, 'content'))}" for m in messages[-2:]]
    return cut("\n".join(lines), INPUT_PREVIEW) if lines else None


def _begin(capture, stream, context, args, kwargs):
    model = text(kwargs.get("model"))
    temperature = number(kwargs.get("temperature"))
    if temperature is None:  # no argument any more in newer versions of the package
        temperature = number(member(kwargs.get("extra_body"), "temperature"))
    call = Call(
        context,
        provider="anthropic",
        operation="chat",
        request_model=model,
        model=model,
        temperature=temperature,
        max_tokens=number(kwargs.get("max_tokens")),
        stream=1 if stream or kwargs.get("stream") is True else None,
    )
    if capture:
        call.data["input_preview"] = guard(_input_preview, kwargs)
    return call


class _Reading(Reading):
    """Anthropic's input tokens are without the cached ones; ours are with them."""

    def __init__(self, call, capture):
        super().__init__(call, capture)
        self.counts = {}

    def usage(self, usage):
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"):
            count = number(getattr(usage, name, None))
            if count is not None:
                self.counts[name] = count
        counts, data = self.counts, self.data
        read, write = counts.get("cache_read_input_tokens"), counts.get("cache_creation_input_tokens")
        if "input_tokens" in counts:
            data["prompt_tokens"] = counts["input_tokens"] + (read or 0) + (write or 0)
        if "output_tokens" in counts:
            data["completion_tokens"] = counts["output_tokens"]
        data["cached_tokens"], data["cache_write_tokens"] = read, write
        thought = number(getattr(getattr(usage, "output_tokens_details", None), "thinking_tokens", None))
        if thought is not None:
            data["reasoning_tokens"] = thought

    def message(self, message):
        data = self.data
        data["model"] = text(getattr(message, "model", None)) or data["model"]
        data["response_id"] = text(getattr(message, "id", None))
        self.finish_reason(0, getattr(message, "stop_reason", None))
        self.usage(getattr(message, "usage", None))
        for place, block in enumerate(getattr(message, "content", None) or ()):
            self.block(place, block)

    def block(self, place, block):
        self.output(getattr(block, "text", None))
        if getattr(block, "type", None) in ("tool_use", "server_tool_use"):
            given = getattr(block, "input", None)
            arguments = dumps(plain(given)).decode() if self.capture and given else None
            self.tool_call(place, getattr(block, "id", None), getattr(block, "name", None), arguments)

    def event(self, event):
        kind = getattr(event, "type", None)
        if kind == "message_start":
            self.message(event.message)
        elif kind == "content_block_start":
            self.block(event.index, event.content_block)
        elif kind == "content_block_delta":
            self.output(getattr(event.delta, "text", None))
            pieces = getattr(event.delta, "partial_json", None)
            if pieces:
                self.tool_call(event.index, arguments=pieces)
        elif kind == "message_delta":
            self.finish_reason(0, getattr(event.delta, "stop_reason", None))
            self.usage(getattr(event, "usage", None))


def _answered(capture, call, answer):
    if hasattr(answer, "http_response") and hasattr(answer, "parse"):  # a raw response
        watch_parse(answer, call, functools.partial(_answered, capture))
        return
    reading = _Reading(call, capture)
    if hasattr(answer, "_iterator"):
        look_on(answer, call, collector(call, reading.event))
        return
    try:
        reading.message(answer)
    finally:
        call.end()


class _Later:
    """In the place of the coroutine that makes the request of an asynchronous messages.stream()."""

    def __init__(self, request, begin, answered):
        self._request = request
        self._begin = begin
        self._answered = answered

    def __await__(self):
        async def original():
            return await self._request

        return observed_async(original, self._begin, self._answered)().__await__()

    def __getattr__(self, name):
        return getattr(self._request, name)


def _watch_manager(manager, capture, kwargs):
    """messages.stream() makes its request when the manager is entered; its private callable is where to look on."""
    name = f"_{type(manager).__name__}__api_request"
    request = getattr(manager, name)

    def begin(context, _args, _kwargs):
        return _begin(capture, True, context, (), kwargs)

    answered = functools.partial(_answered, capture)
    if callable(request):
        setattr(manager, name, observed(request, begin, answered))
    else:
        setattr(manager, name, _Later(request, begin, answered))


def _wrap(name, asynchronous, capture, original):
    if name == "stream":

        @functools.wraps(original)
        def stream(*args, **kwargs):
            manager = original(*args, **kwargs)
            guard(_watch_manager, manager, capture, kwargs)
            return manager

        return stream
    begin = functools.partial(_begin, capture, False)
    return (observed_async if asynchronous else observed)(original, begin, functools.partial(_answered, capture))


def _resources(client):
    """The objects whose methods are watched."""
    yield client.messages
    beta = getattr(getattr(client, "beta", None), "messages", None)
    if beta is not None:
        yield beta


def _patch(client, capture_content, asynchronous, patch):
    if is_patched(client.messages, "create"):
        return client
    for resource in _resources(client):
        wrapped = {name: functools.partial(_wrap, name, asynchronous, capture_content) for name in _METHODS}
        patch_methods(resource, wrapped)
    watch_copies(client, patch, capture_content)
    return client


def patch_anthropic_client(client, capture_content=False):
    """Watches this client; see watch()."""
    return _patch(client, capture_content, False, patch_anthropic_client)


def patch_async_anthropic_client(client, capture_content=False):
    """Watches this asynchronous client; see watch()."""
    return _patch(client, capture_content, True, patch_async_anthropic_client)


def unpatch_anthropic_client(client):
    """The reverse of both."""
    for resource in _resources(client):
        unpatch_methods(resource, _METHODS)
    unwatch_copies(client)
    return client


class AnthropicInstrumentor(Instrumentor):
    """Watches every Anthropic client of the process."""

    _package = "anthropic"

    def _targets(self):
        from anthropic.resources import messages as stable
        from anthropic.resources.beta import messages as beta

        for module in (stable, beta):
            for cls, asynchronous in ((module.Messages, False), (module.AsyncMessages, True)):
                for name in _METHODS:
                    if name in vars(cls):
                        yield cls, name, self._wrapper(name, asynchronous)

    def _wrapper(self, name, asynchronous):
        return lambda bound, owner: _wrap(name, asynchronous, self.capture_content, bound)

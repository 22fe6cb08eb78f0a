"""OpenAI's client: chat completions, responses, embeddings and text completions, also below `client.beta`; Azure's and
xAI's, and every client that derives from it. Streams made by the `stream()` helpers go through create().

with_raw_response and with_streaming_response are bound to the methods watched here, so their answers come by as well.
"""

import functools

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

# Where the methods are, and how their requests and answers are read.
_RESOURCES = (
    (("chat", "completions"), "chat", ("create", "parse")),
    (("beta", "chat", "completions"), "chat", ("create", "parse")),
    (("responses",), "responses", ("create", "parse")),
    (("beta", "responses"), "responses", ("create", "parse")),
    (("embeddings",), "embeddings", ("create",)),
    (("completions",), "text", ("create",)),
)
_OPERATIONS = {"chat": "chat", "responses": "chat", "embeddings": "embeddings", "text": "text_completion"}


def provider_of(client):
    """`xai` or `openai`, by the host of its base_url."""
    from urllib.parse import urlsplit

    host = urlsplit(str(getattr(client, "base_url", "") or "")).hostname or ""
    return "xai" if host == "x.ai" or host.endswith(".x.ai") else "openai"


# Requests ------------------------------------------------------------------------------------------------------------


def _content_text(content):
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):
        parts = [part if isinstance(part, str) else member(part, "text") for part in content]
        return " ".join(part for part in parts if isinstance(part, str))
    return ""


def _last_messages(messages):
    """The last two messages of the system and the user, as `[role] content`."""
    roles = ("system", "user", "developer")
    shown = [m for m in messages if member(m, "role") in roles][-2:]
    return [f"[{member(m, 'role')}] {_content_text(member(m, 'content'))}" for m in shown]


def _input_preview(kind, kwargs):
    given = kwargs.get("messages" if kind == "chat" else "prompt" if kind == "text" else "input")
    lines = []
    if kind == "responses" and text(kwargs.get("instructions")):
        lines.append(f"[system] {kwargs['instructions']}")
    if isinstance(given, str):
        lines.append(f"[user] {given}" if kind == "responses" else given)
    elif isinstance(given, (list, tuple)):
        lines += _last_messages(given) if kind in ("chat", "responses") else [_content_text(given)]
    return cut("\n".join(lines), INPUT_PREVIEW) if lines else None


def _begin(kind, provider, capture, context, args, kwargs):
    limit = None
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        limit = number(kwargs.get(name)) if limit is None else limit
    model = text(kwargs.get("model"))
    call = Call(
        context,
        provider=provider,
        operation=_OPERATIONS[kind],
        request_model=model,
        model=model,
        temperature=number(kwargs.get("temperature")),
        max_tokens=limit,
        stream=1 if kwargs.get("stream") is True else None,
    )
    if capture:
        call.data["input_preview"] = guard(_input_preview, kind, kwargs)
    return call


# Answers -------------------------------------------------------------------------------------------------------------


class _Reading(Reading):
    """OpenAI's totals are inclusive: cached tokens are among the prompt's, reasoning among the answer's."""

    def model(self, answer):
        model, identity = text(getattr(answer, "model", None)), text(getattr(answer, "id", None))
        if model:
            self.data["model"] = model
        if identity:
            self.data["response_id"] = identity

    def usage(self, usage):
        if usage is None:
            return
        data = self.data
        for into, first, second in (
            ("prompt_tokens", "prompt_tokens", "input_tokens"),
            ("completion_tokens", "completion_tokens", "output_tokens"),
        ):
            count = number(member(usage, first))
            data[into] = number(member(usage, second)) if count is None else count
        prompt = member(usage, "prompt_tokens_details") or member(usage, "input_tokens_details")
        answer = member(usage, "completion_tokens_details") or member(usage, "output_tokens_details")
        data["cached_tokens"] = number(member(prompt, "cached_tokens"))
        data["cache_write_tokens"] = number(member(prompt, "cache_write_tokens"))
        data["reasoning_tokens"] = number(member(answer, "reasoning_tokens"))


class _Chat(_Reading):
    """Chat and text completions."""

    def answer(self, answer):
        self.model(answer)
        self.usage(getattr(answer, "usage", None))
        for place, choice in enumerate(getattr(answer, "choices", None) or ()):
            self.choice(place, choice, getattr(choice, "message", None))

    def piece(self, chunk):
        if "response_id" not in self.data:
            self.model(chunk)
        self.usage(getattr(chunk, "usage", None))
        for place, choice in enumerate(getattr(chunk, "choices", None) or ()):
            self.choice(place, choice, getattr(choice, "delta", None))

    def choice(self, place, choice, message):
        index = getattr(choice, "index", None)
        index = index if isinstance(index, int) else place
        self.finish_reason(index, getattr(choice, "finish_reason", None))
        if index == 0:
            said = getattr(choice, "text", None) if message is None else member(message, "content")
            self.output(said or member(message, "refusal"))
        for number_, tool in enumerate(member(message, "tool_calls") or ()):
            which = member(tool, "index")
            key = (index, which if isinstance(which, int) else number_)
            function = member(tool, "function") or member(tool, "custom")
            arguments = member(function, "arguments") or member(function, "input")
            self.tool_call(key, member(tool, "id"), member(function, "name"), arguments)


class _Responses(_Reading):
    def answer(self, answer):
        self.model(answer)
        self.usage(getattr(answer, "usage", None))
        tools = False
        for place, item in enumerate(getattr(answer, "output", None) or ()):
            kind = getattr(item, "type", None)
            if kind == "message":
                for part in getattr(item, "content", None) or ():
                    self.output(getattr(part, "text", None) or getattr(part, "refusal", None))
            elif kind in ("function_call", "custom_tool_call"):
                tools = True
                arguments = getattr(item, "arguments", None) or getattr(item, "input", None)
                self.tool_call(place, getattr(item, "call_id", None), getattr(item, "name", None), arguments)
        status = getattr(answer, "status", None)
        if status == "completed":
            self.finish_reason(0, "tool_calls" if tools else "stop")
        elif status == "incomplete":
            reason = member(getattr(answer, "incomplete_details", None), "reason")
            self.finish_reason(0, reason if isinstance(reason, str) else "incomplete")
        elif status in ("failed", "cancelled"):
            self.finish_reason(0, "error")
            self.failed(getattr(answer, "error", None), status)

    def failed(self, error, otherwise):
        self.data["error_type"] = text(member(error, "code")) or otherwise
        self.data["error_message"] = text(member(error, "message")) or otherwise

    def piece(self, event):
        kind = getattr(event, "type", None)
        if kind == "response.created":
            self.model(event.response)
        elif kind in ("response.output_text.delta", "response.refusal.delta"):
            self.output(getattr(event, "delta", None))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._parts, self._length = [], 0  # it holds the whole text once more
            self.answer(event.response)
        elif kind == "error":
            self.finish_reason(0, "error")
            self.failed(event, "error")


class _Embeddings(_Reading):
    def answer(self, answer):
        self.model(answer)
        self.usage(getattr(answer, "usage", None))

    piece = answer


_READINGS = {"chat": _Chat, "text": _Chat, "responses": _Responses, "embeddings": _Embeddings}


def _answered(kind, capture, call, answer):
    if hasattr(answer, "http_response") and hasattr(answer, "parse"):  # a raw response
        watch_parse(answer, call, functools.partial(_answered, kind, capture))
        return
    reading = _READINGS[kind](call, capture)
    if hasattr(answer, "_iterator") and hasattr(answer, "close"):
        look_on(answer, call, collector(call, reading.piece))
        return
    try:
        reading.answer(answer)
    finally:
        call.end()


# Patching ------------------------------------------------------------------------------------------------------------


def _wrap(kind, provider, capture, asynchronous, original):
    begin = functools.partial(_begin, kind, provider, capture)
    return (observed_async if asynchronous else observed)(original, begin, functools.partial(_answered, kind, capture))


def _resources(client):
    """(resource, kind, names of its watched methods), each resource once."""
    for path, kind, names in _RESOURCES:
        resource = client
        for name in path:
            resource = guard(getattr, resource, name, None) if resource is not None else None
        if resource is not None:
            yield resource, kind, names


def _forget_raw(owner):
    """with_raw_response and the like are bound to the methods that were there when they were first asked for."""
    for name in ("with_raw_response", "with_streaming_response"):
        getattr(owner, "__dict__", {}).pop(name, None)


def _patch(client, capture_content, asynchronous, patch):
    if is_patched(client.chat.completions, "create"):
        return client
    provider = provider_of(client)
    for resource, kind, names in _resources(client):
        wrap = functools.partial(_wrap, kind, provider, capture_content, asynchronous)
        guard(patch_methods, resource, dict.fromkeys(names, wrap))
        _forget_raw(resource)
    _forget_raw(client)
    watch_copies(client, patch, capture_content)
    return client


def patch_openai_client(client, capture_content=False):
    """Watches this client; see watch()."""
    return _patch(client, capture_content, False, patch_openai_client)


def patch_async_openai_client(client, capture_content=False):
    """Watches this asynchronous client; see watch()."""
    return _patch(client, capture_content, True, patch_async_openai_client)


def unpatch_openai_client(client):
    """The reverse of both."""
    for resource, _, names in _resources(client):
        unpatch_methods(resource, names)
        _forget_raw(resource)
    _forget_raw(client)
    unwatch_copies(client)
    return client


class OpenAIInstrumentor(Instrumentor):
    """Watches every OpenAI client of the process."""

    _package = "openai"

    def _targets(self):
        from importlib import import_module

        import_module("openai")
        for module, cls, kind, names in (
            ("chat.completions", "Completions", "chat", ("create", "parse")),
            ("responses", "Responses", "responses", ("create", "parse")),
            ("beta.responses", "Responses", "responses", ("create", "parse")),
            ("embeddings", "Embeddings", "embeddings", ("create",)),
            ("completions", "Completions", "text", ("create",)),
        ):
            try:
                found = import_module("openai.resources." + module)
            except ImportError:  # not in this version of the package
                continue
            for asynchronous, name in ((False, cls), (True, "Async" + cls)):
                target = getattr(found, name, None)
                for method in names:
                    if target is not None and method in vars(target):
                        yield target, method, self._wrapper(kind, asynchronous)

    def _wrapper(self, kind, asynchronous):
        def wrap(bound, owner):
            return _wrap(kind, provider_of(getattr(owner, "_client", None)), self.capture_content, asynchronous, bound)

        return wrap

"""Google's clients: google-genai's `Client` (models.generate_content and generate_content_stream, also of `aio`; chats go
through them) and the older package's `GenerativeModel`."""

import functools

from .._json import dumps, plain
from ._call import INPUT_PREVIEW, Call, current, cut, guard
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
    relay,
    relay_async,
    text,
    unpatch_methods,
)
from ._reading import Reading

_METHODS = ("generate_content", "generate_content_stream")
_LEGACY_METHODS = ("generate_content", "generate_content_async")


def _contents_text(contents, depth=0):
    """The texts in contents of any of the shapes that Google takes: str, part, content, or lists of them."""
    if isinstance(contents, str):
        return contents
    if depth > 5 or contents is None:
        return ""
    if isinstance(contents, (list, tuple)):
        return "\n".join(filter(None, (_contents_text(item, depth + 1) for item in contents)))
    parts = member(contents, "parts")
    if parts:
        role = member(contents, "role")
        inner = _contents_text(list(parts), depth + 1)
        return f"[{role}] {inner}" if isinstance(role, str) and role else inner
    return text(member(contents, "text")) or ""


def _begin(model, capture, stream, context, args, kwargs):
    config = kwargs.get("config") or kwargs.get("generation_config")
    if model is None:
        model = text(kwargs.get("model"))
    call = Call(
        context,
        provider="google",
        operation="generate_content",
        request_model=model,
        model=model,
        temperature=number(member(config, "temperature")),
        max_tokens=number(member(config, "max_output_tokens")),
        stream=1 if stream or kwargs.get("stream") is True else None,
    )
    if capture:
        contents = kwargs.get("contents", args[0] if args else None)
        shown = guard(_contents_text, contents)
        call.data["input_preview"] = cut(shown, INPUT_PREVIEW) if shown else None
    return call


class _Reading(Reading):
    """Google counts thoughts and the results of tools apart; our totals are with them."""

    _tool_count = 0

    def usage(self, usage):
        def count(name):
            return number(getattr(usage, name, None))

        data = self.data
        prompt, tools = count("prompt_token_count"), count("tool_use_prompt_token_count")
        answer, thoughts = count("candidates_token_count"), count("thoughts_token_count")
        if prompt is not None:
            data["prompt_tokens"] = prompt + (tools or 0)
        if answer is not None or thoughts is not None:
            data["completion_tokens"] = (answer or 0) + (thoughts or 0)
        if thoughts is not None:
            data["reasoning_tokens"] = thoughts
        cached = count("cached_content_token_count")
        if cached is not None:
            data["cached_tokens"] = cached

    def chunk(self, chunk):
        data = self.data
        data["model"] = text(getattr(chunk, "model_version", None)) or data["model"]
        identity = text(getattr(chunk, "response_id", None))
        if identity:
            data["response_id"] = identity
        usage = getattr(chunk, "usage_metadata", None)
        if usage is not None:
            self.usage(usage)
        for number_, candidate in enumerate(getattr(chunk, "candidates", None) or ()):
            reason = getattr(candidate, "finish_reason", None)
            reason = getattr(reason, "name", reason)
            if reason != "FINISH_REASON_UNSPECIFIED":
                self.finish_reason(number_, reason)
            for part in getattr(getattr(candidate, "content", None), "parts", None) or ():
                if number_ == 0 and not getattr(part, "thought", None):
                    self.output(getattr(part, "text", None))
                self.function_call(getattr(part, "function_call", None))

    def function_call(self, asked):
        name = text(getattr(asked, "name", None))
        if name is None:
            return
        given = getattr(asked, "args", None)
        arguments = dumps(plain(given)).decode() if self.capture and given else None
        self.tool_call(self._tool_count, getattr(asked, "id", None), name, arguments)
        self._tool_count += 1


def _answered(capture, call, answer):
    reading = _Reading(call, capture)
    if hasattr(answer, "_iterator") and not getattr(answer, "_done", True):  # a stream of the older package
        guard(reading.chunk, getattr(answer, "_result", None))
        call.first_chunk()
        look_on(answer, call, collector(call, reading.chunk))
        return None
    if hasattr(answer, "throw"):  # a generator of Vertex's GenerativeModel
        return relay(answer, lambda: (call, collector(call, reading.chunk)))
    if hasattr(answer, "__anext__"):
        return relay_async(answer, lambda: (call, collector(call, reading.chunk)))
    try:
        reading.chunk(answer)
    finally:
        call.end()
    return None


def _watched_stream(original, capture, asynchronous):
    """generate_content_stream only makes a generator: the request goes out when its first item is asked for."""

    def begin(context, args, kwargs):
        call = _begin(None, capture, True, context, args, kwargs)
        return call, collector(call, _Reading(call, capture).chunk)

    if asynchronous:

        @functools.wraps(original)
        async def stream(*args, **kwargs):
            context = current()
            inner = await original(*args, **kwargs)
            if context is None or not hasattr(inner, "__anext__"):
                return inner
            return relay_async(inner, functools.partial(begin, context, args, kwargs))

    else:

        @functools.wraps(original)
        def stream(*args, **kwargs):
            context = current()
            inner = original(*args, **kwargs)
            if context is None or not hasattr(inner, "throw"):
                return inner
            return relay(inner, functools.partial(begin, context, args, kwargs))

    return stream


def _wrap(name, asynchronous, capture, original, model=None):
    if name == "generate_content_stream":
        return _watched_stream(original, capture, asynchronous)
    begin = functools.partial(_begin, model, capture, False)
    return (observed_async if asynchronous else observed)(original, begin, functools.partial(_answered, capture))


def _models(client):
    """What is watched of a Client, and whether it is asynchronous."""
    yield client.models, False
    asynchronous = getattr(getattr(client, "aio", None), "models", None)
    if asynchronous is not None:
        yield asynchronous, True


def patch_google_genai_client(client, capture_content=False):
    """Watches a google-genai Client, both its ways; see watch()."""
    for models, asynchronous in _models(client):
        if not is_patched(models, "generate_content"):
            wrapped = {name: functools.partial(_wrap, name, asynchronous, capture_content) for name in _METHODS}
            patch_methods(models, wrapped)
    return client


def unpatch_google_genai_client(client):
    """The reverse."""
    for models, _ in _models(client):
        unpatch_methods(models, _METHODS)
    return client


def _legacy_wrap(name, capture, model, original):
    return _wrap("generate_content", name.endswith("_async"), capture, original, _legacy_name(model))


def _legacy_name(model):
    return text(getattr(model, "model_name", None)) or "gemini"


def patch_google_model(model, capture_content=False):
    """Watches a GenerativeModel of the older package; see watch()."""
    if not is_patched(model, "generate_content"):
        names = [name for name in _LEGACY_METHODS if hasattr(model, name)]
        patch_methods(model, {name: functools.partial(_legacy_wrap, name, capture_content, model) for name in names})
    return model


def unpatch_google_model(model):
    """The reverse."""
    unpatch_methods(model, _LEGACY_METHODS)
    return model


class GoogleInstrumentor(Instrumentor):
    """Watches every client of google-genai, and every GenerativeModel of the older package, of the process."""

    _package = "google-genai"

    def _targets(self):
        found = False
        try:
            from google.genai import models

            found = True
            for cls, asynchronous in ((models.Models, False), (models.AsyncModels, True)):
                for name in _METHODS:
                    yield cls, name, self._wrapper(name, asynchronous)
        except ImportError:
            pass
        try:
            from google.generativeai import GenerativeModel

            found = True
            for name in _LEGACY_METHODS:
                yield GenerativeModel, name, self._legacy_wrapper(name)
        except ImportError:
            pass
        if not found:
            raise ImportError("google-genai")

    def _wrapper(self, name, asynchronous):
        return lambda bound, owner: _wrap(name, asynchronous, self.capture_content, bound)

    def _legacy_wrapper(self, name):
        return lambda bound, owner: _legacy_wrap(name, self.capture_content, owner, bound)

"""Prompts of the server: which are valid requests, what variables do, what is served when the server is down."""

from __future__ import annotations

import threading

from . import _api, utils
from ._json import decode_object
from .exceptions import InfiniumError, NetworkError, RateLimitError, ServerError, ValidationError
from .types import CapturedPromptFetch, PromptContent

CACHE_SIZE = 256  # answers of one client

_cache_lock = threading.Lock()


def normalise_version(version):
    """`latest`, or the number as text. ValidationError(field="version") for anything that is neither."""
    if version == "latest" and isinstance(version, str):
        return version
    number = 0
    if isinstance(version, (int, str)) and not isinstance(version, bool):
        try:
            number = int(version)
        except ValueError:
            pass
    if number < 1:
        raise ValidationError("version must be 'latest' or an integer of at least 1", field="version")
    return str(number)


def render(content, variables):
    """`content` with each `{{name}}` of `variables` replaced by its value's text, None by nothing. Unknown names stay, and
    values are not looked through again."""
    import re

    def value_of(match):
        name = match.group(1)
        if name not in variables:
            return match.group(0)
        value = variables[name]
        return "" if value is None else str(value)

    return re.sub(r"\{\{(\w+)\}\}", value_of, content)


def _parse(body):
    data = decode_object(body)
    if not data:
        raise InfiniumError("The server's answer holds no prompt", details={"response_data": None})

    def text(key):
        value = data.get(key, "")
        return value if isinstance(value, str) else ""

    version = data.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool):
        version = 0
    return text("promptId"), text("name"), version, text("content"), text("createdAt")


def _cache_of(client):
    cache = client.__dict__.get("_prompt_cache")
    if cache is None:
        cache = client.__dict__.setdefault("_prompt_cache", {})
    return cache


def _remember(client, key, parsed):
    cache = _cache_of(client)
    with _cache_lock:
        cache.pop(key, None)
        cache[key] = parsed  # dicts keep the order: the first is the one not used for longest
        while len(cache) > CACHE_SIZE:
            del cache[next(iter(cache))]


def _last_good(client, key):
    cache = _cache_of(client)
    with _cache_lock:
        parsed = cache.pop(key, None)
        if parsed is not None:
            cache[key] = parsed
        return parsed


def _note(parsed, variables):
    """Tells the trace that is current, if any, which prompt was fetched. Not its key, not the values."""
    from .integrations import _context

    context = _context.get_current_trace_context()
    if context is not None:
        context.prompts.append(
            CapturedPromptFetch(
                prompt_id=parsed[0],
                prompt_name=parsed[1],
                version=parsed[2],
                variables_used=[str(name) for name in variables] if variables else None,
                fetched_at=utils.get_current_iso_datetime(),
            )
        )


def get_prompt(client, prompt_id, prompt_key, version, variables, use_cache):
    """The call as a generator, see _api."""
    prompt_id = utils.validate_path_id(prompt_id, "prompt_id")
    utils.validate_required_field(prompt_key, "prompt_key")
    if not isinstance(prompt_key, str):
        raise ValidationError("prompt_key must be a string", field="prompt_key")
    utils.validate_string_length(prompt_key, "prompt_key", utils.MAX_STRING_LENGTH)
    version = normalise_version(version)
    if variables is not None and not hasattr(variables, "__getitem__") or isinstance(variables, (str, list, tuple)):
        raise ValidationError("variables must be a dict", field="variables")
    headers = {
        "User-Agent": _api._header(client.user_agent, "user_agent"),
        "x-prompt-id": prompt_id,
        "x-prompt-key": _api._header(prompt_key, "prompt_key"),
    }
    key = (prompt_id.lower(), prompt_key, version)
    cached = _last_good(client, key) if use_cache else None
    try:
        # With an answer at hand there is no reason to let the caller wait for retries.
        _, body = yield from _api._exchange(
            client,
            "GET",
            f"/prompts/{prompt_id}/v/{version}",
            headers,
            what="prompt_id and prompt_key",
            retries=None if cached is None else 0,
        )
        parsed = _parse(body)
        if use_cache:
            _remember(client, key, parsed)
    except (NetworkError, ServerError, RateLimitError) as error:
        if cached is None:
            raise
        _api._logger(client).warning("prompt %s: %s; the last good version is used", prompt_id, error)
        parsed = cached
    try:
        _note(parsed, variables)
    except Exception:
        _api._logger(client).debug("the prompt could not be noted in the trace", exc_info=True)
    rendered = None if variables is None else render(parsed[3], variables)
    return PromptContent(*parsed, rendered_content=rendered)

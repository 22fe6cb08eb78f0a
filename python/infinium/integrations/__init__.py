"""watch(): the calls of a vendor's client, recorded on the trace that is current when they are made."""

from ._context import (
    CapturedLlmCall,
    CapturedPromptFetch,
    TraceContext,
    get_current_trace_context,
    set_trace_context,
)
from ._openai import patch_async_openai_client, patch_openai_client, unpatch_openai_client

__all__ = [
    "watch",
    "unwatch",
    "TraceContext",
    "CapturedLlmCall",
    "CapturedPromptFetch",
    "get_current_trace_context",
    "set_trace_context",
    "OpenAIInstrumentor",
    "AnthropicInstrumentor",
    "GoogleInstrumentor",
    "patch_openai_client",
    "patch_async_openai_client",
    "patch_anthropic_client",
    "patch_async_anthropic_client",
    "patch_google_genai_client",
    "patch_google_model",
]

_ANTHROPIC = ("AnthropicInstrumentor", "patch_anthropic_client", "patch_async_anthropic_client", "unpatch_anthropic_client")
_GOOGLE = (
    "GoogleInstrumentor",
    "patch_google_genai_client",
    "patch_google_model",
    "unpatch_google_genai_client",
    "unpatch_google_model",
)
_LAZY = {**dict.fromkeys(_ANTHROPIC, "anthropic"), **dict.fromkeys(_GOOGLE, "google"), "OpenAIInstrumentor": "_openai"}


def __getattr__(name):
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module("." + module, __name__), name)
    return value


def _named(client, known):
    """What `known(module, name)` says of the client's class or of one that it derives from."""
    for cls in type(client).__mro__:
        kind = known(cls.__module__, cls.__name__)
        if kind:
            return kind
    return None


def _known(module, name):
    """(patch, unpatch) by name. Bedrock's and Vertex's clients are Anthropic's too, an AzureOpenAI is an OpenAI."""
    if name == "OpenAI" and "openai" in module:
        return "patch_openai_client", "unpatch_openai_client"
    if name == "AsyncOpenAI" and "openai" in module:
        return "patch_async_openai_client", "unpatch_openai_client"
    if name.startswith("Anthropic") and "anthropic" in module:
        return "patch_anthropic_client", "unpatch_anthropic_client"
    if name.startswith("AsyncAnthropic") and "anthropic" in module:
        return "patch_async_anthropic_client", "unpatch_anthropic_client"
    if name == "Client" and "genai" in module:
        return "patch_google_genai_client", "unpatch_google_genai_client"
    if name == "GenerativeModel":
        return "patch_google_model", "unpatch_google_model"
    return None


def _function(name):
    return globals().get(name) or __getattr__(name)


def watch(client, capture_content=False):
    """Records the calls of this client, streamed or not, on the current trace; returns the client. Clients of openai,
    anthropic, google-genai and the older Google package are known. Outside a trace calls go straight through.
    capture_content=True keeps previews of the messages and the answer as well. Watching twice changes nothing;
    unwatch() takes it back."""
    import logging

    log = logging.getLogger("infinium.integrations")
    known = _named(client, _known)
    if known is None:
        cls = type(client)
        log.warning(
            "watch() does not know clients of type %s.%s; it is returned as it is", cls.__module__, cls.__qualname__
        )
        return client
    try:
        _function(known[0])(client, capture_content)
    except Exception:
        log.warning("watch() failed; the client is returned as it is", exc_info=True)
    return client


def unwatch(client):
    """The reverse of watch(); returns the client."""
    known = _named(client, _known)
    if known is not None:
        _function(known[1])(client)
    return client

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
    "patch_openai_client",
    "patch_async_openai_client",
]


def _kind(client):
    """"openai", "async openai", or None. Subclasses count: an AzureOpenAI is an OpenAI."""
    for cls in type(client).__mro__:
        if cls.__module__.partition(".")[0] == "openai":
            if cls.__name__ == "AsyncOpenAI":
                return "async openai"
            if cls.__name__ == "OpenAI":
                return "openai"
    return None


def watch(client, capture_content=False):
    """Records this client's chat completions, streamed or not, on the current trace; returns the client. Outside a trace
    calls go straight through. capture_content=True keeps previews of the messages and the answer as well. Watching
    twice changes nothing; unwatch() takes it back."""
    kind = _kind(client)
    if kind == "openai":
        patch_openai_client(client, capture_content)
    elif kind == "async openai":
        patch_async_openai_client(client, capture_content)
    else:
        import logging

        logging.getLogger("infinium.integrations").warning(
            "watch() does not know clients of type %s.%s; it is returned as it is",
            type(client).__module__,
            type(client).__qualname__,
        )
    return client


def unwatch(client):
    """The reverse of watch(); returns the client."""
    unpatch_openai_client(client)
    return client

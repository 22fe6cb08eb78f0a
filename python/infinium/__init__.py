"""Tracing for AI agents: half a microsecond a call, nothing lost.

    from infinium import InfiniumClient
    client = InfiniumClient()            # INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET, INFINIUM_BASE_URL

    @client.trace("Email Classifier")
    def classify(text): ...

Importing this costs a few milliseconds: everything but the clients is loaded when it is first asked for.
"""

import atexit as _atexit
from time import monotonic as _monotonic

from . import _core
from ._base import _flush_exports
from .async_client import AsyncInfiniumClient
from .client import InfiniumClient
from .exceptions import (
    AuthenticationError,
    BatchError,
    ConfigurationError,
    InfiniumError,
    InfiniumTimeoutError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TimeoutError,
    ValidationError,
)

__version__ = _core.VERSION
__author__ = "The Infinium authors"
__email__ = ""
__description__ = "Tracing for AI agents"

#: Seconds that the end of the interpreter waits for undelivered traces, and before them for what OpenTelemetry exporters
#: hold, together; what is left stays in the journal.
EXIT_TIMEOUT = 0.6
_EXIT_LEAST = 0.1  # of them for traces, also when an exporter has taken all

_TYPES = (
    "TaskData ApiResponse BatchResult PromptContent TimeTracking Customer Support Sales Marketing Content Research "
    "Project Development Executive General LlmUsage ExecutionStep ErrorDetail ToolCall LlmCall ExpectedOutcome "
    "EnvironmentContext"
).split()
_UTILS = (
    "get_current_iso_datetime validate_iso_datetime validate_duration validate_path_id validate_string_length "
    "validate_payload_size coerce_section setup_logging MAX_NAME_LENGTH MAX_DESCRIPTION_LENGTH MAX_STRING_LENGTH "
    "MAX_PAYLOAD_SIZE"
).split()
_INTEGRATIONS = "watch unwatch OpenAIInstrumentor AnthropicInstrumentor GoogleInstrumentor".split()

_LAZY = {
    **dict.fromkeys(_TYPES, "types"),
    **dict.fromkeys(_UTILS, "utils"),
    "trace_agent": "tracing",
    "async_trace_agent": "tracing",
    "TraceBuilder": "builder",
    "StepContext": "builder",
    **dict.fromkeys(_INTEGRATIONS, "integrations"),
    "current_trace": "_current",
    "carry_context": "_threads",
}

__all__ = [
    "InfiniumClient",
    "AsyncInfiniumClient",
    "InfiniumError",
    "AuthenticationError",
    "ValidationError",
    "RateLimitError",
    "NetworkError",
    "InfiniumTimeoutError",
    "TimeoutError",
    "ServerError",
    "NotFoundError",
    "BatchError",
    "ConfigurationError",
    *_LAZY,
]


def __getattr__(name):
    from importlib import import_module

    module = _LAZY.get(name)
    if module is not None:
        value = getattr(import_module("." + module, __name__), name)
    elif name in ("types", "utils", "tracing", "integrations"):
        return import_module("." + name, __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})


def _at_exit():
    began = _monotonic()
    _flush_exports(EXIT_TIMEOUT)
    _core.shutdown(max(EXIT_TIMEOUT - (_monotonic() - began), _EXIT_LEAST))


_atexit.register(_at_exit)

from typing import TypeVar

from ._context import CapturedLlmCall as CapturedLlmCall
from ._context import CapturedPromptFetch as CapturedPromptFetch
from ._context import TraceContext as TraceContext
from ._context import get_current_trace_context as get_current_trace_context
from ._context import set_trace_context as set_trace_context
from ._openai import OpenAIInstrumentor as OpenAIInstrumentor
from ._openai import patch_async_openai_client as patch_async_openai_client
from ._openai import patch_openai_client as patch_openai_client
from .anthropic import AnthropicInstrumentor as AnthropicInstrumentor
from .anthropic import patch_anthropic_client as patch_anthropic_client
from .anthropic import patch_async_anthropic_client as patch_async_anthropic_client
from .google import GoogleInstrumentor as GoogleInstrumentor
from .google import patch_google_genai_client as patch_google_genai_client
from .google import patch_google_model as patch_google_model

_C = TypeVar("_C")

def watch(client: _C, capture_content: bool = False) -> _C: ...
def unwatch(client: _C) -> _C: ...

from contextvars import ContextVar, Token
from typing import Optional

from .._core import TraceContext as TraceContext
from ..types import CapturedLlmCall as CapturedLlmCall
from ..types import CapturedPromptFetch as CapturedPromptFetch

_current_trace_ctx: ContextVar[Optional[TraceContext]]

def get_current_trace_context() -> Optional[TraceContext]: ...
def set_trace_context(ctx: Optional[TraceContext]) -> Token[Optional[TraceContext]]: ...

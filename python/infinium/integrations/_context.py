"""The current trace, as integrations see it: one context variable, in C, and the classes of what it collects."""

from .._core import TraceContext
from .._core import context_var as _current_trace_ctx
from ..types import CapturedLlmCall, CapturedPromptFetch

__all__ = ["CapturedLlmCall", "CapturedPromptFetch", "TraceContext", "get_current_trace_context", "set_trace_context"]


def get_current_trace_context():
    """The current trace's context, or None."""
    return _current_trace_ctx.get()


def current_trace():
    """The context of the trace that is being recorded, or None: also inside a context made by hand, which records none."""
    context = _current_trace_ctx.get()
    return context if getattr(context, "recording", False) else None


def set_trace_context(ctx):
    """Makes `ctx` (a TraceContext or None) current; returns the token to reset with."""
    return _current_trace_ctx.set(ctx)

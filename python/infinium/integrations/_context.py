"""The current trace, as integrations see it: one context variable, in C, and the classes of what it collects."""

from .. import types as _types
from .._core import TraceContext
from .._core import context_var as _current_trace_ctx
from ..types import CapturedLlmCall, CapturedPromptFetch

__all__ = ["CapturedLlmCall", "CapturedPromptFetch", "TraceContext", "get_current_trace_context", "set_trace_context"]


class _Fields:
    """An attribute that `dataclasses` looks for, answered by the dataclass of the same two fields."""

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return getattr(_types.TraceContext, self.name)


def _equal(self, other):
    if type(other) is not type(self):
        return NotImplemented
    return self is other or (self.calls, self.prompts) == (other.calls, other.prompts)


# To its users it is a dataclass with these two fields, as published: mutable, compared by content, not hashable.
TraceContext.__dataclass_fields__ = _Fields("__dataclass_fields__")
TraceContext.__dataclass_params__ = _Fields("__dataclass_params__")
TraceContext.__match_args__ = ("calls", "prompts")
TraceContext.__eq__ = _equal
TraceContext.__hash__ = None


def get_current_trace_context():
    """The current trace's context, or None."""
    return _current_trace_ctx.get()


def set_trace_context(ctx):
    """Makes `ctx` (a TraceContext or None) current; returns the token to reset with."""
    return _current_trace_ctx.set(ctx)

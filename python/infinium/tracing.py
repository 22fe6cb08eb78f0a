"""The decorators that take a client as an argument. client.trace() is the shorter way."""

from ._trace import make_decorator
from .builder import StepContext, TraceBuilder

__all__ = ["StepContext", "TraceBuilder", "async_trace_agent", "trace_agent"]


def trace_agent(name, client=None, *, auto_send=True, description=None, otel_exporter=None, **options):
    """As client.trace(name): for functions, and coroutine functions too. Without a client the trace is built and not
    sent: it is at `function.last_trace`."""
    return make_decorator(name, client, auto_send, description, otel_exporter, **options)


def async_trace_agent(name, client=None, *, auto_send=True, description=None, otel_exporter=None, **options):
    """As client.trace(name): for coroutine functions, and plain functions too."""
    return make_decorator(name, client, auto_send, description, otel_exporter, **options)

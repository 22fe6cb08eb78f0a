from typing import Literal, Optional, Union, overload

from ._trace import Decorator, Exporter, KeepingDecorator
from .async_client import AsyncInfiniumClient
from .builder import StepContext as StepContext
from .builder import TraceBuilder as TraceBuilder
from .client import InfiniumClient

_Client = Union[InfiniumClient, AsyncInfiniumClient]

@overload
def trace_agent(
    name: str,
    client: None = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
) -> KeepingDecorator: ...
@overload
def trace_agent(  # type: ignore[overload-overlap]
    name: str,
    client: Optional[_Client],
    *,
    auto_send: Literal[False],
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
) -> KeepingDecorator: ...
@overload
def trace_agent(
    name: str,
    client: Optional[_Client] = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
) -> Decorator: ...
@overload
def async_trace_agent(
    name: str,
    client: None = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
) -> KeepingDecorator: ...
@overload
def async_trace_agent(  # type: ignore[overload-overlap]
    name: str,
    client: Optional[_Client],
    *,
    auto_send: Literal[False],
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
) -> KeepingDecorator: ...
@overload
def async_trace_agent(
    name: str,
    client: Optional[_Client] = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
) -> Decorator: ...

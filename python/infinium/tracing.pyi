from typing import Any, Callable, Dict, Iterable, Literal, Optional, Union, overload

from ._trace import Decorator, Exporter, KeepingDecorator
from .async_client import AsyncInfiniumClient
from .builder import StepContext as StepContext
from .builder import TraceBuilder as TraceBuilder
from .client import InfiniumClient
from .types import TaskData

_Client = Union[InfiniumClient, AsyncInfiniumClient]

@overload
def trace_agent(
    name: str,
    client: None = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Union[None, str, Iterable[str]] = None,
    mask: Optional[Callable[[str], str]] = None,
    tags: Union[None, str, Iterable[str]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    sample: Union[None, float, Callable[..., Any]] = None,
    on_trace: Optional[Callable[[TaskData], Any]] = None,
    threads: Optional[bool] = None,
) -> KeepingDecorator: ...
@overload
def trace_agent(  # type: ignore[overload-overlap]
    name: str,
    client: Optional[_Client],
    *,
    auto_send: Literal[False],
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Union[None, str, Iterable[str]] = None,
    mask: Optional[Callable[[str], str]] = None,
    tags: Union[None, str, Iterable[str]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    sample: Union[None, float, Callable[..., Any]] = None,
    on_trace: Optional[Callable[[TaskData], Any]] = None,
    threads: Optional[bool] = None,
) -> KeepingDecorator: ...
@overload
def trace_agent(
    name: str,
    client: Optional[_Client] = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Union[None, str, Iterable[str]] = None,
    mask: Optional[Callable[[str], str]] = None,
    tags: Union[None, str, Iterable[str]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    sample: Union[None, float, Callable[..., Any]] = None,
    on_trace: Optional[Callable[[TaskData], Any]] = None,
    threads: Optional[bool] = None,
) -> Decorator: ...
@overload
def async_trace_agent(
    name: str,
    client: None = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Union[None, str, Iterable[str]] = None,
    mask: Optional[Callable[[str], str]] = None,
    tags: Union[None, str, Iterable[str]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    sample: Union[None, float, Callable[..., Any]] = None,
    on_trace: Optional[Callable[[TaskData], Any]] = None,
    threads: Optional[bool] = None,
) -> KeepingDecorator: ...
@overload
def async_trace_agent(  # type: ignore[overload-overlap]
    name: str,
    client: Optional[_Client],
    *,
    auto_send: Literal[False],
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Union[None, str, Iterable[str]] = None,
    mask: Optional[Callable[[str], str]] = None,
    tags: Union[None, str, Iterable[str]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    sample: Union[None, float, Callable[..., Any]] = None,
    on_trace: Optional[Callable[[TaskData], Any]] = None,
    threads: Optional[bool] = None,
) -> KeepingDecorator: ...
@overload
def async_trace_agent(
    name: str,
    client: Optional[_Client] = None,
    *,
    auto_send: bool = True,
    description: Optional[str] = None,
    otel_exporter: Optional[Exporter] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Union[None, str, Iterable[str]] = None,
    mask: Optional[Callable[[str], str]] = None,
    tags: Union[None, str, Iterable[str]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    sample: Union[None, float, Callable[..., Any]] = None,
    on_trace: Optional[Callable[[TaskData], Any]] = None,
    threads: Optional[bool] = None,
) -> Decorator: ...

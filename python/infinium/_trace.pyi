from typing import Any, Callable, Dict, Generic, Iterable, Optional, Protocol, TypeVar, Union

from typing_extensions import ParamSpec, TypedDict

from .types import TaskData

_P = ParamSpec("_P")
_R = TypeVar("_R")

# A traced function keeps its parameters and what it returns, a coroutine or not; a classmethod, a staticmethod, a callable
# object, overloads and type variables all stay what they are.
_F = TypeVar("_F", bound=Union[Callable[..., Any], classmethod[Any, Any, Any], staticmethod[Any, Any]])

class Exporter(Protocol):
    def export_trace(self, trace_name: str, duration_s: float, ctx: Any = ..., /) -> Any: ...

# What every decorator takes beside auto_send, description and otel_exporter.
class TraceOptions(TypedDict, total=False):
    capture_input: bool
    capture_output: bool
    ignore: Union[None, str, Iterable[str]]
    mask: Optional[Callable[[str], str]]
    tags: Union[None, str, Iterable[str]]
    metadata: Optional[Dict[str, Any]]
    session_id: Optional[str]
    user_id: Optional[str]
    sample: Union[None, float, Callable[..., Any]]
    on_trace: Optional[Callable[[TaskData], Any]]
    threads: Optional[bool]

class Decorator:
    def __call__(self, function: _F) -> _F: ...

# With auto_send=False, or without a client, the trace is at `last_trace`.
class Kept(Generic[_P, _R]):
    last_trace: Optional[TaskData]
    @property
    def __wrapped__(self) -> Callable[_P, _R]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

class KeepingDecorator:
    def __call__(self, function: Callable[_P, _R]) -> Kept[_P, _R]: ...

def is_coroutine_function(function: object) -> bool: ...

from typing import Any, Optional, Union

from .._core import TraceContext as _Recorded
from ..types import TraceContext

class InfiniumOTelExporter:
    service_name: str
    tracer_name: str
    def __init__(self, service_name: str = "infinium-agent", tracer_name: str = "infinium") -> None: ...
    def export_trace(
        self,
        trace_name: str,
        duration_s: float,
        ctx: Optional[Union[TraceContext, _Recorded]] = None,
        *,
        end_time_ns: Optional[int] = None,
    ) -> None: ...

def current_context() -> Optional[Any]: ...

class attached:
    def __init__(self, where: Optional[Any]) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

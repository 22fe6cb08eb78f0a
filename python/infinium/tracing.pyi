from typing import Optional, Union

from ._trace import Decorator
from .async_client import AsyncInfiniumClient
from .builder import StepContext as StepContext
from .builder import TraceBuilder as TraceBuilder
from .client import InfiniumClient

_Client = Union[InfiniumClient, AsyncInfiniumClient]

def trace_agent(
    name: str, client: Optional[_Client] = None, *, auto_send: bool = True, description: Optional[str] = None
) -> Decorator: ...
def async_trace_agent(
    name: str, client: Optional[_Client] = None, *, auto_send: bool = True, description: Optional[str] = None
) -> Decorator: ...

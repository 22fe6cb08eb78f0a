import logging
from typing import Dict, Literal, Optional, overload

from typing_extensions import Unpack

from . import _core
from ._trace import Decorator, Exporter, KeepingDecorator, TraceOptions
from .utils import RateLimiter

DEFAULT_BASE_URL: str
USER_AGENT: str
CLOSE_TIMEOUT: float

class FlushResult:
    delivered: int
    pending: int
    lost: int
    set_aside: int
    counts: Dict[str, int]
    def __init__(self, counts: Dict[str, int]) -> None: ...
    def __bool__(self) -> bool: ...

class BaseClient:
    agent_id: str
    base_url: str
    timeout: Optional[float]
    max_retries: int
    user_agent: str
    verify_ssl: bool
    enable_rate_limiting: bool
    requests_per_second: float
    _core: _core.Client
    def __init__(
        self,
        agent_id: Optional[str] = None,
        agent_secret: Optional[str] = None,
        base_url: Optional[str] = ...,
        timeout: Optional[float] = 30.0,
        max_retries: int = 3,
        enable_rate_limiting: bool = True,
        requests_per_second: float = 10.0,
        user_agent: str = ...,
        enable_logging: bool = False,
        log_level: str = "INFO",
        verify_ssl: bool = True,
        *,
        mask_secrets: bool = True,
    ) -> None: ...
    @property
    def agent_secret(self) -> str: ...
    @property
    def rate_limiter(self) -> Optional[RateLimiter]: ...
    @rate_limiter.setter
    def rate_limiter(self, limiter: Optional[RateLimiter]) -> None: ...
    @property
    def logger(self) -> logging.Logger: ...
    @overload
    def trace(  # type: ignore[overload-overlap]
        self,
        name: str,
        *,
        auto_send: Literal[False],
        description: Optional[str] = None,
        otel_exporter: Optional[Exporter] = None,
        **options: Unpack[TraceOptions],
    ) -> KeepingDecorator: ...
    @overload
    def trace(
        self,
        name: str,
        *,
        auto_send: bool = True,
        description: Optional[str] = None,
        otel_exporter: Optional[Exporter] = None,
        **options: Unpack[TraceOptions],
    ) -> Decorator: ...
    def stats(self) -> Dict[str, int]: ...

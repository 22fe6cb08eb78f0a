from typing import Any, Dict, List, Optional

class InfiniumError(Exception):
    message: str
    status_code: Optional[int]
    details: Dict[str, Any]
    def __init__(
        self, message: str, status_code: Optional[int] = None, details: Optional[Dict[str, Any]] = None
    ) -> None: ...

class AuthenticationError(InfiniumError):
    def __init__(
        self,
        message: str = "Authentication failed",
        status_code: Optional[int] = 401,
        details: Optional[Dict[str, Any]] = None,
    ) -> None: ...

class ValidationError(InfiniumError):
    field: Optional[str]
    def __init__(self, message: str, field: Optional[str] = None, details: Optional[Dict[str, Any]] = None) -> None: ...

class RateLimitError(InfiniumError):
    retry_after: Optional[int]
    def __init__(
        self,
        message: str = "Rate limit exceeded",
        retry_after: Optional[int] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None: ...

class NetworkError(InfiniumError):
    original_error: Optional[BaseException]
    def __init__(
        self, message: str, original_error: Optional[BaseException] = None, details: Optional[Dict[str, Any]] = None
    ) -> None: ...

class InfiniumTimeoutError(NetworkError):
    timeout_duration: Optional[float]
    def __init__(
        self,
        message: str = "Request timed out",
        timeout_duration: Optional[float] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None: ...

TimeoutError = InfiniumTimeoutError

class ServerError(InfiniumError):
    def __init__(
        self,
        message: str = "Server error",
        status_code: Optional[int] = 500,
        details: Optional[Dict[str, Any]] = None,
    ) -> None: ...

class NotFoundError(InfiniumError):
    resource_type: Optional[str]
    resource_id: Optional[str]
    def __init__(
        self,
        message: str = "Resource not found",
        resource_type: Optional[str] = None,
        resource_id: Optional[str] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None: ...

class BatchError(InfiniumError):
    successful_count: int
    failed_count: int
    errors: List[str]
    def __init__(
        self,
        message: str,
        successful_count: int = 0,
        failed_count: int = 0,
        errors: Optional[List[str]] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None: ...

class ConfigurationError(InfiniumError):
    config_key: Optional[str]
    def __init__(
        self, message: str, config_key: Optional[str] = None, details: Optional[Dict[str, Any]] = None
    ) -> None: ...

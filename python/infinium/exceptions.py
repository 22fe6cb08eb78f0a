"""The exceptions of the package. All derive from `InfiniumError`; `NetworkError` and what it covers are about the way to
the server, the others about the request or the answer. They can be pickled and copied."""

from __future__ import annotations


class InfiniumError(Exception):
    """`status_code` is the HTTP status of the answer, or None; `details` holds the answer as `response_data`."""

    def __init__(self, message, status_code=None, details=None):
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.details = details or {}

    def __reduce__(self):
        # The constructors take different arguments; all that they set is in __dict__.
        return _rebuild, (self.__class__, self.args), self.__dict__


def _rebuild(cls, args):
    error = cls.__new__(cls, *args)
    error.args = args
    return error


class AuthenticationError(InfiniumError):
    """401: the credentials, or the prompt's key, are wrong."""

    def __init__(self, message="Authentication failed", status_code=401, details=None):
        super().__init__(message, status_code, details)


class ValidationError(InfiniumError):
    """A value was refused before anything was sent; `field` names it."""

    def __init__(self, message, field=None, details=None):
        super().__init__(message, None, details)
        self.field = field


class RateLimitError(InfiniumError):
    """429. `retry_after` in seconds."""

    def __init__(self, message="Rate limit exceeded", retry_after=None, details=None):
        super().__init__(message, 429, details)
        self.retry_after = retry_after


class NetworkError(InfiniumError):
    """No answer: refused, reset, no such host. `original_error` is the cause."""

    def __init__(self, message, original_error=None, details=None):
        super().__init__(message, None, details)
        self.original_error = original_error


class InfiniumTimeoutError(NetworkError):
    """No answer in time. `timeout_duration` in seconds."""

    def __init__(self, message="Request timed out", timeout_duration=None, details=None):
        super().__init__(message, None, details)
        self.timeout_duration = timeout_duration


TimeoutError = InfiniumTimeoutError


class ServerError(InfiniumError):
    """5xx."""

    def __init__(self, message="Server error", status_code=500, details=None):
        super().__init__(message, status_code, details)


class NotFoundError(InfiniumError):
    """404."""

    def __init__(self, message="Resource not found", resource_type=None, resource_id=None, details=None):
        super().__init__(message, 404, details)
        self.resource_type = resource_type
        self.resource_id = resource_id


class BatchError(InfiniumError):
    """A batch was stopped by a failure. The counts are of the tasks that were finished by then."""

    def __init__(self, message, successful_count=0, failed_count=0, errors=None, details=None):
        super().__init__(message, None, details)
        self.successful_count = successful_count
        self.failed_count = failed_count
        self.errors = errors or []


class ConfigurationError(InfiniumError):
    """A setting is missing or wrong; `config_key` names it."""

    def __init__(self, message, config_key=None, details=None):
        super().__init__(message, None, details)
        self.config_key = config_key

"""Section 2: the exceptions."""

import pickle

import pytest

import infinium
from infinium import (
    AuthenticationError,
    BatchError,
    ConfigurationError,
    InfiniumError,
    InfiniumTimeoutError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    ServerError,
    ValidationError,
)

# class, default message (None: required), default status_code, extra attributes with their defaults in order
TABLE = [
    (InfiniumError, None, None, {}),
    (AuthenticationError, "Authentication failed", 401, {}),
    (ValidationError, None, None, {"field": None}),
    (RateLimitError, "Rate limit exceeded", 429, {"retry_after": None}),
    (NetworkError, None, None, {"original_error": None}),
    (InfiniumTimeoutError, "Request timed out", None, {"timeout_duration": None}),
    (ServerError, "Server error", 500, {}),
    (NotFoundError, "Resource not found", 404, {"resource_type": None, "resource_id": None}),
    (BatchError, None, None, {"successful_count": 0, "failed_count": 0, "errors": []}),
    (ConfigurationError, None, None, {"config_key": None}),
]
IDS = [row[0].__name__ for row in TABLE]


@pytest.mark.parametrize("cls, message, status, extra", TABLE, ids=IDS)
def test_defaults(cls, message, status, extra):
    error = cls() if message else cls("m")
    assert error.message == (message or "m")
    assert str(error) == (message or "m")
    assert error.status_code == status
    assert error.details == {}
    for name, value in extra.items():
        assert getattr(error, name) == value
    if not message:
        with pytest.raises(TypeError):
            cls()


@pytest.mark.parametrize("cls, message, status, extra", TABLE, ids=IDS)
def test_all_derive_from_infinium_error(cls, message, status, extra):
    assert issubclass(cls, InfiniumError) and issubclass(cls, Exception)
    with pytest.raises(InfiniumError):
        raise cls("m")


@pytest.mark.parametrize("cls, message, status, extra", TABLE, ids=IDS)
def test_keywords(cls, message, status, extra):
    given = {name: f"a {name}" for name in extra}
    error = cls(message="m", details={"k": 1}, **given)
    assert error.details == {"k": 1}
    for name, value in given.items():
        assert getattr(error, name) == value


@pytest.mark.parametrize(
    "cls, args, attribute, value",
    [
        (InfiniumError, ("m", 418, {"a": 1}), "status_code", 418),
        (AuthenticationError, ("m", 499, {"a": 1}), "status_code", 499),
        (ServerError, ("m", 503, {"a": 1}), "status_code", 503),
        (ValidationError, ("m", "name", {"a": 1}), "field", "name"),
        (RateLimitError, ("m", 7, {"a": 1}), "retry_after", 7),
        (NetworkError, ("m", OSError("x"), {"a": 1}), "message", "m"),
        (InfiniumTimeoutError, ("m", 2.5, {"a": 1}), "timeout_duration", 2.5),
        (NotFoundError, ("m", "trace", "id", {"a": 1}), "resource_id", "id"),
        (BatchError, ("m", 3, 4, ["e"], {"a": 1}), "failed_count", 4),
        (ConfigurationError, ("m", "base_url", {"a": 1}), "config_key", "base_url"),
    ],
)
def test_positional_order(cls, args, attribute, value):
    error = cls(*args)
    assert getattr(error, attribute) == value
    assert error.details == {"a": 1}


def test_status_code_is_fixed_where_the_table_has_no_parameter():
    for cls in (RateLimitError, NotFoundError, ValidationError, NetworkError, BatchError):
        with pytest.raises(TypeError):
            cls("m", status_code=1)


def test_timeout_is_a_network_error():
    assert issubclass(InfiniumTimeoutError, NetworkError)
    error = InfiniumTimeoutError(timeout_duration=3)
    assert error.original_error is None and error.timeout_duration == 3


def test_not_the_builtin():
    assert not issubclass(infinium.TimeoutError, TimeoutError)


def test_batch_error_lists_are_not_shared():
    first, second = BatchError("a"), BatchError("b")
    first.errors.append("x")
    assert second.errors == []
    assert BatchError("a", errors=None).errors == []


def test_details_none_is_an_empty_dict():
    assert InfiniumError("m", details=None).details == {}


def test_name_of_the_class():
    assert InfiniumTimeoutError.__name__ in ("InfiniumTimeoutError", "TimeoutError")
    assert AuthenticationError.__module__ == "infinium.exceptions"


def test_message_survives_pickling():
    error = pickle.loads(pickle.dumps(InfiniumError("m", 418, {"a": 1})))
    assert error.message == "m" and error.status_code == 418 and error.details == {"a": 1}

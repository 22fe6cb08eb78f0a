"""The exceptions: constructors, status codes, attributes, family."""

import copy
import pickle

import pytest

from infinium import exceptions as e

CASES = [
    (e.InfiniumError, ("m", 418, {"a": 1}), {"message": "m", "status_code": 418, "details": {"a": 1}}),
    (e.InfiniumError, ("m",), {"status_code": None, "details": {}}),
    (e.AuthenticationError, (), {"message": "Authentication failed", "status_code": 401}),
    (e.ValidationError, ("m", "f"), {"field": "f", "status_code": None}),
    (e.RateLimitError, (), {"message": "Rate limit exceeded", "status_code": 429, "retry_after": None}),
    (e.RateLimitError, ("m", 7), {"retry_after": 7, "status_code": 429}),
    (e.NetworkError, ("m", ValueError), {"original_error": ValueError, "status_code": None}),
    (e.InfiniumTimeoutError, (), {"message": "Request timed out", "timeout_duration": None, "original_error": None}),
    (e.InfiniumTimeoutError, ("m", 2.5), {"timeout_duration": 2.5}),
    (e.ServerError, (), {"message": "Server error", "status_code": 500}),
    (e.ServerError, ("m", 503), {"status_code": 503}),
    (e.NotFoundError, ("m", "task", "1"), {"status_code": 404, "resource_type": "task", "resource_id": "1"}),
    (e.NotFoundError, (), {"message": "Resource not found", "resource_type": None, "resource_id": None}),
    (e.BatchError, ("m",), {"successful_count": 0, "failed_count": 0, "errors": []}),
    (e.BatchError, ("m", 1, 2, ["x"]), {"successful_count": 1, "failed_count": 2, "errors": ["x"]}),
    (e.ConfigurationError, ("m", "k"), {"config_key": "k", "status_code": None}),
]


@pytest.mark.parametrize("cls, arguments, attributes", CASES)
def test_attributes(cls, arguments, attributes):
    error = cls(*arguments)
    for name, value in attributes.items():
        assert getattr(error, name) == value
    assert str(error) == error.message and error.args == (error.message,)
    assert isinstance(error, e.InfiniumError)


@pytest.mark.parametrize("cls, arguments, attributes", CASES)
def test_pickles_and_copies_keep_everything(cls, arguments, attributes):
    error = cls(*arguments)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is cls and other.__dict__ == error.__dict__ and other.args == error.args


def test_family():
    assert e.TimeoutError is e.InfiniumTimeoutError and issubclass(e.InfiniumTimeoutError, e.NetworkError)
    assert not issubclass(e.InfiniumTimeoutError, TimeoutError)
    for cls, _, _ in CASES:
        if cls not in (e.InfiniumError, e.InfiniumTimeoutError):
            assert cls.__mro__[1] is e.InfiniumError

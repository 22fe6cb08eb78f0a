"""Section 5: the validators and helpers."""

import dataclasses
import datetime
import json

import pytest

import infinium
from helpers import AGENT, PUBLISHED, differs
from infinium import (
    ValidationError,
    coerce_section,
    validate_duration,
    validate_iso_datetime,
    validate_path_id,
    validate_payload_size,
    validate_string_length,
)
from infinium.utils import (
    RateLimiter,
    dataclass_to_dict,
    exponential_backoff,
    merge_dicts,
    safe_json_loads,
    truncate_string,
    validate_agent_credentials,
    validate_required_field,
)


def refused(field, call, *args):
    with pytest.raises(ValidationError) as caught:
        call(*args)
    assert caught.value.field == field


@pytest.mark.parametrize("value", [AGENT, AGENT.upper(), "abcdefab-0000-0000-0000-000000000000", f"  {AGENT}\n"])
def test_path_id(value):
    assert validate_path_id(value, "x") == value.strip()


@pytest.mark.parametrize(
    "value",
    [None, "", " ", 5, b"x", "x", AGENT + "a", AGENT[:-1], AGENT.replace("-", ""), f"{{{AGENT}}}", "../" + AGENT,
     AGENT + "/..", AGENT + "\\", "g" + AGENT[1:], AGENT + "?a=b", "１" * 8 + AGENT[8:], [AGENT]],
)  # fmt: skip
def test_bad_path_id(value):
    refused("thing", validate_path_id, value, "thing")


@pytest.mark.parametrize(
    "value, result",
    [(0, 0.0), (1, 1.0), (2.5, 2.5), ("3.5", 3.5), (" 4 ", 4.0), (True, 1.0), (False, 0.0), (86400, 86400.0),
     ("86400.0", 86400.0), (-0.0, 0.0), ("1e3", 1000.0)],
)  # fmt: skip
def test_duration(value, result):
    made = validate_duration(value)
    assert made == result and type(made) is float


@pytest.mark.parametrize(
    "value",
    [None, "", "x", [], {}, object(), float("nan"), float("inf"), float("-inf"), "nan", "inf", "-inf", -1, -0.0001,
     "-1", 86400.0001, 1e300, 1j, "1,5"],
)  # fmt: skip
def test_bad_duration(value):
    refused("duration", validate_duration, value)


def test_duration_takes_what_has_float():
    class Number:
        def __float__(self):
            return 4.5

    assert validate_duration(Number()) == 4.5


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05.123456Z", "2026-01-02",
     "2026-01-02T03:04:05", "2026-01-02 03:04:05", "1900-01-01", "2100-12-31T23:59:59Z", "  2026-01-02  "],
)  # fmt: skip
def test_iso_datetime(text):
    assert validate_iso_datetime(text) is True


@pytest.mark.parametrize(
    "text",
    [None, "", " ", 5, 5.0, b"2026-01-02", "yesterday", "2026-13-01", "2026-02-30", "1899-12-31T23:59:59Z",
     "2101-01-01", "02/01/2026", "2026-01-02T25:00:00Z", [], datetime.datetime(2026, 1, 1)],
)  # fmt: skip
def test_bad_iso_datetime(text):
    assert validate_iso_datetime(text) is False


@differs("payload-size-utf8", "the limit counts the bytes that are sent, not those of json.dumps with its spaces")
def test_payload_size_counts_bytes():
    compact = {} if PUBLISHED else {"separators": (",", ":")}
    overhead = len(json.dumps({"a": ""}, **compact))
    assert validate_payload_size({"a": "x" * (1048576 - overhead)}) is None
    refused(None, validate_payload_size, {"a": "x" * (1048577 - overhead)})


@differs("payload-size-utf8", "the limit counts the bytes that are sent (UTF-8), not ASCII escapes")
def test_payload_size_of_text_that_is_not_ascii():
    payload = {"a": "漢" * 200_000}
    if PUBLISHED:
        refused(None, validate_payload_size, payload)
    else:
        assert validate_payload_size(payload) is None


def test_payload_that_is_no_json():
    with pytest.raises(TypeError):
        validate_payload_size({"a": object()})


@pytest.mark.parametrize("value", ["", "abc", "éèà", None, 5, ["abcdef"]])
def test_string_length(value):
    validate_string_length(value, "x", 3)


def test_string_length_returns_the_value_and_refuses_longer():
    assert validate_string_length("abc", "x", 3) == "abc"
    refused("x", validate_string_length, "abcd", "x", 3)


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n"])
def test_required_field(value):
    refused("x", validate_required_field, value, "x")


@pytest.mark.parametrize("value", [0, False, [], {}, "a", 5])
def test_required_field_present(value):
    assert validate_required_field(value, "x") is None


@pytest.mark.parametrize(
    "id, secret, field",
    [("", "12345678", "agent_id"), ("ab", "12345678", "agent_id"), (5, "12345678", "agent_id"),
     (None, None, "agent_id"), ("abc", "", "agent_secret"), ("abc", "1234567", "agent_secret"),
     ("abc", None, "agent_secret"), ("ab ", "x", "agent_id")],
)  # fmt: skip
def test_agent_credentials(id, secret, field):
    refused(field, validate_agent_credentials, id, secret)


def test_good_agent_credentials():
    assert validate_agent_credentials("abc", "12345678") is None


# -- dataclass_to_dict --


def test_none_is_dropped():
    assert dataclass_to_dict(infinium.Customer("Acme")) == {"customer_name": "Acme"}


def test_falsy_values_stay():
    made = dataclass_to_dict(infinium.ExecutionStep(0, "", "", duration_ms=0, metadata={}))
    assert made == {"step_number": 0, "action": "", "description": "", "duration_ms": 0, "metadata": {}}
    assert dataclass_to_dict(infinium.Support(follow_up_required=False)) == {"follow_up_required": False}


def test_empty_dataclasses_and_lists_are_dropped():
    step = infinium.ExecutionStep(1, "a", "b", metadata=None)
    assert dataclass_to_dict(infinium.General(tags=[])) == {}
    assert dataclass_to_dict(infinium.LlmUsage(calls=[])) == {}
    data = infinium.TaskData("n", "d", "t", 1, customer=infinium.Customer(), steps=[step])
    made = dataclass_to_dict(data)
    assert "customer" not in made and made["steps"] == [{"step_number": 1, "action": "a", "description": "b"}]


def test_lists_lose_none_and_empty_dataclasses():
    made = dataclass_to_dict(infinium.General(tags=["a", None, "", infinium.Customer(), infinium.Customer("x")]))
    assert made == {"tags": ["a", "", {"customer_name": "x"}]}
    assert dataclass_to_dict(infinium.General(tags=("a", None))) == {"tags": ["a"]}


def test_dicts_pass_untouched():
    given = {"a": None, "b": [None]}
    assert dataclass_to_dict(given) is given or dataclass_to_dict(given) == given
    step = infinium.ExecutionStep(1, "a", "b", metadata={"x": None})
    assert dataclass_to_dict(step)["metadata"] == {"x": None}


@pytest.mark.parametrize("value", [None, 5, "x", [1], object()])
def test_anything_else_is_empty(value):
    assert dataclass_to_dict(value) == {}


def test_nested_dataclasses():
    error = infinium.ErrorDetail("E", "m")
    step = infinium.ExecutionStep(1, "a", "b", tool_call=infinium.ToolCall("t", error=error))
    assert dataclass_to_dict(step)["tool_call"] == {
        "tool_name": "t",
        "error": {"error_type": "E", "message": "m", "recoverable": False, "retry_count": 0},
    }


def test_foreign_dataclasses():
    @dataclasses.dataclass
    class Mine:
        a: int
        b: object = None

    assert dataclass_to_dict(Mine(1)) == {"a": 1}


# -- coerce_section --


def test_coerce_section():
    assert coerce_section({"customer_name": "Acme"}, infinium.Customer) == infinium.Customer("Acme")
    already = infinium.Customer("Acme")
    assert coerce_section(already, infinium.Customer) is already
    assert coerce_section(None, infinium.Customer) is None
    assert coerce_section("text", infinium.Customer) == "text"
    assert coerce_section({}, infinium.Customer) == infinium.Customer()


def test_coerce_section_keeps_a_dict_that_does_not_fit():
    given = {"constraints": []}
    assert coerce_section(given, infinium.ExpectedOutcome) is given


def test_coerce_section_moves_extra_keys_to_metadata_where_there_is_one():
    made = coerce_section({"step_number": 1, "action": "a", "description": "b", "x": 1}, infinium.ExecutionStep)
    assert made == infinium.ExecutionStep(1, "a", "b", metadata={"x": 1})


def test_coerce_section_with_unknown_keys_is_still_the_dataclass():
    made = coerce_section({"customer_name": "Acme", "no_such_key": 1}, infinium.Customer)
    assert isinstance(made, infinium.Customer) and made.customer_name == "Acme"


# -- small helpers --


@pytest.mark.parametrize(
    "text, n, suffix, result",
    [("abc", 3, "...", "abc"), ("abcd", 3, "...", "..."), ("abcdef", 5, "...", "ab..."), ("abcdef", 5, "", "abcde"),
     ("abcdef", 5, "~", "abcd~"), ("", 3, "...", ""), ("é" * 10, 8, "...", "é" * 5 + "...")],
)  # fmt: skip
def test_truncate_string(text, n, suffix, result):
    assert truncate_string(text, n, suffix) == result


def test_truncate_string_default():
    assert len(truncate_string("x" * 1001)) == 1000
    assert truncate_string("x" * 1000) == "x" * 1000


@pytest.mark.parametrize(
    "value, result",
    [({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1}), ("[1]", None), ("5", None), ("nonsense", None), ("", None),
     ("  ", None), (None, None), (5, None), (' {"a": 1} ', {"a": 1}), ('{"a": "' + "x" * 1048576 + '"}', None)],
)  # fmt: skip
def test_safe_json_loads(value, result):
    assert safe_json_loads(value) == result


def test_merge_dicts():
    assert merge_dicts({"a": 1, "b": None}, {"a": 2, "c": 0}, None, "x") == {"a": 2, "c": 0}
    assert merge_dicts({"a": 1}, {"a": None}) == {"a": 1}
    assert merge_dicts() == {}


@pytest.mark.parametrize("attempt, delay", [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (50, 60)])
def test_exponential_backoff(attempt, delay, monkeypatch):
    from infinium import utils

    backoff = getattr(utils.exponential_backoff, "__wrapped__", utils.exponential_backoff)
    assert backoff(attempt, jitter=False) == delay
    for _ in range(50):
        assert delay * 0.75 <= backoff(attempt) <= delay * 1.25


def test_exponential_backoff_parameters():
    backoff = getattr(exponential_backoff, "__wrapped__", exponential_backoff)
    assert backoff(3, 0.5, 3.0, False) == 3.0
    assert backoff(2, base_delay=0.5, jitter=False) == 2.0


def test_retry_with_backoff():
    import asyncio

    from infinium.utils import retry_with_backoff

    calls = []

    def flaky():
        calls.append(1)
        if len(calls) < 3:
            raise KeyError(len(calls))
        return "done"

    async def coroutine():
        return flaky()

    assert asyncio.run(retry_with_backoff(flaky, 3, 0.001)) == "done"
    calls.clear()
    assert asyncio.run(retry_with_backoff(coroutine, 3, 0.001)) == "done"
    calls.clear()
    with pytest.raises(KeyError) as caught:
        asyncio.run(retry_with_backoff(flaky, 1, 0.001))
    assert caught.value.args == (2,)
    calls.clear()
    with pytest.raises(KeyError):
        asyncio.run(retry_with_backoff(flaky, 3, 0.001, exceptions=(ValueError,)))
    assert len(calls) == 1


def test_get_current_iso_datetime():
    text = infinium.get_current_iso_datetime()
    assert text.endswith("Z") and validate_iso_datetime(text)


def test_rate_limiter():
    limiter = RateLimiter()
    assert limiter.requests_per_second == 10.0 and limiter.burst_size == 20
    for _ in range(20):
        limiter.acquire_sync()
    for arguments in ((0,), (-1,), (1, 0), (1, -5)):
        with pytest.raises(ValueError):
            RateLimiter(*arguments)


def test_rate_limiter_waits_when_the_burst_is_used_up():
    import asyncio
    import time

    limiter = RateLimiter(20.0, 1)
    start = time.monotonic()
    for _ in range(3):
        limiter.acquire_sync()
    assert time.monotonic() - start > 0.045
    asyncio.run(limiter.acquire())

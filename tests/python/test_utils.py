"""Validators and helpers."""

import asyncio
import json
import logging
import math
import re
import threading
import time
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinium import _json, utils
from infinium.exceptions import ValidationError
from infinium.types import Customer, EnvironmentContext, ErrorDetail, ExecutionStep, ExpectedOutcome, General, TaskData

UUID = "11111111-2222-3333-4444-55555555555A"


def refused(field, function, *arguments):
    with pytest.raises(ValidationError) as raised:
        function(*arguments)
    assert raised.value.field == field and raised.value.status_code is None
    return raised.value


@pytest.mark.parametrize("value, expected", [(0, 0.0), (5, 5.0), (True, 1.0), ("12.5", 12.5), (86400, 86400.0), (1e-9, 1e-9)])
def test_duration(value, expected):
    result = utils.validate_duration(value)
    assert result == expected and type(result) is float


@pytest.mark.parametrize("value", [None, "x", [], math.nan, math.inf, -math.inf, -0.001, 86400.001, 10**400])
def test_duration_refused(value):
    refused("duration", utils.validate_duration, value)


@given(st.floats())
def test_duration_is_in_range_or_refused(value):
    try:
        assert 0 <= utils.validate_duration(value) <= 86400
    except ValidationError:
        assert not 0 <= value <= 86400


@pytest.mark.parametrize(
    "text", ["2020-01-01", "2020-01-01T00:00:00Z", "2100-12-31", " 2020-01-01 ", "2020-01-01T00:00:00+02:00", "1900-01-01"]
)
def test_iso_datetime(text):
    assert utils.validate_iso_datetime(text) is True


@pytest.mark.parametrize("text", [None, 5, "", "  ", "1899-12-31", "2101-01-01", "today", "2020-13-01"])
def test_iso_datetime_refused(text):
    assert utils.validate_iso_datetime(text) is False


def test_current_datetime():
    text = utils.get_current_iso_datetime()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - then).total_seconds()) < 5
    assert utils.validate_iso_datetime(text)


def test_path_id():
    assert utils.validate_path_id(f"  {UUID}\n", "task_id") == UUID


@pytest.mark.parametrize(
    "value",
    [None, "", " ", 5, "..", "a/b", "a\\b", "x", UUID[:-1], UUID + "0", UUID.replace("-", ""), UUID[:-1] + "g", UUID[:-1] + "\u0661",
     f"{UUID}/..", f"{UUID}?x=1"],
)  # fmt: skip
def test_path_id_refused(value):
    refused("task_id", utils.validate_path_id, value, "task_id")


@given(st.uuids())
def test_every_uuid_is_a_path_id(value):
    assert utils.validate_path_id(str(value), "f") == str(value)


@pytest.mark.parametrize("value", [None, "", " \t"])
def test_required_refused(value):
    refused("f", utils.validate_required_field, value, "f")


@pytest.mark.parametrize("value", ["a", 0, False, []])
def test_required(value):
    assert utils.validate_required_field(value, "f") is None


def test_string_length():
    assert utils.validate_string_length("12345", "f", 5) == "12345"
    assert utils.validate_string_length(None, "f", 5) is None and utils.validate_string_length(123456, "f", 5) == 123456
    refused("f", utils.validate_string_length, "123456", "f", 5)
    assert utils.validate_string_length("\U0001f600" * 5, "f", 5)


@pytest.mark.parametrize(
    "agent_id, secret, field",
    [(None, "x" * 8, "agent_id"), ("", "x" * 8, "agent_id"), (5, "x" * 8, "agent_id"), (" ab ", "x" * 8, "agent_id"),
     ("abc", None, "agent_secret"), ("abc", " ", "agent_secret"), ("abc", b"x" * 8, "agent_secret"), ("abc", " 1234567 ", "agent_secret")],
)  # fmt: skip
def test_credentials_refused(agent_id, secret, field):
    refused(field, utils.validate_agent_credentials, agent_id, secret)


def test_credentials():
    utils.validate_agent_credentials(" abc ", " 12345678 ")


def test_payload_size_is_in_bytes_as_sent():
    overhead = len('{"a":""}')
    utils.validate_payload_size({"a": "x" * (1048576 - overhead)})
    refused(None, utils.validate_payload_size, {"a": "x" * (1048577 - overhead)})
    utils.validate_payload_size({"a": "\u4e2d" * 340_000})  # 1,020,000 bytes; 2,040,000 if it were escaped
    refused(None, utils.validate_payload_size, {"a": "\u4e2d" * 350_000})
    utils.validate_payload_size({"a": "\ud800", "b": math.nan})
    with pytest.raises(TypeError):
        utils.validate_payload_size({"a": object()})


def test_coerce_section_keeps_unknown_keys():
    customer = utils.coerce_section({"customer_name": "A", "tier": "gold", "odd key": 1}, Customer)
    assert type(customer) is Customer and customer == Customer("A") and customer.tier == "gold"
    assert utils.dataclass_to_dict(customer) == {"customer_name": "A", "tier": "gold", "odd key": 1}


@pytest.mark.parametrize("value", [None, 5, "x", Customer("A"), {1: 2}])
def test_coerce_section_leaves_the_rest(value):
    assert utils.coerce_section(value, Customer) is value


def test_coerce_section_without_a_required_key_keeps_the_dict():
    value = {"constraints": ["c"]}
    assert utils.coerce_section(value, ExpectedOutcome) is value


@pytest.mark.parametrize(
    "value, expected",
    [
        (Customer(), {}),
        ({"a": None}, {"a": None}),
        (5, {}), (None, {}), ([1], {}), (Customer, {}),
        (General(tools_used=[], tags=[None, "a"], retries=0, agent_notes=""), {"agent_notes": "", "retries": 0, "tags": ["a"]}),
        (ExecutionStep(1, "a", "b", metadata={}), {"step_number": 1, "action": "a", "description": "b", "metadata": {}}),
        (ErrorDetail("E", "m"), {"error_type": "E", "message": "m", "recoverable": False, "retry_count": 0}),
        (TaskData("", "", "", 0, customer=Customer(), environment=EnvironmentContext(custom_tags={"k": None}), steps=[None, {"x": None}]),
         {"name": "", "description": "", "current_datetime": "", "duration": 0, "steps": [{"x": None}],
          "environment": {"custom_tags": {"k": None}}}),
    ],
)  # fmt: skip
def test_dataclass_to_dict(value, expected):
    assert utils.dataclass_to_dict(value) == expected


def test_foreign_dataclasses_become_dicts_too():
    import dataclasses

    @dataclasses.dataclass(frozen=True)
    class Slotted:
        __slots__ = ("a",)
        a: int

    assert utils.dataclass_to_dict(Slotted(3)) == {"a": 3}


@given(st.text(max_size=50), st.integers(0, 60))
def test_truncated_text_is_never_longer(text, limit):
    cut = utils.truncate_string(text, limit)
    assert len(cut) <= limit or cut == text
    assert cut == text if len(text) <= limit else len(cut) == limit
    if len(text) > limit > 3:
        assert cut == text[: limit - 3] + "..."


def test_backoff():
    assert [utils.exponential_backoff(n, jitter=False) for n in (0, 1, 2, 6, 5000)] == [1, 2, 4, 60, 60]
    delays = [utils.exponential_backoff(1) for _ in range(500)]
    assert min(delays) >= 1.5 and max(delays) <= 2.5 and max(delays) - min(delays) > 0.5


def test_retry_with_backoff():
    tries = []

    async def third():
        tries.append(1)
        if len(tries) < 3:
            raise KeyError
        return "done"

    assert asyncio.run(utils.retry_with_backoff(third, base_delay=0.001)) == "done"
    tries.clear()
    with pytest.raises(KeyError):
        asyncio.run(utils.retry_with_backoff(third, max_retries=1, base_delay=0.001))
    assert len(tries) == 2
    tries.clear()
    with pytest.raises(KeyError):
        asyncio.run(utils.retry_with_backoff(third, base_delay=0.001, exceptions=(ValueError,)))
    assert len(tries) == 1


@pytest.mark.parametrize("text, expected", [("{}", {}), ({"a": 1}, {"a": 1}), ('{"a":[1]}', {"a": [1]}), ("x", None), (None, None), ("[1]", None), ("[" * 100_000, None)])
def test_safe_json_loads(text, expected):
    assert utils.safe_json_loads(text) == expected


def test_merge_dicts():
    first = {"a": {"x": 1}}
    assert utils.merge_dicts(first, None, {"b": 2}, {"a": {"y": 2}}) == {"a": {"y": 2}, "b": 2}
    assert first == {"a": {"x": 1}}


def test_setup_logging(monkeypatch):
    asked = {}
    monkeypatch.setattr(logging, "basicConfig", lambda **k: asked.update(k))
    utils.setup_logging("debug", "%(message)s")
    assert asked.pop("datefmt") and asked == {"level": logging.DEBUG, "format": "%(message)s"}
    with pytest.raises(AttributeError):
        utils.setup_logging("nonsense")


@pytest.mark.timeout(60)
def test_limiter_holds_under_threads():
    limiter = utils.RateLimiter(100, 5)
    start, times = time.monotonic(), []

    def work():
        for _ in range(5):
            limiter.acquire_sync()
            times.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for count, at in enumerate(sorted(times), 1):
        assert count <= 5 + 100 * (at - start) + 1e-6
    assert len(times) == 50 and max(times) - start < 5


@pytest.mark.timeout(60)
def test_limiter_holds_under_tasks_and_loops():
    limiter = utils.RateLimiter(100, 5)
    start, times = time.monotonic(), []

    async def one():
        await limiter.acquire()
        times.append(time.monotonic())

    async def many():
        await asyncio.gather(*(one() for _ in range(20)))

    asyncio.run(many())
    asyncio.run(many())
    for count, at in enumerate(sorted(times), 1):
        assert count <= 5 + 100 * (at - start) + 1e-6
    assert len(times) == 40


def test_cancelled_waiter_gives_its_token_back():
    limiter = utils.RateLimiter(1, 1)

    async def main():
        await limiter.acquire()
        waiting = asyncio.ensure_future(limiter.acquire())
        await asyncio.sleep(0.01)
        before = limiter.tokens
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return before, limiter.tokens

    before, after = asyncio.run(main())
    assert after == before + 1


@pytest.mark.parametrize("rate", [0, -1, math.nan])
def test_limiter_refuses_a_rate_of_nothing(rate):
    with pytest.raises(ValueError):
        utils.RateLimiter(rate)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.builds(object),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers() | st.none(), inner) | st.tuples(inner),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_anything_becomes_json(value):
    text = _json.encode(value).decode("utf-8")
    json.loads(text, parse_constant=pytest.fail)
    assert _json.plain(json.loads(text)) == json.loads(text)


def test_what_json_lacks():
    class Hostile:
        def __str__(self):
            raise ValueError

    cycle = {}
    cycle["again"] = cycle
    deep = []
    for _ in range(5000):
        deep = [deep]
    value = {"nan": math.nan, "inf": -math.inf, "lone": "a\ud800b", 1: True, None: None, "bytes": b"x", "obj": Hostile(), "huge": 10**5000}
    assert json.loads(_json.encode(value)) == {
        "nan": None, "inf": None, "lone": "a\ufffdb", "1": True, "null": None, "bytes": "b'x'",
        "obj": "<Hostile: str() raised ValueError>", "huge": json.loads(_json.encode(10**5000)),
    }  # fmt: skip
    assert json.loads(_json.encode(cycle)) == {"again": "<cycle>"}
    assert b"<nested too deep>" in _json.encode(deep)
    shared = [1]
    assert json.loads(_json.encode([shared, shared])) == [[1], [1]]

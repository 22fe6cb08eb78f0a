"""Section 4: the two clients: construction, attributes, methods, validation, closing."""

import asyncio
import datetime
import logging
import re
import time

import pytest

import infinium
from helpers import AGENT, PUBLISHED, SECRET, TASK, Elapsed, differs
from infinium import (
    ApiResponse,
    BatchError,
    BatchResult,
    InfiniumError,
    InfiniumTimeoutError,
    NotFoundError,
    TaskData,
    ValidationError,
)
from recorder import Answer

BOTH = pytest.mark.parametrize("cls", [infinium.InfiniumClient, infinium.AsyncInfiniumClient])
NOW = "2026-01-02T03:04:05Z"


def task(name="t", **more):
    return TaskData(name, "d", NOW, 1.0, **more)


def finish(client):
    result = client.close()
    if asyncio.iscoroutine(result):
        asyncio.run(result)


# -- construction --


@BOTH
@pytest.mark.parametrize("agent_id", ["", "  ", None, 12345, b"abcdef", "ab", " ab ", ["abc"]])
def test_bad_agent_id(cls, agent_id):
    with pytest.raises(ValidationError) as caught:
        cls(agent_id, SECRET)
    assert caught.value.field == "agent_id"


@BOTH
@pytest.mark.parametrize("secret", ["", "  ", 12345678, b"abcdefgh", "short12", "  short12  "])
def test_bad_secret(cls, secret):
    with pytest.raises(ValidationError) as caught:
        cls(AGENT, secret)
    assert caught.value.field == "agent_secret"


@BOTH
def test_the_id_is_checked_first(cls):
    with pytest.raises(ValidationError) as caught:
        cls("", "")
    assert caught.value.field == "agent_id"


@BOTH
@differs("env-credentials", "ours reads what is left out from the environment")
def test_credentials_from_the_environment(cls, monkeypatch):
    monkeypatch.setenv("INFINIUM_AGENT_ID", AGENT)
    monkeypatch.setenv("INFINIUM_AGENT_SECRET", SECRET)
    monkeypatch.setenv("INFINIUM_BASE_URL", "http://127.0.0.1:9/api/v1/")
    if PUBLISHED:
        with pytest.raises(TypeError):
            cls()
        return
    client = cls()
    assert client.agent_id == AGENT and client.base_url == "http://127.0.0.1:9/api/v1"
    finish(client)
    given = cls("aaaaaaaa-2222-3333-4444-555555555555", SECRET, base_url="http://127.0.0.1:8")
    assert given.agent_id.startswith("aaaaaaaa") and given.base_url == "http://127.0.0.1:8"
    finish(given)


@BOTH
@differs("env-credentials", "ours reads what is left out from the environment")
def test_no_credentials_at_all(cls):
    with pytest.raises(TypeError if PUBLISHED else ValidationError) as caught:
        cls()
    if not PUBLISHED:
        assert caught.value.field == "agent_id"


@BOTH
def test_shortest_credentials(cls):
    client = cls("abc", "12345678")
    assert client.agent_id == "abc"
    finish(client)


@BOTH
def test_an_id_that_is_no_uuid_passes_the_constructor(cls):
    client = cls("my-agent", SECRET)
    assert client.agent_id == "my-agent"
    finish(client)


@BOTH
def test_attributes(cls):
    client = cls(AGENT, SECRET, "http://127.0.0.1:9/x", 2.5, 1, True, 5.0, "mine/1", False, "INFO", False)
    assert client.agent_id == AGENT
    assert client.base_url == "http://127.0.0.1:9/x"
    assert client.timeout == 2.5
    assert client.max_retries == 1
    assert client.user_agent == "mine/1"
    assert client.verify_ssl is False
    assert isinstance(client.logger, logging.Logger)
    assert client.rate_limiter is not None
    finish(client)


@BOTH
def test_default_attributes(cls):
    client = cls(AGENT, SECRET)
    assert client.base_url == "https://platform.i42m.ai/api/v1"
    assert (client.timeout, client.max_retries, client.verify_ssl) == (30.0, 3, True)
    finish(client)


@BOTH
def test_logger_names(cls):
    client = cls(AGENT, SECRET)
    assert client.logger.name == ("infinium.client" if cls is infinium.InfiniumClient else "infinium.async_client")
    finish(client)


@BOTH
@differs("agent-secret", "the secret is no attribute that repr, vars or pickle would show")
def test_secret_attribute(cls):
    client = cls(AGENT, SECRET)
    if PUBLISHED:
        assert client.agent_secret == SECRET
    else:
        assert SECRET not in repr(client) and SECRET not in repr(getattr(client, "__dict__", {}))
    finish(client)


@BOTH
@differs("user-agent", "each package says its own name and version")
def test_default_user_agent(cls):
    client = cls(AGENT, SECRET)
    if PUBLISHED:
        assert client.user_agent == "infinium-python/1.0.0"
    else:
        assert client.user_agent.startswith("infinium-python/") and infinium.__version__ in client.user_agent
    finish(client)


@BOTH
@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api/", "http://127.0.0.1:9/api///"])
def test_base_url_loses_trailing_slashes(cls, url):
    client = cls(AGENT, SECRET, base_url=url)
    assert client.base_url == "http://127.0.0.1:9/api"
    finish(client)


@BOTH
def test_rate_limiter_off(cls):
    client = cls(AGENT, SECRET, enable_rate_limiting=False)
    assert client.rate_limiter is None
    finish(client)


@BOTH
@pytest.mark.parametrize("rate", [0, -1])
def test_bad_rate(cls, rate):
    with pytest.raises(ValueError):
        cls(AGENT, SECRET, requests_per_second=rate)
    finish(cls(AGENT, SECRET, requests_per_second=rate, enable_rate_limiting=False))


@BOTH
def test_unknown_log_level(cls):
    with pytest.raises(AttributeError):
        cls(AGENT, SECRET, enable_logging=True, log_level="LOUD")
    finish(cls(AGENT, SECRET, enable_logging=False, log_level="LOUD"))


@BOTH
@differs("base-url-none", "None is 'from the environment or the default' there")
def test_base_url_none(cls):
    if PUBLISHED:
        with pytest.raises(AttributeError):
            cls(AGENT, SECRET, base_url=None)
    else:
        client = cls(AGENT, SECRET, base_url=None)
        assert client.base_url == "https://platform.i42m.ai/api/v1"
        finish(client)


@differs("negative-retries", "fewer than no further attempts means none")
def test_max_retries_minus_one(api, server):
    api.options(max_retries=-1)
    if PUBLISHED:
        with pytest.raises(TypeError):
            api("send_task", "n", "d", 1)
        assert not server.requests
    else:
        assert api("send_task", "n", "d", 1).success
        assert len(server.requests) == 1


def test_max_retries_zero(api, server):
    server.always(Answer(503, {"error": "down"}))
    with pytest.raises(InfiniumError):
        api("send_task", "n", "d", 1)
    assert len(server.requests) == 1


# -- send_task --


def test_send_task_returns_an_api_response(api, server):
    response = api("send_task", "Classify", "a task", 1.5)
    assert isinstance(response, ApiResponse)
    assert response.success is True and response.status_code == 201
    assert response.message == "Trace received"
    assert response.data["success"] is True
    assert len(response.data["traceId"]) == 36
    assert server.trace()["name"] == "Classify"


@pytest.mark.parametrize("value", [None, "", "   ", "\n"])
@pytest.mark.parametrize("field", ["name", "description"])
def test_required(api, server, field, value):
    arguments = {"name": "n", "description": "d", "duration": 1, field: value}
    with pytest.raises(ValidationError) as caught:
        api("send_task", **arguments)
    assert caught.value.field == field
    assert not server.requests


@pytest.mark.parametrize("field, limit", [("name", 500), ("description", 10000)])
def test_length_in_code_points(api, server, field, limit):
    arguments = {"name": "n", "description": "d", "duration": 1}
    api("send_task", **{**arguments, field: "é" * limit})
    assert server.trace()[field] == "é" * limit
    with pytest.raises(ValidationError) as caught:
        api("send_task", **{**arguments, field: "é" * (limit + 1)})
    assert caught.value.field == field
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "duration", [None, "x", float("nan"), float("inf"), float("-inf"), -0.001, 86400.001, [], {}, object()]
)
def test_bad_duration(api, server, duration):
    with pytest.raises(ValidationError) as caught:
        api("send_task", "n", "d", duration)
    assert caught.value.field == "duration"
    assert not server.requests


@pytest.mark.parametrize("duration, sent", [(0, 0), (86400, 86400), ("2.5", 2.5), (True, 1), (1, 1)])
def test_good_duration(api, server, duration, sent):
    api("send_task", "n", "d", duration)
    assert server.trace()["duration"] == sent


@pytest.mark.parametrize("when", ["yesterday", "", "   ", 5, "1899-12-31T00:00:00Z", "2101-01-01"])
def test_bad_datetime(api, server, when):
    with pytest.raises(ValidationError) as caught:
        api("send_task", "n", "d", 1, when)
    assert caught.value.field == "current_datetime"
    assert not server.requests


@pytest.mark.parametrize("when", ["2026-01-02T03:04:05Z", "2026-01-02", "2026-01-02T03:04:05.123456+02:00"])
def test_datetime_goes_out_as_given(api, server, when):
    api("send_task", "n", "d", 1, current_datetime=when)
    assert server.trace()["current_datetime"] == when


def test_datetime_default_is_now_in_utc(api, server):
    before = datetime.datetime.now(datetime.timezone.utc)
    api("send_task", "n", "d", 1)
    sent = server.trace()["current_datetime"]
    assert sent.endswith("Z")
    at = datetime.datetime.fromisoformat(sent.replace("Z", "+00:00"))
    assert before - datetime.timedelta(seconds=1) < at < before + datetime.timedelta(seconds=10)


@pytest.mark.parametrize(
    "arguments, field",
    [
        (("", "", None, "x"), "name"),
        (("n", "", None, "x"), "description"),
        (("n" * 501, "d" * 10001, None, "x"), "name"),
        (("n", "d" * 10001, None, "x"), "description"),
        (("n" * 501, "", None, "x"), "description"),
        (("n", "d", None, "x"), "duration"),
        (("n", "d", 1, "x"), "current_datetime"),
    ],
)
def test_order_of_the_checks(api, arguments, field):
    with pytest.raises(ValidationError) as caught:
        api("send_task", *arguments)
    assert caught.value.field == field


SECTIONS = (
    "time_tracking customer support sales marketing content research project development executive general".split()
)


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section(api, server, section):
    api("send_task", "n", "d", 1, **{section: {"a": 1, "b": None}})
    assert server.trace()["sections"] == {section: {"a": 1, "b": None}}


def test_top_level_keywords(api, server):
    api(
        "send_task", "n", "d", 1,
        llm_usage={"model": "m"}, input_summary="i", output_summary="o",
        steps=[infinium.ExecutionStep(1, "a", "b")],
        expected_outcome={"task_objective": "t"}, environment={"runtime": "r"},
        errors=[infinium.ErrorDetail("E", "m")],
    )  # fmt: skip
    sent = server.trace()
    assert sent["llm_usage"] == {"model": "m"}
    assert sent["input_summary"] == "i" and sent["output_summary"] == "o"
    assert sent["steps"] == [{"step_number": 1, "action": "a", "description": "b"}]
    assert sent["expected_outcome"] == {"task_objective": "t"}
    assert sent["environment"] == {"runtime": "r"}
    assert sent["errors"] == [{"error_type": "E", "message": "m", "recoverable": False, "retry_count": 0}]


def test_dicts_as_steps_and_errors_go_out_as_they_are(api, server):
    api("send_task", "n", "d", 1, steps=[{"step_number": 1, "x": None}], errors=[{"error_type": "E"}])
    assert server.trace()["steps"] == [{"step_number": 1, "x": None}]
    assert server.trace()["errors"] == [{"error_type": "E"}]


@pytest.mark.parametrize("agent_id", ["my-agent", "11111111-2222-3333-4444-55555555555g"])
def test_agent_id_is_checked_when_sending(api, server, agent_id):
    api.options(agent_id=agent_id)
    with pytest.raises(ValidationError) as caught:
        api("send_task", "n", "d", 1)
    assert caught.value.field == "agent_id"
    assert not server.requests


# -- send_task_data --


def test_send_task_data_validates_nothing(api, server):
    data = TaskData("", "", "nonsense", -5.0)
    assert api("send_task_data", data).success
    assert server.trace() == {"name": "", "description": "", "current_datetime": "nonsense", "duration": -5.0}


@differs("oversized-task", "long texts of a task over 1 MiB are cut, with a note, and the task is sent")
def test_send_task_data_with_too_long_a_text(api, server):
    data = task(output_summary="x" * 1_048_577)
    if PUBLISHED:
        with pytest.raises(ValidationError) as caught:
            api("send_task_data", data)
        assert caught.value.field is None and not server.requests
    else:
        assert api("send_task_data", data).success
        assert len(server.posts[0].body) <= infinium.MAX_PAYLOAD_SIZE
        sent = server.trace()["output_summary"]
        assert sent.startswith("xxx") and sent.endswith("trimmed]") and len(data.output_summary) == 1_048_577


def test_send_task_data_checks_the_size(api, server):
    """Too large, and not because of long texts."""
    with pytest.raises(ValidationError) as caught:
        api("send_task_data", task(general=infinium.General(tags=["a tag"] * 200_000)))
    assert caught.value.field is None
    assert not server.requests


def test_send_task_data_checks_the_agent_id(api, server):
    api.options(agent_id="my-agent")
    with pytest.raises(ValidationError) as caught:
        api("send_task_data", task())
    assert caught.value.field == "agent_id"


def test_send_task_data_does_not_change_the_task(api):
    import copy

    data = task(customer=infinium.Customer("Acme"), steps=[infinium.ExecutionStep(1, "a", "b")])
    before = copy.deepcopy(data)
    api("send_task_data", data)
    assert data == before


# -- batches --


def test_batch(api, server):
    tasks = [task(f"t{i}") for i in range(7)]
    result = api("send_tasks_batch", tasks, max_concurrent=3)
    assert isinstance(result, BatchResult)
    assert (result.successful, result.failed, result.errors) == (7, 0, [])
    assert all(r.success and r.status_code == 201 for r in result.results) and len(result.results) == 7
    assert sorted(t["name"] for t in server.traces) == [f"t{i}" for i in range(7)]


@pytest.mark.parametrize("tasks, concurrent", [([], 5), ([task()], 0), ([task()], -1)])
def test_bad_batch(api, server, tasks, concurrent):
    with pytest.raises(ValidationError):
        api("send_tasks_batch", tasks, concurrent)
    assert not server.requests


def test_batch_failure_becomes_a_result(api, server):
    server.script(Answer(401, {"error": "no"}))
    result = api("send_tasks_batch", [task("a"), task("b")], max_concurrent=1)
    assert (result.successful, result.failed) == (1, 1)
    bad = result.results[0]
    assert bad.success is False and bad.status_code is None
    assert bad.message.startswith("Task 'a' failed: ")
    assert bad.data == {"task_name": "a"}
    assert result.errors == [bad.message]
    assert result.results[1].success


def test_batch_results_keep_the_order_of_the_tasks(api, server):
    answers = {"a": Answer(401, {"error": "no"}, delay=0.1), "b": Answer(201, {"n": "b"}, delay=0.05)}
    server.responder = lambda request: answers.get(request.json["name"], Answer(201, {"n": "c"}))
    result = api("send_tasks_batch", [task("a"), task("b"), task("c")])
    assert [r.data for r in result.results] == [{"task_name": "a"}, {"n": "b"}, {"n": "c"}]


@differs("batch-concurrent", "the synchronous batch is really concurrent")
def test_sync_batch_concurrency(make_client, server):
    client = make_client(max_retries=0)
    server.always(Answer(201, {"traceId": "x"}, delay=0.15))
    with Elapsed() as took:
        client.send_tasks_batch([task(str(i)) for i in range(5)], max_concurrent=5)
    if PUBLISHED:
        assert took.s > 0.7
    else:
        assert took.s < 0.6


def test_async_batch_is_concurrent(make_async, server):
    server.always(Answer(201, {"traceId": "x"}, delay=0.15))
    client = make_async(max_retries=0)

    async def main():
        with Elapsed() as took:
            await client.send_tasks_batch([task(str(i)) for i in range(5)], max_concurrent=5)
        await client.close()
        return took.s

    assert asyncio.run(main()) < 0.6


def test_async_batch_respects_max_concurrent(make_async, server):
    server.always(Answer(201, {"traceId": "x"}, delay=0.1))
    client = make_async(max_retries=0)

    async def main():
        with Elapsed() as took:
            await client.send_tasks_batch([task(str(i)) for i in range(4)], max_concurrent=1)
        await client.close()
        return took.s

    assert asyncio.run(main()) > 0.38


@differs("fail-fast", "fail_fast counts what happened and really stops")
def test_fail_fast(make_async, server):
    server.script(Answer(401, {"error": "no"}))
    client = make_async(max_retries=0)

    async def main():
        try:
            with pytest.raises(BatchError) as caught:
                await client.send_tasks_batch([task("a"), task("b")], max_concurrent=1, fail_fast=True)
            return caught.value
        finally:
            await asyncio.sleep(0.1)
            await client.close()

    error = asyncio.run(main())
    if PUBLISHED:
        assert (error.successful_count, error.failed_count) == (0, 0)
    else:
        assert (error.successful_count, error.failed_count) == (0, 1)
        assert len(server.requests) == 1


# -- reading back --


@pytest.mark.parametrize("value", [None, "", "  ", "x", "../x", TASK + "/a"])
@pytest.mark.parametrize("method, field", [("get_interpreted_task_result", "task_id"), ("wait_for_interpretation", None)])
def test_bad_task_id(api, server, method, field, value):
    with pytest.raises(ValidationError) as caught:
        api(method, value)
    assert caught.value.field in ((field,) if field else ("trace_id", "task_id"))
    assert not server.requests


def test_get_interpreted_task_result(api, server):
    server.script(Answer(200, {"interpretedTraceResult": {"score": 5}, "message": "done"}))
    response = api("get_interpreted_task_result", TASK)
    assert response.success and response.status_code == 200 and response.message == "done"
    assert response.data["interpretedTraceResult"] == {"score": 5}


def test_wait_polls_until_ready(api, server):
    pending = Answer(200, {"interpretedTraceResult": None})
    server.script(pending, Answer(200, {}), Answer(200, {"interpretedTraceResult": {"score": 5}}))
    response = api("wait_for_interpretation", TASK, timeout=5, poll_interval=0.02)
    assert response.data["interpretedTraceResult"] == {"score": 5}
    assert len(server.requests) == 3


def test_wait_times_out(api, server):
    server.always(Answer(200, {"interpretedTraceResult": None}))
    with Elapsed() as took, pytest.raises(InfiniumTimeoutError) as caught:
        api("wait_for_interpretation", TASK, timeout=0.1, poll_interval=0.03)
    assert caught.value.timeout_duration == 0.1
    assert 0.09 < took.s < 1


def test_wait_asks_at_least_once(api, server):
    server.always(Answer(200, {"interpretedTraceResult": [1]}))
    assert api("wait_for_interpretation", TASK, timeout=0, poll_interval=0).data


def test_wait_raises_404_at_once(api, server):
    with pytest.raises(NotFoundError):
        api("wait_for_interpretation", TASK, timeout=5, poll_interval=0.01)
    assert len(server.requests) == 1


@differs("wait-overshoot", "the deadline of wait_for_interpretation is kept")
def test_wait_keeps_its_deadline(api, server):
    server.always(Answer(200, {}))
    with Elapsed() as took, pytest.raises(InfiniumTimeoutError):
        api("wait_for_interpretation", TASK, timeout=0.1, poll_interval=0.6)
    assert took.s > 0.55 if PUBLISHED else took.s < 0.5


# -- the static methods --


@BOTH
def test_get_current_iso_datetime(cls):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", cls.get_current_iso_datetime())


@BOTH
def test_create_task_data(cls):
    data = cls.create_task_data("n", "d", "1.5", NOW, customer={"customer_name": "Acme"}, input_summary="i")
    assert isinstance(data, TaskData)
    assert data.duration == 1.5 and data.current_datetime == NOW
    assert data.customer == infinium.Customer("Acme")
    assert data.input_summary == "i"


@BOTH
@pytest.mark.parametrize(
    "name, value, made",
    [
        ("sales", {"deal_value": 1.0}, infinium.Sales(deal_value=1.0)),
        ("llm_usage", {"model": "m"}, infinium.LlmUsage("m")),
        ("expected_outcome", {"task_objective": "t"}, infinium.ExpectedOutcome("t")),
        ("expected_outcome", {"constraints": []}, {"constraints": []}),
        ("environment", {"runtime": "r"}, infinium.EnvironmentContext(runtime="r")),
        ("general", "as it is", "as it is"),
        ("steps", [{"a": 1}], [{"a": 1}]),
    ],
)
def test_create_task_data_makes_dataclasses_of_dicts(cls, name, value, made):
    assert getattr(cls.create_task_data("n", "d", 1, **{name: value}), name) == made


@BOTH
def test_create_task_data_validates_the_duration_only(cls):
    assert cls.create_task_data("", None, 1, "nonsense").name == ""
    with pytest.raises(ValidationError) as caught:
        cls.create_task_data("n", "d", -1)
    assert caught.value.field == "duration"


@BOTH
def test_create_task_data_default_datetime(cls):
    assert cls.create_task_data("n", "d", 1).current_datetime.endswith("Z")


@BOTH
def test_create_task_data_refuses_unknown_keywords(cls):
    with pytest.raises(TypeError):
        cls.create_task_data("n", "d", 1, no_such_section={})


# -- closing --


def test_with_statement(server, make_client):
    with make_client() as client:
        assert isinstance(client, infinium.InfiniumClient)
        assert client.send_task("n", "d", 1).success


def test_with_statement_does_not_swallow(make_client):
    with pytest.raises(KeyError), make_client():
        raise KeyError("x")


def test_async_with_statement(server, make_async):
    async def main():
        async with make_async() as client:
            assert isinstance(client, infinium.AsyncInfiniumClient)
            assert (await client.send_task("n", "d", 1)).success

    asyncio.run(main())


def test_close_twice(api):
    api("send_task", "n", "d", 1)
    api("close")
    api("close")


def test_close_without_use(api):
    api("close")


@differs("send-after-close", "a closed client says so at once")
def test_sync_send_after_close(make_client, server):
    client = make_client(max_retries=1)
    client.close()
    start = time.monotonic()
    with pytest.raises(InfiniumError) as caught:
        client.send_task("n", "d", 1)
    assert not server.requests
    if PUBLISHED:
        assert str(caught.value) == "Unexpected error: 'NoneType' object has no attribute 'request'"
    else:
        assert "closed" in str(caught.value).lower() and time.monotonic() - start < 0.5


def test_async_reopens_after_close(make_async, server):
    async def main():
        client = make_async()
        await client.send_task("a", "d", 1)
        await client.close()
        assert (await client.send_task("b", "d", 1)).success
        await client.close()

    asyncio.run(main())
    assert len(server.requests) == 2

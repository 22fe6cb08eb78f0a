"""What takes the client's place: programs' tests hand the decorators any object with `send_task_data`, or override it."""

import asyncio
import dataclasses
import logging
from unittest.mock import AsyncMock, MagicMock

import pytest

import infinium
from helpers import AGENT, SECRET, TASK, deliver, differs
from recorder import Answer


def double(x):
    """Doubles."""
    return x * 2


async def adouble(x):
    await asyncio.sleep(0)
    return x * 2


class Collector:
    def __init__(self):
        self.tasks = []

    def send_task_data(self, task):
        self.tasks.append(task)


def test_any_object_with_send_task_data_gets_the_trace():
    collector = Collector()
    assert infinium.trace_agent("Doubler", collector)(double)(4) == 8
    (task,) = collector.tasks
    assert isinstance(task, infinium.TaskData)
    assert (task.name, task.description, task.output_summary) == ("Doubler", "Doubles.", "8")
    assert task.input_summary == "{'args': (4,), 'kwargs': {}}"
    assert [step.action for step in task.steps] == ["execution"]


def test_it_gets_the_error_too():
    collector = Collector()
    with pytest.raises(ZeroDivisionError):
        infinium.trace_agent("T", collector)(lambda: 1 / 0)()
    assert collector.tasks[0].errors[0].error_type == "ZeroDivisionError"
    assert collector.tasks[0].steps[0].error.message == "division by zero"


def test_auto_send_false_keeps_it_from_the_object():
    client = MagicMock()
    assert infinium.trace_agent("T", client, auto_send=False)(double)(1) == 2
    client.send_task_data.assert_not_called()


def test_a_mock_is_called_once():
    client = MagicMock()
    assert infinium.trace_agent("T", client)(double)(1) == 2
    client.send_task_data.assert_called_once()
    assert client.send_task_data.call_args[0][0].name == "T"


def test_a_mock_that_raises_changes_nothing(caplog):
    client = MagicMock()
    client.send_task_data.side_effect = RuntimeError("full")
    with caplog.at_level(logging.WARNING, logger="infinium.tracing"):
        assert infinium.trace_agent("Full", client)(double)(1) == 2
    assert "Failed to auto-send trace for Full" in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_an_async_mock_is_awaited_before_the_call_returns(fails, caplog):
    client = MagicMock()
    client.send_task_data = AsyncMock(side_effect=RuntimeError("full") if fails else None)

    async def call():
        result = await infinium.async_trace_agent("A", client)(adouble)(3)
        return result, client.send_task_data.await_count

    with caplog.at_level(logging.WARNING, logger="infinium.tracing"):
        assert asyncio.run(call()) == (6, 1)
    assert ("Failed to auto-send trace for A" in caplog.text) == fails


def test_an_instance_s_own_send_task_data_is_used(client, server):
    got = []
    client.send_task_data = got.append
    assert client.trace("T")(double)(1) == 2
    assert [task.name for task in got] == ["T"] and server.requests == []


def test_a_subclass_s_send_task_data_is_used(server):
    class Renaming(infinium.InfiniumClient):
        def send_task_data(self, task_data):
            task_data.name = "renamed " + task_data.name
            return super().send_task_data(task_data)

    with Renaming(AGENT, SECRET, base_url=server.base_url, max_retries=0) as client:
        assert client.trace("T")(double)(1) == 2
    assert server.trace()["name"] == "renamed T"


def test_an_async_subclass_s_send_task_data_is_used(server):
    class Renaming(infinium.AsyncInfiniumClient):
        async def send_task_data(self, task_data):
            task_data.name = "renamed " + task_data.name
            return await super().send_task_data(task_data)

    async def call():
        async with Renaming(AGENT, SECRET, base_url=server.base_url, max_retries=0) as client:
            return await client.trace("T")(adouble)(1)

    assert asyncio.run(call()) == 2
    assert server.trace()["name"] == "renamed T"


def test_no_timeout_is_a_timeout(api, server):
    api.options(timeout=None)
    assert api.client.timeout is None
    assert api("send_task", "n", "d", 1).success


def test_an_empty_user_agent(api, server):
    api.options(user_agent="")
    assert api("send_task", "n", "d", 1).success
    assert not server.requests[0].header("User-Agent")


def test_the_limiter_can_be_taken_away(api, server):
    api.client.rate_limiter = None
    assert api("send_task", "n", "d", 1).success
    assert api.client.rate_limiter is None


@pytest.mark.parametrize("cls", [infinium.TaskData, infinium.LlmUsage, infinium.ErrorDetail])
def test_the_parameters_of_the_dataclasses(cls):
    params = cls.__dataclass_params__
    assert dataclasses.is_dataclass(cls) and (params.init, params.repr, params.eq) == (True, True, True)
    assert (params.frozen, params.order, params.unsafe_hash) == (False, False, False)


def test_wait_for_interpretation_names_its_argument(api):
    for value in (None, "", "  "):
        with pytest.raises(infinium.ValidationError) as error:
            api("wait_for_interpretation", value)
        assert error.value.field == "trace_id"


def test_wait_for_interpretation_of_no_uuid(api):
    with pytest.raises(infinium.ValidationError) as error:
        api("wait_for_interpretation", "x")
    assert error.value.field == "task_id"


def test_an_empty_date_stays_empty(client):
    assert client.create_task_data("n", "d", 1, "").current_datetime == ""


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_summary_of_a_tool_call_is_none(text):
    step = infinium.StepContext(1, "a", "d").record_tool_call("t", input_summary=text, output_summary=text)
    tool_call = step._build().tool_call
    assert (tool_call.input_summary, tool_call.output_summary) == (None, None)


def test_a_step_that_is_left_without_having_been_entered():
    step = infinium.StepContext(1, "a", "d")
    assert not step.__exit__(None, None, None)


@pytest.mark.parametrize("name", ["llm_usage", "environment", "expected_outcome", "steps", "errors"])
@pytest.mark.parametrize("value", ["", "text", 0, False, {}, [], ()])
def test_what_is_no_part_of_a_task_is_absent(client, server, name, value):
    assert client.send_task("n", "d", 1, **{name: value}).success
    assert sorted(server.trace()) == ["current_datetime", "description", "duration", "name"]


@pytest.mark.parametrize("name", ["steps", "errors"])
def test_only_dicts_and_dataclasses_stay_in_lists(client, server, name):
    made = (item for item in ("text", None, 1, {}, {"a": None}, infinium.ErrorDetail("E", "m")))
    assert client.send_task("n", "d", 1, **{name: made}).success
    error = {"error_type": "E", "message": "m", "recoverable": False, "retry_count": 0}
    assert server.trace()[name] == [{"a": None}, error]


def test_the_message_of_401(api, server):
    server.always(Answer(401, {"error": "x"}))
    with pytest.raises(infinium.AuthenticationError, match="Check your agent_id and agent_secret\\."):
        api("send_task", "n", "d", 1)
    with pytest.raises(infinium.AuthenticationError, match="Check your prompt_id and prompt_key\\."):
        api("get_prompt", TASK, "k")


@differs("early-checks", "a value that cannot work is refused by the constructor, not by each request")
@pytest.mark.parametrize("option", [{"timeout": 0}, {"timeout": "3"}, {"base_url": "localhost:1"}, {"base_url": "ftp://x"}])
def test_what_cannot_work(server, option, impl):
    options = {"base_url": server.base_url, "max_retries": 0, **option}
    if impl == "published":
        client = infinium.InfiniumClient(AGENT, SECRET, **options)
        with pytest.raises(infinium.InfiniumError):
            client.send_task("n", "d", 1)
    else:
        with pytest.raises(infinium.ValidationError) as error:
            infinium.InfiniumClient(AGENT, SECRET, **options)
        assert error.value.field == next(iter(option))
    assert server.requests == []


@differs("fixed-secret", "the secret belongs to the journal and to the sender that the client was made with")
def test_the_secret_of_a_client_cannot_be_replaced(client, server, impl):
    if impl == "published":
        client.agent_secret = "another-secret"
        client.send_task("n", "d", 1)
        assert server.requests[0].header("x-agent-key") == "another-secret"
    else:
        with pytest.raises(AttributeError):
            client.agent_secret = "another-secret"


@differs("later-patches", "which way a trace goes is decided when the decorator is applied")
def test_send_task_data_replaced_after_decorating(client, server, impl):
    got = []
    traced = client.trace("T")(double)
    client.send_task_data = got.append
    assert traced(1) == 2
    deliver(client)
    assert (len(got), len(server.requests)) == ((1, 0) if impl == "published" else (0, 1))


@differs("prompt-types", "what is no version number, and no text, is as missing as what is not there")
def test_prompt_members_of_other_types(api, server, impl):
    server.always(Answer(200, {"promptId": 1, "name": None, "version": "3", "content": "c", "createdAt": 5}))
    prompt = api("get_prompt", TASK, "k")
    made = (prompt.prompt_id, prompt.name, prompt.version, prompt.created_at)
    assert made == ((1, None, "3", 5) if impl == "published" else ("", "", 0, ""))
    assert prompt.content == "c"

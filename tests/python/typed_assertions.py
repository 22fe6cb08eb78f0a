"""What type checkers must see. Checked by test_typing.py, never run."""

import asyncio
from typing import Any, Callable, Coroutine, Dict, List, Optional, Union

from typing_extensions import assert_type

import infinium
from infinium import (
    ApiResponse,
    AsyncInfiniumClient,
    BatchResult,
    Customer,
    InfiniumClient,
    PromptContent,
    StepContext,
    TaskData,
    TraceBuilder,
    ValidationError,
    async_trace_agent,
    current_trace,
    trace_agent,
    unwatch,
    watch,
)
from infinium.integrations import CapturedLlmCall, get_current_trace_context
from infinium.integrations.otel import InfiniumOTelExporter

client = InfiniumClient("11111111-2222-3333-4444-555555555555", "correct-horse-battery", timeout=5, max_retries=0)
aclient = AsyncInfiniumClient()


@client.trace("sync")
def plain(text: str, *, times: int = 1) -> List[str]:
    return [text] * times


assert_type(plain("x"), List[str])
assert_type(plain("x", times=2), List[str])
plain(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
plain("x", often=2)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


@aclient.trace("async", description="d", otel_exporter=InfiniumOTelExporter("svc"))
async def coroutine(number: int) -> Dict[str, int]:
    return {"n": number}


@async_trace_agent("stand-alone", aclient)
async def moderated(content: str) -> str:
    return content


@trace_agent("stand-alone", client)
def classified(content: str) -> bool:
    return bool(content)


assert_type(classified("x"), bool)


@trace_agent("kept")
def kept(number: int) -> float:
    return number / 2


assert_type(kept(1), float)
assert_type(kept.last_trace, Optional[TaskData])


@client.trace("not sent", auto_send=False)
def not_sent() -> None: ...


assert_type(not_sent.last_trace, Optional[TaskData])


class Agent:
    @client.trace("method")
    def method(self, number: int) -> str:
        return str(number)

    @classmethod
    @client.trace("class")
    def made(cls, number: int) -> "Agent":
        return cls()

    @staticmethod
    @client.trace("static")
    def static(number: int) -> bytes:
        return bytes(number)

    @client.trace("asynchronous")
    async def asynchronous(self) -> int:
        return 1


assert_type(Agent().method(1), str)
assert_type(Agent.made(1), Agent)
assert_type(Agent.static(1), bytes)


class Vendor:
    pass


assert_type(watch(Vendor()), Vendor)
assert_type(watch(Vendor(), capture_content=True), Vendor)
assert_type(unwatch(Vendor()), Vendor)


def direct() -> None:
    assert_type(client.send_task("n", "d", 1.5, customer={"customer_name": "Acme"}), ApiResponse)
    task = client.create_task_data("n", "d", 1.5, customer={"customer_name": "Acme"})
    assert_type(task, TaskData)
    assert_type(task.customer, Optional[Customer])
    assert_type(client.send_task_data(task), ApiResponse)
    assert_type(client.send_tasks_batch([task], max_concurrent=3), BatchResult)
    assert_type(client.get_prompt("id", "key", variables={"who": 5}), PromptContent)
    assert_type(client.get_prompt("id", "key", 3).rendered_content, Optional[str])
    assert_type(client.wait_for_interpretation("id").data, Optional[Dict[str, Any]])
    assert_type(client.stats(), Dict[str, int])
    assert_type(client.flush(3).delivered, int)
    with InfiniumClient() as other:
        assert_type(other, InfiniumClient)


async def asynchronously() -> None:
    assert_type(await coroutine(1), Dict[str, int])
    assert_type(await moderated("x"), str)
    assert_type(await Agent().asynchronous(), int)
    assert_type(await aclient.send_task("n", "d", 1), ApiResponse)
    assert_type(await aclient.send_tasks_batch([]), BatchResult)
    assert_type((await aclient.flush()).pending, int)
    assert_type(await asyncio.gather(moderated("x"), coroutine(1)), "tuple[str, Dict[str, int]]")
    task: "asyncio.Task[str]" = asyncio.create_task(moderated("x"))
    assert_type(await task, str)
    async with AsyncInfiniumClient() as other:
        assert_type(other, AsyncInfiniumClient)


def built() -> TaskData:
    trace = TraceBuilder("n", "d")
    with trace.step("search", "Search") as step:
        assert_type(step, StepContext)
        step.set_input("i").record_llm_call("gpt", prompt_tokens=5).set_metadata({"a": 1})
    assert_type(trace.set_section("customer", Customer("Acme")), TraceBuilder)
    return trace.build()


def context() -> None:
    found = get_current_trace_context()
    if found is not None:
        assert_type(found.calls, List[CapturedLlmCall])
    current_trace()


callback: Callable[[str], List[str]] = plain
awaited: Callable[[int], Coroutine[Any, Any, Dict[str, int]]] = coroutine

try:
    direct()
except ValidationError as error:
    assert_type(error.field, Optional[str])
except infinium.RateLimitError as error:
    assert_type(error.retry_after, Optional[int])
except infinium.InfiniumError as error:
    assert_type(error.status_code, Union[int, None])

client.trace("t", tags=["a"], ignore="b", sample=0.5, threads=False, mask=str.upper)
client.trace("t", tagz=["a"])  # type: ignore[call-overload]
client.trace("t", sample="half")  # type: ignore[call-overload]

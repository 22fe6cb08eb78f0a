"""Section 7: the decorators."""

import asyncio
import functools
import inspect
import logging
import platform
import re
import threading
import time

import pytest

import infinium
from helpers import PROMPT, PUBLISHED, Elapsed, adeliver, deliver, differs
from infinium import async_trace_agent, trace_agent
from infinium.integrations import CapturedLlmCall, get_current_trace_context, set_trace_context
from recorder import Answer


class Kinds:
    """One decorator in its sync and async spelling, and its function called and delivered."""

    def __init__(self, mode, client):
        self.mode = mode
        self.client = client

    def call(self, decorator, function, *args, **kwargs):
        """Decorates `function` (made a coroutine function if the mode says so), calls it, waits for the trace."""
        if self.mode == "sync":
            try:
                return decorator(function)(*args, **kwargs)
            finally:
                deliver(self.client)

        @functools.wraps(function)
        async def coroutine(*args, **kwargs):
            return function(*args, **kwargs)

        async def main():
            try:
                return await decorator(coroutine)(*args, **kwargs)
            finally:
                await adeliver(self.client)
                await self.client.close()

        return asyncio.run(main())

    def agent(self, name, **options):
        return (trace_agent if self.mode == "sync" else async_trace_agent)(name, self.client, **options)


@pytest.fixture(params=["sync", "async"])
def kinds(request, make_client, make_async):
    make = make_client if request.param == "sync" else make_async
    return Kinds(request.param, make(max_retries=0))


def plain(text, tone="formal"):
    return {"text": text}


# -- the whole --


@pytest.mark.parametrize("how", ["method", "agent"])
def test_the_trace(kinds, server, how):
    decorator = kinds.client.trace("Classifier") if how == "method" else kinds.agent("Classifier")
    assert kinds.call(decorator, plain, "hello", tone="kind") == {"text": "hello"}
    sent = server.trace()
    assert sent["name"] == "Classifier"
    assert sent["description"] == "Auto-traced call to plain"
    assert sent["input_summary"] == "{'args': ('hello',), 'kwargs': {'tone': 'kind'}}"
    assert sent["output_summary"] == "{'text': 'hello'}"
    (step,) = sent["steps"]
    assert set(step) == {"step_number", "action", "description", "duration_ms", "output_preview"}
    assert (step["step_number"], step["action"]) == (1, "execution")
    assert step["description"] == "Execute plain"
    assert step["output_preview"] == "{'text': 'hello'}"
    assert isinstance(step["duration_ms"], int)
    assert set(sent) == {
        "name", "description", "current_datetime", "duration", "input_summary", "output_summary", "steps",
        "environment",
    }  # fmt: skip


def test_order_of_the_keys(kinds, server):
    kinds.call(kinds.client.trace("t"), plain, "x")
    assert list(server.trace()) == (
        "name description current_datetime duration input_summary output_summary steps environment".split()
    )


def test_environment(kinds, server):
    import importlib.metadata

    kinds.call(kinds.client.trace("t"), plain, "x")
    version = importlib.metadata.version("infinium-o2" if PUBLISHED else "infinium")
    assert server.trace()["environment"] == {"python_version": platform.python_version(), "sdk_version": version}


def test_duration(kinds, server):
    kinds.call(kinds.client.trace("t"), lambda: time.sleep(0.05))
    sent = server.trace()
    assert 0.05 <= sent["duration"] < 0.5 and round(sent["duration"], 3) == sent["duration"]
    assert 50 <= sent["steps"][0]["duration_ms"] < 500


def test_current_datetime_is_the_end(kinds, server):
    kinds.call(kinds.client.trace("t"), plain, "x")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", server.trace()["current_datetime"])


# -- description --


def documented(x):
    """
    What it does.
    """
    return x


def blank(x):
    """ """
    return x


@pytest.mark.parametrize(
    "function, option, sent",
    [
        (documented, None, "What it does."),
        (documented, "Given", "Given"),
        (documented, "  Given ", "Given"),
        (documented, "", "What it does."),
        (blank, None, ""),
        (plain, None, "Auto-traced call to plain"),
        (plain, "Given", "Given"),
    ],
)
def test_description(kinds, server, function, option, sent):
    kinds.call(kinds.client.trace("t", description=option), function, 1)
    assert server.trace()["description"] == sent


# -- input --


@pytest.mark.parametrize(
    "args, kwargs",
    [
        ((), {}),
        ((1,), {}),
        ((1, 2.5, None, True, "a'b", b"\x00", [1, [2]], {"k": (1,)}, {3}), {"x": 1}),
        ((1e100, -0.0, 10**30, 1j, ..., range(3)), {"ünï": "ço\n"}),
        (("漢字 😀 \x7f \u200b \ud7ff",), {}),
        ((frozenset(), set(), (), [], {}, bytearray(b"x")), {}),
        ((int, len, ValueError("x")), {}),
        ((float("nan"), float("inf"), -float("inf")), {}),
        (("a" * 100, 'both \' and "'), {}),
    ],
)
def test_input_is_the_repr(kinds, server, args, kwargs):
    kinds.call(kinds.client.trace("t"), lambda *a, **k: None, *args, **kwargs)
    assert server.trace()["input_summary"] == repr({"args": args, "kwargs": kwargs})


class Point:
    def __init__(self, x):
        self.x = x

    def __repr__(self):
        return f"<Point {self.x}>"


class Text(str):
    def __repr__(self):
        return "Text!"


def test_input_uses_own_repr(kinds, server):
    kinds.call(kinds.client.trace("t"), lambda *a, **k: None, Point(1), k=[Point(2), Text("x")])
    assert server.trace()["input_summary"] == "{'args': (<Point 1>,), 'kwargs': {'k': [<Point 2>, Text!]}}"


@pytest.mark.parametrize(
    "value", ["x" * 5000, list(range(2000)), {i: "é" * 50 for i in range(100)}, [Point("y" * 1000)] * 5, b"z" * 9000]
)
def test_input_is_cut_at_3000(kinds, server, value):
    kinds.call(kinds.client.trace("t"), lambda *a, **k: None, value)
    full = repr({"args": (value,), "kwargs": {}})
    assert server.trace()["input_summary"] == full[:2997] + "..."


@pytest.mark.parametrize("size, cut", [(3000, False), (3001, True)])
def test_input_at_the_limit(kinds, server, size, cut):
    frame = len(repr({"args": ("",), "kwargs": {}}))
    kinds.call(kinds.client.trace("t"), lambda *a: None, "x" * (size - frame))
    sent = server.trace()["input_summary"]
    assert len(sent) == 3000 and sent.endswith("...") is cut


def test_defaults_that_are_not_passed_are_not_shown(kinds, server):
    kinds.call(kinds.client.trace("t"), plain, "x")
    assert server.trace()["input_summary"] == "{'args': ('x',), 'kwargs': {}}"


def test_input_is_as_it_was_at_entry(kinds, server):
    kinds.call(kinds.client.trace("t"), lambda items: items.append(2), [1])
    assert server.trace()["input_summary"] == "{'args': ([1],), 'kwargs': {}}"


def test_cyclic_input(kinds, server):
    items = [1]
    items.append(items)
    kinds.call(kinds.client.trace("t"), lambda x: None, items)
    assert server.trace()["input_summary"] == "{'args': ([1, [...]],), 'kwargs': {}}"


# -- output --


@pytest.mark.parametrize("value", [0, "", False, [], {}, (), 0.0, "text", [1, {"a": None}], Point(1), "漢😀", 10**50])
def test_output_is_the_repr(kinds, server, value):
    assert kinds.call(kinds.client.trace("t"), lambda: value) is value
    sent = server.trace()
    assert sent["output_summary"] == repr(value)
    assert sent["steps"][0]["output_preview"] == repr(value)


def test_none_is_no_output(kinds, server):
    kinds.call(kinds.client.trace("t"), lambda: None)
    sent = server.trace()
    assert "output_summary" not in sent
    assert sent["steps"][0]["output_preview"] == "None"


@pytest.mark.parametrize("value", ["x" * 20000, list(range(5000)), {i: "é" * 50 for i in range(400)}, "x" * 4000])
def test_output_is_cut(kinds, server, value):
    kinds.call(kinds.client.trace("t"), lambda: value)
    sent, full = server.trace(), repr(value)
    assert sent["output_summary"] == (full if len(full) <= 8000 else full[:7997] + "...")
    assert sent["steps"][0]["output_preview"] == full[:1497] + "..."


# -- errors --


def failing(x=None):
    raise ValueError(f"boom {x}")


def test_error(kinds, server):
    with pytest.raises(ValueError, match="boom 1"):
        kinds.call(kinds.client.trace("t"), failing, 1)
    sent = server.trace()
    (error,) = sent["errors"]
    assert error["error_type"] == "ValueError" and error["message"] == "boom 1"
    assert error["recoverable"] is False and error["retry_count"] == 0
    assert set(error) == {"error_type", "message", "recoverable", "retry_count", "stack_trace"}
    assert error["stack_trace"].startswith("Traceback (most recent call last):\n")
    assert error["stack_trace"].endswith("ValueError: boom 1\n")
    assert "in failing" in error["stack_trace"]
    (step,) = sent["steps"]
    assert set(step) == {"step_number", "action", "description", "duration_ms", "error"}
    assert {k: step["error"][k] for k in ("error_type", "message", "recoverable", "retry_count")} == {
        "error_type": "ValueError", "message": "boom 1", "recoverable": False, "retry_count": 0,
    }  # fmt: skip
    assert "output_summary" not in sent


def test_the_same_exception_object(kinds):
    mine = KeyError("mine")

    def raising():
        raise mine

    with pytest.raises(KeyError) as caught:
        kinds.call(kinds.client.trace("t"), raising)
    assert caught.value is mine
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_base_exceptions_are_only_at_the_step(make_client, server, error):
    client = make_client()

    @client.trace("t")
    def f():
        raise error("x")

    with pytest.raises(error):
        f()
    deliver(client)
    sent = server.trace()
    assert "errors" not in sent
    assert sent["steps"][0]["error"]["error_type"] == error.__name__
    assert "output_summary" not in sent


def test_cancellation(make_async, server):
    client = make_async()

    @client.trace("t")
    async def f(begun):
        begun.set()
        await asyncio.sleep(10)

    async def main():
        begun = asyncio.Event()
        running = asyncio.ensure_future(f(begun))
        await begun.wait()
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await adeliver(client)
        await client.close()

    asyncio.run(main())
    sent = server.trace()
    assert "errors" not in sent and sent["steps"][0]["error"]["error_type"] == "CancelledError"
    assert sent["steps"][0]["duration_ms"] >= 45


def test_exception_subclass_name(kinds, server):
    class Odd(RuntimeError):
        def __str__(self):
            return "own text"

    def raising():
        raise Odd

    with pytest.raises(Odd):
        kinds.call(kinds.client.trace("t"), raising)
    assert server.trace()["errors"][0]["error_type"] == "Odd"
    assert server.trace()["errors"][0]["message"] == "own text"


# -- context --


def test_context_is_open_inside_and_closed_outside(kinds):
    seen = []
    assert get_current_trace_context() is None
    kinds.call(kinds.client.trace("t"), lambda: seen.append(get_current_trace_context()))
    assert seen[0] is not None and seen[0].calls == [] and seen[0].prompts == []
    assert get_current_trace_context() is None


def test_context_is_restored_after_an_error(client):
    with pytest.raises(ValueError):
        client.trace("t")(failing)()
    assert get_current_trace_context() is None


def test_context_of_the_user_is_restored(client):
    from infinium.integrations import TraceContext, _context

    mine = TraceContext()
    token = set_trace_context(mine)
    try:
        client.trace("t")(plain)("x")
        assert get_current_trace_context() is mine and mine.calls == []
    finally:
        _context._current_trace_ctx.reset(token)


def llm(provider="openai", model="gpt", **more):
    get_current_trace_context().calls.append(CapturedLlmCall(provider, model, **more))


def test_one_llm_call(kinds, server):
    def f():
        llm(prompt_tokens=11, completion_tokens=7, temperature=0.2, latency_ns=10_900_000,
            input_preview="in", output_preview="out")  # fmt: skip

    kinds.call(kinds.client.trace("t"), f)
    sent = server.trace()
    call = {
        "model": "gpt", "provider": "openai", "prompt_tokens": 11, "completion_tokens": 7, "latency_ms": 10,
        "temperature": 0.2,
    }  # fmt: skip
    assert sent["steps"][1] == {
        "step_number": 2, "action": "llm_call", "description": "openai/gpt", "duration_ms": 10,
        "input_preview": "in", "output_preview": "out", "llm_call": call,
    }  # fmt: skip
    assert sent["llm_usage"] == {
        "model": "gpt", "provider": "openai", "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
        "api_calls_count": 1, "total_latency_ms": 10, "calls": [call],
    }  # fmt: skip


def test_llm_call_without_numbers(kinds, server):
    kinds.call(kinds.client.trace("t"), llm)
    sent = server.trace()
    assert sent["steps"][1] == {
        "step_number": 2, "action": "llm_call", "description": "openai/gpt",
        "llm_call": {"model": "gpt", "provider": "openai"},
    }  # fmt: skip
    assert sent["llm_usage"] == {
        "model": "gpt", "provider": "openai", "api_calls_count": 1, "calls": [{"model": "gpt", "provider": "openai"}],
    }  # fmt: skip


def test_several_llm_calls(kinds, server):
    def f():
        llm(prompt_tokens=1, latency_ns=5_000_000)
        llm("openai", "gpt", completion_tokens=2)
        llm("anthropic", "claude", error_type="E", error_message="m", latency_ns=2_000_000)

    kinds.call(kinds.client.trace("t"), f)
    sent = server.trace()
    assert [s["step_number"] for s in sent["steps"]] == [1, 2, 3, 4]
    assert [s["description"] for s in sent["steps"][1:]] == ["openai/gpt", "openai/gpt", "anthropic/claude"]
    assert sent["steps"][3]["error"] == {
        "error_type": "E", "message": "m", "recoverable": False, "retry_count": 0,
    }  # fmt: skip
    usage = sent["llm_usage"]
    assert (usage["model"], usage["provider"], usage["api_calls_count"]) == ("multiple", "multiple", 3)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (1, 2, 3)
    assert usage["total_latency_ms"] == 7 and len(usage["calls"]) == 3


def test_two_equal_models_are_multiple(kinds, server):
    def f():
        llm()
        llm()

    kinds.call(kinds.client.trace("t"), f)
    assert server.trace()["llm_usage"]["model"] == "multiple"


def test_llm_calls_of_a_failed_function(kinds, server):
    def f():
        llm()
        raise ValueError("x")

    with pytest.raises(ValueError):
        kinds.call(kinds.client.trace("t"), f)
    sent = server.trace()
    assert len(sent["steps"]) == 2 and sent["llm_usage"]["api_calls_count"] == 1 and sent["errors"]


# -- sending --


@differs("inline-send", "a decorated call of ours does not wait for its trace to be sent")
def test_when_it_is_sent(make_client, server):
    client = make_client(max_retries=0)
    server.always(Answer(201, {"traceId": "x"}, delay=0.4))
    with Elapsed() as took:
        client.trace("t")(plain)("x")
    assert took.s > 0.35 if PUBLISHED else took.s < 0.2
    deliver(client)
    assert server.trace()["name"] == "t"


@differs("lost-auto-send", "a trace that cannot be sent is kept in the journal and sent later, not lost")
def test_send_that_fails(make_client, server, caplog):
    client = make_client(max_retries=0)
    server.script(Answer(503, {"error": "down"}))
    with caplog.at_level(logging.WARNING):
        assert client.trace("t")(plain)("x") == {"text": "x"}
        deliver(client)
    if PUBLISHED:
        (record,) = [r for r in caplog.records if r.name == "infinium.tracing"]
        assert record.getMessage() == "Failed to auto-send trace for t" and record.exc_info
        assert len(server.requests) == 1
    else:
        assert len(server.requests) == 2 and server.traces[0] == server.traces[1]


@pytest.mark.parametrize("how", ["no client", "auto_send off", "method with auto_send off"])
def test_not_sent(kinds, server, how):
    decorator = {
        "no client": lambda: (trace_agent if kinds.mode == "sync" else async_trace_agent)("t"),
        "auto_send off": lambda: kinds.agent("t", auto_send=False),
        "method with auto_send off": lambda: kinds.client.trace("t", auto_send=False),
    }[how]()
    assert kinds.call(decorator, plain, "x") == {"text": "x"}
    assert not server.wait(1, 0.1)


def test_error_without_client():
    with pytest.raises(ValueError, match="boom 1"):
        trace_agent("t")(failing)(1)


def test_many_calls_send_one_trace_each(make_client, server):
    client = make_client(requests_per_second=10000.0)
    f = client.trace("t")(lambda i: i)
    assert [f(i) for i in range(50)] == list(range(50))
    deliver(client)
    assert server.wait(50, 10)
    assert sorted(int(t["output_summary"]) for t in server.traces) == list(range(50))


# -- what is decorated --


def test_wraps(client, aclient):
    def sync(a, b=1):
        """Doc."""

    async def coroutine():
        """Doc."""

    for c in (client, aclient):
        wrapped = c.trace("t")(coroutine)
        assert inspect.iscoroutinefunction(wrapped)
        assert wrapped.__name__ == "coroutine" and wrapped.__doc__ == "Doc." and wrapped.__wrapped__ is coroutine
    wrapped = client.trace("t")(sync)
    assert wrapped.__name__ == "sync" and wrapped.__qualname__ == sync.__qualname__ and wrapped.__wrapped__ is sync
    assert wrapped.__module__ == sync.__module__ and not inspect.iscoroutinefunction(wrapped)
    assert str(inspect.signature(wrapped)) == "(a, b=1)"
    assert callable(wrapped) and wrapped.__doc__ == "Doc."


class Service:
    def __repr__(self):
        return "<K>"


def test_methods(client, server):
    class K(Service):
        @client.trace("method")
        def method(self, x):
            return (self, x)

        @classmethod
        @client.trace("class")
        def for_class(cls, x):
            return (cls, x)

        @staticmethod
        @client.trace("static")
        def static(x):
            return x

        @client.trace("static")
        @staticmethod
        def over_static(x):
            return x

    k = K()
    assert k.method(1) == (k, 1) and K.method(k, 1) == (k, 1)
    assert k.for_class(2) == (K, 2) and K.for_class(2) == (K, 2)
    assert k.static(3) == 3 and K.static(3) == 3 and K.over_static(4) == 4
    deliver(client)
    inputs = sorted(t["input_summary"] for t in server.traces)
    assert inputs.count("{'args': (<K>, 1), 'kwargs': {}}") == 2
    assert inputs.count("{'args': (3,), 'kwargs': {}}") == 2
    assert inputs.count("{'args': (4,), 'kwargs': {}}") == 1
    assert inputs.count(repr({"args": (K, 2), "kwargs": {}})) == 2


def test_async_method(aclient, server):
    class K(Service):
        @aclient.trace("method")
        async def method(self, x):
            return x

    async def main():
        assert await K().method(1) == 1
        await adeliver(aclient)
        await aclient.close()

    asyncio.run(main())
    assert server.trace()["input_summary"] == "{'args': (<K>, 1), 'kwargs': {}}"


@differs("classmethod", "trace() over a classmethod works")
def test_over_a_classmethod(client, server):
    class K:
        @client.trace("class")
        @classmethod
        def f(cls, x):
            return (cls, x)

    if PUBLISHED:
        with pytest.raises(TypeError):
            K.f(1)
    else:
        assert K.f(1) == (K, 1) and K().f(1) == (K, 1)


@differs("callables", "partial and callable objects are traced instead of breaking")
@pytest.mark.parametrize("kind", ["partial", "object"])
def test_callable_objects(client, server, kind):
    class Adder:
        def __call__(self, x):
            return x + 1

    function = functools.partial(lambda a, b: a + b, 1) if kind == "partial" else Adder()
    wrapped = client.trace("t")(function)
    if PUBLISHED:
        with pytest.raises(AttributeError):
            wrapped(1)
        return
    assert wrapped(1) == 2
    deliver(client)
    assert server.trace()["output_summary"] == "2"


def test_nested(make_client, server):
    client = make_client()

    @client.trace("inner")
    def inner(x):
        llm()
        return x

    @client.trace("outer")
    def outer(x):
        assert inner(x) == x
        context = get_current_trace_context()
        assert context is not None and context.calls == []
        return x

    outer(1)
    deliver(client)
    traces = {t["name"]: t for t in server.traces}
    assert set(traces) == {"inner", "outer"} and len(server.traces) == 2
    assert len(traces["inner"]["steps"]) == 2 and len(traces["outer"]["steps"]) == 1
    assert "llm_usage" not in traces["outer"]
    assert traces["inner"]["current_datetime"] <= traces["outer"]["current_datetime"]


def test_recursion(client, server):
    @client.trace("t")
    def countdown(n):
        return n if n == 0 else countdown(n - 1)

    assert countdown(4) == 0
    deliver(client)
    assert sorted(t["input_summary"] for t in server.traces) == [
        f"{{'args': ({n},), 'kwargs': {{}}}}" for n in range(5)
    ]


def test_concurrent_tasks_keep_apart(make_async, server):
    client = make_async(requests_per_second=10000.0)

    @client.trace("t")
    async def f(i):
        llm(model=f"m{i}")
        await asyncio.sleep(0.01)
        llm(model=f"m{i}")
        return i

    async def main():
        assert await asyncio.gather(*(f(i) for i in range(20))) == list(range(20))
        await adeliver(client)
        await client.close()

    asyncio.run(main())
    assert len(server.traces) == 20
    for sent in server.traces:
        i = sent["output_summary"]
        assert [c["model"] for c in sent["llm_usage"]["calls"]] == [f"m{i}"] * 2


def test_threads_keep_apart(make_client, server):
    from concurrent.futures import ThreadPoolExecutor

    client = make_client(requests_per_second=10000.0)

    @client.trace("t")
    def f(i):
        llm(model=f"m{i}")
        time.sleep(0.005)
        llm(model=f"m{i}")
        return i

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(f, range(20))) == list(range(20))
    deliver(client)
    assert len(server.traces) == 20
    for sent in server.traces:
        assert [c["model"] for c in sent["llm_usage"]["calls"]] == [f"m{sent['output_summary']}"] * 2


def test_to_thread_and_tasks_record_into_the_trace(make_async, server):
    client = make_async()

    async def child():
        llm(model="task")

    @client.trace("t")
    async def f():
        await asyncio.to_thread(llm, model="thread")
        await asyncio.gather(child(), child())

    async def main():
        await f()
        await adeliver(client)
        await client.close()

    asyncio.run(main())
    assert [c["model"] for c in server.trace()["llm_usage"]["calls"]] == ["thread", "task", "task"]


@differs("generators", "the trace of a generator lasts until it is exhausted")
def test_generator(client, server):
    @client.trace("t")
    def f(n):
        for i in range(n):
            time.sleep(0.02)
            yield i

    made = f(3)
    if PUBLISHED:
        assert len(server.traces) == 1 and server.trace()["output_summary"].startswith("<generator object ")
    assert list(made) == [0, 1, 2]
    deliver(client)
    assert len(server.traces) == 1
    if not PUBLISHED:
        assert server.trace()["duration"] >= 0.06 and inspect.isgeneratorfunction(f)


@differs("sync-under-async", "a synchronous function under the asynchronous client is traced")
def test_sync_function_under_the_async_client(aclient, server):
    @aclient.trace("t")
    def f(x):
        return x

    assert f(1) == 1
    if PUBLISHED:
        assert not server.requests
    else:
        deliver(aclient)
        assert server.trace()["output_summary"] == "1"


@differs("async-under-sync", "a coroutine function under the synchronous client is traced without a false warning")
def test_async_function_under_the_sync_client(client, server, caplog):
    @client.trace("t")
    async def f(x):
        return x

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(f(1)) == 1
    deliver(client)
    assert server.trace()["output_summary"] == "1"
    warned = [r for r in caplog.records if "Failed to auto-send" in r.getMessage()]
    assert len(warned) == (1 if PUBLISHED else 0)


@differs("wrong-decorator", "trace_agent over a coroutine function and async_trace_agent over a plain one work")
def test_trace_agent_on_a_coroutine_function(client, server):
    @trace_agent("t", client)
    async def f(x):
        return x

    assert asyncio.run(f(1)) == 1
    deliver(client)
    if PUBLISHED:
        assert server.trace()["output_summary"].startswith("<coroutine object ")
    else:
        assert server.trace()["output_summary"] == "1"


@differs("wrong-decorator", "trace_agent over a coroutine function and async_trace_agent over a plain one work")
def test_async_trace_agent_on_a_plain_function(aclient):
    @async_trace_agent("t", aclient)
    def f(x):
        return x

    async def main():
        result = f(1)
        return await result if inspect.isawaitable(result) else result

    if PUBLISHED:
        with pytest.raises(TypeError):
            asyncio.run(main())
    else:
        assert asyncio.run(main()) == 1


@differs("masking", "secrets in arguments and results are masked before they are stored, by default")
def test_secrets_in_arguments(client, server):
    client.trace("t")(lambda **k: None)(password="hunter2", user="ann")
    deliver(client)
    sent = server.trace()["input_summary"]
    assert "'user': 'ann'" in sent
    assert ("hunter2" in sent) is PUBLISHED


def test_prompt_fetch_in_a_trace(kinds, server):
    answer = {"promptId": PROMPT, "name": "Greeting", "version": 2, "content": "Hi {{who}}", "createdAt": "2026"}
    server.script(Answer(200, answer))

    if kinds.mode == "sync":
        kinds.client.trace("t")(lambda: kinds.client.get_prompt(PROMPT, "pk-1", variables={"who": "Ann"}))()
        deliver(kinds.client)
    else:

        @kinds.client.trace("t")
        async def f():
            await kinds.client.get_prompt(PROMPT, "pk-1", variables={"who": "Ann"})

        async def main():
            await f()
            await adeliver(kinds.client)
            await kinds.client.close()

        asyncio.run(main())
    (sent,) = server.traces
    assert list(sent)[-1] == "prompt_studio"
    (used,) = sent["prompt_studio"]["prompts_used"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", used.pop("fetched_at"))
    assert used == {
        "prompt_id": PROMPT, "prompt_name": "Greeting", "version": 2, "source": "prompt_studio",
        "variables_used": ["who"],
    }  # fmt: skip
    assert b"pk-1" not in server.posts[0].body


def test_prompt_without_variables_in_a_trace(client, server):
    server.script(Answer(200, {"promptId": PROMPT, "name": "Greeting", "version": 2, "content": "Hi", "createdAt": "2026"}))
    client.trace("t")(lambda: client.get_prompt(PROMPT, "pk-1"))()
    deliver(client)
    (used,) = server.trace()["prompt_studio"]["prompts_used"]
    assert used["variables_used"] is None


@differs("blank-name", "a trace with a blank name goes by its function's")
def test_blank_name(client, server):
    client.trace("")(plain)("x")
    deliver(client)
    assert server.trace()["name"] == ("" if PUBLISHED else "plain")


def test_length_of_the_name_is_not_checked(client, server):
    client.trace("n" * 600)(plain)("x")
    deliver(client)
    assert server.trace()["name"] == "n" * 600


def test_keyword_only_options(client):
    with pytest.raises(TypeError):
        client.trace("t", False)
    with pytest.raises(TypeError):
        trace_agent("t", None, False)


# -- what runs elsewhere, or later --


@differs("threads", "a plain thread goes on in the trace that started it")
def test_a_plain_thread(make_client):
    seen = []

    @make_client().trace("t")
    def starts_a_thread():
        thread = threading.Thread(target=lambda: seen.append(get_current_trace_context()))
        thread.start()
        thread.join()
        return get_current_trace_context()

    own = starts_a_thread()
    assert own is not None
    assert (seen == [None]) if PUBLISHED else (seen[0].trace_id == own.trace_id)


@differs("futures", "the trace of a plain function lasts until the task that it returned is done")
def test_a_plain_function_that_returns_a_task(make_client, server):
    client = make_client()

    async def work():
        await asyncio.sleep(0.02)
        return 42

    async def main():
        assert await client.trace("t")(lambda: asyncio.get_running_loop().create_task(work()))() == 42
        await asyncio.sleep(0)

    asyncio.run(main())
    deliver(client)
    output = server.trace()["output_summary"]
    assert output.startswith("<Task pending") if PUBLISHED else output == "42"


@differs("async-after-close", "what runs after close() is not traced")
def test_a_decorated_call_after_close(make_async, server):
    async def main():
        client = make_async()

        @client.trace("t")
        async def f():
            return 1

        await client.close()
        assert await f() == 1
        await adeliver(client)
        await client.close()

    asyncio.run(main())
    assert len(server.requests) == (1 if PUBLISHED else 0)

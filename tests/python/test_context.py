"""One context variable: set for a call and reset after it, whatever happens."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import body_of, traces_of

from infinium import _core, carry_context, trace_agent
from infinium.integrations import (
    CapturedLlmCall,
    TraceContext,
    get_current_trace_context,
    set_trace_context,
)
from infinium.integrations._context import _current_trace_ctx


def current():
    return get_current_trace_context()


def test_the_variable():
    assert isinstance(_current_trace_ctx, contextvars.ContextVar)
    assert _current_trace_ctx.name == "infinium_trace_ctx" and _current_trace_ctx.get() is None


def test_set_inside_reset_outside():
    seen = []
    trace_agent("t")(lambda: seen.append(current()))()
    assert isinstance(seen[0], TraceContext) and current() is None
    assert seen[0].calls == [] and seen[0].prompts == [] and not seen[0].recording

    @trace_agent("t")
    def failing():
        raise ValueError

    with pytest.raises(ValueError):
        failing()
    assert current() is None


def test_contexts_are_not_mixed_up_when_one_is_kept():
    kept = []
    f = trace_agent("t")(lambda: kept.append(current()))
    for _ in range(5):
        f()
    assert len({id(c) for c in kept}) == 5 and len({c.trace_id for c in kept}) == 5


def test_nesting():
    seen = {}

    @trace_agent("inner")
    def inner():
        seen["inner"] = current()

    @trace_agent("outer")
    def outer():
        before = current()
        inner()
        assert current() is before
        seen["outer"] = before

    outer()
    assert seen["inner"].parent_id == seen["outer"].trace_id
    assert seen["outer"].parent_id is None
    assert body_of(inner)["parent_id"] == body_of(outer)["trace_id"]


def test_the_users_own_context_is_restored():
    mine = TraceContext()
    token = set_trace_context(mine)
    try:
        trace_agent("t")(lambda: current().calls.append(1))()
        assert current() is mine and mine.calls == []
    finally:
        _current_trace_ctx.reset(token)


def test_a_made_context():
    context = TraceContext()
    assert context.calls == [] and context.trace_id is None and not context.recording
    assert TraceContext(calls=[1], prompts=[2]).calls == [1]
    assert repr(TraceContext()) == "TraceContext(calls=[], prompts=[])"


def test_calls_put_into_the_list_by_hand():
    @trace_agent("t")
    def f():
        current().calls.append(
            CapturedLlmCall("openai", "gpt", prompt_tokens=3, completion_tokens=2, temperature=0.5, latency_ns=9_000_000)
        )

    f()
    (call,) = body_of(f)["llm_usage"]["calls"]
    assert (call["provider"], call["model"], call["prompt_tokens"], call["latency_ms"]) == ("openai", "gpt", 3, 9)


def test_threads_are_part_of_the_trace():
    seen = []

    @trace_agent("t")
    def f():
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        assert "run" not in vars(thread)
        return current()

    assert f() is seen[0]
    thread = threading.Thread(target=lambda: seen.append(current()))
    thread.start()
    thread.join()
    assert seen[1] is None


def test_executors_are_part_of_the_trace_that_submits():
    @trace_agent("t")
    def f(pool):
        return current(), pool.submit(current).result()

    with ThreadPoolExecutor(1) as pool:
        first, second = f(pool), f(pool)
        assert first[0] is first[1] and second[0] is second[1] and first[0] is not second[0]
        assert pool.submit(current).result() is None


def test_carry_context():
    @trace_agent("t")
    def f():
        return current(), carry_context(current)

    mine, carried = f()
    assert contextvars.Context().run(carried) is mine and current() is None


def test_a_call_after_the_end_is_a_trace_of_its_own(client, server):
    @client.trace("agent")
    def f():
        return current()

    f().record_llm_call({"provider": "openai", "request_model": "gpt", "latency_ns": 5_000_000})
    client.flush(10)
    late = [body for body in traces_of(server) if body["name"] == "late call of agent"]
    assert late[0]["llm_usage"]["calls"][0]["model"] == "gpt" and 0.005 <= late[0]["duration"] < 1


def test_a_copied_context_keeps_the_trace():
    seen = []

    @trace_agent("t")
    def f():
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: seen.append(current()),))
        thread.start()
        thread.join()
        return current()

    assert f() is seen[0]


def test_a_token_of_another_context():
    mine = TraceContext()
    token = contextvars.copy_context().run(set_trace_context, mine)
    _core.reset(token)
    assert current() is None


def test_a_token_used_already():
    token = set_trace_context(TraceContext())
    _current_trace_ctx.reset(token)
    _core.reset(token)
    assert current() is None


def test_tasks_inherit_and_keep_apart():
    ids = {}

    async def child(name):
        await asyncio.sleep(0.001)
        ids[name] = current().trace_id

    @trace_agent("t")
    async def f(name):
        await asyncio.gather(child(name + "1"), child(name + "2"), asyncio.to_thread(lambda: ids.setdefault(name + "t", current().trace_id)))
        return current().trace_id

    async def main():
        a, b = await asyncio.gather(f("a"), f("b"))
        assert current() is None
        return a, b

    a, b = asyncio.run(main())
    assert a != b
    assert all(ids[name] == a for name in ("a1", "a2", "at")) and all(ids[name] == b for name in ("b1", "b2", "bt"))

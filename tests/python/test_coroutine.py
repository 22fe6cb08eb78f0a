"""What a traced coroutine function returns is a coroutine in every respect, and its trace ends however it ends."""

import asyncio
import collections.abc
import gc
import inspect
import sys
import types
import warnings

from conftest import body_of
import pytest

from infinium import trace_agent
from infinium.integrations import get_current_trace_context


@types.coroutine
def pause(value=None):
    return (yield value)


@trace_agent("t")
async def add(a, b=1):
    await asyncio.sleep(0)
    return a + b


def ended(function):
    trace = body_of(function)
    errors = [step["error"]["error_type"] for step in trace["steps"] if "error" in step]
    return trace["status"], errors


def test_result():
    assert asyncio.run(add(1, b=2)) == 3
    assert ended(add) == ("ok", [])
    assert body_of(add)["output_summary"] == "3"
    assert body_of(add)["input_summary"] == "{'args': (1,), 'kwargs': {'b': 2}}"


def test_is_a_coroutine():
    made = add(1)
    assert inspect.iscoroutine(made) and asyncio.iscoroutine(made) and inspect.isawaitable(made)
    assert isinstance(made, collections.abc.Coroutine) and isinstance(made, types.CoroutineType)
    assert inspect.getcoroutinestate(made) == "CORO_CREATED"
    assert made.cr_code is add.__code__ and made.cr_frame is not None and made.cr_await is None
    assert made.__name__ == "add" and made.__qualname__ == "add" and "coroutine object add" in repr(made)
    made.close()
    assert inspect.getcoroutinestate(made) == "CORO_CLOSED"


def test_tasks_and_friends():
    async def main():
        assert await asyncio.create_task(add(1)) == 2
        assert await asyncio.gather(add(1), add(2)) == [2, 3]
        assert await asyncio.wait_for(add(1), 5) == 2
        assert await asyncio.shield(add(1)) == 2
        done, _ = await asyncio.wait([asyncio.ensure_future(add(4))])
        assert done.pop().result() == 5
        assert "add" in repr(asyncio.create_task(add(1)).get_coro())

    asyncio.run(main())


def test_step_by_step():
    @trace_agent("t")
    async def f():
        got = await pause("first")
        try:
            await pause(got)
        except KeyError:
            return ("caught",)

    made = f()
    assert made.send(None) == "first" and made.send("second") == "second"
    with pytest.raises(StopIteration) as stop:
        made.throw(KeyError("x"))
    assert stop.value.value == ("caught",)
    assert body_of(f)["output_summary"] == "('caught',)" and ended(f) == ("ok", [])
    with pytest.raises(RuntimeError, match="already awaited"):
        made.send(None)


@pytest.mark.parametrize("value", [(1, 2), ValueError("returned"), StopIteration(5), None])
def test_odd_results(value):
    @trace_agent("t")
    async def f():
        return value

    assert asyncio.run(f()) is value
    with pytest.raises(StopIteration) as stop:
        f().send(None)
    assert stop.value.value is value


def test_the_context_does_not_leak_between_resumes():
    @trace_agent("t")
    async def f():
        inside.append(get_current_trace_context())
        await pause()
        inside.append(get_current_trace_context())
        try:
            await pause()
        finally:
            inside.append(get_current_trace_context())

    inside = []
    made = f()
    for _ in range(2):
        made.send(None)
        assert get_current_trace_context() is None
    made.close()
    assert get_current_trace_context() is None
    assert len(set(map(id, inside))) == 1 and inside[0] is not None


def test_interleaved():
    @trace_agent("t")
    async def f(n):
        seen.setdefault(n, set()).add(get_current_trace_context().trace_id)
        for _ in range(5):
            await pause()
            seen[n].add(get_current_trace_context().trace_id)

    seen = {}
    running = [f(n) for n in range(10)]
    while running:
        for made in list(running):
            try:
                made.send(None)
            except StopIteration:
                running.remove(made)
    assert all(len(ids) == 1 for ids in seen.values()) and len(set.union(*seen.values())) == 10


def test_exception():
    @trace_agent("t")
    async def f():
        await asyncio.sleep(0)
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom") as caught:
        asyncio.run(f())
    assert caught.value.__context__ is None
    assert ended(f) == ("error", ["ValueError"]) and body_of(f)["errors"][0]["message"] == "boom"


def test_cancellation():
    @trace_agent("t")
    async def f():
        await asyncio.sleep(30)

    async def main():
        task = asyncio.create_task(f())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended(f) == ("error", ["CancelledError"]) and "errors" not in body_of(f)


def test_cancelled_before_it_began():
    @trace_agent("t")
    async def f():
        pass

    async def main():
        task = asyncio.create_task(f())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert f.last_trace is None


def test_wait_for_times_out():
    @trace_agent("t")
    async def f():
        await asyncio.sleep(30)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(f(), 0.01)

    asyncio.run(main())
    assert ended(f) == ("error", ["CancelledError"])


def test_close_and_abandonment():
    @trace_agent("t")
    async def f():
        try:
            await pause()
        finally:
            cleaned.append(get_current_trace_context().trace_id)

    cleaned = []
    made = f()
    made.send(None)
    made.close()
    assert ended(f) == ("error", ["GeneratorExit"]) and cleaned == [body_of(f)["trace_id"]]
    made.close()
    made = f()
    made.send(None)
    del made
    gc.collect()
    assert len(cleaned) == 2 and cleaned[1] == body_of(f)["trace_id"] != cleaned[0]
    assert ended(f) == ("error", ["GeneratorExit"])


def test_close_that_is_refused():
    @trace_agent("t")
    async def f():
        try:
            await pause()
        except GeneratorExit:
            await pause()

    made = f()
    made.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        made.close()
    assert ended(f) == ("error", ["RuntimeError"])


def test_never_awaited():
    @trace_agent("t")
    async def f():
        pass

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        f()
        gc.collect()
    (warning,) = [w for w in caught if "never awaited" in str(w.message)]
    assert f.__qualname__ in str(warning.message)
    assert f.last_trace is None


def test_awaited_twice():
    async def main():
        made = add(1)
        await made
        with pytest.raises(RuntimeError, match="already awaited"):
            await made

    asyncio.run(main())


def test_resumed_while_running():
    @trace_agent("t")
    async def f():
        with pytest.raises(ValueError, match="already executing"):
            made.send(None)
        with pytest.raises(ValueError, match="already executing"):
            made.close()
        return 1

    made = f()
    with pytest.raises(StopIteration):
        made.send(None)
    assert ended(f) == ("ok", [])


def test_wrong_arguments():
    with pytest.raises(TypeError):
        add()
    assert ended(add) == ("error", ["TypeError"])


def test_yield_from_an_old_style_coroutine():
    @types.coroutine
    def old():
        return (yield from add(1).__await__())

    async def main():
        return await old()

    assert asyncio.run(main()) == 2


def test_deep_recursion_of_coroutines():
    @trace_agent("t")
    async def f(n):
        return n if n == 0 else await f(n - 1)

    assert asyncio.run(f(100)) == 0

    @trace_agent("t")
    async def endless():
        await endless()

    with pytest.raises(RecursionError):
        asyncio.run(endless())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks():
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await asyncio.gather(add(1), add(2))

    assert asyncio.run(main()) == [2, 3]


async def test_a_task_that_a_plain_function_returns_is_traced_to_its_end():
    async def work(fail):
        await asyncio.sleep(0.02)
        if fail:
            raise ValueError("from the task")
        return "done"

    start = trace_agent("later")(lambda fail: asyncio.get_running_loop().create_task(work(fail)))
    task = start(False)
    assert isinstance(task, asyncio.Task) and start.last_trace is None
    assert await task == "done"
    await asyncio.sleep(0)
    assert start.last_trace.output_summary == "'done'" and start.last_trace.duration >= 0.02
    task = start(True)
    with pytest.raises(ValueError):
        await task
    await asyncio.sleep(0)
    error = start.last_trace.errors[0]
    assert error.message == "from the task" and "in work" in error.stack_trace


async def test_a_future_that_is_cancelled_or_done_already():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    done.set_result([1])
    give = trace_agent("later")(lambda future: future)
    assert give(done) is done
    await asyncio.sleep(0)
    assert give.last_trace.output_summary == "[1]"
    waiting = loop.create_future()
    assert give(waiting) is waiting
    waiting.cancel()
    await asyncio.sleep(0)
    assert give.last_trace.steps[0].error.error_type == "CancelledError" and not give.last_trace.errors


def test_a_forgotten_exception_of_a_task_is_still_told(caplog):
    async def main():
        async def fails():
            raise ValueError("forgotten")

        start = trace_agent("later")(lambda: asyncio.get_running_loop().create_task(fails()))
        start()
        await asyncio.sleep(0.01)
        gc.collect()

    with caplog.at_level("ERROR", logger="asyncio"):
        asyncio.run(main())
        gc.collect()
    assert any("never retrieved" in record.getMessage() for record in caplog.records)


def test_a_future_that_outlives_its_loop():
    loop = asyncio.new_event_loop()
    give = trace_agent("later")(lambda: loop.create_future())
    give()
    loop.close()
    gc.collect()
    assert give.last_trace.steps[0].error.message == "the future was never done"

"""A decorated generator: its trace lasts from the first item asked for to its end, whatever that is."""

import asyncio
import inspect
import time
import types

import pytest

from infinium import trace_agent
from infinium.integrations import get_current_trace_context as current


@trace_agent("count")
def count(n):
    for i in range(n):
        yield i
    return "end"


@trace_agent("talk")
def talk():
    heard = []
    while True:
        try:
            heard.append((yield len(heard)))
        except KeyError:
            heard.append("key")
        if heard[-1] == "stop":
            return heard


def test_is_a_generator():
    made = count(1)
    assert inspect.isgeneratorfunction(count) and isinstance(made, types.GeneratorType)
    assert made.gi_frame is not None and iter(made) is made and made.__name__ == "count"


def test_output_is_what_was_yielded():
    assert list(count(3)) == [0, 1, 2]
    task = count.last_trace
    assert task.output_summary == "[0, 1, 2] (3 items) -> 'end'" and task.status == "ok" and task.errors is None


def test_output_is_bounded():
    assert sum(count(100_000)) == 4999950000
    text = count.last_trace.output_summary
    assert text.endswith("... (100000 items) -> 'end'") and len(text) <= 8000


def test_send_throw_and_the_returned_value():
    made = talk()
    assert next(made) == 0 and made.send("a") == 1 and made.throw(KeyError()) == 2
    with pytest.raises(StopIteration) as stopped:
        made.send("stop")
    assert stopped.value.value == ["a", "key", "stop"]
    assert talk.last_trace.output_summary.startswith("[0, 1, 2] (3 items) -> ['a', 'key', 'stop']")


def test_yield_from():
    def outer():
        result = yield from count(2)
        yield result

    assert list(outer()) == [0, 1, "end"]


@pytest.mark.parametrize("way", ["close", "drop", "break"])
def test_closed_early(way):
    cleaned = []

    @trace_agent("t")
    def f():
        try:
            yield 1
            yield 2
        finally:
            cleaned.append(current().trace_id)

    if way == "break":
        for _ in f():
            break
    else:
        made = f()
        next(made)
        if way == "close":
            made.close()
        del made
    task = f.last_trace
    assert cleaned == [task.trace_id] and task.status == "ok" and task.errors is None
    assert task.output_summary.startswith("[1] (1 item") and task.steps[0].error.error_type == "GeneratorExit"


def test_never_begun_leaves_no_trace():
    @trace_agent("t")
    def f():
        yield 1

    f().close()
    f()
    assert f.last_trace is None


def test_an_exception():
    @trace_agent("t")
    def f():
        yield 1
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        list(f())
    task = f.last_trace
    assert task.errors[0].message == "late" and "in f" in task.errors[0].stack_trace
    assert task.output_summary == "[1] (1 item)"


def test_the_consumer_never_sees_the_trace():
    seen = []

    @trace_agent("t")
    def f():
        for _ in range(3):
            seen.append(current().trace_id)
            yield

    for _ in f():
        assert current() is None
    assert seen == [f.last_trace.trace_id] * 3


def test_a_plain_function_that_returns_a_generator():
    @trace_agent("t")
    def f(n):
        return (i for i in range(n))

    assert list(f(2)) == [0, 1] and f.last_trace.output_summary == "[0, 1] (2 items)"
    mine = (i for i in range(2))
    passed = trace_agent("t")(lambda g: g)
    assert passed(mine) is mine


def test_a_plain_function_that_returns_a_coroutine():
    async def answer():
        await asyncio.sleep(0)
        return current().trace_id

    @trace_agent("t")
    def f():
        return answer()

    assert asyncio.run(f()) == f.last_trace.trace_id and current() is None


@trace_agent("acount")
async def acount(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield current().trace_id


def test_async_generator():
    async def main():
        ids = []
        async for i in acount(3):
            assert current() is None
            ids.append(i)
        return ids

    ids = asyncio.run(main())
    assert ids == [acount.last_trace.trace_id] * 3
    assert acount.last_trace.output_summary.endswith("(3 items)") and acount.last_trace.status == "ok"
    assert inspect.isasyncgenfunction(acount) and inspect.isasyncgen(acount(1))


def test_async_generator_asend_athrow_aclose():
    cleaned = []

    @trace_agent("t")
    async def f():
        got = None
        try:
            while True:
                try:
                    got = yield got
                except KeyError:
                    got = "key"
        finally:
            cleaned.append(current().trace_id)

    async def main():
        made = f()
        assert await made.__anext__() is None and await made.asend("a") == "a" and await made.athrow(KeyError()) == "key"
        await made.aclose()

    asyncio.run(main())
    task = f.last_trace
    assert cleaned == [task.trace_id] and task.steps[0].error.error_type == "GeneratorExit" and task.status == "ok"


def test_async_generator_left_early_and_failing():
    @trace_agent("t")
    async def f(fail):
        yield 1
        if fail:
            raise ValueError("late")
        yield 2

    async def main(fail):
        async for _ in f(fail):
            if not fail:
                break

    asyncio.run(main(False))
    assert f.last_trace.output_summary.startswith("[1] (1 item")
    with pytest.raises(ValueError):
        asyncio.run(main(True))
    assert f.last_trace.errors[0].message == "late"


def test_a_thousand_at_once():
    async def main():
        async def drain():
            return [i async for i in acount(3)]

        return await asyncio.gather(*(drain() for _ in range(1000)))

    ids = asyncio.run(main())
    assert all(len(set(three)) == 1 for three in ids) and len({three[0] for three in ids}) == 1000


def test_cost_of_an_item():
    def bare(n):
        for i in range(n):
            yield i

    traced = trace_agent("t")(bare)

    def best(f):
        times = []
        for _ in range(7):
            start = time.thread_time_ns()
            for _ in f(20_000):
                pass
            times.append((time.thread_time_ns() - start) / 20_000)
        return min(times)

    assert best(traced) - best(bare) < 1000  # nanoseconds; a bound that a loaded machine keeps

"""From a decorated call to the real receiver, and what happens when it is not there."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import AGENT, SECRET, stored, traces_of
from infinium import AsyncInfiniumClient, InfiniumClient
from scripted import Answer

NOBODY = "http://127.0.0.1:9/api/v1"


def test_every_trace_arrives(receiver):
    client = InfiniumClient(receiver.agent_id, receiver.agent_secret, receiver.base_url)

    @client.trace("inner")
    def inner(x):
        return x * 2

    @client.trace("outer")
    def outer(x):
        return inner(x)

    @client.trace("failing")
    def failing():
        raise ValueError("boom")

    for i in range(50):
        assert outer(i) == 2 * i
    with pytest.raises(ValueError):
        failing()
    result = client.flush(20)
    assert (result.delivered, result.pending, result.lost) == (101, 0, 0) and result
    client.close()
    listed = stored(receiver)
    assert len(listed) == 101
    assert sum(t["name"] == "outer" and t["status"] == "ok" for t in listed) == 50
    assert [t["status"] for t in listed if t["name"] == "failing"] == ["error"]


def test_async(receiver):
    async def main():
        async with AsyncInfiniumClient(receiver.agent_id, receiver.agent_secret, receiver.base_url) as client:

            @client.trace("t")
            async def f(i):
                await asyncio.sleep(0.001)
                return i

            await asyncio.gather(*(f(i) for i in range(20)))
            return await client.flush(20)

    result = asyncio.run(main())
    assert (result.delivered, result.pending) == (20, 0)
    assert len(stored(receiver)) == 20


def test_the_body(client, server):
    @client.trace("Classifier", description="What for")
    def classify(text, tone="formal"):
        return {"text": text}

    classify("hello", tone="kind")
    assert client.flush(10).pending == 0
    (sent,) = traces_of(server)
    sent.pop("current_datetime"), sent.pop("duration"), sent.pop("environment")
    sent["steps"][0].pop("duration_ms")
    assert sent == {
        "name": "Classifier",
        "description": "What for",
        "input_summary": "{'args': ('hello',), 'kwargs': {'tone': 'kind'}}",
        "output_summary": "{'text': 'hello'}",
        "steps": [
            {
                "step_number": 1,
                "action": "execution",
                "description": "Execute classify",
                "output_preview": "{'text': 'hello'}",
            }
        ],
    }


def test_calls_do_not_wait_for_the_network(client, server):
    server.answer = Answer(201, {"traceId": "x"}, delay=1)
    f = client.trace("t")(lambda: 1)
    start = time.perf_counter()
    for _ in range(100):
        f()
    assert time.perf_counter() - start < 0.5


def test_async_flush_does_not_block_the_loop(server):
    server.answer = Answer(201, {"traceId": "x"}, delay=0.5)

    async def main():
        client = AsyncInfiniumClient(AGENT, SECRET, server.url + "/api/v1")
        client.trace("t")(lambda: 1)()
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        result = await client.flush(10)
        ticking.cancel()
        await client.close()
        return result, ticks

    result, ticks = asyncio.run(main())
    assert result.delivered == 1 and ticks > 5


def test_flush_that_times_out():
    client = InfiniumClient(AGENT, SECRET, NOBODY)
    client.trace("t")(lambda: 1)()
    start = time.perf_counter()
    result = client.flush(0.2)
    assert 0.15 < time.perf_counter() - start < 2
    assert (result.delivered, result.pending, result.lost) == (0, 1, 0) and not result
    client.close(0)


def test_a_flush_does_not_hammer_a_failing_receiver(server):
    server.answer = Answer(500)
    client = InfiniumClient(AGENT, SECRET, server.url + "/api/v1")
    client.trace("t")(lambda: 1)()
    client.flush(2.5)
    assert 2 <= len(server.asked) <= 10, len(server.asked)
    server.answer = Answer(201)
    start = time.perf_counter()
    assert client.flush(20).delivered == 1
    assert time.perf_counter() - start < 2, "somebody waits: no backoff is longer than a second"
    client.close(0)


def run(program, *, wait=True, **environment):
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment},
    )  # fmt: skip
    if not wait:
        return process
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


PROGRAM = """
import infinium, time, sys, os
client = infinium.InfiniumClient()
f = client.trace("t")(lambda i: i)
for i in range({count}):
    f(i)
{then}
"""


def environment(receiver, base_url=None):
    return {
        "INFINIUM_AGENT_ID": receiver.agent_id,
        "INFINIUM_AGENT_SECRET": receiver.agent_secret,
        "INFINIUM_BASE_URL": base_url or receiver.base_url,
    }


def test_a_program_that_just_ends(receiver):
    code, _, err = run(PROGRAM.format(count=100, then=""), **environment(receiver))
    assert (code, err) == (0, "")
    deadline = time.monotonic() + 10
    while len(stored(receiver)) < 100 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(stored(receiver)) == 100


def test_nobody_there_at_the_end(receiver):
    then = "print(time.time())"
    code, out, err = run(PROGRAM.format(count=1000, then=then), **environment(receiver, NOBODY))
    unreachable, counts = err.splitlines()
    assert code == 0 and "cannot be reached" in unreachable
    assert "begun=1000; open=0; finished=1000; pending=1000; " in counts
    assert time.time() - float(out) < 3
    with InfiniumClient(receiver.agent_id, receiver.agent_secret, receiver.base_url) as client:
        client.trace("next")(lambda: 1)()
        deadline = time.monotonic() + 15
        while len(stored(receiver)) < 500 and time.monotonic() < deadline:
            client.flush(1)
        counted = client.stats()
    assert counted["adopted"] == 1000


def test_kill_9(receiver):
    then = "print('ready', flush=True); time.sleep(30)"
    process = run(PROGRAM.format(count=200, then=then), wait=False, **environment(receiver, NOBODY))
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close(), process.stderr.close()
    with InfiniumClient(receiver.agent_id, receiver.agent_secret, receiver.base_url) as client:
        client.trace("next")(lambda: 1)()
        deadline = time.monotonic() + 15
        while len(stored(receiver)) < 201 and time.monotonic() < deadline:
            client.flush(1)
    assert len(stored(receiver)) == 201


def test_fork(receiver):
    then = """
child = os.fork()
for i in range(10):
    f(i)
client.flush(10)
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    code, _, err = run(PROGRAM.format(count=10, then=then), **environment(receiver))
    assert code == 0, err
    assert len(stored(receiver)) == 30


def test_exit_in_the_middle(receiver):
    """Traces that are open in daemon threads when the interpreter ends do not crash it."""
    then = """
import threading
@client.trace("stuck")
def stuck():
    while True:
        time.sleep(0.001); f(1)
for _ in range(4):
    threading.Thread(target=stuck, daemon=True).start()
time.sleep(0.2)
"""
    for _ in range(3):
        code, _, err = run(PROGRAM.format(count=1, then=then), **environment(receiver))
        assert code == 0, err


def test_wrong_secret(receiver, caplog):
    client = InfiniumClient(receiver.agent_id, "not the right one", receiver.base_url)
    client.trace("t")(lambda: 1)()
    result = client.flush(1)
    assert result.pending == 1 and stored(receiver) == []
    assert any(record.name == "infinium" for record in caplog.records)
    client.close(0)


def test_control_c_ends_a_flush():
    then = "print('flushing', flush=True); client.flush(30)"
    process = run(
        PROGRAM.format(count=1, then=then), wait=False,
        INFINIUM_AGENT_ID=AGENT, INFINIUM_AGENT_SECRET=SECRET, INFINIUM_BASE_URL=NOBODY,
    )  # fmt: skip
    assert process.stdout.readline() == "flushing\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=5)
    assert "KeyboardInterrupt" in err


def test_traces_arrive_in_the_order_in_which_they_ended(server):
    """Also where the server does not take batches, and is slow."""
    server.answer = Answer(201, {"success": True}, delay=0.01)
    with InfiniumClient(AGENT, SECRET, base_url=server.url + "/api/v1", enable_rate_limiting=False) as client:

        @client.trace("inner")
        def inner(i):
            return i

        @client.trace("outer")
        def outer(i):
            return inner(i)

        for i in range(12):
            outer(i)
        assert client.flush(20)
    names = [(body["name"], body["output_summary"]) for body in traces_of(server)]
    assert names == [(name, str(i)) for i in range(12) for name in ("inner", "outer")]

"""Threads, processes, anyio's loops and gevent's greenlets."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def test_a_thread_pool(client, sent):
    f = client.trace("pool")(lambda number: number + 1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(f, range(200))) == list(range(1, 201))
    assert sorted(int(t["output_summary"]) for t in sent()["pool"]) == list(range(1, 201))


@pytest.fixture
def jobs(server, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    sys.modules.pop("jobs", None)
    import jobs

    yield jobs
    jobs.client.close()
    sys.modules.pop("jobs", None)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_multiprocessing(jobs, server, how):
    context = multiprocessing.get_context(how)
    with context.Pool(2) as pool:
        assert pool.map(jobs.square_and_flush, range(6)) == [0, 1, 4, 9, 16, 25]
    assert jobs.square_and_flush(9) == 81
    outputs = sorted(int(asked.json["output_summary"]) for asked in server.asked)
    assert outputs == [0, 1, 4, 9, 16, 25, 81]


@pytest.mark.timeout(90)
def test_a_process_pool_pickles_the_traced_function_by_name(jobs, server):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(jobs.square, range(4))) == [0, 1, 4, 9]
        assert list(pool.map(jobs.square_and_flush, [5])) == [25]
    # What the other worker had not delivered at its end stays in the journal, for the agent's next client.
    assert 25 in [int(asked.json["output_summary"]) for asked in server.asked]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(client, sent, backend):
    anyio = pytest.importorskip("anyio")
    if backend == "trio":
        pytest.importorskip("trio")

    @client.trace("inner")
    async def inner(number):
        await anyio.sleep(0.01)
        return number

    @client.trace("plain")
    def plain(number):
        return number

    @client.trace("outer")
    async def outer():
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(inner, number)
        with anyio.move_on_after(0.02) as scope:
            await inner_forever()
        return scope.cancelled_caught, await anyio.to_thread.run_sync(plain, 7)

    @client.trace("cancelled")
    async def inner_forever():
        await anyio.sleep(30)

    assert anyio.run(outer, backend=backend) == (True, 7)
    traces = sent()
    assert (len(traces["inner"]), len(traces["plain"]), len(traces["outer"])) == (20, 1, 1)
    assert "errors" not in traces["cancelled"][0] and "ancel" in traces["cancelled"][0]["steps"][0]["error"]["error_type"]


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent, infinium
from infinium.integrations import get_current_trace_context

client = infinium.InfiniumClient(enable_rate_limiting=False)
seen = []

@client.trace("inner")
def inner(number):
    mine = get_current_trace_context()
    gevent.sleep(0.01)
    assert get_current_trace_context() is mine, "greenlets do not see each other's traces"
    seen.append(mine.parent_id)
    return number

@client.trace("outer")
def outer(number):
    gevent.sleep(0.005)
    mine = get_current_trace_context().trace_id
    result = inner(number)
    assert mine in seen
    return result

assert sorted(job.get(timeout=10) for job in [gevent.spawn(outer, n) for n in range(50)]) == list(range(50))
assert get_current_trace_context() is None
assert client.flush(20).pending == 0
print(client.send_task("direct", "d", 1).success)
client.close()
"""


@pytest.mark.timeout(90)
def test_gevent(server):
    pytest.importorskip("gevent")
    done = subprocess.run([sys.executable, "-c", GREENLETS], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
    names = [asked.json["name"] for asked in server.asked]
    assert (names.count("outer"), names.count("inner"), names.count("direct")) == (50, 50, 1)

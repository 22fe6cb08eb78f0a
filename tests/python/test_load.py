"""Many calls: nothing leaks, threads do not disturb each other."""

import asyncio
import gc
import os
import resource
import subprocess
import sys
import threading
import tracemalloc

import pytest

from infinium import InfiniumClient, trace_agent
from infinium.integrations import get_current_trace_context


@pytest.fixture
def client(monkeypatch):
    """Of a receiver that is down: nothing in this process but the calls."""
    monkeypatch.setenv("INFINIUM_JOURNAL", "memory")
    made = InfiniumClient("11111111-2222-3333-4444-555555555555", "correct-horse-battery", "http://127.0.0.1:9")
    yield made
    made.close(0)


def sync(x):
    return [x]


async def later(x):
    return [x]


def failing(x):
    raise ValueError(x)


def call_sync(f):
    f("abc")


def call_failing(f):
    try:
        f("abc")
    except ValueError:
        pass


def call_async(f):
    try:
        f("abc").send(None)
    except StopIteration:
        pass


def call_closed(f):
    f("abc").close()


@pytest.mark.parametrize(
    "function, call",
    [(sync, call_sync), (failing, call_failing), (later, call_async), (later, call_closed)],
    ids=["sync", "failing", "async", "closed"],
)
def test_no_leaks(function, call, client):
    f = client.trace("t")(function)
    for _ in range(1000):
        call(f)
    gc.collect()
    counted = [sys.getrefcount(f), sys.getrefcount(function), sys.getrefcount(None)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100_000):
        call(f)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    after = [sys.getrefcount(f), sys.getrefcount(function), sys.getrefcount(None)]
    assert grown < 20_000
    assert all(abs(a - b) < 20 for a, b in zip(after, counted))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300 * 1024


def test_decorating_does_not_leak(client):
    def make():
        def f():
            return g

        g = client.trace("t")(f)
        g()

    for _ in range(100):
        make()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(1000):
        make()
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_threads():
    @trace_agent("inner")
    def inner(n):
        return get_current_trace_context().parent_id

    @trace_agent("outer")
    def outer(n):
        mine = get_current_trace_context().trace_id
        assert inner(n) == mine and get_current_trace_context().trace_id == mine
        return n

    failures = []

    def work():
        try:
            for n in range(3000):
                assert outer(n) == n
                assert get_current_trace_context() is None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_many_tasks(client):
    @client.trace("t")
    async def f(n):
        await asyncio.sleep(0)
        return n

    async def main():
        return await asyncio.gather(*(f(n) for n in range(5000)))

    before = client.stats()
    assert asyncio.run(main()) == list(range(5000))
    after = client.stats()
    assert after["begun"] - before["begun"] == 5000 and after["open"] == 0


def test_a_function_is_traced_where_no_module_can_be_loaded_any_more(tmp_path):
    """Without a free descriptor `import` raises OSError; decorating must not."""
    program = """
import sys, errno
import infinium

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("concurrent"):
            raise OSError(errno.EMFILE, "Too many open files")

sys.meta_path.insert(0, Nothing())
client = infinium.InfiniumClient("11111111-2222-3333-4444-555555555555", "secret-of-tests", base_url="http://127.0.0.1:1/api/v1")

@client.trace("works")
def twice(x):
    return 2 * x

assert "concurrent.futures" not in sys.modules
assert twice(2) == 4
assert client.stats()["finished"] == 1
"""
    environment = dict(os.environ, INFINIUM_JOURNAL_DIR=str(tmp_path))
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)


def test_the_program_ends_with_an_interpreter_that_nobody_destroyed(tmp_path):
    """It ends while the runtime is finalised; a client that lets go of the GIL then takes the main thread with it."""
    program = """
try:
    import _interpreters as interpreters
    other = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    other = interpreters.create(isolated=False)
code = "import infinium\\nc = infinium.InfiniumClient('11111111-2222-3333-4444-555555555555', 'secret-of-tests', base_url='http://127.0.0.1:1/api/v1')\\nc.trace('sub')(lambda i: i)(1)"
interpreters.run_string(other, code)
print("done", flush=True)
"""
    environment = dict(os.environ, INFINIUM_JOURNAL_DIR=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        assert process.wait(20) == 0
    finally:
        process.kill()

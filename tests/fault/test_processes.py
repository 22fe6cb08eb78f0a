"""Processes that fork, exec, are told to end or just end, as users' servers do: every trace of parent and children
arrives exactly once, and no program here has a line for that."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from conftest import e2e

TRACED = """
    import os, signal, sys, threading, time
    from infinium import InfiniumClient
    client = InfiniumClient(enable_rate_limiting=False)

    def traced(name):
        return client.trace(name)(lambda i: i)
"""


def test_os_fork(program, arrived):
    program.run(
        TRACED
        + """
    parent, child, grandchild = traced("parent"), traced("child"), traced("grandchild")
    for i in range(50):
        parent(i)
    children = []
    for end in ("return", "exit", "_exit", "kill"):
        pid = os.fork()
        if pid == 0:
            for i in range(25):
                child(i)
            if end == "return":
                if os.fork() == 0:
                    for i in range(10):
                        grandchild(i)
                    os._exit(0)
                os.wait()
            elif end == "exit":
                sys.exit(0)
            elif end == "_exit":
                os._exit(0)
            else:
                os.kill(os.getpid(), signal.SIGKILL)
            client.close()
            os._exit(0)
        children.append(pid)
        for i in range(10):
            parent(i)
    for pid in children:
        os.waitpid(pid, 0)
"""
    )
    assert arrived() == {"parent": 90, "child": 100, "grandchild": 10}


def test_fork_while_other_threads_trace(program, arrived):
    program.run(
        TRACED
        + """
    parent, child = traced("parent"), traced("child")
    made = [0] * 4
    stop = threading.Event()

    def work(place):
        while not stop.is_set():
            parent(0)
            made[place] += 1
            time.sleep(0.0002)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            for i in range(5):
                child(i)
            os._exit(0)
        children.append(pid)
        time.sleep(0.005)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    stop.set()
    for thread in threads:
        thread.join()
    assert not any(statuses), statuses
    open(os.environ["MADE"], "w").write(str(sum(made)))
""",
        environment={"MADE": str(program.folder / "made")},
    )
    found = arrived()
    # A fork cuts the calls that other threads are just in: those traces belong to the parent, which ends them.
    assert found.pop("child") == 100
    assert found == {"parent": int((program.folder / "made").read_text())}


def test_fork_of_the_c_library(program, arrived):
    """As a server in C with an embedded Python does it: Python's own hooks do not run."""
    program.run(
        TRACED
        + """
    import ctypes
    fork = ctypes.PyDLL(None).fork
    parent, child = traced("parent"), traced("child")
    for i in range(20):
        parent(i)
    children = []
    for _ in range(4):
        pid = fork()
        if pid == 0:
            for i in range(25):
                child(i)
            os._exit(0)
        children.append(pid)
        parent(0)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
"""
    )
    assert arrived() == {"parent": 24, "child": 100}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(program, arrived, method):
    program.run(
        f"""
    import multiprocessing, time
    from infinium import InfiniumClient
    client = InfiniumClient(enable_rate_limiting=False)

    @client.trace("in a pool")
    def work(i):
        return 2 * i

    @client.trace("in a process")
    def alone(i):
        return i

    @client.trace("parent")
    def parent(i):
        return i

    if __name__ == "__main__":
        parent(0)
        context = multiprocessing.get_context("{method}")
        with context.Pool(3) as pool:  # ends its workers with SIGTERM
            assert pool.map(work, range(200), chunksize=7) == [2 * i for i in range(200)]
        processes = [context.Process(target=alone, args=(i,)) for i in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        parent(1)
"""
    )
    assert arrived() == {"in a pool": 200, "in a process": 3, "parent": 2}


APP = """
import os
from infinium import InfiniumClient
client = InfiniumClient(enable_rate_limiting=False)

@client.trace("at import")
def load():
    return os.getpid()

@client.trace("request")
def answer(path):
    return path

load()

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    answer(environ["PATH_INFO"])
    return [str(os.getpid()).encode()]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/", timeout=10) as got:
        return got.read()


def tool(name):
    """A command beside this Python or in PATH; without it there is nothing to test."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (tests/fault/requirements.txt)")
    return found


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_gunicorn(program, arrived, preload):
    command = tool("gunicorn")
    (program.folder / "traced_app.py").write_text(APP)
    port = free_port()
    with open(program.folder / "log", "w") as log:
        server = subprocess.Popen(
            [command, "-w", "2", "-b", f"127.0.0.1:{port}", *(["--preload"] if preload else []), "traced_app:app"],
            cwd=program.folder, env=program.environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            e2e.wait_for("gunicorn", lambda: "Booting worker" in (program.folder / "log").read_text())
            e2e.wait_for("an answer", lambda: _answers(port))
            workers = {ask(port) for _ in range(60)}
            assert len(workers) >= 1
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    found = arrived()
    assert found.pop("request") >= 61  # and the attempts while it started that were answered
    assert found == {"at import": 1 if preload else 2}
    log_text = (program.folder / "log").read_text()
    assert "Traceback" not in log_text, log_text


def _answers(port):
    try:
        return ask(port)
    except OSError:
        return None


TASKS = """
from celery import Celery
from infinium import InfiniumClient
client = InfiniumClient(enable_rate_limiting=False)
app = Celery("tasks", broker="filesystem://")
app.conf.update(
    broker_transport_options={"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"},
    worker_hijack_root_logger=False,
)

@app.task
@client.trace("task")
def work(i):
    return i
"""


def test_celery_prefork(program, arrived):
    command = tool("celery")
    for name in ("queue", "control"):
        (program.folder / name).mkdir()
    (program.folder / "tasks.py").write_text(TASKS)
    subprocess.run(
        [sys.executable, "-c", "import tasks\nfor i in range(30): tasks.work.delay(i)"],
        cwd=program.folder, env=program.environment, check=True, timeout=60,
    )  # fmt: skip
    with open(program.folder / "log", "w") as log:
        worker = subprocess.Popen(
            [command, "-A", "tasks", "worker", "--pool", "prefork", "-c", "2", "--without-gossip", "--without-mingle",
             "--loglevel", "info"],
            cwd=program.folder, env=program.environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            e2e.wait_for("30 tasks", lambda: (program.folder / "log").read_text().count(" succeeded in ") >= 30, 60)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)
    assert arrived() == {"task": 30}


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGKILL", "_exit", "exit", "abort"])
def test_ends(program, arrived, how):
    """However a process ends, what it had finished is there, and what it had not is interrupted."""
    ends = {
        "_exit": "os._exit(3)",
        "exit": "sys.exit(3)",
        "abort": "os.abort()",
    }
    program.run(
        TRACED
        + f"""
    done = traced("done")
    for i in range(20):
        done(i)

    @client.trace("cut")
    def cut():
        {ends.get(how, f"os.kill(os.getpid(), signal.{how}); time.sleep(10)")}

    cut()
""",
        check=False,
    )
    found = arrived()
    assert found.pop("done") == 20
    # A normal exit and Ctrl-C unwind the stack: the call ends, as an error. Everything else cuts it.
    assert found == ({"cut error": 1} if how in ("exit", "SIGINT") else {"cut interrupted": 1})


def test_daemon_threads_at_exit(program, arrived):
    """They trace while the interpreter ends under them: it ends, at once and properly, and what they did is there."""
    started = time.monotonic()
    process = program.run(
        TRACED
        + """
    forever = traced("forever")

    def work():
        while True:
            forever(0)

    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.3)
"""
    )
    assert time.monotonic() - started < 20
    assert process.returncode == 0
    assert arrived()["forever"] > 0


def test_receiver_down_at_exit(receiver, program, arrived):
    receiver.stop()
    started = time.monotonic()
    program.run(TRACED + "    for i in range(500):\n        traced('kept')(i)\n")
    assert time.monotonic() - started < 10
    receiver.start()
    assert arrived() == {"kept": 500}


def test_sub_interpreters(program, arrived):
    """Interpreters that share the GIL trace like the main one, each with clients of its own; one with its own GIL (from
    Python 3.12) is refused by an ImportError, and the others go on."""
    process = program.run(
        TRACED
        + """
    try:
        import _interpreters as interpreters

        create = interpreters.create
        failure = lambda interpreter, code: interpreters.run_string(interpreter, code)
    except ImportError:
        import _xxsubinterpreters as interpreters

        create = lambda kind: interpreters.create(isolated=kind == "isolated" and sys.version_info >= (3, 12))

        def failure(interpreter, code):
            try:
                interpreters.run_string(interpreter, code)
            except interpreters.RunFailedError as error:
                return error

    main = traced("main")
    main(0)
    code = "from infinium import InfiniumClient\\nwith InfiniumClient() as c: [c.trace('sub')(lambda i: i)(i) for i in range(20)]"
    for _ in range(2):
        other = create("legacy")
        error = failure(other, code)
        assert error is None, error
        interpreters.destroy(other)
    if sys.version_info >= (3, 12):
        other = create("isolated")
        error = failure(other, code)
        assert error is not None and "subinterpreters" in str(error), error
        interpreters.destroy(other)
    main(1)
    print("done")
"""
    )
    assert "done" in process.stdout
    assert arrived() == {"main": 2, "sub": 40}

"""Fixtures: a journal of its own for each test, a recording server, the real receiver where its command is at hand."""

import json
import os
import shutil
import subprocess
import time
from collections import namedtuple

import pytest

from scripted import Server

AGENT = "11111111-2222-3333-4444-555555555555"
SECRET = "correct-horse-battery"

Receiver = namedtuple("Receiver", "base_url agent_id agent_secret data command")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") or (
            name.startswith("INFINIUM_") and name != "INFINIUM_BIN"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INFINIUM_JOURNAL_DIR", str(tmp_path / "journal"))


@pytest.fixture
def server():
    with Server() as running:
        yield running


def traces_of(server):
    """The trace bodies that a scripted server has received on the platform wire."""
    return [asked.json for asked in server.asked if asked.path.endswith("/trace")]


def body_of(function):
    """The last trace of a function that sends none, as the members of the batch wire; None without one."""
    task = function.last_trace
    if task is None:
        return None
    from infinium._payload import body_of

    return body_of(task)


@pytest.fixture
def client(server):
    import infinium

    with infinium.InfiniumClient(
        AGENT, SECRET, base_url=server.url + "/api/v1", enable_rate_limiting=False
    ) as made:
        yield made


@pytest.fixture
def traced():
    """traced(function, name="t", **options): traced without a client; the trace is at .last_trace."""
    from infinium import trace_agent

    def make(function, name="t", **options):
        return trace_agent(name, **options)(function)

    return make


def find_command():
    return os.environ.get("INFINIUM_BIN") or os.environ.get("INFINIUM") or shutil.which("infinium")


@pytest.fixture
def receiver(tmp_path):
    """The real receiver, on a port and a data directory of its own."""
    command = find_command()
    if not command:
        pytest.skip("the infinium command is not at hand (INFINIUM_BIN)")
    data = tmp_path / "data"
    process = subprocess.Popen(
        [command, "serve", "--data", str(data), "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    )
    try:
        url = None
        deadline = time.monotonic() + 10
        while url is None and time.monotonic() < deadline:
            line = process.stdout.readline()
            if not line:
                pytest.fail("the receiver ended before it listened")
            if line.startswith("listening on "):
                url = line.split()[-1]
        made = subprocess.run(
            [command, "agent", "create", "tests", "--data", str(data), "--json"],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
        agent = json.loads(made.stdout)
        yield Receiver(url + "/api/v1", agent["agent_id"], agent["agent_secret"], data, command)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def stored(receiver):
    """What the receiver lists, newest first."""
    done = subprocess.run(
        [receiver.command, "ls", "--data", str(receiver.data), "--json", "--limit", "500"],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

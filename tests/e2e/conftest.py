"""The real command, real sockets, real processes. Every test has a data directory and a journal of its own.

INFINIUM names the command under test; without it the one beside this Python, then the one in PATH.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 30  # what a step may take at most on a busy machine


def find_command():
    beside = Path(sys.executable).parent / "infinium"
    found = os.environ.get("INFINIUM") or (str(beside) if beside.exists() else shutil.which("infinium"))
    if not found:
        raise RuntimeError("no infinium command: build it, or name it in INFINIUM")
    return found


COMMAND = find_command()


def clean_environment(**more):
    """This process's environment without what would steer the programs under test."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("INFINIUM", "OPENAI_"))}
    environment.update(NO_PROXY="127.0.0.1,localhost", no_proxy="127.0.0.1,localhost", PYTHONUNBUFFERED="1")
    environment.update({k: str(v) for k, v in more.items()})
    return environment


def infinium(*arguments, check=True, **more):
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS * 4, env=clean_environment(**more)
    )
    if check and done.returncode != 0:
        raise AssertionError(f"infinium {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done


def wait_for(what, condition, seconds=SECONDS):
    """Waits until condition() is true and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Receiver:
    """`infinium serve` on a directory; may be killed and started again, on the same port."""

    def __init__(self, data, *options):
        self.data = data
        self.options = options
        self.process = None
        self.port = 0
        self.output = []
        self.errors = []

    def start(self):
        self.output, self.errors = [], []
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        for stream, lines in ((self.process.stdout, self.output), (self.process.stderr, self.errors)):
            threading.Thread(target=self.collect, args=(stream, lines), daemon=True).start()
        line = wait_for("the receiver's address", self.address_line)
        self.port = int(line.rsplit(":", 1)[1])
        return self

    @staticmethod
    def collect(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def address_line(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the receiver ended: {self.process.returncode} {self.errors}")
        return next((line for line in self.output if line.startswith("listening on http://")), None)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self):
        return self.url + "/api/v1"

    def kill(self):
        self.process.kill()
        self.process.wait(SECONDS)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.returncode if self.process else None

    def ls(self, *arguments):
        lines = infinium("ls", "--data", self.data, "--json", *arguments).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def count(self, *arguments):
        return int(infinium("ls", "--data", self.data, "--count", *arguments).stdout)

    def show(self, trace_id):
        return json.loads(infinium("show", trace_id, "--data", self.data, "--json").stdout)

    def create_agent(self, name="Test", *arguments):
        made = infinium("agent", "create", name, "--data", self.data, "--json", *arguments).stdout
        return json.loads(made)

    def wait_for_count(self, wanted, *arguments, seconds=SECONDS):
        try:
            wait_for(f"{wanted} traces", lambda: self.count(*arguments) >= wanted, seconds)
        except AssertionError:
            raise AssertionError(f"{self.count(*arguments)} of {wanted} traces arrived {arguments}") from None
        assert self.count(*arguments) == wanted


@pytest.fixture
def receiver(tmp_path):
    r = Receiver(tmp_path / "data").start()
    yield r
    r.stop()


@pytest.fixture
def agent(receiver):
    return receiver.create_agent()


class Program:
    """A user's program: a Python file run in a process of its own, with an agent's environment."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.environment = environment

    def write(self, source):
        path = self.folder / f"program_{uuid.uuid4().hex[:8]}.py"
        path.write_text(textwrap.dedent(source))
        return path

    def start(self, source, **options):
        more = options.pop("environment", {})
        return subprocess.Popen(
            [sys.executable, str(self.write(source))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **more},
            **options,
        )

    def run(self, source, check=True, **options):
        process = self.start(source, **options)
        try:
            output, errors = process.communicate(timeout=SECONDS * 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        if check and process.returncode != 0:
            raise AssertionError(f"the program ended with {process.returncode}\n{output}\n{errors}")
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def program(tmp_path, receiver, agent, journal):
    return Program(
        tmp_path,
        clean_environment(
            INFINIUM_AGENT_ID=agent["agent_id"],
            INFINIUM_AGENT_SECRET=agent["agent_secret"],
            INFINIUM_BASE_URL=receiver.base_url,
            INFINIUM_JOURNAL_DIR=journal,
        ),
    )


def request(url, body=None, headers=None, method=None):
    """(status, headers, body) of one HTTP request; a dict as body goes as JSON."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    asked = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def post_trace(receiver, agent, **members):
    """One trace by the platform wire; returns the answer's JSON."""
    body = {"name": "Posted", "description": "d", "current_datetime": "2026-11-23T02:56:20.972348Z", "duration": 0.5}
    body.update(members)
    headers = {
        "x-agent-id": agent["agent_id"],
        "x-agent-key": agent["agent_secret"],
        "Content-Type": "application/json",
    }
    status, _headers, answer = request(f"{receiver.base_url}/agents/{agent['agent_id']}/trace", body, headers)
    assert 200 <= status < 300, answer
    return json.loads(answer)

"""What stands at the other end during a measurement: the sink for the peers, the real receiver for Infinium.

Both offer start(), stop(), url, environment (what a client's process needs) and arrived(): how many traces arrived in
all, how many of them from forked children; the trace of the process that only comes afterwards (`next`) is not counted.
"""

import collections
import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEXT = 9_999_999
FIRST_CHILD = 1000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that says `listening on ...` when it is ready."""

    process = None

    def launch(self, command, cpu=None):
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if line.startswith("listening on "):
                return
        raise RuntimeError(f"{command} did not start")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process.stdout.close()
            self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


class Sink(Server):
    def __init__(self, python, implementation):
        self.python, self.implementation = python, implementation
        self.port = free_port()

    def start(self, cpu=None):
        self.launch([self.python, str(HERE / "sink.py"), str(self.port)], cpu)

    def prepare(self):
        pass

    def environment(self):
        return self.implementation.environment(self.url)

    def arrived(self):
        with urllib.request.urlopen(self.url + "/bench/count", timeout=60) as answer:
            found = json.load(answer)
        if found["tokens"] is None:
            return {"all": found["distinct"], "children": 0, "requests": found["requests"], "bytes": found["bytes"]}
        tokens = [token for token in found["tokens"] if token != NEXT]
        children = sum(1 for token in tokens if token >= FIRST_CHILD)
        return {"all": len(tokens), "children": children, "requests": found["requests"], "bytes": found["bytes"]}


class Receiver(Server):
    """`infinium serve` with a data directory of its own; what it stored is counted by trace id."""

    def __init__(self, command, directory):
        self.command = command
        self.data = os.path.join(directory, "data")
        self.journal = os.path.join(directory, "journal")
        self.port = 0
        self.agent = None

    def start(self, cpu=None):
        port = self.port or free_port()
        self.launch([self.command, "serve", "--quiet", "--data", self.data, "--listen", f"127.0.0.1:{port}"], cpu)
        self.port = port

    def prepare(self):
        """An agent, so that a process can be started while nobody listens."""
        if self.agent is None:
            if self.process is None:
                self.start()
                self.register()
                self.stop()
            else:
                self.register()

    def register(self):
        self.agent = json.loads(self.ask("agent", "create", "bench", "--data", self.data, "--json"))

    def ask(self, *arguments):
        return subprocess.run([self.command, *arguments], capture_output=True, text=True, check=True).stdout

    def environment(self):
        return {
            "INFINIUM_AGENT_ID": self.agent["agent_id"],
            "INFINIUM_AGENT_SECRET": self.agent["agent_secret"],
            "INFINIUM_BASE_URL": self.url + "/api/v1",
            "INFINIUM_JOURNAL_DIR": self.journal,
        }

    def arrived(self):
        before = -1
        while True:  # what is acknowledged is in the store some milliseconds later
            lines = self.ask("ls", "--data", self.data, "--json", "--limit", "0").splitlines()
            if len(lines) == before:
                break
            before = len(lines)
            time.sleep(0.1)
        traces = {trace["trace_id"]: trace["name"] for trace in map(json.loads, lines)}
        names = collections.Counter(traces.values())
        return {"all": len(traces) - names["next"], "children": names["child"], "doubled": len(lines) - len(traces)}


class PlatformSink(Sink):
    """The sink for Infinium itself: the published wire, one trace a request, as to the hosted platform."""

    def __init__(self, python, directory):
        self.python = python
        self.journal = os.path.join(directory, "journal")
        self.port = free_port()

    def environment(self):
        return {
            "INFINIUM_AGENT_ID": "11111111-2222-3333-4444-555555555555",
            "INFINIUM_AGENT_SECRET": os.urandom(16).hex(),
            "INFINIUM_BASE_URL": self.url + "/api/v1",
            "INFINIUM_JOURNAL_DIR": self.journal,
        }

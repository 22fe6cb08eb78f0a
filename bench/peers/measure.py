"""The measurements that Infinium and its peers share. Each round runs every implementation once, each measurement in a
fresh process; what bench/run.py keeps is the list of all rounds, and medians are taken only by bench/report.py.

What mostly waits (a receiver that is down, forked children) runs several at a time; what is timed runs alone.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import servers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import implementations  # noqa: E402  (the workers import it from their own directory)

NAMES = [name for name in implementations.ALL if name != "bare"]
DELIVERING = [name for name in NAMES if implementations.ALL[name].captures]
GIVEN_UP = 60.0  # seconds after which a process that does not end is killed


def end(process):
    """Kills the process with the children it forked: a child that hangs would hold the pipes open for ever."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


class Bench:
    def __init__(self, settings, say):
        self.settings = settings
        self.say = say
        self.first_cpu, self.last_cpu = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))

    def python(self, name):
        return self.settings["python"] if name == "infinium" else self.settings["peers_python"]

    def server(self, name, directory):
        if name == "infinium":
            return servers.Receiver(self.settings["command"], directory)
        return servers.Sink(self.settings["peers_python"], implementations.ALL[name])

    def environment(self, name, server, directory):
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
        environment.update(HOME=directory, TMPDIR=directory, NO_PROXY="127.0.0.1,localhost")
        if name != "logfire":
            environment["PYDANTIC_DISABLE_PLUGINS"] = "1"  # logfire's, which would load itself into the others
        if server is not None:
            environment.update(server.environment())
        return environment

    def worker(self, name, measurement, server, directory, parameters, timeout=180):
        process = self.begin(name, measurement, server, directory, parameters)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            end(process)
            return {"error": f"no end after {timeout} s"}
        lines = out.splitlines()
        if not lines:
            return {"error": (err.strip().splitlines() or ["no output"])[-1]}
        return json.loads(lines[-1])

    def begin(self, name, measurement, server, directory, parameters):
        command = [self.python(name), str(HERE / "worker.py"), name, measurement, server.url, json.dumps(parameters)]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=directory,
            env=self.environment(name, server, directory),
            start_new_session=True,
        )

    def rounds(self, what, rounds, names, one):
        """{name: [result of each round]}, interleaved."""
        found = {name: [] for name in names}
        for number in range(rounds):
            for name in names:
                self.say(f"{what}: round {number + 1} of {rounds}: {name}")
                with tempfile.TemporaryDirectory(prefix="inf-bench-", ignore_cleanup_errors=True) as directory:
                    found[name].append(one(name, directory))
        return found

    def at_once(self, what, rounds, names, one, workers):
        found = {name: [] for name in names}
        jobs = [name for _ in range(rounds) for name in names]

        def job(name):
            with tempfile.TemporaryDirectory(prefix="inf-bench-", ignore_cleanup_errors=True) as directory:
                result = one(name, directory)
            self.say(f"{what}: {name} done")
            return name, result

        with ThreadPoolExecutor(workers) as pool:
            for name, result in pool.map(job, jobs):
                found[name].append(result)
        return found

    # one measurement of one implementation each

    def imports(self, name, directory):
        which = implementations.ALL[name]
        command = ["taskset", "-c", str(self.first_cpu), self.python(name), str(HERE / "imports.py")]
        done = subprocess.run(
            [*command, which.distribution, which.imports],
            capture_output=True,
            text=True,
            cwd=directory,
            env=self.environment(name, None, directory),
            timeout=120,
        )
        return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr.strip()[-300:]}

    def calls(self, name, directory):
        server = self.server(name, directory)
        server.start(self.last_cpu)
        try:
            server.prepare()
            parameters = {"milliseconds": 2, "bursts": self.settings["bursts"], "cpu": self.first_cpu}
            return self.worker(name, "calls", server, directory, parameters)
        finally:
            server.stop()

    def deliver(self, name, directory):
        return self.delivered(name, self.server(name, directory), directory, self.settings["traces"])

    def deliver_platform(self, name, directory):
        server = servers.PlatformSink(self.settings["peers_python"], directory)
        return self.delivered(name, server, directory, min(self.settings["traces"], 20_000))

    def delivered(self, name, server, directory, traces):
        server.start()
        try:
            server.prepare()
            parameters = {"traces": traces, "seconds": self.settings["seconds"]}
            found = self.worker(name, "deliver", server, directory, parameters)
            found["arrived"] = server.arrived()
            return found
        finally:
            server.stop()

    def outage(self, name, directory):
        server = self.server(name, directory)
        server.prepare()
        parameters = {"traces": self.settings["outage_traces"], "seconds": 5, "first": 0}
        process = self.begin(name, "outage", server, directory, parameters)
        line = process.stdout.readline()
        said = time.perf_counter()
        try:
            process.communicate(timeout=GIVEN_UP)
            ended = True
        except subprocess.TimeoutExpired:
            end(process)
            ended = False
        if not line:
            return {"error": "no output"}
        found = dict(json.loads(line), exit_s=time.perf_counter() - said, ended=ended)
        return self.after(found, name, server, directory)

    def after(self, found, name, server, directory):
        """The receiver is there (again); the next process of the same program starts, traces once, ends."""
        if server.process is None:
            server.start()
        try:
            found["before_next"] = server.arrived()
            self.worker(name, "next", server, directory, {}, GIVEN_UP)
            time.sleep(0.5)
            found["arrived"] = server.arrived()
            return found
        finally:
            server.stop()

    def fork(self, how):
        def one(name, directory):
            server = self.server(name, directory)
            server.start()
            server.prepare()
            parameters = {"children": 2, "each": 50, "how": how}
            found = self.worker(name, "fork", server, directory, parameters, GIVEN_UP)
            return self.after(found, name, server, directory)

        return one

    def killed(self, name, directory):
        server = self.server(name, directory)
        server.start()
        server.prepare()
        found = self.worker(name, "killed", server, directory, {"traces": 1000}, GIVEN_UP)
        return self.after(found, name, server, directory)

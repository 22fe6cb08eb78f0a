"""The C rows: a trace by our C API, two events of LTTng-UST, a span of OpenTelemetry for Rust, interleaved.

Each program prints `median X ns best Y ns p99 Z ns` and how many it made; what was kept is counted apart: in the files
that LTTng wrote, by OpenTelemetry's exporter, in our journal. A peer whose tools are missing is left out with the reason.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIGURES = re.compile(r"median\s+([\d.]+) ns\s+best\s+([\d.]+) ns\s+p99\s+([\d.]+) ns")
KEPT = re.compile(r"(\d+) of (\d+) kept")


class Missing(Exception):
    pass


def run(command, timeout=600, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{os.path.basename(str(command[0]))}: {lines[-1] if lines else done.returncode}")
    return done.stdout


def need(*commands):
    for command in commands:
        if not shutil.which(command):
            raise Missing(f"there is no {command} here")


def figures(text):
    median, best, p99 = map(float, FIGURES.search(text).groups())
    found = {"median_ns": median, "best_ns": best, "p99_ns": p99}
    kept = KEPT.search(text)
    if kept:
        found.update(kept=int(kept.group(1)), made=int(kept.group(2)))
    return found


def pinned(cpu, *command):
    return ["taskset", "-c", str(cpu), *map(str, command)]


class Ours:
    def __init__(self, build, program):
        self.program = program
        if not program.exists():
            raise Missing("bench_c_trace is not built")

    def measure(self, cpu):
        return figures(run(pinned(cpu, self.program)))


class Lttng:
    """A session of its own, in files, with the buffers that LTTng comes with (discard mode: what finds no room is lost
    and counted)."""

    def __init__(self, build, one):
        need("lttng", "lttng-sessiond", "babeltrace2", "cc")
        self.arguments = ["one"] if one else []
        self.program = build / "lttng_bench"
        folder = HERE / "lttng"
        run(["cc", "-std=gnu11", "-O2", "-I", folder, folder / "bench.c", "-o", self.program, "-llttng-ust", "-ldl"])

    def measure(self, cpu):
        with tempfile.TemporaryDirectory(prefix="inf-lttng-", ignore_cleanup_errors=True) as directory:
            environment = dict(os.environ, LTTNG_HOME=directory)
            daemon = subprocess.Popen(
                ["lttng-sessiond", "--no-kernel"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                return self.session(cpu, directory, environment)
            finally:
                daemon.terminate()
                daemon.wait(30)

    def session(self, cpu, directory, environment):
        name = f"infbench{os.getpid()}"
        for _ in range(50):  # until the daemon listens
            time.sleep(0.1)
            if subprocess.run(["lttng", "list"], capture_output=True, env=environment).returncode == 0:
                break
        for command in (
            ["create", name, f"--output={directory}/trace"],
            ["enable-event", "--userspace", "infinium_bench:*", "--session", name],
            ["start", name],
        ):
            run(["lttng", *command], env=environment, timeout=60)
        text = run(pinned(cpu, self.program, *self.arguments), env=environment)
        run(["lttng", "stop", name], env=environment, timeout=60)
        run(["lttng", "destroy", name], env=environment, timeout=60)
        counted = run(["babeltrace2", "--component=sink.utils.counter", f"{directory}/trace"], env=environment)
        found = figures(text)
        found["made"] = int(re.search(r"made (\d+)", text).group(1))
        found["kept"] = int(re.findall(r"(\d+) Event messages", counted)[-1])  # the last of several interim counts
        return found


class OpenTelemetryRust:
    def __init__(self, build):
        need("cargo")
        folder = build / "otel_rust"
        shutil.copytree(HERE / "otel_rust", folder, dirs_exist_ok=True)
        run(["cargo", "build", "--release", "--quiet"], cwd=folder, timeout=900)
        self.program = folder / "target" / "release" / "otel_bench"

    def measure(self, cpu):
        return figures(run(pinned(cpu, self.program)))


def prepared(build, release):
    """({name: what measures it}, {name: why it is left out})"""
    build.mkdir(parents=True, exist_ok=True)
    found, missing = {}, {}
    for name, make in {
        "infinium": lambda: Ours(build, release / "bench" / "bench_c_trace"),
        "LTTng-UST, two events": lambda: Lttng(build, False),
        "LTTng-UST, one event": lambda: Lttng(build, True),
        "OpenTelemetry Rust": lambda: OpenTelemetryRust(build),
    }.items():
        try:
            found[name] = make()
        except (Missing, OSError, subprocess.TimeoutExpired) as why:
            missing[name] = str(why)
    return found, missing


def measure(measured, rounds, cpu, say):
    found = {name: [] for name in measured}
    for number in range(rounds):
        for name, one in measured.items():
            say(f"C: round {number + 1} of {rounds}: {name}")
            try:
                found[name].append(one.measure(cpu))
            except (Missing, subprocess.TimeoutExpired) as why:
                found[name].append({"error": str(why)})
    return found

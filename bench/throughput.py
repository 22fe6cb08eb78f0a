"""What the whole way and the receiver alone take in a second, counted by what arrived.

    python bench/throughput.py BUILD_DIR [--rounds N] [--traces N] [--seconds S] [--json]

BUILD_DIR has been configured with -DINF_BENCH=ON; what is missing in it is built. Two parts, each against a fresh
receiver: bench_delivery (traces made with the C API, delivered, durable, stored; every id is looked for in the store) and
receiver_load (4 KB traces, one a request, 64 and 256 connections), the latter also against receiver_floor: the HTTP library and
a synced file alone. With two processors or more, receiver and load of the second
part are bound to one each. Beside wall time, which is everybody's on a shared machine, stands the processor time that each
trace cost. Exit code 1 when a trace was lost or doubled.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SECONDS = 300
LOAD = re.compile(r": (\d+) requests/s, p50 ([\d.]+) ms, p99 ([\d.]+) ms, .*; (\d+) acknowledged, (\d+) not")


class Receiver:
    """`infinium serve` on a directory of its own, with an agent."""

    def __init__(self, command, directory, cpu=None):
        pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.data = Path(directory) / "data"
        self.output = open(Path(directory) / "output", "w+")
        self.process = subprocess.Popen(
            [*pin, command, "serve", "--data", self.data, "--listen", "127.0.0.1:0"], stdout=self.output
        )
        self.url = self.address()
        made = subprocess.run(
            [command, "agent", "create", "Bench", "--data", self.data, "--json"], capture_output=True, check=True
        )
        agent = json.loads(made.stdout)
        self.arguments = [self.url, str(self.data), agent["agent_id"], agent["agent_secret"]]

    def address(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = re.search(r"listening on (http://\S+)\n", Path(self.output.name).read_text())
            if found:
                return found[1]
            time.sleep(0.01)
        raise SystemExit("the receiver does not start")

    def cpu_seconds(self, threads=None):
        """Of all threads, or of those with this name."""
        total = 0
        for stat in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            name, fields = stat.read_text().rsplit(")", 1)
            if threads is None or name.partition("(")[2] == threads:
                total += sum(map(int, fields.split()[11:13]))
        return total / TICKS

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.output.close()


@contextlib.contextmanager
def receiver(command, cpu=None):
    with tempfile.TemporaryDirectory(prefix="infinium-bench-") as directory:
        r = Receiver(command, directory, cpu)
        try:
            yield r
        finally:
            r.stop()


def delivery(build, traces):
    with receiver(build / "cli/infinium") as r:
        done = subprocess.run(
            [build / "bench/bench_delivery", *r.arguments, str(traces)], capture_output=True, text=True, timeout=SECONDS
        )
        found = json.loads(done.stdout)
        found["receiver_cpu_s_per_10k"] = round(r.cpu_seconds("http") / traces * 1e4, 4)
        found["exact"] = done.returncode == 0
    return found


def pinned(cpu):
    return ["taskset", "-c", str(cpu)] if cpu is not None else []


def load(build, arguments, connections, seconds, cpu):
    command = [*pinned(cpu), build / "receiver/receiver_load", *arguments, str(connections), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    line = LOAD.search(done.stdout)
    if not line:
        raise SystemExit(f"receiver_load: {done.stdout}{done.stderr}")
    return done, line


def floor(build, seconds, cpus, connections):
    with tempfile.TemporaryDirectory(prefix="infinium-bench-") as directory:
        command = [*pinned(cpus[0]), build / "receiver/receiver_floor", f"{directory}/file"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            url = process.stdout.readline().removeprefix("listening on ").strip()
            done, line = load(build, [url, "-", "none", "none"], connections, seconds, cpus[1])
            process.stdin.close()
    return {"requests_per_s": int(line[1]), "p99_ms": float(line[3]), "exact": done.returncode == 0}


def posts(build, seconds, cpus, connections):
    with receiver(build / "cli/infinium", cpus[0]) as r:
        done, line = load(build, r.arguments, connections, seconds, cpus[1])
        number = int(line[4])
        http = r.cpu_seconds("http")
        store = r.cpu_seconds("drain")
    return {
        "requests_per_s": int(line[1]),
        "p50_ms": float(line[2]),
        "p99_ms": float(line[3]),
        "http_cpu_us": round(http / max(number, 1) * 1e6, 1),
        "store_cpu_us": round(store / max(number, 1) * 1e6, 1),
        "exact": done.returncode == 0,
    }


FIGURES = [
    ("delivery", "durable_per_s", "delivered and durable a second", ">= 200,000"),
    ("delivery", "stored_per_s", "in the store a second, from the first trace on", ""),
    ("delivery", "caller_cpu_s_per_10k", "processor seconds of the callers, 10,000 traces", "together"),
    ("delivery", "sender_cpu_s_per_10k", "... of the sender's thread", "<= 0.05"),
    ("delivery", "receiver_cpu_s_per_10k", "... of the receiver, taking and journalling", ""),
    ("floor", "requests_per_s", "4 KB posts a second, one core, 64 connections: floor", ""),
    ("floor", "p99_ms", "... p99, ms", ""),
    ("posts", "requests_per_s", "the same: receiver", ">= 40,000"),
    ("posts", "p99_ms", "... p99, ms", "<= 5"),
    ("posts", "http_cpu_us", "... processor time each, taking and journalling, us", ""),
    ("posts", "store_cpu_us", "... processor time each, storing, us", "<= 55"),
    ("floor 256", "requests_per_s", "256 connections: floor", ""),
    ("floor 256", "p99_ms", "... p99, ms", ""),
    ("posts 256", "requests_per_s", "256 connections: receiver", ">= 40,000"),
    ("posts 256", "p99_ms", "... p99, ms", "<= 5"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--traces", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    subprocess.run(
        ["cmake", "--build", options.build, "--target", "infinium", "bench_delivery", "receiver_load", "receiver_floor"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    cpus = sorted(os.sched_getaffinity(0))
    cpus = cpus[:2] if len(cpus) > 1 else [None, None]
    load = os.getloadavg()[0]
    rounds = {"delivery": [], "floor": [], "posts": [], "floor 256": [], "posts 256": []}
    for _ in range(options.rounds):
        rounds["delivery"].append(delivery(options.build, options.traces))
        for connections, name in ((64, ""), (256, " 256")):
            rounds["floor" + name].append(floor(options.build, options.seconds, cpus, connections))
            rounds["posts" + name].append(posts(options.build, options.seconds, cpus, connections))
    exact = all(r["exact"] for part in rounds.values() for r in part)
    if options.json:
        print(json.dumps({"load": [load, os.getloadavg()[0]], "exact": exact, "rounds": rounds}))
    else:
        print(f"load before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; each trace in the store once: {exact}")
        print(f"{'':52} {'median':>10} {'best':>10}  budget")
        for part, name, text, budget in FIGURES:
            values = [r[name] for r in rounds[part]]
            best = max(values) if name.endswith("per_s") else min(values)
            print(f"{text:52} {round(statistics.median(values), 4):>10,} {best:>10,}  {budget}")
    raise SystemExit(not exact)


if __name__ == "__main__":
    main()

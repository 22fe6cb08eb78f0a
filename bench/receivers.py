"""The receiver beside Phoenix and MLflow: the same traces put into each, in one run, counted by what is stored.

    python bench/receivers.py INFINIUM     (make bench-receivers; BENCH=quick only tries;
PEERS=Phoenix,MLflow chooses)

INFINIUM is the command. The peers are PyPI packages in environments of their own (build/bench-phoenix, build/bench-mlflow);
this program runs in MLflow's, which has protobuf and matplotlib. A peer that is not installed is left out, and said.
All servers listen on 127.0.0.1, with their default store (SQLite) on the same disk, one after another; a request carries
100 traces. Results go to build/bench/receivers.json and, unless quick, through bench/receivers_report.py into
docs/benchmarks-receivers.md.
"""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
QUICK = os.environ.get("BENCH") == "quick"
TRACES = 1_000 if QUICK else 10_000
LAST = 200 if QUICK else 1_000  # acknowledged just before the kill
ASKED = 5 if QUICK else 20  # times each query
PER_REQUEST = 100
START = 240  # seconds for a start, on a busy machine
PATIENCE = 120  # seconds for a query, for what was taken to be stored
MIB = 1024 * 1024
HIT, NO_HIT = "zebrafinch", "qqxyzzyqq"
QUIET = {"PHOENIX_TELEMETRY_ENABLED": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


# ---- the traces ----


def make_traces(count, seed):
    """About 3 KB of text each: sentences, not one letter; 50 names; one in a thousand has the word that is looked for."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkjqxz", k=chance.randint(2, 9))) for _ in range(2000)]
    now = time.time_ns()
    traces = []
    for n in range(count):
        text = chance.choices(words, k=450)
        if n % 1000 == 500:
            text[200] = HIT
        duration = int(chance.lognormvariate(20, 1))
        traces.append(
            {
                "id": chance.randbytes(16),
                "name": f"agent-{n % 50}",
                "start": now - 3_600_000_000_000 + n * (3_500_000_000_000 // count),
                "duration": duration,
                "input": " ".join(text[:250]),
                "output": " ".join(text[250:]),
            }
        )
    return traces


def as_otlp(traces):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    spans = resource.scope_spans.add().spans
    for trace in traces:
        span = spans.add(trace_id=trace["id"], span_id=trace["id"][:8], name=trace["name"], kind=1)
        span.start_time_unix_nano = trace["start"]
        span.end_time_unix_nano = trace["start"] + trace["duration"]
        span.status.code = 1
        attributes = {
            "openinference.span.kind": "CHAIN",
            "input.value": trace["input"],
            "output.value": trace["output"],
            "mlflow.spanInputs": json.dumps(trace["input"]),
            "mlflow.spanOutputs": json.dumps(trace["output"]),
        }
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
    return message.SerializeToString()


def as_lines(traces):
    def line(trace):
        whole, part = divmod(trace["start"], 1_000_000_000)
        return json.dumps(
            {
                "trace_id": trace["id"].hex(),
                "name": trace["name"],
                "status": "ok",
                "started_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{part:09}Z",
                "duration_ns": trace["duration"],
                "input_summary": trace["input"],
                "output_summary": trace["output"],
            }
        )

    return "\n".join(map(line, traces)).encode()


# ---- servers ----


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
                found += map(int, tasks.read_text().split())
    return found


def memory(pid):
    """Bytes of the process and its children, shared pages divided among those that share them."""
    total = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.M)
            total += int(found[1]) * 1024 if found else 0
    return total


class Server:
    encode = staticmethod(as_otlp)
    kind = "application/x-protobuf"
    headers = {}
    bomb_coding = "gzip"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.port = free_port()
        self.process = None
        self.connection = None

    def start(self):
        """Seconds until it answers."""
        began = time.monotonic()
        self.log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(
            list(map(str, self.command())),
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            cwd=self.directory,
            env={**os.environ, **QUIET, **self.environment()},
            start_new_session=True,
        )
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", self.first_path)[0] < 500:
                    return time.monotonic() - began
            if time.monotonic() - began > START or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} does not start: {(self.directory / 'log').read_text()[-500:]}")
            time.sleep(0.005)

    def environment(self):
        return {}

    def ask(self, method, path, data=None, headers=None, timeout=PATIENCE):
        fresh = not self.connection
        self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            self.connection.request(method, path, data, headers or {})
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            if fresh:
                raise
            return self.ask(method, path, data, headers, timeout)

    def ask_json(self, path, data):
        status, text = self.ask("POST", path, json.dumps(data).encode(), {"Content-Type": "application/json"})
        if status != 200:
            raise RuntimeError(f"{path}: {status} {text[:200]}")
        return json.loads(text)

    def put(self, data):
        status, text = self.ask("POST", self.put_path, data, {"Content-Type": self.kind, **self.headers})
        if status not in (200, 201):
            raise RuntimeError(f"{self.name} refuses: {status} {text[:200]}")

    def end(self, how=signal.SIGTERM):
        """The whole group, and nothing else: it is a session of its own."""
        if self.connection:
            self.connection.close()
        self.connection = None
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.log.close()
        self.process = None

    def rows(self, file, table):
        with contextlib.closing(sqlite3.connect(f"file:{self.directory / file}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


class Infinium(Server):
    name = "infinium"
    first_path = "/"
    kind = "application/x-ndjson"
    encode = staticmethod(as_lines)
    bomb_coding = "zstd"

    def __init__(self, directory):
        super().__init__(directory)
        self.data = self.directory / "data"
        made = subprocess.run(
            [COMMAND, "agent", "create", "bench", "--data", self.data, "--json"], capture_output=True, check=True
        )
        agent = json.loads(made.stdout)
        self.put_path = f"/api/v1/agents/{agent['agent_id']}/traces"
        self.headers = {"x-agent-id": agent["agent_id"], "x-agent-key": agent["agent_secret"]}

    def command(self):
        return [COMMAND, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"]

    def count(self):
        done = subprocess.run([COMMAND, "ls", "--data", self.data, "--count"], capture_output=True, check=True)
        return int(done.stdout)

    def read(self, query):
        token = (self.data / "read.token").read_text().strip()
        status, text = self.ask("GET", f"/api/v1/{query}", headers={"Authorization": f"Bearer {token}"})
        if status != 200:
            raise RuntimeError(f"{query}: {status} {text[:200]}")
        return json.loads(text)

    def queries(self):
        def rows(query):
            return lambda: len(self.read(query)["traces"])

        return {
            "list": rows("traces?limit=50"),
            "filter": rows("traces?limit=50&name=agent-7"),
            "word": rows(f"traces?limit=50&q={HIT}"),
            "no hit": rows(f"traces?limit=50&q={NO_HIT}"),
            "percentiles": lambda: sum(1 for b in self.read("stats?interval=60")["buckets"] if b["traces"]),
        }


class Phoenix(Server):
    name = "Phoenix"
    package = "arize-phoenix"
    home = BUILD / "bench-phoenix"
    first_path = "/healthz"
    put_path = "/v1/traces"

    def command(self):
        return [self.home / "bin/phoenix", "serve"]

    def environment(self):
        return {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_WORKING_DIR": str(self.directory),
        }

    def count(self):
        return self.rows("phoenix.db", "spans")

    def project(self, part, **variables):
        query = "query($c: String, $t: TimeRange!, $b: TimeBinConfig) {projects {edges {node {" + part + "}}}}"
        for unused in ("$c: String, ", "$t: TimeRange!, ", "$b: TimeBinConfig"):
            if unused[:2] not in part:
                query = query.replace(unused, "")
        query = query.replace("query()", "query").replace(", )", ")")
        found = self.ask_json("/graphql", {"query": query, "variables": variables})
        if found.get("errors"):
            raise RuntimeError(str(found["errors"])[:300])
        return found["data"]["projects"]["edges"][0]["node"]

    def spans(self, condition=None):
        filtered = ", filterCondition: $c" if condition else ""
        part = f"spans(first: 50, sort: {{col: startTime, dir: desc}}{filtered}) {{edges {{node {{name latencyMs statusCode}}}}}}"
        return len(self.project(part, **({"c": condition} if condition else {}))["spans"]["edges"])

    def percentiles(self):
        now = time.time()
        stamp = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t)) for t in (now - 7200, now)]
        part = "traceLatencyMsPercentileTimeSeries(timeRange: $t, timeBinConfig: $b) {data {timestamp p50 p95 p99}}"
        found = self.project(part, t={"start": stamp[0], "end": stamp[1]}, b={"scale": "MINUTE"})
        return sum(1 for b in found["traceLatencyMsPercentileTimeSeries"]["data"] if b["p50"] is not None)

    def queries(self):
        return {
            "list": self.spans,
            "filter": lambda: self.spans("name == 'agent-7'"),
            "word": lambda: self.spans(f"'{HIT}' in input.value"),
            "no hit": lambda: self.spans(f"'{NO_HIT}' in input.value"),
            "percentiles": self.percentiles,
        }


class Mlflow(Server):
    name = "MLflow"
    package = "mlflow"
    home = BUILD / "bench-mlflow"
    first_path = "/health"
    put_path = "/v1/traces"
    headers = {"x-mlflow-experiment-id": "0"}

    def command(self):
        return [
            self.home / "bin/mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            self.port,
            "--backend-store-uri",
            f"sqlite:///{self.directory}/mlflow.db",
            "--artifacts-destination",
            self.directory / "artifacts",
        ]

    def count(self):
        return self.rows("mlflow.db", "trace_info")

    def search(self, condition=None):
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        asked = {"locations": [place], "max_results": 50, "order_by": ["timestamp_ms DESC"]}
        if condition:
            asked["filter"] = condition
        return len(self.ask_json("/api/3.0/mlflow/traces/search", asked).get("traces", []))

    def percentiles(self):
        now = int(time.time() * 1000)
        asked = {
            "experiment_ids": ["0"],
            "view_type": "TRACES",
            "metric_name": "latency",
            "aggregations": [{"aggregation_type": "PERCENTILE", "percentile_value": p} for p in (50, 95, 99)],
            "time_interval_seconds": 60,
            "start_time_ms": now - 7_200_000,
            "end_time_ms": now,
        }
        return len(self.ask_json("/api/3.0/mlflow/traces/metrics", asked).get("data_points", []))

    def queries(self):
        return {
            "list": self.search,
            "filter": lambda: self.search("span.name = 'agent-7'"),
            "word": lambda: self.search(f"trace.text LIKE '%{HIT}%'"),
            "no hit": lambda: self.search(f"trace.text LIKE '%{NO_HIT}%'"),
            "percentiles": self.percentiles,
        }


# ---- what is measured ----


def until_stored(server, wanted, patience=PATIENCE):
    """Waits until so many are stored, or no more come for ten seconds; how many are."""
    deadline = time.monotonic() + patience
    moved, last = time.monotonic(), -1
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.Error):
            found = server.count()
            if found >= wanted:
                return found
            if found != last:
                moved, last = time.monotonic(), found
            elif time.monotonic() - moved > 10:
                return found
        time.sleep(0.02)
    return last


def ask_all(server, result):
    for name, query in server.queries().items():
        times = []
        try:
            for _ in range(ASKED):
                began = time.monotonic()
                rows = query()
                times.append((time.monotonic() - began) * 1000)
                if sum(times) > PATIENCE * 1000 / 4:
                    break
        except (RuntimeError, OSError, KeyError, http.client.HTTPException) as error:
            result["queries"][name] = {"error": str(error)[:200]}
            continue
        result["queries"][name] = {"median_ms": statistics.median(times), "max_ms": max(times), "rows": rows}


def bomb(coding):
    if coding == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        return b"".join(packer.compress(bytes(MIB)) for _ in range(1024)) + packer.flush()
    block = (MIB // 8 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (MIB // 8 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x68" + block * (1024 * 8 - 1) + last


def throw_bombs(server, result):
    """Four at once, each 1 GB when unpacked, in the coding that the server takes."""
    available = int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) * 1024
    count = 4 if available > 12 << 30 else 1
    data = bomb(server.bomb_coding)
    before = memory(server.process.pid)
    most, over = [before], threading.Event()

    def watch():
        while not over.wait(0.02):
            most.append(memory(server.process.pid))

    def throw(_number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        try:
            headers = {"Content-Type": server.kind, "Content-Encoding": server.bomb_coding, **server.headers}
            connection.request("POST", server.put_path, data, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(throw, range(count)))
    over.set()
    watcher.join()
    alive = server.process.poll() is None
    result["bomb"] = {"count": count, "grown": max(most) - before, "answers": answers, "alive": alive, "sent": len(data)}


def measure(kind, directory, traces, last):
    server = kind(directory)
    result = {"name": kind.name, "queries": {}}
    packed = [server.encode(traces[n : n + PER_REQUEST]) for n in range(0, len(traces), PER_REQUEST)]
    try:
        server.start()  # the first time the store is made
        server.end()
        result["start_s"] = server.start()
        time.sleep(3)
        result["idle_bytes"] = memory(server.process.pid)
        began = time.monotonic()
        for data in packed:
            server.put(data)
        result["acknowledged_s"] = time.monotonic() - began
        result["stored"] = until_stored(server, len(traces))
        result["stored_s"] = time.monotonic() - began
        ask_all(server, result)
        before = server.count()
        for n in range(0, len(last), PER_REQUEST):
            server.put(server.encode(last[n : n + PER_REQUEST]))
        server.end(signal.SIGKILL)
        server.start()
        result["survived"] = until_stored(server, before + len(last), 20) - before
        result["killed"] = len(last)
        throw_bombs(server, result)
    except Exception as error:  # one peer's trouble is a line in the table, not the end of the run
        result["error"] = f"{type(error).__name__}: {error}"[:300]
    finally:
        server.end(signal.SIGKILL)
    return result


def version(kind):
    if kind is Infinium:
        return subprocess.run([COMMAND, "version"], capture_output=True, text=True).stdout.strip()
    python = kind.home / "bin/python"
    code = f"import importlib.metadata as m; print(m.version('{kind.package}'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


def sync_ms(directory):
    """Median of an fdatasync after 4 KB into a file that is there: what the disk itself takes."""
    times = []
    with open(Path(directory) / "probe", "w+b", buffering=0) as file:
        file.write(bytes(MIB))
        os.fsync(file.fileno())
        for n in range(50):
            os.pwrite(file.fileno(), bytes([n]) * 4096, n * 4096)
            began = time.monotonic()
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def machine(directory):
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return {
        "cpu": cpu[1] if cpu else "unknown",
        "cores": os.cpu_count(),
        "memory_gb": round(total / MIB),
        "kernel": os.uname().release,
        "fdatasync_ms": sync_ms(directory),
    }


def main():
    global COMMAND
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that servers are ended as well
    COMMAND = str(Path(sys.argv[1]).resolve())
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    traces, last = make_traces(TRACES, 1), make_traces(LAST, 2)
    run = {"quick": QUICK, "traces": TRACES, "asked": ASKED, "per_request": PER_REQUEST, "load": [os.getloadavg()[0]], "servers": []}
    with tempfile.TemporaryDirectory(prefix="receivers-", dir=BUILD / "bench") as top:
        run["machine"] = machine(top)
        for kind in (Infinium, Phoenix, Mlflow):
            if kind is not Infinium and kind.name not in os.environ.get("PEERS", "Phoenix,MLflow").split(","):
                continue
            if kind is not Infinium and not (kind.home / "bin/python").exists():
                run["servers"].append({"name": kind.name, "error": "is not installed", "queries": {}})
                continue
            directory = Path(top) / kind.name
            directory.mkdir()
            result = measure(kind, directory, traces, last)
            result["version"] = version(kind)
            run["servers"].append(result)
            print(json.dumps(result), flush=True)
            (BUILD / "bench" / "receivers.json").write_text(json.dumps(run, indent=1))
    run["load"].append(os.getloadavg()[0])
    (BUILD / "bench" / "receivers.json").write_text(json.dumps(run, indent=1))


if __name__ == "__main__":
    main()

"""A hostile network: a TCP proxy between the real client and the real receiver that stalls, resets, cuts, drips, floods and
answers by itself, connection after connection, then turns honest. The program must not notice (time of its calls, memory),
and every trace must be in the store exactly once, but for those that the proxy itself refused for good, each of which is
one line of rejected.ndjson."""

import json
import random
import socket
import struct
import threading
import time

import pytest

TRACES = 300
HOSTILE = 4  # connections, then it is honest
REFUSING = 14  # the same, where it refuses for good: enough to halve a batch down to single traces
SLOWEST_CALL = 0.25  # seconds; the client's timeout is 1.0, so a call that waited for the network takes longer
MEDIAN_CALL = 0.002
GROWTH_MB = 30

PROGRAM = """
    import json, os, sys, threading, time
    from infinium import InfiniumClient

    def memory():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    before = memory()
    client = InfiniumClient(timeout=1.0, enable_rate_limiting=False)
    largest, took = 0, []
    for i in range(int(os.environ["TRACES"])):
        call = client.trace(f"call {i}")(lambda text: len(text))
        text = f"{i} " * 500
        start = time.perf_counter()
        call(text)
        took.append(time.perf_counter() - start)
        time.sleep(0.004)
        if i % 20 == 0:
            largest = max(largest, memory())
    start = time.monotonic()
    while client.flush(1).pending and time.monotonic() - start < 45:
        largest = max(largest, memory())
    largest = max(largest, memory())
    took.sort()
    print(json.dumps({"stats": client.stats(), "grown": largest - before, "slowest": took[-1],
                      "median": took[len(took) // 2], "waited": time.monotonic() - start}))
    client.close()
"""


class Proxy:
    """Forwards to a port; what it does to each connection says the script, one name a connection: a method of Fault."""

    def __init__(self, port, script):
        self.port = port
        self.script = list(script)
        self.done = []  # (name, when its connection came, when it was over)
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/api/v1"

    def close(self):
        self.over.set()
        self.listener.close()

    def accept(self):
        while not self.over.is_set():
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        came = time.monotonic()
        with self.lock:
            name = self.script.pop(0) if self.script else "honest"
        try:
            with client:
                client.settimeout(20)
                getattr(Fault(self, client), name)()
        except OSError:
            pass  # the client went away, which is its right
        with self.lock:
            self.done.append((name, came, time.monotonic()))

    def count(self, name):
        with self.lock:
            return sum(done[0] == name for done in self.done)


class Fault:
    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client

    # Pieces.

    @staticmethod
    def message(source):
        """One HTTP message with a Content-Length, or what came of it."""
        data = b""
        while b"\r\n\r\n" not in data:
            got = source.recv(65536)
            if not got:
                return data
            data += got
        head, body = data.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n")[1:]:
            key, value = line.split(b":", 1)
            if key.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            got = source.recv(65536)
            if not got:
                break
            body += got
        return head + b"\r\n\r\n" + body

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.proxy.port), timeout=20)

    def true_answer(self):
        """Forwards one request whole; the receiver has stored it when this returns its answer."""
        request = self.message(self.client)
        with self.connect() as receiver:
            receiver.sendall(request)
            return self.message(receiver)

    def hold(self):
        """Nothing more, until the client gives up."""
        while self.client.recv(65536):
            pass

    def reset(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def answer(self, status, *headers):
        self.message(self.client)
        body = b'{"error": "the proxy says so"}'
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
        self.client.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    # Honest ones.

    def honest(self):
        with self.connect() as receiver:
            receiver.settimeout(60)
            self.client.settimeout(60)

            def pump(source, target):
                try:
                    while data := source.recv(65536):
                        target.sendall(data)
                    target.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

            back = threading.Thread(target=pump, args=(receiver, self.client), daemon=True)
            back.start()
            pump(self.client, receiver)
            back.join()

    def honest_once(self):
        self.client.sendall(self.true_answer())

    # Hostile ones.

    def stall_before_the_answer(self):
        self.true_answer()
        self.hold()

    def stall_in_the_request(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with self.connect() as receiver:
            receiver.sendall(self.client.recv(300))
            self.proxy.over.wait(3)

    def reset_at_once(self):
        self.reset()

    def reset_in_the_request(self):
        self.client.recv(300)
        self.reset()

    def reset_after_the_request(self):
        self.true_answer()
        self.reset()

    def half_close_before_the_request(self):
        self.client.shutdown(socket.SHUT_WR)
        self.hold()

    def half_close_after_the_request(self):
        self.true_answer()
        self.client.shutdown(socket.SHUT_WR)
        self.hold()

    def drip(self):
        for byte in self.true_answer():
            self.client.sendall(bytes([byte]))
            time.sleep(0.05)

    def garbage(self):
        self.message(self.client)
        self.client.sendall(random.Random(7).randbytes(4096))

    def cut_head(self):
        self.client.sendall(self.true_answer()[:40])

    def cut_body(self):
        self.client.sendall(self.true_answer()[:-5])

    def cut_lie(self):
        """Success is begun and never ended, and the receiver has not seen the request."""
        self.message(self.client)
        self.client.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"success": tr')

    def endless_body(self):
        self.message(self.client)
        self.client.sendall(b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self.proxy.over.is_set():
            self.client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def endless_head(self):
        self.message(self.client)
        self.client.sendall(b"HTTP/1.1 200 OK\r\n")
        while not self.proxy.over.is_set():
            self.client.sendall(b"X-More: " + b"x" * 4000 + b"\r\n")

    def says_429(self):
        self.answer("429 Too Many Requests", "Retry-After: 1")

    def says_500(self):
        self.answer("500 Internal Server Error")

    def says_413(self):
        self.answer("413 Content Too Large")

    def says_422(self):
        self.answer("422 Unprocessable Content")


HONEST = ("honest", "honest_once")
PIECES = ("message", "connect", "true_answer", "hold", "reset", "answer")
FAULTS = [name for name in vars(Fault) if not name.startswith("_") and name not in HONEST + PIECES]
FOR_GOOD = ("says_413", "says_422")


def check(program, receiver, journal, script):
    proxy = Proxy(receiver.port, script)
    try:
        started = time.monotonic()
        done = program.run(PROGRAM, environment={"INFINIUM_BASE_URL": proxy.url, "TRACES": str(TRACES)})
        seconds = time.monotonic() - started
    finally:
        proxy.close()
    told = json.loads(done.stdout.splitlines()[-1])
    counts = told["stats"]
    print(f"{seconds:.1f} s, {told}")  # shown when it fails

    assert not proxy.script, f"the client did not come for {proxy.script}"
    assert told["slowest"] < SLOWEST_CALL and told["median"] < MEDIAN_CALL, told
    assert told["grown"] < GROWTH_MB, told
    assert seconds < 55, told
    assert counts["begun"] == TRACES and counts["pending"] == counts["refused"] == 0, told

    rejected = []
    for path in journal.rglob("rejected.ndjson"):
        rejected += [json.loads(line) for line in path.read_text().splitlines()]
    assert counts["set_aside"] == len(rejected), told
    if not set(script) & set(FOR_GOOD):
        assert not rejected
    assert len(rejected) <= sum(name in FOR_GOOD for name in script)

    wanted = TRACES - len(rejected)
    receiver.wait_for_count(wanted)
    stored = receiver.ls("--limit", "0")
    names = [trace["name"] for trace in stored]
    aside = [(trace["body"] if isinstance(trace["body"], dict) else json.loads(trace["body"]))["name"] for trace in rejected]
    assert len(stored) == len({trace["trace_id"] for trace in stored}) == wanted
    assert sorted(names + aside) == sorted(f"call {i}" for i in range(TRACES))
    return proxy, aside


@pytest.mark.parametrize("known", [False, True], ids=["first contact", "batches"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault(program, receiver, journal, fault, known):
    """The same again and again: before the server has ever answered, and once it is known to take batches."""
    proxy, aside = check(
        program, receiver, journal, ["honest_once"] * known + [fault] * (REFUSING if fault in FOR_GOOD else HOSTILE)
    )
    assert bool(aside) == (fault in FOR_GOOD)
    if fault == "says_429" and not known:
        refused = [over for name, _came, over in proxy.done if name == fault]
        after = sorted(came for _name, came, _over in proxy.done)[1:]
        assert all(came - over > 0.9 for over, came in zip(sorted(refused), after)), proxy.done


@pytest.mark.parametrize("seed", range(3))
def test_all_sorts(program, receiver, journal, seed):
    chance = random.Random(seed)
    script = [chance.choice([*FAULTS, "honest_once"]) for _ in range(6)]
    check(program, receiver, journal, script)

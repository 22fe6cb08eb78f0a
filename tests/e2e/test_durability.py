"""Acknowledged = stored, exactly once: the receiver killed under load, its store failing, its disk full, its journal cut,
and what tries to use up its memory. INF_TORTURE=1: at full length."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
from conftest import SECONDS, Receiver, request, wait_for
from load import Load, body

LONG = bool(os.environ.get("INF_TORTURE"))
MIB = 1024 * 1024


def stored(receiver, name):
    """Every trace of this name, from the API, a page at a time."""
    token = (receiver.data / "read.token").read_text().strip()
    found, cursor = [], ""
    while cursor is not None:
        status, _headers, text = request(
            f"{receiver.base_url}/traces?name={name}&limit=500" + (f"&cursor={cursor}" if cursor else ""),
            headers={"Authorization": f"Bearer {token}"},
        )
        assert status == 200, text
        page = json.loads(text)
        found += page["traces"]
        cursor = page["next_cursor"]
    return found


def post(receiver, agent, trace_id, name, timeout=SECONDS, **members):
    """The status of one trace's post."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=timeout)
    headers = {"x-agent-id": agent["agent_id"], "x-agent-key": agent["agent_secret"], "Content-Type": "application/json"}
    with contextlib.closing(connection):
        data = json.dumps(body(trace_id, name, **members))
        connection.request("POST", f"/api/v1/agents/{agent['agent_id']}/trace", data, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def memory(receiver, field="VmRSS"):
    """Bytes."""
    with open(f"/proc/{receiver.process.pid}/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


@contextlib.contextmanager
def peak(receiver):
    """A list that holds, afterwards, by how many bytes the memory of the receiver grew at most."""
    grown = []
    with open(f"/proc/{receiver.process.pid}/clear_refs", "w") as file:
        file.write("5")
    before = memory(receiver)
    yield grown
    grown.append(memory(receiver, "VmHWM") - before)


@contextlib.contextmanager
def nobody_can_write(receiver):
    """The store's write lock, taken by somebody else: to the receiver, a store that fails."""
    db = sqlite3.connect(receiver.data / "infinium.db", isolation_level=None, timeout=30)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


# ---- killed ----


def test_killed_under_load(receiver, agent):
    rounds = 200 if LONG else 6
    chance = random.Random(6)
    total = answered = 0
    for number in range(rounds):
        load = Load(receiver, agent, f"round-{number}", seed=number).start()
        load.wait_for(1)
        time.sleep(chance.random() * (0.3 if number % 2 else 0.05))
        receiver.kill()
        load.stop()
        receiver.start()
        found = stored(receiver, load.name)
        load.check(found)
        total += len(load.acknowledged)
        answered += len(found)
    print(f"{rounds} kills, {total} acknowledged, {answered} stored")


def test_killed_while_storing_what_a_killed_one_left(receiver, agent):
    for number in range(20 if LONG else 2):
        load = Load(receiver, agent, f"left-{number}", seed=number)
        with nobody_can_write(receiver):
            load.start().wait_for(300)
            receiver.kill()
            load.stop()
        for pause in (0.002, 0.01, 0.03):  # in the middle of its recovery
            process = subprocess.Popen(
                [*receiver_command(receiver)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(pause)
            process.kill()
            process.wait()
        receiver.start()
        load.check(stored(receiver, load.name))


def receiver_command(receiver):
    return receiver.process.args


# ---- a store that fails ----


def test_store_that_cannot_be_written(tmp_path):
    receiver = Receiver(tmp_path / "data", "--journal-mib", "48").start()
    try:
        agent = receiver.create_agent()
        load = Load(receiver, agent, "held", threads=4)
        with nobody_can_write(receiver):
            load.start().wait_for(2000)  # acknowledging goes on
            assert 429 not in load.refused
            text = "x" * 200_000
            deadline = time.monotonic() + SECONDS
            while 429 not in load.refused and time.monotonic() < deadline:  # until the journal is full
                post(receiver, agent, f"{random.getrandbits(128):032x}", "large", input_summary=text)
            assert 429 in load.refused, load.refused
            assert set(load.refused) == {429}, load.refused
            assert sum(f.stat().st_size for f in (receiver.data / "journal").glob("*/*.seg")) <= 48 * MIB
        wait_for("room in the journal", lambda: post(receiver, agent, "ab" * 16, "after") == 201)
        load.stop()
        load.check(stored(receiver, "held"))
    finally:
        receiver.stop()


def test_a_trace_just_acknowledged_is_seen(receiver, agent):
    """While load keeps the drain busy, and everywhere at once."""
    load = Load(receiver, agent, "noise", threads=3).start()
    try:
        for number in range(300 if LONG else 40):
            trace_id = f"{random.getrandbits(128):032x}"
            name = f"seen-{number}"
            assert post(receiver, agent, trace_id, name) == 201
            assert [trace["trace_id"] for trace in stored(receiver, name)] == [trace_id]
    finally:
        load.stop()


# ---- a full disk ----


@contextlib.contextmanager
def small_disk(path, megabytes):
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", path], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted: {made.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_full_disk(tmp_path):
    with small_disk(tmp_path / "small", 96) as disk:
        receiver = Receiver(disk / "data").start()
        try:
            agent = receiver.create_agent()
            load = Load(receiver, agent, "full", threads=4)
            load.start().wait_for(200)
            ballast = disk / "ballast"
            with open(ballast, "wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(os.urandom(MIB))
            text = "".join(chr(65 + random.getrandbits(4)) for _ in range(100_000))
            deadline = time.monotonic() + SECONDS
            while 503 not in load.refused and time.monotonic() < deadline:
                post(receiver, agent, f"{random.getrandbits(128):032x}", "large", input_summary=text)
            assert load.refused and set(load.refused) <= {503, 429}, load.refused
            token = (receiver.data / "read.token").read_text().strip()
            status, _headers, _text = request(
                f"{receiver.base_url}/agents", headers={"Authorization": f"Bearer {token}"}
            )
            assert status == 200  # it still answers
            if LONG:  # and what it has acknowledged outlives it
                receiver.kill()
                load.stop()
                ballast.unlink()
                receiver.start()
            else:
                ballast.unlink()
                wait_for("room", lambda: post(receiver, agent, f"{random.getrandbits(128):032x}", "after") == 201)
                load.stop()
            load.check(stored(receiver, "full"))
        finally:
            receiver.stop()


# ---- a journal that is cut ----


def test_cut_journal(receiver, agent):
    """A cut costs what lies behind it, a broken record itself; never more, and nothing comes twice."""
    chance = random.Random(9)
    for number in range(100 if LONG else 6):
        name = f"cut-{number}"
        ids = [f"{random.getrandbits(128):032x}" for _ in range(40)]
        with nobody_can_write(receiver):
            assert all(post(receiver, agent, i, name) == 201 for i in ids)
            receiver.kill()
        segments = sorted((receiver.data / "journal").glob("*/*.seg"))
        data = segments[0].read_bytes()
        first = data.index(ids[0].encode())
        last = data.index(ids[-1].encode())
        at = chance.randrange(first, last)
        cut = number % 2 == 0
        with open(segments[0], "r+b") as file:
            if cut:
                file.truncate(at)
            else:
                file.seek(at)
                file.write(bytes([data[at] ^ 0x41]))
        receiver.start()
        found = [trace["trace_id"] for trace in reversed(stored(receiver, name))]
        assert len(found) == len(set(found)) and set(found) <= set(ids)
        whole = [i for i in ids if data.index(i.encode()) + 600 < at]
        assert set(whole) <= set(found), (number, len(whole), len(found))
        if cut:
            assert set(found) == set(ids[: len(found)])
        else:
            assert len(found) >= len(ids) - 1, (number, len(found))


# ---- memory ----


def bomb(megabytes):
    """A zstd frame of so many MB of zeros that does not say how large it is: blocks of one repeated byte."""
    block = (MIB // 8 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (MIB // 8 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x68" + block * (megabytes * 8 - 1) + last


@pytest.mark.parametrize("path", ["trace", "traces"])
def test_bombs(receiver, agent, path):
    load = Load(receiver, agent, "warm", threads=2).start()
    load.wait_for(500)
    load.stop()
    data = bomb(1024)
    headers = {
        "x-agent-id": agent["agent_id"],
        "x-agent-key": agent["agent_secret"],
        "Content-Type": "application/json",
        "Content-Encoding": "zstd",
    }
    url = f"{receiver.base_url}/agents/{agent['agent_id']}/{path}"
    with peak(receiver) as grown, concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _n: request(url, data, headers, "POST")[0], range(4)))
    assert answers == [413] * 4
    print(f"four bombs of 1 GB at {path}: + {grown[0] / MIB:.1f} MB")
    assert grown[0] <= 16 * MIB
    assert post(receiver, agent, "cd" * 16, "after") == 201


def test_huge_body(receiver, agent):
    size = 100 * MIB
    with peak(receiver) as grown:
        for length in (True, False):
            with socket.create_connection(("127.0.0.1", receiver.port), SECONDS) as s, contextlib.suppress(OSError):
                framing = f"Content-Length: {size}" if length else "Transfer-Encoding: chunked"
                s.sendall(
                    f"POST /api/v1/agents/{agent['agent_id']}/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    f"x-agent-id: {agent['agent_id']}\r\nx-agent-key: {agent['agent_secret']}\r\n{framing}\r\n\r\n".encode()
                )
                part = b"x" * MIB
                for _ in range(100):
                    s.sendall(part if length else b"100000\r\n" + part + b"\r\n")
                if not length:
                    s.sendall(b"0\r\n\r\n")
                assert b" 413 " in s.recv(4096)
    print(f"bodies of 100 MB: + {grown[0] / MIB:.1f} MB")
    assert grown[0] <= 16 * MIB
    assert post(receiver, agent, "ef" * 16, "after") == 201


def test_slow_connections(receiver, agent):
    """A thousand clients that begin and do not go on: others do not notice, and memory has a bound."""
    assert post(receiver, agent, "0a" * 16, "before") == 201
    count = 1000
    with peak(receiver) as grown, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), SECONDS)) for _ in range(count)]
        for number, s in enumerate(slow):
            head = f"POST /api/v1/agents/{agent['agent_id']}/trace HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            more = f"x-agent-id: {agent['agent_id']}\r\nx-agent-key: {agent['agent_secret']}\r\nContent-Length: 4000\r\n\r\n"
            s.sendall((head + (more + "{" if number % 2 else "")).encode())
        for step in range(5):
            began = time.monotonic()
            assert post(receiver, agent, f"{step:032x}"[:31] + "b", "beside") == 201
            assert time.monotonic() - began < 2
            for s in slow:
                with contextlib.suppress(OSError):
                    s.sendall(b" ")
        if LONG:  # who sends nothing for half a minute is dropped
            wait_for("the end of slow connections", lambda: slow_is_over(slow[0]), 60)
    print(f"{count} slow connections: + {grown[0] / MIB:.1f} MB")
    assert grown[0] <= 64 * MIB
    assert post(receiver, agent, "0c" * 16, "after") == 201


def slow_is_over(s):
    s.settimeout(0.1)
    try:
        return s.recv(1000) is not None
    except TimeoutError:
        return False
    except OSError:
        return True


def test_ends_within_its_time_under_load(receiver, agent):
    load = Load(receiver, agent, "ending", threads=4).start()
    load.wait_for(500)
    receiver.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert receiver.process.wait(SECONDS) == 0
    assert time.monotonic() - began < 12
    load.stop()
    receiver.start()
    load.check(stored(receiver, "ending"))

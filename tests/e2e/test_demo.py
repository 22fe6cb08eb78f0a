"""`infinium demo`, with the example programs, with samples of its own, and when something is missing."""

import json
import os
import pty
import signal
import subprocess
import sys
import urllib.request

import pytest
from conftest import COMMAND, ROOT, clean_environment, infinium

EXAMPLES = ROOT / "examples"


@pytest.mark.timeout(180)
def test_examples(tmp_path):
    expected = (EXAMPLES / "expected.txt").read_text()
    data = tmp_path / "data"
    options = ["--once", "--data", data, "--expect", EXAMPLES / "expected.txt"]
    done = infinium("demo", *options, "--", sys.executable, EXAMPLES / "run_all.py")
    for line in expected.splitlines():
        if line and not line.startswith("#"):
            count, status, name = line.split(None, 2)
            rows = [row for row in done.stdout.splitlines() if row.endswith("  " + name) and f"  {status}  " in row]
            assert len(rows) == int(count), name
    assert "/login?token=" in done.stdout
    assert done.stderr == ""
    for name in ("Email Classifier", "Email Classifier (C)"):
        rows = [json.loads(line) for line in infinium("ls", "--data", data, "--json", "--name", name).stdout.splitlines()]
        assert rows and all(row["prompt_tokens"] > 0 and row["completion_tokens"] > 0 for row in rows), rows


def test_samples():
    done = infinium("demo")
    assert "Sample: Research Agent" in done.stdout
    assert "all expected traces arrived" in done.stdout


def test_missing_trace_is_named(tmp_path):
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("1 ok Never Made\n")
    done = infinium("demo", "--wait", "1", "--expect", wanted, "--", sys.executable, "-c", "pass", check=False)
    assert done.returncode == 1
    assert "missing: Never Made (ok), 0 of 1" in done.stderr


def test_failing_program_is_told(tmp_path):
    done = infinium("demo", "--wait", "1", "--", sys.executable, "-c", "print('hello'); raise SystemExit(3)", check=False)
    assert done.returncode == 1
    assert "exit code 3" in done.stderr
    assert "| hello" in done.stdout
    missing = infinium("demo", "--", tmp_path / "no-such-program", check=False)
    assert missing.returncode == 1
    assert "no-such-program" in missing.stderr


def test_data_directory_is_kept(tmp_path):
    infinium("demo", "--data", tmp_path / "kept")
    assert int(infinium("ls", "--data", tmp_path / "kept", "--count").stdout) == 4


def test_in_a_terminal_it_serves_until_ctrl_c():
    ours, theirs = pty.openpty()
    environment = clean_environment(TERM="xterm")
    environment.pop("CI", None)
    process = subprocess.Popen([COMMAND, "demo"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    output = b""
    while b"Serving until Ctrl-C" not in output:
        output += os.read(ours, 4096)
    assert b"\033[32mok" in output  # a terminal gets colours
    address = next(line for line in output.decode().split() if line.startswith("http://127.0.0.1"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(address, timeout=10).status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(ours)

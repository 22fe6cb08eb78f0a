"""`infinium reload`: what the receiver took over, what waits for a start, and what is wrong, heard by whoever asked."""

import json
import signal
import subprocess
import sys
import time

import pytest
from conftest import COMMAND, Receiver, clean_environment, infinium, post_trace, wait_for


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "infinium.conf"
    path.write_text("retention-days = 3000\n")
    return path


@pytest.fixture
def configured(tmp_path, settings):
    r = Receiver(tmp_path / "data", "--config", settings).start()
    yield r
    r.stop()


def reload(data, check=True, **more):
    return infinium("reload", "--data", data, check=check, **more)


def test_what_was_taken_over_is_said(configured, settings):
    assert reload(configured.data).stdout == "done, 0 settings changed\n"
    settings.write_text("retention-days = 5000\nthreads = 3\n")
    said = reload(configured.data).stdout
    assert said == (
        "threads: 0 -> 3 is taken over at the next start only\nretention-days: 3000 -> 5000\ndone, 1 setting changed\n"
    )
    assert any(line.endswith("reload: retention-days: 3000 -> 5000") for line in configured.errors)  # in the log as well


def test_a_wrong_file_changes_nothing(configured, settings):
    settings.write_text("retention-days = 7000\nretention-mib = lots\n")
    done = reload(configured.data, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{settings} line 2: retention-mib" in done.stderr and "nothing is changed" in done.stderr
    settings.write_text("retention-days = 7000\n")
    assert "retention-days: 3000 -> 7000\n" in reload(configured.data).stdout  # it was not 7000 already


def test_prices_that_cannot_be_read_are_an_error(tmp_path):
    table = {"format": 1, "source": {"package": "mine", "version": "1", "taken": "2026-11-26"}, "providers": []}
    model = {"names": ["acme-1"], "prices": [{"in": 2, "out": 10}]}
    table["providers"] = [{"id": "acme", "names": ["acme.ai"], "models": [model]}]
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(table))
    r = Receiver(tmp_path / "data", "--prices", prices).start()

    def broken():  # anew each time: the receiver looks by itself too, every two seconds, and may have been first
        prices.write_text("{ no JSON" + " " * next(lengths))
        return reload(r.data, check=False)

    lengths = iter(range(1000))
    try:
        done = wait_for("the error", lambda: next((d for d in [broken()] if d.returncode), None), 10)
        assert "the new prices are not taken" in done.stderr
        prices.write_text(json.dumps(table) + "\n")
        assert wait_for("the prices again", lambda: reload(r.data, check=False).returncode == 0, 10)
    finally:
        r.stop()


def test_many_ask_at_once(configured, settings):
    settings.write_text("retention-days = 9000\n")
    command = [COMMAND, "reload", "--data", str(configured.data)]
    asking = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
        for _ in range(8)
    ]
    for process in asking:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert output.endswith(("done, 0 settings changed\n", "done, 1 setting changed\n"))
    assert reload(configured.data).stdout == "done, 0 settings changed\n"


def test_without_a_receiver(tmp_path, receiver):
    receiver.stop()
    for data in (receiver.data, tmp_path / "none"):
        done = reload(data, check=False)
        assert (done.returncode, done.stderr) == (1, f"error: no receiver is running on {data}\n")
    assert not (tmp_path / "none").exists()


def test_a_receiver_that_hangs_up_is_told(configured):
    """One that does not answer: stopped, as by a debugger, then killed."""
    configured.process.send_signal(signal.SIGSTOP)
    command = [COMMAND, "reload", "--data", str(configured.data)]
    asking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment())
    try:
        time.sleep(0.5)
        assert asking.poll() is None
    finally:
        configured.kill()
    assert "no receiver is running" in asking.communicate(timeout=30)[1]
    assert asking.returncode == 1


def test_a_receiver_inside_another_program_is_left_alone(tmp_path):
    """SIGHUP would end the demo."""
    data = tmp_path / "data"
    program = "import time; time.sleep(4)"
    demo = subprocess.Popen(
        [COMMAND, "demo", "--once", "--data", str(data), "--wait", "1", "--", sys.executable, "-c", program],
        stdout=subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        wait_for("the demo's receiver", lambda: infinium("login", "--data", data, check=False).returncode == 0)
        done = reload(data, check=False)
        assert done.returncode == 1 and "inside another program" in done.stderr
        assert demo.wait(60) == 0
    finally:
        demo.kill()
        demo.wait()


def test_a_stranger_with_the_number_is_not_signalled(tmp_path):
    """A lock that is held, with another process's number in it: as seen from outside of a container."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        lock = data / "receiver.lock"
        lock.write_text(f"{stranger.pid} http://127.0.0.1:1\n")
        import fcntl
        import struct

        (data / "receiver.state").write_bytes(struct.pack("<QQQQQ", 0, 0, 0, 1, 1).ljust(4096, b"\0"))
        with open(lock, "r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            done = reload(data, check=False)
        assert done.returncode == 1 and "cannot be reached from here" in done.stderr
        assert stranger.poll() is None
        stranger.kill()


def test_traces_go_on_meanwhile(configured):
    agent = configured.create_agent()
    for i in range(20):
        post_trace(configured, agent, name=f"T{i}")
        reload(configured.data)
    assert configured.count() == 20
    assert infinium("doctor", "--data", configured.data).returncode == 0

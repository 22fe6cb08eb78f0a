"""Wrong credentials, and journals that cannot be written: the program does not notice, the log says it once."""

import json
import resource
import stat
import time

import pytest
from conftest import infinium, request

PROGRAM = """
    import json, logging
    logging.basicConfig()
    from infinium import InfiniumClient
    client = InfiniumClient()

    @client.trace("Work")
    def work(i):
        return i * 2

    assert [work(i) for i in range(20)] == [2 * i for i in range(20)]
    result = client.flush({timeout})
    print(json.dumps([result.delivered, result.pending, result.lost]))
    {last}
"""


def run(program, timeout=20, last="client.close()", **options):
    done = program.run(PROGRAM.format(timeout=timeout, last=last), **options)
    return json.loads(done.stdout.splitlines()[0]), done.stderr


def test_journal_directory_cannot_be_made(receiver, program, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result, log = run(program, environment={"INFINIUM_JOURNAL_DIR": str(tmp_path / "file" / "journal")})
    assert result == [20, 0, 0]
    assert len([line for line in log.splitlines() if "journal" in line]) == 1, log
    receiver.wait_for_count(20)


def test_read_only_journal_directory(receiver, program, journal):
    journal.mkdir()
    journal.chmod(stat.S_IRUSR | stat.S_IXUSR)
    result, log = run(program)
    assert result == [20, 0, 0]
    receiver.wait_for_count(20)
    probe = journal / "probe"
    try:
        probe.touch()
    except PermissionError:  # root writes where it pleases, and then there is nothing to log
        assert len([line for line in log.splitlines() if "journal" in line]) == 1, log
    journal.chmod(stat.S_IRWXU)


def test_full_disk(receiver, program):
    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    result, log = run(program, preexec_fn=no_large_files)
    assert result == [20, 0, 0]
    assert len([line for line in log.splitlines() if "journal" in line]) == 1, log
    receiver.wait_for_count(20)


def test_memory_journal_keeps_no_files(receiver, program, journal):
    result, log = run(program, environment={"INFINIUM_JOURNAL": "memory"})
    assert result == [20, 0, 0]
    assert log == ""
    assert not list(journal.glob("**/*.seg"))
    receiver.wait_for_count(20)


def test_journal_is_private(receiver, program, journal):
    receiver.stop()
    run(program, timeout=0.2)
    entries = list(journal.glob("**/*"))
    assert any(entry.suffix == ".seg" for entry in entries)
    for entry in [journal, *entries]:
        assert entry.stat().st_mode & 0o077 == 0, entry


def test_wrong_secret_is_no_trouble_for_the_program(receiver, program, agent):
    result, log = run(program, timeout=1, environment={"INFINIUM_AGENT_SECRET": "wrong-" + agent["agent_secret"]})
    assert result[0] == 0 and result[2] == 0 and result[1] == 20
    said = [line for line in log.splitlines() if "secret" in line or "answers 401" in line]
    assert len(said) == 1, log  # "401" alone may stand in an agent's id
    assert agent["agent_secret"] not in log
    assert receiver.count() == 0
    # the right secret delivers what was kept
    result, _log = run(program)
    receiver.wait_for_count(40)


@pytest.mark.parametrize("bad", [{"x-agent-key": "not-the-secret"}, {"x-agent-id": ""}, {"x-agent-key": ""}])
def test_receiver_answers_401(receiver, agent, bad):
    headers = {"x-agent-id": agent["agent_id"], "x-agent-key": agent["agent_secret"], **bad}
    status, _headers, body = request(f"{receiver.base_url}/agents/{agent['agent_id']}/trace", {"name": "x"}, headers)
    assert status == 401
    assert isinstance(json.loads(body)["error"], str)
    assert receiver.count() == 0


def test_short_credentials_fail_at_once(program):
    done = program.run(
        """
        from infinium import InfiniumClient, ValidationError
        for arguments, field in ((("ab", "long-enough"), "agent_id"), (("abc", "short"), "agent_secret")):
            try:
                InfiniumClient(*arguments)
            except ValidationError as error:
                assert error.field == field
            else:
                raise SystemExit(f"no error for {arguments}")
        print("good")
        """
    )
    assert done.stdout == "good\n"


def test_revoked_agent_is_refused(receiver, program, agent):
    result, _log = run(program)
    assert result == [20, 0, 0]
    infinium("agent", "revoke", agent["agent_id"], "--data", receiver.data)
    headers = {"x-agent-id": agent["agent_id"], "x-agent-key": agent["agent_secret"]}
    assert request(f"{receiver.base_url}/agents/{agent['agent_id']}/trace", {"name": "x"}, headers)[0] == 401  # at once
    result, _log = run(program, timeout=1)
    assert result[0] == 0 and result[1] == 20
    assert receiver.count() == 20


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_store_that_was_lost(receiver, what):
    lost = f"infinium.db is {what}, in a directory that was used before"
    assert not [line for line in receiver.errors if "used before" in line]
    receiver.stop()
    for suffix in ("", "-wal", "-shm"):
        (receiver.data / f"infinium.db{suffix}").unlink(missing_ok=True)
    if what == "empty":
        (receiver.data / "infinium.db").touch()
    receiver.start()
    assert [line for line in receiver.errors if lost in line]


OPEN_AT_EXIT = """
    import threading, time
    from infinium import InfiniumClient
    client = InfiniumClient()
    inside = threading.Event()

    @client.trace("Work")
    def work(forever):
        inside.set()
        time.sleep(60 if forever else 0)

    for _ in range(100):
        work(False)
    threading.Thread(target=work, args=(True,), daemon=True).start()
    inside.wait()
    print(time.time(), flush=True)
"""


def test_an_exit_takes_less_than_a_second(receiver, program):
    """Python's own end waits for deliveries, and so does the process's: together no longer than one of them."""
    receiver.stop()
    took = []
    for _ in range(3):
        last = float(program.run(OPEN_AT_EXIT).stdout)
        took.append(time.time() - last)
    assert min(took) < 1.0, took

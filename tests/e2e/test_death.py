"""What survives when a process dies: kill -9 of the program, kill -9 of the receiver, a receiver that is away."""

import json
import time

from conftest import infinium, post_trace, wait_for

TRACED = """
    import os, signal, sys, time
    from infinium import InfiniumClient
    client = InfiniumClient()

    @client.trace("Work")
    def work(i):
        return i * 2
"""


def test_killed_program_loses_nothing(receiver, program):
    """The program dies between its last trace and its exit; the next client of the agent delivers what it left."""
    receiver.stop()  # so that nothing can have been sent before the death
    died = program.run(
        TRACED
        + """
    assert [work(i) for i in range(500)] == [2 * i for i in range(500)]
    os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
    )
    assert died.returncode == -9
    receiver.start()
    assert receiver.count() == 0
    program.run(TRACED + "    work(1)\n    client.flush(20)\n    client.close()\n")
    receiver.wait_for_count(501, "--status", "ok")
    assert len({t["trace_id"] for t in receiver.ls()}) == 501


def test_killed_while_sending_loses_and_doubles_nothing(receiver, program):
    process = program.start(
        TRACED
        + """
    for i in range(3000):
        work(i)
    print("made", flush=True)
    time.sleep(60)
"""
    )
    assert process.stdout.readline() == "made\n"
    process.kill()
    process.communicate()
    program.run(TRACED + "    work(1)\n    client.flush(20)\n    client.close()\n")
    receiver.wait_for_count(3001)


def test_next_client_delivers_without_a_trace_of_its_own(receiver, program):
    receiver.stop()
    program.run(TRACED + "    [work(i) for i in range(10)]\n    os.kill(os.getpid(), signal.SIGKILL)\n", check=False)
    receiver.start()
    program.run(TRACED + "    time.sleep(3)\n")
    receiver.wait_for_count(10, seconds=5)


def test_journal_command_delivers(receiver, program, journal):
    receiver.stop()
    program.run(TRACED + "    [work(i) for i in range(10)]\n    os.kill(os.getpid(), signal.SIGKILL)\n", check=False)
    (status,) = infinium("journal", "status", "--journal", journal, "--json").stdout.splitlines()
    assert json.loads(status)["left"] == 1 and json.loads(status)["running"] == 0
    receiver.start()
    here = {k: v for k, v in program.environment.items() if k.startswith("INFINIUM")}
    assert "delivered 10 traces" in infinium("journal", "flush", **here).stdout
    assert receiver.count() == 10
    for line in infinium("journal", "status", "--json", **here).stdout.splitlines():
        assert json.loads(line)["left"] == 0


def test_unfinished_trace_is_interrupted(receiver, program):
    died = program.run(
        """
        import os, signal
        from infinium import InfiniumClient
        client = InfiniumClient()

        @client.trace("Unfinished")
        def unfinished(what):
            os.kill(os.getpid(), signal.SIGKILL)

        unfinished("the input")
        """,
        check=False,
    )
    assert died.returncode == -9
    program.run(TRACED + "    work(1)\n    client.flush(20)\n    client.close()\n")
    receiver.wait_for_count(1, "--status", "interrupted")
    (trace,) = receiver.ls("--name", "Unfinished")
    assert "the input" in receiver.show(trace["trace_id"])["input_summary"]


def test_killed_receiver_keeps_what_it_acknowledged(receiver, agent):
    acknowledged = []
    for i in range(50):
        acknowledged.append(post_trace(receiver, agent, name=f"Kept {i}")["traceId"])
    receiver.kill()
    receiver.start()
    receiver.wait_for_count(50)
    for i in (0, 49):
        assert receiver.show(acknowledged[i])["name"] == f"Kept {i}"


def test_receiver_killed_again_and_again(receiver, program):
    process = program.start(
        TRACED
        + """
    for i in range(2000):
        work(i)
        time.sleep(0.001)
    result = client.flush(40)
    client.close()
    print(result.delivered, result.pending, result.lost)
"""
    )
    for _round in range(3):
        time.sleep(0.5)
        receiver.kill()
        time.sleep(0.2)
        receiver.start()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.split() == ["2000", "0", "0"], errors
    receiver.wait_for_count(2000)


def test_receiver_away(receiver, program):
    """The program runs as if nothing were wrong, ends quickly, and all of it arrives later."""
    receiver.stop()
    done = program.run(
        TRACED
        + """
    started = time.perf_counter()
    for i in range(1000):
        work(i)
    print(time.perf_counter() - started, time.time())
"""
    )
    ended = time.time()
    calls, last = map(float, done.stdout.split())
    assert calls < 1.0  # 1,000 calls: a single wait for the network would show
    assert ended - last < 3.0  # leaving the interpreter and all
    receiver.start()
    program.run(TRACED + "    work(1)\n    client.flush(20)\n    client.close()\n")
    receiver.wait_for_count(1001)


def test_receiver_comes_back_while_the_program_runs(receiver, program):
    receiver.stop()
    process = program.start(
        TRACED
        + """
    for i in range(100):
        work(i)
    print("made", flush=True)
    result = client.flush(40)
    print(result.delivered, result.pending, result.lost)
    client.close()
"""
    )
    assert process.stdout.readline() == "made\n"
    receiver.start()
    output, errors = process.communicate(timeout=60)
    assert output.split() == ["100", "0", "0"], errors
    receiver.wait_for_count(100)


def test_sigterm_ends_the_receiver_cleanly(receiver, agent):
    post_trace(receiver, agent)
    assert receiver.stop() == 0
    assert receiver.count() == 1  # the directory can be read with no receiver on it
    assert wait_for("log-in link", lambda: [line for line in receiver.output if "/login?token=" in line])


def test_read_directly_after_the_acknowledgement(receiver, agent):
    for i in range(20):
        trace_id = post_trace(receiver, agent, name=f"Fresh {i}")["traceId"]
        assert receiver.count() == i + 1
        assert receiver.show(trace_id)["name"] == f"Fresh {i}"


def test_idempotent_by_trace_id(receiver, agent):
    trace_id = "0123456789abcdef0123456789abcdef"
    answers = [post_trace(receiver, agent, trace_id=trace_id) for _ in range(3)]
    assert {a["traceId"] for a in answers} == {"01234567-89ab-cdef-0123-456789abcdef"}, json.dumps(answers)
    assert receiver.count() == 1


def test_commands_beside_a_receiver_do_not_disturb_it(receiver, agent):
    """A command that opens and closes the store must not take the write-ahead log away from under the receiver."""
    for i in range(5):
        post_trace(receiver, agent, name=f"Beside {i}")
        assert receiver.count() == i + 1
        receiver.create_agent(f"Another {i}")
    assert list(receiver.data.glob("*.db-wal"))
    receiver.kill()
    receiver.start()
    receiver.wait_for_count(5)

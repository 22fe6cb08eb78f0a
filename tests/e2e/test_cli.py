"""The command line's surface: what scripts rely on."""

import fcntl
import json
import os
import re
import signal
import subprocess
import time
import uuid

import pytest
from conftest import COMMAND, clean_environment, infinium, post_trace, request, wait_for

COMMANDS = ["serve", "agent", "agent create", "agent list", "agent revoke", "ls", "show", "tail", "demo"]
COMMANDS += ["journal", "journal status", "journal flush", "version"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command):
    done = infinium(*command.split(), "--help")
    assert "usage: infinium" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["sevre"], "did you mean 'infinium serve'"),
        (["frobnicate"], "unknown command 'frobnicate'"),
        (["ls", "--jsno"], "did you mean '--json'"),
        (["ls", "--status", "fine"], "there are ok, error, running and interrupted"),
        (["ls", "--limit", "many"], "wants a number"),
        (["ls", "--from", "yesterday"], "2026-11-23T08:00:00Z"),
        (["show"], "ID is missing"),
        (["show", "abc"], "at least the first 4 digits"),
        (["show", "zzzz"], "'zzzz' is no trace id"),
        (["agent", "crate", "x"], "did you mean 'infinium agent create'"),
        (["agent", "create"], "NAME is missing"),
        (["agent", "create", "x", "--secret", "short"], "8"),
        (["agent", "create", "x", "--id", "no-uuid"], "UUID"),
        (["agent", "revoke", "me"], "UUID"),
    ],
)
def test_wrong_usage_says_what_to_type(arguments, hint, tmp_path):
    done = infinium(*arguments, check=False, INFINIUM_DATA=tmp_path / "data")
    assert done.returncode == 2
    assert hint in done.stderr
    assert "--help" in done.stderr
    assert done.stdout == ""


def test_version():
    assert re.fullmatch(r"infinium \d+\.\d+\.\d+\n", infinium("version").stdout)
    assert infinium("--version").stdout == infinium("version").stdout
    assert json.loads(infinium("version", "--json").stdout)["version"]


def test_no_data_is_an_error_of_its_own(tmp_path):
    done = infinium("ls", "--data", tmp_path / "none", check=False)
    assert done.returncode == 1
    assert str(tmp_path / "none") in done.stderr
    assert not (tmp_path / "none").exists()


def test_default_directory(tmp_path):
    made = json.loads(infinium("agent", "create", "A", "--json", XDG_STATE_HOME=tmp_path).stdout)
    assert (tmp_path / "infinium" / "data").is_dir()
    home = json.loads(infinium("agent", "create", "B", "--json", HOME=tmp_path / "home", XDG_STATE_HOME="").stdout)
    assert (tmp_path / "home" / ".local" / "state" / "infinium" / "data").is_dir()
    assert made["agent_id"] != home["agent_id"]


def test_agents_without_a_receiver(tmp_path):
    data = tmp_path / "data"
    made = json.loads(infinium("agent", "create", "First", "--data", data, "--json").stdout)
    assert str(uuid.UUID(made["agent_id"])) == made["agent_id"]
    assert len(made["agent_secret"]) >= 16
    chosen = str(uuid.uuid4())
    again = infinium("agent", "create", "Second", "--data", data, "--json", "--id", chosen, "--secret", "my-own-secret")
    assert json.loads(again.stdout) == {"agent_id": chosen, "agent_secret": "my-own-secret", "name": "Second"}
    taken = infinium("agent", "create", "Third", "--data", data, "--id", chosen, check=False)
    assert taken.returncode == 1 and chosen in taken.stderr
    agents = [json.loads(line) for line in infinium("agent", "list", "--data", data, "--json").stdout.splitlines()]
    assert [(a["name"], a["revoked"]) for a in agents] == [("First", False), ("Second", False)]
    infinium("agent", "revoke", chosen, "--data", data)
    assert "revoked" in infinium("agent", "list", "--data", data).stdout
    unknown = infinium("agent", "revoke", str(uuid.uuid4()), "--data", data, check=False)
    assert unknown.returncode == 1
    for path in data.rglob("*"):
        if path.is_file():
            assert b"my-own-secret" not in path.read_bytes(), path  # only a hash is kept


def test_agent_is_known_to_a_running_receiver(receiver):
    agent = receiver.create_agent("Late", "--secret", "a-secret-of-mine")
    assert post_trace(receiver, agent)["success"] is True


def test_a_receiver_that_is_starting_is_waited_for(tmp_path):
    """`infinium serve &` and the next command in one go: the lock is held, the address is not known yet."""
    data = tmp_path / "data"
    infinium("agent", "create", "First", "--data", data)
    with open(data / "receiver.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        commands = [["agent", "create", "Second"], ["login"]]
        started = [
            subprocess.Popen(
                [COMMAND, *words, "--data", str(data)], stdout=subprocess.PIPE, text=True, env=clean_environment()
            )
            for words in commands
        ]
        time.sleep(0.5)
        lock.write("1 http://127.0.0.1:9\n")
        lock.flush()
        printed = [process.communicate(timeout=30)[0] for process in started]
    assert "export INFINIUM_BASE_URL=http://127.0.0.1:9/api/v1\n" in printed[0]
    assert printed[1].startswith("http://127.0.0.1:9/login?token=")


def test_agent_is_seen_at_once(receiver, agent):
    """Whoever has just set a program up looks whether it came through."""

    def seen():
        lines = infinium("agent", "list", "--data", receiver.data, "--json").stdout.splitlines()
        return {a["agent_id"]: a["last_seen_at"] for a in map(json.loads, lines)}[agent["agent_id"]]

    assert seen() is None
    post_trace(receiver, agent)
    wait_for("its first use", seen, 5)


def test_all_logins_end(receiver):
    link = infinium("login", "--data", receiver.data).stdout.strip().removeprefix(receiver.url)
    assert link.startswith("/login?token=")
    done = infinium("login", "--end-all", "--data", receiver.data)
    assert re.fullmatch(r"ended \d+ sessions? and links?\n", done.stdout), done.stdout
    assert request(receiver.url + link)[0] == 403
    assert "session.end_all" in infinium("audit", "--data", receiver.data).stdout


def test_prompts_are_named_with_or_without_dashes(tmp_path):
    (tmp_path / "text").write_text("Hello")
    at = ("--data", tmp_path / "data", "--json")
    prompt = json.loads(infinium("prompt", "create", "P", "--file", tmp_path / "text", *at).stdout)["prompt_id"]
    for text in (prompt, prompt.replace("-", "")):
        made = json.loads(infinium("prompt", "publish", text, "--file", tmp_path / "text", *at).stdout)
        assert made["prompt_id"] == prompt
        assert json.loads(infinium("prompt", "rotate", text, *at).stdout)["prompt_id"] == prompt
        assert infinium("prompt", "show", text, "--data", tmp_path / "data").stdout == "Hello\n"
    assert infinium("prompt", "delete", prompt, "--data", tmp_path / "data").returncode == 0
    assert json.loads(infinium("prompt", "list", *at).stdout or "[]") == []
    again = infinium("prompt", "delete", prompt, "--data", tmp_path / "data", check=False)
    assert again.returncode == 1 and "no prompt" in again.stderr


def test_one_and_many(receiver, agent, tmp_path):
    post_trace(receiver, agent)
    done = infinium("export", "--data", receiver.data, "-o", tmp_path / "one.ndjson")
    assert done.stderr == f"1 trace in {tmp_path / 'one.ndjson'}\n"
    first = infinium("import", tmp_path / "one.ndjson", "--data", tmp_path / "other").stdout
    assert first.startswith("imported 1 trace; 0 were there already, 0 were refused\n1 agent was added,")
    again = infinium("import", tmp_path / "one.ndjson", "--data", tmp_path / "other").stdout
    assert again == "imported 0 traces; 1 was there already, 0 were refused\n"
    log = infinium("audit", "--data", tmp_path / "other").stdout
    assert log.count("command line") >= 2 and "1 trace stored, 0 already there, 0 refused" in log, log
    assert "0 traces stored, 1 already there, 0 refused" in log, log
    assert "the newest 1 trace can be read" in infinium("doctor", "--data", receiver.data).stdout


def test_stats_of_traces_without_a_model(receiver, agent):
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    post_trace(receiver, agent, current_datetime=now)
    rows = infinium("stats", "--by", "model", "--data", receiver.data).stdout.splitlines()[1:]
    assert [row.split()[-1] for row in rows] == ["-", "all"]


def test_export_names_the_file_that_was_asked_for(receiver, agent, tmp_path):
    for target, code in ((tmp_path / "none" / "x.ndjson", 1), (tmp_path / "folder", 1)):
        (tmp_path / "folder").mkdir(exist_ok=True)
        done = infinium("export", "--data", receiver.data, "-o", target, check=False)
        assert done.returncode == code
        assert f"cannot write {target}: " in done.stderr and ".part" not in done.stderr
    assert [p.name for p in tmp_path.glob("*.part")] == []


def test_ls_and_show(receiver, agent):
    ids = {}
    for i in range(5):
        members = {"name": f"Trace {i % 2}", "current_datetime": f"2026-11-23T02:00:0{i}.000000Z"}
        if i == 4:
            members["errors"] = [{"error_type": "ValueError", "message": "boom", "stack_trace": "Traceback ..."}]
        ids[i] = post_trace(receiver, agent, **members)["traceId"]
    rows = receiver.ls()
    assert [r["trace_id"] for r in rows] == [ids[i].replace("-", "") for i in (4, 3, 2, 1, 0)]
    assert {"trace_id", "name", "status", "started_at", "duration_s"} <= set(rows[0])
    assert rows[0]["status"] == "error" and rows[1]["status"] == "ok"
    assert rows[0]["duration_s"] == 0.5
    assert rows[0]["started_at"].startswith("2026-11-23T02:00:03.5")
    assert len(receiver.ls("--limit", "2")) == 2
    assert len(receiver.ls("--name", "Trace 1")) == 2
    assert len(receiver.ls("--status", "ok")) == 4
    assert len(receiver.ls("--from", "2026-11-23T02:00:02Z")) == 2
    assert len(receiver.ls("--to", "2026-11-23T02:00:02Z")) == 3
    assert len(receiver.ls("--agent", agent["agent_id"])) == 5
    assert len(receiver.ls("--agent", str(uuid.uuid4()))) == 0
    assert receiver.count() == 5
    assert receiver.count("--status", "error") == 1

    table = infinium("ls", "--data", receiver.data).stdout
    assert table.splitlines()[0].split()[:4] == ["trace", "started", "duration", "status"]
    assert "\033" not in table
    for text in (ids[0], ids[0].replace("-", ""), ids[0][:13], ids[0].upper()):
        assert receiver.show(text)["trace_id"] == ids[0].replace("-", "")
    shown = infinium("show", ids[4], "--data", receiver.data).stdout
    assert "ValueError: boom" in shown and "Traceback ..." in shown
    unknown = infinium("show", "0" * 31 + "1", "--data", receiver.data, check=False)
    assert unknown.returncode == 1 and "there is no trace" in unknown.stderr


def test_more_than_a_page(receiver, agent):
    for i in range(60):
        post_trace(receiver, agent, name=f"Many {i}")
    assert len(infinium("ls", "--data", receiver.data).stdout.splitlines()) == 52  # heading, 50 rows, a hint
    assert len(receiver.ls()) == 60
    assert len({t["trace_id"] for t in receiver.ls("--limit", "55")}) == 55


def test_ambiguous_prefix(receiver, agent):
    for last in "12":
        post_trace(receiver, agent, trace_id="abcdef" + "0" * 25 + last)
    done = infinium("show", "abcdef", "--data", receiver.data, check=False)
    assert done.returncode == 1 and "more than one" in done.stderr
    short = infinium("show", "abc", "--data", receiver.data, check=False)
    assert short.returncode == 2 and "no trace id" in short.stderr


def test_terminal_is_safe_from_a_trace(receiver, agent):
    post_trace(receiver, agent, name="evil\033[2Jname", input_summary="\033]0;title\007")
    (trace,) = receiver.ls()
    assert trace["name"] == "evil\033[2Jname"  # data is data
    for done in (infinium("ls", "--data", receiver.data), infinium("show", trace["trace_id"], "--data", receiver.data)):
        assert "\033" not in done.stdout and "\007" not in done.stdout


def test_reader_that_goes_away(receiver, agent):
    for i in range(200):
        post_trace(receiver, agent, input_summary="x" * 200)
    process = subprocess.Popen(
        [COMMAND, "ls", "--data", str(receiver.data), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) in (0, 1)


def test_tail_follows(receiver, agent):
    process = subprocess.Popen(
        [COMMAND, "tail", "--data", str(receiver.data), "--json", "--limit", "2", "--all"],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    try:
        post_trace(receiver, agent, name="One")
        assert json.loads(process.stdout.readline())["name"] == "One"
        post_trace(receiver, agent, name="Two")
        assert json.loads(process.stdout.readline())["name"] == "Two"
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_second_receiver_on_the_directory_is_refused(receiver):
    done = infinium("serve", "--data", receiver.data, "--listen", "127.0.0.1:0", check=False)
    assert done.returncode == 1
    assert str(receiver.data) in done.stderr or "another" in done.stderr


def test_bad_address(tmp_path):
    for address in ("nonsense", "127.0.0.1:99999", "127.0.0.1"):
        done = infinium("serve", "--data", tmp_path / "data", "--listen", address, check=False)
        assert done.returncode == 2, address
        assert address in done.stderr and "infinium serve --help" in done.stderr
        assert infinium("demo", "--data", tmp_path / "data", "--listen", address, check=False).returncode == 2


@pytest.mark.parametrize(
    "code, options",
    [
        (2, ["--listen", "nonsense"]),
        (2, ["--listen", "0.0.0.0:0"]),  # others can reach it, and there is no TLS
        (2, ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem"]),
        (2, ["--threads", "1000"]),
        (2, ["--listen", "127.0.0.1:0", "--judge-model", "m"]),
        (2, ["--listen", "127.0.0.1:0", "--judge-endpoint", "https://127.0.0.1/v1"]),
        (2, ["--listen", "127.0.0.1:0", "--judge-endpoint", "ftp://x", "--judge-model", "m"]),
        (1, ["--listen", "no-such-host.invalid:0"]),
        (1, ["--listen", "127.0.0.1:0", "--prices", "/no/prices.json"]),
        (1, ["--listen", "127.0.0.1:0", "--tls-cert", "/no/cert.pem", "--tls-key", "/no/key.pem"]),
    ],
)
def test_a_receiver_that_cannot_start_makes_nothing(tmp_path, code, options):
    done = infinium("serve", "--data", tmp_path / "data", *options, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr and done.stdout == ""
    assert not (tmp_path / "data").exists()


def test_data_directory_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        done = infinium("serve", "--data", path, "--listen", "127.0.0.1:0", check=False)
        assert done.returncode == 1 and "no directory" in done.stderr, done.stderr


def test_sigint_ends_the_receiver_too(receiver):
    receiver.process.send_signal(signal.SIGINT)
    assert receiver.process.wait(30) == 0


def test_data_directory_is_private(receiver, agent):
    post_trace(receiver, agent)
    wait_for("the database", lambda: list(receiver.data.glob("*.db")))
    for path in [receiver.data, *receiver.data.rglob("*")]:
        assert os.stat(path).st_mode & 0o077 == 0, path

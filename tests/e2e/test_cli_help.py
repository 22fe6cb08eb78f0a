"""What `--help` and the manual say, of every command that the binary has: what it is for, defaults, exit codes, and
examples, which are run as they are written. Only names that an example cannot know are put in place: directories of the
system lie below the test's own, ids are those of what was made here."""

import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from conftest import COMMAND, ROOT, SECONDS, Receiver, clean_environment, infinium, post_trace, wait_for

SYSTEM = re.compile(r"(?<![\w./])/(?=(?:etc|var/lib|srv|backup)/)")
AGENT = "6f9f1e0e-7c0b-4d53-9d0a-0d2a4f6f0c11"  # those of the examples
OTHER = "0d8f6a3e-2b7c-4f6e-9c57-6f2f4f0f2a10"
TRACE = "1f3a09bd12c84c5e9f0a6b1d2c3e4f50"
UNBOUNDED = {"--from", "--to", "--min-duration", "--max-duration"}  # filters: without them, all traces

MY_AGENT = """
import json, os, urllib.request
base, agent = os.environ["INFINIUM_BASE_URL"], os.environ["INFINIUM_AGENT_ID"]
body = {"name": "Mine", "description": "d", "current_datetime": "2026-11-23T02:56:20.972348Z", "duration": 0.5}
headers = {"x-agent-id": agent, "x-agent-key": os.environ["INFINIUM_AGENT_SECRET"], "Content-Type": "application/json"}
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(urllib.request.Request(f"{base}/agents/{agent}/trace", json.dumps(body).encode(), headers)).read()
"""


@functools.lru_cache(maxsize=None)
def help_of(command):
    return infinium(*command.split(), "--help").stdout


def section(text, title):
    found = re.search(rf"^{title}:\n((?:  .*\n)+)", text, re.M)
    return found.group(1).splitlines() if found else []


def all_commands():
    """Every command and group, by what the binary lists: "", "serve", "agent", "agent create", ..."""
    found, look_at = [], [""]
    while look_at:
        command = look_at.pop(0)
        found.append(command)
        look_at += [f"{command} {line.split()[0]}".strip() for line in section(help_of(command), "commands")]
    return found


ALL = all_commands()
EXAMPLES = [(command, line.strip()) for command in ALL for line in section(help_of(command), "examples")]


def test_commands_are_found():
    assert {"serve", "agent", "agent create", "journal flush", "prompt publish", "version"} <= set(ALL)
    assert len(ALL) > 30


@pytest.mark.parametrize("command", ALL)
def test_help_is_whole(command):
    text = help_of(command)
    lines = text.splitlines()
    assert lines[0].endswith(".") and len(lines[0]) <= 100, "its purpose, in one line"
    assert f"usage: infinium {command}".rstrip() in text
    assert "exit codes: 0 " in text and ", 1 " in text and ", 2 " in text
    assert not [line for line in lines if len(line) > 110]
    assert section(text, "examples"), "no example"
    for line in section(text, "examples"):
        assert f"infinium {command}".rstrip() in line or command == ""


@pytest.mark.parametrize("command", ALL)
def test_bounds_and_places_have_defaults(command):
    options = re.findall(r"^  (--?[a-z-]+) (\S+)((?:.*\n {25})*.*)$", help_of(command), re.M)
    for name, placeholder, help_text in options:
        wants = placeholder in ("N", "SECONDS", "MINUTES", "TIME", "BYTES", "DIR", "HOST:PORT", "FORMAT", "ROLE")
        if wants and name not in UNBOUNDED:
            assert "default" in help_text or "not set" in help_text, name


def manual_entries():
    """The commands that infinium(1) has an entry for: "agent create", not their arguments."""
    page = (ROOT / "docs" / "man" / "infinium.1").read_text()
    commands = page.split(".SH COMMANDS\n")[1].split(".SH ")[0]
    heads = re.findall(r"^\.TP\n\.B (.+)\n(?!\.TP)", commands, re.M)
    return [head.split("\\f")[0].strip() for head in heads]


def test_manual_has_every_command():
    groups = {command for command in ALL if section(help_of(command), "commands")}
    assert sorted(manual_entries()) == sorted(set(ALL) - groups)


def documented():
    """(page, command line) of the examples for a shell in the README and the documentation."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                for call in re.findall(r"(?:^|[|;(] ?|sudo )(infinium [^|;&)#]+)", line):
                    yield page.name, call.strip()


@pytest.mark.parametrize("page, line", sorted(set(documented())))
def test_documentation_names_what_there_is(page, line):
    words = shlex.split(line.split(" -- ")[0], posix=False)[1:]
    command = " ".join(words[:2]) if " ".join(words[:2]) in ALL else words[0]
    assert command in ALL
    known = {listed.split()[0] for listed in section(help_of(command), "options") if listed.startswith("  -")}
    assert not {word.split("=")[0] for word in words if word.startswith("-") and len(word) > 1} - known


def test_documentation_is_found():
    pages = {page for page, _line in documented()}
    assert {"README.md", "running.md", "security.md", "judge.md", "prompts.md"} <= pages
    assert len(set(documented())) >= 20


class House:
    """A home with a receiver on its data directory, one of each thing, and the files that examples name."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.work = folder / "work"
        self.data = self.home / ".local" / "state" / "infinium" / "data"
        for path in (self.work, self.home, *(folder / name for name in ("bin", "backup", "etc/infinium"))):
            path.mkdir(parents=True)
        (folder / "bin" / "infinium").symlink_to(COMMAND)
        python = folder / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)
        (folder / "etc/infinium/infinium.conf").write_text("retention-days = 30\n")
        (self.work / "greeting.txt").write_text("Hello {{name}}\n")
        (self.work / "my_agent.py").write_text(MY_AGENT)
        self.receiver = Receiver(self.data).start()
        for place in ("var/lib", "srv"):  # where examples have a data directory: one that a receiver is running on
            (folder / place).mkdir(parents=True)
            (folder / place / "infinium").symlink_to(self.data)
        self.agent = self.receiver.create_agent("Mail desk", "--id", AGENT)
        post_trace(self.receiver, self.agent, trace_id=TRACE, name="Email Classifier")
        infinium("export", "--data", self.data, "-o", self.work / "traces.ndjson")
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-q", self.work / "traces.ndjson"], check=True)

    def environment(self, **more):
        return clean_environment(
            HOME=self.home,
            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}",
            INFINIUM_AGENT_ID=self.agent["agent_id"],
            INFINIUM_AGENT_SECRET=self.agent["agent_secret"],
            INFINIUM_BASE_URL=self.receiver.base_url,
            **{"XDG_STATE_HOME": "", **more},
        )

    def other(self, group):
        """The id of a new key or prompt."""
        made = ["create", "Made", "--json", "--data", self.data]
        if group == "prompt":
            made += ["--file", self.work / "greeting.txt"]
        return json.loads(infinium(group, *made).stdout)[f"{group}_id"]

    def words(self, line):
        words = SYSTEM.sub(f"{self.folder}/", line)
        return words.replace(OTHER, self.other(line.split()[1])) if OTHER in line else words

    def start(self, line, **more):
        return subprocess.Popen(
            ["bash", "-o", "pipefail", "-ec", self.words(line)],
            cwd=self.work,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.receiver.stop()


def ended(process, seconds=SECONDS * 2):
    try:
        output, errors = process.communicate(timeout=seconds)
    finally:
        process.kill()
        process.wait()
    return process.returncode, output, errors


def run_receiver(house, line):
    """Not on the data directory of the one that runs; on any port, lest two tests want the same."""
    process = house.start("exec " + line, XDG_STATE_HOME=house.folder / "state", INFINIUM_LISTEN="127.0.0.1:0")
    if "--print-config" not in line:
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
    code, output, errors = ended(process)
    assert code == 0, errors
    if "infinium.conf" in line:
        assert re.search(r"retention-days\W+30\b", output)


def run_tail(house, line):
    process = house.start("exec " + line)
    lines = []
    reader = threading.Thread(target=Receiver.collect, args=(process.stdout, lines), daemon=True)
    reader.start()

    def printed():
        """Sends one more until one is printed: nothing says from when on it listens."""
        post_trace(house.receiver, house.agent, name="Followed")
        return "Followed" in "".join(lines)

    try:
        wait_for("a trace", printed)
        if "--limit" not in line:
            process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("command, line", EXAMPLES, ids=[line for _command, line in EXAMPLES])
def test_example_works_as_written(house, command, line):
    for tool in ("jq", "zstd"):  # which this project does not need for anything else
        if re.search(rf"(^|\| ){tool} ", line) and not shutil.which(tool):
            pytest.skip(f"no {tool} on this machine")
    if "infinium serve" in line:
        run_receiver(house, line)
    elif "infinium tail" in line:
        run_tail(house, line)
    else:
        code, _output, errors = ended(house.start(line))
        assert code == 0, errors

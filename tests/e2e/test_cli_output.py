"""What the commands do when standard output cannot be written: every command that prints says so and exits with 1; a
reader that went away (`| head`) is no error to speak of."""

import json
import os
import subprocess
import uuid

import pytest
from conftest import COMMAND, clean_environment, infinium

NO_SPACE = "error: cannot write to standard output: No space left on device\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A directory with one of each, and names of what is in it."""
    folder = tmp_path_factory.mktemp("output")
    data = folder / "data"
    infinium("demo", "--once", "--data", data)
    prompt = infinium("prompt", "create", "Greeting", "--data", data, "--json", "--file", __file__).stdout
    key = infinium("key", "create", "dashboard", "--data", data, "--json").stdout
    agent = infinium("agent", "create", "Mail", "--data", data, "--json").stdout
    infinium("export", "--data", data, "-o", folder / "traces.ndjson")
    trace = infinium("ls", "--data", data, "--json", "--limit", "1").stdout
    return {
        "DATA": str(data),
        "FOLDER": str(folder),
        "PROMPT": json.loads(prompt)["prompt_id"],
        "KEY": json.loads(key)["key_id"],
        "AGENT": json.loads(agent)["agent_id"],
        "TRACE": json.loads(trace)["trace_id"],
    }


PRINTING = [
    "--help",
    "--version",
    "version --json",
    "serve --help",
    "serve --print-config",
    "ls --data DATA",
    "ls --data DATA --json",
    "ls --data DATA --count",
    "show TRACE --data DATA",
    "show TRACE --data DATA --json",
    "tail --all --data DATA --limit 2",
    "tail --all --data DATA --limit 2 --json",
    "stats --data DATA --from 2020-01-01T00:00:00Z",
    "stats --data DATA --by time --from 2020-01-01T00:00:00Z",
    "stats --data DATA --json",
    "export --data DATA",
    "export --data DATA --format csv",
    "import FOLDER/traces.ndjson --data DATA",
    "import FOLDER/traces.ndjson --data DATA --json",
    "agent create NEW --data DATA",
    "agent create NEW --data DATA --json",
    "agent list --data DATA",
    "agent list --data DATA --json",
    "agent rotate AGENT --data DATA",
    "agent rotate AGENT --data DATA --json",
    "key create NEW --data DATA",
    "key create NEW --data DATA --json",
    "key list --data DATA",
    "key list --data DATA --json",
    "key rotate KEY --data DATA",
    "prompt create NEW --data DATA --file FOLDER/traces.ndjson",
    "prompt list --data DATA",
    "prompt list --data DATA --json",
    "prompt show PROMPT --data DATA",
    "prompt publish PROMPT --data DATA --file FOLDER/traces.ndjson",
    "prompt rotate PROMPT --data DATA",
    "audit --data DATA",
    "audit --data DATA --json",
    "doctor --data DATA",
    "doctor --data DATA --json",
    "backup FOLDER/NEW.db --data DATA",
    "journal status --journal FOLDER",
    "journal status --journal FOLDER --json",
    "demo --once",
]


def words(line, data):
    line = line.replace("NEW", uuid.uuid4().hex)
    for name, value in data.items():
        line = line.replace(name, value)
    return line.split()


def run(line, data, stdout):
    return subprocess.run(
        [COMMAND, *words(line, data)], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment()
    )


@pytest.mark.parametrize("line", PRINTING)
def test_full_disk_is_said(line, data):
    with open("/dev/full", "w") as full:
        done = run(line, data, full)
    assert (done.returncode, done.stderr) == (1, NO_SPACE)


@pytest.mark.parametrize("line", PRINTING)
def test_nobody_reads(line, data):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = run(line, data, pipe)
    assert done.stderr == ""
    assert done.returncode == (0 if line.startswith("tail") else 1)  # a tail ends when nobody reads any more


@pytest.mark.parametrize("line", ["ls --data DATA", "agent list --data DATA --json", "--version"])
def test_closed_standard_output(line, data):
    """Not one of our own files either, which the system would give the free number."""
    command = [COMMAND, *words(line, data)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment()
    )
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: Bad file descriptor\n"
    assert infinium("doctor", "--data", data["DATA"]).returncode == 0

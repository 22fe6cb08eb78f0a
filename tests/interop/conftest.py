"""A recording server, a client of it, and what it has received."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from scripted import Server  # noqa: E402

AGENT = "11111111-2222-3333-4444-555555555555"
SECRET = "correct-horse-battery"


@pytest.fixture
def server(monkeypatch, tmp_path):
    with Server() as running:
        monkeypatch.setenv("INFINIUM_AGENT_ID", AGENT)
        monkeypatch.setenv("INFINIUM_AGENT_SECRET", SECRET)
        monkeypatch.setenv("INFINIUM_BASE_URL", running.url + "/api/v1")
        monkeypatch.setenv("INFINIUM_JOURNAL_DIR", str(tmp_path / "journal"))
        yield running


@pytest.fixture
def client(server):
    import infinium

    with infinium.InfiniumClient(enable_rate_limiting=False) as made:
        yield made


@pytest.fixture
def sent(server, client):
    """sent(): all traces so far, {name: [trace, ...]}."""

    def traces():
        assert client.flush(20).pending == 0
        found = {}
        for asked in server.asked:
            if asked.path.endswith("/trace"):
                found.setdefault(asked.json["name"], []).append(asked.json)
        return found

    return traces

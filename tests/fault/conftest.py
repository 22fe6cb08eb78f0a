"""The receiver and the programs of the end-to-end tests (tests/e2e/conftest.py), under this folder's tests too."""

import importlib.util
import time
from pathlib import Path

import pytest

_path = Path(__file__).resolve().parent.parent / "e2e" / "conftest.py"
_spec = importlib.util.spec_from_file_location("e2e_conftest", _path)
e2e = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(e2e)

receiver, agent, journal, program = e2e.receiver, e2e.agent, e2e.journal, e2e.program

DELIVER = """
    from infinium import InfiniumClient
    client = InfiniumClient(enable_rate_limiting=False)
    assert client.flush(30), client.stats()
    client.close()
"""


@pytest.fixture
def arrived(receiver, program):
    """arrived(): delivers what any process has left, then {name: how many traces}, after checking the ids."""

    def count():
        program.run(DELIVER)
        known = -1
        while known != (known := receiver.count()):  # the receiver stores what it has acknowledged as fast as it can
            time.sleep(0.3)
        listed = receiver.ls("--limit", "0")
        assert len({trace["trace_id"] for trace in listed}) == len(listed)
        names = {}
        for trace in listed:
            key = trace["name"] if trace["status"] == "ok" else f"{trace['name']} {trace['status']}"
            names[key] = names.get(key, 0) + 1
        return names

    return count

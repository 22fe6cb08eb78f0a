"""docs/openapi.json against the real receiver: schemathesis asks every operation, with right and wrong data, as an
administrator, as a reader and without a key. Statuses, headers and bodies must be those of the document, and none 5xx.

INF_SCHEMATHESIS_SECONDS: how long each of the three may take (`make schemathesis`); a few seconds without it.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, clean_environment, post_trace, request

HERE = Path(__file__).resolve().parent
SECONDS = int(os.environ.get("INF_SCHEMATHESIS_SECONDS", "0"))
TRACE = "0123456789abcdef0123456789abcdef"

# Valid data may still be refused: a cursor that is none, a time range that ends before it begins.
NOT_CHECKED = "positive_data_acceptance"
# No text is a wrong one for what takes lines: the answer says which of them were refused (sendTraces, importTraces).
# A stream without an end.
LEFT_OUT = ["followTraces"]


def seed(receiver, agent):
    """Traces with everything in them, so that answers hold more than empty lists."""
    usage = {"model": "gpt-4o", "provider": "openai", "prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 3}
    keys = {"x-agent-id": agent["agent_id"], "x-agent-key": agent["agent_secret"]}
    lines = []
    for number in range(60):
        line = {"name": f"n{number % 3}", "trace_id": f"{number + 1:032x}", "started_at": f"2026-11-23T10:00:{number:02d}Z",
                "duration_ns": number * 10**8, "tags": ["a", "b"], "session_id": f"s{number % 5}", "user_id": "u",
                "status": ["ok", "error", "running", "interrupted"][number % 4], "input_summary": "in", "output_summary": "out",
                "steps": [{"step_number": 1, "action": "llm_call", "llm_call": usage}], "scores": [{"name": "s", "value": 0.5}]}  # fmt: skip
        if number:
            line["parent_id"] = TRACE
        lines.append(json.dumps(line))
    lines.append(json.dumps({"name": "root", "trace_id": TRACE, "errors": [{"error_type": "E", "message": "m"}]}))
    status, _headers, body = request(f"{receiver.base_url}/agents/{agent['agent_id']}/traces", "\n".join(lines).encode(), keys)
    assert status == 200 and json.loads(body)["rejected"] == [], body


def configuration(path, agent, spare, bearer):
    """Most of the time the agent and the traces that there are; what ends an agent or its secret gets a spare one."""
    text = f"""
hooks = "ndjson_hooks"
request-timeout = 20.0
[dictionaries]
agents = {{ values = ["{agent['agent_id']}"] }}
traces = {{ values = ["{TRACE}", "00000000000000000000000000000001"] }}
[parameters]
"path.agent" = {{ dictionary = "agents", probability = 0.8 }}
"path.trace" = {{ dictionary = "traces", probability = 0.8 }}
[generation]
database = "none"
[[operations]]
include-operation-id = ["sendTraces", "importTraces"]
[operations.checks.negative_data_rejection]
enabled = false
[[operations]]
include-operation-id = ["revokeAgent", "rotateAgent"]
parameters = {{ "path.agent" = "{spare['agent_id']}" }}
"""
    if bearer:
        text += f"""
[auth.openapi]
bearer = {{ bearer = "{bearer}" }}
agentId = {{ api_key = "{agent['agent_id']}" }}
agentKey = {{ api_key = "{agent['agent_secret']}" }}
"""
    path.write_text(text)
    return path


@pytest.mark.parametrize(("who", "seconds"), [("admin", 8), ("read", 4), ("nobody", 3)])
def test_the_receiver_keeps_to_its_document(receiver, agent, tmp_path, who, seconds):
    seed(receiver, agent)
    seconds = SECONDS or seconds
    bearer = None if who == "nobody" else (receiver.data / f"{who}.token").read_text().strip()
    config = configuration(tmp_path / "schemathesis.toml", agent, receiver.create_agent("Spare"), bearer)
    checks = ["--checks", "all", "--exclude-checks", NOT_CHECKED + ("" if bearer else ",negative_data_rejection,ignored_auth")]
    left_out = [word for name in LEFT_OUT for word in ("--exclude-operation-id", name)]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", receiver.base_url + "/openapi.json"]
    command += ["--url", receiver.url, "--max-time", str(seconds), "--seed", "20261123", "--no-color", "--continue-on-failure", *checks, *left_out]
    environment = clean_environment(PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE=1)
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 4 + 60, env=environment, cwd=tmp_path)
    print(done.stdout[-20000:], done.stderr[-2000:])
    assert done.returncode == 0, f"{who}: see the output above"
    # It still works afterwards.
    assert post_trace(receiver, agent)["success"] is True
    assert receiver.process.poll() is None


def test_the_document_that_is_served_is_the_one_in_the_tree(receiver):
    status, headers, body = request(receiver.base_url + "/openapi.json")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert body == (ROOT / "docs" / "openapi.json").read_bytes()

"""Every method of the published clients, infinium-o2 1.2.0 and 0.1.0, and of ours, against our receiver: tasks, batches,
prompts, health, interpretations, scores. The published ones run in environments of their own."""

import json
import subprocess
import sys

import pytest
from conftest import clean_environment, infinium
from published import PACKAGES, published_python

def create_prompt(receiver, tmp_path):
    text = tmp_path / "prompt.txt"
    text.write_text("Hello {{who}}")
    made = infinium("prompt", "create", "Greeting", "--data", receiver.data, "--json", "--file", text).stdout
    prompt = json.loads(made)
    text.write_text("Good day {{who}}")
    infinium("prompt", "publish", prompt["prompt_id"], "--data", receiver.data, "--file", text)
    return prompt


def run(which, source, tmp_path, **environment):
    """Runs a program with that client; a published one sees nothing but its own environment."""
    path = tmp_path / "program.py"
    path.write_text(source)
    command = [sys.executable]
    if which != "ours":
        command = [published_python(which), "-I"]
        name, version = PACKAGES[which].split("==")
        path.write_text(f"from importlib.metadata import version\nassert version('{name}') == '{version}'\n" + source)
    done = subprocess.run(
        [*command, str(path)], capture_output=True, text=True, timeout=100, env=clean_environment(**environment)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def credentials(receiver, agent, tmp_path):
    return {
        "ID": agent["agent_id"],
        "SECRET": agent["agent_secret"],
        "BASE": receiver.base_url,
        "INFINIUM_JOURNAL_DIR": tmp_path / "journal",
    }


NEWER = """
import asyncio, os
from infinium import (AsyncInfiniumClient, AuthenticationError, InfiniumClient, NotFoundError, TaskData)

where = dict(agent_id=os.environ["ID"], agent_secret=os.environ["SECRET"], base_url=os.environ["BASE"])
prompt = os.environ["PROMPT_ID"], os.environ["PROMPT_KEY"]
outcome = {"task_objective": "Greet", "required_deliverables": ["a greeting"], "constraints": ["within 10 seconds"]}

def task(name):
    return TaskData(name=name, description="d", current_datetime=InfiniumClient.get_current_iso_datetime(), duration=1.0)

def refused(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return
    raise SystemExit(f"{function}{arguments} was not refused")

client = InfiniumClient(**where)
answer = client.send_task("Sync task", "d", 1.5, output_summary="Here is a greeting.", expected_outcome=outcome)
assert answer.success, answer
trace_id = answer.data["traceId"]
assert client.send_task_data(task("Sync data")).success
batch = client.send_tasks_batch([task(f"Sync batch {i}") for i in range(3)])
assert (batch.successful, batch.failed) == (3, 0), batch

result = client.wait_for_interpretation(trace_id, timeout=20, poll_interval=0.2).data["interpretedTraceResult"]
assert result["verdict"] == "pass", result
checks = {check["id"]: check for check in result["checks"]}
assert checks["deliverable"]["status"] == "pass", checks
assert checks["constraint"]["detail"] == "Checked: the duration, at most 10 s. It was 1.5 s.", checks
assert client.get_interpreted_task_result(trace_id).data["interpretedTraceResult"] == result
refused(NotFoundError, client.get_interpreted_task_result, "00000000-0000-4000-8000-000000000001")

got = client.get_prompt(*prompt, variables={"who": "you"})
assert (got.prompt_id, got.name, got.version, got.rendered_content) == (prompt[0], "Greeting", 2, "Good day you"), got
assert client.get_prompt(*prompt, version=1).content == "Hello {{who}}"
refused(AuthenticationError, client.get_prompt, prompt[0], "inf_p_wrong")
refused(NotFoundError, client.get_prompt, *prompt, 7)

async def main():
    async with AsyncInfiniumClient(**where) as client:
        answer = await client.send_task("Async task", "d", 1.5)
        assert answer.success
        assert (await client.send_task_data(task("Async data"))).success
        batch = await client.send_tasks_batch([task(f"Async batch {i}") for i in range(3)], max_concurrent=2)
        assert (batch.successful, batch.failed) == (3, 0), batch
        got = await client.wait_for_interpretation(answer.data["traceId"], timeout=20, poll_interval=0.2)
        assert got.data["interpretedTraceResult"]["checks"]
        assert (await client.get_interpreted_task_result(trace_id)).data["interpretedTraceResult"]
        assert (await client.get_prompt(*prompt, variables={"who": "you"})).rendered_content == "Good day you"

asyncio.run(main())
"""

OUR_SCORES = """
client.score(trace_id, "helpful", 0.75, "mostly")
async def score():
    async with AsyncInfiniumClient(**where) as client:
        await client.score(trace_id, "polite", 1)
asyncio.run(score())
print(trace_id)
"""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("which", ["ours", "published"])
def test_every_method(which, receiver, agent, tmp_path):
    prompt = create_prompt(receiver, tmp_path)
    source = NEWER + (OUR_SCORES if which == "ours" else "")
    output = run(
        which,
        source,
        tmp_path,
        **credentials(receiver, agent, tmp_path),
        PROMPT_ID=prompt["prompt_id"],
        PROMPT_KEY=prompt["key"],
    )
    receiver.wait_for_count(10)
    if which == "ours":
        scores = {s["name"]: s for s in receiver.show(output.strip())["scores"]}
        assert (scores["helpful"]["value"], scores["helpful"]["comment"]) == (0.75, "mostly")
        assert scores["polite"]["value"] == 1 and scores["polite"]["source"] == "agent"


EARLIER = """
import asyncio, os
from infinium import AgentType, AsyncInfiniumClient, InfiniumClient, TaskData

where = dict(agent_id=os.environ["ID"], agent_secret=os.environ["SECRET"], base_url=os.environ["BASE"])
client = InfiniumClient(**where)
health = client.test_connection()
assert health.status == "healthy" and health.agent_name == "Test", health
answer = client.send_task(name="Flat", description="d", duration=1.0, agent_type=AgentType.DATA_ANALYST,
                          current_datetime=client.get_current_iso_datetime(), customer={"customer_name": "Acme"})
assert answer.success, answer
trace_id = answer.data["traceId"]
assert client.send_task_data(TaskData(name="Flat data", description="d", current_datetime="2026-11-23T02:56:20Z",
                                      duration=1.0, agent_type=AgentType.OTHER)).success
batch = client.send_tasks_batch([TaskData(name=f"Flat batch {i}", description="d", duration=1.0, agent_type=AgentType.OTHER,
                                          current_datetime="2026-11-23T02:56:20Z") for i in range(2)])
assert (batch.successful, batch.failed) == (2, 0), batch
assert client.get_interpreted_task_result(trace_id).data["interpretedTraceResult"]["checks"]

async def main():
    async with AsyncInfiniumClient(**where) as client:
        assert (await client.test_connection()).status == "healthy"
        answer = await client.send_task(name="Flat async", description="d", duration=1.0, agent_type="OTHER",
                                        current_datetime="2026-11-23T02:56:20Z")
        assert answer.success
        assert (await client.get_interpreted_task_result(trace_id)).data["interpretedTraceResult"]["checks"]

asyncio.run(main())
print(trace_id)
"""


@pytest.mark.timeout(400)
def test_the_earlier_client(receiver, agent, tmp_path):
    output = run("earlier", EARLIER, tmp_path, **credentials(receiver, agent, tmp_path))
    receiver.wait_for_count(5)
    trace = receiver.show(output.strip())
    assert trace["agent_type"] == "DATA_ANALYST"
    assert trace["customer_name"] == "Acme"

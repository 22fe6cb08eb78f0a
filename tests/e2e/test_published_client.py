"""The published client, infinium-o2 1.2.0, in an environment of its own, pointed at our receiver."""

import subprocess

import pytest
from conftest import clean_environment
from published import published_python

@pytest.mark.timeout(400)
def test_decorated_functions_arrive(receiver, agent, tmp_path):
    source = tmp_path / "published.py"
    source.write_text(
        """
import asyncio, os, sys
from importlib.metadata import version
from infinium import AsyncInfiniumClient, InfiniumClient

assert version("infinium-o2") == "1.2.0"
where = dict(agent_id=os.environ["ID"], agent_secret=os.environ["SECRET"], base_url=os.environ["BASE"])
client = InfiniumClient(**where)

@client.trace("Published sync")
def work(text):
    return {"text": text}

@client.trace("Published error")
def risky():
    raise ValueError("something went wrong")

assert work("hello") == {"text": "hello"}
try:
    risky()
except ValueError:
    pass

answer = client.send_task("Published task", "by hand", 1.5, input_summary="in", customer={"customer_name": "Acme"})
assert answer.success and len(answer.data["traceId"]) == 36, answer

async def main():
    async with AsyncInfiniumClient(**where) as async_client:
        @async_client.trace("Published async")
        async def work_async(text):
            return text.upper()
        assert await work_async("hello") == "HELLO"

asyncio.run(main())
print(answer.data["traceId"])
"""
    )
    done = subprocess.run(
        [published_python("published"), str(source)],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(ID=agent["agent_id"], SECRET=agent["agent_secret"], BASE=receiver.base_url),
    )
    assert done.returncode == 0, done.stderr
    assert receiver.count() == 4
    status = {t["name"]: t["status"] for t in receiver.ls()}
    assert status == {
        "Published sync": "ok",
        "Published async": "ok",
        "Published error": "error",
        "Published task": "ok",
    }
    task = receiver.show(done.stdout.strip())
    assert task["name"] == "Published task"
    assert task["sections"] == {"customer": {"customer_name": "Acme"}}
    assert task["duration_s"] == 1.5
    (sync,) = receiver.ls("--name", "Published sync")
    assert receiver.show(sync["trace_id"])["output_summary"] == "{'text': 'hello'}"

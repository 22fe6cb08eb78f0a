"""The pages of docs/python: the examples of each, run in order as one program, print what their comments say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import AGENT, SECRET
from scripted import Answer, Server

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted((ROOT / "docs" / "python").glob("*.md"))

sys.path.insert(0, str(ROOT / "examples"))

pytestmark = pytest.mark.timeout(60)


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def platform(asked):
    """What the hosted platform answers."""
    if "/prompts/" in asked.path:
        prompt = {"promptId": asked.path.split("/")[4], "name": "Greeting", "version": 2, "content": "Hi {{who}}", "createdAt": ""}
        return Answer(200, prompt)
    if "/interpreted-result/" in asked.path:
        return Answer(200, {"interpretedTraceResult": "fine"})
    if asked.path.endswith("/health"):
        return Answer(200, {"status": "healthy", "agentName": "docs", "timestamp": ""})
    return Answer(201, {"success": True, "message": "stored", "traceId": "00000000-0000-4000-8000-000000000001"})


def test_there_are_pages():
    assert {page.stem for page in PAGES} == {
        "builder", "configuration", "decorators", "direct-calls", "errors", "otel", "prompts", "watch",
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, tmp_path):
    for package in {"watch": ["openai"], "otel": ["opentelemetry.sdk"]}.get(page.stem, ()):
        pytest.importorskip(package)
    from scripted_openai import ScriptedOpenAI

    program = "\n".join(blocks(page))
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert expected, "examples that show nothing"
    with Server(platform) as server, ScriptedOpenAI() as model:
        environment = {
            **os.environ, "INFINIUM_AGENT_ID": AGENT, "INFINIUM_AGENT_SECRET": SECRET, "INFINIUM_BASE_URL": server.url + "/api/v1",
            "INFINIUM_JOURNAL_DIR": str(tmp_path / "journal"), "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model.base_url,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, env=environment, cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target

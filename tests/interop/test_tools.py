"""Commands, fixtures, tasks and agents' tools: what looks at a function before it calls it."""

import pytest


def test_click(client, sent):
    click = pytest.importorskip("click")
    from click.testing import CliRunner

    @click.command()
    @click.option("--name", default="you")
    @client.trace("command")
    def hello(name):
        """Greets."""
        click.echo(f"hello {name}")

    result = CliRunner().invoke(hello, ["--name", "Ann"])
    assert (result.output, result.exit_code) == ("hello Ann\n", 0)
    assert "Greets." in CliRunner().invoke(hello, ["--help"]).output
    assert "'name': 'Ann'" in sent()["command"][0]["input_summary"]


def test_pytest_fixture(tmp_path, server):
    import subprocess
    import sys

    (tmp_path / "test_it.py").write_text('''
import infinium, pytest

client = infinium.InfiniumClient(enable_rate_limiting=False)

@pytest.fixture
@client.trace("fixture")
def number(tmp_path):
    return 5

@pytest.mark.parametrize("times", [1, 2])
@client.trace("test")
def test_number(number, times):
    assert number * times == 5 * times

def teardown_module():
    assert client.flush(20).pending == 0
''')
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    names = [asked.json["name"] for asked in server.asked]
    assert sorted(names) == ["fixture"] * 2 + ["test"] * 2


@pytest.fixture
def celery_app(client, request):
    celery = pytest.importorskip("celery")
    name = request.node.name  # of tasks, which are the process's
    app = celery.Celery(name, broker="memory://", backend="cache+memory://")

    @app.task(name=f"{name}.add")
    @client.trace("task")
    def add(a, b):
        return a + b

    @app.task(name=f"{name}.broken", bind=True, max_retries=0)
    @client.trace("broken task")
    def broken(self):
        raise ValueError("broken")

    app.add, app.broken = add, broken
    return app


def test_celery_eager(celery_app, sent):
    celery_app.conf.task_always_eager = True
    assert celery_app.add.delay(2, 3).get() == 5
    with pytest.raises(ValueError, match="broken"):
        celery_app.broken.apply().get()
    traces = sent()
    assert traces["task"][0]["output_summary"] == "5" and traces["broken task"][0]["errors"][0]["message"] == "broken"


@pytest.mark.timeout(60)
def test_celery_worker(celery_app, sent):
    from celery.contrib.testing import tasks  # noqa: F401: the worker's ping
    from celery.contrib.testing.worker import start_worker

    with start_worker(celery_app, pool="solo", perform_ping_check=False, loglevel="error"):
        assert celery_app.add.delay(20, 3).get(timeout=20) == 23
    assert sent()["task"][0]["output_summary"] == "23"


def test_langchain_tool(client, sent):
    tools = pytest.importorskip("langchain_core.tools")
    import asyncio

    @tools.tool
    @client.trace("tool")
    def multiply(a: int, b: int) -> int:
        """Multiplies two numbers."""
        return a * b

    @tools.tool
    @client.trace("async tool")
    async def divide(a: int, b: int) -> int:
        """Divides."""
        return a // b

    assert multiply.name == "multiply" and multiply.description == "Multiplies two numbers."
    assert set(multiply.args) == {"a", "b"}
    assert multiply.invoke({"a": 6, "b": 7}) == 42
    assert asyncio.run(divide.ainvoke({"a": 6, "b": 3})) == 2
    assert sent()["tool"][0]["output_summary"] == "42" and sent()["async tool"][0]["output_summary"] == "2"


def test_langchain_runnable(client, sent):
    runnables = pytest.importorskip("langchain_core.runnables")
    chain = runnables.RunnableLambda(client.trace("first")(lambda x: x + 1)) | client.trace("second")(lambda x: x * 2)
    assert chain.invoke(1) == 4 and chain.batch([1, 2, 3]) == [4, 6, 8]
    traces = sent()
    assert len(traces["first"]) == len(traces["second"]) == 4


def test_pydantic_ai_agent(client, sent):
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.test import TestModel

    agent = pydantic_ai.Agent(TestModel())

    @agent.tool_plain
    @client.trace("agent's tool")
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    @client.trace("agent")
    def ask(question):
        return agent.run_sync(question).output

    assert "sunny" in ask("How is the weather?")
    traces = sent()
    assert len(traces["agent"]) == 1 and "sunny in" in traces["agent's tool"][0]["output_summary"]

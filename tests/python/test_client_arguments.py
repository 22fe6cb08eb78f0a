"""What the constructors take, and what they say about what they do not take."""

import asyncio
import inspect
import os
import subprocess
import sys

import pytest

import infinium
from infinium import AsyncInfiniumClient, InfiniumClient, ValidationError
from conftest import AGENT, SECRET

BOTH = pytest.mark.parametrize("cls", [InfiniumClient, AsyncInfiniumClient])


def close(client):
    result = client.close(0)
    return asyncio.run(result) if inspect.isawaitable(result) else result


@BOTH
def test_order_and_defaults(cls):
    parameters = inspect.signature(cls).parameters
    assert [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD] == (
        "agent_id agent_secret base_url timeout max_retries enable_rate_limiting requests_per_second user_agent "
        "enable_logging log_level verify_ssl".split()
    )
    assert [p.default for p in list(parameters.values())[2:11]] == [
        "https://platform.i42m.ai/api/v1", 30.0, 3, True, 10.0, f"infinium-python/{infinium.__version__}", False, "INFO",
        True,
    ]  # fmt: skip


@BOTH
def test_attributes(cls):
    client = cls(AGENT, SECRET, "http://127.0.0.1:9/x//", 2.5, 1, True, 5.0, "mine/1", False, "INFO", False)
    assert (client.agent_id, client.base_url, client.timeout) == (AGENT, "http://127.0.0.1:9/x", 2.5)
    assert (client.max_retries, client.user_agent, client.verify_ssl) == (1, "mine/1", False)
    assert client.rate_limiter.requests_per_second == 5.0
    assert client.logger.name == cls.__module__
    assert SECRET not in repr(client) and SECRET not in repr(vars(client)) and client.agent_secret == SECRET
    close(client)


@BOTH
@pytest.mark.parametrize(
    "field, arguments",
    [
        ("agent_id", ("", SECRET)), ("agent_id", (5, SECRET)), ("agent_id", ("ab", SECRET)), ("agent_id", (None, SECRET)),
        ("agent_id", ("abc\r\nx: y", SECRET)), ("agent_id", ("", "")),
        ("agent_secret", (AGENT, " ")), ("agent_secret", (AGENT, b"bytes are no text")), ("agent_secret", (AGENT, "1234567 ")),
        ("base_url", (AGENT, SECRET, "ftp://x")), ("base_url", (AGENT, SECRET, "")), ("base_url", (AGENT, SECRET, 5)),
        ("timeout", (AGENT, SECRET, "http://x", 0)), ("timeout", (AGENT, SECRET, "http://x", "5")),
        ("timeout", (AGENT, SECRET, "http://x", float("nan"))),
    ],
)  # fmt: skip
def test_what_is_refused(cls, field, arguments):
    with pytest.raises(ValidationError) as caught:
        cls(*arguments)
    assert caught.value.field == field


@BOTH
def test_environment(cls, monkeypatch):
    monkeypatch.setenv("INFINIUM_AGENT_ID", AGENT)
    monkeypatch.setenv("INFINIUM_AGENT_SECRET", SECRET)
    monkeypatch.setenv("INFINIUM_BASE_URL", "http://127.0.0.1:9/api/v1/")
    client = cls()
    assert client.agent_id == AGENT and client.base_url == "http://127.0.0.1:9/api/v1"
    close(client)
    given = cls("other-agent", SECRET, base_url="https://platform.i42m.ai/api/v1")
    assert given.agent_id == "other-agent" and given.base_url == "https://platform.i42m.ai/api/v1"
    close(given)
    monkeypatch.setenv("INFINIUM_AGENT_ID", "  ")
    with pytest.raises(ValidationError) as caught:
        cls()
    assert caught.value.field == "agent_id"


@BOTH
@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_rate(cls, rate):
    with pytest.raises(ValueError):
        cls(AGENT, SECRET, requests_per_second=rate)
    client = cls(AGENT, SECRET, requests_per_second=rate, enable_rate_limiting=False)
    assert client.rate_limiter is None
    close(client)


@BOTH
def test_after_close_functions_run_untraced(cls):
    client = cls(AGENT, SECRET, "http://127.0.0.1:9")
    f = client.trace("t")(lambda x: x)
    assert f(1) == 1 and client.stats()["begun"] == 1
    first = close(client)
    assert f(2) == 2
    assert close(client).counts == first.counts  # the last counts stay to be read
    assert client.stats() == first.counts and first.counts["begun"] == 1


def test_closing_while_a_trace_is_open():
    client = InfiniumClient(AGENT, SECRET, "http://127.0.0.1:9")

    @client.trace("t")
    def f():
        client.close(0)
        return 1

    assert f() == 1 and f() == 1


def test_a_client_that_is_dropped():
    def make():
        client = InfiniumClient(AGENT, SECRET, "http://127.0.0.1:9")
        return client.trace("t")(lambda: 1)

    f = make()
    assert f() == 1
    del f


@pytest.mark.parametrize("timeout", [-1, "x", float("nan")])
def test_bad_flush_timeout(timeout):
    with InfiniumClient(AGENT, SECRET, "http://127.0.0.1:9") as client, pytest.raises((TypeError, ValueError)):
        client.flush(timeout)


def test_import_is_light():
    program = (
        "import sys; before = set(sys.modules); import infinium; "
        "loaded = {m.partition('.')[0] for m in set(sys.modules) - before}; "
        "print(*sorted(loaded & {'logging', 'json', 'asyncio', 'typing', 'inspect', 'dataclasses', 'http', 're', 'ssl'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_everything_in_all_is_there():
    for name in infinium.__all__:
        if name in ("OpenAIInstrumentor", "AnthropicInstrumentor", "GoogleInstrumentor"):
            continue
        assert getattr(infinium, name) is not None
    assert set(infinium.__all__) <= set(dir(infinium))


def warnings_of(caplog, *args, **kwargs):
    """Of the constructor. What the sender says of an earlier test's client may come at any time: it is left out."""
    caplog.clear()
    with caplog.at_level("WARNING"):
        InfiniumClient(*args, **kwargs).close()
    told = [(record.name, record.getMessage()) for record in caplog.records]
    return [(name, text) for name, text in told if "cannot be reached" not in text]


@pytest.mark.parametrize("url", [
    "http://localhost/v1", "http://LOCALHOST:8080", "http://127.0.0.1:9/v1", "http://127.3.2.1", "http://[::1]:8080/v1",
    "https://example.com/v1", "HTTPS://example.com",
])  # fmt: skip
def test_a_safe_url_is_not_warned_about(caplog, url):
    assert warnings_of(caplog, AGENT, SECRET, base_url=url) == []


@pytest.mark.parametrize("url", [
    "http://example.com", "HTTP://127.0.0.1.example.com/v1", "http://localhost.example.com", "http://10.0.0.1:8080/v1",
    "http://[2001:db8::1]/",
])  # fmt: skip
def test_a_secret_over_plain_http_is_warned_about_once(caplog, url):
    ((name, text),) = warnings_of(caplog, AGENT, SECRET, base_url=url)
    assert name == "infinium" and "http://" in text and SECRET not in text


def test_an_agent_id_that_is_no_uuid_is_warned_about_once(caplog):
    ((name, text),) = warnings_of(caplog, "my-agent", SECRET, base_url="http://127.0.0.1:9")
    assert name == "infinium" and "agent_id" in text and "UUID" in text and "my-agent" in text

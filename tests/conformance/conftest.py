"""Fixtures. The same tests run against whichever implementation the interpreter has installed."""

import asyncio
import functools
import importlib
import importlib.metadata
import inspect
import logging
import os

import pytest

import infinium
from helpers import AGENT, IMPL, OURS, PUBLISHED, SECRET, adeliver, deliver
from recorder import Recorder
from vendors import vendor


def pytest_configure(config):
    if IMPL not in ("published", "ours"):
        raise pytest.UsageError("INFINIUM_IMPL is 'published' or 'ours'")
    wanted = "infinium-o2" if PUBLISHED else "infinium"
    try:
        version = importlib.metadata.version(wanted)
    except importlib.metadata.PackageNotFoundError:
        raise pytest.UsageError(f"INFINIUM_IMPL={IMPL}, but this interpreter has no distribution {wanted}")
    if PUBLISHED and version != "1.2.0":
        raise pytest.UsageError(f"the suite describes infinium-o2 1.2.0, installed is {version}")


def pytest_report_header(config):
    return f"implementation: {IMPL} ({os.path.dirname(infinium.__file__)})"


def pytest_collection_modifyitems(config, items):
    for item in items:
        mark = item.get_closest_marker("bug")
        if mark and PUBLISHED:
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"published client, point {mark.args[0]}"))


def _printable(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Lone surrogates in a failure's text would end an xdist worker: they are shown escaped."""
    report = yield
    report.sections = [(_printable(name), _printable(text)) for name, text in report.sections]
    if report.longrepr is not None and not isinstance(report.longrepr, tuple):
        text = str(report.longrepr)
        if _printable(text) != text:
            report.longrepr = _printable(text)
    return report


@functools.lru_cache(maxsize=None)
def _one_ssl_context(*args, **kwargs):
    """httpx reads the certificate store for each client (30 ms); the tests speak plain HTTP."""
    from httpx._config import create_ssl_context

    return create_ssl_context(*args, **kwargs)


@pytest.fixture
def impl():
    return IMPL


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """A journal of its own, no proxies, no credentials from outside, and short waits between published retries."""
    for name in list(os.environ):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") or (
            name.startswith("INFINIUM_") and name != "INFINIUM_IMPL"
        ):
            monkeypatch.delenv(name)
    journal = tmp_path / "journal"
    monkeypatch.setenv("INFINIUM_JOURNAL_DIR", str(journal))
    if PUBLISHED:
        # The published backoff (1, 2, 4 s) scaled to a tenth.
        utils = importlib.import_module("infinium.utils")
        real = utils.exponential_backoff

        @functools.wraps(real)
        def tenth(*args, **kwargs):
            return real(*args, **kwargs) / 10

        monkeypatch.setattr("infinium.client.exponential_backoff", tenth)
        monkeypatch.setattr(utils, "exponential_backoff", tenth)
        monkeypatch.setattr("httpx._transports.default.create_ssl_context", _one_ssl_context)
    level = logging.getLogger("infinium").level
    yield
    logging.getLogger("infinium").setLevel(level)


@pytest.fixture
def journal_dir():
    from pathlib import Path

    return Path(os.environ["INFINIUM_JOURNAL_DIR"])


@pytest.fixture
def server():
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def llm():
    """A server that speaks the wires of OpenAI, Anthropic and Google."""
    recorder = Recorder(vendor)
    yield recorder
    recorder.close()


@pytest.fixture
def make_client(server):
    """make_client(**options): a synchronous client of the recording server, closed after the test."""
    made = []

    def make(agent_id=AGENT, agent_secret=SECRET, **options):
        options.setdefault("base_url", server.base_url)
        client = infinium.InfiniumClient(agent_id, agent_secret, **options)
        made.append(client)
        return client

    yield make
    server.always(None)
    for client in made:
        client.close()


@pytest.fixture
def make_async(server):
    made = []

    def make(agent_id=AGENT, agent_secret=SECRET, **options):
        options.setdefault("base_url", server.base_url)
        client = infinium.AsyncInfiniumClient(agent_id, agent_secret, **options)
        made.append(client)
        return client

    yield make
    server.always(None)
    for client in made:
        try:
            asyncio.run(client.close())
        except RuntimeError:  # the published client is bound to the loop that it was first used in
            if OURS:
                raise


@pytest.fixture
def client(make_client):
    return make_client(max_retries=0)


@pytest.fixture
def aclient(make_async):
    return make_async(max_retries=0)


class Api:
    """Both clients behind one face: api("send_task", ...) calls the method and, if it is a coroutine, runs it."""

    def __init__(self, mode, make):
        self.mode = mode
        self._make = make
        self._loop = asyncio.new_event_loop() if mode == "async" else None
        self.client = make(max_retries=0)

    def options(self, **options):
        self.client = self._make(**options)
        return self

    def run(self, value):
        return self._loop.run_until_complete(value) if inspect.isawaitable(value) else value

    def __call__(self, method, *args, **kwargs):
        return self.run(getattr(self.client, method)(*args, **kwargs))

    def deliver(self):
        self.run(adeliver(self.client)) if self._loop else deliver(self.client)

    def finish(self):
        if self._loop:
            self._loop.run_until_complete(self.client.close())
            self._loop.close()


@pytest.fixture(params=["sync", "async"])
def api(request, make_client, make_async):
    face = Api(request.param, make_client if request.param == "sync" else make_async)
    yield face
    face.finish()

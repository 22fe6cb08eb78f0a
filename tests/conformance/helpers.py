"""What the tests share: which implementation runs, how to wait for delivery, and the marks."""

import asyncio
import importlib.metadata
import inspect
import os
import socket
import time

import pytest

AGENT = "11111111-2222-3333-4444-555555555555"
TASK = "22222222-3333-4444-5555-666666666666"
PROMPT = "99999999-2222-3333-4444-555555555555"
SECRET = "correct-horse-battery"


def _installed(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


IMPL = os.environ.get("INFINIUM_IMPL") or ("published" if _installed("infinium-o2") else "ours")
PUBLISHED = IMPL == "published"
OURS = IMPL == "ours"


def differs(id, reason):
    """Marks a test in which the two implementations differ on purpose and which gives both expectations."""
    return pytest.mark.differs(id, reason)


def bug(number):
    """Marks a test of a numbered weakness of the published package: right on ours, expected to fail there."""
    return pytest.mark.bug(number)


def deliver(client):
    """Waits until everything traced so far was sent. The published client has sent it already."""
    flush = getattr(client, "flush", None)
    if flush is not None:
        result = flush(timeout=10)
        if inspect.isawaitable(result):
            asyncio.run(_await(result))


async def adeliver(client):
    flush = getattr(client, "flush", None)
    if flush is not None:
        result = flush(timeout=10)
        if inspect.isawaitable(result):
            await result


async def _await(awaitable):
    return await awaitable


class Elapsed:
    """`with Elapsed() as t: ...`, then t.s seconds."""

    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.s = time.perf_counter() - self.start
        return False


def free_port():
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

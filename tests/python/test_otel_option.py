"""trace(..., otel_exporter=): finished traces as spans, off the traced call."""

import asyncio
import logging
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace as otel  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

from infinium import _exports, async_trace_agent, trace_agent  # noqa: E402
from infinium.integrations import CapturedLlmCall, get_current_trace_context  # noqa: E402
from infinium.integrations.otel import InfiniumOTelExporter  # noqa: E402

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def memory():
    provider, exporter = otel.get_tracer_provider(), InMemorySpanExporter()
    if not hasattr(provider, "add_span_processor"):
        provider = TracerProvider()
        otel.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def spans(memory):
    memory.clear()

    def finished():
        assert _exports.flush(10)
        return {span.name: span for span in memory.get_finished_spans()}

    return finished


def call_of_a_model():
    get_current_trace_context().calls.append(CapturedLlmCall("openai", "gpt", 11, 7, latency_ns=1_000_000))


def test_a_span_as_long_as_the_call(client, spans):
    @client.trace("agent", otel_exporter=InfiniumOTelExporter("svc"))
    def f():
        call_of_a_model()
        time.sleep(0.05)
        return 1

    before = time.time_ns()
    assert f() == 1
    after = time.time_ns()
    client.flush(10)
    found = spans()
    root, call = found["agent"], found["llm.openai.0"]
    assert before - 1e6 <= root.start_time <= root.end_time - 50e6 and root.end_time <= after + 1e6
    assert root.attributes["infinium.service"] == "svc" and root.attributes["llm.total_prompt_tokens"] == 11
    assert call.parent.span_id == root.context.span_id and call.end_time - call.start_time == 1_000_000


@pytest.mark.parametrize("decorator", [trace_agent, async_trace_agent])
def test_without_a_client_and_for_coroutines(decorator, spans):
    @decorator("agent", otel_exporter=InfiniumOTelExporter())
    async def f():
        await asyncio.sleep(0.02)

    asyncio.run(f())
    span = spans()["agent"]
    assert span.end_time - span.start_time >= 20e6


def test_a_raising_function_keeps_its_exception(spans):
    @trace_agent("agent", otel_exporter=InfiniumOTelExporter())
    def f():
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        f()
    assert "agent" in spans()


def test_under_the_programs_own_span(spans):
    f = trace_agent("agent", otel_exporter=InfiniumOTelExporter())(lambda: None)
    with otel.get_tracer("user").start_as_current_span("outside"):
        f()
    found = spans()
    assert found["agent"].parent.span_id == found["outside"].context.span_id


def test_any_object_with_export_trace():
    seen = []

    class Mine:
        def export_trace(self, trace_name, duration_s, ctx=None):
            seen.append((trace_name, duration_s > 0, len(ctx.calls), threading.current_thread().name))

    trace_agent("agent", otel_exporter=Mine())(call_of_a_model)()
    assert _exports.flush(10) and seen == [("agent", True, 1, "infinium-export")]


def test_an_exporter_that_fails_or_is_slow(caplog):
    class Broken:
        def export_trace(self, *args, **kwargs):
            raise RuntimeError("not today")

    with caplog.at_level(logging.WARNING, "infinium"):
        assert trace_agent("agent", otel_exporter=Broken())(lambda: 5)() == 5
        assert _exports.flush(10)
    assert "could not be exported" in caplog.text

    class Slow:
        def export_trace(self, *args, **kwargs):
            time.sleep(0.2)

    f = trace_agent("agent", otel_exporter=Slow())(lambda: 5)
    begin = time.monotonic()
    f()
    assert time.monotonic() - begin < 0.1 and not _exports.flush(0) and _exports.flush(10)


def test_the_end_of_the_program_waits_for_the_exporter():
    program = """
import infinium
class Slow:
    def export_trace(self, name, duration, ctx):
        import time; time.sleep(0.3); print("exported", flush=True)
infinium.trace_agent("t", otel_exporter=Slow())(lambda: 1)()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("exported\n", 0), done.stderr

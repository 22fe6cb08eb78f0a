"""Section 11: the OpenTelemetry exporter, with the real SDK."""

import pytest
from opentelemetry import trace as otel
from opentelemetry.trace import StatusCode

from helpers import PUBLISHED, deliver, differs
from infinium.integrations import CapturedLlmCall, CapturedPromptFetch, TraceContext
from infinium.integrations.otel import InfiniumOTelExporter
from spans import fresh

@pytest.fixture
def spans():
    memory = fresh()
    return lambda: {s.name: s for s in memory.get_finished_spans()}


def full():
    return TraceContext(
        calls=[
            CapturedLlmCall("openai", "gpt", 11, 7, 0.5, 400_500_000),
            CapturedLlmCall("anthropic", "claude", error_type="E", error_message="why"),
        ],
        prompts=[CapturedPromptFetch("id", "Greeting", 2)],
    )


def test_attributes_of_the_exporter():
    exporter = InfiniumOTelExporter()
    assert (exporter.service_name, exporter.tracer_name) == ("infinium-agent", "infinium")
    exporter = InfiniumOTelExporter("s", "t")
    assert (exporter.service_name, exporter.tracer_name) == ("s", "t")


def test_root_span(spans):
    InfiniumOTelExporter("svc").export_trace("My trace", 1.5)
    (span,) = spans().values()
    assert span.name == "My trace" and span.parent is None
    assert dict(span.attributes) == {"infinium.service": "svc", "infinium.duration_s": 1.5}
    assert span.instrumentation_scope.name == "infinium"


def test_tracer_name(spans):
    InfiniumOTelExporter(tracer_name="mine").export_trace("t", 1.0)
    assert spans()["t"].instrumentation_scope.name == "mine"


def test_empty_context(spans):
    InfiniumOTelExporter().export_trace("t", 1.0, TraceContext())
    attributes = dict(spans()["t"].attributes)
    assert attributes == {
        "infinium.service": "infinium-agent", "infinium.duration_s": 1.0, "infinium.llm_call_count": 0,
        "infinium.prompt_fetch_count": 0, "llm.total_prompt_tokens": 0, "llm.total_completion_tokens": 0,
    }  # fmt: skip


def test_children(spans):
    InfiniumOTelExporter().export_trace("t", 1.0, full())
    found = spans()
    assert set(found) == {"t", "llm.openai.0", "llm.anthropic.1"}
    root, first, second = found["t"], found["llm.openai.0"], found["llm.anthropic.1"]
    assert root.attributes["infinium.llm_call_count"] == 2 and root.attributes["infinium.prompt_fetch_count"] == 1
    assert root.attributes["llm.total_prompt_tokens"] == 11 and root.attributes["llm.total_completion_tokens"] == 7
    for child in (first, second):
        assert child.parent.span_id == root.context.span_id and child.context.trace_id == root.context.trace_id
    assert dict(first.attributes) == {
        "llm.provider": "openai", "llm.model": "gpt", "llm.prompt_tokens": 11, "llm.completion_tokens": 7,
        "llm.temperature": 0.5, "llm.latency_ms": 400.5,
    }  # fmt: skip
    assert first.status.status_code is not StatusCode.ERROR
    assert dict(second.attributes) == {"llm.provider": "anthropic", "llm.model": "claude", "error.type": "E"}
    assert second.status.status_code is StatusCode.ERROR and second.status.description == "why"


def test_prompt_event(spans):
    InfiniumOTelExporter().export_trace("t", 1.0, full())
    (event,) = spans()["t"].events
    assert event.name == "prompt_studio.fetch"
    assert dict(event.attributes) == {"prompt.id": "id", "prompt.name": "Greeting", "prompt.version": 2}


def test_child_of_the_current_span(spans):
    with otel.get_tracer("user").start_as_current_span("outside"):
        InfiniumOTelExporter().export_trace("t", 1.0)
    found = spans()
    assert found["t"].parent.span_id == found["outside"].context.span_id


@differs("otel-option", "trace(..., otel_exporter=) exists, as the published docstring promises")
def test_otel_exporter_option(client, server, spans):
    exporter = InfiniumOTelExporter("svc")
    if PUBLISHED:
        with pytest.raises(TypeError):
            client.trace("t", otel_exporter=exporter)
        return
    client.trace("t", otel_exporter=exporter)(lambda: 1)()
    deliver(client)
    assert spans()["t"].attributes["infinium.service"] == "svc"


def test_without_opentelemetry(tmp_path):
    """A program in which opentelemetry cannot be imported: a warning, then nothing happens."""
    import subprocess
    import sys

    program = """
import sys, logging
sys.modules["opentelemetry"] = None
logging.basicConfig(level=logging.WARNING, format="%(name)s %(levelname)s %(message)s", stream=sys.stdout)
from infinium.integrations.otel import InfiniumOTelExporter
InfiniumOTelExporter().export_trace("t", 1.0)
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    assert "WARNING" in done.stdout and "opentelemetry" in done.stdout

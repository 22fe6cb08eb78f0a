"""The OpenTelemetry exporter, against the real SDK."""

import subprocess
import sys
import time

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("infinium._core")

from infinium.integrations import CapturedLlmCall, CapturedPromptFetch, TraceContext  # noqa: E402
from infinium.integrations.otel import InfiniumOTelExporter  # noqa: E402
from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

END = 1_700_000_000_000_000_000
_memory = InMemorySpanExporter()


@pytest.fixture
def spans():
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())
        trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(_memory))
    _memory.clear()
    return _memory.get_finished_spans


def call(**more):
    return CapturedLlmCall("openai", "m", **more)


def test_root_has_the_traces_times(spans):
    InfiniumOTelExporter("svc").export_trace("t", 1.5, end_time_ns=END)
    (root,) = spans()
    assert (root.name, root.start_time, root.end_time) == ("t", END - 1_500_000_000, END)
    assert dict(root.attributes) == {"infinium.service": "svc", "infinium.duration_s": 1.5}


def test_without_an_end_it_ended_now(spans):
    InfiniumOTelExporter().export_trace("t", 2)
    (root,) = spans()
    assert abs(root.end_time - time.time_ns()) < 5e9 and root.end_time - root.start_time == 2_000_000_000
    assert root.attributes["infinium.service"] == "infinium-agent"


def test_calls_and_prompts(spans):
    first = call(prompt_tokens=3, completion_tokens=4, temperature=0.5, latency_ns=200_000_000)
    second = call(latency_ns=300_000_000, error_type="E", error_message="why")
    prompts = [CapturedPromptFetch("i", "n", 2, fetched_at="2023-11-14T22:13:19.500000Z"), CapturedPromptFetch("j", "o", 3)]
    InfiniumOTelExporter(tracer_name="mine").export_trace("t", 1, TraceContext([first, second], prompts), end_time_ns=END)
    one, two, root = sorted(spans(), key=lambda span: (span.parent is None, span.name))
    assert (one.name, two.name) == ("llm.openai.0", "llm.openai.1")
    assert one.parent.span_id == two.parent.span_id == root.context.span_id
    assert dict(one.attributes) == {
        "llm.provider": "openai", "llm.model": "m", "llm.prompt_tokens": 3, "llm.completion_tokens": 4,
        "llm.temperature": 0.5, "llm.latency_ms": 200.0,
    }  # fmt: skip
    assert (one.start_time, one.end_time) == (END - 500_000_000, END - 300_000_000)
    assert (two.start_time, two.end_time) == (END - 300_000_000, END)
    assert two.attributes["error.type"] == "E"
    assert (two.status.status_code, two.status.description) == (trace.StatusCode.ERROR, "why")
    counts = ("llm_call_count", "prompt_fetch_count")
    assert [root.attributes[f"infinium.{name}"] for name in counts] == [2, 2]
    assert (root.attributes["llm.total_prompt_tokens"], root.attributes["llm.total_completion_tokens"]) == (3, 4)
    assert [event.name for event in root.events] == ["prompt_studio.fetch"] * 2
    assert dict(root.events[0].attributes) == {"prompt.id": "i", "prompt.name": "n", "prompt.version": 2}
    assert [event.timestamp for event in root.events] == [END - 500_000_000, END - 1_000_000_000]
    assert root.instrumentation_scope.name == "mine"


def test_measured_times_are_used_and_stay_within_the_trace(spans):
    first, second = call(latency_ns=100_000_000), call(latency_ns=90_000_000_000)
    first.start_ns, second.start_ns = 50_000_000, 500_000_000
    InfiniumOTelExporter().export_trace("t", 1, TraceContext([first, second]), end_time_ns=END)
    begin = END - 1_000_000_000
    times = {span.name: (span.start_time, span.end_time) for span in spans()}
    assert times["llm.openai.0"] == (begin + 50_000_000, begin + 150_000_000)
    assert times["llm.openai.1"] == (begin + 500_000_000, END)


def test_it_never_raises(spans):
    InfiniumOTelExporter().export_trace("t", "nonsense", object())
    assert spans() == ()


def test_without_opentelemetry_one_warning_and_nothing_else():
    code = """
import sys, logging
sys.modules["opentelemetry"] = None
logging.basicConfig(format="%(levelname)s %(name)s")
from infinium.integrations.otel import InfiniumOTelExporter
exporter = InfiniumOTelExporter()
exporter.export_trace("t", 1)
exporter.export_trace("t", 1)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (answer.returncode, answer.stderr.strip()) == (0, "WARNING infinium.integrations.otel")

"""Section 10: TraceBuilder and StepContext."""

import platform
import time

import pytest

import infinium
from helpers import PUBLISHED, differs
from infinium import ErrorDetail, ExecutionStep, ExpectedOutcome, LlmCall, LlmUsage, StepContext, TaskData, ToolCall, TraceBuilder


def version():
    import importlib.metadata

    return importlib.metadata.version("infinium-o2" if PUBLISHED else "infinium")


def test_empty():
    data = TraceBuilder("n", "d").build()
    assert isinstance(data, TaskData)
    assert (data.name, data.description) == ("n", "d")
    assert data.current_datetime.endswith("Z")
    assert 0 <= data.duration < 1 and round(data.duration, 3) == data.duration
    assert data.steps is None and data.errors is None and data.llm_usage is None
    assert data.input_summary is None and data.output_summary is None and data.expected_outcome is None
    assert data.environment == infinium.EnvironmentContext(
        python_version=platform.python_version(), sdk_version=version()
    )


def test_fluent():
    trace = TraceBuilder("n", "d")
    usage = LlmUsage("m")
    error = ErrorDetail("E", "m")
    made = (
        trace.set_input_summary("i")
        .set_output_summary("o")
        .set_expected_outcome("obj", required_deliverables=["r"], constraints=["c"], acceptance_criteria=["a"])
        .set_environment(framework="fw", framework_version="1", runtime="r", region="eu", custom_tags={"a": "b"})
        .set_llm_usage(usage)
        .set_section("customer", infinium.Customer("Acme"))
        .add_error(error)
    )
    assert made is trace
    data = trace.build()
    assert (data.input_summary, data.output_summary) == ("i", "o")
    assert data.expected_outcome == ExpectedOutcome("obj", ["r"], ["c"], ["a"])
    assert data.environment == infinium.EnvironmentContext(
        "fw", "1", platform.python_version(), version(), "r", "eu", {"a": "b"}
    )
    assert data.llm_usage == usage and data.customer == infinium.Customer("Acme") and data.errors == [error]


def test_own_python_version():
    assert TraceBuilder("n", "d").set_environment(python_version="2.7").build().environment.python_version == "2.7"


def test_summaries_are_not_cut():
    data = TraceBuilder("n", "d").set_input_summary("x" * 20000).set_output_summary("y" * 20000).build()
    assert len(data.input_summary) == len(data.output_summary) == 20000


def test_keyword_only():
    with pytest.raises(TypeError):
        TraceBuilder("n", "d").set_expected_outcome("t", ["r"])
    with pytest.raises(TypeError):
        TraceBuilder("n", "d").set_environment("fw")
    with pytest.raises(TypeError):
        TraceBuilder("n", "d").step("a", "b").record_tool_call("t", 5)
    with pytest.raises(TypeError):
        TraceBuilder("n", "d").step("a", "b").record_llm_call("m", "p")


def test_duration():
    trace = TraceBuilder("n", "d")
    time.sleep(0.03)
    first = trace.build()
    time.sleep(0.03)
    second = trace.build()
    assert 0.03 <= first.duration < 0.5 and second.duration > first.duration + 0.0299  # both are rounded


def test_build_again():
    trace = TraceBuilder("n", "d")
    with trace.step("a", "b"):
        pass
    assert trace.build().steps == trace.build().steps
    with trace.step("c", "d"):
        pass
    assert len(trace.build().steps) == 2


@pytest.mark.parametrize("name", ["no_such_section", "steps", "name", "environment"])
def test_bad_section_shows_at_build(name):
    trace = TraceBuilder("n", "d").set_section(name, [])
    with pytest.raises(TypeError):
        trace.build()


def test_section_value_is_kept_as_it_is():
    assert TraceBuilder("n", "d").set_section("sales", {"a": 1}).build().sales == {"a": 1}


def test_nothing_is_checked():
    assert TraceBuilder("", "").build().name == ""
    assert TraceBuilder("n" * 1000, "d").build().name == "n" * 1000


# -- steps --


def test_step():
    trace = TraceBuilder("n", "d")
    with trace.step("search", "Search it") as step:
        assert isinstance(step, StepContext)
        time.sleep(0.02)
    (made,) = trace.build().steps
    assert isinstance(made, ExecutionStep)
    assert (made.step_number, made.action, made.description) == (1, "search", "Search it")
    assert isinstance(made.duration_ms, int) and 20 <= made.duration_ms < 500
    assert made == ExecutionStep(1, "search", "Search it", duration_ms=made.duration_ms)


def test_steps_are_numbered_by_creation():
    trace = TraceBuilder("n", "d")
    first, second = trace.step("a", "1"), trace.step("b", "2")
    with second:
        pass
    with first:
        pass
    assert [(s.step_number, s.action) for s in trace.build().steps] == [(1, "a"), (2, "b")]


def test_nested_steps():
    trace = TraceBuilder("n", "d")
    with trace.step("outer", ""):
        with trace.step("inner", ""):
            pass
    assert [(s.step_number, s.action) for s in trace.build().steps] == [(1, "outer"), (2, "inner")]


def test_step_without_with_has_no_duration():
    trace = TraceBuilder("n", "d")
    trace.step("a", "b").set_output("o")
    assert trace.build().steps == [ExecutionStep(1, "a", "b", output_preview="o")]


def test_open_step_has_no_duration():
    trace = TraceBuilder("n", "d")
    with trace.step("a", "b"):
        assert trace.build().steps[0].duration_ms is None
    assert trace.build().steps[0].duration_ms is not None


def test_everything_on_a_step():
    trace = TraceBuilder("n", "d")
    step = trace.step("a", "b")
    error = ErrorDetail("E", "m")
    made = (
        step.set_input("i")
        .set_output("o")
        .record_tool_call(
            "t", duration_ms=5, input_summary="ti", output_summary="to", http_status=200, error=error
        )
        .record_llm_call(
            "m", provider="p", prompt_tokens=1, completion_tokens=2, latency_ms=3, temperature=0.5, purpose="q"
        )
        .set_metadata({"k": 1})
    )
    assert made is step
    assert trace.build().steps == [
        ExecutionStep(
            1, "a", "b", None, "i", "o", None, ToolCall("t", 5, "ti", "to", error, 200),
            LlmCall("m", "p", 1, 2, 3, 0.5, "q"), {"k": 1},
        )
    ]  # fmt: skip


@pytest.mark.parametrize("length, cap, method", [(501, 500, "set_input"), (1501, 1500, "set_output")])
def test_previews_are_cut(length, cap, method):
    trace = TraceBuilder("n", "d")
    getattr(trace.step("a", "b"), method)("x" * length)
    getattr(trace.step("a", "b"), method)("x" * cap)
    values = [s.input_preview or s.output_preview for s in trace.build().steps]
    assert values == ["x" * (cap - 3) + "...", "x" * cap]


def test_tool_summaries_are_cut():
    trace = TraceBuilder("n", "d")
    trace.step("a", "b").record_tool_call("t", input_summary="x" * 301, output_summary="y" * 1501)
    call = trace.build().steps[0].tool_call
    assert call.input_summary == "x" * 297 + "..." and call.output_summary == "y" * 1497 + "..."


@pytest.mark.parametrize("method", ["set_input", "set_output"])
def test_none_as_text(method):
    with pytest.raises(TypeError):
        getattr(TraceBuilder("n", "d").step("a", "b"), method)(None)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_error_in_a_step(error):
    trace = TraceBuilder("n", "d")
    with pytest.raises(error):
        with trace.step("a", "b"):
            raise error("why")
    data = trace.build()
    assert data.errors is None
    detail = data.steps[0].error
    assert (detail.error_type, detail.message) == (error.__name__, "why")
    assert (detail.recoverable, detail.retry_count) == (False, 0)
    assert detail.stack_trace.startswith("Traceback (most recent call last):") and "why" in detail.stack_trace
    assert data.steps[0].duration_ms is not None


@differs("stack-trace", "what is cut out of a long stack trace is its middle, so that the raise site stays")
def test_stack_trace_of_a_step_is_cut():
    trace = TraceBuilder("n", "d")
    with pytest.raises(BaseException):
        with trace.step("a", "b"):
            raise ValueError("x" * 2000)
    stored = trace.build().steps[0].error.stack_trace
    assert len(stored) == 1000 if PUBLISHED else "in test_stack_trace_of_a_step_is_cut" in stored
    assert len(stored) <= 1000


def test_own_step_context():
    step = StepContext(7, "a", "b")
    with step as entered:
        assert entered is step


def test_steps_list_is_not_shared():
    trace = TraceBuilder("n", "d")
    trace.step("a", "b")
    data = trace.build()
    trace.step("c", "d")
    assert len(data.steps) == 1


def test_sent(client, server):
    trace = TraceBuilder("n", "d").set_input_summary("i")
    with trace.step("a", "b") as step:
        step.record_tool_call("t", http_status=200)
    assert client.send_task_data(trace.build()).success
    sent = server.trace()
    assert sent["steps"][0]["tool_call"] == {"tool_name": "t", "http_status": 200}
    assert sent["input_summary"] == "i" and sent["environment"]["sdk_version"] == version()


@differs("builder-watch", "calls of watched clients inside a step are recorded")
def test_watched_calls_in_a_step(llm):
    from helpers import PUBLISHED
    from llm import QUESTION, openai_client, watch

    client = watch(openai_client(llm))
    trace = TraceBuilder("n", "d")
    with trace.step("a", "b"):
        client.chat.completions.create(model="gpt", messages=QUESTION)
    steps = trace.build().steps
    assert len(steps) == 1 if PUBLISHED else any(s.llm_call and s.llm_call.model == "gpt-2026" for s in steps)

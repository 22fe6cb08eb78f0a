"""TraceBuilder and its steps."""

import asyncio
import contextvars
import threading
import time

import pytest

pytest.importorskip("infinium._core")

from infinium.builder import StepContext, TraceBuilder  # noqa: E402
from infinium.integrations import (  # noqa: E402
    CapturedLlmCall,
    CapturedPromptFetch,
    get_current_trace_context,
    set_trace_context,
)
from infinium.types import EnvironmentContext, ErrorDetail, ExpectedOutcome, LlmCall, LlmUsage, ToolCall  # noqa: E402
from infinium.utils import dataclass_to_dict, python_version, sdk_version, validate_iso_datetime  # noqa: E402

pytestmark = pytest.mark.timeout(60)


def builder():
    return TraceBuilder("n", "d")


def test_setters_return_the_builder():
    b = builder()
    usage, error = LlmUsage(model="m"), ErrorDetail("E", "m")
    assert b.set_input_summary("i" * 9000).set_output_summary("o" * 9000) is b
    assert b.set_expected_outcome("t", constraints=["c"]).set_environment(framework="f", region="r") is b
    assert b.set_llm_usage(usage).set_section("customer", {"customer_name": "A"}).add_error(error) is b
    task = b.build()
    assert (task.name, task.description, len(task.input_summary), len(task.output_summary)) == ("n", "d", 9000, 9000)
    assert task.expected_outcome == ExpectedOutcome("t", constraints=["c"])
    assert task.environment == EnvironmentContext("f", None, python_version(), sdk_version(), None, "r")
    assert task.llm_usage is usage and task.errors == [error] and task.customer == {"customer_name": "A"}
    assert task.steps is None and validate_iso_datetime(task.current_datetime)


def test_an_empty_trace():
    task = builder().build()
    assert dataclass_to_dict(task).keys() == {"name", "description", "current_datetime", "duration", "environment"}
    assert task.environment == EnvironmentContext(python_version=python_version(), sdk_version=sdk_version())


def test_own_python_version_is_kept():
    b = builder().set_environment(python_version="9.9")
    assert [b.build().environment.python_version for _ in range(2)] == ["9.9", "9.9"]


def test_duration_runs_from_the_start_and_build_may_be_repeated():
    b = builder()
    time.sleep(0.02)
    first = b.build().duration
    time.sleep(0.02)
    second = b.build().duration
    assert 0.02 <= first < second < 5 and round(second, 3) == second


def test_step_setters():
    b = builder()
    with b.step("a", "b") as step:
        assert isinstance(step, StepContext)
        assert step.set_input("x" * 600).set_output("y" * 2000).set_metadata({"k": 1}) is step
        assert step.record_tool_call("t", duration_ms=5, input_summary="i" * 400, output_summary="o" * 2000, http_status=200) is step
        assert step.record_llm_call("m", provider="p", prompt_tokens=1, purpose="u") is step
    made = b.build().steps[0]
    assert (made.step_number, made.action, made.description, made.metadata) == (1, "a", "b", {"k": 1})
    assert made.input_preview == "x" * 497 + "..." and made.output_preview == "y" * 1497 + "..."
    assert made.tool_call == ToolCall("t", 5, "i" * 297 + "...", "o" * 1497 + "...", None, 200)
    assert made.llm_call == LlmCall("m", "p", 1, purpose="u")
    assert type(made.duration_ms) is int and made.error is None


@pytest.mark.parametrize("setter", ["set_input", "set_output"])
def test_none_is_no_text(setter):
    with pytest.raises(TypeError):
        getattr(builder().step("a", "b"), setter)(None)


def test_duration_of_a_step():
    b = builder()
    never = b.step("a", "never entered")
    with b.step("a", "entered"):
        time.sleep(0.03)
        during = b.build()
    assert [step.duration_ms for step in during.steps] == [None, None]
    steps = b.build().steps
    assert steps[0].duration_ms is None and 30 <= steps[1].duration_ms < 5000
    never.set_input("later")
    assert b.build().steps[0].input_preview == "later"


class BadText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [ValueError("boom"), KeyboardInterrupt(), SystemExit(3), BadText(), GeneratorExit()])
def test_errors_pass_through_and_stay_with_the_step(error):
    b = builder()
    with pytest.raises(type(error)) as raised:
        with b.step("a", "b"):
            raise error
    assert raised.value is error
    task = b.build()
    detail = task.steps[0].error
    assert detail.error_type == type(error).__name__ and detail.recoverable is False and task.errors is None
    assert task.steps[0].duration_ms is not None
    assert "raise error" in detail.stack_trace and len(detail.stack_trace) <= 1000
    if isinstance(error, ValueError):
        assert detail.message == "boom" and detail.stack_trace.endswith("ValueError: boom\n")
        assert detail.stack_trace.startswith("Traceback (most recent call last):\n")


def deep(levels):
    if levels == 0:
        raise ValueError("x" * 50_000)  # the raise site
    deep(levels - 1)


def test_a_deep_stack_keeps_its_raise_site():
    b = builder()
    with pytest.raises(ValueError):
        with b.step("a", "b"):
            deep(300)
    detail = b.build().steps[0].error
    assert len(detail.stack_trace) <= 1000 and "# the raise site" in detail.stack_trace and "ValueError: xxx" in detail.stack_trace
    assert len(detail.message) == 10_000


def test_cause_is_in_the_stack_trace():
    b = builder()
    with pytest.raises(ValueError):
        with b.step("a", "b"):
            try:
                {}["the key"]
            except KeyError as error:
                raise ValueError("outer") from error
    assert "the key" in b.build().steps[0].error.stack_trace


@pytest.mark.parametrize("name", ["nonsense", "steps", "name", "llm_usage", "prompt_studio"])
def test_unknown_section(name):
    b = builder().set_section(name, {})
    with pytest.raises(TypeError):
        b.build()


def test_step_numbers_are_unique_under_threads():
    b = builder()
    start = threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(500):
            b.step("a", "b")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step.step_number for step in b.build().steps] == list(range(1, 4001))


def llm_call(model="m", **more):
    return CapturedLlmCall("p", model, **more)


def test_calls_inside_a_step_are_recorded():
    b = builder()
    before = get_current_trace_context()
    with b.step("a", "b"):
        get_current_trace_context().calls.append(llm_call(prompt_tokens=3, completion_tokens=4, latency_ns=5_900_000, temperature=0.5))
        get_current_trace_context().prompts.append(CapturedPromptFetch("i", "n", 2))
    assert get_current_trace_context() is before
    task = b.build()
    assert [(s.step_number, s.action, s.description, s.duration_ms) for s in task.steps[1:]] == [(2, "llm_call", "p/m", 5)]
    assert task.steps[1].llm_call == LlmCall("m", "p", 3, 4, 5, 0.5)
    assert task.llm_usage == LlmUsage("m", "p", 3, 4, 7, None, 1, 5, [task.steps[1].llm_call])
    studio = {"prompts_used": [{"prompt_id": "i", "prompt_name": "n", "version": 2, "source": "prompt_studio"}]}
    assert dataclass_to_dict(task)["prompt_studio"] == studio


def test_several_calls_add_up():
    b = builder()
    failed = llm_call(error_type="E", error_message="m")
    cached = llm_call(prompt_tokens=100, completion_tokens=5)
    cached.cached_tokens, cached.first_chunk_ns, cached.finish_reasons = 90, 7_000_000, ["stop"]
    with b.step("a", "b"):
        get_current_trace_context().calls.extend([failed, cached])
    task = b.build()
    usage = task.llm_usage
    assert (usage.model, usage.provider, usage.api_calls_count) == ("multiple", "multiple", 2)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.total_latency_ms) == (100, 5, 105, None)
    assert task.steps[1].error == ErrorDetail("E", "m")
    assert dataclass_to_dict(task.steps[2])["llm_call"] == {
        "model": "m", "provider": "p", "prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 90,
        "time_to_first_chunk_ms": 7, "finish_reasons": ["stop"],
    }  # fmt: skip


def test_own_usage_wins():
    b = builder().set_llm_usage(LlmUsage(model="mine"))
    with b.step("a", "b"):
        get_current_trace_context().calls.append(llm_call())
    assert b.build().llm_usage == LlmUsage(model="mine")


def test_steps_nest_and_give_the_context_back():
    outer, inner = builder(), builder()
    token = set_trace_context(None)
    try:
        with outer.step("a", "b"):
            mine = get_current_trace_context()
            with inner.step("a", "b"):
                assert get_current_trace_context() is not mine
                get_current_trace_context().calls.append(llm_call("inner"))
            with outer.step("a", "c"):
                assert get_current_trace_context() is mine
            assert get_current_trace_context() is mine
        assert get_current_trace_context() is None
    finally:
        token.var.reset(token)
    assert len(outer.build().steps) == 2 and len(inner.build().steps) == 2


def test_left_in_another_context_than_entered():
    b = builder()
    step = b.step("a", "b")
    context = contextvars.copy_context()
    context.run(step.__enter__)
    before = get_current_trace_context()
    step.__exit__(None, None, None)
    assert get_current_trace_context() is before and b.build().steps[0].duration_ms is not None


def test_tasks_keep_their_calls_apart():
    builders = [builder() for _ in range(20)]

    async def work(number):
        with builders[number].step("a", "b"):
            await asyncio.sleep(0.01)
            get_current_trace_context().calls.append(llm_call(str(number)))

    async def main():
        await asyncio.gather(*(work(n) for n in range(20)))

    asyncio.run(main())
    for number, each in enumerate(builders):
        assert [step.description for step in each.build().steps] == ["b", f"p/{number}"]

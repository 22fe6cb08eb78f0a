"""Traces built by hand: `TraceBuilder` and its steps.

A builder may be used from several threads. Calls of watched clients made inside a step's `with` block belong to the
builder's trace: `build()` appends them as steps of their own, as the decorators do.
"""

from __future__ import annotations

import threading
import time

from ._errors import error_detail
from .types import EnvironmentContext, ExecutionStep, ExpectedOutcome, LlmCall, LlmUsage, TaskData, ToolCall
from .utils import get_current_iso_datetime, python_version, sdk_version, truncate_string

_MAX_INPUT = 500  # characters of a step's previews and of a tool call's summaries
_MAX_OUTPUT = 1_500
_MAX_TOOL_INPUT = 300

# Members of an LLM call that go over under their own names; those in nanoseconds become milliseconds.
_CALL_EXTRAS = (
    "request_model", "response_id", "finish_reasons", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
    "max_tokens", "stream", "operation",
)  # fmt: skip


def _milliseconds(nanoseconds):
    return None if nanoseconds is None else int(nanoseconds / 1e6)


def llm_call_of(call):
    """A `CapturedLlmCall` as an `LlmCall`."""
    latency_ms = _milliseconds(call.latency_ns)
    result = LlmCall(
        call.model, call.provider, call.prompt_tokens, call.completion_tokens, latency_ms, call.temperature
    )
    for name in _CALL_EXTRAS:
        value = getattr(call, name, None)
        if value is not None:
            setattr(result, name, value)
    first_chunk = _milliseconds(getattr(call, "first_chunk_ns", None))
    if first_chunk is not None:
        result.time_to_first_chunk_ms = first_chunk
    return result


def step_of(number, call):
    """A `CapturedLlmCall` as the step with this number."""
    from .types import ErrorDetail

    llm_call = llm_call_of(call)
    return ExecutionStep(
        step_number=number,
        action="llm_call",
        description=f"{call.provider}/{call.model}",
        duration_ms=llm_call.latency_ms,
        input_preview=call.input_preview,
        output_preview=call.output_preview,
        error=ErrorDetail(call.error_type, call.error_message or "") if call.error_type else None,
        llm_call=llm_call,
    )


def usage_of(calls):
    """`CapturedLlmCall`s added up. `multiple` stands for model and provider when there is more than one call."""
    llm_calls = [llm_call_of(call) for call in calls]
    single = llm_calls[0] if len(llm_calls) == 1 else None

    def total(name):
        return sum(getattr(call, name) or 0 for call in llm_calls)

    prompt_tokens, completion_tokens = total("prompt_tokens"), total("completion_tokens")
    return LlmUsage(
        model=single.model if single else "multiple",
        provider=single.provider if single else "multiple",
        prompt_tokens=prompt_tokens or None,
        completion_tokens=completion_tokens or None,
        total_tokens=prompt_tokens + completion_tokens or None,
        api_calls_count=len(llm_calls),
        total_latency_ms=total("latency_ms") or None,
        calls=llm_calls,
    )


def prompt_studio_of(prompts):
    """`CapturedPromptFetch`es as the body's `prompt_studio` member."""
    from .utils import dataclass_to_dict

    return {"prompts_used": [dataclass_to_dict(prompt) for prompt in prompts]}


class StepContext:
    """One step of a trace. As a context manager it is timed and records the exception that leaves it (and lets it pass);
    without `with` it has no duration. All setters return the step."""

    def __init__(self, step_number, action, description):
        self._step_number = step_number
        self._action = action
        self._description = description
        self._start_ns = None
        self._duration_ms = None
        self._input_preview = None
        self._output_preview = None
        self._error = None
        self._tool_call = None
        self._llm_call = None
        self._metadata = None
        self._trace_context = None  # where watched calls go
        self._entered = []  # (token, the context before), innermost last

    def set_input(self, preview):
        """At most 500 characters are kept."""
        self._input_preview = truncate_string(preview, _MAX_INPUT)
        return self

    def set_output(self, preview):
        """At most 1,500 characters are kept."""
        self._output_preview = truncate_string(preview, _MAX_OUTPUT)
        return self

    def record_tool_call(
        self, tool_name, *, duration_ms=None, input_summary=None, output_summary=None, http_status=None, error=None
    ):
        """The tool this step used. 300 characters of its input and 1,500 of its output are kept; milliseconds."""
        input_summary = truncate_string(input_summary, _MAX_TOOL_INPUT) if input_summary else None
        output_summary = truncate_string(output_summary, _MAX_OUTPUT) if output_summary else None
        self._tool_call = ToolCall(tool_name, duration_ms, input_summary, output_summary, error, http_status)
        return self

    def record_llm_call(
        self,
        model,
        *,
        provider=None,
        prompt_tokens=None,
        completion_tokens=None,
        latency_ms=None,
        temperature=None,
        purpose=None,
    ):
        """The language model call this step made. Token counts inclusive, see `LlmCall`; milliseconds."""
        self._llm_call = LlmCall(model, provider, prompt_tokens, completion_tokens, latency_ms, temperature, purpose)
        return self

    def set_metadata(self, metadata):
        """A dict that is sent with the step."""
        self._metadata = metadata
        return self

    def __enter__(self):
        self._start_ns = time.perf_counter_ns()
        if self._trace_context is not None:
            from .integrations import _context

            before = _context.get_current_trace_context()
            self._entered.append((_context.set_trace_context(self._trace_context), before))
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        if self._start_ns is not None:
            self._duration_ms = (time.perf_counter_ns() - self._start_ns) // 1_000_000
        if exc_val is not None:
            self._error = error_detail(exc_val)
        if self._entered:
            token, before = self._entered.pop()
            try:
                token.var.reset(token)
            except (ValueError, RuntimeError):
                # Left in another context than entered, as a generator may be: put back what was there, if we still are.
                from .integrations import _context

                if _context.get_current_trace_context() is self._trace_context:
                    _context.set_trace_context(before)
        return False

    def _build(self):
        return ExecutionStep(
            self._step_number,
            self._action,
            self._description,
            self._duration_ms,
            self._input_preview,
            self._output_preview,
            self._error,
            self._tool_call,
            self._llm_call,
            self._metadata,
        )


class TraceBuilder:
    """Collects a trace piece by piece; `build()` makes the TaskData. All setters return the builder. The trace's duration
    runs from here. Names and descriptions are not checked before the trace is sent."""

    def __init__(self, name, description):
        self._name = name
        self._description = description
        self._start_ns = time.perf_counter_ns()
        self._lock = threading.Lock()
        self._steps = []
        self._errors = []
        self._input_summary = None
        self._output_summary = None
        self._expected_outcome = None
        self._environment = None
        self._llm_usage = None
        self._sections = {}
        self._trace_context = None

    def set_input_summary(self, summary):
        """What came in. Not cut."""
        self._input_summary = summary
        return self

    def set_output_summary(self, summary):
        """What came out. Not cut."""
        self._output_summary = summary
        return self

    def set_expected_outcome(
        self, task_objective, *, required_deliverables=None, constraints=None, acceptance_criteria=None
    ):
        """What the task is meant to reach; the others are lists of strings."""
        self._expected_outcome = ExpectedOutcome(
            task_objective, required_deliverables, constraints, acceptance_criteria
        )
        return self

    def set_environment(
        self,
        *,
        framework=None,
        framework_version=None,
        python_version=None,
        runtime=None,
        region=None,
        custom_tags=None,
    ):
        """Where the task runs. The versions of Python and of this package are filled in."""
        self._environment = EnvironmentContext(
            framework, framework_version, python_version, None, runtime, region, custom_tags
        )
        return self

    def set_llm_usage(self, llm_usage):
        """Takes the place of what watched calls add up to."""
        self._llm_usage = llm_usage
        return self

    def set_section(self, name, value):
        """One of the sections of TaskData, as its dataclass or as a dict. TypeError at `build()` for any other name."""
        self._sections[name] = value
        return self

    def add_error(self, error):
        """An ErrorDetail of the trace. Errors of steps stay with their steps."""
        with self._lock:
            self._errors.append(error)
        return self

    def step(self, action, description):
        """A new step, numbered in the order of creation, from 1."""
        from .integrations import _context

        with self._lock:
            if self._trace_context is None:
                self._trace_context = _context.TraceContext()
            step = StepContext(len(self._steps) + 1, action, description)
            step._trace_context = self._trace_context
            self._steps.append(step)
        return step

    def build(self):
        """The trace as it is now. May be called again; a step that is still open has no duration."""
        from .types import SECTIONS

        for name in self._sections:
            if name not in SECTIONS:
                raise TypeError(f"{name!r} is not a section of TaskData")
        duration = round((time.perf_counter_ns() - self._start_ns) / 1e9, 3)
        with self._lock:
            steps = [step._build() for step in self._steps]
            errors = list(self._errors)
            calls = list(self._trace_context.calls) if self._trace_context is not None else []
            prompts = list(self._trace_context.prompts) if self._trace_context is not None else []
        for call in calls:
            steps.append(step_of(len(steps) + 1, call))
        llm_usage = self._llm_usage
        if llm_usage is None and calls:
            llm_usage = usage_of(calls)
        environment = EnvironmentContext()
        if self._environment is not None:
            environment.__dict__.update(self._environment.__dict__)
        environment.python_version = environment.python_version or python_version()
        environment.sdk_version = sdk_version()
        task = TaskData(
            name=self._name,
            description=self._description,
            current_datetime=get_current_iso_datetime(),
            duration=duration,
            llm_usage=llm_usage,
            input_summary=self._input_summary,
            output_summary=self._output_summary,
            steps=steps or None,
            expected_outcome=self._expected_outcome,
            environment=environment,
            errors=errors or None,
            **self._sections,
        )
        if prompts:
            task.prompt_studio = prompt_studio_of(prompts)
        return task

"""A finished trace as a TaskData."""

import json

from . import types


def _made(cls, members):
    """`members` as an instance of `cls`; what the class does not have becomes an attribute."""
    names = cls.__match_args__
    made = cls(**{name: members.get(name) for name in names})
    for name, value in members.items():
        if name not in names:
            setattr(made, name, value)
    return made


def _call(members):
    return _made(types.LlmCall, members)


def _step(members):
    step = _made(types.ExecutionStep, members)
    if step.error:
        step.error = _made(types.ErrorDetail, step.error)
    if step.tool_call:
        step.tool_call = _made(types.ToolCall, step.tool_call)
        if step.tool_call.error:
            step.tool_call.error = _made(types.ErrorDetail, step.tool_call.error)
    if step.llm_call:
        step.llm_call = _call(step.llm_call)
    return step


def task_of(text):
    """`text` is the JSON of the batch wire. Its members that TaskData does not have (trace_id, parent_id, status,
    started_at, duration_ns, tags, metadata, session_id, user_id, scores) are attributes."""
    body = json.loads(text)
    body.update(body.pop("sections", None) or {})
    task = _made(types.TaskData, body)
    if task.steps:
        task.steps = [_step(step) for step in task.steps]
    if task.errors:
        task.errors = [_made(types.ErrorDetail, error) for error in task.errors]
    if task.llm_usage:
        task.llm_usage = _made(types.LlmUsage, task.llm_usage)
        if task.llm_usage.calls:
            task.llm_usage.calls = [_call(call) for call in task.llm_usage.calls]
    if task.environment:
        task.environment = _made(types.EnvironmentContext, task.environment)
    if task.expected_outcome:
        task.expected_outcome = _made(types.ExpectedOutcome, task.expected_outcome)
    return task

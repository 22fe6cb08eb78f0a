"""The data types: fields, order and defaults as published, and dataclasses in every way that can be asked."""

import os
import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import threading
import typing

import pytest

from infinium import types as t

REQUIRED = object()
PUBLISHED = {
    "ErrorDetail": "error_type! message! recoverable=False retry_count=0 stack_trace error_code",
    "ToolCall": "tool_name! duration_ms input_summary output_summary error http_status",
    "LlmCall": "model! provider prompt_tokens completion_tokens latency_ms temperature purpose",
    "ExecutionStep": "step_number! action! description! duration_ms input_preview output_preview error tool_call llm_call metadata",
    "ExpectedOutcome": "task_objective! required_deliverables constraints acceptance_criteria",
    "EnvironmentContext": "framework framework_version python_version sdk_version runtime region custom_tags",
    "TimeTracking": "start_time end_time",
    "Customer": "customer_name customer_email customer_phone customer_address client_company client_industry",
    "Support": "call_id issue_description issue_type resolution priority follow_up_required agent_notes",
    "Sales": "lead_source sales_stage deal_value conversion_rate sales_notes",
    "Marketing": "campaign_name campaign_type target_audience marketing_channel engagement_metrics conversion_metrics",
    "Content": "content_type content_format content_length content_topic target_platform",
    "Research": "research_topic research_method data_sources research_findings analysis_type sources_consulted key_findings confidence_level data_quality",
    "Project": "project_name project_phase deliverables stakeholders project_status milestone_achieved task_priority resource_utilization risk_assessment blockers",
    "Development": "programming_language framework_used bugs_found bugs_fixed test_coverage performance_metrics deployment_status technical_debt files_modified tests_run tests_passed",
    "Executive": "meeting_type attendees_count agenda_items action_items calendar_conflicts decisions_made",
    "General": "tools_used agent_notes errors_encountered retries warnings external_apis_called data_sources_accessed tags",
    "PromptContent": "prompt_id! name! version! content! created_at! rendered_content",
    "LlmUsage": "model provider prompt_tokens completion_tokens total_tokens estimated_cost_usd api_calls_count total_latency_ms calls",
    "TaskData": "name! description! current_datetime! duration! time_tracking customer support sales marketing content research project development executive general llm_usage input_summary output_summary steps expected_outcome environment errors",
    "ApiResponse": "success! status_code message='' data",
    "BatchResult": "successful! failed! results! errors!",
    "CapturedLlmCall": "provider! model! prompt_tokens completion_tokens temperature latency_ns error_type error_message input_preview output_preview",
    "CapturedPromptFetch": "prompt_id! prompt_name! version! source='prompt_studio' variables_used fetched_at",
}


def published(name):
    """[(field, default)]"""
    result = []
    for field in PUBLISHED[name].split():
        if field.endswith("!"):
            result.append((field[:-1], REQUIRED))
        else:
            field, _, default = field.partition("=")
            result.append((field, eval(default) if default else None))
    return result


@pytest.fixture(params=sorted(PUBLISHED))
def cls(request):
    return getattr(t, request.param)


def sample(cls):
    """An instance with only the required fields given, by position."""
    return cls(*[f"v{i}" for i, (_, default) in enumerate(published(cls.__name__)) if default is REQUIRED])


def test_fields_and_defaults(cls):
    expected = published(cls.__name__)
    assert dataclasses.is_dataclass(cls)
    assert [f.name for f in dataclasses.fields(cls)] == [name for name, _ in expected]
    parameters = inspect.signature(cls).parameters
    assert list(parameters) == [name for name, _ in expected]
    for name, default in expected:
        assert parameters[name].default is (inspect.Parameter.empty if default is REQUIRED else default)
    instance = sample(cls)
    for name, default in expected:
        if default is not REQUIRED:
            assert getattr(instance, name) == default


def test_every_field_by_position(cls):
    names = [name for name, _ in published(cls.__name__)]
    instance = cls(*range(len(names)))
    assert [getattr(instance, name) for name in names] == list(range(len(names)))
    assert dataclasses.astuple(instance) == tuple(range(len(names)))


def test_missing_and_unknown_arguments_are_type_errors(cls):
    with pytest.raises(TypeError):
        cls(*range(50))
    with pytest.raises(TypeError, match="nonsense"):
        cls(nonsense=1)
    if published(cls.__name__)[0][1] is REQUIRED:
        with pytest.raises(TypeError):
            cls()


def test_equality_repr_hash_and_mutation(cls):
    one, two = sample(cls), sample(cls)
    assert one == two and not one != two and one is not two
    assert one != object() and one.__eq__(object()) is NotImplemented
    first = published(cls.__name__)[0][0]
    setattr(two, first, "changed")
    assert one != two
    arguments = ", ".join(f"{name}={getattr(one, name)!r}" for name, _ in published(cls.__name__))
    assert repr(one) == f"{cls.__name__}({arguments})"
    with pytest.raises(TypeError):
        hash(one)


def test_copies_and_pickles(cls):
    one = sample(cls)
    first = published(cls.__name__)[0][0]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(one, protocol)) == one
    assert copy.deepcopy(one) == one and copy.copy(one) == one
    assert getattr(dataclasses.replace(one, **{first: "new"}), first) == "new"
    if hasattr(copy, "replace"):
        assert getattr(copy.replace(one, **{first: "new"}), first) == "new"
    assert list(dataclasses.asdict(one)) == [name for name, _ in published(cls.__name__)]


def test_type_hints_resolve(cls):
    assert set(typing.get_type_hints(cls)) == {name for name, _ in published(cls.__name__)}


def test_asdict_goes_deep():
    step = t.ExecutionStep(1, "a", "b", error=t.ErrorDetail("E", "m"))
    assert dataclasses.asdict(t.TaskData("n", "d", "w", 1.0, steps=[step]))["steps"][0]["error"]["message"] == "m"


def test_trace_context_has_lists_of_its_own():
    one, two = t.TraceContext(), t.TraceContext()
    one.calls.append(1)
    assert two.calls == [] and two.prompts == [] and t.TraceContext([1], [2]) == t.TraceContext(prompts=[2], calls=[1])
    assert not hasattr(t.TraceContext, "calls")
    assert [f.default_factory for f in dataclasses.fields(t.TraceContext)] == [list, list]


def test_subclasses():
    @dataclasses.dataclass
    class Mine(t.ToolCall):
        extra: int = 3

    mine = Mine("x")
    assert (mine.tool_name, mine.extra, dataclasses.asdict(mine)["extra"]) == ("x", 3, 3)
    assert mine == Mine("x") and mine != t.ToolCall("x")

    class Plain(t.ToolCall):
        def __init__(self, name):
            super().__init__(name, 7)

    assert Plain("x").duration_ms == 7 and dataclasses.is_dataclass(Plain)


def test_unknown_attributes_are_shown():
    customer = t.Customer("A")
    customer.tier = "gold"
    customer._hidden = 1
    assert "tier='gold'" in repr(customer) and "_hidden" not in repr(customer)


def test_a_cycle_has_a_repr():
    step = t.ExecutionStep(1, "a", "b")
    step.metadata = {"self": step}
    assert "..." in repr(step)


def test_aliases():
    assert t.ConfigDict == typing.Dict[str, typing.Any]
    key, value = typing.get_args(t.TaskSections)
    assert key is str and typing.get_args(value) == tuple(t.SECTIONS.values())
    with pytest.raises(AttributeError):
        t.Nonsense


def test_first_look_from_many_threads():
    code = """
import threading, dataclasses
from infinium import types as t
seen = []
start = threading.Barrier(8)
def look():
    start.wait()
    seen.append([f.name for f in dataclasses.fields(t.TraceContext)] + [t.TraceContext().calls])
threads = [threading.Thread(target=look) for _ in range(8)]
[x.start() for x in threads]; [x.join() for x in threads]
assert seen == [["calls", "prompts", []]] * 8, seen
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_importing_does_not_load_dataclasses():
    code = "import sys; before = set(sys.modules); import infinium.types as t; t.TaskData('a', 'b', 'c', 1); t.Customer() == 1;"
    code += " print([m for m in ('dataclasses', 'inspect', 'typing') if m in sys.modules and m not in before])"
    # -S: site-packages may bring modules of its own at the start; the package is found all the same.
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(t.__file__))}
    command = [sys.executable, "-S", "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (answer.stdout.strip(), answer.returncode) == ("[]", 0), answer.stderr


def test_instances_from_threads():
    failures = []

    def make():
        try:
            for _ in range(200):
                assert t.Marketing("x").campaign_name == "x"
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

"""Section 3: the dataclasses: fields, order, defaults."""

import copy
import dataclasses
import pickle

import pytest

import infinium
from helpers import PUBLISHED
from infinium.integrations import CapturedLlmCall, CapturedPromptFetch, TraceContext

REQUIRED = dataclasses.MISSING
N = None


def _fields(text, **defaults):
    return {name: defaults.get(name, N) for name in text.split()}


TABLE = {
    "ErrorDetail": {"error_type": REQUIRED, "message": REQUIRED, "recoverable": False, "retry_count": 0,
                    "stack_trace": N, "error_code": N},
    "ToolCall": {"tool_name": REQUIRED, **_fields("duration_ms input_summary output_summary error http_status")},
    "LlmCall": {"model": REQUIRED, **_fields("provider prompt_tokens completion_tokens latency_ms temperature purpose")},
    "ExecutionStep": {"step_number": REQUIRED, "action": REQUIRED, "description": REQUIRED,
                      **_fields("duration_ms input_preview output_preview error tool_call llm_call metadata")},
    "ExpectedOutcome": {"task_objective": REQUIRED,
                        **_fields("required_deliverables constraints acceptance_criteria")},
    "EnvironmentContext": _fields("framework framework_version python_version sdk_version runtime region custom_tags"),
    "TimeTracking": _fields("start_time end_time"),
    "Customer": _fields("customer_name customer_email customer_phone customer_address client_company client_industry"),
    "Support": _fields("call_id issue_description issue_type resolution priority follow_up_required agent_notes"),
    "Sales": _fields("lead_source sales_stage deal_value conversion_rate sales_notes"),
    "Marketing": _fields("campaign_name campaign_type target_audience marketing_channel engagement_metrics "
                         "conversion_metrics"),
    "Content": _fields("content_type content_format content_length content_topic target_platform"),
    "Research": _fields("research_topic research_method data_sources research_findings analysis_type "
                        "sources_consulted key_findings confidence_level data_quality"),
    "Project": _fields("project_name project_phase deliverables stakeholders project_status milestone_achieved "
                       "task_priority resource_utilization risk_assessment blockers"),
    "Development": _fields("programming_language framework_used bugs_found bugs_fixed test_coverage "
                           "performance_metrics deployment_status technical_debt files_modified tests_run "
                           "tests_passed"),
    "Executive": _fields("meeting_type attendees_count agenda_items action_items calendar_conflicts decisions_made"),
    "General": _fields("tools_used agent_notes errors_encountered retries warnings external_apis_called "
                       "data_sources_accessed tags"),
    "PromptContent": {"prompt_id": REQUIRED, "name": REQUIRED, "version": REQUIRED, "content": REQUIRED,
                      "created_at": REQUIRED, "rendered_content": N},
    "LlmUsage": _fields("model provider prompt_tokens completion_tokens total_tokens estimated_cost_usd "
                        "api_calls_count total_latency_ms calls"),
    "TaskData": {"name": REQUIRED, "description": REQUIRED, "current_datetime": REQUIRED, "duration": REQUIRED,
                 **_fields("time_tracking customer support sales marketing content research project development "
                           "executive general llm_usage input_summary output_summary steps expected_outcome "
                           "environment errors")},
    "ApiResponse": {"success": REQUIRED, "status_code": N, "message": "", "data": N},
    "BatchResult": {"successful": REQUIRED, "failed": REQUIRED, "results": REQUIRED, "errors": REQUIRED},
}  # fmt: skip
CAPTURE = {
    CapturedLlmCall: {"provider": REQUIRED, "model": REQUIRED,
                      **_fields("prompt_tokens completion_tokens temperature latency_ns error_type error_message "
                                "input_preview output_preview")},
    CapturedPromptFetch: {"prompt_id": REQUIRED, "prompt_name": REQUIRED, "version": REQUIRED,
                          "source": "prompt_studio", "variables_used": N, "fetched_at": N},
}  # fmt: skip
CASES = [(getattr(infinium, name, None), fields) for name, fields in TABLE.items()] + list(CAPTURE.items())
IDS = [*TABLE, "CapturedLlmCall", "CapturedPromptFetch"]
cases = pytest.mark.parametrize("cls, expected", CASES, ids=IDS)


@cases
def test_fields_in_order_with_their_defaults(cls, expected):
    """What is new in a class comes last and has a default."""
    assert dataclasses.is_dataclass(cls)
    fields = dataclasses.fields(cls)
    assert [f.name for f in fields][: len(expected)] == list(expected)
    for field, default in zip(fields, expected.values()):
        assert field.default == default or (field.default is REQUIRED and default is REQUIRED), field.name
    for field in fields[len(expected) :]:
        assert field.default is not REQUIRED or field.default_factory is not REQUIRED, field.name
    if PUBLISHED:
        assert len(fields) == len(expected)


@cases
def test_positional_construction(cls, expected):
    values = [f"value {i}" for i in range(len(expected))]
    made = cls(*values)
    assert [getattr(made, name) for name in expected] == values


@cases
def test_required_fields_are_required(cls, expected):
    required = [name for name, default in expected.items() if default is REQUIRED]
    if required:
        with pytest.raises(TypeError):
            cls()
    made = cls(**{name: "x" for name in required})
    for name, default in expected.items():
        if default is not REQUIRED:
            assert getattr(made, name) == default


@cases
def test_equality_and_repr(cls, expected):
    arguments = {name: i for i, name in enumerate(expected)}
    first, second = cls(**arguments), cls(**arguments)
    assert first == second and first is not second
    setattr(second, next(iter(expected)), "changed")
    assert first != second
    assert repr(first).startswith(cls.__name__ + "(")
    assert f"{next(iter(expected))}=0" in repr(first)


@cases
def test_mutable_and_without_slots(cls, expected):
    made = cls(**{name: None for name in expected})
    for name in expected:
        setattr(made, name, object())
    made.anything = 1
    assert made.anything == 1
    with pytest.raises(TypeError):
        hash(made)


@cases
def test_no_validation_and_no_coercion(cls, expected):
    odd = object()
    made = cls(**{name: odd for name in expected})
    assert all(getattr(made, name) is odd for name in expected)


@cases
def test_unknown_keyword(cls, expected):
    with pytest.raises(TypeError):
        cls(**{name: None for name in expected}, no_such_field=1)


@cases
def test_copy_replace_asdict_pickle(cls, expected):
    made = cls(**{name: f"v{i}" for i, name in enumerate(expected)})
    first = next(iter(expected))
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert getattr(dataclasses.replace(made, **{first: "new"}), first) == "new"
    assert dataclasses.asdict(made)[first] == "v0"


def test_trace_context_has_lists_of_its_own():
    first, second = TraceContext(), TraceContext()
    assert first.calls == [] and first.prompts == []
    first.calls.append(CapturedLlmCall("openai", "m"))
    assert second.calls == []
    given = TraceContext(calls=[1], prompts=[2])
    assert given.calls == [1] and given.prompts == [2]
    assert TraceContext([1], [2]) == given


def test_trace_context_is_a_dataclass():
    assert [f.name for f in dataclasses.fields(TraceContext)][:2] == ["calls", "prompts"]

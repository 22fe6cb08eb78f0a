"""Section 1: the public names, where they are importable from, and their signatures."""

import importlib
import inspect

import pytest

import infinium
from helpers import PUBLISHED, differs

CLIENTS = "InfiniumClient AsyncInfiniumClient"
CORE = "TaskData ApiResponse BatchResult PromptContent"
SECTIONS = (
    "TimeTracking Customer Support Sales Marketing Content Research Project Development Executive General LlmUsage"
)
ENRICHMENT = "ExecutionStep ErrorDetail ToolCall LlmCall ExpectedOutcome EnvironmentContext"
TRACING = "TraceBuilder StepContext trace_agent async_trace_agent"
INTEGRATIONS = "watch OpenAIInstrumentor AnthropicInstrumentor GoogleInstrumentor"
EXCEPTIONS = (
    "InfiniumError AuthenticationError ValidationError RateLimitError NetworkError InfiniumTimeoutError TimeoutError "
    "ServerError NotFoundError BatchError ConfigurationError"
)
HELPERS = (
    "get_current_iso_datetime validate_iso_datetime validate_duration validate_path_id validate_string_length "
    "validate_payload_size coerce_section setup_logging"
)
CONSTANTS = {
    "MAX_NAME_LENGTH": 500,
    "MAX_DESCRIPTION_LENGTH": 10000,
    "MAX_STRING_LENGTH": 2000,
    "MAX_PAYLOAD_SIZE": 1048576,
}
ALL = " ".join((CLIENTS, CORE, SECTIONS, ENRICHMENT, TRACING, INTEGRATIONS, EXCEPTIONS, HELPERS, *CONSTANTS)).split()

INTEGRATIONS_ALL = (
    "watch TraceContext CapturedLlmCall CapturedPromptFetch get_current_trace_context set_trace_context "
    "OpenAIInstrumentor AnthropicInstrumentor GoogleInstrumentor patch_google_genai_client"
).split()
PATCHERS = (
    "patch_openai_client patch_async_openai_client patch_anthropic_client patch_async_anthropic_client "
    "patch_google_model patch_google_genai_client"
).split()
UTILS = (
    "validate_agent_credentials validate_required_field dataclass_to_dict exponential_backoff retry_with_backoff "
    "safe_json_loads merge_dicts truncate_string RateLimiter"
).split()


@pytest.mark.parametrize("name", ALL)
def test_name_is_public(name):
    assert name in infinium.__all__
    assert hasattr(infinium, name)


def test_all_has_no_duplicates_and_is_importable():
    assert len(infinium.__all__) == len(set(infinium.__all__))
    space = {}
    exec("from infinium import *", space)
    assert set(infinium.__all__) <= set(space)


@differs("more-names", "ours has public names beyond the published ones; star imports get them too")
def test_nothing_but_the_published_names():
    more = set(infinium.__all__) - set(ALL)
    if PUBLISHED:
        assert not more
    else:
        assert {"unwatch", "current_trace"} <= {n for n in dir(infinium)} and not (set(ALL) - set(infinium.__all__))


@pytest.mark.parametrize("name, value", CONSTANTS.items())
def test_constant(name, value):
    assert getattr(infinium, name) == value


@differs("version", "each package says its own version")
def test_version():
    import importlib.metadata

    if PUBLISHED:
        assert infinium.__version__ == "1.2.0"
    else:
        assert infinium.__version__ == importlib.metadata.version("infinium")


@pytest.mark.parametrize("name", ["__author__", "__email__", "__description__"])
def test_dunder(name):
    assert isinstance(getattr(infinium, name), str)
    assert name not in infinium.__all__


@pytest.mark.parametrize("name", "client async_client types exceptions utils tracing integrations".split())
def test_submodule(name):
    module = importlib.import_module(f"infinium.{name}")
    assert inspect.ismodule(module)
    assert getattr(infinium, name) is module


@pytest.mark.parametrize(
    "module, names",
    [
        ("client", "InfiniumClient"),
        ("async_client", "AsyncInfiniumClient"),
        ("types", f"{CORE} {SECTIONS} {ENRICHMENT} TaskSections ConfigDict"),
        ("exceptions", EXCEPTIONS),
        ("utils", HELPERS + " " + " ".join(CONSTANTS) + " " + " ".join(UTILS)),
        ("tracing", TRACING),
        ("integrations", " ".join(INTEGRATIONS_ALL + PATCHERS)),
        ("integrations._context", "TraceContext CapturedLlmCall CapturedPromptFetch get_current_trace_context "
                                  "set_trace_context _current_trace_ctx"),
        ("integrations.otel", "InfiniumOTelExporter"),
        ("integrations.openai", "OpenAIInstrumentor patch_openai_client patch_async_openai_client"),
        ("integrations.anthropic", "AnthropicInstrumentor patch_anthropic_client patch_async_anthropic_client"),
        ("integrations.google", "GoogleInstrumentor patch_google_model patch_google_genai_client"),
    ],
)  # fmt: skip
def test_module_has(module, names):
    loaded = importlib.import_module(f"infinium.{module}")
    missing = [n for n in names.split() if not hasattr(loaded, n)]
    assert not missing
    for name in names.split():
        if hasattr(infinium, name) and not inspect.ismodule(getattr(infinium, name)):
            assert getattr(infinium, name) is getattr(loaded, name), name


def test_integrations_all():
    integrations = importlib.import_module("infinium.integrations")
    assert set(INTEGRATIONS_ALL) <= set(integrations.__all__)


@differs("unwatch", "the published watch() cannot be undone")
def test_unwatch():
    integrations = importlib.import_module("infinium.integrations")
    assert hasattr(integrations, "unwatch") is not PUBLISHED


def test_the_context_variable():
    import contextvars

    from infinium.integrations import _context

    assert isinstance(_context._current_trace_ctx, contextvars.ContextVar)
    assert _context._current_trace_ctx.name == "infinium_trace_ctx"
    assert _context._current_trace_ctx.get() is None
    assert _context.get_current_trace_context() is None


def test_timeout_error_is_an_alias():
    assert infinium.TimeoutError is infinium.InfiniumTimeoutError


# Parameters as (name, default); "required" has none. A name after "*" is keyword-only.
R = "required"
CONSTRUCTOR = [
    ("base_url", "https://platform.i42m.ai/api/v1"),
    ("timeout", 30.0),
    ("max_retries", 3),
    ("enable_rate_limiting", True),
    ("requests_per_second", 10.0),
    ("user_agent", None),
    ("enable_logging", False),
    ("log_level", "INFO"),
    ("verify_ssl", True),
]
TASK = [("name", R), ("description", R), ("duration", R), ("current_datetime", None)]
DECORATOR = ["*", ("auto_send", True), ("description", None)]
SIGNATURES = {
    "trace_agent": [("name", R), ("client", None), *DECORATOR],
    "async_trace_agent": [("name", R), ("client", None), *DECORATOR],
    "TraceBuilder": [("name", R), ("description", R)],
    "StepContext": [("step_number", R), ("action", R), ("description", R)],
    "watch": [("client", R), ("capture_content", False)],
    "OpenAIInstrumentor": [("capture_content", False)],
    "AnthropicInstrumentor": [("capture_content", False)],
    "GoogleInstrumentor": [("capture_content", False)],
    "get_current_iso_datetime": [],
    "validate_iso_datetime": [("datetime_str", R)],
    "validate_duration": [("duration", R)],
    "validate_path_id": [("value", R), ("field_name", R)],
    "validate_string_length": [("value", R), ("field_name", R), ("max_length", R)],
    "validate_payload_size": [("payload", R)],
    "coerce_section": [("value", R), ("dataclass_type", R)],
    "setup_logging": [("level", "INFO"), ("format_string", None)],
    "utils.validate_agent_credentials": [("agent_id", R), ("agent_secret", R)],
    "utils.validate_required_field": [("value", R), ("field_name", R)],
    "utils.dataclass_to_dict": [("obj", R)],
    "utils.exponential_backoff": [("attempt", R), ("base_delay", 1.0), ("max_delay", 60.0), ("jitter", True)],
    "utils.retry_with_backoff": [
        ("func", R), ("max_retries", 3), ("base_delay", 1.0), ("max_delay", 60.0), ("exceptions", (Exception,)),
    ],
    "utils.safe_json_loads": [("json_str", R)],
    "utils.truncate_string": [("text", R), ("max_length", 1000), ("suffix", "...")],
    "utils.RateLimiter": [("requests_per_second", 10.0), ("burst_size", 20)],
    "integrations.otel.InfiniumOTelExporter": [("service_name", "infinium-agent"), ("tracer_name", "infinium")],
    "integrations.otel.InfiniumOTelExporter.export_trace": [
        ("self", R), ("trace_name", R), ("duration_s", R), ("ctx", None),
    ],
    "InfiniumClient.send_tasks_batch": [("self", R), ("tasks", R), ("max_concurrent", 5)],
    "AsyncInfiniumClient.send_tasks_batch": [
        ("self", R), ("tasks", R), ("max_concurrent", 5), ("fail_fast", False),
    ],
    "TraceBuilder.set_expected_outcome": [
        ("self", R), ("task_objective", R), "*",
        ("required_deliverables", None), ("constraints", None), ("acceptance_criteria", None),
    ],
    "TraceBuilder.set_environment": [
        ("self", R), "*", ("framework", None), ("framework_version", None), ("python_version", None),
        ("runtime", None), ("region", None), ("custom_tags", None),
    ],
    "TraceBuilder.set_input_summary": [("self", R), ("summary", R)],
    "TraceBuilder.set_output_summary": [("self", R), ("summary", R)],
    "TraceBuilder.set_llm_usage": [("self", R), ("llm_usage", R)],
    "TraceBuilder.set_section": [("self", R), ("name", R), ("value", R)],
    "TraceBuilder.add_error": [("self", R), ("error", R)],
    "TraceBuilder.step": [("self", R), ("action", R), ("description", R)],
    "StepContext.set_input": [("self", R), ("preview", R)],
    "StepContext.set_output": [("self", R), ("preview", R)],
    "StepContext.set_metadata": [("self", R), ("metadata", R)],
    "StepContext.record_tool_call": [
        ("self", R), ("tool_name", R), "*", ("duration_ms", None), ("input_summary", None), ("output_summary", None),
        ("http_status", None), ("error", None),
    ],
    "StepContext.record_llm_call": [
        ("self", R), ("model", R), "*", ("provider", None), ("prompt_tokens", None), ("completion_tokens", None),
        ("latency_ms", None), ("temperature", None), ("purpose", None),
    ],
}  # fmt: skip
for _client in ("InfiniumClient", "AsyncInfiniumClient"):
    SIGNATURES.update(
        {
            f"{_client}.send_task": [("self", R), *TASK],
            f"{_client}.send_task_data": [("self", R), ("task_data", R)],
            f"{_client}.get_interpreted_task_result": [("self", R), ("task_id", R)],
            f"{_client}.wait_for_interpretation": [
                ("self", R), ("trace_id", R), ("timeout", 120.0), ("poll_interval", 3.0),
            ],
            f"{_client}.get_prompt": [
                ("self", R), ("prompt_id", R), ("prompt_key", R), ("version", "latest"), ("variables", None),
            ],
            f"{_client}.trace": [("self", R), ("name", R), *DECORATOR],
            f"{_client}.create_task_data": list(TASK),
            f"{_client}.get_current_iso_datetime": [],
            f"{_client}.close": [("self", R)],
        }
    )  # fmt: skip
for _patcher in PATCHERS:
    _first = "model" if _patcher == "patch_google_model" else "client"
    SIGNATURES[f"integrations.{_patcher}"] = [(_first, R), ("capture_content", False)]


def _resolve(dotted):
    for split in range(dotted.count(".") + 1, -1, -1):
        parts = dotted.split(".")
        try:
            found = importlib.import_module(".".join(["infinium", *parts[:split]]))
        except ImportError:
            continue
        for name in parts[split:]:
            found = getattr(found, name)
        return found
    raise AssertionError(dotted)


def _check(parameters, expected):
    keyword_only = False
    positional = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    index = 0
    for item in expected:
        if item == "*":
            keyword_only = True
            continue
        name, default = item
        assert name in parameters, f"no parameter {name}"
        parameter = parameters[name]
        if not keyword_only:
            assert positional[index] == name, f"{name} is not positional number {index}: {positional}"
            index += 1
        if default == R:
            assert parameter.default is inspect.Parameter.empty, name
        else:
            assert parameter.default == default, name
    named = {item[0] for item in expected if item != "*"}
    for parameter in parameters.values():
        if parameter.name not in named and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            assert parameter.default is not inspect.Parameter.empty, f"{parameter.name} is new and required"


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    """Every published parameter by the same name, place and default; what is new has a default."""
    _check(inspect.signature(_resolve(name)).parameters, SIGNATURES[name])


def test_merge_dicts_signature():
    from infinium.utils import merge_dicts

    (only,) = inspect.signature(merge_dicts).parameters.values()
    assert only.kind is only.VAR_POSITIONAL


@pytest.mark.parametrize("name", CLIENTS.split())
@differs("env-credentials", "ours reads id, secret and base URL from the environment when they are left out")
def test_constructor_signature(name):
    parameters = inspect.signature(getattr(infinium, name)).parameters
    assert list(parameters)[:2] == ["agent_id", "agent_secret"]
    for credential in ("agent_id", "agent_secret"):
        if PUBLISHED:
            assert parameters[credential].default is inspect.Parameter.empty
        else:
            assert parameters[credential].default is None
    names = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert names[2:11] == [n for n, _ in CONSTRUCTOR]
    for option, default in CONSTRUCTOR:
        if option != "user_agent" and not (option == "base_url" and parameters[option].default is None):
            assert parameters[option].default == default, option


@pytest.mark.parametrize("method", "send_task send_task_data send_tasks_batch get_interpreted_task_result "
                                   "wait_for_interpretation get_prompt close".split())  # fmt: skip
def test_methods_of_the_async_client_are_coroutines(method):
    assert inspect.iscoroutinefunction(getattr(infinium.AsyncInfiniumClient, method))
    assert not inspect.iscoroutinefunction(getattr(infinium.InfiniumClient, method))


def test_plain_methods_of_the_async_client():
    for method in ("trace", "get_current_iso_datetime", "create_task_data"):
        assert not inspect.iscoroutinefunction(getattr(infinium.AsyncInfiniumClient, method))

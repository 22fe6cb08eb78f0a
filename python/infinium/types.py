"""The data types of a trace: what `send_task_data` takes, what `TraceBuilder.build` makes, what the client answers.

Field names, order and defaults are those of the published SDK, because callers pass them by position. All of them are
mutable dataclasses with `==`, `repr` and pickling, and nothing is validated here.

An attribute that is not a field (set by a caller, or a key of a section's dict that the published SDK does not know)
stays on the instance and goes onto the wire beside the fields; one whose name begins with an underscore does not.

Importing `dataclasses` and decorating 27 classes takes longer than all the rest of `import infinium`. So `_Record` does
that when the `dataclasses` module first looks at a class; making, comparing, printing and pickling instances
does not need it. This module may import nothing at its top.
"""

from __future__ import annotations

_NEW_LIST = object()  # the default of a field that begins as an empty list of its own


class _FromTyping:
    """`typing.<name>`, imported when an annotation is evaluated (`typing.get_type_hints`), not before."""

    def __init__(self, name):
        self._name = name

    def __getitem__(self, item):
        import typing

        return getattr(typing, self._name)[item]


Optional = _FromTyping("Optional")
Union = _FromTyping("Union")


def _record_class(cls):
    """The class of this module that `cls` is or derives from; None for `_Record` itself."""
    for each in cls.__mro__:
        if each.__module__ == __name__:
            return None if each is _Record else each
    return None


def _make_init(cls):
    names = cls.__match_args__
    parameters = []
    lines = []
    namespace = {"_NEW_LIST": _NEW_LIST}
    for name in names:
        if name in cls._lists or name in cls.__dict__:
            namespace["_default_" + name] = _NEW_LIST if name in cls._lists else cls.__dict__[name]
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f" self.{name} = " + (f"[] if {name} is _NEW_LIST else {name}" if name in cls._lists else name))
    exec(f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines), namespace)  # names: the classes below
    function = namespace["__init__"]
    function.__qualname__ = f"{cls.__qualname__}.__init__"
    function.__module__ = __name__
    function.__annotations__ = {**{name: cls.__annotations__[name] for name in names}, "return": None}
    return function


class _Init:
    """Stands for `__init__` until the first instance of a class is made."""

    def __get__(self, instance, owner=None):
        cls = _record_class(owner or type(instance))
        if cls is None:
            return object.__init__
        function = cls.__dict__.get("__init__")
        if function is None:
            function = cls.__init__ = _make_init(cls)
        return function if instance is None else function.__get__(instance, owner)


class _Signature:
    """`inspect.signature` looks for `__signature__` first and, from Python 3.13 on, does not see through `_Init`: so this
    has the real `__init__` made, and says that it is not there."""

    def __get__(self, instance, owner=None):
        (owner or type(instance)).__init__
        raise AttributeError("__signature__")


_decorating = []  # one lock, made when it is first needed


class _Decorate:
    """Stands for an attribute that `dataclasses.dataclass` sets, until somebody looks at it."""

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner=None):
        import dataclasses
        import threading

        cls = _record_class(owner or type(instance))
        if cls is None:
            raise AttributeError(self.name)
        if not _decorating:
            _decorating.append(threading.RLock())
        with _decorating[0]:
            if self.name not in cls.__dict__:
                for field in cls._lists:
                    setattr(cls, field, dataclasses.field(default_factory=list))
                dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
                # They are there, from `_Record`, and who asks is told so.
                params = cls.__dict__["__dataclass_params__"]
                params.init = params.repr = params.eq = True
        return cls.__dict__[self.name]


_printing = set()


class _Record:
    """What the dataclasses below share."""

    __init__ = _Init()
    __signature__ = _Signature()
    __dataclass_fields__ = _Decorate("__dataclass_fields__")
    __dataclass_params__ = _Decorate("__dataclass_params__")
    __hash__ = None
    _lists = ()  # the fields that begin as an empty list

    def __init_subclass__(cls):
        if cls.__module__ == __name__:
            cls.__match_args__ = tuple(cls.__annotations__)

    def __eq__(self, other):
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)

    def __repr__(self):
        from _thread import get_ident

        key = (id(self), get_ident())
        if key in _printing:
            return "..."
        _printing.add(key)
        try:
            fields = self.__match_args__
            names = [*fields, *(name for name in self.__dict__ if name not in fields and not name.startswith("_"))]
            return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
        finally:
            _printing.discard(key)

    def __replace__(self, **changes):
        import dataclasses

        return dataclasses.replace(self, **changes)


class ErrorDetail(_Record):
    """An error, of a trace or of one step."""

    error_type: str
    message: str
    recoverable: bool = False
    retry_count: int = 0
    stack_trace: Optional[str] = None
    error_code: Optional[str] = None


class ToolCall(_Record):
    """One use of a tool. `duration_ms` in milliseconds."""

    tool_name: str
    duration_ms: Optional[int] = None
    input_summary: Optional[str] = None
    output_summary: Optional[str] = None
    error: Optional[ErrorDetail] = None
    http_status: Optional[int] = None


class LlmCall(_Record):
    """One request to a language model. Token counts are inclusive: cached tokens are part of `prompt_tokens`, reasoning
    tokens of `completion_tokens`. The plain attributes are known for watched calls and are not arguments."""

    model: str
    provider: Optional[str] = None
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    latency_ms: Optional[int] = None
    temperature: Optional[float] = None
    purpose: Optional[str] = None

    request_model = None
    response_id = None
    finish_reasons = None
    cached_tokens = None
    cache_write_tokens = None
    reasoning_tokens = None
    max_tokens = None
    time_to_first_chunk_ms = None
    stream = None
    operation = None


class ExecutionStep(_Record):
    """One step of a trace, numbered from 1. `duration_ms` in milliseconds."""

    step_number: int
    action: str
    description: str
    duration_ms: Optional[int] = None
    input_preview: Optional[str] = None
    output_preview: Optional[str] = None
    error: Optional[ErrorDetail] = None
    tool_call: Optional[ToolCall] = None
    llm_call: Optional[LlmCall] = None
    metadata: Optional[dict[str, object]] = None


class ExpectedOutcome(_Record):
    """What the task was meant to reach."""

    task_objective: str
    required_deliverables: Optional[list[str]] = None
    constraints: Optional[list[str]] = None
    acceptance_criteria: Optional[list[str]] = None


class EnvironmentContext(_Record):
    """Where the task ran."""

    framework: Optional[str] = None
    framework_version: Optional[str] = None
    python_version: Optional[str] = None
    sdk_version: Optional[str] = None
    runtime: Optional[str] = None
    region: Optional[str] = None
    custom_tags: Optional[dict[str, str]] = None


class TimeTracking(_Record):
    """Start and end, ISO 8601."""

    start_time: Optional[str] = None
    end_time: Optional[str] = None


class Customer(_Record):
    """Whom the task was for."""

    customer_name: Optional[str] = None
    customer_email: Optional[str] = None
    customer_phone: Optional[str] = None
    customer_address: Optional[str] = None
    client_company: Optional[str] = None
    client_industry: Optional[str] = None


class Support(_Record):
    """A support case."""

    call_id: Optional[str] = None
    issue_description: Optional[str] = None
    issue_type: Optional[str] = None
    resolution: Optional[str] = None
    priority: Optional[str] = None
    follow_up_required: Optional[bool] = None
    agent_notes: Optional[str] = None


class Sales(_Record):
    """A sale."""

    lead_source: Optional[str] = None
    sales_stage: Optional[str] = None
    deal_value: Optional[float] = None
    conversion_rate: Optional[float] = None
    sales_notes: Optional[str] = None


class Marketing(_Record):
    """A campaign."""

    campaign_name: Optional[str] = None
    campaign_type: Optional[str] = None
    target_audience: Optional[str] = None
    marketing_channel: Optional[str] = None
    engagement_metrics: Optional[str] = None
    conversion_metrics: Optional[str] = None


class Content(_Record):
    """A piece of content that was made."""

    content_type: Optional[str] = None
    content_format: Optional[str] = None
    content_length: Optional[int] = None
    content_topic: Optional[str] = None
    target_platform: Optional[str] = None


class Research(_Record):
    """A piece of research."""

    research_topic: Optional[str] = None
    research_method: Optional[str] = None
    data_sources: Optional[Union[str, list[str]]] = None
    research_findings: Optional[str] = None
    analysis_type: Optional[str] = None
    sources_consulted: Optional[int] = None
    key_findings: Optional[list[str]] = None
    confidence_level: Optional[str] = None
    data_quality: Optional[str] = None


class Project(_Record):
    """The state of a project."""

    project_name: Optional[str] = None
    project_phase: Optional[str] = None
    deliverables: Optional[Union[str, list[str]]] = None
    stakeholders: Optional[Union[str, list[str]]] = None
    project_status: Optional[str] = None
    milestone_achieved: Optional[str] = None
    task_priority: Optional[str] = None
    resource_utilization: Optional[float] = None
    risk_assessment: Optional[str] = None
    blockers: Optional[list[str]] = None


class Development(_Record):
    """Software work."""

    programming_language: Optional[str] = None
    framework_used: Optional[str] = None
    bugs_found: Optional[int] = None
    bugs_fixed: Optional[int] = None
    test_coverage: Optional[float] = None
    performance_metrics: Optional[Union[str, dict[str, object]]] = None
    deployment_status: Optional[str] = None
    technical_debt: Optional[str] = None
    files_modified: Optional[list[str]] = None
    tests_run: Optional[int] = None
    tests_passed: Optional[int] = None


class Executive(_Record):
    """A meeting or an assistant's task."""

    meeting_type: Optional[str] = None
    attendees_count: Optional[int] = None
    agenda_items: Optional[Union[str, list[str]]] = None
    action_items: Optional[Union[str, list[str]]] = None
    calendar_conflicts: Optional[int] = None
    decisions_made: Optional[list[str]] = None


class General(_Record):
    """What fits no other section."""

    tools_used: Optional[Union[str, list[str]]] = None
    agent_notes: Optional[str] = None
    errors_encountered: Optional[list[ErrorDetail]] = None
    retries: Optional[int] = None
    warnings: Optional[list[str]] = None
    external_apis_called: Optional[list[str]] = None
    data_sources_accessed: Optional[list[str]] = None
    tags: Optional[list[str]] = None


class PromptContent(_Record):
    """A prompt as the server holds it; `rendered_content` is there when variables were given."""

    prompt_id: str
    name: str
    version: int
    content: str
    created_at: str
    rendered_content: Optional[str] = None


class LlmUsage(_Record):
    """The language model calls of a trace, added up. Latency in milliseconds."""

    model: Optional[str] = None
    provider: Optional[str] = None
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    total_tokens: Optional[int] = None
    estimated_cost_usd: Optional[float] = None
    api_calls_count: Optional[int] = None
    total_latency_ms: Optional[int] = None
    calls: Optional[list[LlmCall]] = None


class TaskData(_Record):
    """A whole trace. `current_datetime` is ISO 8601, `duration` in seconds."""

    name: str
    description: str
    current_datetime: str
    duration: float
    time_tracking: Optional[TimeTracking] = None
    customer: Optional[Customer] = None
    support: Optional[Support] = None
    sales: Optional[Sales] = None
    marketing: Optional[Marketing] = None
    content: Optional[Content] = None
    research: Optional[Research] = None
    project: Optional[Project] = None
    development: Optional[Development] = None
    executive: Optional[Executive] = None
    general: Optional[General] = None
    llm_usage: Optional[LlmUsage] = None
    input_summary: Optional[str] = None
    output_summary: Optional[str] = None
    steps: Optional[list[ExecutionStep]] = None
    expected_outcome: Optional[ExpectedOutcome] = None
    environment: Optional[EnvironmentContext] = None
    errors: Optional[list[ErrorDetail]] = None


class ApiResponse(_Record):
    """An answer of the server. `data` is the decoded JSON object, or None."""

    success: bool
    status_code: Optional[int] = None
    message: str = ""
    data: Optional[dict[str, object]] = None


class HealthCheck(_Record):
    """The answer of `test_connection`."""

    status: str
    agent_name: str
    timestamp: str


class BatchResult(_Record):
    """What became of a batch; `results` is in the order of the tasks."""

    successful: int
    failed: int
    results: list[ApiResponse]
    errors: list[str]


class CapturedLlmCall(_Record):
    """A watched call as its adapter saw it. Token counts inclusive, as in `LlmCall`; latency in nanoseconds. The plain
    attributes are set where known and are not arguments."""

    provider: str
    model: str
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    temperature: Optional[float] = None
    latency_ns: Optional[int] = None
    error_type: Optional[str] = None
    error_message: Optional[str] = None
    input_preview: Optional[str] = None
    output_preview: Optional[str] = None

    request_model = None
    response_id = None
    finish_reasons = None
    cached_tokens = None
    cache_write_tokens = None
    reasoning_tokens = None
    max_tokens = None
    start_ns = None
    first_chunk_ns = None
    stream = None
    operation = None
    tool_calls = None


class CapturedPromptFetch(_Record):
    """A prompt that was fetched inside a trace: never its key, never the values of its variables."""

    prompt_id: str
    prompt_name: str
    version: int
    source: str = "prompt_studio"
    variables_used: Optional[list[str]] = None
    fetched_at: Optional[str] = None


class TraceContext(_Record):
    """Collects the watched calls and fetched prompts of one trace."""

    calls: list[CapturedLlmCall]
    prompts: list[CapturedPromptFetch]

    _lists = ("calls", "prompts")


# The sections of a TaskData, in the order of its fields.
SECTIONS = {
    "time_tracking": TimeTracking,
    "customer": Customer,
    "support": Support,
    "sales": Sales,
    "marketing": Marketing,
    "content": Content,
    "research": Research,
    "project": Project,
    "development": Development,
    "executive": Executive,
    "general": General,
}


def __getattr__(name):
    if name == "TaskSections":
        import typing

        value = typing.Dict[str, typing.Union[tuple(SECTIONS.values())]]
    elif name == "ConfigDict":
        import typing

        value = typing.Dict[str, typing.Any]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value

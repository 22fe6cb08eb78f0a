"""The trace that is being recorded, for the program inside it.

Every method may be called from any thread of the trace, at any time: after the trace's end, and in a call that is not
recorded (left out by sampling, its client closed), it does nothing. None raises because of what a text holds.
"""

from . import _core
from ._trace import json_object, masked_by
from .builder import StepContext

_TAGS = _core.TAGS
_MAX_INPUT, _MAX_OUTPUT = 3_000, 8_000  # characters
_MAX_STEP = 1_500
_MAX_SHORT = 500


class TraceStep(StepContext):
    """A step of the current trace, for `with`; recorded when the block ends, with its time and the exception that left
    it. The setters are those of StepContext."""

    def __init__(self, trace, action, description):
        super().__init__(0, _text(action), _text(description))
        self._trace = trace
        self._start = 0

    def __enter__(self):
        self._start = self._trace._context.elapsed_ns()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._trace._record_step(self._build(), self._start)
        return False


def _text(value):
    try:
        return str(value)
    except Exception:
        return f"<str() failed: {type(value).__name__}>"


def _shown(value, limit):
    """A str as it is, anything else as its repr(), at a cost that the limit bounds."""
    if type(value) is str:
        return value[:limit] if len(value) <= limit else value[: limit - 3] + "..."
    return _core.capture(value, limit)


class CurrentTrace:
    """What current_trace() returns. False when the trace is not being recorded (any more)."""

    __slots__ = ("_context",)

    def __init__(self, context):
        self._context = context

    def __bool__(self):
        return self._context.recording

    def __eq__(self, other):
        return isinstance(other, CurrentTrace) and other._context is self._context

    def __hash__(self):
        return hash(id(self._context))

    def __getattr__(self, name):
        return getattr(self._context, name)

    def __repr__(self):
        return f"<trace {self.id}>"

    @property
    def id(self):
        """32 hexadecimal digits; None when it is not recorded."""
        return self._context.trace_id

    @property
    def parent_id(self):
        """The id of the trace in which this one began, or None."""
        return self._context.parent_id

    def _masked(self, text):
        return masked_by(self._context.mask, text)

    def _json(self, metadata):
        return json_object(metadata, self._context.mask_secrets, self._context.mask)

    def _record(self, *fields):
        self._context.record([(_TAGS[name], value) for name, value in fields])
        return self

    def _group(self, **members):
        """Members that are not None, as a group's fields; texts are masked."""
        made = []
        for name, value in members.items():
            if value is None:
                continue
            if isinstance(value, str) and not name == "METADATA":
                value = self._masked(str(value))
            elif isinstance(value, bool):
                value = int(value)
            made.append((_TAGS[name], value))
        return made

    # Of the trace

    def set_input(self, value):
        """In place of the arguments: a str as it is, anything else as its repr(); 3,000 characters."""
        return self._record(("INPUT", self._masked(_shown(value, _MAX_INPUT))))

    def set_output(self, value):
        """In place of the result: a str as it is, anything else as its repr(); 8,000 characters."""
        shown = self._masked(_shown(value, _MAX_OUTPUT))
        self._context.output_is_set()
        return self._record(("OUTPUT", shown))

    def add_tag(self, *tags):
        """At most 200 characters each."""
        return self._record(*(("TAG", _text(tag)[:200]) for tag in tags))

    def add_tags(self, tags):
        return self.add_tag(*tags)

    def set_metadata(self, metadata=None, /, **more):
        """A dict, or keywords; takes the place of earlier metadata and of the decorator's."""
        return self._record(("METADATA", self._json({**(metadata or {}), **more})))

    def set_session(self, session_id):
        return self._record(("SESSION_ID", _text(session_id)[:200]))

    def set_user(self, user_id):
        return self._record(("USER_ID", _text(user_id)[:200]))

    def score(self, name, value, comment=None):
        """A figure of merit; `value` is a number."""
        return self._record(
            ("SCORE", self._group(NAME=_text(name)[:_MAX_SHORT], VALUE=float(value), MESSAGE=comment and _text(comment)))
        )

    # Steps

    def step(self, action, description=""):
        """`with trace.step("search", "Search the index") as step: ...`"""
        return TraceStep(self, action, description)

    def add_step(
        self, action, description="", *, duration_ms=None, input=None, output=None, error=None, metadata=None
    ):
        """A step that is over already. `error`: an exception or a text; milliseconds; 1,500 characters of input and
        output."""
        step = StepContext(0, _text(action), _text(description))
        step._duration_ms = duration_ms
        if input is not None:
            step._input_preview = _shown(input, _MAX_STEP)
        if output is not None:
            step._output_preview = _shown(output, _MAX_STEP)
        step._error = _error(error)
        step._metadata = metadata
        self._record_step(step._build(), self._context.elapsed_ns())
        return self

    def add_tool_call(
        self, tool_name, *, duration_ms=None, input_summary=None, output_summary=None, http_status=None, error=None
    ):
        """A step that is one tool call; milliseconds."""
        step = StepContext(0, "tool_call", _text(tool_name))
        step._duration_ms = duration_ms
        step.record_tool_call(
            _text(tool_name),
            duration_ms=duration_ms,
            input_summary=None if input_summary is None else _shown(input_summary, _MAX_STEP),
            output_summary=None if output_summary is None else _shown(output_summary, _MAX_STEP),
            http_status=http_status,
            error=_error(error),
        )
        self._record_step(step._build(), self._context.elapsed_ns())
        return self

    def _record_step(self, step, start_ns):
        tool, call, error = step.tool_call, step.llm_call, step.error
        metadata = None
        if isinstance(step.metadata, dict):
            metadata = self._json(step.metadata)
        self._record(
            (
                "STEP",
                self._group(
                    ACTION=step.action,
                    DESCRIPTION=step.description,
                    START=start_ns,
                    DURATION=_ns(step.duration_ms),
                    INPUT=step.input_preview,
                    OUTPUT=step.output_preview,
                    ERROR=error and self._error_group(error),
                    TOOL_CALL=tool
                    and self._group(
                        NAME=tool.tool_name,
                        DURATION=_ns(tool.duration_ms),
                        INPUT=tool.input_summary,
                        OUTPUT=tool.output_summary,
                        ERROR=tool.error and self._error_group(tool.error),
                        HTTP_STATUS=tool.http_status,
                    ),
                    LLM_CALL=call
                    and self._group(
                        MODEL=call.model,
                        PROVIDER=call.provider,
                        PROMPT_TOKENS=call.prompt_tokens,
                        COMPLETION_TOKENS=call.completion_tokens,
                        DURATION=_ns(call.latency_ms),
                        TEMPERATURE=None if call.temperature is None else float(call.temperature),
                        PURPOSE=call.purpose,
                    ),
                    METADATA=metadata,
                ),
            )
        )

    def _error_group(self, error):
        return self._group(
            ERROR_TYPE=_text(error.error_type), MESSAGE=_text(error.message), STACK_TRACE=error.stack_trace
        )


def _error(error):
    from ._errors import error_detail
    from .types import ErrorDetail

    if error is None or isinstance(error, ErrorDetail):
        return error
    return error_detail(error) if isinstance(error, BaseException) else ErrorDetail("Error", _text(error))


def _ns(milliseconds):
    return None if milliseconds is None else int(milliseconds * 1_000_000)


def current_trace():
    """The trace of the traced function that runs, or None outside one. In a call that is not recorded it is there too, and
    does nothing."""
    context = _core.context_var.get()
    if getattr(context, "recording", False) or getattr(context, "silent", False):
        return CurrentTrace(context)
    return None

"""The user's exception comes out as it went in; the trace has its type, its message and the end of its traceback."""

import sys
import traceback

from conftest import body_of
import pytest

from infinium import trace_agent


def record(function, *args):
    """Calls `function` traced; returns (exception, the error of its trace)."""
    traced = trace_agent("t")(function)
    try:
        traced(*args)
    except BaseException as error:
        trace = body_of(traced)
        return error, (trace.get("errors") or [trace["steps"][0]["error"]])[0]
    raise AssertionError("did not raise")


def raising(error):
    raise error


def test_the_same_object_with_its_traceback():
    mine = KeyError("mine")

    @trace_agent("t")
    def f():
        raise mine

    with pytest.raises(KeyError) as caught:
        f()
    assert caught.value is mine and mine.__context__ is None and mine.__cause__ is None
    frames = [frame.name for frame in traceback.extract_tb(mine.__traceback__)]
    assert frames[-1] == "f" and frames.count("f") == 1


def test_type_message_and_traceback():
    error, recorded = record(raising, ValueError("boom"))
    assert (recorded["error_type"], recorded["message"]) == ("ValueError", "boom")
    assert recorded["recoverable"] is False and recorded["retry_count"] == 0
    text = recorded["stack_trace"]
    assert text.startswith("Traceback (most recent call last):\n") and text.endswith("ValueError: boom\n")
    assert f'File "{__file__}", line {raising.__code__.co_firstlineno + 1}, in raising\n    raise error\n' in text


def plain_traceback(error):
    """As the traceback module formats it from the traced function on, without the ^^^^ lines."""
    kept = traceback.TracebackException(type(error), error, error.__traceback__.tb_next)
    lines = "".join(kept.format()).splitlines(keepends=True)
    return "".join(line for line in lines if line == "\n" or set(line.strip()) - set("^~"))


def chained():
    try:
        raising(KeyError("first"))
    except KeyError as error:
        raise ValueError("second") from error


def handled():
    try:
        raising(KeyError("first"))
    except KeyError:
        raising(ValueError("second"))


def silenced():
    try:
        raising(KeyError("first"))
    except KeyError:
        raise ValueError("second") from None


class Odd(RuntimeError):
    """An exception of a module."""


def odd():
    raise Odd("x")


def nested():
    return handled()


@pytest.mark.parametrize("function", [chained, handled, silenced, odd, nested])
def test_as_the_traceback_module_formats_it(function):
    error, recorded = record(function)
    assert recorded["stack_trace"] == plain_traceback(error)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are new in 3.11")
def test_notes():
    error = ValueError("x")
    error.add_note("a note")
    _, recorded = record(raising, error)
    assert recorded["stack_trace"].endswith("ValueError: x\na note\n")


def test_deep_stacks_keep_the_end():
    def deep(n):
        if n == 0:
            raise ValueError("at the bottom")
        deep(n - 1)

    _, recorded = record(deep, 300)
    text = recorded["stack_trace"]
    assert 3500 < len(text) <= 4000
    assert text.startswith("...\n") and text.endswith("ValueError: at the bottom\n")
    assert 'raise ValueError("at the bottom")' in text


def test_recursion_error():
    def endless():
        endless()

    error, recorded = record(endless)
    assert isinstance(error, RecursionError) and recorded["error_type"] == "RecursionError"
    assert len(recorded["stack_trace"]) <= 4000 and "in endless" in recorded["stack_trace"]


def test_large_messages():
    _, recorded = record(raising, ValueError("x" * 2_000_000))
    assert len(recorded["message"]) == 10_000 and recorded["message"].endswith("x...")
    assert "in raising" in recorded["stack_trace"]


def test_non_ascii():
    _, recorded = record(raising, ValueError("漢字 \ud800 😀"))
    assert recorded["message"] == "漢字 \ufffd 😀"
    _, recorded = record(raising, ValueError("漢" * 5000))
    assert len(recorded["stack_trace"]) <= 4000 and "in raising" in recorded["stack_trace"]


def test_str_that_raises():
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("no")

    error, recorded = record(raising, Broken())
    assert type(error) is Broken and recorded["error_type"] == "Broken"
    assert recorded["message"] == "<str() failed>"
    assert "<exception str() failed>" in recorded["stack_trace"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_stopping_is_only_at_the_step(error):
    traced = trace_agent("t")(raising)
    with pytest.raises(error):
        traced(error("x"))
    trace = body_of(traced)
    assert "errors" not in trace and "output_summary" not in trace
    assert trace["steps"][0]["error"]["error_type"] == error.__name__


def test_a_loop_of_causes():
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    error, recorded = record(raising, first)
    assert recorded["stack_trace"].endswith("ValueError: 1\n")


def test_repr_of_arguments_that_raises_does_not_stop_the_call():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    thing = Broken()
    traced = trace_agent("t")(lambda x: x)
    assert traced(thing) is thing
    assert body_of(traced)["input_summary"] == "{'args': (<repr failed: RuntimeError>,), 'kwargs': {}}"
    assert body_of(traced)["output_summary"] == "<repr failed: RuntimeError>"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_a_group_says_where_each_was_raised():
    def first():
        raise ValueError("one")

    @trace_agent("t")
    def f():
        errors = []
        for call in (first, lambda: {}["two"]):
            try:
                call()
            except Exception as error:
                errors.append(error)
        raise ExceptionGroup("both", errors)  # noqa: F821

    with pytest.raises(BaseException):
        f()
    stack = body_of(f)["errors"][0]["stack_trace"]
    assert "in first" in stack and "ValueError: one" in stack and "KeyError: 'two'" in stack
    assert stack.rstrip().endswith("both (2 sub-exceptions)")

"""A traced function passes for the function it wraps."""

import asyncio
import copy
import functools
import inspect
import pickle
import types
import typing
import weakref
from unittest import mock

from conftest import body_of
import pytest

from infinium import trace_agent

LIMIT = 3


@trace_agent("t")
def plain(a: int, b: "str" = "x", *rest, c=LIMIT, **more) -> float:
    """What it does."""
    return 1.5


@trace_agent("t")
async def coroutine(a: int) -> int:
    """What it does."""
    return a


def test_signature():
    assert str(inspect.signature(plain)) == "(a: int, b: 'str' = 'x', *rest, c=3, **more) -> float"
    assert inspect.signature(plain) == inspect.signature(plain.__wrapped__)
    assert str(inspect.signature(plain, follow_wrapped=False)) == str(inspect.signature(plain.__wrapped__))
    assert inspect.getfullargspec(plain).args == ["a", "b"]


def test_is_a_function():
    for f in (plain, coroutine):
        assert inspect.isfunction(f) and inspect.isroutine(f) and callable(f)
        assert isinstance(f, types.FunctionType) and f.__class__ is types.FunctionType
    assert repr(plain).startswith("<function plain at 0x")


def test_coroutine_function():
    assert inspect.iscoroutinefunction(coroutine) and asyncio.iscoroutinefunction(coroutine)
    assert not inspect.iscoroutinefunction(plain) and not asyncio.iscoroutinefunction(plain)


@pytest.mark.parametrize(
    "name",
    "__name__ __qualname__ __module__ __doc__ __code__ __defaults__ __kwdefaults__ __annotations__ __globals__ "
    "__closure__ __builtins__".split(),
)
def test_attributes(name):
    if not hasattr(plain.__wrapped__, name):
        pytest.skip("not in this Python")
    assert getattr(plain, name) is getattr(plain.__wrapped__, name) or getattr(plain, name) == getattr(
        plain.__wrapped__, name
    )


def test_type_hints_and_source():
    assert typing.get_type_hints(plain) == {"a": int, "b": str, "return": float}
    assert "What it does." in inspect.getsource(plain)
    assert inspect.getdoc(plain) == "What it does."
    assert inspect.getmodule(plain) is inspect.getmodule(plain.__wrapped__)


def test_unknown_attribute():
    with pytest.raises(AttributeError):
        plain.nothing_of_the_kind


def test_setting_attributes():
    @trace_agent("t")
    def f():
        """Old."""

    f.mark = 1
    f.__doc__, f.__name__, f.__module__, f.__qualname__ = "New.", "g", "m", "A.g"
    assert (f.mark, f.__doc__, f.__name__, f.__module__, f.__qualname__) == (1, "New.", "g", "m", "A.g")
    assert f.__wrapped__.__name__ == "f" and not hasattr(f.__wrapped__, "mark")
    del f.mark
    assert not hasattr(f, "mark")
    assert "__wrapped__" in vars(f)


def test_attributes_of_the_function_come_along():
    def f():
        pass

    f.route = "/x"
    assert trace_agent("t")(f).route == "/x"


def test_pickle_and_copy():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(plain, protocol)) is plain
    assert copy.copy(plain) is plain and copy.deepcopy([plain])[0] is plain


def test_wrapped_again():
    @functools.wraps(plain)
    def outer(*args, **kwargs):
        return plain(*args, **kwargs)

    assert inspect.signature(outer) == inspect.signature(plain)
    twice = trace_agent("outer")(plain)
    assert twice(1) == 1.5 and inspect.isfunction(twice) and inspect.unwrap(twice) is plain.__wrapped__


class Agent:
    @trace_agent("t")
    def method(self, x):
        return self, x

    @classmethod
    @trace_agent("t")
    def inner(cls, x):
        return cls, x

    @trace_agent("t")
    @classmethod
    def outer(cls, x):
        return cls, x

    @trace_agent("t")
    @staticmethod
    def static(x):
        return x

    @property
    @trace_agent("t")
    def value(self):
        return 5

    @trace_agent("t")
    async def later(self, x):
        return self, x


def test_methods():
    agent = Agent()
    assert agent.method(1) == (agent, 1) and Agent.method(agent, 1) == (agent, 1)
    assert inspect.ismethod(agent.method) and agent.method.__self__ is agent
    assert agent.method == agent.method and str(inspect.signature(agent.method)) == "(x)"
    assert agent.inner(1) == (Agent, 1) and Agent.outer(1) == (Agent, 1) and agent.outer(2) == (Agent, 2)
    assert agent.static(1) == 1 and Agent.static(1) == 1 and agent.value == 5
    assert asyncio.run(agent.later(1)) == (agent, 1)
    assert pickle.loads(pickle.dumps(Agent.method)) is Agent.method


def test_weak_references_and_dict_keys():
    def f():
        pass

    made = trace_agent("t")(f)
    assert {made: 1}[made] == 1 and made == made and made != trace_agent("t")(f)
    reference = weakref.ref(made)
    assert reference() is made
    del made
    import gc

    gc.collect()
    assert reference() is None


def test_mock_takes_it_for_a_function():
    fake = mock.create_autospec(plain)
    fake(1)
    with pytest.raises(TypeError):
        fake()


def test_partial_and_callable_object():
    class Adder:
        """Adds."""

        def __call__(self, x):
            return x + 1

    assert trace_agent("t")(functools.partial(lambda a, b: a + b, 1))(2) == 3
    adder = trace_agent("t")(Adder())
    assert adder(1) == 2 and body_of(adder)["description"] == "Adds."
    assert trace_agent("t")(functools.partial(plain, 1)).last_trace is None


def test_partial_of_a_coroutine_function():
    async def add(a, b):
        return a + b

    made = trace_agent("t")(functools.partial(add, 1))
    assert asyncio.run(made(2)) == 3
    assert body_of(made)["output_summary"] == "3"


def test_builtin_function():
    made = trace_agent("t")(len)
    assert made("abc") == 3 and made.__name__ == "len" and inspect.isbuiltin(made)


@pytest.mark.parametrize("thing", [None, 5, "text"])
def test_what_cannot_be_called(thing):
    with pytest.raises(TypeError):
        trace_agent("t")(thing)


def test_a_forgotten_name():
    with pytest.raises(TypeError, match="name"):

        @trace_agent
        def f():
            pass
